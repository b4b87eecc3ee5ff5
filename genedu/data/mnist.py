"""MNIST and Fashion-MNIST: 70 000 grey images of 28 x 28 pixels in ten classes, fetched only when asked for.

No chapter and no test needs them: `digits` serves there. They make figures comparable with published ones. Four files
are fetched once, checked by SHA-256, and kept in a cache; a file whose hash is wrong, or which broke off, is never kept.

    IDX file = bytes 0, 0, 8, axes; the sizes as big-endian uint32; one byte a value       (1)
    binary = [level >= 128],   unit = level / 255                                          (2)
    dequantised = (level + u) / 256,   u ~ U(0, 1)                                         (3)

A density under (3) is compared with masses of levels as in `digits`. u is an odd multiple of 2^-16, which float32
adds to a level without rounding: every value stays inside its step, and none is 0 or 1.

Source:   Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE
          86 (1998); the format (1) is on the data's page, yann.lecun.com/exdb/mnist (CC BY-SA 3.0 by common report);
          H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747 (MIT licence).
          Hashes of the digits: equal in NixOS/nixpkgs (pkgs/data/machine-learning/mnist) and ankane/torchvision-ruby, the test
          part also counted from the files; of Fashion-MNIST: equal in FluxML/Flux.jl (src/data/fashion-mnist.jl) and
          ankane/torchvision-ruby. Check one yourself by `sha256sum FILE`.
Lecture:  "Why Images are difficult?".
Differs:  the last 10 000 training images are for validation; u is drawn once, with a fixed seed; "binary" is a threshold, where
          much of the literature draws each pixel with probability level / 255.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genedu.core import seeded

MIRRORS = {
    "digits": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # no https there; the hash guards it
    ),
}
SHA256 = {
    "digits": {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion": {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}


@dataclass(frozen=True)
class MNIST:
    """Images `[N, 1, 28, 28]` and labels `[N]`: 50 000 for training, 10 000 for validation, 10 000 for the test."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor


def mnist(
    *, kind: str = "digits", values: str = "levels", cache: str | Path | None = None, source: str | Path | None = None
) -> MNIST:
    """The data in one of four forms, [N, 1, 28, 28]; fetched at the first call (about 12 or 30 MB), then cached.

    Args:
        kind: "digits" (MNIST) or "fashion" (Fashion-MNIST).
        values: "levels" 0..255 (long), "binary" level >= 128 (long), "unit" level / 255 (float),
            "dequantised" (level + u) / 256 with u uniform and the same at every call (float).
        cache: folder for what is fetched, in a folder for each kind; by default the user's cache folder.
        source: a web address ("https://...") instead of the known mirrors, or a folder that holds the four files,
            which are then read where they are.

    Raises:
        ValueError: an unknown kind or form; a file that is missing, is not the published one or cannot be read.
        ConnectionError: no mirror answers, or the connection breaks.
        OSError: the cache cannot be written.
    """
    forms = ["levels", "binary", "unit", "dequantised"]
    if kind not in SHA256:
        raise ValueError(f"kind must be one of {list(SHA256)}, got {kind!r}")
    if values not in forms:
        raise ValueError(f"values must be one of {forms}, got {values!r}")
    paths = [_locate(kind, name, cache, source) for name in SHA256[kind]]
    x, y, x_test, y_test = map(read_idx, paths)  # [N, 28, 28], [N], [M, 28, 28], [M]
    for images, labels in ((x, y), (x_test, y_test)):
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise ValueError(
                f"the files must hold images [N, 28, 28] and labels [N], got {list(images.shape)} and {list(labels.shape)}"
            )
    cut = len(x) - len(x) // 6  # 10 000 of 60 000 are held out
    with seeded(0):
        train, validation, test = (_form(level[:, None], values) for level in (x[:cut], x[cut:], x_test))  # [N, 1, 28, 28] each
    return MNIST(train, validation, test, y[:cut], y[cut:], y_test)


def _form(level: Tensor, values: str) -> Tensor:
    if values == "binary":
        return (level >= 128).long()  # eq. (2)
    if values == "unit":
        return level / 255  # eq. (2)
    if values == "dequantised":
        u = ((torch.rand(level.shape) * 2**15).floor() + 0.5) / 2**15
        return (level + u) / 256  # eq. (3)
    return level


def _locate(kind: str, name: str, cache: str | Path | None, source: str | Path | None) -> Path:
    """Where the published file lies, fetched if need be."""
    import pooch  # here: needed by those only who ask for a download

    digest, online = SHA256[kind][name], source is None or str(source).startswith(("http://", "https://"))
    what = f"{name} must have the SHA-256 {digest}"
    if not online:
        path = Path(str(source)) / name
        if not path.is_file():
            raise ValueError(f"source must be a web address or a folder that holds {name}, got {str(source)!r}")
        if (came := pooch.file_hash(str(path), alg="sha256")) != digest:
            raise ValueError(f"{what}, got {came} in {str(source)!r}: it is damaged or another file; fetch it anew")
        return path
    mirrors = MIRRORS[kind] if source is None else (str(source).rstrip("/") + "/",)
    folder = Path(cache or pooch.os_cache("genedu")) / kind
    wrong: list[str] = []
    silent: list[str] = []
    for mirror in mirrors:
        try:
            return Path(pooch.retrieve(mirror + name, known_hash=f"sha256:{digest}", fname=name, path=folder))
        except ValueError as e:  # pooch deleted what came
            wrong.append(f"{mirror}: {e}")
        except OSError as e:
            if not hasattr(e, "request"):  # the disk's, not the network's
                raise
            answered = getattr(e, "response", None) is not None  # with a status such as 404
            (wrong if answered else silent).append(f"{mirror}: {e}")
    if wrong:
        raise ValueError(f"{what}, got none such: {'; '.join(wrong + silent)}. Nothing was kept; name another source=")
    raise ConnectionError(
        f"{name} must be fetched once, got no whole answer: {'; '.join(silent)}. "
        "Nothing was kept; go online, or name a folder that holds the files as source="
    )


def read_idx(path: str | Path) -> Tensor:
    """The levels 0..255 (long) in an IDX file (1) of bytes, gzipped or not, in the shape that it states.

    Raises:
        ValueError: no such file; damaged gzip; another type than bytes; more or fewer bytes than stated.
    """
    try:
        raw = Path(path).read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as e:
        raise ValueError(f"{path} must be a whole IDX file, gzipped or not, got {e}: fetch it anew") from e
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or raw[3] == 0:
        raise ValueError(
            f"{path} must begin with the bytes 0, 0, 8 and the number of axes, at least one axis, got {list(raw[:4])}: "
            "it is no IDX file of bytes"
        )
    axes, start = raw[3], 4 + 4 * raw[3]
    if len(raw) < start:
        raise ValueError(f"{path} must go on with {axes} sizes of four bytes each, got {len(raw) - 4} bytes: fetch it anew")
    shape = struct.unpack(f">{axes}I", raw[4:start])  # eq. (1)
    want, came = math.prod(shape), len(raw) - start
    if came != want:
        why = "it is cut off" if came < want else "something was added"
        raise ValueError(
            f"{path} must hold {' x '.join(map(str, shape))} = {want} bytes after its header, got {came}: {why}; fetch it anew"
        )
    return torch.from_numpy(np.frombuffer(raw[start:], np.uint8).reshape(shape).astype(np.int64))
