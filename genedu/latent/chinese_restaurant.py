r"""Chinese restaurant process: how many clusters there are is itself drawn, and grows with the data.

Guests come in one by one. Guest i + 1 sits down at an occupied table with probability proportional to the guests there, and at a
new table with probability proportional to alpha. Tables are the components of a mixture, guests the rows of data. Who shares a
table is called a partition; c_i is the table of guest i, n_k the number of guests at table k, K that of tables.

    P(c_{i+1} = k | c_1..c_i) = n_k / (i + alpha),   P(new table) = alpha / (i + alpha)                      (1)
    log P(c) = K log alpha + sum_k log (n_k - 1)! - sum_{i=0}^{n-1} log(alpha + i)                           (2)
    E[K] = sum_{i=0}^{n-1} alpha / (alpha + i)                                                               (3)
    P(c_i = k | c_-i, x) ~ n_-i,k p(x_i|k);   P(c_i = an empty slot s | c_-i, x) ~ alpha / E p(x_i|s)        (4)
    accept a proposal k* drawn from (4) without p(x_i|.) with probability min(1, p(x_i|k*) / p(x_i|c_i))     (5)

(2) knows the sizes alone: neither the order of the guests nor the names of the tables count. It is what is left of a Dirichlet
process when its weights are integrated out. In (4) row i stands outside (-i); there are S slots for tables, of which E are empty,
each with parameters of its own to be taken up. A sweep puts each row in turn where (4) or (5) says. It leaves the posterior as it
is, where tables take their slots at random and K is at most S. Any scorer of rows will do: with conjugate components p(x_i|k) is
the predictive density given the other rows at k, with networks the likelihood under the parameters in slot k.

Source:   D. Aldous, "Exchangeability and related topics", 1985: (1); R. Neal, "Markov Chain Sampling Methods for Dirichlet
          Process Mixture Models", J. Comp. Graph. Statistics 9, 2000: (4) is algorithm 8 (conjugate: algorithm 3), (5) is
          algorithm 5.
Lecture:  "Infinite VAEs" (the slide names no prior over components; (2) is the term that its formula lacks).
Differs:  Neal draws new parameters for the empty slots before each row; here they stay during a sweep, hence the S above.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genedu.core import check_values

Scorer = Callable[[int, Tensor], Tensor]  # (row, c [N] with -1 for that row) -> log p(x_i|slot), [S]


def crp_log_prob(c: Tensor, alpha: float) -> Tensor:
    """(2) in nats, in double precision: the tables [N] of N guests, under any names -> [].

    Raises:
        ValueError: alpha is not positive and finite; c is not whole numbers [N], at least one.
    """
    _check(c, alpha)
    counts = c.unique(return_counts=True)[1].double()  # [K]
    past = alpha + torch.arange(len(c), device=c.device, dtype=torch.float64)  # [N]
    return len(counts) * math.log(alpha) + torch.lgamma(counts).sum() - past.log().sum()  # eq. (2): lgamma(n) = log (n - 1)!


def crp_expected_tables(n: int, alpha: float) -> float:
    """(3), the mean number of tables of n guests.

    Raises:
        ValueError: n below 0; alpha is not positive and finite.
    """
    if n < 0:
        raise ValueError(f"n must be at least 0 guests, got {n}")
    _check(None, alpha)
    return sum(alpha / (alpha + i) for i in range(n))  # eq. (3)


def crp_sample(n: int, alpha: float) -> Tensor:
    """The tables [n] (long, 0 for the first guest's) of n guests who came in by (1).

    Raises:
        ValueError: n below 1; alpha is not positive and finite.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1 guest, got {n}")
    _check(None, alpha)
    c: list[int] = []
    tables = 0
    for i, (u, v) in enumerate(torch.rand(n, 2, dtype=torch.float64).tolist()):
        new = u * (alpha + i) < alpha or i == 0
        c.append(tables if new else c[int(v * i)])  # eq. (1): to join a random earlier guest is to choose a table by its size
        tables += new
    return torch.tensor(c)


def log_prior_of_slots(counts: Tensor, alpha: float) -> Tensor:
    """(4) without p(x_i|.) and without its normaliser, in nats: guests at each slot, row i not counted, [..., S] -> [..., S]."""
    empty = counts == 0
    share = math.log(alpha) - empty.sum(-1, keepdim=True).log()  # [..., 1]: alpha is shared out among the empty slots
    return torch.where(empty, share, counts.log())  # eq. (4)


def gibbs_log_weights(counts: Tensor, scores: Tensor, alpha: float) -> Tensor:
    """The logarithm of (4), normalised: guests at each slot and log p(x_i|slot), [..., S] each -> [..., S]."""
    return (log_prior_of_slots(counts, alpha) + scores).log_softmax(-1)  # eq. (4): a product of densities would underflow


@torch.no_grad()
def gibbs_sweep(c: Tensor, score: Scorer, alpha: float, *, slots: int) -> Tensor:
    """Draw each c_i in turn from (4): the slots [N] of all rows -> new ones.

    Args:
        score: (i, c) -> log p(x_i|slot) [S] in nats, given the other rows' slots; -1 stands for row i itself.
        slots: S.

    Raises:
        ValueError: c is not slots 0..S-1 of at least one row; alpha is not positive and finite; a score is not [S], or nan or
            plus infinity.
    """

    def move(old: Tensor, log_prior: Tensor, scores: Tensor, noise: Tensor, log_u: Tensor) -> Tensor:
        return (log_prior + scores + noise).argmax()  # eq. (4): the largest of log w + Gumbel noise is a draw from w

    return _sweep(c, score, alpha, slots, move)


@torch.no_grad()
def metropolis_sweep(c: Tensor, score: Scorer, alpha: float, *, slots: int) -> Tensor:
    """Propose each c_i in turn from the prior and accept by (5). Arguments, result and errors as of `gibbs_sweep`."""

    def move(old: Tensor, log_prior: Tensor, scores: Tensor, noise: Tensor, log_u: Tensor) -> Tensor:
        proposed = (log_prior + noise).argmax()
        return torch.where(log_u < scores[proposed] - scores[old], proposed, old)  # eq. (5): the prior cancels

    return _sweep(c, score, alpha, slots, move)


def _sweep(c: Tensor, score: Scorer, alpha: float, slots: int, move: Callable[..., Tensor]) -> Tensor:
    _check(c, alpha)
    check_values(c, lambda v: (v >= 0) & (v < slots), f"c must be slots 0 to {slots - 1}")
    c = c.long().clone()
    counts, seen = torch.bincount(c, minlength=slots).double(), torch.zeros((), device=c.device)  # [S]; the sum of all scores
    uniform = torch.rand(len(c), slots + 1, device=c.device, dtype=torch.float64).clamp_min(1e-300)  # [N, S+1]
    noise, log_u = -(-uniform[:, :-1].log()).log(), uniform[:, -1].log()  # [N, S] of a Gumbel law, [N]
    for i in range(len(c)):
        old = c[i].clone()
        counts[old] -= 1  # row i stands outside
        c[i] = -1
        scores = score(i, c)
        if scores.shape != (slots,):
            raise ValueError(f"score must give log p(x_i|slot) for each of {slots} slots, got {list(scores.shape)}")
        c[i] = move(old, log_prior_of_slots(counts, alpha), scores, noise[i], log_u[i])
        counts[c[i]] += 1
        seen = seen + scores
    check_values(seen, lambda total: total < math.inf, "score must give numbers below plus infinity: their sum over all rows")
    return c


def _check(c: Tensor | None, alpha: float) -> None:
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be positive and finite, got {alpha}")
    if c is not None and (c.dim() != 1 or len(c) == 0 or c.is_floating_point() or c.dtype == torch.bool):
        raise ValueError(f"c must be the tables [N] of N >= 1 rows, whole numbers, got {c.dtype} {list(c.shape)}")
