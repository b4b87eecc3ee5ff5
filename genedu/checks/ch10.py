"""Checks of the exercises of chapter 10, generative adversarial networks: 3 + 3 + 2 + 2 = 10 points."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.checks.training_logs import diagnosis
from genedu.core import seeded
from genedu.handle import Argument, Fixture, Handle

ANSWERS = ("adversarial/losses.py", "adversarial/gan.py", "adversarial/packed_gan.py")  # not there while students are graded
NAMES = ("G's weight", "G's bias", "D's weight", "D's bias")
OLD = 0.7  # what an earlier round has left in every .grad


def two_losses(handle: Handle) -> list[Outcome]:
    """10.1: (real [B], fake [N]) -> the discriminator's loss, the generator's non-saturating loss."""
    with seeded(handle.seed):
        real, fake = 1.5 * torch.randn(6).double() + 0.7, 1.5 * torch.randn(4).double() - 0.6

    def right(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = real.double(), fake.double()
        return -logsigmoid(real).mean() - logsigmoid(-fake).mean(), -logsigmoid(fake).mean()

    def ask(place: int) -> Mistake | None:
        got = parts(handle.call({"real": real, "fake": fake}), "loss_d", "loss_g")[place]
        (d, g), p, q = right(real, fake), real.sigmoid(), fake.sigmoid()
        if place == 0:
            mistakes = {
                Mistake("sigmoid twice", "the logits are squashed twice: this loss cannot come near 0"): sum(right(p, q)[:1]),
                Mistake("value, not loss", "the discriminator climbs this: what does an optimiser do with a loss?"): -d,
                Mistake("data and samples exchanged", "who is called real here, the data or the samples?"): right(fake, real)[0],
                Mistake("samples called real", "its second term rewards D for believing the samples"): -p.log().mean()
                - q.log().mean(),
                Mistake("sign of the second term", "log(1 - D) is taken off: look at the signs of (1)"): -p.log().mean()
                + (1 - q).log().mean(),
                Mistake("added up over rows", "it grows with the number of rows: (1) averages"): -p.log().sum()
                - (1 - q).log().sum(),
                Mistake("one mean over all", "data and samples are averaged together: (1) averages each by itself"): (
                    -(p.log().sum() + (1 - q).log().sum()) / (len(p) + len(q))
                ),
                Mistake("halved", "it is half of what (1) says"): d / 2,
                Mistake("data only", "the samples play no part"): -p.log().mean(),
                Mistake("samples only", "the data play no part"): -(1 - q).log().mean(),
                Mistake("no logarithm", "probabilities are averaged, where are the logarithms?"): -p.mean() - (1 - q).mean(),
                Mistake("bits", "the logarithm is to base 2: nats are wanted"): d / math.log(2),
            }
            return diagnose(got, d, mistakes, "take one row each with logit 0: what must come?", what="loss_d")
        mistakes = {
            Mistake("sigmoid twice, generator", "the samples' logits are squashed twice"): -logsigmoid(q).mean(),
            Mistake("saturating", "this is the loss of Algorithm 1: (2) is the other one"): (1 - q).log().mean(),
            Mistake("saturating, turned", "so the generator helps the discriminator"): -(1 - q).log().mean(),
            Mistake("sign turned", "where D believes the samples this loss is high: should it be?"): q.log().mean(),
            Mistake("generator added up", "it grows with the number of samples: (2) averages"): -q.log().sum(),
            Mistake("looks at data", "the generator's loss knows samples only"): -p.log().mean(),
            Mistake(
                "probability averaged", "D is averaged, then comes the logarithm: (2) has it the other way round"
            ): -q.mean().log(),
            Mistake("zero-sum", "the generator does not descend minus the discriminator's loss in (2)"): -d,
        }
        return diagnose(got, g, mistakes, "take one sample with logit 0: what must come?", what="loss_g")

    def extreme() -> Mistake | None:
        if ask(0) or ask(1):
            return Mistake("not yet", "judged once both are right for ordinary logits")
        for sign in (1.0, -1.0):
            far = sign * torch.tensor([200.0, 1e4, 90.0]), -sign * torch.tensor([1e4, 300.0])
            got = parts(handle.call({"real": far[0], "fake": far[1]}), "loss_d", "loss_g")
            for value, want, what in zip(got, right(*far), ("loss_d", "loss_g"), strict=True):
                value = tensor(value, (), what).double()
                if not torch.isfinite(value):
                    return Mistake("overflow", "at logits of 10000 it is nan or infinite: exp of them is infinite, 1 - D is 0")
                if value < want - 1:
                    return Mistake("clamped", "a D that is wrong and sure must pay what its logit says: something is cut off")
                if not close(value, want, 1e-3):
                    return Mistake("", "right for ordinary logits, wrong for large ones")
        return None

    return [
        judge("the discriminator's loss is minus the value, in nats", 1, lambda: ask(0)),
        judge("the generator's loss is the non-saturating one", 1, lambda: ask(1)),
        judge("both stay right at logits of 10000 and -10000, in float32", 1, extreme),
    ]


def training_step(handle: Handle) -> list[Outcome]:
    """10.2: (generator, discriminator, x [m, F], z_d [m, Z], z_g [m, Z], lr) -> the four weights after a round."""
    with seeded(handle.seed):
        weights = [torch.randn(*s).double() for s in ((3, 2), (3,), (1, 3), (1,))]
        x, z_d, z_g = torch.randn(8, 3).double() + 1, torch.randn(8, 2).double(), torch.randn(8, 2).double()
        lr = 0.3 + 0.2 * torch.rand(()).item()

    def losses(w: list[Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
        fake = (z @ w[0].T + w[1]) @ w[2].T + w[3]
        real = x @ w[2].T + w[3]
        return -logsigmoid(real).mean() - logsigmoid(-fake).mean(), -logsigmoid(fake).mean()

    def slopes(w: list[Tensor], z: Tensor, whose: int) -> list[Tensor]:
        w = [v.clone().requires_grad_() for v in w]
        return [
            torch.zeros_like(v) if s is None else s
            for v, s in zip(w, torch.autograd.grad(losses(w, z)[whose], w, allow_unused=True), strict=True)
        ]

    def moved(w: list[Tensor], slope: list[Tensor], who: str, rate: float) -> list[Tensor]:
        movers = {"g": (0, 1), "d": (2, 3), "all": (0, 1, 2, 3)}[who]
        return [v - rate * s if i in movers else v for i, (v, s) in enumerate(zip(w, slope, strict=True))]

    after_d = moved(weights, slopes(weights, z_d, 0), "d", lr)
    right = moved(after_d, slopes(after_d, z_g, 1), "g", lr)
    leak = slopes(weights, z_d, 0)[:2]  # what reaches the generator if nothing is cut

    def flat(w: list[Tensor]) -> Tensor:
        return torch.cat([v.flatten() for v in w])

    def ask(who: str) -> Mistake | None:
        given: dict[str, Argument] = {"x": x, "z_d": z_d, "z_g": z_g, "lr": lr}
        nets: dict[str, Argument] = {
            "generator": Fixture("linear", {"weight": weights[0], "bias": weights[1], "old": OLD}),
            "discriminator": Fixture("linear", {"weight": weights[2], "bias": weights[3], "old": OLD}),
        }
        got = parts(handle.call({**nets, **given}), *NAMES)
        found = [tensor(v, tuple(w.shape), name).double() for v, w, name in zip(got, weights, NAMES, strict=True)]
        own = slice(0, 2) if who == "g" else slice(2, 4)
        both = slopes(after_d, z_g, 1)
        added = [a + b for a, b in zip(leak, both[:2], strict=True)] + both[2:]
        early = moved(weights, slopes(weights, z_g, 1), "g", lr)
        cases = {
            "d": {
                Mistake("discriminator did not move", "its weights are what they were"): weights,
                Mistake("discriminator climbs its loss", "D's loss is higher after its move: check the sign"): moved(
                    weights, slopes(weights, z_d, 0), "d", -lr
                ),
                Mistake("discriminator moves twice", "D moves again when G does: whose weights does that move change?"): (
                    moved(after_d, both, "d", lr)
                ),
                Mistake("generator first", "when D moves, G has moved already: who begins in Algorithm 1?"): moved(
                    early, slopes(early, z_d, 0), "d", lr
                ),
                Mistake("noise exchanged", "each move has its noise: which is D's?"): moved(
                    weights, slopes(weights, z_g, 0), "d", lr
                ),
                Mistake("learning rate ignored, D", "the move of D does not depend on lr"): moved(
                    weights, slopes(weights, z_d, 0), "d", 1.0
                ),
                Mistake("old gradient, D", "what an earlier round left in D's .grad counts in this move: what clears it?"): (
                    moved(weights, [s + OLD for s in slopes(weights, z_d, 0)], "d", lr)
                ),
            },
            "g": {
                Mistake("generator did not move", "its weights are what they were: does a gradient arrive there?"): weights,
                Mistake("no detach", "a gradient of D's loss has reached G, and counts in its move"): moved(
                    after_d, added, "g", lr
                ),
                Mistake("moved by both", "G moves down D's loss as well: who moves when?"): moved(
                    leaked := moved(weights, slopes(weights, z_d, 0), "all", lr), slopes(leaked, z_g, 1), "g", lr
                ),
                Mistake("old discriminator", "G moves against the D of before: Algorithm 1 takes turns"): early,
                Mistake("generator climbs its loss", "D believes the samples less after G's move: check the sign"): moved(
                    after_d, both, "g", -lr
                ),
                Mistake("noise of the other step", "each move has its noise: which is G's?"): moved(
                    after_d, slopes(after_d, z_d, 1), "g", lr
                ),
                Mistake("learning rate ignored, G", "the move of G does not depend on lr"): moved(after_d, both, "g", 1.0),
                Mistake("old gradient, G", "what an earlier round left in G's .grad counts in this move: what clears it?"): (
                    moved(after_d, [s + OLD for s in both], "g", lr)
                ),
            },
        }[who]
        mistakes = {m: flat(w[own]) for m, w in cases.items()}
        hint = "do it for one row and one weight by hand: which loss, which slope, which sign?"
        return diagnose(flat(found[own]), flat(right[own]), mistakes, hint, what="the weights of " + ("G" if who == "g" else "D"))

    def both() -> Mistake | None:
        return Mistake("not yet", "judged once D's move is right") if ask("d") else ask("g")

    return [
        judge("the discriminator has made its step, and no more", 1, lambda: ask("d")),
        judge("then the generator has made its own, and the discriminator's loss has not touched it", 2, both),
    ]


def best_discriminator(handle: Handle) -> list[Outcome]:
    """10.3: (x [N], mean_p, sigma_p, mean_q, sigma_q) -> D*(x) [N]."""
    with seeded(handle.seed):
        x = 1.5 * torch.randn(7).double()
        mean_p, mean_q = (torch.randn(2) + torch.tensor([0.8, -0.8])).tolist()
        sigma_p, sigma_q = (torch.rand(2) * 0.5 + torch.tensor([0.6, 1.5])).tolist()
    given = {"mean_p": mean_p, "sigma_p": sigma_p, "mean_q": mean_q, "sigma_q": sigma_q}

    def logs(x: Tensor, sigma_p: float = sigma_p, sigma_q: float = sigma_q) -> tuple[Tensor, Tensor]:
        return tuple(Normal(m, s).log_prob(x) for m, s in ((mean_p, sigma_p), (mean_q, sigma_q)))

    def near() -> Mistake | None:
        log_p, log_q = logs(x)
        p, q = log_p.exp(), log_q.exp()
        bare = ((x - mean_q) / sigma_q).square() / 2 - ((x - mean_p) / sigma_p).square() / 2
        squared = logs(x, sigma_p**0.5, sigma_q**0.5)
        mistakes = {
            Mistake("samples called real", "it is high where samples are and data are not"): q / (p + q),
            Mistake("ratio", "a probability cannot exceed 1, a ratio of densities can"): p / q,
            Mistake("logit", "this is the logit: what turns it into a probability?"): log_p - log_q,
            Mistake("squashed the ratio", "the ratio is squashed: its logarithm is the logit"): (p / q).sigmoid(),
            Mistake("width left out of the density", "a wide Gaussian is a low one: what stands before its exponential?"): (
                bare.sigmoid()
            ),
            Mistake("sigma for its square", "sigma is a standard deviation, you took it for a variance"): (
                (squared[0] - squared[1]).sigmoid()
            ),
            Mistake("logarithms in the fraction", "densities stand in the fraction, not their logarithms"): log_p
            / (log_p + log_q),
            Mistake("difference", "the difference of densities is no probability"): p - q,
            Mistake("blind", "this D cannot tell anything: does your answer use x?"): torch.full_like(x, 0.5),
            Mistake("data alone", "this is the density of data: samples play no part"): p,
            Mistake("mean of both", "this is the density of the mixture"): (p + q) / 2,
            Mistake("verdict without doubt", "it is 0 or 1: a probability is wanted"): (p > q).double(),
        }
        hint = "where the two densities cross it must be 1/2: is yours?"
        return diagnose(handle.call({"x": x, **given}), p / (p + q), mistakes, hint)

    def far() -> Mistake | None:
        if near():
            return Mistake("not yet", "judged once it is right near the data")
        places = torch.tensor([-1e4, -300.0, 60.0, 300.0, 1e4]).double()
        for p_wide in (False, True):
            pair = {"sigma_p": sigma_q, "sigma_q": sigma_p} if p_wide else {"sigma_p": sigma_p, "sigma_q": sigma_q}
            log_p, log_q = logs(places, **pair)
            got = tensor(handle.call({"x": places, **given, **pair}), (5,)).double()
            if not torch.isfinite(got).all():
                return Mistake("0 / 0", "far away both densities are 0 to the computer, their ratio is not")
            if not close(got, (log_p - log_q).sigmoid()):
                return Mistake("small number added", "far from both it forgets which of the two is wider: what did you add?")
        return None

    return [
        judge("it is the best discriminator near the data", 1, near),
        judge("it stays right where both densities are 0 to the computer", 1, far),
    ]


QUESTIONS = {"10.1": two_losses, "10.2": training_step, "10.3": best_discriminator, "10.4": diagnosis}
