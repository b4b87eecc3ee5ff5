"""The door of the three classifiers: what must hold of rows with labels before they are counted or scored."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from genedu.core import check_values, rows_of


def class_count(classes: int | None) -> int | None:
    """`classes` itself.

    Raises:
        ValueError: neither None nor a whole number of at least 2.
    """
    if classes is not None and (type(classes) is not int or classes < 2):
        raise ValueError(f"classes must be a whole number of at least 2, or None to count them in fit, got {classes!r}")
    return classes


def label_rows(y: Tensor, n: int, classes: int | None) -> Tensor:
    """`y` as long [n].

    Raises:
        TypeError: y is no tensor.
        ValueError: y is not one whole number 0..classes-1 (of any size if None) for each of n rows.
    """
    if not isinstance(y, Tensor):
        raise TypeError(f"y must be a tensor, got {type(y).__name__}: use torch.as_tensor(y)")
    if y.is_floating_point() or y.is_complex():
        raise ValueError(f"y must be whole numbers, got {y.dtype}: use y.long()")
    if y.shape != (n,):
        raise ValueError(f"y must be [{n}], one label a row, got {list(y.shape)}")
    y = y.long()
    must = "y must be whole numbers from 0" if classes is None else f"y must be 0..{classes - 1}, the classes of the model"
    check_values(y, lambda y: (y >= 0) & (y < (classes or math.inf)), must)
    return y


def training_rows(x: Tensor, y: Tensor, classes: int | None, like: Tensor) -> tuple[Tensor, Tensor, int]:
    """Rows [B, D] and labels [B], long, on the device of `like`, and the number of classes K.

    Floating rows keep their precision if it is higher than that of `like`; all others take that of `like`.

    Raises:
        TypeError: x or y is no tensor.
        ValueError: x is no finite [B, D]; y is no label a row; fewer than two classes; a class of 0..K-1 has no row.
    """
    for name, value in (("x", x), ("y", y)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(value).__name__}: use torch.as_tensor({name})")
    if rows_of(x).shape[1] == 0:
        raise ValueError(f"x must have at least one feature, got {list(x.shape)}")
    y = label_rows(y, len(x), classes).to(like.device)
    bound = int(y.max()) + 1 if classes is None else classes
    if bound < 2:
        raise ValueError(f"y must name at least two classes, got {bound}: a classifier needs something to tell apart")
    present = y.unique().tolist()  # in rising order
    if len(present) < bound:
        absent = next(k for k in range(bound) if k >= len(present) or present[k] != k)
        raise ValueError(f"each class 0..{bound - 1} must have a row, class {absent} has none: add some, or renumber the classes")
    precision = torch.promote_types(x.dtype, like.dtype) if x.is_floating_point() else like.dtype
    return x.to(like.device, precision), y, bound


class ClassMeans(NamedTuple):
    counts: Tensor  # [K], rows of each class
    mean: Tensor  # [K, D]
    centred: Tensor  # [B, D], each row less the mean of its class


def class_means(x: Tensor, y: Tensor, classes: int) -> ClassMeans:
    """Counts and means of rows [B, D] by their labels [B]. Taken about a row of each class: a constant leaves exact zeros."""
    member = one_hot(y, classes).to(x.dtype)  # [B, K]
    count, near = member.sum(0), x[member.argmax(0)]  # [K], [K, D]
    away = x - near[y]  # [B, D]
    shift = member.T @ away / count[:, None]  # [K, D]
    return ClassMeans(count, near + shift, away - shift[y])


def scored_rows(x: Tensor, mean: Tensor, observed: Tensor | None) -> Tensor:
    """Rows [B, D] in the precision of the parameters `mean` [K, D]; features that are not `observed` become 0, unread.

    Raises:
        TypeError: x is no tensor.
        ValueError: the model is not fitted; x is not [B, D] and finite where observed; observed is not bool [D].
    """
    if mean.numel() == 0:
        raise ValueError("the model is not fitted: call .fit(x, y) first, or load_state_dict of a fitted one")
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}: use torch.as_tensor(x)")
    dim = mean.shape[1]
    if observed is not None:
        if observed.dtype != torch.bool or observed.shape != (dim,):
            raise ValueError(f"observed must be bool [{dim}], a flag a feature, got {observed.dtype} {list(observed.shape)}")
        if x.shape[1:] == (dim,):
            x = x.masked_fill(~observed, 0)
    return rows_of(x, dim).to(mean.dtype)


def labels_for(log_prior: Tensor, n: int, y: int | Tensor | None) -> Tensor:
    """Labels to draw rows for, long [n]: from the prior [K], or the class `y`, or the n labels `y`.

    Raises:
        ValueError: the model is not fitted; n below 1; y is no class, or not one for each row.
    """
    if log_prior.numel() == 0:
        raise ValueError("the model is not fitted: call .fit(x, y) first, or load_state_dict of a fitted one")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if y is None:
        return torch.multinomial(log_prior.exp(), n, replacement=True)  # [n]
    if not isinstance(y, Tensor):
        y = torch.full((n,), y, device=log_prior.device)  # [n]
    return label_rows(y, n, len(log_prior)).to(log_prior.device)
