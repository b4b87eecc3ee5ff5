r"""Coin chain: bits that copy their left neighbour, and one coin behind all of them that nobody sees.

The smallest source in which something global (the coin) and something local (a copied bit) both matter, so that one can tell
which of the two a model put where. A fair coin c is thrown once. Then, with b_1 = p and b_0 = 1 - p,

    x_1 ~ Bernoulli(b_c);   x_i = x_{i-1} with probability q, else a fresh draw from Bernoulli(b_c)          (1)
    p(x|c) = prod_i p(x_i | x_{i-1}, c),   p(x) = 1/2 p(x|0) + 1/2 p(x|1),   p(c|x) = p(x|c) / (2 p(x))     (2)
    H = -sum_x p(x) log p(x),   I(c; x) = log 2 + sum_x p(x) sum_c p(c|x) log p(c|x)                         (3)

    best without the coin, k bits seen:  sum_i H(x_i | x_{i-k}, ..., x_{i-1})                               (4)
    best with it:  sum_i H(x_i | x_{i-k}, ..., x_{i-1}, c) + I(c; x)                                        (5)

(3) sums over all 2^D rows. (4) is what a row costs at least, in nats, if each bit is coded by a table of the k bits before it;
in (5) the coin is told first, at the price of I. For k >= 1 (5) is H: all is known then that matters. With D = 16, p = 0.85,
q = 0.6: H = 5.342 nats, I = 0.583 nats. Two bits given the coin are not independent: a model that draws the bits independently,
given a latent, has to code the copies in it, too. A model that sees the bit before needs only the coin, and one that sees all
bits before needs nothing: what they tell of the coin is all that can be known of it.

Source:   ours: a mixture of two Markov chains, with its sums by enumeration.
Lecture:  "Problems with VAEs".
Differs:  nothing.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genedu.core import levels_of, seeded


@dataclass(frozen=True, eq=False)
class CoinChain:
    """Rows `[N, 1, 1, D]` of bits (long), images of one line, and coins `[N]` in three parts, and the truth about them."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    bits: int
    p: float
    copy: float

    def log_joint(self, x: Tensor) -> Tensor:
        """log [p(c) p(x|c)] in nats: bits [B, 1, 1, D] -> [B, 2], whatever D.

        Raises:
            ValueError: x is not bits [batch, 1, 1, any].
        """
        v = levels_of(x, 2, (1, 1, None)).flatten(1)  # [B, D]
        fresh = torch.tensor([1 - self.p, self.p], dtype=torch.float64, device=x.device)  # b_c
        own = torch.where(v[:, :, None] == 1, fresh, 1 - fresh)  # [B, D, 2]: Bernoulli(b_c) at x_i
        same = (v[:, 1:] == v[:, :-1]).double()[:, :, None]
        later = self.copy * same + (1 - self.copy) * own[:, 1:]  # eq. (1)
        return own[:, 0].log() + later.log().sum(1) - math.log(2)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of (2), exact, in nats: bits [B, 1, 1, D] -> [B]. Raises as `log_joint`."""
        return self.log_joint(x).logsumexp(1)  # eq. (2)

    def posterior(self, x: Tensor) -> Tensor:
        """p(c|x) of (2): bits [B, 1, 1, D] -> [B, 2]. Raises as `log_joint`."""
        return self.log_joint(x).softmax(1)  # eq. (2)

    @cached_property
    def _blocks(self) -> list[tuple[float, float]]:
        """H and I of (3) for the first 0, 1, ..., D bits; given the coin all places are alike, so for any m bits in a row."""
        found = [(0.0, 0.0)]
        for m in range(1, self.bits + 1):
            every = (torch.arange(2**m)[:, None] >> torch.arange(m)) & 1  # [2^m, m]
            joint = self.log_joint(every[:, None, None])  # [2^m, 2]
            log_p = joint.logsumexp(1)
            entropy = -(log_p.exp() * log_p).sum().item()
            unsure = -(joint.exp() * (joint - log_p[:, None])).sum().item()  # H(c|x)
            found.append((entropy, math.log(2) - unsure))  # eq. (3)
        return found

    @property
    def entropy(self) -> float:
        """H of (3) in nats a row: no model has a lower mean of -log p(x)."""
        return self._blocks[-1][0]

    @property
    def information(self) -> float:
        """I(c; x) of (3) in nats: what a row tells of its coin."""
        return self._blocks[-1][1]

    def windowed(self, window: int) -> tuple[float, float]:
        """(4) and (5) in nats a row, for k = `window` bits seen.

        Raises:
            ValueError: window below 0.
        """
        if window < 0:
            raise ValueError(f"window must be at least 0 bits, got {window}")
        without = [h for h, _ in self._blocks]
        given = [h - i for h, i in self._blocks]  # H(x_1..m | c)
        seen = [min(i, window) for i in range(self.bits)]
        sums = [sum(h[k + 1] - h[k] for k in seen) for h in (without, given)]  # H(x_i | k bits before it)
        return sums[0], sums[1] + self.information  # eq. (4), (5)


def coin_chain(
    *, bits: int = 16, p: float = 0.85, copy: float = 0.6, rows: tuple[int, int, int] = (4000, 1000, 2000), seed: int = 0
) -> CoinChain:
    """Draw rows of (1) for training, validation and test.

    Args:
        bits: D, 1 to 20, so that (3) can be summed.
        p, copy: p and q of (1).

    Raises:
        ValueError: bits or rows out of range; p or copy not between 0 and 1.
    """
    if type(bits) is not int or not 1 <= bits <= 20:
        raise ValueError(f"bits must be a whole number from 1 to 20, got {bits!r}: the entropy is a sum over 2^bits rows")
    if not (0 < p < 1 and 0 <= copy < 1):
        raise ValueError(f"p must lie between 0 and 1, copy be at least 0 and below 1; got {p} and {copy}")
    if len(rows) != 3 or min(rows) < 1:
        raise ValueError(f"rows must be three numbers of at least 1 (train, validation, test), got {rows!r}")
    with seeded(seed):
        train, validation, test = (_draw(n, bits, p, copy) for n in rows)
    x, y = zip(train, validation, test, strict=True)
    return CoinChain(*x, *y, bits, p, copy)


def _draw(n: int, bits: int, p: float, copy: float) -> tuple[Tensor, Tensor]:
    coin = torch.randint(2, (n,))
    fresh = torch.rand(n, bits) < torch.where(coin == 1, p, 1 - p)[:, None]  # [n, D]
    x = [fresh[:, 0]]
    for i in range(1, bits):
        x.append(torch.where(torch.rand(n) < copy, x[-1], fresh[:, i]))  # eq. (1)
    return torch.stack(x, 1).long()[:, None, None], coin  # [n, 1, 1, D]
