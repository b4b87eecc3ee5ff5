r"""Expectation maximisation (EM) for the Gaussian mixture: guess which component made each row, then fit each to its rows.

If one knew the component k of each row, the best parameters would be counts, means and covariances. One does not, so each row
is shared out by its responsibilities under the parameters of the step before:

    E:  r_ik = p(k|x_i) = pi_k N(x_i; mu_k, Sigma_k) / p(x_i)                                               (1)
    M:  pi_k = 1/n sum_i r_ik,   mu_k = 1/(n pi_k) sum_i r_ik x_i                                           (2)
        Sigma_k = [1/n sum_i r_ik (x_i - mu_k)(x_i - mu_k)' + s T + e I] / (pi_k + s)                       (3)

Why it climbs: for any r, Jensen's inequality gives

    log p(x) >= sum_k r_k log [pi_k N(x; mu_k, Sigma_k) / r_k],   equal where r is (1)                      (4)

(1) makes the bound touch, (2) and (3) are where the bound minus the penalty is largest: J of `gaussian_mixture` never falls.
("diag" keeps the diagonal of (3), "spherical" its mean.) EM ends at a stationary point, nearly always a local maximum; which one
depends on the start. k-means++ takes any row as the first mean, and draws each further one from the rows with probability
proportional to the squared distance to the nearest mean so far.

    log N(x; mu, A^-1) = -1/2 x'A x + (A mu)'x - 1/2 mu'A mu + 1/2 log|A| - D/2 log 2 pi                    (5)

is linear in phi(x) = (the products x_a x_b, x, 1): one matrix product of phi gives (1) for all rows and components, a second one
all sums of (2) and (3). (5) cancels where the mean is far away, so the rows are centred first, and all is in double precision.

Source:   A. Dempster, N. Laird, D. Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B 39, 1977;
          C. Bishop, "Pattern Recognition and Machine Learning", 2006: (1)-(3) are eq. 9.23-9.26 for s = e = 0, (4) is 9.70;
          D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
Lecture:  "Setup" (Attempt 1: learn p(x) directly).
Differs:  (3) with s and e is derived from the penalty of `gaussian_mixture`, as a maximum a posteriori.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from tqdm.auto import trange

from genedu.core import seeded
from genedu.fit import History

if TYPE_CHECKING:
    from genedu.density.gaussian_mixture import GaussianMixture

BLOCK = 2048  # rows whose phi is held at a time: it stays in the processor's cache
LEAST = 1e-12  # stands for the weight of a component that has lost all its rows


def features(x: Tensor, covariance: str) -> Tensor:
    """phi of (5), a column a row of data, with the products that the kind of covariance needs: [D, b] -> [F, b]."""
    if covariance == "full":
        products = [x[i:] * x[i] for i in range(len(x))]  # x_a x_b for a <= b, D (D + 1) / 2 in all
    else:
        products = [x.square() if covariance == "diag" else x.square().sum(0, keepdim=True)]
    return torch.cat([*products, x, torch.ones_like(x[:1])])


def coefficients(pi: Tensor, mean: Tensor, root: Tensor, covariance: str) -> Tensor:
    """What phi(x) is multiplied by to give log [pi_k N(x; mu_k, Sigma_k)]: [K], [K, D], root as `roots` -> [K, F]."""
    dim = mean.shape[1]
    if covariance == "full":
        precision = torch.cholesky_inverse(root)  # A in (5), [K, D, D]
        i, j = torch.triu_indices(dim, dim, device=mean.device)
        square = precision[:, i, j] * torch.where(i == j, -0.5, -1.0)  # a product x_a x_b stands for A_ab and A_ba
        pull = (precision @ mean[:, :, None]).squeeze(2)  # A mu, [K, D]
        log_root = root.diagonal(dim1=1, dim2=2).log().sum(1)  # [K], half of log|Sigma|
    else:
        square, pull = -0.5 / root.square(), mean / root.square()  # [K, D or 1], [K, D]
        log_root = root.log().expand(-1, dim).sum(1)
    constant = pi.log() - 0.5 * (pull * mean).sum(1) - log_root - 0.5 * dim * math.log(2 * math.pi)  # [K]
    return torch.cat([square, pull, constant[:, None]], 1)  # eq. (5)


def expect(x: Tensor, weights: Tensor, covariance: str, hard: bool = False) -> tuple[Tensor, Tensor]:
    """The E step, and the sums that the M step needs of it.

    Args:
        x: rows of data as columns, [D, n].
        weights: what `coefficients` returns, [K, F].
        hard: give each row to its likeliest component alone.

    Returns:
        1/n sum_i r_ik phi(x_i), [K, F], and the mean of log p(x_i), a scalar in nats.
    """
    moments, log_likelihood = torch.zeros_like(weights), x.new_zeros(())
    for block in x.split(BLOCK, dim=1):
        phi = features(block, covariance)  # [F, b]
        log_joint = weights @ phi  # [K, b]
        highest = log_joint.amax(0)  # [b]: without it exp(-1000) would be 0, and log p minus infinity
        share = (log_joint - highest).exp()  # [K, b], between 0 and 1
        total = share.sum(0)  # [b], at least 1
        log_likelihood += (highest + total.log()).sum()
        r = one_hot(log_joint.argmax(0), len(weights)).T.to(x.dtype) if hard else share / total  # [K, b], eq. (1)
        moments += r @ phi.T
    return moments / x.shape[1], log_likelihood / x.shape[1]


def maximise(moments: Tensor, extra: Tensor, shrinkage: float, covariance: str) -> tuple[Tensor, Tensor, Tensor]:
    """The M step: 1/n sum_i r_ik phi(x_i) [K, F], s T + e I [D, D] -> pi [K], mu [K, D] and the spread: Sigma [K, D, D], or the
    variances [K, D] ("diag") or [K, 1] ("spherical")."""
    dim = len(extra)
    pi = moments[:, -1].clamp_min(LEAST)  # [K], eq. (2)
    mean = moments[:, -1 - dim : -1] / pi[:, None]  # [K, D], eq. (2)
    products = moments[:, : -1 - dim]  # [K, F - D - 1]
    total = (pi + shrinkage)[:, None]  # [K, 1]
    if covariance == "full":
        i, j = torch.triu_indices(dim, dim, device=mean.device)
        scatter = products.new_zeros(len(pi), dim, dim)
        scatter[:, i, j] = scatter[:, j, i] = products
        scatter = scatter - pi[:, None, None] * mean[:, :, None] * mean[:, None]  # [K, D, D]
        return pi, mean, (scatter + extra) / total[:, None]  # eq. (3)
    square, extra = pi[:, None] * mean.square(), extra.diagonal()  # [K, D], [D]
    if covariance == "spherical":
        square, extra = square.sum(1, keepdim=True), extra.sum()  # one variance: the mean over the dimensions
        total = total * dim
    return pi, mean, (products - square + extra) / total  # eq. (3)


def kmeans_plus_plus(x: Tensor, k: int) -> Tensor:
    """First means: k rows of x [B, D], each drawn far from those before it -> [k, D]."""
    chosen = [x[torch.randint(len(x), (1,), device=x.device)]]
    distance = x.new_full((len(x),), torch.inf)
    while len(chosen) < k:
        distance = torch.minimum(distance, (x - chosen[-1]).square().sum(1))  # [B], squared, to the nearest so far
        even = torch.where(distance.sum() > 0, distance, 1.0)  # fewer different rows than k
        chosen.append(x[torch.multinomial(even, 1)])
    return torch.cat(chosen)


def roots(spread: Tensor, pi: Tensor, mean: Tensor) -> Tensor:
    """L of each Sigma, [K, D, D], or the standard deviations, [K, D] or [K, 1].

    Raises:
        FloatingPointError: one is singular, as far as the precision tells: its component has collapsed.
    """
    if spread.dim() == 3:
        root, failed = torch.linalg.cholesky_ex(spread)
        left, size = root.diagonal(dim1=1, dim2=2).square(), mean.square() + spread.diagonal(dim1=1, dim2=2)  # [K, D]
    else:
        root, failed = spread.clamp_min(0).sqrt(), torch.zeros_like(pi)
        left, size = spread, mean.square() + spread  # size: the mean of x_j^2, of which the variance is what is left
        size = size if spread.shape == mean.shape else size.mean(1, keepdim=True)
    failed = (failed > 0) | (left <= 100 * torch.finfo(mean.dtype).eps * size).any(1)  # nothing left but rounding
    if failed.any():
        k = int(failed.nonzero()[0])
        raise FloatingPointError(
            f"component {k} has collapsed: with the share {pi[k].item():.2g} of the rows its covariance is singular, and the "
            "likelihood grows without bound: use a larger ridge (above 0, far below the variance of x) or fewer components"
        )
    return root


def penalty(root: Tensor, extra: Tensor, shrinkage: float) -> Tensor:
    """1/2 sum_k [s log|Sigma_k| + tr(Sigma_k^-1 (s T + e I))], from root as `roots` and s T + e I: a scalar, in nats a row."""
    if root.dim() == 3:
        log_root = root.diagonal(dim1=1, dim2=2).log().sum()
        trace = (torch.cholesky_inverse(root) * extra).sum()
    else:
        log_root = root.log().expand(-1, len(extra)).sum()
        trace = (extra.diagonal() / root.square()).sum()
    return shrinkage * log_root + 0.5 * trace


def climb(model: "GaussianMixture", x: Tensor, max_iter: int, tol: float, init: str | Tensor, seed: int, bar: bool) -> History:
    """`GaussianMixture.fit_em`. The model changes at the end, or not at all."""
    kind, s = model.covariance, model.shrinkage
    x = x.to(model.mean.device, torch.float32 if model.mean.device.type == "mps" else torch.float64)
    centre = x.mean(0)  # [D]
    x = (x - centre).T.contiguous()  # [D, n]
    extra = model.extra().to(x)  # s T + e I, [D, D]
    if isinstance(init, str) and init == "current":
        pi, mean, root = model.weights.to(x), model.mean.to(x) - centre, model.root().to(x)
    else:
        with seeded(seed):
            mean = kmeans_plus_plus(x.T, model.components) if isinstance(init, str) else init.to(x) - centre
        root = model.root()
        unit = torch.eye(model.dim).expand_as(root) if kind == "full" else torch.ones_like(root)  # nearest = likeliest
        nearest, _ = expect(x, coefficients(torch.ones_like(mean[:, 0]), mean, unit.to(x), kind), kind, hard=True)
        pi, mean, spread = maximise(nearest, extra, s, kind)
        root = roots(spread, pi, mean)

    history = History({"em": []}, {"log_likelihood": []})
    for step in (steps := trange(max_iter + 1, disable=not bar)):
        moments, log_likelihood = expect(x, coefficients(pi, mean, root, kind), kind)
        history.watched["log_likelihood"].append(log_likelihood.item())
        history.losses["em"].append((penalty(root, extra, s) - log_likelihood).item())
        steps.set_postfix(loss=f"{history.losses['em'][-1]:.3f}")
        if step == max_iter or (step > 0 and history.losses["em"][-2] - history.losses["em"][-1] < tol):
            break
        pi, mean, spread = maximise(moments, extra, s, kind)
        root = roots(spread, pi, mean)
    model.assign(pi, mean + centre, root)
    return history
