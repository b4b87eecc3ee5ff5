"""Checks of the exercises of chapter 7, variational autoencoders: 2 + 2 + 2 + 2 + 2 = 10 points."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from genedu.checks import Mistake, Outcome, diagnose, judge, parts, tensor
from genedu.checks.grey_runs import why_grey
from genedu.checks.importance_bounds import importance_bound
from genedu.checks.posterior_draws import sample_posterior
from genedu.core import seeded
from genedu.handle import Handle, Value

ANSWERS = (  # not there while students are graded
    "latent/vae.py",
    "latent/likelihoods.py",
    "latent/semi_supervised_vae.py",
    "latent/autoregressive_vae.py",
    "latent/ladder_vae.py",
)


def gaussian_kl(handle: Handle) -> list[Outcome]:
    """07.1: (mu_q, log_var_q, mu_p, log_var_p, each [B, Z]) -> KL(q || p) [B], nats."""

    def ask(*numbers: Tensor) -> Value:
        return handle.call(dict(zip(("mu_q", "log_var_q", "mu_p", "log_var_p"), numbers, strict=True)))

    def normal(mu: Tensor, log_var: Tensor) -> Normal:
        return Normal(mu.double(), (log_var.double() / 2).exp())

    def ordinary() -> Mistake | None:
        with seeded(handle.seed):
            mu_q, mu_p = 2 * torch.randn(2, 5, 3).double()  # [B, Z] each
            v, w = 0.3 + 2 * torch.rand(2, 5, 3).double()  # log variances, above 0 so that they can be mistaken
        q, p, standard = normal(mu_q, v), normal(mu_p, w), normal(0 * v, 0 * v)
        each = kl_divergence(q, p)  # [B, Z]
        right, square, ratio = each.sum(1), (mu_q - mu_p).square(), v - w

        def summed(without: Tensor, instead: Tensor | float = 0.0) -> Tensor:
            return (each - 0.5 * without + 0.5 * instead).sum(1)

        mistakes = {
            Mistake("sign turned", "a KL divergence is never negative: look at the signs"): -right,
            Mistake("averaged", "you average over the units: what do independent units do with their divergences?"): each.mean(1),
            Mistake("not added up", "the divergences of the single units are right, they have still to be put together"): each,
            Mistake("rows added", "the rows are added up, too: one number a row is wanted"): right.sum(),
            Mistake(
                "rows averaged", "an average over rows is the business of the loss: one number a row is wanted"
            ): right.mean(),
            Mistake("half forgotten", "every term is twice as large as it should be"): 2 * right,
            Mistake("bits", "these are bits: nats are wanted"): right / math.log(2),
            Mistake("other direction", "this is the divergence of p from q: under which of the two is the mean taken?"): (
                kl_divergence(p, q).sum(1)
            ),
            Mistake("standard normal", "p plays no part: its mean need not be 0 nor its variance 1"): (
                kl_divergence(q, standard).sum(1)
            ),
            Mistake("variance taken for its logarithm", "you take what is given for variances: they are logarithms of them"): (
                kl_divergence(Normal(mu_q, v.sqrt()), Normal(mu_p, w.sqrt())).sum(1)
            ),
            Mistake("log sigma", "you take what is given for logarithms of sigma: they are those of its square"): (
                kl_divergence(normal(mu_q, 2 * v), normal(mu_p, 2 * w)).sum(1)
            ),
            Mistake("distance in units of q", "which of the two widths says whether the means are far apart?"): summed(
                square / w.exp(), square / v.exp()
            ),
            Mistake("distance not scaled", "in other units of z the distance of the means would count differently"): summed(
                square / w.exp(), square
            ),
            Mistake("distance not squared", "the distance of the means comes in with the wrong power"): summed(
                square / w.exp(), square.sqrt() / (w / 2).exp()
            ),
            Mistake("means ignored", "the means play no part: put two equal Gaussians apart"): summed(square / w.exp()),
            Mistake("1 forgotten", "for q = p it is not 0"): summed(-torch.ones_like(v)),
            Mistake("no logarithms", "a q that is ever narrower must cost ever more: which term sees to that?"): summed(-ratio),
            Mistake("logarithms turned", "take q narrower than p, with equal means: which sign has the logarithm?"): summed(
                -ratio, ratio
            ),
            Mistake("ratio turned", "take q wider than p, with equal means: which variance stands below the line?"): summed(
                ratio.exp(), (-ratio).exp()
            ),
        }
        got = ask(mu_q, v, mu_p, w)
        if mistake := diagnose(got, right, mistakes, "take Z = 1 and solve (2) term by term: the logarithm of q/p has three"):
            return mistake
        return None

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for ordinary rows")
        v, w = torch.tensor([[-120.0, 0.3], [60.0, 0.1], [-60.0, -59.0]]), torch.tensor([[0.5, 0.0], [3.0, 0.2], [-60.0, -60.0]])
        mu = torch.tensor([[0.0, 1.0], [2.0, 0.5], [0.0, 0.0]])  # at variances of e^-60 equal means: else the distance is all
        right = kl_divergence(normal(mu, v), normal(0 * mu, w)).sum(1)
        got = tensor(ask(mu, v, 0 * mu, w), (3,))
        if not torch.isfinite(got).all():
            return Mistake(
                "logarithm of 0", "e^-120 is 0 in float32: why take the logarithm of what you have just exponentiated?"
            )
        return diagnose(got, right, {}, "wrong where a variance is tiny or huge: is something clamped or added?")

    return [
        judge("it is (2), on random rows", 1, ordinary),
        judge("it stays right for tiny and for huge variances, in float32", 1, extreme),
    ]


def elbo_and_loss(handle: Handle) -> list[Outcome]:
    """07.3: (logits [B, C, H, W], x [B, C, H, W] bits, kl [B, Z]) -> (ELBO [B], loss), nats."""

    def case(rows: int) -> tuple[Tensor, Tensor, Tensor]:
        with seeded(handle.seed):
            shape = rows, 2, 3, 4
            return 1.5 * torch.randn(shape) + 0.4, (torch.rand(shape) < 0.5).long(), 0.2 + 3 * torch.rand(rows, 5)

    def ask(z: Tensor, x: Tensor, kl: Tensor) -> tuple[Value, ...]:
        return parts(handle.call({"logits": z, "x": x, "kl": kl}), "elbo", "loss")

    def score(z: Tensor, x: Tensor) -> Tensor:
        """log p of each pixel [B, D], in double precision."""
        return Bernoulli(logits=z.double()).log_prob(x.double()).flatten(1)

    def ordinary() -> Mistake | None:
        z, x, kl = case(4)
        each, k = score(z, x), kl.double().sum(1)  # [B, D], [B]
        fit, pixels, p = each.sum(1), each.shape[1], z.double().sigmoid()
        right, flat = fit - k, x.flatten(1)
        mistakes = {
            Mistake("loss for ELBO", "this is a cost for each image: a bound on log p(x) is wanted"): -right,
            Mistake("pixels averaged", "you average over pixels: the KL then counts far too much beside them"): each.mean(1) - k,
            Mistake("units averaged", "you average over latent units: what do independent units do?"): fit - kl.double().mean(1),
            Mistake("all averaged", "you average over pixels and over units: then it bounds nothing"): each.mean(1)
            - kl.double().mean(1),
            Mistake("KL for each pixel", "the KL is taken off once for each pixel: there is one z for an image"): fit
            - pixels * k,
            Mistake("KL added", "the KL is a price: what is it to the ELBO?"): fit + k,
            Mistake("reconstruction turned", "an image that is explained worse gets a higher ELBO"): -fit - k,
            Mistake("KL forgotten", "the KL plays no part"): fit,
            Mistake("reconstruction forgotten", "the image plays no part"): -k,
            Mistake("squashed twice", "you take probabilities for logits: sigma is applied twice"): score(p, x).sum(1) - k,
            Mistake("not normalised", "you add up logits: over both values of a pixel nothing sums to 1"): (
                (flat * z.double().flatten(1)).sum(1) - k
            ),
            Mistake("zeros ignored", "only the ones count: a pixel that is 0 has a probability, too"): (flat * each).sum(1) - k,
            Mistake("x turned", "ones get what zeros should: the logit is that of which value?"): score(-z, x).sum(1) - k,
            Mistake("squared error", "this is a squared error: how likely is each pixel?"): (
                -(x - p).square().flatten(1).sum(1) - k
            ),
            Mistake("no logarithm", "you add up probabilities: (1) holds their logarithms"): each.exp().sum(1) - k,
            Mistake("bits", "these are bits: nats are wanted"): right / math.log(2),
            Mistake("images added", "the images are added up: each has an ELBO of its own"): right.sum(),
            Mistake("images averaged", "each image has an ELBO of its own: over the batch only the loss averages"): right.mean(),
            Mistake("not added up", "these are the terms of the pixels: what are independent pixels together?"): each.reshape(
                x.shape
            ),
        }
        elbo, loss = ask(z, x, kl)
        hint = "take one pixel with logit 0 and a KL of 0: what must come?"
        if mistake := diagnose(elbo, right, mistakes, hint, what="elbo"):
            return mistake
        wrong = {
            Mistake("loss turned", "the ELBO is right, but minimising this loss would lower it"): right.mean(),
            Mistake("loss added up", "the ELBO is right, but a larger batch would have a larger loss"): -right.sum(),
            Mistake("loss for each image", "the ELBO is right, but one number is wanted as the loss"): -right,
            Mistake("loss for each pixel", "the ELBO is right, but the loss is divided by the pixels"): -right.mean() / pixels,
            Mistake("loss without KL", "the ELBO is right, but in the loss the KL plays no part"): -fit.mean(),
        }
        return diagnose(loss, -right.mean(), wrong, "the ELBO is right: what does the batch make of it?", what="loss")

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for ordinary logits")
        _, x, kl = case(3)
        z = torch.where(x == 1, 1000.0, -1000.0)  # the decoder is sure of each pixel, and right
        z[1, 0, 1, 2], z[2] = -z[1, 0, 1, 2], -0.05 * z[2]
        right, (elbo, loss) = score(z, x).sum(1) - kl.double().sum(1), ask(z, x, kl)
        got = tensor(elbo, (3,), "elbo").double()
        if got.isnan().any():
            return Mistake("0 times infinity", "it is nan for logits of 1000: 0 times an infinite logarithm")
        if got.isinf().any():
            return Mistake("logarithm of 0", "sigma is 0 or 1 to the computer long before a logit of 1000: do without its value")
        if (got > right + 1).any():
            return Mistake("clamped", "impossible pixels cost too little: something is clamped or added")
        hint = "right for small logits, wrong for large ones"
        return diagnose(got, right, {}, hint) or diagnose(loss, -right.mean(), {}, hint, what="loss")

    return [
        judge("ELBO and loss are right, on random images", 1, ordinary),
        judge("they stay right for logits of 1000, in float32", 1, extreme),
    ]


QUESTIONS = {
    "07.1": gaussian_kl,
    "07.2": sample_posterior,
    "07.3": elbo_and_loss,
    "07.4": importance_bound,
    "07.5": why_grey,
}
