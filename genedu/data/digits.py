"""Digits: 1797 handwritten digits of 8x8 pixels with grey levels 0 to 16, which come with scikit-learn.

The smallest real images on which every model of the course can be trained on a laptop. A model of levels gives
them masses; a density needs numbers without steps, so uniform noise u fills the step from one level to the next:

    binary = [level >= 8],   unit = level / 16                                             (1)
    dequantised = (level + u) / 17,   u ~ U(0, 1)                                          (2)

By (2) and Jensen a density q gives a mass P(level) with log P(level) >= E_u log q((level + u) / 17) - D log 17: only
with that term, D pixels times log 17, are the two kinds of model compared. Without noise log q has no upper bound.

Source:   E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part);
          L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", ICLR 2016: the bound.
Lecture:  "Why Images are difficult?".
Differs:  the split is ours: 1144/203/450 stratified, or rows 0-999, 1000-1349, 1350-1796 in their order; u is drawn
          once, with a fixed seed, so that all see the same data.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genedu.core import seeded


@dataclass(frozen=True)
class Digits:
    """Images `[N, 1, 8, 8]` (or `[N, 64]` if flat) and labels `[N]`, in three parts that share no row."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor


def digits(values: str = "levels", *, flat: bool = False, split: str = "stratified") -> Digits:
    """The digits in one of four forms: [N, 1, 8, 8], or [N, 64] if `flat`.

    Args:
        values: "levels" 0..16 (long), "binary" level >= 8 (long), "unit" level / 16 (float),
            "dequantised" (level + u) / 17 with u uniform and the same at every call (float).
        split: "stratified" (1144/203/450 rows) or "ordered" (1000/350/447 rows).

    Raises:
        ValueError: an unknown form or split.
    """
    from sklearn.datasets import load_digits  # here: scikit-learn takes a second to load
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    level = torch.from_numpy(raw.data).long().view(-1, 1, 8, 8)  # [1797, 1, 8, 8]
    label = torch.from_numpy(raw.target).long()  # [1797]
    with seeded(0):
        noise = torch.rand(level.shape)
    forms = {
        "levels": lambda: level,
        "binary": lambda: (level >= 8).long(),  # eq. (1)
        "unit": lambda: level / 16,  # eq. (1)
        "dequantised": lambda: (level + noise) / 17,  # eq. (2)
    }
    if values not in forms:
        raise ValueError(f"values must be one of {list(forms)}, got {values!r}")
    x = forms[values]().flatten(1) if flat else forms[values]()

    rows = np.arange(len(x))
    if split == "ordered":
        parts = rows[:1000], rows[1000:1350], rows[1350:]
    elif split == "stratified":
        y = raw.target
        rest, test = train_test_split(rows, test_size=450, stratify=y, random_state=0)
        train, validation = train_test_split(rest, test_size=203, stratify=y[rest], random_state=0)
        parts = train, validation, test
    else:
        raise ValueError(f"split must be 'stratified' or 'ordered', got {split!r}")
    return Digits(*(x[p] for p in parts), *(label[p] for p in parts))
