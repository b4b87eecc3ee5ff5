"""MLP: linear maps with a bend between them, the smallest network that is more than a linear map.

h_0 = x,   h_l = a(W_l h_{l-1} + b_l) for l < L,   out = W_L h_{L-1} + b_L                              (1)
"""

from collections.abc import Callable
from itertools import pairwise

from torch import nn


def mlp(*widths: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """(1): [..., widths[0]] -> [..., widths[-1]]; the input is not flattened, the output is not bent.

    Raises:
        ValueError: fewer than two widths, or a width below 1.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths must be two or more numbers of at least 1 (input, hidden ..., output), got {widths}")
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]  # eq. (1)
    return nn.Sequential(*layers[:-1])
