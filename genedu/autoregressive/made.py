r"""MADE: an ordinary network with some weights cut, so that all D next-bit predictions come out of one pass.

Give each place of x its rank in an order, 1 to D, and each hidden unit a degree from 1 to D - 1: a unit of degree m may see the
places of ranks 1 to m, and nothing else. Cut all connections that would tell it more.

    log p(x) = sum_i log p(x_{o_i} | x_{o_1}, ..., x_{o_{i-1}}),   p(x_i = 1 | ...) = sigmoid(logit_i)         (1)
    into a hidden unit of degree m:  from degree (rank) m' where m' <= m                                    (2)
    into the logit of rank r:        from degree (rank) m where m < r                                       (3)

By (2) a path through the layers never falls in degree, by (3) it ends above: a logit sees lower ranks only. The first in the
order sees nothing, its logit is a bias. Degrees are dealt out evenly; with fewer hidden units than D - 1 a logit does not see
all that it may, unless `direct` connections from x help. No hidden layer at all leaves D logistic regressions (a "fully visible
sigmoid belief network"). A pass costs as little as an autoencoder's; a sample needs D of them.

Which order is best is not known. Models of several orders make one density, a mixture, in which p is averaged, never the logits:

    log p(x) = logsumexp_k log p_k(x) - log K                                                               (4)

Source:   M. Germain, K. Gregor, I. Murray, H. Larochelle, "MADE", ICML 2015, arXiv 1502.03509: (2) and (3);
          B. Frey, "Graphical Models for Machine Learning and Digital Communication", 1998: no hidden layer.
Lecture:  "Autoregressive Models" (factorise dimension-wise).
Differs:  degrees are dealt out evenly, not drawn; orders and masks are not changed while training (DeepNADE is for any order).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from genedu.autoregressive.nade import bits_of
from genedu.core import Batch, Density, Player, check_values
from genedu.nn import MaskedLinear
from genedu.nn.draw import draw_bits, without_dropout


class MADE(nn.Module):
    """Density of bits [B, D] in a given order.

    Args:
        dim: D.
        hidden: units of the hidden layer, or of each of several; () for none.
        order: the places 0 to D - 1 [D] from first to last; by default as they lie.
        direct: connections from x to the logits past the hidden layers.
        dropout: share of hidden units that are switched off at random while training.

    Raises:
        ValueError: dim or a layer's units below 1; an order that does not hold each place once; a dropout outside [0, 1).
    """

    order: Tensor

    def __init__(
        self,
        dim: int,
        hidden: int | Sequence[int] = 128,
        *,
        order: Tensor | None = None,
        direct: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = list(hidden) if isinstance(hidden, Sequence) else [hidden]
        for name, count in (("dim", dim), *(("hidden", size) for size in sizes)):
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        order = torch.arange(dim) if order is None else order
        if order.shape != (dim,) or sorted(order.tolist()) != list(range(dim)):
            raise ValueError(f"order must hold each of the places 0 to {dim - 1} once, got {order.tolist()}")
        self.dim = dim
        self.register_buffer("order", order.long().clone())
        rank = self.order.argsort() + 1  # [D], from 1
        degrees = [rank] + [torch.arange(size) * max(dim - 1, 1) // size + 1 for size in sizes]  # 1 to D - 1
        layers: list[nn.Module] = []
        for seen, degree in pairwise(degrees):
            layers += [MaskedLinear(seen <= degree[:, None]), nn.ReLU(), nn.Dropout(dropout)]  # eq. (2)
        self.net = nn.Sequential(*layers, MaskedLinear(degrees[-1] < rank[:, None]))  # eq. (3)
        self.direct = MaskedLinear(rank < rank[:, None], bias=False) if direct else None

    def logits(self, x: Tensor) -> Tensor:
        """The logit of p(x_i = 1 | places before i in the order) at each place: bits [B, D] -> [B, D].

        Raises:
            ValueError: x is not whole numbers 0 and 1 in rows [batch, dim].
        """
        v = bits_of(x, self.dim).to(next(self.parameters()).dtype)
        return self.net(v) if self.direct is None else self.net(v) + self.direct(v)

    def log_prob(self, x: Tensor) -> Tensor:
        """(1) in nats: bits [B, D] -> [B]. Raises as `logits`."""
        return logsigmoid((2 * x - 1) * self.logits(x)).sum(1)  # eq. (1): p(x_i = 0) is sigmoid(-logit)

    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0) -> Tensor:
        """Draw n rows of bits, one bit after the other, a pass for each: [n, D].

        Raises:
            ValueError: n below 1, or temperature not finite and above 0.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        x = torch.zeros(n, self.dim, dtype=torch.long, device=self.order.device)
        return self._draw(x, torch.zeros_like(self.order, dtype=torch.bool), temperature)

    @torch.no_grad()
    def complete(self, x: Tensor, known: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Keep the known bits and draw the others given them: bits [B, D], known [D] (bool) -> [B, D].

        Raises:
            ValueError: x as in `logits`; known is not [D] truth values; a known place comes after an unknown one in the order.
        """
        bits_of(x, self.dim)
        if known.shape != (self.dim,) or known.dtype != torch.bool:
            raise ValueError(f"known must be {self.dim} truth values, got {known.dtype} {list(known.shape)}")
        in_turn = known[self.order]
        check_values(
            self.order[1:],
            lambda place: in_turn[1:] <= in_turn[:-1],
            "known places must come before all unknown ones in the model's order: bits drawn by it cannot know of bits that "
            "come later. Build the model with an order that has them first, or take DeepNADE, which can start from any set. The "
            "first that comes too late",
        )
        return self._draw(x, known, temperature)

    def _draw(self, x: Tensor, known: Tensor, temperature: float) -> Tensor:
        """Go through the places of [B, D] in order; where one is not known, draw its bit, without dropout."""
        x = x.clone()
        with without_dropout(self):
            for i in self.order.split(1):  # [1]
                bit = draw_bits(self.logits(x)[:, i], temperature)  # [B, 1]
                x[:, i] = torch.where(known[i], x[:, i], bit)
        return x

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p over rows of bits [B, D], in nats. Raises as `logits`."""
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("made", list(self.parameters()), self.loss)]


def mixture_log_prob(models: Sequence[Density], x: Tensor) -> Tensor:
    """(4), equal weights, in nats: bits [B, D] -> [B]. The models may have different orders.

    Raises:
        ValueError: no model; what the models raise.
    """
    if not models:
        raise ValueError("models must hold at least one model")
    return torch.stack([model.log_prob(x) for model in models]).logsumexp(0) - math.log(len(models))  # eq. (4)
