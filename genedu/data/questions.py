r"""Questions about pictures, drawn from a grammar: the probability of each is known, and a parser can check any text.

A probabilistic context-free grammar (PCFG) rewrites a symbol A by one of its rules A -> B_1 ... B_m, drawn with probability
p(rule), until only words are left. The rules below give questions such as "is the cat behind the train asleep ?". Then

    p(x) = sum over derivations of x of prod p(rule)                                                         (1)
    H(A) = sum_rules p(rule) [-log p(rule) + sum_j H(B_j)],   H(word) = 0                                    (2)
    L(A) = sum_rules p(rule) sum_j L(B_j),   L(word) = 1                                                     (3)

(2), the entropy of a derivation in nats, and (3), the mean number of words, are linear systems with one unknown for each symbol
A. The grammar is unambiguous: each question has one derivation, so that (1) has one term, and H of the start symbol is the
entropy of the questions. A derivation ends with probability one (else (2) and (3) would have no finite solution), so that (1)
sums to one over the questions of all lengths. None goes on after its question mark: a model that reads a question word by word
can tell where it ends.

What makes it more than a table of neighbours: only animals sleep and eat, only vehicles are electric, and the noun that decides
this may stand many words before the word that it decides.

Source:   T. Booth, R. Thompson, "Applying probability measures to abstract languages", IEEE Transactions on Computers 22, 1973:
          (1); (2) is Shannon's chain rule. The rules are ours.
Lecture:  "Learning to generate" (Language: questions about pictures).
Differs:  no picture is looked at: what is asked of a given picture comes with conditional models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genedu.core import levels_of, seeded
from genedu.data.text import Vocabulary

Grammar = dict[str, list[tuple[float, str]]]  # symbol -> (probability, words and symbols with blanks between)


def words(names: str) -> list[tuple[float, str]]:
    """One rule for each name, all equally likely."""
    return [(1 / len(names.split()), name) for name in names.split()]


GRAMMAR: Grammar = {
    "Question": [(0.35, "is the Animal Does ?"), (0.25, "is the Vehicle Looks ?"), (0.4, "Asks")],
    "Asks": [
        (0.3, "how many Things are there ?"),
        (0.25, "what is the Animal Act ?"),
        (0.25, "what number is on the Vehicle ?"),
        (0.2, "where is the Vehicle going ?"),
    ],
    "Animal": [(0.5, "Beast"), (0.25, "Size Beast"), (0.25, "Beast Place")],
    "Vehicle": [(0.5, "Machine"), (0.25, "Colour Machine"), (0.25, "Machine Place")],
    "Place": [(0.35, "next to the Animal"), (0.35, "behind the Vehicle"), (0.3, "in the Scene")],
    "Does": [(0.7, "Mood"), (0.3, "Act")],
    "Looks": [(0.6, "Make"), (0.4, "parked")],
    "Things": words("cats dogs birds trains buses people"),
    "Beast": words("cat dog bird horse"),
    "Machine": words("train bus boat"),
    "Mood": words("asleep hungry young wet"),
    "Act": words("eating chasing watching"),
    "Make": words("electric empty modern full"),
    "Size": words("small big"),
    "Colour": words("red green blue"),
    "Scene": words("station garden water"),
}


@dataclass(frozen=True, eq=False)
class Questions:
    """Rows `[N, T]` (long), padded with zeros, and their lengths `[N]`, in three independent parts; and the grammar."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_lengths: Tensor
    validation_lengths: Tensor
    test_lengths: Tensor
    vocabulary: Vocabulary
    grammar: Grammar
    start: str

    @cached_property
    def entropy(self) -> float:
        """H of (2), nats a question."""
        own = [-sum(p * math.log(p) for p, _ in rules) for rules in self.grammar.values()]
        return self._solve(own)

    @cached_property
    def mean_length(self) -> float:
        """L of (3), words a question."""
        counts = [sum(p * sum(w not in self.grammar for w in r.split()) for p, r in rules) for rules in self.grammar.values()]
        return self._solve(counts)

    def _solve(self, own: list[float]) -> float:
        """v = own + M v, with M[A, B] = how often B stands in a rewriting of A, in the mean; its value at the start symbol."""
        names = list(self.grammar)
        share = [[sum(p * r.split().count(b) for p, r in self.grammar[a]) for b in names] for a in names]
        system = torch.eye(len(names), dtype=torch.float64) - torch.tensor(share, dtype=torch.float64)
        value = torch.linalg.solve(system, torch.tensor(own, dtype=torch.float64))  # eq. (2), (3)
        return value[names.index(self.start)].item()

    def log_prob(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(1) in nats, minus infinity for what is not a question: [B, T] and lengths [B] -> [B], float64.

        Without lengths a row ends with its first question mark, if it has one.

        Raises:
            ValueError: x is not rows of numbers of the vocabulary.
        """
        lengths = self.ends(x) if lengths is None else lengths
        texts = [self.vocabulary.decode(row[:n]) for row, n in zip(x, lengths.tolist(), strict=True)]
        return torch.tensor([self.log_prob_text(text) for text in texts], dtype=torch.float64)

    def log_prob_text(self, text: str) -> float:
        """(1) in nats of a text, minus infinity if it is no question: the inside probabilities of all its beginnings."""
        parts = text.split(" ")
        known: dict[tuple[str, int], dict[int, float]] = {}

        def inside(symbol: str, at: int) -> dict[int, float]:
            """For each place where a phrase `symbol` that begins at `at` can end: its probability."""
            if symbol not in self.grammar:
                return {at + 1: 1.0} if at < len(parts) and parts[at] == symbol else {}
            if (symbol, at) not in known:
                total: dict[int, float] = {}
                for p, rule in self.grammar[symbol]:
                    ends = {at: p}
                    for part in rule.split():
                        steps = [(end, q * r) for begin, q in ends.items() for end, r in inside(part, begin).items()]
                        ends = {end: sum(q for e, q in steps if e == end) for end, _ in steps}
                    for end, q in ends.items():
                        total[end] = total.get(end, 0.0) + q  # eq. (1)
                known[symbol, at] = total
            return known[symbol, at]

        p = inside(self.start, 0).get(len(parts), 0.0)
        return math.log(p) if p else -math.inf

    def ends(self, x: Tensor) -> Tensor:
        """How long each row is, its first question mark included: [B, T] -> [B]; T where there is none."""
        mark = levels_of(x, len(self.vocabulary), (None,)) == self.vocabulary.symbols.index("?")  # [B, T]
        return torch.where(mark.any(1), mark.long().argmax(1) + 1, x.shape[1])


def questions(
    unit: str = "word",
    *,
    sizes: Sequence[int] = (8000, 500, 1000),
    grammar: Grammar = GRAMMAR,
    start: str = "Question",
    seed: int = 0,
) -> Questions:
    """Questions drawn from the grammar, cut into words or characters; in nats a question the two are the same.

    Raises:
        ValueError: a unit that is neither "word" nor "character"; a size below 1.
    """
    if unit not in ("word", "character"):
        raise ValueError(f"unit must be 'word' or 'character', got {unit!r}")
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"sizes must be three numbers of rows, each at least 1, got {sizes!r}")
    ends = sorted({w for rules in grammar.values() for _, r in rules for w in r.split()} - set(grammar))
    joint = " " if unit == "word" else ""
    vocabulary = Vocabulary(tuple(ends if joint else sorted(set(" ".join(ends)) | {" "})), joint)
    with seeded(seed):
        rows = [vocabulary.encode(" ".join(derive(grammar, start))) for _ in range(sum(sizes))]
    lengths = torch.tensor([len(row) for row in rows])
    x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # [N, T]
    (a, b, c), (i, j, k) = (column.split(list(sizes)) for column in (x, lengths))
    return Questions(a, b, c, i, j, k, vocabulary, grammar, start)


def derive(grammar: Grammar, symbol: str) -> list[str]:
    """The words that one random derivation from `symbol` ends in."""
    if symbol not in grammar:
        return [symbol]
    weights = torch.tensor([p for p, _ in grammar[symbol]])
    rule = grammar[symbol][int(torch.multinomial(weights, 1))][1]
    return [word for part in rule.split() for word in derive(grammar, part)]
