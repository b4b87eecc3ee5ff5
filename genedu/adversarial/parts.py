"""What the games of this room share and none is about: the law of the noise, doors of data and networks, default networks."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from genedu.core import Batch, Player, check_values
from genedu.nn import follow, mlp
from genedu.nn.class_mixture import labels_of


def standard_normal(origin: Tensor) -> Distribution:
    """N(0, I) where `origin` [Z] is, in its dtype: batch_shape [], event_shape [Z]."""
    return Independent(Normal(origin, torch.ones_like(origin), validate_args=False), 1)


def dense_generator(latent: int, hidden: Sequence[int], shape: Sequence[int]) -> nn.Sequential:
    """Noise [N, Z] -> [N, *shape]; a shape (C, H, W) is an image's, in [0, 1]."""
    bend = [nn.Sigmoid()] if len(shape) == 3 else []
    return nn.Sequential(mlp(latent, *hidden, math.prod(shape)), *bend, nn.Unflatten(1, tuple(shape)))


def dense_discriminator(inputs: int, hidden: Sequence[int], outputs: int = 1) -> nn.Sequential:
    """Rows of `inputs` numbers, in any shape -> [B, outputs]."""
    return nn.Sequential(nn.Flatten(), mlp(inputs, *hidden, outputs, activation=lambda: nn.LeakyReLU(0.2)))


def checked_sample(x: Tensor, n: int, shape: tuple[int, ...]) -> Tensor:
    """x itself, which a generator returned, if it is [n, *shape].

    Raises:
        ValueError: it is not.
    """
    if x.shape != (n, *shape):
        raise ValueError(f"the generator must return [batch, *shape] = {[n, *shape]}, got {list(x.shape)}")
    return x


def one_a_row(out: Tensor, rows: int, *, who: str = "discriminator", what: str = "logit", of: str = "rows") -> Tensor:
    """A network's output as [rows], if it has one number for each.

    Raises:
        ValueError: it has not.
    """
    if out.numel() != rows:
        raise ValueError(f"the {who} must return one {what} for each of {rows} {of}, got {list(out.shape)}")
    return out.view(rows)


def generator_player(game: Any, *, uses_data: bool = False) -> Player:
    """The player of a game's `generator` and `generator_loss`; `averaged`, where there is one, follows each of its moves."""
    weights, after = list(game.generator.parameters()), follow(game.averaged, game.generator)
    return Player("generator", weights, game.generator_loss, uses_data=uses_data, after_step=after)


def data_rows(x: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Data as a game takes them, in its dtype: finite [B, *shape]; images, of a shape (C, H, W), with all of it in [0, 1].

    Raises:
        ValueError: another shape, no rows, or a number that is not finite, or not in [0, 1].
    """
    if x.shape[1:] != shape or len(x) == 0:
        raise ValueError(f"x must be [batch, {', '.join(map(str, shape))}] with batch >= 1, got {list(x.shape)}")
    if len(shape) == 3:
        check_values(x, lambda v: (v >= 0) & (v <= 1), "x must be in [0, 1]")
    else:
        check_values(x, torch.isfinite, "x must be finite")
    return x.to(dtype)


def labelled_rows(batch: Batch, shape: tuple[int, ...], classes: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(x, y) as a game with classes takes them: x as of `data_rows`, y [B] a class for each row.

    Raises:
        ValueError: the batch is no pair; x or y is not fit.
    """
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise ValueError("a batch must be (x, y), rows and a class for each: use fit(model, (x, y))")
    x, y = batch
    return data_rows(x, shape, dtype), labels_of(y, len(x), classes)


def one_hot_rows(y: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Classes as rows of one 1 and zeros, for networks: [B] -> [B, K]."""
    return (y[:, None] == torch.arange(classes, device=y.device)).to(dtype)


def asked_classes(y: int | Tensor, n: int, classes: int, device: torch.device, name: str = "y") -> Tensor:
    """What a caller asks for, one class for all or n of them -> [n].

    Raises:
        ValueError: a class that is none, or not n of them.
    """
    return labels_of(y if isinstance(y, Tensor) else torch.full((n,), y, device=device), n, classes, name)
