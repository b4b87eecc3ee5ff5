"""Images that are drawn bit by bit: what is there after each part of the way, for a chosen order and temperature."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

COLOURS = torch.tensor([[0.0, 0.13, 0.30], [0.99, 0.91, 0.27], [0.82, 0.82, 0.82], [1.0, 1.0, 1.0]])  # 0, 1, not yet, gap


def draw_orders(
    axes: Axes,
    *,
    order: str,
    known: str,
    temperature: float,
    orders: dict[str, Tensor],
    masks: dict[str, Tensor],
    complete: Callable[[Tensor, Tensor, float], Tensor],
    nats: Callable[[Tensor, Tensor, Tensor], Tensor],
    shape: tuple[int, int],
    stages: int = 6,
) -> None:
    """A line for each image, from what is known on the left to the whole on the right; places not yet drawn are grey.

    Args:
        orders: name -> the places [D] from first to last.
        masks: name -> truth values [D], the places that are known at the start.
        complete: (mask [D], order [D], temperature) -> bits [N, D], the unknown ones drawn in the order.
        nats: (bits [N, D], mask [D], order [D]) -> [N], minus the log-probability of the drawn bits given the known ones.
        shape: H, W of an image of D = H W bits.
        stages: columns after the first.

    Raises:
        ValueError: an unknown name; stages below 1.
    """
    for name, value, names in (("order", order, orders), ("known", known, masks)):
        if value not in names:
            raise ValueError(f"{name} must be one of {list(names)}, got {value!r}")
    if stages < 1:
        raise ValueError(f"stages must be at least 1, got {stages}")
    mask, way = masks[known], orders[order]
    x = complete(mask, way, temperature).cpu()  # [N, D]
    turn = way[~mask[way]].cpu()  # the unknown places, from first to last
    counts = [len(turn) * k // stages for k in range(stages + 1)]
    n, (height, width) = len(x), shape
    sheet = torch.full((n * (height + 1) - 1, (stages + 1) * (width + 1) - 1), 3)
    for k, count in enumerate(counts):
        there = x.clone()
        there[:, turn[count:]] = 2  # [N, D]
        for i, image in enumerate(there.view(n, height, width)):
            sheet[i * (height + 1) :, k * (width + 1) :][:height, :width] = image
    axes.imshow(COLOURS[sheet].numpy())
    middles = [k * (width + 1) + (width - 1) / 2 for k in range(stages + 1)]
    axes.set(xticks=middles, yticks=[], xlabel="bits drawn so far")
    axes.set_xticklabels([str(count) for count in counts])
    axes.grid(False)
    mean = nats(x, mask, way).mean().item()
    axes.set_title(f"{order}, {known} known, temperature {temperature:g}: {mean:.1f} nats for what was drawn")
