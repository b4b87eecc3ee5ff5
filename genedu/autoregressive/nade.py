r"""NADE: one hidden layer for every next bit, whose sums all D predictions share.

Predicting bit i from the bits before it with a network of its own would take D networks and, with H hidden units each, O(D^2 H)
products. NADE ties their first layers: unit h of the network for bit i has the same weights W_jh as in all the others. Then the
sum for the next bit is the last one plus one term, and a row costs O(D H), as an ordinary network does.

    log p(x) = sum_i log p(x_i | x_<i),   p(x_i = 1 | x_<i) = sigmoid(b_i + V_i . h_i)                      (1)
    h_i = sigmoid(a_i),   a_i = c + sum_{j<i} x_j W_j                                                       (2)
    a_1 = c,   a_{i+1} = a_i + x_i W_i                                                                      (3)
    with g_i = dL/d logit_i:  d_i = g_i V_i h_i (1 - h_i),  dL/dV_i = g_i h_i,  dL/dW_i = x_i sum_{k>i} d_k (4)

Each factor is normalised, so (1) is, whatever the parameters: no Z is to be found. The sum in (2) excludes x_i itself; with it
the loss goes to 0 and nothing is learned. (4) walks (3) back from the last bit to the first, a_i = a_{i+1} - x_i W_i, so that
training needs memory for one a, not for D of them. H = 0 leaves independent bits.

Source:   H. Larochelle, I. Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011: (1) to (3), algorithm 1.
Lecture:  "Autoregressive models" (Deep NADE); "Autoregressive Models" (factorise dimension-wise).
Differs:  the gradient is written out as (4): automatic differentiation would keep every a_i.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

from genedu.core import Batch, Player, check_values, levels_of
from genedu.nn import draw_bits


class RunningSum(torch.autograd.Function):
    """Logits [B, D] of (1) by (3), and their gradient by (4): from x [B, D], W [D, H], V [D, H], b [D], c [H]."""

    @staticmethod
    def forward(ctx, x: Tensor, W: Tensor, V: Tensor, b: Tensor, c: Tensor) -> Tensor:
        x = x.T.contiguous()  # [D, B]
        a, logits = c.repeat(x.shape[1], 1), torch.empty_like(x)  # [B, H], [D, B]
        h = torch.empty_like(a)
        for x_i, W_i, V_i, logit_i in zip(x[:, :, None], W, V, logits, strict=True):
            torch.sigmoid(a, out=h)
            torch.mv(h, V_i, out=logit_i)  # eq. (1)
            a.addcmul_(x_i, W_i)  # eq. (3), after h has been used: x_i must not see itself
        ctx.save_for_backward(x, W, V, a)
        return logits.T + b  # [B, D]

    @staticmethod
    @once_differentiable
    def backward(ctx, g: Tensor) -> tuple[Tensor | None, ...]:
        x, W, V, a = ctx.saved_tensors
        g, a, dW, dV = g.T.contiguous(), a.clone(), torch.empty_like(W), torch.empty_like(V)  # g [D, B]
        h, d, later = torch.empty_like(a), torch.empty_like(a), torch.zeros_like(a)  # later: sum of d_k over k > i
        for i in range(len(x) - 1, -1, -1):
            a.addcmul_(x[i, :, None], W[i], value=-1)  # eq. (3) backwards
            torch.sigmoid(a, out=h)
            torch.mv(h.T, g[i], out=dV[i])  # eq. (4)
            torch.mv(later.T, x[i], out=dW[i])  # eq. (4)
            torch.addcmul(h, h, h, value=-1, out=d).mul_(V[i])
            later.addcmul_(d, g[i, :, None])  # + d_i
        return None, dW, dV, g.sum(1), later.sum(0)


class NADE(nn.Module):
    """Density of bits [B, D], in raster order: each bit given those to its left.

    Args:
        dim: D.
        hidden: H, hidden units for each bit; 0 for independent bits.

    Raises:
        ValueError: dim below 1, or hidden below 0.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        for name, count, least in (("dim", dim, 1), ("hidden", hidden, 0)):
            if type(count) is not int or count < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {count!r}")
        self.dim, self.hidden = dim, hidden
        self.W = nn.Parameter(torch.randn(dim, hidden) / dim**0.5)  # [D, H]
        self.V = nn.Parameter(torch.randn(dim, hidden) / max(hidden, 1) ** 0.5)  # [D, H]
        self.b = nn.Parameter(torch.zeros(dim))
        self.c = nn.Parameter(torch.zeros(hidden))

    def logits(self, x: Tensor) -> Tensor:
        """b_i + V_i . h_i in (1), the logit of p(x_i = 1 | x_<i) at each place: bits [B, D] -> [B, D].

        Raises:
            ValueError: x is not whole numbers 0 and 1 in rows [batch, dim].
        """
        return RunningSum.apply(bits_of(x, self.dim).to(self.W.dtype), self.W, self.V, self.b, self.c)

    def log_prob(self, x: Tensor) -> Tensor:
        """(1) in nats: bits [B, D] -> [B]. Raises as `logits`."""
        return logsigmoid((2 * x - 1) * self.logits(x)).sum(1)  # eq. (1): p(x_i = 0) is sigmoid(-logit)

    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0, cached: bool = True) -> Tensor:
        """Draw n rows of bits, one bit after the other: [n, D].

        Args:
            temperature: of each bit's logit; the samples are the model's own at 1 only.
            cached: keep the running sum (3); False computes each sum (2) anew, O(D^2 H) in all, and draws the same.

        Raises:
            ValueError: n below 1, or temperature not finite and above 0.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        x = torch.zeros(n, self.dim, dtype=torch.long, device=self.W.device)
        return self._draw(x, torch.zeros_like(x[0], dtype=torch.bool), temperature, cached)

    @torch.no_grad()
    def complete(self, x: Tensor, known: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Keep the known bits and draw the others given them: bits [B, D], known [D] (bool) -> [B, D].

        Raises:
            ValueError: x as in `logits`; known is not [D] truth values; a known place comes after an unknown one.
        """
        bits_of(x, self.dim)
        if known.shape != (self.dim,) or known.dtype != torch.bool:
            raise ValueError(f"known must be {self.dim} truth values, got {known.dtype} {list(known.shape)}")
        check_values(
            torch.arange(1, self.dim, device=known.device),
            lambda place: known[1:] <= known[:-1],
            "known places must come before all unknown ones: this model has p(x_i | x_<i) only, and bits drawn by it cannot "
            "know of bits that come later. DeepNADE can start from any set of places. The first that comes too late",
        )
        return self._draw(x, known, temperature, True)

    def _draw(self, x: Tensor, known: Tensor, temperature: float, cached: bool) -> Tensor:
        """Go through the places of [B, D] in order; where one is not known, draw its bit."""
        bits, a = x.to(self.W.dtype, copy=True), self.c.repeat(len(x), 1)  # [B, D], [B, H]
        for i in range(self.dim):
            h = torch.sigmoid(a if cached else self.c + bits[:, :i] @ self.W[:i])  # [B, H], eq. (2)
            bit = draw_bits(self.b[i] + h @ self.V[i], temperature).to(bits.dtype)  # [B]
            bits[:, i] = torch.where(known[i], bits[:, i], bit)
            a.addcmul_(bits[:, i, None], self.W[i])  # eq. (3)
        return bits.long()

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p over rows of bits [B, D], in nats. Raises as `logits`."""
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("nade", list(self.parameters()), self.loss)]


def bits_of(x: Tensor, dim: int) -> Tensor:
    """`x` itself, if it is bits in rows [B, D] of a type with a sign; the door of NADE and its kin.

    Raises:
        ValueError: as `levels_of`; bytes or another type without a sign: there 2 x - 1 is no -1 where x is 0.
    """
    levels_of(x, 2, (dim,))
    if not x.dtype.is_signed:
        raise ValueError(f"x must be bits of a type with a sign, so that 2 x - 1 may be -1, got {x.dtype}: use x.long()")
    return x
