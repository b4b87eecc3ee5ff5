"""Checks of the exercises of chapter 12, conditional GANs: 4 + 3 + 3 = 10 points."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.core import seeded
from genedu.handle import Argument, CallFailed, Handle

ANSWERS = ("adversarial/semi_supervised_gan.py", "adversarial/conditional_gan.py")  # not there while students are graded


def verdict(handle: Handle) -> list[Outcome]:
    """12.1: logits [B, K] -> log D [B], log(1 - D) [B], p(class | data) [B, K]."""
    with seeded(handle.seed):
        logits = 1.2 * torch.randn(5, 3).double() - 0.4
    names = ("log_d", "log_not_d", "p_class")

    def answer(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the softmax over K + 1 logits, the last of them 0."""
        log_p = torch.cat([logits, torch.zeros_like(logits[:, :1])], 1).log_softmax(1)  # [B, K+1]
        return log_p[:, :-1].logsumexp(1), log_p[:, -1], logits.softmax(1)

    def source() -> Mistake | None:
        got = parts(handle.call({"logits": logits}), *names)
        log_d, log_not, _ = answer(logits)
        z, k = logits.exp().sum(1), logits.shape[1]

        def both(d: Tensor) -> tuple[Tensor, Tensor]:
            return d.log(), (1 - d).log()

        mistakes = {
            Mistake("logits added up", "the K logits are added up: it is their exponentials that are"): both(
                logits.sum(1).sigmoid()
            ),
            Mistake("largest only", "only the largest logit counts: the sum in a softmax has K + 1 terms"): both(
                logits.amax(1).sigmoid()
            ),
            Mistake("mean of the classes", "with every class that is added, D must rise"): both(z / (z + k)),
            Mistake("logits averaged", "the logits are averaged: the softmax adds up their exponentials"): both(
                logits.mean(1).sigmoid()
            ),
            Mistake("Z as a logit", "Z is already an exponential: a sigmoid takes its exponential once more"): both(z.sigmoid()),
            Mistake("independent classes", "a sigmoid for each class: a row is of one class out of K + 1"): both(
                1 - (1 - logits.sigmoid()).prod(1)
            ),
            Mistake("last logit is 1", "the logit of class K + 1 is 0: what is its exponential?"): both(z / (z + torch.e)),
            Mistake("exchanged", "log D and log(1 - D) are exchanged: which one is near 0 where the logits are high?"): (
                log_not,
                log_d,
            ),
            Mistake("no logarithm", "these are probabilities: their logarithms are wanted"): (log_d.exp(), log_not.exp()),
            Mistake("sign turned", "a logarithm of a probability is at most 0"): (-log_d, -log_not),
        }
        for mistake, (d, not_d) in mistakes.items():
            if close(got[0], d) and close(got[1], not_d):
                return mistake
        if close(got[0], torch.zeros(5).double(), 1e-6):
            return Mistake("K classes only", "D is 1 in every row: the softmax must have K + 1 classes")
        hint = "take K = 1: what is D then? You know it by another name"
        return diagnose(got[0], log_d, {}, hint, what="log_d") or diagnose(
            got[1], log_not, {}, "log_d is right, log_not_d is not: D and 1 - D add up to 1", what="log_not_d"
        )

    def classes(logits: Tensor = logits, tolerance: float = 1e-4) -> Mistake | None:
        got = parts(handle.call({"logits": logits}), *names)
        right = answer(logits)[2]
        all_of_them = torch.cat([logits, torch.zeros_like(logits[:, :1])], 1).softmax(1)
        return diagnose(
            got[2],
            right,
            {
                Mistake("not given data", "the classes do not add up to 1: given that the row is data, they must"): all_of_them[
                    :, :-1
                ],
                Mistake("class K + 1 kept", "K numbers a row are wanted: that of class K + 1 does not belong here"): all_of_them,
                Mistake("log probabilities", "these are logarithms: p_class holds probabilities"): right.log(),
                Mistake("a sigmoid each", "a sigmoid for each class does not make them add up to 1"): logits.sigmoid(),
                Mistake("wrong axis", "it is the columns that add up to 1: which axis holds the classes?"): logits.softmax(0),
                Mistake("hard decision", "the row is given to one class for sure: probabilities are wanted"): one_hot(
                    logits.argmax(1), logits.shape[1]
                ),
                Mistake("exponentials", "these are exponentials of logits: divide by what they add up to"): logits.exp(),
                Mistake("softmax twice", "they add up to 1, but are too even: is it done twice?"): right.softmax(1),
            },
            "take K = 2 and two equal logits: what must both classes have?",
            what="p_class",
            tolerance=tolerance,
        )

    def extreme() -> Mistake | None:
        if source() or classes():
            return Mistake("not yet", "judged once all three are right for ordinary logits")
        far = torch.tensor([[100.0, -100, 3], [-100, -101, -100], [1000, 999, -1000], [-1000, -1000, -998], [0, -50, 0]])
        for case in (far, far[:, :1], far.double()):
            found = parts(handle.call({"logits": case}), *names)
            shapes = ((len(case),), (len(case),), tuple(case.shape))
            got = [tensor(g, shape, name).double() for g, shape, name in zip(found, shapes, names, strict=True)]
            if not all(torch.isfinite(g).all() for g in got):
                return Mistake(
                    "not stable",
                    "at logits of 100 or 1000 it is nan or infinite: which exponential is too much for the computer?",
                )
            for g, right, name in zip(got, answer(case.double()), names, strict=True):
                if not close(g, right, 1e-4):
                    return Mistake(
                        "cut off", f"far out {name} no longer follows the logits: was something clamped, or a small number added?"
                    )
        return None

    return [
        judge("log D and log(1 - D) are right, on random logits", 2, source),
        judge("the classes given data are right", 1, classes),
        judge("all stay right from -1000 to 1000, in float32 and for K = 1", 1, extreme),
    ]


def label(handle: Handle) -> list[Outcome]:
    """12.2: a module built from (dim, classes, hidden) that gives logits [B] for (x [B, D], y [B])."""
    dim, classes = 2, 3
    with seeded(handle.seed):
        w = {"body.weight": torch.randn(5, dim + classes), "body.bias": 0.5 * torch.randn(5)}
        w |= {"head.weight": torch.randn(1, 5), "head.bias": torch.randn(1)}
        x, y = torch.randn(6, dim), torch.tensor([2, 0, 1, 2, 1, 0])

    def built(hidden: int, weights: dict[str, Tensor], classes: int = classes) -> Handle:
        made = handle.build({"dim": dim, "classes": classes, "hidden": hidden})
        have = {name: list(v.shape) for name, v in made.weights().items()}
        want = {name: list(v.shape) for name, v in weights.items()}
        if have != want and have.get("body.weight") == [hidden, dim]:
            raise CallFailed("the network sees x alone: where does the label enter?", "no label")
        if have != want and have.get("body.weight") == [hidden, dim + 1]:
            raise CallFailed(
                "the network sees one number for the label: is class 2 twice class 1? See e_y in eq. (2)", "label as a number"
            )
        if have != want:
            hint = "its weights have other names or shapes than the text asks for: x and K places become `hidden` numbers"
            raise CallFailed(hint, "wrong weights")
        made.load(weights)
        return made

    def logits() -> Mistake | None:
        got = built(5, w).call({"x": x, "y": y})
        hot = one_hot(y, classes).float()

        def net(pair: Tensor, bend=torch.relu) -> Tensor:
            return (bend(pair @ w["body.weight"].T + w["body.bias"]) @ w["head.weight"].T + w["head.bias"])[:, 0]

        right = net(torch.cat([x, hot], 1))
        return diagnose(
            got,
            right,
            {
                Mistake(
                    "shape [B, 1]", "one number a row, [B]: beside logits of shape [B] a column would spread to a square"
                ): right[:, None],
                Mistake(
                    "probabilities", "these are probabilities: the loss has its sigmoid inside and wants logits"
                ): right.sigmoid(),
                Mistake("log probabilities", "these are logarithms of probabilities: logits are wanted"): logsigmoid(right),
                Mistake("label first", "in eq. (2) x stands before the label"): net(torch.cat([hot, x], 1)),
                Mistake("label ignored", "the label's places are always 0: it does not enter"): net(torch.cat([x, 0 * hot], 1)),
                Mistake("places of all rows", "the label's places are all 1: only place y of each row is"): net(
                    torch.cat([x, torch.ones_like(hot)], 1)
                ),
                Mistake("label as a number", "the label enters as a number, at each of its places: see e_y in eq. (2)"): net(
                    torch.cat([x, y[:, None].float().expand(-1, classes)], 1)
                ),
                Mistake("no bend", "without a bend in between, two layers are one"): net(torch.cat([x, hot], 1), lambda h: h),
                Mistake("another bend", "between the layers eq. (2) has a function: what does yours do with large numbers?"): net(
                    torch.cat([x, hot], 1), torch.tanh
                ),
                Mistake(
                    "another bend", "between the layers eq. (2) has a function: what does yours do with numbers below 0?"
                ): net(torch.cat([x, hot], 1), lambda h: torch.nn.functional.leaky_relu(h, 0.2)),
                Mistake("sign turned", "logits must be high for data: the sign is turned"): -right,
                Mistake("labels of others", "each row is judged with another row's label"): net(torch.cat([x, hot.flip(0)], 1)),
            },
            "set all weights but a few to 0, and compute eq. (2) by hand",
        )

    def swap() -> Mistake | None:
        """A unit for each class: relu(2 (-1)^k x_1 + 6 e_k - 6) fires for label k on its own side of x_1 = 0 alone."""
        side = torch.tensor([1.0, -1.0, 1.0])
        weight = torch.zeros(3, dim + 4)  # four classes, of which the last does not occur
        weight[:, 0], weight[:, dim:] = 2 * side, 6 * torch.eye(3, 4)
        made = built(
            3,
            {
                "body.weight": weight,
                "body.bias": torch.full((3,), -6.0),
                "head.weight": torch.ones(1, 3),
                "head.bias": torch.tensor([-1.0]),
            },
            classes=4,
        )
        y = torch.tensor([0, 1, 2, 1])
        x = torch.stack([side[y] * torch.tensor([1.0, 0.9, 1.2, 0.8]), torch.tensor([0.3, -2.0, 0.0, 1.0])], 1)
        swapped = torch.tensor([1, 0, 1, 2])
        own, other = (tensor(made.call({"x": x, "y": labels}), (4,)) for labels in (y, swapped))
        if not (own > other + 1).all():
            return Mistake("", "a row with the label of another class looks as much like data as with its own, or more")
        one = tensor(made.call({"x": x[1:2], "y": y[1:2]}), (1,), "the logit of a single row")
        if not close(one, own[1:2]):
            return Mistake("", "the verdict on a row must not depend on which rows stand beside it")
        return None

    return [
        judge("the logits are those of eq. (2), for weights that the check gives", 2, logits),
        judge("a swapped label makes a row look less like data, in a batch or alone", 1, swap),
    ]


def feature_matching(handle: Handle) -> list[Outcome]:
    """12.3: features of data [B, F] and of samples [N, F] -> (3), with a gradient to the samples alone."""
    with seeded(handle.seed):
        real, fake = torch.randn(6, 3).double(), 1.3 * torch.randn(4, 3).double()
        gap = torch.tensor([1.6, -0.8, 0.5]) + 0.1 * torch.randn(3)  # of either sign
        real += fake.mean(0) - real.mean(0) + gap
    given: dict[str, Argument] = {"real": real, "fake": fake}
    apart = real.mean(0) - fake.mean(0)  # [F]

    def value(real: Tensor = real, fake: Tensor = fake) -> Mistake | None:
        got, d = handle.call({"real": real, "fake": fake}), real.mean(0) - fake.mean(0)
        pairs = (real[:, None] - fake[None]).square().sum(2)  # [B, N]
        return diagnose(
            got,
            d.square().sum(),
            {
                Mistake(
                    "mean over features", "the squares of the F features are added up in eq. (3), not averaged"
                ): d.square().mean(),
                Mistake("root taken", "that is the distance: look at the 2 in eq. (3)"): d.norm(),
                Mistake("halved", "eq. (3) has no 1/2"): d.square().sum() / 2,
                Mistake("absolute values", "absolute values are added up: eq. (3) has squares"): d.abs().sum(),
                Mistake("difference summed", "a difference below 0 cancels one above 0: what makes all of them count?"): d.sum(),
                Mistake("sum squared", "the features are added up too early: each has a difference of its own"): d.sum().square(),
                Mistake(
                    "squares before the mean", "each row is compared with each other row: eq. (3) compares means"
                ): pairs.mean(),
                Mistake("sums over rows", "more rows must not count more: divide by what?"): (real.sum(0) - fake.sum(0))
                .square()
                .sum(),
                Mistake("squares averaged", "the features are squared before they are averaged"): (
                    (real.square().mean(0) - fake.square().mean(0)).sum()
                ),
                Mistake("wrong axis", "it is averaged over the features of a row: which axis holds the rows?"): (
                    real.mean() - fake.mean()
                ).square(),
                Mistake("sign turned", "the loss must be least where the means agree"): -d.square().sum(),
                Mistake("one number a feature", "one number is wanted: what does the norm do with the F features?"): d.square(),
            },
            "take F = 1, one row of data and one sample",
        )

    def arrives() -> Mistake | None:
        if value():
            return Mistake("not yet", "judged once the loss is right")
        slope = handle.gradient(given, of=["fake"])["fake"]
        if slope is None or close(slope, torch.zeros_like(fake)):
            return Mistake("no gradient", "nothing arrives at the samples: the generator would never move")
        right = (-2 * apart / len(fake)).expand_as(fake)
        return diagnose(slope, right, {}, "the gradient at the samples is not that of eq. (3)", what="the gradient")

    def stays_away() -> Mistake | None:
        if value():
            return Mistake("not yet", "judged once the loss is right")
        slope = handle.gradient(given, of=["real"])["real"]
        if slope is not None and not close(slope, torch.zeros_like(real)):
            return Mistake(
                "data not cut off", "a gradient reaches `real`: the features of data are a target, not something to move"
            )
        return None

    return [
        judge("it is eq. (3), for as many samples as there are", 1, lambda: value() or value(real[:1], fake)),
        judge("its gradient arrives at the samples", 1, arrives),
        judge("no gradient arrives at the data", 1, stays_away),
    ]


QUESTIONS = {"12.1": verdict, "12.2": label, "12.3": feature_matching}
