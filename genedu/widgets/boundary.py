"""The decision boundary of a classifier, as a function of how many rows it has seen."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import decision_map, points


def draw_boundary(
    axes: Axes,
    *,
    rows: int,
    model: str,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    learners: dict[str, Callable[[Tensor, Tensor], Callable[[Tensor], Tensor]]],
    limits: tuple[float, float, float, float],
) -> None:
    """Fit `learners[model]` on the first `rows` rows and show p(class 1 | x), the rows, and the accuracy on `test`.

    Args:
        train, test: (x [N, 2], y [N]) with labels 0 and 1, rows in random order.
        learners: name -> function of (x, y) that returns the function x [N, 2] -> p(class 1 | x) [N].

    Raises:
        ValueError: an unknown model, or fewer or more rows than there are.
    """
    if model not in learners:
        raise ValueError(f"model must be one of {list(learners)}, got {model!r}")
    x, y = train[0][:rows], train[1][:rows]
    if not 1 <= rows <= len(train[0]) or len(y.unique()) < 2:
        raise ValueError(f"rows must be 1 to {len(train[0])} and show both classes, got {rows}")
    probability = learners[model](x, y)
    decision_map(axes, probability, limits=limits)
    points(axes, x, y, names=["class 0", "class 1"])
    with torch.no_grad():
        right = ((probability(test[0]) > 0.5).long() == test[1]).float().mean().item()
    axes.set_title(f"{model}, {rows} rows: {100 * right:.1f} % of test rows right")
