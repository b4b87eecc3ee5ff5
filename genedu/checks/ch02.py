"""Checks of the exercises of chapter 2, density and mixtures: 2 + 3 + 2 + 3 = 10 points."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.nn.functional import one_hot

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.checks.collapsed_fits import collapsed
from genedu.core import seeded
from genedu.handle import Handle, Value

ANSWERS = ("density/em.py", "density/gaussian_mixture.py")  # not there while students are graded
HARD = Mistake("hard decision", "every row goes to its likeliest component alone: EM shares it out")


def responsibilities(handle: Handle) -> list[Outcome]:
    """02.1: log_joint [B, K] -> r [B, K]."""
    with seeded(handle.seed):
        rows = 1.5 * torch.randn(5, 4, dtype=torch.float64) - 2.0  # [B, K]

    def ask(joint: Tensor, tolerance: float) -> Mistake | None:
        got, joint = handle.call({"log_joint": joint}), joint.double()
        near = (joint - joint.amax(-1, keepdim=True)).exp()
        right = near / near.sum(-1, keepdim=True)  # [B, K]; only ratios in a row count
        k, table = joint.shape[1], joint.flatten().softmax(0).reshape_as(joint)
        mistakes = {
            Mistake("wrong axis", "it is the columns that add up to 1: which axis holds the components?"): joint.softmax(0),
            Mistake("whole table", "the whole table adds up to 1: every row is a question of its own"): table,
            Mistake("logarithm returned", "these are logarithms of the answer: probabilities are wanted"): right.log(),
            Mistake("not normalised", "this is what stands above the line of eq. (2): what is below it?"): joint.exp(),
            Mistake("normalised twice", "rows add up to 1, but are too even: is it done twice?"): right.softmax(-1),
            HARD: one_hot(joint.argmax(-1), k),
            Mistake("uniform", "every component gets the same: the input is not used"): torch.full_like(joint, 1 / k),
        }
        return diagnose(got, right, mistakes, "take one row, K = 2, and compute eq. (2) by hand", tolerance=tolerance)

    def far_out() -> Mistake | None:
        far = torch.tensor([1e4, -1e4, -2e4, -1e4])[:, None] + rows[:4].float()
        far[3, 1], far[3, 2] = -1.4e4, -1.3e4  # components far from one another
        got = tensor(handle.call({"log_joint": far}), (4, 4)).double()
        fine = torch.isfinite(got).all(-1).tolist()
        if fine == [True, False, False, False]:
            return Mistake("one shift for all rows", "only the row with the largest densities survives: look at the others")
        if fine == [True, True, True, False]:
            return Mistake("shift too small", "it fails where the components of a row lie thousands of nats apart: what is left?")
        if close(got[1:3], torch.full((2, 4), 0.25)) or close(got[1:3], torch.zeros(2, 4)):
            return Mistake("small number added", "where all densities are 0 to the computer, only what you put in place is left")
        if not all(fine):
            return Mistake("underflow", "exp(-10000) is 0 and exp(10000) infinite to the computer: in what else can one compute?")
        return ask(far, 5e-3) or ask(far[:, :1], 5e-3)  # float32 at 10000 has steps of 0.001

    return [
        judge("they are those of eq. (2), on random rows", 1, lambda: ask(rows, 1e-4)),
        judge("they stay right at log densities of -10000 and +10000, in float32 and for K = 1", 1, far_out),
    ]


def m_step(handle: Handle) -> list[Outcome]:
    """02.2: (x [n, D], r [n, K], ridge) -> (pi [K], mean [K, D], covariance [K, D, D])."""

    def moments(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [K, D] and covariance [K, D, D] of the rows under each column of weights [n, K]."""
        mean = torch.stack([(w[:, None] * x).sum(0) / w.sum() for w in weights.T])
        return mean, torch.stack([((x - m).T * w) @ (x - m) / w.sum() for m, w in zip(mean, weights.T, strict=True)])

    def pi(got: Value, x: Tensor, r: Tensor, certain: Tensor, ridge: float) -> Mistake | None:
        mistakes = {
            Mistake("counts for shares", "pi adds up to the number of rows: shares are wanted"): r.sum(0),
            HARD: certain.mean(0),
        }
        return diagnose(got, r.mean(0), mistakes, "add up one column of r by hand", what="pi")

    def mean(got: Value, x: Tensor, r: Tensor, certain: Tensor, ridge: float) -> Mistake | None:
        total, everyone = r.T @ x, x.mean(0).expand(r.shape[1], -1)
        mistakes = {
            Mistake("r not used", "all components have the same mean: r plays no part"): everyone,
            Mistake("divided by n", "the means are drawn toward 0: how many rows does a component hold?"): total / len(x),
            Mistake("sums for means", "these are weighted sums: the weights of a mean must add up to 1"): total,
            Mistake("r twice", "sure rows weigh too much: does r come in twice?"): moments(x, r.square())[0],
            HARD: moments(x, certain)[0],
        }
        return diagnose(got, moments(x, r)[0], mistakes, "try it with responsibilities of 0 and 1 only", what="mean")

    def covariance(got: Value, x: Tensor, r: Tensor, certain: Tensor, ridge: float) -> Mistake | None:
        centre, spread = moments(x, r)  # [K, D], [K, D, D]
        rows, eye, away = r.sum(0)[:, None, None], torch.eye(x.shape[1], dtype=x.dtype), centre - x.mean(0)
        added, scatter, second = ridge * eye, rows * spread, spread + centre[:, :, None] * centre[:, None]
        common = spread + away[:, :, None] * away[:, None]
        plain = torch.stack([(x - c).T @ (x - c) / len(x) for c in centre])
        right, library = spread + added, spread + added * len(x) / rows
        mistakes = {
            Mistake("ridge forgotten", "the ridge is missing: what keeps it invertible for one row?"): spread,
            Mistake("ridge everywhere", "the ridge is also off the diagonal: look at eq. (4) once more"): spread + ridge,
            Mistake("ridge over pi", "that is the ridge of the library: eq. (4) has a simpler one"): library,
            Mistake("second moment", "no mean is subtracted: where the rows lie must not count"): second + added,
            Mistake("common centre", "the scatter is about one mean for all: each has its own"): common + added,
            Mistake("scatter over n", "each scatter is divided by n: whose rows are they?"): scatter / len(x) + added,
            Mistake("one row less", "the count of rows is one too small: eq. (4) has no such term"): scatter / (rows - 1) + added,
            Mistake("scatter not divided", "the scatter is a sum still: it grows with the rows"): scatter + added,
            Mistake("r left out", "every row counts the same in the scatter, whatever r says"): plain + added,
            Mistake("diagonal only", "the variances are right, how features vary together is lost"): right * eye,
            HARD: moments(x, certain)[1] + added,
        }
        return diagnose(got, right, mistakes, "take one component with two rows, and write out eq. (4)", what="covariance")

    def ask(test: Callable[..., Mistake | None], place: int) -> Mistake | None:
        for n, dim, k in ((7, 3, 2), (40, 2, 4)):
            with seeded(handle.seed):
                x, logits = 3 + 2 * torch.randn(n, dim).double(), torch.randn(n, k).double() + torch.linspace(-0.5, 0.5, k)
                ridge = 0.2 + 0.2 * torch.rand(()).item()
            logits[torch.arange(k), torch.arange(k)] = 4.0  # each component is the likeliest of some row
            r, certain = logits.softmax(-1), one_hot(logits.argmax(-1), k).double()  # [n, K]
            got = parts(handle.call({"x": x, "r": r, "ridge": ridge}), "pi", "mean", "covariance")
            if mistake := test(got[place], x, r, certain, ridge):
                return mistake
        return None

    tests = {"the weights pi are right": pi, "the means are right": mean, "the covariances are right, with ridge": covariance}
    return [judge(what, 1, partial(ask, test, place)) for place, (what, test) in enumerate(tests.items())]


def log_likelihood(handle: Handle) -> list[Outcome]:
    """02.3: (x [B, D], pi [K], mean [K, D], sigma [K]) -> mean of log p, nats a row."""
    with seeded(handle.seed):
        pi, sigma = (0.5 * torch.randn(3).double()).softmax(0), 0.5 + torch.rand(3).double()  # [K]
        mean, way = torch.randn(3, 3).double(), torch.randn(5, 3).double()  # [K, D], [B, D]
    x = mean[[0, 1, 2, 1, 2]] + 0.4 * way  # every component is the likeliest of some row

    def exact(x: Tensor, pi: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
        normals = Independent(Normal(mean, sigma[:, None].expand(-1, 3)), 1)
        return MixtureSameFamily(Categorical(pi), normals).log_prob(x).mean()

    def ask(x: Tensor, pi: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
        return tensor(handle.call({"x": x, "pi": pi, "mean": mean, "sigma": sigma}), ()).double()

    def ordinary() -> Mistake | None:
        normal = Normal(mean, sigma[:, None]).log_prob(x[:, None]).sum(-1)  # [B, K]
        row, right = (pi.log() + normal).logsumexp(-1), exact(x, pi, mean, sigma)  # [B], []
        half, log, constant = -(x[:, None] - mean).square().sum(-1) / 2, sigma.log(), 0.5 * math.log(2 * math.pi)

        def mixed(log_normal: Tensor) -> Tensor:
            return (pi.log() + log_normal).logsumexp(-1).mean()

        alone, bound = normal.logsumexp(-1).mean(), (pi * normal).sum(-1).mean()
        one, linear = mixed(normal + 2 * (log + constant)), mixed(half / sigma - 3 * (log + constant))
        mistakes = {
            Mistake("sum for mean", "the rows are added up: nats a row are wanted"): row.sum(),
            Mistake("sign turned", "the sign is turned: this is a loss"): -right,
            Mistake("bits", "these are bits: nats are wanted"): right / math.log(2),
            Mistake("no logarithm", "this is an average density, no logarithm of one"): row.exp().mean(),
            Mistake("logarithm last", "you take the logarithm of the average density"): row.exp().mean().log(),
            Mistake("per dimension", "you divide by the number of features: nats a row are wanted"): right / 3,
            Mistake("largest only", "one component a row counts: the others add density"): (pi.log() + normal).amax(-1).mean(),
            Mistake("bound", "logarithms are averaged over components: it is densities that add up"): bound,
            Mistake("weights dropped", "the weights play no part: p integrates to K"): alone,
            Mistake("equal weights", "every component counts the same"): alone - math.log(3),
            Mistake("one dimension", "what stands before the exponential belongs to one feature; there are D"): one,
            Mistake("sigma of one dimension", "sigma stands once before the exponential: count"): mixed(normal + 2 * log),
            Mistake("2 pi of one dimension", "2 pi counts for one feature: there are D"): right + 2 * constant,
            Mistake("2 pi dropped", "2 pi plays no part: does the density integrate to 1?"): right + 3 * constant,
            Mistake("sigma dropped", "a narrow Gaussian must be higher than a wide one"): mixed(normal + 3 * log),
            Mistake("not normalised", "what stands before the exponential is missing"): mixed(half / sigma**2),
            Mistake("sigma as variance", "sigma is no variance, you take it for one"): exact(x, pi, mean, sigma.sqrt()),
            Mistake("sigma once", "look at the power of sigma in the exponent"): linear,
            Mistake("half forgotten", "the exponent is twice what it should be"): mixed(normal + half / sigma**2),
        }
        return diagnose(ask(x, pi, mean, sigma), right, mistakes, "take one row at the centre of one Gaussian, and D = 1")

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for ordinary rows")
        far = mean[:1] + 100 * way / way.norm(dim=-1, keepdim=True)
        if torch.isnan(got := ask(far, pi, mean, sigma)):
            return Mistake("0 log 0", "it is nan far from the data: where do you multiply 0 by an infinite logarithm?")
        if torch.isinf(got):
            return Mistake("underflow", "p(x) is 0 to the computer and its logarithm infinite: in what else can one add up?")
        if got > -760:  # log of the smallest number above 0 is -745
            return Mistake("density clamped", "far rows score better than they should: has something been added or clamped?")
        if mistake := diagnose(got, exact(far, pi, mean, sigma), {}, "right near the data, wrong far away", tolerance=1e-5):
            return mistake
        lost = mean[:1] + torch.tensor([100.0, 0, 0])  # a narrow component of weight 0 stands on the rows
        x, rest = lost + 1e-3 * way, pi[1:] / pi[1:].sum()
        tight, right = torch.cat([torch.tensor([1e-3]), sigma[1:]]), exact(x, rest, mean[1:], sigma[1:])
        if not torch.isfinite(got := ask(x, torch.cat([0 * pi[:1], rest]), torch.cat([lost, mean[1:]]), tight)):
            return Mistake("weight 0", "it is nan or infinite where a weight is 0: such a component must count in no step")
        if got > right + 1:
            return Mistake("weight not 0", "a component of weight 0 still explains the rows: has its weight been rounded up?")
        return diagnose(got, right, {}, "leave a component of weight 0 out: nothing may change", tolerance=1e-5)

    return [
        judge("it is eq. (5) on random rows", 1, ordinary),
        judge("it stays right where p(x) is below 1e-400 and where a weight is 0", 1, extreme),
    ]


QUESTIONS = {"02.1": responsibilities, "02.2": m_step, "02.3": log_likelihood, "02.4": collapsed}
