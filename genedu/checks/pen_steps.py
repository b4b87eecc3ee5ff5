"""The check of 05.4: the log density of a step of a pen, a mixture of correlated Gaussians and the end of the stroke."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal

from genedu.checks import Mistake, Outcome, close, diagnose, judge, tensor
from genedu.core import seeded
from genedu.handle import Handle

Case = dict[str, Tensor]
HALF = 0.5 * math.log(2 * math.pi)


def exact(x: Tensor, end: Tensor, logits: Tensor, mu: Tensor, sigma: Tensor, rho: Tensor, end_logit: Tensor) -> Tensor:
    """By torch's own distributions, the covariance given by its Cholesky factor: [B]."""
    s1, s2 = sigma.unbind(-1)  # [B, K] each
    below = torch.stack([rho * s2, (1 - rho.square()).sqrt() * s2], -1)  # [B, K, 2]
    factor = torch.stack([torch.stack([s1, torch.zeros_like(s1)], -1), below], -2)  # [B, K, 2, 2]
    steps = MixtureSameFamily(Categorical(logits=logits), MultivariateNormal(mu, scale_tril=factor, validate_args=False))
    return steps.log_prob(x) + Bernoulli(logits=end_logit).log_prob(end)


def pen_step(handle: Handle) -> list[Outcome]:
    """05.4: (x [B, 2], end [B], logits [B, K], mu, sigma [B, K, 2], rho [B, K], end_logit [B]) -> log p [B]."""

    def case(k: int) -> Case:
        with seeded(handle.seed):
            mu, sigma = torch.randn(6, k, 2).double(), 0.4 + torch.rand(6, k, 2).double()
            rho = (0.3 + 0.5 * torch.rand(6, k)).double() * (2 * torch.randint(2, (6, k)) - 1)
            logits, end_logit = torch.randn(6, k).double() + 1, torch.randn(6).double() + 0.5
            x = mu[:, 0] + sigma[:, 0] * torch.randn(6, 2)  # [B, 2]
        return {
            "x": x,
            "end": torch.tensor([0.0, 1, 1, 0, 1, 0]).double(),
            "logits": logits,
            "mu": mu,
            "sigma": sigma,
            "rho": rho,
            "end_logit": end_logit,
        }

    def ask(given: Case) -> Tensor:
        return tensor(handle.call({**given}), (6,)).double()

    def ordinary() -> Mistake | None:
        for k in (3, 1):
            given = case(k)
            got, right = ask(given), exact(**given)
            if close(got, right):
                continue
            x, end, logits, mu, sigma, rho, end_logit = given.values()
            z1, z2 = ((x[:, None] - mu) / sigma).unbind(-1)  # [B, K] each
            rest, size, weight = 1 - rho.square(), sigma.log().sum(-1), logits.log_softmax(-1)  # [B, K] each
            cross = z1.square() + z2.square() - 2 * rho * z1 * z2
            gauss = -cross / rest / 2 - size - rest.log() / 2 - 2 * HALF  # [B, K]
            stroke = Bernoulli(logits=end_logit).log_prob(end)  # [B]
            lifted = end * torch.nn.functional.logsigmoid(end_logit)  # [B]

            def mixed(log_normal: Tensor, *, weight: Tensor = weight, stroke: Tensor = stroke) -> Tensor:
                return (weight + log_normal).logsumexp(-1) + stroke

            plain, variance = exact(**(given | {"rho": 0 * rho})), exact(**(given | {"sigma": sigma.sqrt()}))
            bound, best = (weight.exp() * gauss).sum(-1) + stroke, (weight + gauss).amax(-1) + stroke
            mistakes = {
                Mistake("sign turned", "the sign is turned: this is a loss"): -right,
                Mistake("no logarithm", "this is a density, its logarithm is wanted"): right.exp(),
                Mistake("bits", "these are bits: nats are wanted"): right / math.log(2),
                Mistake("end forgotten", "the end of the stroke plays no part"): right - stroke,
                Mistake("end reversed", "the pen is lifted where it should stay down"): exact(**(given | {"end": 1 - end})),
                Mistake("lifted only", "a pen that stays down has a probability, too"): right - stroke + lifted,
                Mistake("end subtracted", "step and end are independent: what becomes of a product?"): right - 2 * stroke,
                Mistake("rho dropped", "rho plays no part"): plain,
                Mistake("rho turned", "it takes x1 and x2 to run against each other where they go together"): exact(
                    **(given | {"rho": -rho})
                ),
                Mistake("rho once", "how often does rho z1 z2 come in the exponent?"): mixed(gauss - rho * z1 * z2 / rest / 2),
                Mistake("exponent without rho", "correlation makes steps along its line likelier"): mixed(
                    gauss + cross / rest / 2 - cross / 2
                ),
                Mistake("half forgotten", "the exponent is twice what it should be"): mixed(gauss - cross / rest / 2),
                Mistake("front without rho", "a correlated Gaussian is narrower, so it must be higher"): mixed(
                    gauss + rest.log() / 2
                ),
                Mistake("root forgotten", "look at the power of 1 - rho^2 before the exponential"): mixed(gauss - rest.log() / 2),
                Mistake("sigma dropped", "a narrow Gaussian must be higher than a wide one"): mixed(gauss + size),
                Mistake("sigma twice", "look at the power of sigma before the exponential"): mixed(gauss - size),
                Mistake("sigma as variance", "sigma is no variance, you take it for one"): variance,
                Mistake("2 pi dropped", "2 pi plays no part: does the density integrate to 1?"): right + 2 * HALF,
                Mistake("2 pi of one dimension", "what stands below the line is that of one number; there are two"): right + HALF,
                Mistake("2 pi squared", "2 pi comes once too often"): right - 2 * HALF,
            }
            if k > 1:
                mistakes |= {
                    Mistake("weights not normalised", "the weights do not add up to 1"): mixed(gauss, weight=logits),
                    Mistake("weights dropped", "the components add up without their weights"): mixed(gauss, weight=0 * weight),
                    Mistake("equal weights", "every component counts the same"): mixed(gauss, weight=0 * weight - math.log(k)),
                    Mistake("bound", "logarithms are averaged over components: it is densities that add up"): bound,
                    Mistake("largest only", "one component a row counts: the others add density"): best,
                    Mistake("first only", "one and the same component counts in every row"): gauss[:, 0] + stroke,
                }
            if mistake := diagnose(got, right, mistakes, "take one row, K = 1, x at mu: what is left of eq. (6)?"):
                return mistake
        return None

    def extreme() -> Mistake | None:
        if not usual.holds:
            return Mistake("not yet", "judged once it is right for ordinary steps")
        given = case(3)
        sure = given | {"end_logit": torch.tensor([-1e3, 1e3, -1e3, 1e3, 50, -50]).double()}
        if not torch.isfinite(got := ask(sure)).all():
            return Mistake("end saturates", "a model that is sure about the end gives nan or infinity: compute from its logit")
        if mistake := diagnose(got, exact(**sure), {}, "wrong where the model is sure of the end: is a probability clamped?"):
            return mistake
        rho, along = 0.9999 * given["rho"].sign(), (given["x"] - given["mu"][:, 0])[:, 0] / given["sigma"][:, 0, 0]
        line = torch.stack([along, along * rho[:, 0] + 0.01], -1)  # [B, 2], in units of sigma
        bent = given | {"rho": rho, "x": given["mu"][:, 0] + given["sigma"][:, 0] * line}
        far = given | {"x": given["x"] + 200}
        lost = given | {"logits": given["logits"] + torch.tensor([0, -2000.0, -2000.0])}
        apart = 300 * torch.tensor([1.0, 0, 1])[:, None]  # [K, 1]: x is near the second component, and far from the others
        rare = given | {"mu": apart + given["x"][:, None] + 0 * given["mu"], "logits": given["logits"] + apart[:, 0] * 7}
        for what in (bent, far, lost, rare):
            got, right = ask(what), exact(**what)
            if not torch.isfinite(got).all():
                return Mistake("underflow", "far from every component p is 0 to the computer: in what else can one add up?")
            if what is rare and (got < right - 1).any():
                return Mistake("weight underflows", "a weight of e^-2000 is 0 to the computer: can one do without its value?")
            if (got > right + 1).any():
                return Mistake("density clamped", "unlikely steps score better than they should: is anything added or clamped?")
            if mistake := diagnose(got, right, {}, "right for ordinary steps, wrong far out or for rho near 1", tolerance=1e-5):
                return mistake
        return None

    usual = judge("it is the log of eq. (7) on random steps", 1, ordinary)
    return [
        usual,
        judge("it stays right far from the means, for rho = 0.9999 and where the end is certain", 1, extreme),
    ]
