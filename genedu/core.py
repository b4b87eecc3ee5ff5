"""The few words that every method shares: what a model can do, who is trained on what, where chance comes from.

A model is an ordinary `nn.Module`. It says what it can do by offering a method of the agreed name, never by
inheriting from a class of ours. Nothing here imports the rest of genedu.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

Batch = Tensor | tuple[Tensor, ...]


@runtime_checkable
class Sampler(Protocol):
    """Can draw from p(x): all that a GAN can promise."""

    def sample(self, n: int) -> Tensor: ...  # [n, ...], independent draws, no gradient


@runtime_checkable
class Density(Sampler, Protocol):
    """Can also score, exactly: mixtures, autoregressive models."""

    def log_prob(self, x: Tensor) -> Tensor: ...  # [B, ...] -> [B], nats, normalised


@runtime_checkable
class LatentVariable(Sampler, Protocol):
    """Cannot score, but bounds the score and infers the latent: the VAE and its kin."""

    def prior(self) -> Distribution: ...  # p(z)
    def posterior(self, x: Tensor) -> Distribution: ...  # q(z|x), batch_shape [B]
    def conditional(self, z: Tensor) -> Distribution: ...  # p(x|z)
    def elbo(self, x: Tensor) -> Tensor: ...  # [B, ...] -> [B], nats, at most log p(x) in the mean
    def log_prob_bound(self, x: Tensor, samples: int) -> Tensor: ...  # [B, ...] -> [B], nats


@dataclass(frozen=True)
class Player:
    """One side of a training game: `parameters` descend `loss(batch)`; `steps` moves a round (Algorithm 1's k)."""

    name: str
    parameters: list[nn.Parameter]
    loss: Callable[..., Tensor]  # batch -> scalar to minimise
    steps: int = 1
    uses_data: bool = True  # False: the loss is called with None and no minibatch is taken
    after_step: Callable[[], None] | None = None  # weight clipping, moving averages


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Fix torch's global randomness inside the block and give it back untouched afterwards."""
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng())  # the CPU and every CUDA device
        if torch.backends.mps.is_available():
            stack.enter_context(torch.random.fork_rng(device_type="mps"))
        torch.manual_seed(seed)
        yield


def default_device() -> torch.device:
    """The device a chapter runs on: `GENEDU_DEVICE`, else the CPU, where its printed figures hold."""
    return torch.device(os.environ.get("GENEDU_DEVICE", "cpu"))


def check_values(x: Tensor, good: Callable[[Tensor], Tensor], must: str) -> None:
    """The one place that looks at values: steps aside on the meta device, which has none.

    Raises:
        ValueError: `good(x)` (of the shape of x) is false somewhere; says what must hold and the first value that came.
    """
    if x.device.type != "meta" and not bool((ok := good(x)).all()):
        raise ValueError(f"{must}; got {x[~ok][0].item()}")


def rows_of(x: Tensor, dim: int | None = None) -> Tensor:
    """`x` itself, if it is rows of numbers `[B, D]` with B >= 1; the door of every model of vectors.

    Raises:
        ValueError: x is not [batch, dim], is empty, or holds nan or inf.
    """
    if x.dim() != 2 or len(x) == 0 or (dim is not None and x.shape[1] != dim):
        want = f"[batch, {'dim' if dim is None else dim}]"
        hint = ": use x.flatten(1)" if x.dim() > 2 else ""
        raise ValueError(f"x must be {want} with batch >= 1, got {list(x.shape)}{hint}")
    check_values(x, torch.isfinite, "x must be finite")
    return x


def levels_of(x: Tensor, levels: int, shape: tuple[int | None, ...]) -> Tensor:
    """`x` itself, if it holds levels 0 .. levels - 1 in rows `[B, *shape]` (None: any size); the door of discrete models.

    Raises:
        ValueError: another shape, no rows, numbers that are not integers, a level out of range.
    """
    fits = x.dim() == 1 + len(shape) and all(want in (None, have) for want, have in zip(shape, x.shape[1:], strict=True))
    if not fits or x.numel() == 0:
        want = ", ".join("any" if n is None else str(n) for n in shape)
        hint = ": use x.flatten(1)" if len(shape) == 1 and x.dim() > 2 else ""
        raise ValueError(f"x must be [batch, {want}] with batch >= 1, got {list(x.shape)}{hint}")
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise ValueError(
            f"x must be whole numbers 0 to {levels - 1}, got {x.dtype}: use x.long() on levels, not on x / {levels - 1}"
        )
    check_values(x.long(), lambda v: (v >= 0) & (v < levels), f"x must be levels 0 to {levels - 1}")  # a byte is never 256
    return x


def fitted_buffers(module: nn.Module, *names: str) -> None:
    """Buffers whose shapes only the data tell: empty until fitted, and shaped like what `load_state_dict` brings."""
    for name in names:
        module.register_buffer(name, torch.empty(0))

    module.register_load_state_dict_pre_hook(partial(_shape_like, names))


def _shape_like(names: tuple[str, ...], module: nn.Module, state: dict[str, Tensor], prefix: str, *_) -> None:
    """Before a state is loaded: buffers of its shapes and types, where the module is."""
    for name in names:
        if prefix + name in state:
            setattr(module, name, torch.empty_like(state[prefix + name], device=getattr(module, name).device))
