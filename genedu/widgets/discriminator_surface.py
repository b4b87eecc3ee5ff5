"""A game in the plane, stopped at some rounds: the discriminator's surface, the samples, and where it would push them."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import PALETTE

Limits = tuple[float, float, float, float]  # left, right, bottom, top


class Snapshot(NamedTuple):
    round_: int
    surface: Tensor  # [S, S], D on the lattice of the box, rows along x_1
    samples: Tensor  # [N, 2]
    slopes: Tensor  # [N, 2], of the logit at the samples: uphill the generator is pushed
    real: float  # mean of D over the data, 0..1
    fake: float  # mean of D over the samples, 0..1
    value: float  # mean log D over the data + mean log(1 - D) over the samples, nats


def snapshot(
    round_: int, discriminate: Callable[[Tensor], Tensor], samples: Tensor, data: Tensor, *, limits: Limits, steps: int = 41
) -> Snapshot:
    """The game after a round. Logits [B, 2] -> [B] are asked on a lattice, at samples [N, 2] and at data [M, 2]."""
    left, right, bottom, top = limits
    a, b = torch.linspace(left, right, steps), torch.linspace(bottom, top, steps)
    nodes = torch.cartesian_prod(b, a).flip(1).to(samples)  # [S^2, 2]: rows run along x_1
    with torch.enable_grad():
        x = samples.detach().clone().requires_grad_()
        fake = discriminate(x)  # [N]
        (slopes,) = torch.autograd.grad(fake.sum(), x)  # [N, 2]
    with torch.no_grad():
        real, surface = discriminate(data), discriminate(nodes).sigmoid().view(steps, steps)  # [M], [S, S]
        value = -torch.nn.functional.softplus(-real).mean() - torch.nn.functional.softplus(fake).mean()
        means = real.sigmoid().mean().item(), fake.sigmoid().mean().item()
    return Snapshot(round_, surface.cpu(), x.detach().cpu(), slopes.cpu(), *means, value.item())


def draw_discriminator_surface(
    axes: Axes, *, game: str, step: int, runs: Callable[[str], Sequence[Snapshot]], data: Callable[[str], Tensor], limits: Limits
) -> None:
    """Snapshot `step` of the run `runs(game)`: D in colour with the line D = 1/2, data as dots, samples as squares, and an arrow
    at every fifth sample along the slope of the logit. Arrows are longer the steeper it is, up to a fifth of the picture.

    Args:
        data: game -> the rows [M, 2] it was played on.
        limits: the box of the snapshots' surfaces.

    Raises:
        ValueError: a step of which there is no snapshot.
    """
    shots = runs(game)
    if not 0 <= step < len(shots):
        raise ValueError(f"step must be 0 to {len(shots) - 1}, got {step}")
    shot, x = shots[step], data(game)
    left, right, bottom, top = limits
    a, b = (torch.linspace(low, high, len(shot.surface)) for low, high in ((left, right), (bottom, top)))
    axes.contourf(a, b, shot.surface, levels=torch.linspace(0, 1, 11).tolist(), cmap="cividis", alpha=0.55)
    if shot.surface.min() < 0.5 < shot.surface.max():
        axes.contour(a, b, shot.surface, levels=[0.5], colors="black", linewidths=1.5)
    axes.scatter(x[:, 0], x[:, 1], s=8, c=PALETTE[0], label="data", zorder=2)
    axes.scatter(shot.samples[:, 0], shot.samples[:, 1], s=14, c=PALETTE[1], marker="s", linewidths=0, label="samples", zorder=3)
    at, slope = shot.samples[::5], shot.slopes[::5]  # [N/5, 2]
    steep = slope.norm(dim=1, keepdim=True)
    arrow = slope / (1 + steep) * (right - left) / 5  # [N/5, 2]
    axes.quiver(*at.T, *arrow.T, angles="xy", scale_units="xy", scale=1, width=0.004, color="black", zorder=4)
    axes.set(xlim=limits[:2], ylim=limits[2:], xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.grid(False)
    axes.set_title(
        f"round {shot.round_}: D is {shot.real:.2f} on data, {shot.fake:.2f} on samples\n"
        f"value {shot.value:.2f} nats (blind: {-2 * math.log(2):.2f})"
    )
    axes.legend(loc="upper right", frameon=True)
