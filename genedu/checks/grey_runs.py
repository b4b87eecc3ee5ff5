"""Exercise 07.5: recordings of small VAEs whose pictures look washed out, of which most have a bug.

Fifteen VAEs are trained at once on small binary images, each on its own, for some hundred steps of Adam: weights [R, .., ..]
and one matrix product for all. The images of a run are a few patterns with flipped pixels, or nothing but noise, or all but
one and the same, so that sound runs may have a small KL or a small loss, too. What a recording says is exact whatever training
came to: the loss is the one that was minimised, at the z that gave the logits.
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from genedu.checks import Mistake, Outcome, judge
from genedu.core import seeded
from genedu.handle import CallFailed, Handle

KINDS = ("sound", "means shown", "KL too heavy", "pixels averaged", "squashed twice")
RUNS, Z, HIDDEN, TRAIN, TEST, STEPS = 15, 4, 16, 96, 48, 80
WEIGHTS = (3.0, 4.0, 6.0)  # of the KL where it is too heavy
DATA = ((3, 0.02), (3, 0.5), (1, 0.003))  # patterns, and the chance that a pixel is flipped: easy, noise, all but one image
STRUCTURED = ((3, 0.02), (3, 0.03), (3, 0.05))  # elsewhere a KL would vanish at once, and its weight with it


class Run(NamedTuple):
    """What is wrong with a run, and its recording: [B, D], [B, Z], [B, D], [B], [N, D]."""

    kind: str
    x: Tensor
    kl: Tensor
    logits: Tensor
    loss: Tensor
    shown: Tensor


def images(count: int, flip: float, pixels: int) -> Tensor:
    """[TRAIN + TEST, D] bits: `count` patterns with flipped pixels; a fifth of the pixels is nearly always 0."""
    patterns = torch.rand(count, pixels) < 0.5
    x = patterns[torch.randint(count, (TRAIN + TEST,))] ^ (torch.rand(TRAIN + TEST, pixels) < flip)
    x[:, : pixels // 5] = torch.rand(TRAIN + TEST, pixels // 5) < min(flip, 0.01)
    return x[:, torch.randperm(pixels)].float()


def normal(*shape: int, scale: float) -> Tensor:
    return (scale * torch.randn(shape)).requires_grad_()


def train(x: Tensor, kl_weight: Tensor, fit_weight: Tensor, twice: Tensor):
    """Train R VAEs on x [R, n, D]; returns two functions: x -> (kl [R, n, Z], logits [R, n, D]), and z -> logits."""
    runs, _, pixels = x.shape
    rate = x.mean(1, keepdim=True).clamp(0.02, 0.98)  # [R, 1, D]
    encoder, log_sigma = normal(runs, pixels, Z, scale=pixels**-0.5), normal(runs, 1, Z, scale=0.1)
    first, second = normal(runs, Z, HIDDEN, scale=0.5), normal(runs, HIDDEN, pixels, scale=0.1)
    bias = rate.logit().requires_grad_()

    def decode(z: Tensor) -> Tensor:
        out = torch.tanh(z @ first) @ second + bias  # [R, n, D]
        return torch.where(twice, out.sigmoid(), out)

    def scored(x: Tensor) -> tuple[Tensor, Tensor]:
        mu = (x - rate) @ encoder  # [R, n, Z]
        z = mu + log_sigma.exp() * torch.randn_like(mu)
        return 0.5 * (mu**2 + (2 * log_sigma).exp() - 2 * log_sigma - 1), decode(z)

    weights = [encoder, log_sigma, first, second, bias]
    adam = torch.optim.Adam(weights, lr=0.05, fused=True)
    with torch.enable_grad():
        for _ in range(STEPS):
            kl, logits = scored(x)
            fit = (softplus(logits) - x * logits).sum(2, keepdim=True)  # [R, n, 1]
            slopes = torch.autograd.grad((kl_weight * kl.sum(2, keepdim=True) + fit_weight * fit).mean(1).sum(), weights)
            for weight, slope in zip(weights, slopes, strict=True):
                weight.grad = slope
            adam.step()
    return scored, decode


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def runs(seed: int) -> list[Run]:
    """Fifteen runs: three of each kind, on images of their own."""
    with seeded(seed):
        pixels = int(torch.randint(30, 50, ()))
        kinds = [kind for kind in KINDS for _ in DATA]
        data = [d for kind in KINDS for d in (STRUCTURED if kind == "KL too heavy" else DATA)]
        x = torch.stack([images(*d, pixels) for d in data])  # [R, TRAIN + TEST, D]
        kl_weight, fit_weight = torch.ones(2, RUNS, 1, 1)
        heavy = [i for i, kind in enumerate(kinds) if kind == "KL too heavy"]
        kl_weight[heavy] = torch.tensor(WEIGHTS)[torch.randperm(3), None, None]
        fit_weight[[i for i, kind in enumerate(kinds) if kind == "pixels averaged"]] = 1 / pixels
        twice = torch.tensor([kind == "squashed twice" for kind in kinds])[:, None, None]
        scored, decode = train(x[:, :TRAIN], kl_weight, fit_weight, twice)
        with torch.no_grad():
            kl, logits = (t.double() for t in scored(x[:, TRAIN:]))
            x = x[:, TRAIN:].double()
            means = decode(torch.randn(RUNS, TEST // 2, Z)).double().sigmoid()  # [R, N, D]
            bits = (torch.rand_like(means) < means).double()
            loss = kl_weight[..., 0] * kl.sum(2) + fit_weight[..., 0] * (softplus(logits) - x * logits).sum(2)  # [R, B]
            found = [
                Run(kind, x[i], kl[i], logits[i], loss[i].float().double(), shown)
                for i, kind in enumerate(kinds)
                for shown in [means[i] if kind == "means shown" else bits[i]]
            ]
        return [found[i] for i in torch.randperm(RUNS)]


CONFUSED = {  # (what it is, what was said): a hint for the one that came most often
    ("means shown", "sound"): ("pictures not looked at", "you let a run pass whose pictures no draw from p(x) can look like"),
    ("KL too heavy", "sound"): ("weight missed", "you let a run pass whose loss is larger than it should be: put it together"),
    ("pixels averaged", "sound"): ("average missed", "you let a run pass whose loss is tiny for so many pixels"),
    ("squashed twice", "sound"): ("decoder missed", "you let a run pass whose decoder never says that a pixel is likely 0"),
    ("sound", "KL too heavy"): (
        "sound run blamed",
        "you blame a sound run: where images have nothing in common, a KL of 0 is right",
    ),
    ("sound", "pixels averaged"): ("small loss blamed", "you blame a sound run: easy images have a small loss, too"),
    ("sound", "means shown"): ("noise taken for grey", "you blame a sound run for grey pictures: is any single pixel grey?"),
    ("sound", "squashed twice"): (
        "likely ones blamed",
        "you blame a sound run: many of its pixels may well be 1 more often than 0",
    ),
    ("KL too heavy", "pixels averaged"): (
        "weight taken for average",
        "in two kinds the KL wins: which of them has a large loss?",
    ),
    ("pixels averaged", "KL too heavy"): (
        "average taken for weight",
        "in two kinds the KL wins: which of them has a small loss?",
    ),
    ("squashed twice", "KL too heavy"): ("loss blamed for the decoder", "a loss may be high although it is minus the ELBO"),
    ("means shown", "KL too heavy"): ("learning blamed", "grey may come from what is shown, and not from what was learnt"),
    ("KL too heavy", "squashed twice"): ("loss not looked at", "you blame the decoder of a run whose loss is not minus the ELBO"),
}


def why_grey(handle: Handle) -> list[Outcome]:
    """07.5: (x [B, D], kl [B, Z], logits [B, D], loss [B], shown [N, D]) -> one of KINDS."""
    cases = runs(handle.seed)

    def ask(cases: list[Run]) -> list[str]:
        said = []
        for i, run in enumerate(cases):
            got = handle.call({k: v for k, v in run._asdict().items() if k != "kind"}, seed=i)
            if not isinstance(got, str):
                raise CallFailed(f"it must return one of the five texts, it returns a {type(got).__name__}", "wrong type")
            said.append(got)
        return said

    def right(said: list[str]) -> int:
        return sum(s == run.kind for s, run in zip(said, cases, strict=True))

    def found() -> Mistake | None:
        said = ask(cases)
        if right(said) >= RUNS - 1:
            return None
        if unknown := sorted(set(said) - set(KINDS)):
            return Mistake("unknown answer", f"it returns {unknown[0][:40]!r}, which is none of the five answers")
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all runs: look at the numbers")
        if right(ask([run._replace(kl=run.kl.sum(1, keepdim=True)) for run in cases])) >= RUNS - 1:
            return Mistake("units averaged", "it would be right for one latent unit: how do several count in the loss?")
        if (
            right(
                ask(
                    [run._replace(shown=run.shown.round() if run.kind != "means shown" else 0 * run.shown + 0.5) for run in cases]
                )
            )
            >= RUNS - 1
        ):
            return Mistake("only half grey", "a picture of means may be nearly black and white: need a pixel be in the middle?")
        wrong = Counter((run.kind, s) for run, s in zip(cases, said, strict=True) if s != run.kind)
        for pair in sorted(CONFUSED, key=lambda pair: -wrong[pair]):
            if wrong[pair]:
                return Mistake(*CONFUSED[pair])
        return Mistake("", f"right about {right(said)} runs of {RUNS}: compute for one run what its loss should be")

    return [judge("it says what is wrong with at least 14 of 15 unseen runs", 2, found)]
