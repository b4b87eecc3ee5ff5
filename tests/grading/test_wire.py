"""The format between judge and worker: values come back as they were, and no byte sequence does harm."""

import io
import json
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genedu.grading.wire import BYTES, DTYPES, HEAD, TEXT, Malformed, decode, encode, exactly, read
from genedu.handle import Fixture


def there_and_back(value, *, trusted=False):
    return read(io.BytesIO(encode(value)), trusted=trusted)


def same(a, b):
    if isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(b, tuple | list):
        return type(a) is tuple and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    return type(a) is type(b) and (a == b or (a != a and b != b))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\ud800", "\x00", "<script>"])


@given(st.recursive(LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4), max_leaves=12))
def test_values_come_back(value):
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_tensors_come_back_in_type_shape_and_value(name, shape):
    tensor = (100 * torch.rand(shape)).to(DTYPES[name])
    back = there_and_back(("before", tensor, {"after": tensor.clone()}))
    assert same(back, ("before", tensor, {"after": tensor}))
    back[1].zero_()  # its own memory
    assert torch.equal(back[2]["after"], tensor)


def test_views_bits_and_ends_of_numbers_come_back():
    wide = torch.arange(12.0).reshape(3, 4)
    ends = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 5e-324], dtype=torch.float64)
    for tensor in (wide.T, wide[:, 1:3], wide.expand(2, 3, 4), wide[:1, 2], wide[1:2, 2:3], wide[0, 1]):
        assert same(there_and_back(tensor), tensor)
    back = there_and_back(ends)
    assert torch.equal(back.view(torch.int64), ends.view(torch.int64))
    assert there_and_back((10**4000, -(2**70), 1e308, math.inf)) == (10**4000, -(2**70), 1e308, math.inf)


def test_a_fixture_reaches_only_who_trusts_the_sender():
    fixture = Fixture("linear", {"weight": torch.ones(1, 2), "more": (1, "a")})
    back = there_and_back({"critic": fixture}, trusted=True)["critic"]
    assert back.name == "linear" and same(back.arguments, fixture.arguments)
    with pytest.raises(Malformed, match="no message"):
        there_and_back(fixture)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, b"bytes", torch.ones(2) + 1j, len], ids=lambda v: type(v).__name__)
def test_what_is_no_value_is_not_sent(value):
    with pytest.raises(ValueError, match="a message holds tensors, numbers and strings, got"):
        encode((1, {"a": value}))


def test_a_number_of_more_digits_than_python_reads_is_not_sent():
    with pytest.raises(ValueError, match="4300 digits"):
        encode(10**5000)


TENSOR = {"tensor": "torch.float32", "shape": [2]}
BAD = {
    "no JSON": (b"\xff\x00", b""),
    "a pickle": (pickle.dumps([1]), b""),
    "deep": (b"[" * 100_000, b""),
    "nested a little too deeply": (json.dumps([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]).encode(), b""),
    "a huge number": (b"9" * 5000, b""),
    "another dictionary": (b'{"a": 1}', b""),
    "a dictionary that is none": (b'{"dict": [1]}', b"1"),
    "too few bytes": (json.dumps(TENSOR).encode(), bytes(7)),
    "too many bytes": (json.dumps(TENSOR).encode(), bytes(9)),
    "a negative side": (json.dumps(TENSOR | {"shape": [-1, -8]}).encode(), bytes(32)),
    "a fraction as side": (json.dumps(TENSOR | {"shape": [2.0]}).encode(), bytes(8)),
    "truth as side": (json.dumps(TENSOR | {"shape": [True]}).encode(), bytes(4)),
    "no list of sides": (json.dumps(TENSOR | {"shape": 2}).encode(), bytes(8)),
    "an endless shape": (json.dumps(TENSOR | {"shape": [2**39, 2**39]}).encode(), bytes(8)),
    "many axes": (json.dumps(TENSOR | {"shape": [1] * 20}).encode(), bytes(4)),
    "no type": (json.dumps(TENSOR | {"tensor": "torch.object"}).encode(), bytes(8)),
    "a list as type": (json.dumps(TENSOR | {"tensor": [1]}).encode(), bytes(8)),
    "a fixture": (b'{"fixture": "linear", "arguments": {}}', b""),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_bytes_are_malformed_and_nothing_else(name):
    with pytest.raises(Malformed):
        decode(*BAD[name])


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_any_bytes_are_a_message_or_malformed(text, tensors):
    try:
        decode(text, tensors, fixtures=True)
    except Malformed:
        pass


def test_a_byte_that_is_neither_0_nor_1_is_true():
    back = decode(b'{"tensor": "torch.bool", "shape": [3]}', bytes([0, 1, 7]))
    assert back.view(torch.uint8).tolist() == [0, 1, 1]


def test_lengths_are_bounded_where_the_sender_is_not_trusted():
    assert (TEXT, BYTES) == (1024 * 1024, 64 * 1024 * 1024)
    for text, tensors in ((TEXT + 1, 0), (2, BYTES + 1)):
        with pytest.raises(Malformed, match="MiB"):
            read(io.BytesIO(HEAD.pack(text, tensors)))
    with pytest.raises(EOFError):
        read(io.BytesIO(HEAD.pack(TEXT + 1, 0)), trusted=True)
    whole = torch.zeros(BYTES // 8, dtype=torch.float64)
    assert there_and_back(whole).shape == whole.shape  # the bound itself is allowed


def test_a_stream_that_ends_says_so():
    message = encode((1.5, torch.ones(3)))
    for cut in range(len(message)):
        with pytest.raises(EOFError):
            read(io.BytesIO(message[:cut]))


def test_an_announced_length_takes_no_memory():
    class Drip(io.RawIOBase):
        asked = 0

        def read(self, n):
            self.asked = max(self.asked, n)
            return b""

    drip = Drip()
    with pytest.raises(EOFError, match="4000000000"):
        exactly(drip, 4_000_000_000)
    assert drip.asked <= 2**20


def test_messages_follow_one_another():
    stream = io.BytesIO(encode(1) + encode((torch.ones(2), "a")) + encode(None))
    assert read(stream) == 1 and read(stream)[1] == "a" and read(stream) is None
