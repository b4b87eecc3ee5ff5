"""MNIST without a network: small IDX files written here, served by a folder or by a server on this machine."""

import functools
import gzip
import hashlib
import http.server
import importlib
import importlib.util
import struct
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from genedu.core import seeded
from genedu.data import mnist
from genedu.data.mnist import read_idx

module = importlib.import_module("genedu.data.mnist")  # the package gives the function of this name
PARTS = ("train", "validation", "test")
NAMES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
N, M = 24, 5  # training and test rows of the small set
TENSORS = {
    NAMES[0]: (torch.arange(N * 784).view(N, 28, 28) * 7) % 256,
    NAMES[1]: torch.arange(N) % 10,
    NAMES[2]: (torch.arange(M * 784).view(M, 28, 28) * 11) % 256,
    NAMES[3]: torch.arange(M) + 5,
}


def idx(x):
    """The bytes of a tensor of levels as an IDX file, by the format's description."""
    return struct.pack(f">HBB{x.dim()}I", 0, 8, x.dim(), *x.shape) + bytes(x.flatten().tolist())


def zipped(raw):
    """gzip without the time of day: two processes that collect these tests must see the same."""
    return gzip.compress(raw, mtime=0)


def size(value):
    """The name of a case, instead of its bytes."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


GOOD = {name: zipped(idx(x)) for name, x in TENSORS.items()}


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Writes files into a folder; their hashes become the published ones, unless `known` says that others are."""

    def write(files=GOOD, known=None):
        folder = tmp_path / "published"
        folder.mkdir()
        for name, raw in files.items():
            (folder / name).write_bytes(raw)
        hashes = {name: hashlib.sha256({**files, **(known or {})}.get(name, b"")).hexdigest() for name in NAMES}
        monkeypatch.setitem(module.SHA256, "digits", hashes)
        return folder

    return write


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []
    cut = False  # announce more than is sent

    def log_message(self, *_):
        self.asked.append(self.path)

    def send_header(self, name, value):
        super().send_header(name, str(int(value) + 100) if self.cut and name == "Content-Length" else value)


@pytest.fixture
def serve():
    """Serves a folder on 127.0.0.1 until the test ends; gives the address, the requests and a way to stop."""
    running = []

    def start(folder, cut=False):
        handler = type("Handler", (Quiet,), {"asked": [], "cut": cut})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def stop():
            server.shutdown()
            server.server_close()
            thread.join()

        running.append(stop)
        return f"http://127.0.0.1:{server.server_port}/", handler.asked, lambda: running.pop()()

    yield start
    for stop in running:
        stop()


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


# oracles --------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.booleans())
def test_an_idx_file_comes_back_as_it_was_written(tmp_path_factory, shape, compressed):
    x = torch.randint(256, shape)
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(zipped(idx(x)) if compressed else idx(x))
    found = read_idx(path)
    assert found.dtype == torch.long and found.shape == x.shape and torch.equal(found, x)
    assert torch.equal(read_idx(str(path)), x)


def test_the_training_files_are_split_in_their_order_and_the_test_files_kept(publish, tmp_path):
    data = mnist(source=publish(), cache=tmp_path / "unused")
    x, y = TENSORS[NAMES[0]][:, None], TENSORS[NAMES[1]]
    assert torch.equal(data.train, x[:20]) and torch.equal(data.train_labels, y[:20])
    assert torch.equal(data.validation, x[20:]) and torch.equal(data.validation_labels, y[20:])  # the last sixth
    assert torch.equal(data.test, TENSORS[NAMES[2]][:, None]) and torch.equal(data.test_labels, TENSORS[NAMES[3]])
    assert data.train.shape == (20, 1, 28, 28) and data.train.dtype == data.test_labels.dtype == torch.long
    assert not (tmp_path / "unused").exists()  # a folder is read in place


def test_the_four_forms(publish):
    folder = publish()
    levels, binary, unit, soft = (mnist(values=v, source=str(folder)) for v in ("levels", "binary", "unit", "dequantised"))
    again = mnist(values="dequantised", source=folder)
    noise = []
    for part in PARTS:
        level = getattr(levels, part)
        assert torch.equal(getattr(binary, part), (level >= 128).long()) and torch.equal(getattr(unit, part), level / 255)
        x = getattr(soft, part)
        assert x.dtype == getattr(unit, part).dtype == torch.float32 and 0 < x.min() and x.max() < 1
        assert torch.equal((x * 256).floor().long(), level) and torch.equal(x, getattr(again, part))
        noise.append((256 * x - level).flatten())
        assert torch.equal(getattr(soft, f"{part}_labels"), getattr(levels, f"{part}_labels"))
    assert kstest(torch.cat(noise), "uniform").pvalue > 1e-5
    with seeded(0):
        drawn = torch.rand(20 * 784)
    assert ((noise[0] - drawn).abs() <= 2**-16).all() and (noise[0] * 2**16 % 2 == 1).all()  # the middles of 2^15 steps
    n = min(len(noise[0]), len(noise[2]))
    assert (noise[0][:n] - noise[2][:n]).abs().max() > 0.5  # other noise for each part


def test_the_noise_costs_no_global_randomness(publish):
    before = torch.get_rng_state()
    mnist(values="dequantised", source=publish())
    assert torch.equal(torch.get_rng_state(), before)


def test_files_are_fetched_once_and_then_read_from_the_cache(publish, serve, tmp_path):
    folder, cache = publish(), tmp_path / "cache"
    address, asked, stop = serve(folder)
    first = mnist(source=address, cache=cache)
    assert torch.equal(first.train, TENSORS[NAMES[0]][:20, None]) and sorted(asked) == sorted(f"/{n}" for n in NAMES)
    assert files_in(cache) == sorted(NAMES) and {p.parent.name for p in cache.rglob("*.gz")} == {"digits"}
    assert all(p.read_bytes() == GOOD[p.name] for p in cache.rglob("*.gz"))
    stop()
    second = mnist(source=address.rstrip("/"), cache=str(cache))  # nobody there any more
    assert torch.equal(first.test, second.test) and len(asked) == 4


def test_a_cached_file_that_was_damaged_is_fetched_anew(publish, serve, tmp_path):
    folder, cache = publish(), tmp_path / "cache"
    address, asked, _ = serve(folder)
    mnist(source=address.rstrip("/"), cache=cache)
    (cache / "digits" / NAMES[3]).write_bytes(GOOD[NAMES[3]][:-3])
    data = mnist(source=address, cache=cache)
    assert torch.equal(data.test_labels, TENSORS[NAMES[3]]) and asked[4:] == [f"/{NAMES[3]}"]


def test_the_second_mirror_helps_where_the_first_is_silent_lacks_a_file_or_has_another(publish, serve, tmp_path, monkeypatch):
    good, poor = publish(), tmp_path / "poor"
    poor.mkdir()
    (poor / NAMES[0]).write_bytes(b"another file")  # and none of the other three
    mirrors = ("http://127.0.0.1:9/", serve(poor)[0], serve(good)[0])
    monkeypatch.setitem(module.MIRRORS, "digits", mirrors)
    data = mnist(cache=tmp_path / "cache")
    assert torch.equal(data.train_labels, TENSORS[NAMES[1]][:20]) and files_in(tmp_path / "cache") == sorted(NAMES)


def test_each_kind_has_its_own_files_hashes_and_place(publish, serve, tmp_path, monkeypatch):
    fashion = {name: zipped(idx(255 - x if x.dim() == 3 else x)) for name, x in TENSORS.items()}
    address, _, _ = serve(publish())
    other = tmp_path / "fashion"
    other.mkdir()
    for name, raw in fashion.items():
        (other / name).write_bytes(raw)
    monkeypatch.setitem(module.SHA256, "fashion", {name: hashlib.sha256(raw).hexdigest() for name, raw in fashion.items()})
    cache = tmp_path / "cache"
    one, two = mnist(source=address, cache=cache), mnist(kind="fashion", source=serve(other)[0], cache=cache)
    assert torch.equal(two.train, 255 - one.train) and len(files_in(cache)) == 8


def test_the_default_cache_is_the_users(publish, serve, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "of the user" / name)
    mnist(source=serve(publish())[0])
    assert files_in(tmp_path / "of the user" / "genedu" / "digits") == sorted(NAMES)


def test_the_hashes_are_well_formed_and_the_mirrors_end_in_a_slash():
    assert set(module.SHA256) == set(module.MIRRORS) == {"digits", "fashion"}
    every = [h for hashes in module.SHA256.values() for h in hashes.values()]
    assert len(set(every)) == 8 and all(len(h) == 64 and int(h, 16) for h in every)
    assert all(tuple(hashes) == NAMES for hashes in module.SHA256.values())
    assert all(m.startswith("http") and m.endswith("/") for mirrors in module.MIRRORS.values() for m in mirrors)


def test_the_module_needs_no_pooch_until_it_is_called(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)  # an import of it would fail
    spec = importlib.util.spec_from_file_location("fresh_mnist", module.__file__)
    fresh = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fresh_mnist", fresh)
    spec.loader.exec_module(fresh)
    with pytest.raises(ImportError):
        fresh.mnist()


# errors: files --------------------------------------------------------------------------------------------------------

SMALL = idx(torch.arange(12).view(3, 2, 2))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", r"begin with the bytes 0, 0, 8.*got \[\]"),
        (SMALL[:3], r"got \[0, 0, 8\]"),
        (b"\x00\x00\x0d" + SMALL[3:], r"got \[0, 0, 13, 3\]"),
        (b"\x00\x01" + SMALL[2:], r"got \[0, 1, 8, 3\]"),
        (b"\x08\x03\x00\x00", r"got \[8, 3, 0, 0\]"),
        (b"\x00\x00\x08\x00", r"at least one axis.*got \[0, 0, 8, 0\]"),
        (SMALL[:4], r"3 sizes of four bytes each, got 0 bytes"),
        (SMALL[:15], r"3 sizes of four bytes each, got 11 bytes"),
        (SMALL[:-1], r"3 x 2 x 2 = 12 bytes after its header, got 11: it is cut off"),
        (SMALL[:16], r"12 bytes after its header, got 0: it is cut off"),
        (SMALL + b"\x00", r"12 bytes after its header, got 13: something was added"),
        (zipped(SMALL)[:-1], "whole.*end-of-stream.*fetch it anew"),
        (zipped(SMALL)[:12], "whole.*fetch it anew"),
        (zipped(SMALL)[:-8] + b"12345678", "whole.*CRC"),
        (zipped(SMALL) + b"more", "whole.*fetch it anew"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff", "whole.*fetch it anew"),
    ],
    ids=size,
)
def test_a_bad_idx_file_says_what_is_wrong(tmp_path, raw, words):
    path = tmp_path / "bad"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=words) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_no_file_and_a_folder_are_bad_idx_files(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ValueError, match="must be a whole IDX file"):
            read_idx(path)


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        (NAMES[0], zipped(SMALL), r"must hold images \[N, 28, 28\] and labels \[N\].*got \[3, 2, 2\] and \[24\]"),
        (NAMES[3], zipped(idx(torch.arange(4))), r"got \[5, 28, 28\] and \[4\]"),
        (NAMES[1], zipped(idx(torch.zeros(24, 1).long())), r"got \[24, 28, 28\] and \[24, 1\]"),
        (NAMES[2], zipped(idx(TENSORS[NAMES[2]]))[:-9], "whole"),
        (NAMES[2], zipped(b"\x00\x00\x0d" + idx(TENSORS[NAMES[2]])[3:]), "begin with"),
    ],
    ids=size,
)
def test_published_files_are_looked_at_as_well(publish, name, raw, words):
    with pytest.raises(ValueError, match=words):
        mnist(source=publish({**GOOD, name: raw}))


# errors: places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", [GOOD[NAMES[2]][:-1], GOOD[NAMES[2]] + b"\x00", b"<html>moved</html>"], ids=size)
def test_a_wrong_hash_leaves_no_file(publish, serve, tmp_path, damaged):
    folder, cache = publish({**GOOD, NAMES[2]: damaged}, known=GOOD), tmp_path / "cache"
    known, came = (hashlib.sha256(raw).hexdigest() for raw in (GOOD[NAMES[2]], damaged))
    with pytest.raises(ValueError, match=f"{NAMES[2]} must have the SHA-256 {known}") as error:
        mnist(source=serve(folder)[0], cache=cache)
    assert came in str(error.value)
    assert files_in(cache) == sorted(NAMES[:2])  # those that came before, whole, and no other, not even in part
    with pytest.raises(ValueError, match=f"{NAMES[2]} must have the SHA-256 {known}.*{came}"):
        mnist(source=folder)
    assert files_in(folder) == sorted(NAMES)  # the user's own are left alone


def test_a_missing_file_is_named(publish, serve, tmp_path):
    folder, cache = publish({n: GOOD[n] for n in NAMES[1:]}, known=GOOD), tmp_path / "cache"
    with pytest.raises(ValueError, match=f"{NAMES[0]}.*404"):
        mnist(source=serve(folder)[0], cache=cache)
    assert files_in(cache) == []
    with pytest.raises(ValueError, match=f"source must be .*folder.*{NAMES[0]}"):
        mnist(source=folder)
    with pytest.raises(ValueError, match="source must be"):
        mnist(source=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="source must be"):
        mnist(source="ftp://127.0.0.1/")


def test_no_network_is_a_connection_error(publish, tmp_path, monkeypatch):
    publish()
    cache = tmp_path / "cache"
    with pytest.raises(ConnectionError, match=rf"{NAMES[0]}.*127\.0\.0\.1:9.*go online.*source="):
        mnist(source="http://127.0.0.1:9", cache=cache)
    assert files_in(cache) == []
    monkeypatch.setitem(module.MIRRORS, "digits", ("http://127.0.0.1:9/", "http://127.0.0.1:9/other/"))
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9/other/"):
        mnist(cache=cache)


def test_a_connection_that_breaks_leaves_nothing_half_written(publish, serve, tmp_path):
    address, _, _ = serve(publish(), cut=True)
    with pytest.raises(ConnectionError, match="go online"):
        mnist(source=address, cache=tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_network(publish, serve, tmp_path):
    address, _, _ = serve(publish())
    (tmp_path / "cache").write_text("a file stands where the folder should")
    with pytest.raises(OSError, match="cache") as error:
        mnist(source=address, cache=tmp_path / "cache")
    assert not isinstance(error.value, ConnectionError)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "letters"}, r"kind must be one of \['digits', 'fashion'\], got 'letters'"),
        ({"values": "grey"}, r"values must be one of \['levels', 'binary', 'unit', 'dequantised'\], got 'grey'"),
    ],
)
def test_unknown_names_say_which_there_are_before_anything_is_fetched(wrong, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        mnist(**wrong, source="http://127.0.0.1:9/", cache=tmp_path)
