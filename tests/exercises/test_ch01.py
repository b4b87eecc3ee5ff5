"""Exercise 1: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

from genedu.checks import outcomes
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise

NAME = "01_generative_and_discriminative"
QUESTIONS = {
    "01.1": ("posterior", 2),
    "01.2": ("naive_bayes_weights", 3),
    "01.3": ("risks", 2),
    "01.4": ("which_is_generative", 3),
}
JOINT = "joint = log_likelihood + log_prior\n"
RISKS = """
expected = (joint * loss[prediction]).sum()
empirical = loss[prediction[x], y].mean()
"""
RIGHT_W = "w = p1.logit() - p0.logit()\n"
ABSENT = "absent = torch.log1p(-p1) - torch.log1p(-p0)\nodds = math.log(prior1 / (1 - prior1))\n"
WRONG = {
    "01.1": {
        "prior dropped": Wrong("return log_likelihood.softmax(-1)", "no part", "prior dropped"),
        "exp before normalising": Wrong(
            "p = log_likelihood.exp() * log_prior.exp()\nreturn p / p.sum(-1, keepdim=True)", "in what else", "underflow"
        ),
        "largest of the whole table subtracted": Wrong(
            JOINT + "p = (joint - joint.max()).exp()\nreturn p / p.sum(-1, keepdim=True)", "the others", "one shift for all rows"
        ),
        "small number added": Wrong(
            JOINT + "p = joint.exp() + 1e-12\nreturn p / p.sum(-1, keepdim=True)", "lost to rounding", "small number added"
        ),
        "sum clamped": Wrong(
            JOINT + "p = joint.exp()\nreturn p / p.sum(-1, keepdim=True).clamp(min=1e-30)",
            "lost to rounding",
            "small number added",
        ),
        "largest of the row, prior dropped": Wrong(
            "p = (log_likelihood - log_likelihood.amax(-1, keepdim=True)).exp()\nreturn p / p.sum(-1, keepdim=True)",
            "no part",
            "prior dropped",
        ),
        "normalised over rows": Wrong(JOINT + "return joint.softmax(0)", "which axis", "wrong axis"),
        "normalised over the table": Wrong(
            JOINT + "return joint.flatten().softmax(0).reshape(joint.shape)", "question of its own", "whole table"
        ),
        "log posterior": Wrong(JOINT + "return joint.log_softmax(-1)", "logarithms of the answer", "logarithm returned"),
        "not normalised": Wrong(JOINT + "return joint.exp()", "below the line", "not normalised"),
        "prior after normalising": Wrong(
            "return log_likelihood.softmax(-1) * log_prior.exp()", "when does the prior", "prior after normalising"
        ),
        "prior as probability": Wrong(
            "return (log_likelihood + log_prior.exp()).softmax(-1)", "use it as none", "prior not in logs"
        ),
        "prior subtracted": Wrong("return (log_likelihood - log_prior).softmax(-1)", "should lose", "prior divided"),
        "likeliest class only": Wrong(
            JOINT + "return torch.nn.functional.one_hot(joint.argmax(-1), joint.shape[1]).double()", "likeliest", "hard decision"
        ),
        "uniform": Wrong("return torch.full_like(log_likelihood, 1 / log_likelihood.shape[1])", "not used", "uniform"),
        "prior alone": Wrong("return log_prior.exp().expand_as(log_likelihood)", "by hand", ""),
        "inputs spoiled": Wrong(
            "log_likelihood.zero_()\nlog_prior.zero_()\nreturn log_likelihood.softmax(-1)", "not used", "uniform"
        ),
        "one class": Wrong(JOINT + "return joint.softmax(-1)[:, 0]", "shape [5, 4]", "wrong shape"),
        "sum over classes": Wrong(JOINT + "return joint.logsumexp(-1)", "shape [5, 4]", "wrong shape"),
        "infinite": Wrong(JOINT + "return joint / 0", "infinite", "not finite"),
        "nothing returned": Wrong(JOINT, "returns NoneType", "wrong type"),
        "gives up": Wrong("exit()", "raises SystemExit", "exits"),
        "name unknown": Wrong("return log_posterior", "raises NameError", "raises"),
    },
    "01.2": {
        "odds reversed": Wrong(
            ABSENT + "return p0.logit() - p1.logit(), odds + absent.sum()", "sign of every weight", "odds reversed"
        ),
        "only x = 1": Wrong(ABSENT + "return (p1 / p0).log(), odds + absent.sum()", "x_j = 1 only", "absence ignored"),
        "only class 1": Wrong(ABSENT + "return p1.logit(), odds + absent.sum()", "other class", "one class only"),
        "odds ratio": Wrong(ABSENT + "return (p1.logit() - p0.logit()).exp(), odds + absent.sum()", "ratios", "no logarithm"),
        "difference": Wrong(ABSENT + "return p1 - p0, odds + absent.sum()", "subtracted", "difference"),
        "zeros": Wrong("return torch.zeros_like(p1), 0.0", "differ in one feature", ""),
        "prior odds forgotten": Wrong(RIGHT_W + ABSENT + "return w, absent.sum()", "no features", "prior odds forgotten"),
        "absent features forgotten": Wrong(RIGHT_W + ABSENT + "return w, odds", "every feature is absent", "absence forgotten"),
        "bias sign": Wrong(RIGHT_W + ABSENT + "return w, -(odds + absent.sum())", "sign as a whole", "bias sign"),
        "prior odds reversed": Wrong(RIGHT_W + ABSENT + "return w, absent.sum() - odds", "rarer class", "prior odds reversed"),
        "absence reversed": Wrong(RIGHT_W + ABSENT + "return w, odds - absent.sum()", "features' part", "absence reversed"),
        "prior alone, no odds": Wrong(
            RIGHT_W + ABSENT + "return w, math.log(prior1) + absent.sum()", "prior of one class", "prior without its odds"
        ),
        "presence in the bias": Wrong(RIGHT_W + ABSENT + "return w, odds + (p1 / p0).log().sum()", "as present", "presence in b"),
        "mean over features": Wrong(RIGHT_W + ABSENT + "return w, odds + absent.mean()", "not averaged", "mean over features"),
        "bias not summed": Wrong(RIGHT_W + ABSENT + "return w, odds + absent", "D terms", "features not summed"),
        "bias zero": Wrong(RIGHT_W + "return w, 0.0", "the sum vanishes", ""),
        "product before log": Wrong(
            RIGHT_W + ABSENT + "return w, odds + ((1 - p1).prod() / (1 - p0).prod()).log()",
            "where do you multiply",
            "product underflows",
        ),
        "bias clamped": Wrong(RIGHT_W + ABSENT + "return w, odds + absent.sum().clamp(-100, 100)", "clamped or cut", ""),
        "weights only": Wrong(RIGHT_W + "return w", "must return (w, b)", "wrong type"),
        "three parts": Wrong(RIGHT_W + "return w, 0.0, 0.0", "a tuple of 3", "wrong type"),
        "weights summed": Wrong(RIGHT_W + "return w.sum(), 0.0", "w must be a tensor of shape [5]", "wrong shape"),
        "bias as text": Wrong(RIGHT_W + "return w, 'b'", "b must be one number", "wrong shape"),
    },
    "01.3": {
        "exchanged": Wrong(RISKS + "return empirical, expected", "wrong order", "risks exchanged"),
        "estimate twice": Wrong(RISKS + "return empirical, empirical", "no part in an expectation", "estimate twice"),
        "expectation twice": Wrong(RISKS + "return expected, expected", "only the n rows", "expectation twice"),
        "loss transposed": Wrong(
            "loss = loss.T\n" + RISKS + "return expected, empirical", "what its rows are", "loss transposed"
        ),
        "loss transposed in the mean only": Wrong(
            RISKS + "return expected, loss[y, prediction[x]].mean()", "what its rows are", "loss transposed"
        ),
        "errors counted": Wrong(
            "loss = 1 - torch.eye(len(loss))\n" + RISKS + "return expected, empirical", "have prices", "errors counted"
        ),
        "errors counted in the mean only": Wrong(
            RISKS + "return expected, (prediction[x] != y).float().mean()", "have prices", "errors counted"
        ),
        "table unweighted": Wrong(RISKS + "return loss[prediction].mean(), empirical", "weigh them with", "table unweighted"),
        "cells added up": Wrong(RISKS + "return loss[prediction].sum(), empirical", "every cell were certain", "cells added up"),
        "conditional for joint": Wrong(
            RISKS + "p = joint / joint.sum(1, keepdim=True)\nreturn (p * loss[prediction]).sum(1).mean(), empirical",
            "common ones",
            "conditional for joint",
        ),
        "conditional added up": Wrong(
            RISKS + "p = joint / joint.sum(1, keepdim=True)\nreturn (p * loss[prediction]).sum(), empirical",
            "how likely is each x",
            "conditional not averaged",
        ),
        "not summed": Wrong(RISKS + "return joint * loss[prediction], empirical", "one number", "wrong shape"),
        "sum for mean": Wrong(RISKS + "return expected, loss[prediction[x], y].sum()", "cost per row", "sum for mean"),
        "one row too few": Wrong(RISKS + "return expected, empirical * len(x) / (len(x) - 1)", "off by one", "n - 1"),
        "weighted twice": Wrong(
            RISKS + "return expected, (joint[x, y] * loss[prediction[x], y]).mean()", "weigh them again", "weighted twice"
        ),
        "one number": Wrong(RISKS + "return expected", "must return (expected, empirical)", "wrong type"),
        "constant": Wrong("return 1.0, 1.0", "double sum", ""),
        "first row only": Wrong(RISKS + "return expected, loss[prediction[x[0]], y[0]]", "the first of the n rows", ""),
        "prediction not looked up": Wrong(RISKS + "return expected, loss[x, y].mean()", "raises IndexError", "raises"),
    },
    "01.4": {
        "always a": Wrong("return 'a'", "same for every pair", "constant answer"),
        "always b": Wrong("return 'b'", "same for every pair", "constant answer"),
        "the other one": Wrong("return 'b' if accuracy_a[0] > accuracy_b[0] else 'a'", "which of them is which", "reversed"),
        "steeper": Wrong(
            "gain = (accuracy_a - accuracy_b)[-1] - (accuracy_a - accuracy_b)[0]\nreturn 'a' if gain > 0 else 'b'",
            "every single",
            "reversed",
        ),
        "higher at the end": Wrong(
            "return 'a' if accuracy_a[-1] > accuracy_b[-1] else 'b'", "who is higher at the end", "higher at the end"
        ),
        "lower at the end": Wrong(
            "return 'a' if accuracy_a[-1] < accuracy_b[-1] else 'b'", "who is lower at the end", "lower at the end"
        ),
        "higher on average": Wrong(
            "return 'a' if accuracy_a.mean() > accuracy_b.mean() else 'b'", "who is higher on average", "higher on average"
        ),
        "lower on average": Wrong(
            "return 'a' if accuracy_a.mean() < accuracy_b.mean() else 'b'", "who is lower on average", "lower on average"
        ),
        "by chance": Wrong("return 'ab'[int(torch.randint(2, ()))]", "times of 18", ""),
        "by parity of the sizes": Wrong("return 'ab'[int(n.sum()) % 2]", "times of 18", ""),
        "a number": Wrong("return 0", 'must return "a" or "b"', "no label"),
        "capitals": Wrong("return 'A' if accuracy_a[0] > accuracy_b[0] else 'B'", "small letters", "no label"),
        "a truth": Wrong("return accuracy_a[0] > accuracy_b[0]", 'must return "a" or "b"', "no label"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)


def test_each_of_nine_pairs_of_curves_is_shown_in_both_orders():
    shown = []

    def student(n, accuracy_a, accuracy_b):
        shown.append((tuple(accuracy_a.tolist()), tuple(accuracy_b.tolist())))
        return "a"

    outcomes("01.4", LocalHandle(student, seed=3))
    assert len(set(shown)) == len(shown) == 18
    assert {(b, a) for a, b in shown} == set(shown)
