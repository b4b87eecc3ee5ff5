"""Exercise 07.4: the importance-weighted bound from log weights, and where it is lost in rounding."""

import math

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, close, diagnose, judge, tensor
from genedu.core import seeded
from genedu.handle import Handle, Value


def mean_of_exp(w: Tensor) -> Tensor:
    """log of the mean of exp(w) over the first axis, number by number: [K, B] -> [B]."""
    found = []
    for column in w.double().T.tolist():
        top = max(column)
        found.append(top + math.log(math.fsum(math.exp(v - top) for v in column) / len(column)))
    return torch.tensor(found, dtype=torch.float64)


def importance_bound(handle: Handle) -> list[Outcome]:
    """07.4: (log_joint [K, B], log_q [K, B]) -> the bound [B], nats."""

    def ask(log_joint: Tensor, log_q: Tensor) -> Value:
        return handle.call({"log_joint": log_joint, "log_q": log_q})

    def ordinary() -> Mistake | None:
        with seeded(handle.seed):
            joint, q = 1.2 * torch.randn(5, 3).double() - 2, 0.7 * torch.randn(5, 3).double() - 0.5  # [K, B]
        w = joint - q
        right, draws = mean_of_exp(w), math.log(5)
        mistakes = {
            Mistake("average of logarithms", "more draws do not make this tighter: what is done first in (3)?"): w.mean(0),
            Mistake("not divided by K", "with every draw this grows: look at what stands before the sum in (3)"): right + draws,
            Mistake("K twice", "the number of draws counts twice"): right - draws,
            Mistake("K the wrong way", "the number of draws counts the wrong way"): right + 2 * draws,
            Mistake("divided outside", "the number of draws divides inside of the logarithm"): (right + draws) / 5,
            Mistake("weights turned", "p and q are exchanged: which of the two stands below the line?"): mean_of_exp(-w),
            Mistake("q forgotten", "q plays no part: z was drawn from it, not from the prior"): mean_of_exp(joint),
            Mistake("p forgotten", "the model plays no part"): mean_of_exp(-q),
            Mistake("q multiplied", "q stands below the line: what becomes of its logarithm?"): mean_of_exp(joint + q),
            Mistake("ratio of averages", "you average p and q apart: a ratio of averages is no average of ratios"): (
                mean_of_exp(joint) - mean_of_exp(q)
            ),
            Mistake("largest only", "only the best draw counts: the others add to the sum"): w.amax(0),
            Mistake("all added up", "this is the logarithm of a product of weights"): w.sum(0),
            Mistake(
                "weighted by themselves", "the logarithms are averaged, with the weights' own shares: (3) has one logarithm"
            ): (w.softmax(0) * w).sum(0),
            Mistake("sign turned", "the sign is turned: this is a loss"): -right,
            Mistake("no logarithm", "this is an estimate of p(x): its logarithm is wanted"): right.exp(),
            Mistake("bits", "these are bits: nats are wanted"): right / math.log(2),
            Mistake("images for draws", "images are added up: which of the two axes holds the draws?"): mean_of_exp(w.T),
            Mistake("images added", "the images are added up: each has a bound of its own"): right.sum(),
            Mistake("images averaged", "the images are averaged: each has a bound of its own"): right.mean(),
            Mistake("images thrown together", "one average over draws of all images: each image has K of its own"): (
                mean_of_exp(w.reshape(-1, 1)).squeeze()
            ),
        }
        hint = "let all K weights be equal: what must come?"
        if mistake := diagnose(ask(joint, q), right, mistakes, hint):
            return mistake
        if not close(ask(joint[:1], q[:1]), w[0]):
            return Mistake("one draw", "with one draw it must be one term of the ELBO")
        return None

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for ordinary weights")
        with seeded(handle.seed + 1):
            noise, q = 3 * torch.randn(200, 4), -2000 + torch.randn(200, 4)
        steep = 100 * torch.arange(200.0)[torch.randperm(200)]  # in one column weights lie thousands of nats apart
        w = torch.stack([noise[:, 0] - 1000, noise[:, 1] - 10_000, noise[:, 2] + 10_000, steep - 9000], 1)
        for weights, place in ((w[:, :1], q[:, :1]), (w, q), (w[:1], q[:1])):
            joint = weights + place
            right = mean_of_exp(joint.double() - place.double())
            got = tensor(ask(joint, place), (weights.shape[1],)).double()
            if got.isposinf().any():
                return Mistake("overflow", "an exponential is infinite: is what you take out first the largest log weight?")
            if got.isnan().any() or got.isinf().any():
                if weights.shape[1] == 1:
                    return Mistake("underflow", "a weight of e^-1000 is 0 to the computer: in what else can one add up?")
                return Mistake("one shift for all", "right for one image, lost where images lie far apart: what is shared?")
            if (got - right).abs().max() > 1 and (got > right - 0.1).all():
                return Mistake("clamped", "a bad image gets too good a bound: something is clamped or added")
            if mistake := diagnose(got, right, {}, "right for small log weights, wrong for large ones", tolerance=2e-5):
                return mistake
        return None

    return [
        judge("it is (3), on random weights and for K = 1", 1, ordinary),
        judge("it stays right for log weights of -1000, of -10000 and of +10000", 1, extreme),
    ]
