r"""Deep NADE: one network for every order of the bits, so that it can start from whatever is known.

A chain in one order can only be asked from its beginning. Here a network is shown any part of x and predicts all the rest
at once. It is told which places it sees: m_i is 1 where bit i is seen, else 0 (a 0 that is seen says more than no bit).

    logits = net([x * m, m]);  in the order o:  log p(x | o) = sum_d log p(x_{o_d} | x_{o_<d}, m_{o_<d})      (1)
    J = E_x E_o E_{d ~ U(1..D)} D / (D - d + 1) sum_{k >= d} -log p(x_{o_k} | x_{o_<d}, m_{o_<d})            (2)
    log p(x) = logsumexp_o log p(x | o) - log O,   a mixture of the chains in O orders                      (3)

In (2) one pass trains all D - d + 1 predictions that may follow the same d - 1 bits. J is the mean of -log p(x | o) over all
orders: the next place o_d is, over the orders, any of the D - d + 1 that are left, so their mean stands for it; the sum over d
is D times its mean. Each chain is normalised. Nothing makes the chains of two orders agree; (3) is a density in any case.

Source:   B. Uria, I. Murray, H. Larochelle, "A Deep and Tractable Density Estimator", ICML 2014, arXiv 1310.1757: the masks,
          (2), and (3), there called EoNADE.
Lecture:  "Autoregressive models" (Deep NADE).
Differs:  d is spread evenly over the rows of a batch, which changes the noise of (2), not its mean.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid

from genedu.autoregressive.nade import bits_of
from genedu.core import Batch, Player
from genedu.nn.draw import draw_bits, without_dropout


class DeepNADE(nn.Module):
    """Density of bits [B, D] in any order.

    Args:
        dim: D.
        hidden: units of each hidden layer.
        layers: hidden layers.
        dropout: share of hidden units that are switched off at random while training.

    Raises:
        ValueError: a count below 1; a dropout outside [0, 1).
    """

    def __init__(self, dim: int, hidden: int = 128, layers: int = 2, *, dropout: float = 0.0) -> None:
        super().__init__()
        for name, count in (("dim", dim), ("hidden", hidden), ("layers", layers)):
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.dim = dim
        self.first = nn.Linear(2 * dim, hidden)
        between = [m for _ in range(layers - 1) for m in (nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout))]
        self.hidden = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), *between)
        self.last = nn.Linear(hidden, dim)

    def logits_given(self, x: Tensor, seen: Tensor) -> Tensor:
        """The logit of each bit given those that are seen: bits and truth values [B, D] -> [B, D] (meaningless where seen).

        Raises:
            ValueError: x is not whole numbers 0 and 1 in rows [batch, dim]; seen is not truth values of the same shape.
        """
        bits_of(x, self.dim)
        if seen.shape != x.shape or seen.dtype != torch.bool:
            raise ValueError(f"seen must be truth values {list(x.shape)}, as x, got {seen.dtype} {list(seen.shape)}")
        m = seen.to(self.last.weight.dtype)
        return self.last(self.hidden(self.first(torch.cat([x * m, m], 1))))  # [B, 2D] -> [B, D]

    def loss_given(self, x: Tensor, seen: Tensor) -> Tensor:
        """The term of (2) for the places seen, D / (places left) times their -log p: bits and truth values [B, D] -> [B]."""
        log_p = logsigmoid((2 * x - 1) * self.logits_given(x, seen))  # [B, D]
        return -self.dim / (~seen).sum(1).to(log_p.dtype) * torch.where(seen, 0, log_p).sum(1)  # eq. (2)

    def loss(self, x: Batch) -> Tensor:
        """(2), one order and one d for each row of bits [B, D]: a mean over rows, in nats. Raises as `logits_given`."""
        bits_of(x, self.dim)  # type: ignore[arg-type]
        rank = torch.rand(x.shape, device=x.device).argsort(1).argsort(1)  # type: ignore[union-attr]  # [B, D]
        u = torch.rand(1, device=rank.device) + torch.arange(len(rank), device=rank.device) / len(rank)  # [B], evenly around 1
        return self.loss_given(x, rank < (u % 1 * self.dim).long()[:, None]).mean()  # type: ignore[arg-type]  # d - 1 seen

    def logits(self, x: Tensor, order: Tensor | None = None) -> Tensor:
        """The logit of p(x_i = 1 | places before i in the order) at each place: bits [B, D] -> [B, D].

        Args:
            order: the places [D] from first to last; by default as they lie.

        Raises:
            ValueError: x as in `logits_given`; an order that does not hold each place once.
        """
        order = self._order(order)
        bits = bits_of(x, self.dim).to(self.last.weight.dtype)
        logits, a = [], self.first.bias.repeat(len(x), 1)  # a: the sums of the first layer, [B, H]
        for i in order.split(1):  # [1]
            logits.append(self._next(a, i))
            a = a + self._seen(bits, i)
        return torch.cat(logits, 1)[:, order.argsort()]  # [B, D], back in their places

    def log_prob(self, x: Tensor, order: Tensor | None = None) -> Tensor:
        """(1) in nats, of one order's chain: bits [B, D] -> [B]. Arguments and errors as of `logits`."""
        return logsigmoid((2 * x - 1) * self.logits(x, order)).sum(1)  # eq. (1)

    def log_prob_ensemble(self, x: Tensor, orders: Tensor) -> Tensor:
        """(3) in nats: bits [B, D], orders [O, D] -> [B].

        Raises:
            ValueError: x as in `logits`; orders are not [O, D] with O at least 1, or one does not hold each place once.
        """
        if orders.dim() != 2 or len(orders) == 0:
            raise ValueError(f"orders must be [orders, {self.dim}] with at least one, got {list(orders.shape)}")
        return torch.stack([self.log_prob(x, order) for order in orders]).logsumexp(0) - math.log(len(orders))  # eq. (3)

    @torch.no_grad()
    def sample(self, n: int, *, order: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw n rows of bits in the order (by default as they lie): [n, D].

        Raises:
            ValueError: n below 1; the order as in `logits`; temperature not finite and above 0.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        order = self._order(order)
        x = torch.zeros(n, self.dim, dtype=torch.long, device=order.device)
        return self._draw(x, torch.zeros_like(order, dtype=torch.bool), order, temperature)

    @torch.no_grad()
    def complete(self, x: Tensor, known: Tensor, *, order: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Keep the known bits, whichever they are, and draw the others given them: bits [B, D], known [D] (bool) -> [B, D].

        Args:
            order: the unknown places are drawn as they stand in it; by default in one drawn at random.

        Raises:
            ValueError: x and order as in `logits`; known is not [D] truth values; temperature not finite and above 0.
        """
        bits_of(x, self.dim)
        if known.shape != (self.dim,) or known.dtype != torch.bool:
            raise ValueError(f"known must be {self.dim} truth values, got {known.dtype} {list(known.shape)}")
        order = torch.randperm(self.dim, device=x.device) if order is None else self._order(order)
        order = order[(~known[order]).byte().argsort(stable=True)]  # the known ones first, else as they were
        return self._draw(x, known, order, temperature)

    def _draw(self, x: Tensor, known: Tensor, order: Tensor, temperature: float) -> Tensor:
        """Go through the places of [B, D] in order; where one is not known, draw its bit, without dropout."""
        bits, a = x.to(self.last.weight.dtype, copy=True), self.first.bias.repeat(len(x), 1)  # [B, D], [B, H]
        with without_dropout(self):
            for i in order.split(1):  # [1]
                bit = draw_bits(self._next(a, i), temperature).to(bits.dtype)  # [B, 1]
                bits[:, i] = torch.where(known[i], bits[:, i], bit)
                a += self._seen(bits, i)
        return bits.long()

    def _next(self, a: Tensor, i: Tensor) -> Tensor:
        """The logit of place i [1] from the first layer's sums [B, H]: [B, 1]."""
        return linear(self.hidden(a), self.last.weight[i], self.last.bias[i])

    def _seen(self, bits: Tensor, i: Tensor) -> Tensor:
        """What the first layer's sums gain when place i [1] is seen, NADE's running sum: [B, D] -> [B, H]."""
        return linear(bits[:, i], self.first.weight[:, i]) + self.first.weight[:, self.dim + i].T  # x_i * m_i, and m_i

    def _order(self, order: Tensor | None) -> Tensor:
        """The order [D], whole numbers on the model's device. Raises as `logits`."""
        places = torch.arange(self.dim, device=self.last.weight.device)
        if order is None:
            return places
        if order.shape != (self.dim,) or sorted(order.tolist()) != list(range(self.dim)):
            raise ValueError(f"order must hold each of the places 0 to {self.dim - 1} once, got {order.tolist()}")
        return order.to(places)

    def players(self) -> list[Player]:
        return [Player("deep_nade", list(self.parameters()), self.loss)]
