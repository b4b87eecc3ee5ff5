r"""Text: rows of symbols whose best possible log-likelihood is known, and a page of English whose is not.

A language model can be judged only where the truth is known. Here is a source that draws each symbol by looking at the two
before it, p(c | a, b), from a table with one row for each pair. Its pairs (a, b) form a Markov chain with stationary masses pi:

    pi(b, c) = sum_a pi(a, b) p(c | a, b),   sum pi = 1                                                      (1)
    log p(x) = log pi(x_1, x_2) + sum_{t>2} log p(x_t | x_t-2, x_t-1)                                        (2)
    h = -sum_{a,b} pi(a, b) sum_c p(c | a, b) log p(c | a, b)                                                (3)
    H_T = H(pi) + (T - 2) h,   the entropy of a row of T >= 2 symbols                                        (4)

(1) is a linear system with K^2 unknowns. h is the entropy rate, in nats a symbol; no model has a smaller expected loss. A row
that is cut out of the middle costs a little more a symbol, H_T / T > h: its first two symbols are told without their past.

The yardstick from before networks counts. With n(c | s) = how often c followed s, the last `order` symbols, in the training text,

    p(c | s) = (n(c | s) + alpha) / (n(s) + alpha K).                                                        (5)

Source:   C. Shannon, "A Mathematical Theory of Communication", 1948: (3), and texts drawn from such tables (his "third-order
          approximation"); (5) with alpha = 1 is Laplace's rule of succession. The English text was written for this course.
Lecture:  "Learning to generate" (Language); "RNNs for Autoregressive Modeling".
Differs:  the table is random, softmax of 2 * normal, not counted from a text, so that its entropy is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genedu.core import levels_of, seeded
from genedu.data.prose import PROSE


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their numbers 0 .. K-1: characters (`joint=""`), or words that stand apart (`joint=" "`)."""

    symbols: tuple[str, ...]
    joint: str = ""

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Tensor:
        """The numbers of the symbols of a text: [T].

        Raises:
            ValueError: the text is empty, or has a symbol that is not in the vocabulary.
        """
        parts = text.split(self.joint) if self.joint else list(text)
        place = {symbol: k for k, symbol in enumerate(self.symbols)}
        unknown = [part for part in parts if part not in place]
        if unknown or not parts:
            raise ValueError(f"the text must be made of the symbols {self.symbols}, got {(unknown or parts)[:3]}")
        return torch.tensor([place[part] for part in parts])  # [T]

    def decode(self, x: Tensor) -> str:
        """The text of one row of numbers [T]."""
        return self.joint.join(self.symbols[k] for k in x.tolist())


@dataclass(frozen=True, eq=False)
class MarkovText:
    """Rows `[N, T]` (long) in three independent parts, and the truth: `table` [K, K, K] holds p(c | a, b), float64."""

    train: Tensor
    validation: Tensor
    test: Tensor
    vocabulary: Vocabulary
    table: Tensor

    @cached_property
    def stationary(self) -> Tensor:
        """pi of (1), the mass of each pair of neighbours: [K, K]."""
        k = len(self.table)
        step = torch.zeros(k, k, k, k, dtype=torch.float64)  # from the pair (a, b) to the pair (b, c)
        for b in range(k):
            step[:, b, b] = self.table[:, b]
        system = step.view(k * k, k * k).T - torch.eye(k * k, dtype=torch.float64)
        system[-1] = 1  # one of the K^2 equations follows from the others: the sum of pi takes its place
        right = torch.zeros(k * k, dtype=torch.float64)
        right[-1] = 1
        return torch.linalg.solve(system, right).view(k, k)  # eq. (1)

    @cached_property
    def entropy_rate(self) -> float:
        """(3), nats a symbol."""
        return -(self.stationary[..., None] * self.table * self.table.log()).sum().item()  # eq. (3)

    def entropy(self, length: int) -> float:
        """(4), the entropy of a row of `length` symbols, in nats.

        Raises:
            ValueError: length below 1.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        start = self.stationary if length > 1 else self.stationary.sum(1)
        return -torch.xlogy(start, start).sum().item() + max(length - 2, 0) * self.entropy_rate  # eq. (4)

    def log_prob(self, x: Tensor) -> Tensor:
        """(2) in nats: [B, T] -> [B], float64.

        Raises:
            ValueError: x is not rows of numbers 0 .. K-1.
        """
        x = levels_of(x, len(self.table), (None,)).cpu()
        if x.shape[1] == 1:
            return self.stationary.sum(1)[x[:, 0]].log()
        rest = self.table[x[:, :-2], x[:, 1:-1], x[:, 2:]].log()  # [B, T - 2]
        return self.stationary[x[:, 0], x[:, 1]].log() + rest.sum(1)  # eq. (2)

    def sample(self, n: int, length: int) -> Tensor:
        """n fresh rows, which start anywhere: [n, length].

        Raises:
            ValueError: n or length below 1.
        """
        if n < 1 or length < 1:
            raise ValueError(f"n and length must be at least 1, got {n} and {length}")
        return _draw(self.stationary, self.table, n, length)


def _draw(stationary: Tensor, table: Tensor, n: int, length: int) -> Tensor:
    pair = torch.multinomial(stationary.flatten(), n, replacement=True)  # [n]
    row = [pair // len(table), pair % len(table)]
    for _ in range(length - 2):
        row.append(torch.multinomial(table[row[-2], row[-1]], 1).squeeze(1))
    return torch.stack(row[:length], 1)  # [n, length]


def markov_text(
    symbols: int = 12, *, length: int = 64, sizes: Sequence[int] = (6000, 200, 1000), contrast: float = 2.0, seed: int = 0
) -> MarkovText:
    """A source of order 2 over `symbols` letters, and rows of `length` drawn from it.

    Args:
        sizes: rows of train, validation and test.
        contrast: the table is softmax(contrast * normal); 0 makes all symbols equally likely, always.

    Raises:
        ValueError: symbols not 2 to 26; length or a size below 1; contrast not 0 to 10.
    """
    if not 2 <= symbols <= 26:
        raise ValueError(f"symbols must be 2 to 26, got {symbols}: they are shown as letters")
    if not 0 <= contrast <= 10:
        raise ValueError(f"contrast must be 0 to 10, got {contrast}: beyond, masses are lost in rounding, and (1) with them")
    vocabulary = Vocabulary(tuple("etaoinshrdlucmfwypvbgkjqxz"[:symbols]))
    with seeded(seed):
        table = (contrast * torch.randn(symbols, symbols, symbols, dtype=torch.float64)).softmax(-1)
        nothing = torch.empty(0)
        source = MarkovText(nothing, nothing, nothing, vocabulary, table)
        train, validation, test = [source.sample(n, length) for n in sizes]
    return MarkovText(train, validation, test, vocabulary, table)


@dataclass(frozen=True, eq=False)
class English:
    """One running text, cut in three: `[T]` numbers (long) of the characters of `vocabulary`."""

    train: Tensor
    validation: Tensor
    test: Tensor
    vocabulary: Vocabulary


def english() -> English:
    """The course's page of English in small letters: the first 80 % to train on, 10 % for validation, 10 % for the test."""
    vocabulary = Vocabulary(tuple(sorted(set(PROSE))))
    x = vocabulary.encode(PROSE)  # [T]
    first, second = len(x) * 8 // 10, len(x) * 9 // 10
    return English(x[:first], x[first:second], x[second:], vocabulary)


def ngram_log_prob(train: Tensor, x: Tensor, *, order: int, symbols: int, alpha: float = 1.0) -> Tensor:
    """log p of each symbol of x by (5), counted in `train`: [N, T], [B, T] -> [B, T - order] (the first have no context).

    Raises:
        ValueError: order negative; alpha not positive; rows of numbers out of range, or not longer than the order.
    """
    if order < 0 or not alpha > 0 or min(train.shape[-1], x.shape[-1]) <= order:
        raise ValueError(f"order must be 0 to the length of a row - 1 and alpha > 0, got order {order} and alpha {alpha}")

    def places(rows: Tensor) -> Tensor:
        """The number of each run of order + 1 symbols: [B, T] -> [B, T - order]."""
        runs = levels_of(rows, symbols, (None,)).unfold(1, order + 1, 1)  # [B, T - order, order + 1]
        return (runs * symbols ** torch.arange(order, -1, -1, device=rows.device)).sum(-1)

    count = torch.bincount(places(train).flatten(), minlength=symbols ** (order + 1)).view(-1, symbols)  # [K^order, K]
    p = (count.double() + alpha) / (count.sum(1, keepdim=True) + alpha * symbols)  # eq. (5)
    return p.flatten()[places(x)].log()
