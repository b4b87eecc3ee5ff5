r"""Pen strokes: words in a simple hand, as the offsets of a pen. Given the word, their density is known.

A handwritten word is not a picture but a movement: T steps (dx, dy, e), where e = 1 says that the pen is lifted after the step,
so that the next one leaves no ink. With (a_t, b_t) the ideal offsets of the word (letters.py), its size s and its slant k,

    dx_t = s a_t + k b_t + sigma eps_t,   dy_t = s b_t + sigma eps'_t,   eps, eps' ~ N(0, 1)                 (1)
    s ~ N(1, size^2),   k ~ N(0.2, slant^2)                                                                  (2)

Both sums are linear in the normal numbers s, k, eps: the offsets of a given word are jointly Gaussian,

    m = (a_t + 0.2 b_t, b_t)_t,   C = sigma^2 I + size^2 u u' + slant^2 v v',   u = (a_t, b_t)_t, v = (b_t, 0)_t
    log p(x | word) = log N(offsets; m, C), minus infinity if e is not as in the word                        (3)
    H(x | word) = 1/2 log det(2 pi e C)                                                                      (4)

(4) is the floor for a model that is told the word. For one that is not, H(x) = H(x | word) + H(word) as long as no two words
can be confused. The noise keeps all densities bounded: if offsets repeated exactly, a model's sigma could shrink to zero and
its likelihood grow for ever. Densities depend on the unit: twice as large offsets cost 2 log 2 nats a step more.

Source:   the format is that of A. Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850, 2013,
          section 4; the Gaussian (3) is ours.
Lecture:  "Learning to generate" (Handwriting).
Differs:  one hand, short words; the unit is a quarter of the height of a small letter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.nn.functional import pad

from genedu.core import seeded
from genedu.data.letters import LETTERS, ideal

WORDS = (
    "ace", "air", "art", "case", "cat", "coin", "cut", "ear", "ice", "into", "lane", "line", "love", "nest", "nice", "note",
    "nut", "oil", "once", "own", "rain", "rest", "rose", "sea", "sent", "silver", "sun", "toast", "true", "unit", "vast", "view",
    "violet", "wave", "west", "wine", "winter", "write",
)  # fmt: skip
UNSEEN = ("cave", "lion", "news", "river", "salt", "twin")  # words of the same letters that are not in WORDS
MEAN_SLANT = 0.2


@dataclass(frozen=True, eq=False)
class Strokes:
    """Steps `[N, T, 3]` padded with zeros, lengths `[N]`, and letters `[N, U]` (1 is the first of LETTERS, 0 is padding)."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_lengths: Tensor
    validation_lengths: Tensor
    test_lengths: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    words: tuple[str, ...]
    sigma: float
    size: float
    slant: float

    def encode(self, word: str) -> Tensor:
        """A word as a row of labels: [U]. Raises as the function `encode`."""
        return encode(word, self.train_labels.shape[1])

    def log_prob(self, x: Tensor, lengths: Tensor, y: Tensor | None = None) -> Tensor:
        """(3) in nats, given the words y [B, U]; without y the mixture over `words`: [B, T, 3], [B] -> [B], float64.

        Raises:
            ValueError: x is not steps [batch, time, 3], one length a row.
        """
        if x.dim() != 3 or x.shape[2] != 3 or lengths.shape != x.shape[:1]:
            raise ValueError(f"x must be [batch, time, 3] and lengths [batch], got {list(x.shape)} and {list(lengths.shape)}")
        if y is None:
            given = [self._given(x, lengths, word) for word in self.words]
            return torch.stack(given).logsumexp(0) - math.log(len(self.words))
        told = [decode(code) for code in y]
        out = torch.empty(len(x), dtype=torch.float64)
        for word in set(told):
            rows = torch.tensor([i for i, other in enumerate(told) if other == word])
            out[rows] = self._given(x[rows], lengths[rows], word)
        return out

    def _given(self, x: Tensor, lengths: Tensor, word: str) -> Tensor:
        """(3) for rows [B, T, 3] and one word: [B]."""
        steps = ideal(word)
        x = pad(x, (0, 0, 0, max(0, len(steps) - x.shape[1])))[:, : len(steps)].double()  # [B, T of the word, 3]
        fits = (lengths == len(steps)) & (x[..., 2] == steps[:, 2]).all(1)
        return torch.where(fits, self._law(word).log_prob(x[..., :2].flatten(1)), -math.inf)  # eq. (3)

    @cached_property
    def _laws(self) -> dict[str, MultivariateNormal]:
        return {}

    def _law(self, word: str) -> MultivariateNormal:
        """N(m, C) over the offsets dx_1, dy_1, dx_2, ... of a word, in 2 T dimensions."""
        if word not in self._laws:
            u = ideal(word)[:, :2].flatten()  # [2 T]
            v = torch.stack([ideal(word)[:, 1], torch.zeros(len(ideal(word)), dtype=u.dtype)], 1).flatten()  # [2 T]
            noise = self.sigma**2 * torch.eye(len(u), dtype=u.dtype)
            c = noise + self.size**2 * torch.outer(u, u) + self.slant**2 * torch.outer(v, v)  # [2 T, 2 T]
            self._laws[word] = MultivariateNormal(u + MEAN_SLANT * v, c)
        return self._laws[word]

    def entropy(self, word: str) -> float:
        """(4), H(x | word) in nats."""
        return self._law(word).entropy().item()  # eq. (4)


def strokes(
    words: Sequence[str] = WORDS,
    *,
    sizes: Sequence[int] = (2000, 200, 400),
    sigma: float = 0.15,
    size: float = 0.1,
    slant: float = 0.15,
    seed: int = 0,
) -> Strokes:
    """Words in a simple hand, each as likely as the others.

    Raises:
        ValueError: no words, or letters that this hand cannot write; a size below 1; a width that is not positive.
    """
    if len(sizes) != 3 or min(sizes) < 1 or not words:
        raise ValueError(f"words and the three sizes must be at least 1, got {len(words)} words and sizes {sizes!r}")
    if not (min(sigma, size, slant) > 0 and math.isfinite(sigma + size + slant)):
        raise ValueError(f"sigma, size and slant must be positive and finite, got {sigma}, {size} and {slant}")
    with seeded(seed):
        which = torch.randint(len(words), (sum(sizes),)).tolist()
        rows = [_write(ideal(words[k]), sigma, size, slant) for k in which]
    x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # [N, T, 3]
    lengths = torch.tensor([len(row) for row in rows])
    longest = max(map(len, words))
    y = torch.stack([encode(words[k], longest) for k in which])  # [N, U]
    (a, b, c), (i, j, k), (u, v, w) = (column.split(list(sizes)) for column in (x, lengths, y))
    return Strokes(a, b, c, i, j, k, u, v, w, tuple(words), sigma, size, slant)


def _write(steps: Tensor, sigma: float, size: float, slant: float) -> Tensor:
    """One row of (1) and (2) for ideal steps [T, 3]: [T, 3]."""
    s, k = 1 + size * torch.randn(()), MEAN_SLANT + slant * torch.randn(())  # eq. (2)
    a, b, e = steps.float().T
    offsets = torch.stack([s * a + k * b, s * b], 1) + sigma * torch.randn(len(e), 2)  # [T, 2], eq. (1)
    return torch.cat([offsets, e[:, None]], 1)


def encode(word: str, length: int) -> Tensor:
    """The numbers of a word's letters, padded with 0: [length].

    Raises:
        ValueError: letters that this hand cannot write; more of them than `length`.
    """
    if not set(word) <= set(LETTERS) or len(word) > length:
        raise ValueError(f"the word must be at most {length} of the letters {LETTERS}, got {word!r}")
    return torch.tensor([LETTERS.index(name) + 1 for name in word] + [0] * (length - len(word)))


def decode(code: Tensor) -> str:
    """The word of a row of numbers [U]."""
    return "".join(LETTERS[k - 1] for k in code.tolist() if k)


def inked(x: Tensor) -> list[Tensor]:
    """The lines that one row of steps [T, 3] leaves on the paper, as points: a list of [P, 2]."""
    points = x[:, :2].cumsum(0)  # [T, 2]
    ends = (x[:, 2] > 0.5).nonzero().flatten().tolist()
    cuts = [0, *[end + 1 for end in ends], len(x)]
    return [points[i:j] for i, j in pairwise(cuts) if j > i]


def read(x: Tensor, words: Sequence[str]) -> list[str]:
    """For each row of steps [B, T, 3], of which only the first count, the word that fits it best, whatever its size and slant.

    The fit is by least squares in s and k of (1); a word is judged by the mean square of what is left over.
    """
    misfit = torch.stack([_misfit(x.double(), word) for word in words])  # [words, B]
    return [words[k] for k in misfit.argmin(0).tolist()]


def _misfit(x: Tensor, word: str) -> Tensor:
    """Mean squares left over: [B, T, 3] -> [B]."""
    steps = ideal(word)
    if len(steps) > x.shape[1]:
        return torch.full((len(x),), math.inf, dtype=torch.float64)
    want = torch.stack([steps[:, :2].flatten(), (steps[:, 1:2] * torch.tensor([1.0, 0.0])).flatten()], 1)  # [2 T, 2]
    have = x[:, : len(steps), :2].flatten(1)  # [B, 2 T]
    fit = have @ torch.linalg.pinv(want).T  # [B, 2]: s and k
    return (have - fit @ want.T).square().mean(1)
