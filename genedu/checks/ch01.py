"""Checks of the exercises of chapter 1, generative and discriminative models: 2 + 3 + 2 + 3 = 10 points."""

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import one_hot

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.checks.learning_curves import learning_curves
from genedu.core import seeded
from genedu.handle import CallFailed, Handle, Value

ANSWERS = (  # not there while students are graded
    *("density/gaussian_classifier.py", "density/naive_bayes.py"),
    *("density/logistic_regression.py", "density/labelled.py"),
)


def posterior(handle: Handle) -> list[Outcome]:
    """01.1: (log_likelihood [B, K], log_prior [K]) -> p(y|x) [B, K]."""

    def case(level: Tensor) -> tuple[Tensor, Tensor]:
        with seeded(handle.seed):
            classes = torch.randn(4, dtype=torch.float64)  # [K]
            rows = 1.5 * torch.randn(len(level), 4, dtype=torch.float64)  # [B, K]
        return rows + level[:, None], classes.log_softmax(-1)

    def ask(level: Tensor) -> Mistake | None:
        likelihood, prior = case(level)
        got = handle.call({"log_likelihood": likelihood, "log_prior": prior})
        near = (likelihood - likelihood.amax(-1, keepdim=True)).exp() * prior.exp()  # [B, K]; only ratios in a row count
        right, joint = near / near.sum(-1, keepdim=True), likelihood + prior
        mixed = likelihood + prior.exp()
        alone, table = likelihood.softmax(-1), joint.flatten().softmax(0).reshape_as(joint)
        mistakes = {
            Mistake("prior dropped", "the prior plays no part: what stands above the line of eq. (1) has two factors"): alone,
            Mistake("wrong axis", "it is the columns that add up to 1: which axis holds the classes?"): joint.softmax(0),
            Mistake("whole table", "the whole table adds up to 1: every row is a question of its own"): table,
            Mistake("logarithm returned", "these are logarithms of the answer: probabilities are wanted"): right.log(),
            Mistake("not normalised", "this is p(x, y): what stands below the line of eq. (1) is missing"): joint.exp(),
            Mistake("prior after normalising", "rows do not add up to 1: when does the prior come in?"): alone * prior.exp(),
            Mistake("prior not in logs", "the prior comes as a logarithm, you use it as none"): mixed.softmax(-1),
            Mistake("prior divided", "rare classes gain from the prior, they should lose"): (likelihood - prior).softmax(-1),
            Mistake("hard decision", "this names the likeliest class; its probability is wanted"): one_hot(joint.argmax(-1), 4),
            Mistake("uniform", "every class gets the same: the two inputs are not used"): torch.full_like(joint, 0.25),
        }
        return diagnose(got, right, mistakes, "take one row, K = 2, and compute eq. (1) by hand")

    def far_out() -> Mistake | None:
        likelihood, prior = case(level := torch.tensor([-5e3, -1e4, -2e4], dtype=torch.float64))
        got = tensor(handle.call({"log_likelihood": likelihood, "log_prior": prior}), (3, 4))
        if torch.isfinite(got[0]).all() and not torch.isfinite(got[1:]).any():
            return Mistake("one shift for all rows", "only the row with the largest densities survives: look at the others")
        if not torch.isfinite(got).all():
            return Mistake("underflow", "exp(-10000) is 0 in double precision too, and 0/0 is nan: in what else can one compute?")
        if close(got, torch.full_like(got, 0.25)) or close(got, torch.zeros_like(got)):
            return Mistake("small number added", "all densities are lost to rounding, only what you added or clamped is left")
        return ask(level)

    return [
        judge("it is Bayes' rule, on random rows", 1, lambda: ask(torch.zeros(5, dtype=torch.float64))),
        judge("it stays right where log densities are -10000", 1, far_out),
    ]


def naive_bayes_weights(handle: Handle) -> list[Outcome]:
    """01.2: (p1 [D], p0 [D], prior1) -> (w [D], b) with log-odds w.x + b for every binary x."""

    def case(dim: int) -> tuple[Tensor, Tensor, float]:
        with seeded(handle.seed):
            high, low = 0.55 + 0.4 * torch.rand(dim), 0.05 + 0.4 * torch.rand(dim)  # [D] each
            prior = 0.1 + 0.2 * torch.rand(()).item()
            swap = torch.rand(dim) < (0.5 if dim < 10 else 0.0)  # of thousands, all point one way: a product must underflow
        return torch.where(swap, low, high), torch.where(swap, high, low), prior

    def ask(dim: int) -> tuple[tuple[Value, ...], Tensor, Tensor, Tensor]:
        """What came, and the log odds of the prior, of each feature present and of each feature absent."""
        p1, p0, prior = case(dim)
        got = parts(handle.call({"p1": p1, "p0": p0, "prior1": prior}), "w", "b")
        present, absent = (Bernoulli(p1).log_prob(x) - Bernoulli(p0).log_prob(x) for x in (torch.ones(dim), torch.zeros(dim)))
        return got, torch.tensor(prior).logit(), present, absent

    def weights() -> Mistake | None:
        (w, _), _, present, absent = ask(5)
        p1, p0, _ = case(5)
        mistakes = {
            Mistake("odds reversed", "the sign of every weight is wrong: whose odds are they?"): absent - present,
            Mistake("absence ignored", "a weight compares x_j = 1 with x_j = 0; you look at x_j = 1 only"): present,
            Mistake("one class only", "the weights do not depend on p0: what does the other class say?"): p1.logit(),
            Mistake("no logarithm", "these are ratios; log-odds are wanted"): (present - absent).exp(),
            Mistake("difference", "probabilities are subtracted; it is their logarithms that add up"): p1 - p0,
        }
        return diagnose(w, present - absent, mistakes, "compare the log-odds of two x that differ in one feature only", what="w")

    def bias() -> Mistake | None:
        (_, b), odds, present, absent = ask(5)
        features, one = absent.sum(), odds.sigmoid().log()
        right = odds + features
        mistakes = {
            Mistake("prior odds forgotten", "the prior plays no part in b: it counts even where there are no features"): features,
            Mistake("absence forgotten", "x = 0 says that every feature is absent, and that is evidence too"): odds,
            Mistake("bias sign", "b has the wrong sign as a whole"): -right,
            Mistake("prior odds reversed", "the rarer class gets the advantage: look at the prior's part of b"): features - odds,
            Mistake("absence reversed", "the prior's part of b is right, the features' part has the wrong sign"): odds - features,
            Mistake("prior without its odds", "the prior of one class enters b; where is the other class?"): one + features,
            Mistake("presence in b", "b belongs to x = 0, you count the features as present"): odds + present.sum(),
            Mistake("mean over features", "independent features add up, they are not averaged"): odds + absent.mean(),
            Mistake("features not summed", "b is one number: what is to be done with the D terms?"): odds + absent,
        }
        return diagnose(b, right, mistakes, "try (2) at an x for which the sum vanishes", what="b")

    def thousands() -> Mistake | None:
        if weights() or bias():
            return Mistake("not yet", "judged once w and b are right for five features")
        (w, b), odds, present, absent = ask(3000)
        got = torch.cat([tensor(w, (3000,), "w").double(), tensor(b, (), "b").double()[None]])
        if not torch.isfinite(got).all():
            return Mistake("product underflows", "a product of 3000 probabilities is 0 to the computer: where do you multiply?")
        right = torch.cat([present - absent, (odds + absent.sum()).reshape(1)]).double()
        return diagnose(got, right, {}, "right for five features, wrong for 3000: is anything clamped or cut?")

    return [
        judge("the weights w are right", 1, weights),
        judge("the bias b is right", 1, bias),
        judge("both stay right with 3000 features", 1, thousands),
    ]


def risks(handle: Handle) -> list[Outcome]:
    """01.3: (loss [Y, Y], joint [X, Y], prediction [X], x [n], y [n]) -> (expected, empirical), loss[said, true]."""
    with seeded(handle.seed):
        loss = (0.5 + 3 * torch.rand(4, 4)) * (1 - torch.eye(4))  # [Y, Y], nothing to pay where one is right
        joint = (1.5 * torch.randn(24)).softmax(0).reshape(6, 4)  # [X, Y]
        said = torch.cat([torch.randperm(4), torch.randint(4, (2,))])  # [X]
        cell = joint.flatten().multinomial(9)  # [n], all different, so that not all are right
    x, y = cell // 4, cell % 4
    cost, turned = loss[said], loss.T[said]  # [X, Y] both: cost[x, y] = loss[said[x], y]
    exact, estimate = (joint * cost).sum(), cost[x, y].mean()
    transposed = Mistake("loss transposed", "the loss is read as loss[true, said]: look again at what its rows are")
    zero_one = Mistake("errors counted", "every error costs 1 here: the errors have prices, look them up")

    def ask() -> tuple[Value, ...]:
        got = parts(handle.call({"loss": loss, "joint": joint, "prediction": said, "x": x, "y": y}), "expected", "empirical")
        if close(got[0], estimate) and close(got[1], exact):
            raise CallFailed("both numbers are right, in the wrong order", "risks exchanged")
        return got

    def expected() -> Mistake | None:
        conditional = (joint / joint.sum(-1, keepdim=True) * cost).sum()
        mistakes = {
            Mistake("estimate twice", "this is the empirical risk: the n rows play no part in an expectation"): estimate,
            transposed: (joint * turned).sum(),
            zero_one: (joint * (cost != 0)).sum(),
            Mistake("table unweighted", "all cells count the same: what does an expectation weigh them with?"): cost.mean(),
            Mistake("cells added up", "the costs are added up as if every cell were certain"): cost.sum(),
            Mistake("conditional for joint", "every x counts the same: common ones must weigh more"): conditional / 6,
            Mistake("conditional not averaged", "you add up over x: how likely is each x?"): conditional,
        }
        return diagnose(ask()[0], exact, mistakes, "write out the double sum of eq. (3) for a table of two rows", what="expected")

    def empirical() -> Mistake | None:
        mistakes = {
            Mistake("expectation twice", "this is the expected risk once more: only the n rows may be used"): exact,
            transposed: turned[x, y].mean(),
            zero_one: (cost[x, y] != 0).double().mean(),
            Mistake("sum for mean", "the costs of the rows are added up; a risk is a cost per row"): cost[x, y].sum(),
            Mistake("n - 1", "the number of rows is off by one"): cost[x, y].sum() / 8,
            Mistake("weighted twice", "common rows come more often already, you weigh them again"): (joint * cost)[x, y].mean(),
        }
        return diagnose(ask()[1], estimate, mistakes, "what does the first of the n rows cost? and the second?", what="empirical")

    return [judge("the expected risk is right", 1, expected), judge("the empirical risk is right", 1, empirical)]


def which_is_generative(handle: Handle) -> list[Outcome]:
    """01.4: (n [T], accuracy_a [T], accuracy_b [T]) -> "a" or "b", the curve of naive Bayes."""

    def curves() -> Mistake | None:
        with seeded(handle.seed):
            order = torch.randperm(18).tolist()  # every pair is asked in both orders, at random places
        pairs, swapped, answers = [learning_curves(handle.seed)[i // 2] for i in order], [i % 2 == 1 for i in order], []
        for k, ((sizes, bayes, logistic), swap) in enumerate(zip(pairs, swapped, strict=True)):
            a, b = (logistic, bayes) if swap else (bayes, logistic)
            said = handle.call({"n": torch.tensor(sizes), "accuracy_a": a, "accuracy_b": b}, seed=k)
            if not isinstance(said, str) or said not in ("a", "b"):
                raise CallFailed('it must return "a" or "b", in small letters', "no label")
            answers.append((said == "b") == swap)  # did it point at naive Bayes?
        if all(answers):
            return None
        if len({right == swap for right, swap in zip(answers, swapped, strict=True)}) == 1:
            return Mistake("constant answer", "the answer is the same for every pair: look at the numbers")
        if not any(answers):
            return Mistake("reversed", "every single answer is wrong: you can tell them apart, but which of them is which?")
        ends, averages = [b[-1] - c[-1] for _, b, c in pairs], [b.mean() - c.mean() for _, b, c in pairs]
        for where, leads in {"at the end": ends, "on average": averages}.items():
            for rule, sign in {"higher": 1, "lower": -1}.items():
                if answers == [bool(sign * lead > 0) for lead in leads]:
                    hint = f"so does the rule 'who is {rule} {where}' answer: that depends on the data and on the sizes measured"
                    return Mistake(f"{rule} {where}", hint)
        return Mistake("", f"right {sum(answers)} times of 18: what did chapter 1 find about few rows, and about many?")

    return [judge("it finds naive Bayes in each of 9 unseen pairs of curves, in both orders", 3, curves)]


QUESTIONS = {"01.1": posterior, "01.2": naive_bayes_weights, "01.3": risks, "01.4": which_is_generative}
