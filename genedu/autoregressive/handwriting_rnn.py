r"""HandwritingRNN: writes by predicting where the pen goes next, as a mixture of Gaussians, and whether it is lifted.

A step of the pen is x_t = (dx, dy, e): two real numbers and a bit (e = 1: the pen is lifted after the step). An LSTM that has
read the steps before t gives, through a linear layer, the parameters of a density for x_t:

    p(x_t | x_<t) = sum_j pi_j N(dx, dy; mu_j, sigma_j, rho_j) * q^e (1 - q)^(1-e)                           (1)
    log N = -1/2 z_1^2 - 1/2 (z_2 - rho z_1)^2 / (1 - rho^2) - log(2 pi sigma_1 sigma_2 sqrt(1 - rho^2)),
        z = ((dx, dy) - mu) / sigma                                                                          (2)
    pi = softmax(.), sigma = floor + exp(.), rho = 0.999 tanh(.), q = sigmoid(.)                             (3)

To write a given text c_1 .. c_U, a first LSTM moves a soft window over its letters and hands on what it sees:

    w_t = sum_u phi(t, u) onehot(c_u),   phi(t, u) = sum_k alpha_k exp(-beta_k (kappa_k - u)^2)              (4)
    kappa_t = kappa_t-1 + exp(.),   alpha, beta = exp(.),   all three linear in the first LSTM's h_t         (5)

By (5) the window only moves forward; the text is written when phi is largest behind its last letter. When sampling, a bias
b >= 0 makes the writing neater, and no longer the model's own:

    sigma' = sigma exp(-b),   pi' = softmax((1 + b) log pi)                                                  (6)

(1) has no upper bound without the floor in (3): where an offset repeats exactly, sigma -> 0 would pay without end.

Source:   A. Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850, 2013: (1), (2), (3) are section 4.1,
          (4), (5) section 5.1, (6) section 5.4.
Lecture:  "Learning to generate" (Handwriting); "RNNs for Autoregressive Modeling"; "Autoregressive Models" (continuous x).
Differs:  the floor, and rho within 0.999, keep densities bounded; two small LSTMs instead of three of 400; the window w_t-1 is
          not fed back into the first LSTM, which sees the steps alone: then all steps are computed at once when training.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot, pad

from genedu.autoregressive.char_rnn import check_lengths
from genedu.core import Batch, Player, check_values


class Pen(NamedTuple):
    """The parameters (3) of one step: pi's logits [..., M], mu, sigma [..., M, 2], rho [..., M], q's logit [...]."""

    logits: Tensor
    mu: Tensor
    sigma: Tensor
    rho: Tensor
    end: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """log of (1) in nats: [..., 3] -> [...]."""
        z1, z2 = ((x[..., None, :2] - self.mu) / self.sigma).unbind(-1)  # [..., M] each
        left = (1 - self.rho) * (1 + self.rho)  # 1 - rho^2
        log_normal = -0.5 * (z1.square() + (z2 - self.rho * z1).square() / left)  # [..., M], eq. (2)
        log_normal = log_normal - self.sigma.log().sum(-1) - 0.5 * left.log() - math.log(2 * math.pi)
        log_point = (self.logits.log_softmax(-1) + log_normal).logsumexp(-1)  # [...], eq. (1)
        return log_point + logsigmoid((2 * x[..., 2] - 1) * self.end)  # q^e (1 - q)^(1 - e): the logit, or minus the logit

    def sample(self, bias: float) -> Tensor:
        """One draw of (1), or of (6) where b > 0: [..., 3]."""
        pi = ((1 + bias) * self.logits.log_softmax(-1)).softmax(-1)  # eq. (6)
        j = (pi / torch.empty_like(pi).exponential_()).argmax(-1)[..., None]  # [..., 1]
        mu, sigma = (v.gather(-2, j[..., None].expand(*j.shape, 2)).squeeze(-2) for v in (self.mu, self.sigma))  # [..., 2]
        rho, eps = self.rho.gather(-1, j).squeeze(-1), torch.randn_like(mu)
        z2 = rho * eps[..., 0] + ((1 - rho) * (1 + rho)).sqrt() * eps[..., 1]
        offset = mu + sigma * math.exp(-bias) * torch.stack([eps[..., 0], z2], -1)  # [..., 2]
        end = (torch.rand_like(self.end) < self.end.sigmoid()).to(mu.dtype)  # [...]
        return torch.cat([offset, end[..., None]], -1)  # [..., 3]


class HandwritingRNN(nn.Module):
    """p(x | text) for steps x [B, T, 3]; a batch is x, (x, lengths) or (x, lengths, y) with y [B, U] letters.

    Args:
        components: M in (1).
        characters: how many different letters, numbered from 1 (0 is padding); None: the model is told no text.
        hidden: size of each LSTM.
        windows: number of terms of phi in (4).
        floor: the least sigma, in the unit of x.

    Raises:
        ValueError: a count below 1; a floor that is not positive.
    """

    def __init__(
        self, components: int = 5, *, characters: int | None = None, hidden: int = 64, windows: int = 3, floor: float = 0.01
    ) -> None:
        super().__init__()
        counts = {"components": components, "hidden": hidden, "windows": windows}
        for name, count in (counts if characters is None else counts | {"characters": characters}).items():
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        if not (math.isfinite(floor) and floor > 0):
            raise ValueError(f"floor must be positive and finite, got {floor}: without it the likelihood has no bound")
        self.components, self.characters, self.hidden, self.floor = components, characters, hidden, floor
        self.writer = nn.LSTM(3 + (hidden + characters if characters else 0), hidden, batch_first=True)
        self.head = nn.Linear(hidden, 6 * components + 1)
        if characters:
            self.reader = nn.LSTM(3, hidden, batch_first=True)
            self.window = nn.Linear(hidden, 3 * windows)
            nn.init.zeros_(self.window.bias)
            nn.init.constant_(self.window.bias[2 * windows :], -2.0)  # exp(-2): some seven steps a letter

    def forward(self, before: Tensor, y: Tensor | None, state: tuple | None = None) -> tuple[Pen, Tensor | None, tuple]:
        """Steps before each place [B, T, 3], and the state to go on from: (3), phi [B, T, U] of (4), the next state."""
        (reader, kappa, writer), phi = state or (None, 0.0, None), None
        if self.characters:
            h, reader = self.reader(before, reader)  # [B, T, H]
            alpha, beta, speed = self.window(h).exp().chunk(3, -1)  # [B, T, W] each
            kappa = kappa + speed.cumsum(1)  # eq. (5)
            seen = before.new_zeros(*before.shape[:2], self.characters)  # [B, T, C]: no text, nothing to see
            if y is not None:
                u = torch.arange(1, y.shape[1] + 1, device=y.device)  # [U]
                phi = (alpha[..., None] * (-beta[..., None] * (kappa[..., None] - u).square()).exp()).sum(2)  # [B, T, U]
                seen = phi @ one_hot(y, self.characters + 1)[..., 1:].to(phi.dtype)  # [B, T, C], eq. (4)
            before = torch.cat([before, h, seen], -1)
        h, writer = self.writer(before, writer)
        m = self.components
        pi, mu, sigma, rho, end = self.head(h).split((m, 2 * m, 2 * m, m, 1), -1)
        mu, sigma = mu.unflatten(-1, (m, 2)), self.floor + sigma.exp().unflatten(-1, (m, 2))  # [B, T, M, 2] each
        pen = Pen(pi, mu, sigma, 0.999 * rho.tanh(), end.squeeze(-1))  # eq. (3)
        return pen, phi, (reader, kappa[:, -1:] if self.characters else 0.0, writer)

    def steps(self, x: Tensor, y: Tensor | None = None) -> Pen:
        """(3) for each place, given the steps before it: [B, T, 3] -> parameters [B, T, ...]. Raises as `log_prob`."""
        self._check(x, y)
        return self(_before(x), y)[0]

    def reading(self, x: Tensor, y: Tensor) -> Tensor:
        """phi of (4) at each letter and at the place behind the last: [B, T, 3] -> [B, T, U + 1]. Raises as `log_prob`."""
        self._check(x, y)
        return self(_before(x), pad(y, (0, 1)))[1]

    def ends(self, x: Tensor, y: Tensor) -> Tensor:
        """How many steps come before the window leaves the last letter: [B, T, 3] -> [B], T if it stays. Raises as `log_prob`."""
        phi, last = self.reading(x, y), (y > 0).sum(1)[:, None, None]  # [B, T, U + 1], [B, 1, 1]
        inside = phi.masked_fill(torch.arange(phi.shape[2], device=x.device) >= last, 0.0).amax(2)  # [B, T]
        left = phi.gather(2, last.expand(-1, x.shape[1], 1)).squeeze(2) > inside  # [B, T]
        return torch.where(left.any(1), left.long().argmax(1).clamp_min(1), x.shape[1])

    def _check(self, x: Tensor, y: Tensor | None) -> None:
        if x.dim() != 3 or x.shape[2] != 3 or 0 in x.shape:
            raise ValueError(f"x must be [batch, time, 3] steps (dx, dy, end), at least one, got {list(x.shape)}")
        check_values(x, torch.isfinite, "x must be finite")
        check_values(x[..., 2], lambda e: (e == 0) | (e == 1), "the third number of a step must be 0 or 1")
        if y is not None:
            self._check_text(y, len(x))

    def _check_text(self, y: Tensor, n: int) -> None:
        if not self.characters:
            raise ValueError("a model without characters takes no text: build it with characters=..., or leave y out")
        if y.dim() != 2 or len(y) != n or y.dtype != torch.long:
            raise ValueError(f"y must be whole numbers (long) [{n}, letters], one row a row of x, got {y.dtype} {list(y.shape)}")
        most = self.characters
        check_values(y, lambda v: (v >= 0) & (v <= most), f"y must be 1 to {most}, or 0 for padding")

    def log_prob(self, x: Tensor, lengths: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """log p of each row's first `length` steps, in nats: [B, T, 3] -> [B]. Without y the window sees no letter.

        Raises:
            ValueError: x is not finite steps [batch, time, 3] with a last number of 0 or 1; lengths or letters out of range.
        """
        each = self.steps(x, y).log_prob(x)  # [B, T]
        if lengths is not None:
            check_lengths(lengths, x)
            each = torch.where(torch.arange(x.shape[1], device=x.device) < lengths[:, None], each, 0.0)
        return each.sum(1)

    @torch.no_grad()
    def sample(self, n: int, *, length: int = 50, y: Tensor | None = None, bias: float = 0.0) -> Tensor:
        """Write n rows of `length` steps: [n, length, 3]; y [n, U] or [1, U] says which letters.

        Raises:
            ValueError: n or length below 1; letters out of range; a bias that is negative or not finite.
        """
        if n < 1 or length < 1:
            raise ValueError(f"n and length must be at least 1, got {n} and {length}")
        if not (math.isfinite(bias) and bias >= 0):
            raise ValueError(f"bias must be finite and at least 0, got {bias}: 0 gives the model's own samples")
        if y is not None:
            y = y.to(self.head.weight.device)
            y = y.expand(n, -1) if y.dim() == 2 and len(y) == 1 else y
            self._check_text(y, n)
        x, state = [self.head.weight.new_zeros(n, 1, 3)], None
        for _ in range(length):
            pen, _, state = self(x[-1], y, state)
            x.append(pen.sample(bias))  # [n, 1, 3]
        return torch.cat(x[1:], 1)

    def loss(self, batch: Batch) -> Tensor:
        """Mean of -log p over rows, in nats a row: x, (x, lengths) or (x, lengths, y). Raises as `log_prob`."""
        return -self.log_prob(*(batch if isinstance(batch, tuple) else (batch,))).mean()

    def players(self) -> list[Player]:
        return [Player("rnn", list(self.parameters()), self.loss)]


def _before(x: Tensor) -> Tensor:
    """What is known before each step: the step before, zeros at the start: [B, T, 3] -> [B, T, 3]."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
