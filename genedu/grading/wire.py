"""What passes between judge and worker: tensors, numbers, strings and collections of them, as JSON and raw bytes.

A message is two lengths, a JSON text and the bytes of its tensors. Nothing in it can name a class or a function, so that
reading it executes nothing. Both sides see this file; the judge's side trusts no byte of what it reads.
"""

import json
import math
import struct
from typing import IO, Any

import torch
from torch import Tensor

from genedu.handle import Fixture

HEAD = struct.Struct("<II")  # bytes of JSON, bytes of tensors
TEXT, BYTES = 2**20, 2**26  # what a judge reads at most of one answer: 1 MiB of JSON, 64 MiB of tensors
DTYPES = {
    str(d): d
    for d in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
        *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    )
}


class Malformed(Exception):  # noqa: N818
    """The other side sent what is no message."""


def encode(value: Any) -> bytes:
    """A message: None, bool, int, float, str, Tensor, Fixture, and tuples, lists and dicts (by strings) of them.

    Raises:
        ValueError: something else, or a number of more than 4300 digits.
    """
    parts: list[bytes] = []
    text = json.dumps(pack(value, parts)).encode()
    tensors = b"".join(parts)
    return HEAD.pack(len(text), len(tensors)) + text + tensors


def pack(value: Any, parts: list[bytes]) -> Any:
    """The value as JSON knows it; the bytes of its tensors are added to `parts`."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (tuple, list):
        return [pack(v, parts) for v in value]
    if type(value) is dict:
        return {"dict": {k: pack(v, parts) for k, v in value.items()}}
    if isinstance(value, Fixture):
        return {"fixture": value.name, "arguments": {k: pack(v, parts) for k, v in value.arguments.items()}}
    if isinstance(value, Tensor) and str(value.dtype) in DTYPES:
        flat = torch.empty(value.numel(), dtype=value.dtype).copy_(value.detach().reshape(-1))  # with a stride of 1, surely
        parts.append(flat.view(torch.uint8).numpy().tobytes())
        return {"tensor": str(value.dtype), "shape": list(value.shape)}
    raise ValueError(f"a message holds tensors, numbers and strings, got {type(value).__name__}")


def read(stream: IO[bytes], *, trusted: bool = False) -> Any:
    """The next message of a stream. A trusted one has no size limit and may hold fixtures.

    Raises:
        EOFError: the stream ends before the message does.
        Malformed: it is too large or no message.
    """
    text, tensors = HEAD.unpack(exactly(stream, HEAD.size))
    if not trusted and (text > TEXT or tensors > BYTES):
        raise Malformed(f"more than {TEXT >> 20} MiB of numbers or {BYTES >> 20} MiB of tensors")
    return decode(exactly(stream, text), exactly(stream, tensors), fixtures=trusted)


def exactly(stream: IO[bytes], n: int) -> bytes:
    """n bytes, in pieces: an announced length alone makes nobody take memory."""
    parts, missing = [], n
    while missing:
        part = stream.read(min(missing, 2**20))
        if not part:
            raise EOFError(f"{missing} of {n} bytes did not come")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def decode(text: bytes, tensors: bytes, *, fixtures: bool = False) -> Any:
    """What `encode` made of a value; lists come back as tuples.

    Raises:
        Malformed: the bytes are no message.
    """
    try:
        value, used = _unpack(json.loads(text), memoryview(tensors), 0, fixtures, 0)
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:  # RuntimeError: torch, of a shape
        raise Malformed(f"no message: {type(error).__name__}") from None
    if used != len(tensors):
        raise Malformed("there are bytes that belong to no tensor")
    return value


def _unpack(tree: Any, data: memoryview, at: int, fixtures: bool, depth: int) -> tuple[Any, int]:
    """The value of a JSON tree, and where in the bytes the next tensor begins."""
    if depth > 16:
        raise ValueError("nested too deeply")
    if isinstance(tree, list):
        found = []
        for part in tree:
            value, at = _unpack(part, data, at, fixtures, depth + 1)
            found.append(value)
        return tuple(found), at
    if not isinstance(tree, dict):
        return tree, at
    if set(tree) == {"tensor", "shape"}:
        return _tensor(tree["tensor"], tree["shape"], data, at)
    names = tree["dict"] if set(tree) == {"dict"} else tree["arguments"]
    held = {}
    for name, part in names.items() if isinstance(names, dict) else ():
        held[name], at = _unpack(part, data, at, fixtures, depth + 1)
    if set(tree) == {"dict"}:
        return held, at
    if not fixtures or not isinstance(tree["fixture"], str):
        raise ValueError("no fixture is expected")
    return Fixture(tree["fixture"], held), at


def _tensor(kind: Any, shape: Any, data: memoryview, at: int) -> tuple[Tensor, int]:
    if not isinstance(shape, list) or len(shape) > 16 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError("no shape")
    dtype = DTYPES[kind]
    end = at + math.prod(shape) * dtype.itemsize
    if end > len(data):
        raise ValueError("a tensor is longer than the message")
    if end == at:
        return torch.empty(shape, dtype=dtype), at
    piece = bytearray(data[at:end])  # its own, writable memory
    if dtype == torch.bool:  # a byte may be neither 0 nor 1
        return (torch.frombuffer(piece, dtype=torch.uint8) != 0).reshape(shape), end
    return torch.frombuffer(piece, dtype=dtype).reshape(shape), end
