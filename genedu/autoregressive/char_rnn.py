r"""CharRNN: a recurrent network that reads a text symbol by symbol and predicts each next one.

A table of all contexts grows as K^length. A recurrent network has one state vector instead, which it updates with each symbol:
what it keeps of the past is learned, and its size does not depend on how far back it looks. The cell is an LSTM:

    p(x) = prod_t p(x_t | x_<t),   p(x_t = k | x_<t) = softmax_k(A h_t + b)                                  (1)
    h_t, s_t = LSTM(e(x_t-1), h_t-1, s_t-1),   x_0 = "start"                                                 (2)
    s_t = f * s_t-1 + i * g,   h_t = o * tanh(s_t);   f, i, o = sigmoid(...), g = tanh(...) of (e, h_t-1)    (3)
    log p(x) = sum_{t <= length} log p(x_t | x_<t)                                                           (4)

In (3) the memory s is added to, not multiplied through a matrix: where the gate f stays near 1 the gradient comes back over
many steps undiminished (in a plain network it shrinks or grows with each). A row may end early: (4) counts its first `length`
symbols. In the text itself the end must then be a symbol, such as a question mark, or the probabilities of rows of all lengths
do not sum to one.

Perplexity is exp(nats a symbol): from how many equally likely symbols one would have to guess. Bits a character: nats / log 2.

Source:   A. Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850, 2013, sections 2 and 3: (1), (2);
          S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997, with the forget gate of
          F. Gers et al., "Learning to Forget", Neural Computation 12, 2000: (3).
Lecture:  "RNNs for Autoregressive Modeling"; "Learning to generate" (Language).
Differs:  each row begins with "start" and a state of zeros; Graves carries the state from one window of a long text to the
          next. Here such a text is cut into rows to train on, and scored as one long row. No gradient is clipped: at these
          lengths it stays small. An LSTM and not a GRU: torch's CPU kernel for it is twice as fast.
"""

import torch
from torch import Tensor, nn

from genedu.core import Batch, Player, check_values, levels_of
from genedu.nn import draw_levels


class CharRNN(nn.Module):
    """p(x) of (1) for rows of symbols [B, T] (long, 0 .. K-1) of any length T.

    Args:
        vocabulary: K, the number of symbols.
        hidden: size of h and s.
        layers: LSTMs on top of each other ("stack more layers").

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, vocabulary: int, hidden: int = 64, *, layers: int = 1) -> None:
        super().__init__()
        for name, count in (("vocabulary", vocabulary), ("hidden", hidden), ("layers", layers)):
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, hidden)  # e in (2); its last row is "start"
        self.rnn = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)  # A, b in (1)

    def logits(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits of p(x_t | x_<t) at each place, also beyond a row's length: [B, T] -> [B, T, K]. Raises as `log_prob`."""
        levels_of(x, self.vocabulary, (None,))
        if lengths is not None:
            check_lengths(lengths, x)
        return self.head(self.rnn(self.embedding(self._shifted(x)))[0])  # [B, T, K], eq. (1)

    def _shifted(self, x: Tensor) -> Tensor:
        """What is read before each place: [B, T] -> [B, T]."""
        if x.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"x must be symbols of torch.long, got {x.dtype}: use x.long()")
        return torch.cat([torch.full_like(x[:, :1], self.vocabulary), x[:, :-1]], 1)  # eq. (2)

    def log_prob(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(4) in nats: [B, T] and lengths [B] (by default T) -> [B].

        Raises:
            ValueError: x is not rows of symbols 0 .. K-1; lengths are not whole numbers from 1 to T, one a row.
        """
        each = self.logits(x, lengths).log_softmax(-1).gather(-1, x[..., None]).squeeze(-1)  # [B, T]
        if lengths is not None:
            each = each * (torch.arange(x.shape[1], device=x.device) < lengths[:, None])  # beyond the end nothing counts
        return each.sum(1)  # eq. (4)

    @torch.no_grad()
    def sample(
        self, n: int, *, length: int = 64, temperature: float = 1.0, prompt: Tensor | None = None, cached: bool = True
    ) -> Tensor:
        """Write n rows, a symbol at a time: [n, length].

        Args:
            temperature: divides the logits; below 1 the text is more usual than the data, above 1 less.
            prompt: numbers [P], P < length, with which each row begins.
            cached: carry the state h, s along; False reads the whole row anew for each symbol (the same draws).

        Raises:
            ValueError: n or length below 1; the prompt is not symbols, or as long as `length`; temperature not above 0.
        """
        if n < 1 or length < 1:
            raise ValueError(f"n and length must be at least 1, got {n} and {length}")
        x = torch.full((n, length), self.vocabulary, device=self.head.weight.device)  # "start" where nothing is written yet
        first = 0
        if prompt is not None:
            if prompt.dim() != 1 or len(prompt) == 0:
                raise ValueError(f"prompt must be [P] symbols, at least one, got {list(prompt.shape)}: leave it out for none")
            first = levels_of(prompt[None], self.vocabulary, (None,)).shape[1]
            if first >= length:
                raise ValueError(f"length counts the prompt: it must be above {first}, got {length}")
            x[:, :first] = prompt.to(x.device)
        state, unread = None, 0
        for t in range(first, length):
            if not cached:
                state, unread = None, 0
            h, state = self.rnn(self.embedding(self._shifted(x[:, : t + 1])[:, unread:]), state)  # eq. (2)
            x[:, t], unread = draw_levels(self.head(h[:, -1]), temperature), t + 1
        return x

    def loss(self, batch: Batch) -> Tensor:
        """Mean of -log p over rows, in nats a row: x, or (x, lengths). Raises as `log_prob`."""
        return -self.log_prob(*(batch if isinstance(batch, tuple) else (batch,))).mean()

    def players(self) -> list[Player]:
        return [Player("rnn", list(self.parameters()), self.loss)]


def check_lengths(lengths: Tensor, x: Tensor) -> None:
    """The door for ragged rows: whole numbers [B] from 1 to T for x [B, T, ...].

    Raises:
        ValueError: another shape or type, or a length out of range.
    """
    if lengths.shape != x.shape[:1] or lengths.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"lengths must be one whole number for each of {len(x)} rows, got {lengths.dtype} {list(lengths.shape)}")
    check_values(lengths, lambda v: (v >= 1) & (v <= x.shape[1]), f"lengths must be 1 to {x.shape[1]}, the length of x")
