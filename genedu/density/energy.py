r"""The normalisation problem: a network can give any number to any x, but a density must have integral one.

A network f is turned into a density by exp, which makes it positive, and by a division, which makes it integrate to one:

    p(x) = exp f(x) / Z,   Z = integral over the box of exp f(x) dx                                         (1)
    log Z = logsumexp_g f(x_g) + D log h,   x_g the middles of the G^D cells of edge h                      (2)
    grad log p(x) = grad f(x) - grad log Z,   grad log Z = E_p[grad f(x)]                                   (3)

(1) is zero outside the box. (2) is the midpoint rule, whose error falls as h^2 where f is smooth; it costs G^D evaluations for
each step of training: fine in the plane, hopeless for the 64 pixels of a digit. Leave Z out and nothing in (3) holds f down:
f grows on the data and everywhere else, and what is called its likelihood grows for ever and means nothing. A mixture has no
such problem (its parts are normalised), nor has a product of conditionals (chapter 3).

For units that are 0 or 1 the integral is a sum. In a restricted Boltzmann machine (RBM) the hidden units are summed by hand:

    p(v) = 1/Z sum_h exp(b'v + c'h + v'W h),   log Z = logsumexp_v [b'v + sum_j softplus(c_j + v'W_j)]      (4)

Source:   G. Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14, 2002: (3);
          P. Smolensky, "Information processing in dynamical systems", in "Parallel Distributed Processing", 1986: (4).
Lecture:  "Setup" (Attempt 1, Problem: we need to enforce that the integral is 1).
Differs:  the slide puts the problem after the Gaussian mixture, which is normalised as it stands. (1) is defined on a box, so
          that no tail is cut off in silence.
"""

import math
from decimal import Decimal
from numbers import Integral

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from genedu.core import Batch, Player, check_values, rows_of

MOST_NODES = 2**22  # a grid of 4 million nodes takes a second or so


class EnergyModel(nn.Module):
    """p(x) = exp f(x) / Z on the box [low, high]^D, for rows [B, D]; Z by a grid, so that D is 1, 2 or 3 at most.

    Args:
        net: f, a network [B, D] -> [B, 1]; by default two hidden layers of 64.
        dim: D.
        low, high: the box, the same in each dimension.
        steps: G, cells a dimension.

    Raises:
        ValueError: an empty box; a count below 1; a grid of more than 4 million nodes.
    """

    origin: Tensor

    def __init__(
        self, net: nn.Module | None = None, *, dim: int = 2, low: float = -2.0, high: float = 2.0, steps: int = 200
    ) -> None:
        super().__init__()
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"the box must have low < high, both finite, got {low} and {high}")
        if not all(isinstance(n, Integral) and n >= 1 for n in (dim, steps)):
            raise ValueError(f"dim and steps must be whole numbers of at least 1, got {dim} and {steps}")
        if steps**dim > MOST_NODES:
            raise ValueError(
                f"Z would need {steps}^{dim} = {Decimal(steps) ** dim:.3g} evaluations of the network, more than {MOST_NODES}: "
                "that is the normalisation problem. Take fewer dimensions, or a model that is normalised by construction"
            )
        layers = (nn.Linear(dim, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
        self.net = nn.Sequential(*layers) if net is None else net
        self.dim, self.low, self.high, self.steps = dim, low, high, steps
        self.register_buffer("origin", torch.zeros(()), persistent=False)  # knows the device where f has no parameters

    @property
    def cell(self) -> float:
        """h in (2)."""
        return (self.high - self.low) / self.steps

    def nodes(self) -> Tensor:
        """The middles of the cells: [G^D, D]."""
        like = next(self.parameters(), self.origin)
        line = self.low + self.cell * (torch.arange(self.steps, device=like.device, dtype=like.dtype) + 0.5)  # [G]
        return torch.cartesian_prod(*[line] * self.dim).view(-1, self.dim)

    def unnormalised_log_prob(self, x: Tensor) -> Tensor:
        """f(x), log p(x) but for a constant that nobody knows: [B, D] -> [B].

        Raises:
            ValueError: x is not finite rows [batch, dim], at least one; the network does not emit one number a row.
        """
        f = self.net(rows_of(x, self.dim).to(next(self.parameters(), x).dtype))  # [B, 1]
        if f.shape != (len(x), 1):
            raise ValueError(f"net must return [batch, 1] = {[len(x), 1]}, got {list(f.shape)}")
        return f.squeeze(1)

    def log_normaliser(self) -> Tensor:
        """log Z by (2): a scalar, with its gradient."""
        return self.unnormalised_log_prob(self.nodes()).logsumexp(0) + self.dim * math.log(self.cell)  # eq. (2)

    def log_prob(self, x: Tensor) -> Tensor:
        """log of (1) in nats, minus infinity outside the box: [B, D] -> [B].

        Raises:
            ValueError: x is not finite rows [batch, dim], at least one.
        """
        log_p = self.unnormalised_log_prob(x) - self.log_normaliser()  # [B], eq. (1)
        return torch.where(((x >= self.low) & (x <= self.high)).all(1), log_p, -torch.inf)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n rows: a cell by its share of Z, then evenly within it: [n, D].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        nodes = self.nodes()
        share = self.unnormalised_log_prob(nodes).softmax(0)  # [G^D]
        x = nodes[torch.multinomial(share, n, replacement=True)]  # [n, D]
        return x + self.cell * (torch.rand_like(x) - 0.5)

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p over rows [B, D], in nats.

        Raises:
            ValueError: x is not finite rows [batch, dim], at least one, all inside the box.
        """
        must = f"x must lie in the box [{self.low:g}, {self.high:g}]^{self.dim}: choose low and high so that it holds all data"
        check_values(x, lambda x: (x >= self.low) & (x <= self.high), must)  # type: ignore[arg-type]
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("energy", list(self.parameters()), self.loss)]


def rbm_log_normaliser(weight: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
    """log Z of (4) by all 2^V states of the visible units: W [V, H], b [V], c [H] -> a scalar.

    Raises:
        ValueError: shapes that do not fit; no visible unit, or more than 20.
    """
    if weight.shape != (*visible.shape, *hidden.shape) or weight.dim() != 2:
        shapes = [list(t.shape) for t in (weight, visible, hidden)]
        raise ValueError(f"weight, visible and hidden must be [V, H], [V] and [H], got {shapes}")
    if not 1 <= len(visible) <= 20:
        raise ValueError(f"Z has 2^{len(visible)} terms: take 1 to 20 visible units, more cannot be summed")
    states = torch.cartesian_prod(*[torch.arange(2, device=weight.device, dtype=weight.dtype)] * len(visible))
    v = states.view(-1, len(visible))  # [2^V, V]
    return (v @ visible + softplus(hidden + v @ weight).sum(1)).logsumexp(0)  # eq. (4)
