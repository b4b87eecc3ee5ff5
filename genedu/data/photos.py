"""Photos: square patches of two photographs, a temple and a flower, which come with scikit-learn.

Natural images without a download. A patch says little about what is seen and much about how pixels hang together:
neighbours are alike, edges are long, colours go together. Both photographs have 427 x 640 pixels of three levels 0..255.

    grey = floor((299 red + 587 green + 114 blue + 500) / 1000)                            (1)
    unit = level / 255                                                                     (2)
    patches of a split = 2 photos x strips x (floor((427 - size) / stride) + 1)
                           x (floor((64 - size) / stride) + 1)                             (3)

(1) is luma 0.299 R + 0.587 G + 0.114 B, rounded (a half goes up). Each photo is cut into ten upright strips of 64 pixels'
width, numbered from the left: 2 and 7 are for validation, 4 and 9 for the test, the other six for training. No patch crosses
a border, so no pixel is in two splits. Strips of one photo still show the same sky: a good score is no sign that other
photographs would be understood.

Source:   (1): Recommendation ITU-R BT.601-7, 2011, section 2.5.1. The photographs: scikit-learn, `load_sample_images`
          (its README: china.jpg by danielbuechele, flower.jpg by vultilion, Flickr 2011, CC BY 2.0; only cut, and grey by (1)).
Lecture:  "Why Images are difficult?".
Differs:  the strips and their splits are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from genedu.core import seeded

WIDTH = 64  # of a strip, in pixels
STRIPS = {"train": (0, 1, 3, 5, 6, 8), "validation": (2, 7), "test": (4, 9)}


@dataclass(frozen=True)
class Photos:
    """Patches `[N, C, size, size]` in three parts that share no pixel."""

    train: Tensor
    validation: Tensor
    test: Tensor


def photos(
    *,
    size: int = 8,
    stride: int | None = None,
    channels: int = 1,
    values: str = "levels",
    rows: int | Sequence[int] | None = None,
    seed: int = 0,
) -> Photos:
    """Patches [N, channels, size, size] of both photographs; N by (3), in the order photo, strip, row, column.

    Args:
        size: edge of a patch in pixels, at most 64.
        stride: pixels from one patch to the next; by default `size`, so that patches do not overlap.
        channels: 1, grey by (1), or 3, red, green and blue.
        values: "levels" 0..255 (long) or "unit" in [0, 1] by (2) (float).
        rows: keep so many patches of each split, one number or three (train, validation, test), drawn without repetition;
            by default all. A seed draws the same patches for all channels and values.

    Raises:
        ValueError: an argument out of its range; more rows than there are patches.
    """
    if not isinstance(size, Integral) or not 1 <= size <= WIDTH:
        raise ValueError(f"size must be a whole number from 1 to {WIDTH}, the width of a strip, got {size!r}")
    stride = size if stride is None else stride
    if not isinstance(stride, Integral) or stride < 1:
        raise ValueError(f"stride must be a whole number of at least 1, got {stride!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {channels!r}")
    if values not in ("levels", "unit"):
        raise ValueError(f"values must be one of ['levels', 'unit'], got {values!r}")
    wanted = tuple(rows) if isinstance(rows, Sequence) else (rows,) * 3
    if len(wanted) != 3 or not all(n is None or (isinstance(n, Integral) and n >= 1) for n in wanted):
        raise ValueError(f"rows must be one whole number of at least 1 or three (train, validation, test), got {rows!r}")

    from sklearn.datasets import load_sample_images  # here: scikit-learn takes a second to load

    both = torch.stack([torch.tensor(image) for image in load_sample_images().images]).long()  # [2, 427, 640, 3]
    both = both.permute(0, 3, 1, 2)  # [2, 3, 427, 640]
    if channels == 1:
        red, green, blue = both.split(1, dim=1)  # [2, 1, 427, 640] each
        both = (299 * red + 587 * green + 114 * blue + 500) // 1000  # eq. (1)
    parts = []
    with seeded(seed):
        for (split, strips), n in zip(STRIPS.items(), wanted, strict=True):
            x = torch.cat([_patches(photo, s, size, stride) for photo in both for s in strips])  # [N, C, size, size], eq. (3)
            if n is not None:
                if n > len(x):
                    raise ValueError(f"rows must be at most {len(x)} for {split}, got {n}: take a smaller stride or fewer rows")
                x = x[torch.randperm(len(x))[:n]]
            parts.append(x / 255 if values == "unit" else x)  # eq. (2)
    return Photos(*parts)


def _patches(photo: Tensor, strip: int, size: int, stride: int) -> Tensor:
    """Those of one strip, row by row: [C, 427, 640] -> [N, C, size, size]."""
    part = photo[..., strip * WIDTH : (strip + 1) * WIDTH]  # [C, 427, 64]
    cut = part.unfold(1, size, stride).unfold(2, size, stride)  # [C, rows, columns, size, size]
    return cut.permute(1, 2, 0, 3, 4).flatten(0, 1)
