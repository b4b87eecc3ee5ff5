"""Exercise 5: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import re
import textwrap
from pathlib import Path

import pytest

import genedu.checks.causal_stack
import genedu.checks.pen_steps
from genedu.checks import outcomes
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, run

NAME = "05_sequence_models"
QUESTIONS = {
    "05.1": ("perplexity", 3),
    "05.2": ("MuLaw", 2),
    "05.3": ("CausalStack", 3),
    "05.4": ("pen_step", 2),
}


def perplexity(
    inside: str = "torch.arange(x.shape[1]) < lengths[:, None]",
    cost: str = "-logits.log_softmax(2).gather(2, x[..., None])[..., 0]",
    nats: str = "cost[inside].sum() / inside.sum()",
    bits: str = "nats / math.log(2)",
    ppl: str = "nats.exp()",
) -> str:
    """An answer to 05.1 with one line changed."""
    return f"inside = {inside}\ncost = {cost}\nnats = {nats}\nreturn {bits}, {ppl}"


def mu_law(
    level: str = "(K * (f + 1) / 2).floor().long().clamp(0, K - 1)",
    f: str = "x.sign() * torch.log1p(mu * x.abs().clamp(max=1)) / math.log(K)",
    middle: str = "(2 * level + 1) / K - 1",
    back: str = "f.sign() * (K ** f.abs() - 1) / mu",
    mu: str = "K - 1",
) -> str:
    """An answer to 05.2 with one line changed."""
    return f"""class MuLaw:
    def __init__(self, levels):
        self.levels = levels

    def encode(self, x):
        K = self.levels
        mu = {mu}
        f = {f}
        return {level}

    def decode(self, level):
        K = self.levels
        mu = K - 1
        f = {middle}
        return {back}
"""


FIELD = "return 1 + (self.k - 1) * sum(self.dilations)"


def layer(
    total: str = "w[j] * queue[-1 - j * d] for j in range(self.k)",
    push: str = "h",
    more: str = "",
    out: str = "torch.tanh(b + SUM)",
) -> str:
    """One layer of a right step, or a wrong one."""
    return f"queue.append({push})\n{more}h = {out.replace('SUM', f'sum({total})')}\nqueue.pop(0)"


def stack(
    field: str = FIELD,
    *,
    init: str = "self.queues = [[0.0] * ((self.k - 1) * d) for d in self.dilations]",
    start: str = "h = x",
    each: str = "w, b, d, queue in zip(self.weight, self.bias, self.dilations, self.queues, strict=True)",
    layer: str = layer(),
    end: str = "return h",
    before: str = "",
) -> str:
    """An answer to 05.3 with one part changed."""
    body = textwrap.indent(start, 8 * " ") + f"\n        for {each}:\n" + textwrap.indent(layer, 12 * " ")
    return f"""class CausalStack:
    {before or "pass"}

    def __init__(self, weight, bias, dilations):
        self.weight, self.bias, self.dilations = weight, bias, dilations
        self.k = weight.shape[1]
{textwrap.indent(init, 8 * " ")}

    def receptive_field(self):
{textwrap.indent(field, 8 * " ")}

    def step(self, x):
{body}
{textwrap.indent(end, 8 * " ")}
"""


WHOLE = """
class CausalStack:
    def __init__(self, weight, bias, dilations):
        self.weight, self.bias, self.dilations, self.past = weight, bias, dilations, []

    def receptive_field(self):
        return 1 + (self.weight.shape[1] - 1) * sum(self.dilations)

    def step(self, x):
        self.past.append(x)
        KEEP
        h = self.past
        for w, b, d in zip(self.weight, self.bias, self.dilations):
            h = [torch.tanh(b + sum(w[j] * h[t - j * d] for j in range(len(w)) if t >= j * d)) for t in range(len(h))]
        return h[-1]
"""


def pen(
    *,
    sigma: str = "sigma",
    rho: str = "rho",
    exponent: str = "-(z1**2 + z2**2 - 2 * rho * z1 * z2) / rest / 2",
    front: str = "-math.log(2 * math.pi) - sigma.log().sum(2) - rest.log() / 2",
    weight: str = "logits.log_softmax(1)",
    step: str = "(weight + normal).logsumexp(1)",
    stop: str = "-torch.nn.functional.binary_cross_entropy_with_logits(end_logit, end, reduction='none')",
    result: str = "step + stop",
) -> str:
    """An answer to 05.4 with one line changed."""
    return f"""sigma, rho = {sigma}, {rho}
z1, z2 = ((x[:, None] - mu) / sigma).unbind(2)
rest = 1 - rho**2
normal = {exponent} + ({front})
weight = {weight}
step = {step}
stop = {stop}
return {result}"""


Q = "q = end_logit.sigmoid()\n"
BERNOULLI = "end * q.log() + (1 - end) * (1 - q).log()"
WRONG = {
    "05.1": {
        "nats": Wrong(perplexity(bits="nats"), "bits are wanted", "nats"),
        "logarithm of 2 times": Wrong(perplexity(bits="nats * math.log(2)"), "more bits or more nats", "bits turned"),
        "sign": Wrong(perplexity(cost="logits.log_softmax(2).gather(2, x[..., None])[..., 0]"), "length above 0", "sign turned"),
        "padding counted": Wrong(perplexity(nats="cost.mean()"), "is no text", "padding counted"),
        "padding masked, but counted": Wrong(
            perplexity(nats="(cost * inside).mean()"), "by how many symbols", "divided by all places"
        ),
        "mean of the rows' means": Wrong(
            perplexity(nats="((cost * inside).sum(1) / lengths).mean()"), "short row weighs more than", "rows averaged"
        ),
        "bits a row": Wrong(perplexity(nats="(cost * inside).sum(1).mean()"), "bits a row", "bits a row"),
        "sum": Wrong(perplexity(nats="cost[inside].sum()"), "are added up", "sum for mean"),
        "no softmax": Wrong(
            perplexity(cost="-logits.gather(2, x[..., None])[..., 0]"), "holds no log-probabilities yet", "logits as logarithms"
        ),
        "softmax twice": Wrong(
            perplexity(cost="-logits.softmax(2).log_softmax(2).gather(2, x[..., None])[..., 0]"), "too even", "softmax twice"
        ),
        "softmax over time": Wrong(
            perplexity(cost="-logits.log_softmax(1).gather(2, x[..., None])[..., 0]"), "which axis", "wrong axis"
        ),
        "next symbol": Wrong(
            perplexity(
                inside="torch.arange(x.shape[1] - 1) < lengths[:, None] - 1",
                cost="-logits[:, :-1].log_softmax(2).gather(2, x[:, 1:, None])[..., 0]",
            ),
            "nothing is to be shifted",
            "next symbol",
        ),
        "last symbol lost": Wrong(
            perplexity(inside="torch.arange(x.shape[1]) < lengths[:, None] - 1"), "last symbol of each row", "last symbol lost"
        ),
        "one place too many": Wrong(perplexity(inside="torch.arange(x.shape[1]) <= lengths[:, None]"), "equal logits: what", ""),
        "entropy": Wrong(
            perplexity(cost="-(logits.softmax(2) * logits.log_softmax(2)).sum(2)"), "the text plays no part", "x not used"
        ),
        "mean of probabilities": Wrong(
            perplexity(nats="-(-cost[inside]).exp().mean().log()"), "what is averaged are logarithms", "logarithm last"
        ),
        "base 10": Wrong(perplexity(bits="nats / math.log(10)"), "equal logits: what", ""),
        "exchanged": Wrong(perplexity(bits="nats.exp()", ppl="nats / math.log(2)"), "which comes first", "exchanged"),
        "e to the bits": Wrong(perplexity(ppl="(nats / math.log(2)).exp()"), "undoes which logarithm?", "e to the bits"),
        "2 to the nats": Wrong(perplexity(ppl="2**nats"), "to the power of what", "2 to the nats"),
        "inverse": Wrong(perplexity(ppl="(-nats).exp()"), "this is a probability", "inverse"),
        "perplexities of rows averaged": Wrong(
            perplexity(ppl="((cost * inside).sum(1) / lengths).exp().mean()"), "each row has a perplexity", "rows averaged last"
        ),
        "perplexities of symbols averaged": Wrong(
            perplexity(ppl="cost[inside].exp().mean()"), "each symbol has a perplexity", "perplexities averaged"
        ),
        "perplexity of the padding": Wrong(perplexity(ppl="cost.mean().exp()"), "counts in it", "perplexity of the padding"),
        "perplexity of the rows' means": Wrong(
            perplexity(ppl="((cost * inside).sum(1) / lengths).mean().exp()"), "weighs more in it", "perplexity of rows"
        ),
        "nats twice": Wrong(perplexity(ppl="nats"), "a logarithm of the perplexity", "no exponential"),
        "perplexity of a row": Wrong(perplexity(ppl="(cost * inside).sum(1).mean().exp()"), "does the model hesitate", ""),
        "mask multiplied": Wrong(
            perplexity(nats="(cost * inside).sum() / lengths.sum()"), "0 times nan is nan", "padding touched"
        ),
        "product of probabilities": Wrong(
            perplexity(nats="-(-cost.where(inside, torch.tensor(0.0))).exp().prod(1).log().sum() / lengths.sum()"),
            "product of 3000",
            "product underflows",
        ),
        "logarithm of the softmax": Wrong(
            perplexity(cost="-logits.softmax(2).log().gather(2, x[..., None])[..., 0]"),
            "10000 apart",
            "softmax underflows",
        ),
        "small number added": Wrong(
            perplexity(cost="-(logits.softmax(2) + 1e-12).log().gather(2, x[..., None])[..., 0]"),
            "10000 apart",
            "softmax underflows",
        ),
        "one number": Wrong(perplexity(bits="nats / math.log(2)", ppl="").rstrip(", "), "returns a Tensor", "wrong type"),
        "a number a row": Wrong(perplexity(nats="(cost * inside).sum(1) / lengths"), "bits must be one number", "wrong shape"),
    },
    "05.2": {
        "no compression": Wrong(mu_law(f="x.clamp(-1, 1)"), "bins of the same width", "no compression"),
        "sign lost": Wrong(mu_law(f="torch.log1p(mu * x.abs().clamp(max=1)) / math.log(K)"), "gets the level of", "sign lost"),
        "one half": Wrong(mu_law(level="(K * f.abs()).floor().long().clamp(max=K - 1)"), "silence belongs", "one half only"),
        "mu is K": Wrong(
            mu_law(f="x.sign() * torch.log1p(mu * x.abs().clamp(max=1)) / math.log(1 + mu)", mu="K"),
            "one less than",
            "mu is the count",
        ),
        "not divided by the logarithm": Wrong(
            mu_law(f="x.sign() * torch.log1p(mu * x.abs().clamp(max=1))"), "f must be 1", "logarithm not scaled"
        ),
        "rounded": Wrong(mu_law(level="(K * (f + 1) / 2).round().long().clamp(max=K - 1)"), "which whole number", "rounded up"),
        "levels on the ends": Wrong(
            mu_law(level="((K - 1) * (f + 1) / 2).round().long()"), "on their outer borders", "levels on the ends"
        ),
        "K - 1 bins": Wrong(mu_law(level="((K - 1) * (f + 1) / 2).floor().long()"), "not K - 1", "one bin less"),
        "a level for 1": Wrong(mu_law(level="(K * (f + 1) / 2).floor().long()"), "level of its own", "one level too many"),
        "ends overrun": Wrong(
            mu_law(f="x.sign() * torch.log1p(mu * x.abs()) / math.log(K)", level="(K * (f + 1) / 2).floor().long()"),
            "x below -1 the first",
            "ends overrun",
        ),
        "from 1": Wrong(mu_law(level="(K * (f + 1) / 2).floor().long().clamp(max=K - 1) + 1"), "from 0", "counted from 1"),
        "upside down": Wrong(
            mu_law(level="K - 1 - (K * (f + 1) / 2).floor().long().clamp(max=K - 1)"), "the upper levels", "upside down"
        ),
        "eight bits": Wrong(
            mu_law(level="(K * (f + 1) / 2).floor().clamp(max=K - 1).to(torch.uint8)"), "begin again at 0", "too few bits"
        ),
        "f itself": Wrong(mu_law(level="f"), "still to be cut", "f returned"),
        "zeros": Wrong(mu_law(level="(0 * x).long()"), "0.001 and 1", ""),
        "real numbers": Wrong(
            mu_law(level="(K * (f + 1) / 2).floor().clamp(max=K - 1)"), "must be whole numbers", "no whole numbers"
        ),
        "flattened": Wrong(
            mu_law(level="(K * (f + 1) / 2).floor().long().clamp(max=K - 1).flatten()"), "shape [5, 13]", "wrong shape"
        ),
        "f is x": Wrong(mu_law(back="f"), "what x has it", "not expanded"),
        "never below 0": Wrong(mu_law(back="(K ** f.abs() - 1) / mu"), "lower half", "sign lost on the way back"),
        "lower border": Wrong(mu_law(middle="2 * level / K - 1"), "where the bin begins", "border of the bin"),
        "upper border": Wrong(mu_law(middle="2 * (level + 1) / K - 1"), "where the bin ends", "upper border"),
        "ends of the range": Wrong(mu_law(middle="2 * level / mu - 1"), "have middles, too", "ends of the range"),
        "middle of the borders": Wrong(
            mu_law(
                back="sum(g.sign() * (K ** g.abs() - 1) / mu for g in (f - 1 / K, f + 1 / K)) / 2",
            ),
            "meant in f",
            "middle in x",
        ),
        "1 not subtracted": Wrong(mu_law(back="f.sign() * K ** f.abs() / mu"), "f = 0 must", "1 not subtracted"),
        "not divided": Wrong(mu_law(back="f.sign() * (K ** f.abs() - 1)"), "f = 1 must give x", "not divided by mu"),
        "base mu": Wrong(mu_law(back="f.sign() * (mu ** f.abs() - 1) / mu"), "is the base", "mu the wrong way"),
        "base e": Wrong(mu_law(back="f.sign() * (f.abs().exp() - 1) / mu"), "whose logarithm", "base e"),
        "compressed again": Wrong(
            mu_law(back="f.sign() * torch.log1p(mu * f.abs()) / math.log(K)"), "which way round", "compressed once more"
        ),
        "silence": Wrong(mu_law(back="0 * f"), "by hand", ""),
        "decode missing": Wrong(mu_law(back="nothing"), "raises NameError", "raises"),
    },
    "05.3": {
        "present forgotten": Wrong(
            stack("return (self.k - 1) * sum(self.dilations)"), "newest input counts, too", "present forgotten"
        ),
        "k gaps": Wrong(stack("return 1 + self.k * sum(self.dilations)"), "how many gaps", "kernel for gaps"),
        "k times all": Wrong(stack("return self.k * sum(self.dilations)"), "with d = 1: is it k", "kernel times dilations"),
        "k ignored": Wrong(stack("return 1 + sum(self.dilations)"), "k = 2 only", "kernel ignored"),
        "longest only": Wrong(stack("return 1 + (self.k - 1) * max(self.dilations)"), "from where the one above", "longest only"),
        "layers counted": Wrong(
            stack("return 1 + (self.k - 1) * len(self.dilations)"), "stack without dilation", "dilations ignored"
        ),
        "stack once": Wrong(stack("return 1 + (self.k - 1) * sum(set(self.dilations))"), "reach back again", "stack once"),
        "power": Wrong(stack("return self.k ** len(self.dilations)"), "do not multiply", "product"),
        "fields added up": Wrong(stack("return sum(1 + (self.k - 1) * d for d in self.dilations)"), "once more", "sum of fields"),
        "constant": Wrong(stack("return 1024"), "follow every line", ""),
        "a list": Wrong(stack("return self.dilations"), "one number", "wrong shape"),
        "nothing remembered": Wrong(stack(layer="h = torch.tanh(b + w[0] * h)"), "what do you keep", "nothing remembered"),
        "kernel turned": Wrong(
            stack(layer=layer("w[-1 - j] * queue[-1 - j * d] for j in range(self.k)")),
            "kernel is turned",
            "kernel turned",
        ),
        "d = 1": Wrong(
            stack(layer=layer("w[j] * queue[-1 - j] for j in range(self.k)")),
            "looks at neighbours",
            "dilation ignored",
        ),
        "one step too long": Wrong(
            stack(
                init="self.queues = [[0.0] * ((self.k - 1) * (d + 1)) for d in self.dilations]",
                layer=layer("w[j] * queue[-1 - j * (d + 1)] for j in range(self.k)"),
            ),
            "every look back is one too long",
            "one step too long",
        ),
        "one step short": Wrong(
            stack(layer=layer(more="d = max(d - 1, 1)\n")),
            "too short by one",
            "one step short",
        ),
        "layers turned": Wrong(
            stack(
                init="self.queues = [[0.0] * ((self.k - 1) * d) for d in reversed(dilations)]",
                each="w, b, d, queue in zip(self.weight, self.bias, reversed(self.dilations), self.queues)",
            ),
            "wrong layers",
            "layers turned",
        ),
        "no bias": Wrong(
            stack(layer=layer(out="torch.tanh(SUM)")),
            "b plays no part",
            "bias forgotten",
        ),
        "no tanh": Wrong(
            stack(layer=layer(out="b + SUM")),
            "not squashed",
            "no tanh",
        ),
        "warmed up on silence": Wrong(
            stack(
                init="self.queues = [[torch.zeros(1)] * ((self.k - 1) * d) for d in self.dilations]\n"
                "for _ in range(100):\n    self.step(torch.zeros(1))"
            ),
            "follows a long silence",
            "fed with silence",
        ),
        "first value repeated": Wrong(
            stack(
                init="self.queues = [[] for d in self.dilations]",
                layer="queue += [h] * (1 if queue else (self.k - 1) * d + 1)\n"
                "h = torch.tanh(b + sum(w[j] * queue[-1 - j * d] for j in range(self.k)))\nqueue.pop(0)",
            ),
            "not x again",
            "first value repeated",
        ),
        "one call late": Wrong(
            stack(
                init="self.queues = [[0.0] * ((self.k - 1) * d) for d in self.dilations]\nself.last = 0.0",
                end="late, self.last = self.last, h\nreturn late + 0 * h",
            ),
            "one call too late",
            "one call late",
        ),
        "one queue for all layers": Wrong(
            stack(init="self.queues = [[0.0] * ((self.k - 1) * max(dilations))] * len(dilations)"), "feed 1, 0, 0, 0", ""
        ),
        "input into every layer": Wrong(
            stack(layer=layer(push="x")),
            "feed 1, 0, 0, 0",
            "",
        ),
        "tanh at the end only": Wrong(
            stack(
                layer=layer(out="b + SUM"),
                end="return torch.tanh(h)",
            ),
            "feed 1, 0, 0, 0",
            "",
        ),
        "memory of the class": Wrong(
            stack(
                before="queues = None",
                init="if CausalStack.queues is None or len(CausalStack.queues) != len(dilations) "
                "or [len(q) for q in CausalStack.queues] != [(self.k - 1) * d for d in dilations]:\n"
                "    CausalStack.queues = [[0.0] * ((self.k - 1) * d) for d in dilations]",
            ),
            "disturb each other",
            "shared memory",
        ),
        "one memory for all rows": Wrong(
            stack(
                layer=layer(
                    "w[j] * queue[-1 - j * d] for j in range(1, self.k)", push="h.mean()", out="torch.tanh(b + w[0] * h + SUM)"
                )
            ),
            "feed 1, 0, 0, 0",
            "",
        ),
        "last 12 inputs kept": Wrong(WHOLE.replace("KEEP", "self.past = self.past[-12:]"), "past is long", "past lost"),
        "three rows": Wrong(
            stack(
                init="self.queues = [[torch.zeros(3)] * ((self.k - 1) * d) for d in self.dilations]",
                end="return h if len(h) == len(x) else h[:1] + 1",
            ),
            "a single one",
            "number of rows",
        ),
        "one number": Wrong(stack(end="return h.mean()"), "shape [3]", "wrong shape"),
        "nothing returned": Wrong(stack(end="return None"), "returns NoneType", "wrong type"),
        "step missing": Wrong("class CausalStack:\n    def __init__(self, *a):\n        pass", "AttributeError", "raises"),
    },
    "05.4": {
        "a loss": Wrong(pen(result="-step - stop"), "this is a loss", "sign turned"),
        "a density": Wrong(pen(result="(step + stop).exp()"), "its logarithm is wanted", "no logarithm"),
        "bits": Wrong(pen(result="(step + stop) / math.log(2)"), "nats are wanted", "bits"),
        "no end": Wrong(pen(result="step"), "end of the stroke plays no part", "end forgotten"),
        "end reversed": Wrong(
            pen(stop="torch.nn.functional.logsigmoid((1 - 2 * end) * end_logit)"), "should stay down", "end reversed"
        ),
        "lifted only": Wrong(pen(stop="end * torch.nn.functional.logsigmoid(end_logit)"), "a pen that stays down", "lifted only"),
        "end subtracted": Wrong(pen(result="step - stop"), "what becomes of a product", "end subtracted"),
        "no rho": Wrong(pen(rho="0 * rho"), "rho plays no part", "rho dropped"),
        "rho turned": Wrong(pen(exponent="-(z1**2 + z2**2 + 2 * rho * z1 * z2) / rest / 2"), "against each other", "rho turned"),
        "rho z1 z2 once": Wrong(pen(exponent="-(z1**2 + z2**2 - rho * z1 * z2) / rest / 2"), "how often", "rho once"),
        "exponent without rest": Wrong(
            pen(exponent="-(z1**2 + z2**2 - 2 * rho * z1 * z2) / 2"), "along its line", "exponent without rho"
        ),
        "no half": Wrong(pen(exponent="-(z1**2 + z2**2 - 2 * rho * z1 * z2) / rest"), "twice what", "half forgotten"),
        "front without rest": Wrong(
            pen(front="-math.log(2 * math.pi) - sigma.log().sum(2)"), "narrower, so it must", "front without rho"
        ),
        "no root": Wrong(
            pen(front="-math.log(2 * math.pi) - sigma.log().sum(2) - rest.log()"), "power of 1 - rho^2", "root forgotten"
        ),
        "no sigma": Wrong(pen(front="-math.log(2 * math.pi) - rest.log() / 2"), "must be higher than a wide", "sigma dropped"),
        "sigma squared": Wrong(
            pen(front="-math.log(2 * math.pi) - 2 * sigma.log().sum(2) - rest.log() / 2"), "power of sigma", "sigma twice"
        ),
        "sigma as variance": Wrong(pen(sigma="sigma.sqrt()"), "is no variance", "sigma as variance"),
        "no 2 pi": Wrong(pen(front="-sigma.log().sum(2) - rest.log() / 2"), "integrate to 1", "2 pi dropped"),
        "root of 2 pi": Wrong(
            pen(front="-math.log(2 * math.pi) / 2 - sigma.log().sum(2) - rest.log() / 2"),
            "that of one number",
            "2 pi of one dimension",
        ),
        "2 pi squared": Wrong(
            pen(front="-2 * math.log(2 * math.pi) - sigma.log().sum(2) - rest.log() / 2"), "once too often", "2 pi squared"
        ),
        "logits as logarithms": Wrong(pen(weight="logits"), "do not add up to 1", "weights not normalised"),
        "weights dropped": Wrong(pen(weight="0 * logits"), "without their weights", "weights dropped"),
        "equal weights": Wrong(pen(weight="0 * logits - math.log(mu.shape[1])"), "every component counts", "equal weights"),
        "bound": Wrong(pen(step="(logits.softmax(1) * normal).sum(1)"), "densities that add up", "bound"),
        "largest": Wrong(pen(step="(weight + normal).amax(1)"), "others add density", "largest only"),
        "first component": Wrong(pen(step="normal[:, 0]"), "one and the same component", "first only"),
        "softmax over the rows": Wrong(pen(weight="logits.log_softmax(0)"), "x at mu", ""),
        "mean over the rows": Wrong(pen(result="(step + stop).mean()"), "shape [6]", "wrong shape"),
        "end from the probability": Wrong(Q + pen(stop=BERNOULLI), "compute from its logit", "end saturates"),
        "probability clamped": Wrong(Q + "q = q.clamp(1e-6, 1 - 1e-6)\n" + pen(stop=BERNOULLI), "sure of the end", ""),
        "density, then its logarithm": Wrong(pen(step="(weight + normal).exp().sum(1).log()"), "in what else", "underflow"),
        "small number added": Wrong(
            pen(step="((weight + normal).exp().sum(1) + 1e-30).log()"), "is anything added", "density clamped"
        ),
        "logarithm of the softmax": Wrong(pen(weight="logits.softmax(1).log()"), "a weight of e^-2000 is 0", "weight underflows"),
        "softmax and a small number": Wrong(
            pen(weight="(logits.softmax(1) + 1e-12).log()"), "is anything added", "density clamped"
        ),
        "rest clamped": Wrong(
            pen(front="-math.log(2 * math.pi) - sigma.log().sum(2) - rest.clamp(min=1e-3).log() / 2"), "for rho near 1", ""
        ),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG, least=6)

GOOD = {
    "05.1": {
        "cross entropy": "x = x.masked_fill(torch.arange(x.shape[1]) >= lengths[:, None], -1)\n"
        "nats = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x.flatten(), ignore_index=-1)\n"
        "return nats / math.log(2), nats.exp()",
        "row by row": "n = [int(t) for t in lengths]\n"
        "cost = [torch.nn.functional.cross_entropy(l[:t], y[:t], reduction='sum') for l, y, t in zip(logits, x, n)]\n"
        "bits = sum(cost).item() / sum(n) / math.log(2)\nreturn bits, 2**min(bits, 500.0)",
    },
    "05.2": {
        "borders": mu_law(
            f="torch.arange(1, K).double() * 2 / K - 1",
            level="torch.bucketize(x, f.sign() * (K ** f.abs() - 1) / mu)",
        ),
    },
    "05.3": {
        "the whole past anew": WHOLE.replace("KEEP", ""),
        "one tensor": """
class CausalStack:
    def __init__(self, weight, bias, dilations):
        self.weight, self.bias, self.dilations, self.memory = weight, bias, dilations, None

    def receptive_field(self):
        return torch.tensor(1 + (self.weight.shape[1] - 1) * sum(self.dilations))

    def step(self, x):
        L, k = self.weight.shape
        if self.memory is None:
            self.memory, self.t = torch.zeros(L, (k - 1) * max(self.dilations) + 1, len(x)).double(), 0
        for l, d in enumerate(self.dilations):
            size = (k - 1) * d + 1
            self.memory[l, self.t % size] = x
            x = torch.tanh(self.bias[l] + sum(self.weight[l, j] * self.memory[l, (self.t - j * d) % size] for j in range(k)))
        self.t += 1
        return x
""",
    },
    "05.4": {
        "torch": """
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal
a, b = sigma.unbind(2)
c = torch.stack([torch.stack([a * a, rho * a * b], 2), torch.stack([rho * a * b, b * b], 2)], 3)
mixture = MixtureSameFamily(Categorical(logits=logits), MultivariateNormal(mu, c))
return mixture.log_prob(x) + Bernoulli(logits=end_logit).log_prob(end)
""",
        "as the equation stands": pen(),
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


@pytest.mark.parametrize(
    ("question", "module"), [("05.3", genedu.checks.causal_stack), ("05.4", genedu.checks.pen_steps)], ids=["05.3", "05.4"]
)
def test_every_mistake_that_the_other_checks_know_is_tried(question, module):
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', Path(module.__file__).read_text())) - {"not yet"}
    assert len(known) > 10
    assert known <= {case.mistake for case in WRONG[question].values()}
