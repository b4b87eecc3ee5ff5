"""A mixture on its way: components and rows after a chosen number of steps, for a chosen number of components."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import ellipses, points


class Mixture(Protocol):
    """What is looked at: any mixture of Gaussians in the plane."""

    weights: Tensor  # [K]
    mean: Tensor  # [K, 2]

    def covariances(self) -> Tensor: ...  # [K, 2, 2]
    def responsibilities(self, x: Tensor) -> Tensor: ...  # [N, 2] -> [N, K]
    def log_prob(self, x: Tensor) -> Tensor: ...  # [N, 2] -> [N]


def draw_mixture(
    axes: Axes,
    *,
    step: int,
    components: int,
    x: Tensor,
    run: Callable[[int], Sequence[Mixture]],
    limits: tuple[float, float, float, float],
) -> None:
    """The mixture `run(components)[step]`: each row in the colour of its likeliest component, each component as an ellipse of
    two standard deviations, and the mean of log p over the rows `x [N, 2]`.

    Args:
        run: number of components -> the mixture at the start and after each step.

    Raises:
        ValueError: a step that was not made.
    """
    mixtures = run(components)
    if not 0 <= step < len(mixtures):
        raise ValueError(f"step must be 0 to {len(mixtures) - 1}, got {step}")
    mixture = mixtures[step]
    with torch.no_grad():
        points(axes, x, mixture.responsibilities(x).argmax(1), size=12)
        ellipses(axes, mixture.mean, mixture.covariances(), weights=mixture.weights)
        value = mixture.log_prob(x).mean().item()
    axes.set(xlim=limits[:2], ylim=limits[2:], aspect="equal")
    axes.set_title(f"{components} components, step {step}: mean log p = {value:.3f} nats")
