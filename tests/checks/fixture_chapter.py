"""A chapter that tries all that a handle can do: a module, a sampler with a state, fixtures, unseen runs.

It stands outside the package: a test registers it in `genedu.checks.CHAPTERS`. `ANSWERS` holds for each question what
the student's name is and what students wrote, as text, so that any kind of handle can be tried on it.
"""

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, diagnose, judge, tensor
from genedu.core import seeded
from genedu.handle import CallFailed, Fixture, Handle


def layer(handle: Handle) -> list[Outcome]:
    """fx.1: a module class (inputs, outputs) with weight [O, I] and bias [O]: x [B, I] -> tanh(x W' + b) [B, O]."""
    with seeded(handle.seed):
        weight, bias, x = torch.randn(2, 3), torch.randn(2), torch.randn(4, 3)
    inside = x @ weight.T + bias  # [B, O]

    def ready() -> Handle:
        module = handle.build({"inputs": 3, "outputs": 2}, seed=handle.seed)
        module.load({"weight": weight, "bias": bias})
        return module

    def forward() -> Mistake | None:
        mistakes = {
            Mistake("no bias", "the bias plays no part"): (x @ weight.T).tanh(),
            Mistake("no tanh", "this is still linear in x"): inside,
        }
        return diagnose(ready().call({"x": x}), inside.tanh(), mistakes, "compute one row by hand")

    def gradients() -> Mistake | None:
        found = ready().gradient({"x": x}, of=["x", "weight"])
        if found["weight"] is None:
            return Mistake("weight cut off", "the layer cannot learn: no gradient reaches its weight")
        slope = 1 - inside.tanh() ** 2  # [B, O]
        if found["x"] is None:
            return Mistake("input cut off", "layers before this one cannot learn")
        return diagnose(found["x"], slope @ weight, {}, "the slope in x is wrong") or diagnose(
            found["weight"], slope.T @ x, {}, "the slope in the weight is wrong"
        )

    def start() -> Mistake | None:
        first, second = (handle.build({"inputs": 50, "outputs": 40}, seed=handle.seed + k).weights()["weight"] for k in (0, 1))
        if torch.equal(first, second):
            return Mistake("same start", "each new layer must start elsewhere")
        return None if abs(float(first.mean())) < 0.1 else Mistake("start off centre", "the weights start on one side of 0")

    return [judge("its output is right", 2, forward), judge("gradients flow", 1, gradients), judge("it starts well", 1, start)]


def chain(handle: Handle) -> list[Outcome]:
    """fx.2: a class (rho, start) whose `draw(n)` [n] goes on with x <- rho x + sqrt(1 - rho²) eps from where it stands."""
    rho, far = 0.9, 50.0

    def new() -> Handle:
        return handle.build({"rho": rho, "start": far}, seed=handle.seed)

    def draw(sampler: Handle, n: int, seed: int) -> Tensor:
        return tensor(sampler.call({"n": n}, method="draw", seed=handle.seed + seed), (n,))

    def memory() -> Mistake | None:
        sampler = new()
        first, second = draw(sampler, 20, 0), draw(sampler, 20, 1)
        if abs(float(second[0])) > abs(float(first[0])) / 2:
            return Mistake("starts over", "the second call starts where the first one started")
        path = torch.cat([torch.tensor([far]), first, second])
        eps = (path[1:] - rho * path[:-1]) / (1 - rho**2) ** 0.5  # [40]
        if float(eps.std()) > 1.6 or abs(float(eps.mean())) > 0.8:
            return Mistake("other noise", "the steps are not those of the equation")
        return None

    def chance() -> Mistake | None:
        if memory():
            return Mistake("not yet", "judged once the chain is right")
        one, two, other = (draw(new(), 5, k) for k in (2, 2, 3))
        if not torch.equal(one, two):
            return Mistake("own generator", "with the same seed, a new chain must make the same draws")
        return Mistake("seed inside", "another seed, the same draws") if torch.equal(one, other) else None

    return [judge("it goes on from where it stands", 2, memory), judge("its chance is torch's", 1, chance)]


def critic_loss(handle: Handle) -> list[Outcome]:
    """fx.3: (critic, real [N, D], fake [N, D]) -> mean critic(fake) - mean critic(real), for the critic to descend."""
    with seeded(handle.seed):
        weight, bias = torch.randn(1, 2), torch.randn(1)
        real, fake = torch.randn(6, 2), torch.randn(6, 2) + 1
    arguments = {"critic": Fixture("linear", {"weight": weight, "bias": bias}), "real": real, "fake": fake}
    on_real, on_fake = ((x @ weight.T + bias).mean() for x in (real, fake))

    def value() -> Mistake | None:
        mistakes = {
            Mistake("sign", "the critic would learn to score data low"): on_real - on_fake,
            Mistake("sum for mean", "it must not depend on the number of rows"): 6 * (on_fake - on_real),
            Mistake("real only", "the generator's rows play no part"): -on_real,
        }
        return diagnose(handle.call(arguments), on_fake - on_real, mistakes, "two means, one difference")

    def gradients() -> Mistake | None:
        found = handle.gradient(arguments, of=["critic.weight", "fake"])
        if found["fake"] is not None:
            return Mistake("not detached", "the critic's loss moves the generator, too")
        if found["critic.weight"] is None:
            return Mistake("critic cut off", "the critic cannot learn")
        return diagnose(found["critic.weight"], (fake.mean(0) - real.mean(0))[None], {}, "the critic's slope is wrong")

    return [judge("its value is right", 2, value), judge("only the critic learns from it", 1, gradients)]


def which_run(handle: Handle) -> list[Outcome]:
    """fx.4: loss [T] -> "learns", "stuck" or "diverges", for unseen runs."""

    def runs() -> Mistake | None:
        with seeded(handle.seed):
            order, noise = (torch.randperm(9) % 3).tolist(), 0.02 * torch.randn(9, 50)
        time, names = torch.arange(50) / 10, ["learns", "stuck", "diverges"]
        shapes = [(-time).exp(), torch.ones(50), (time - 2).exp() + 0.5]  # [3][T]
        said = [handle.call({"loss": shapes[k] + noise[i]}, seed=i) for i, k in enumerate(order)]
        if not all(isinstance(s, str) and s in names for s in said):
            raise CallFailed(f"it must return one of {', '.join(names)}", "no label")
        right = [s == names[k] for s, k in zip(said, order, strict=True)]
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is always the same")
        return None if all(right) else Mistake("", f"right for {sum(right)} of 9 runs")

    return [judge("it names nine unseen runs", 2, runs)]


QUESTIONS = {"fx.1": layer, "fx.2": chain, "fx.3": critic_loss, "fx.4": which_run}

LAYER = """
class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn({size}){more})
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return {value}
"""
CHAIN = """
class Chain:
    def __init__(self, rho, start):
        self.rho, self.x, self.random = rho, start, torch.Generator().manual_seed({seed})

    def draw(self, n):
        {first}
        found = []
        for _ in range(n):
            x = self.rho * x + (1 - self.rho{power}) ** 0.5 * torch.randn({noise})
            found.append(float(x))
        {last}
        return torch.tensor(found)
"""
LOSS = "def loss(critic, real, fake):\n    return "
RUN = "def run(loss):\n    return "


def _layer(value: str, size: str = "outputs, inputs", more: str = "") -> str:
    return LAYER.format(size=size, value=value, more=more)


def _chain(first: str = "x = self.x", last: str = "self.x = x", noise: str = "()", power: str = "**2", seed: str = "0") -> str:
    return CHAIN.format(first=first, last=last, noise=noise, power=power, seed=seed)


# question: (the student's name, the right answer, wrong ones: name -> (code, name of the mistake))
ANSWERS: dict[str, tuple[str, str, dict[str, tuple[str, str]]]] = {
    "fx.1": (
        "Layer",
        _layer("torch.tanh(x @ self.weight.T + self.bias)"),
        {
            "bias forgotten": (_layer("torch.tanh(x @ self.weight.T)"), "no bias"),
            "tanh forgotten": (_layer("x @ self.weight.T + self.bias"), "no tanh"),
            "weight transposed": (_layer("torch.tanh(x @ self.weight + self.bias)", "inputs, outputs"), "wrong weights"),
            "weight detached": (_layer("torch.tanh(x @ self.weight.detach().T + self.bias)"), "weight cut off"),
            "input detached": (_layer("torch.tanh(x.detach() @ self.weight.T + self.bias)"), "input cut off"),
            "starts at nought": (_layer("torch.tanh(x @ self.weight.T + self.bias)", more=" * 0"), "same start"),
            "starts at one": (_layer("torch.tanh(x @ self.weight.T + self.bias)", more=" + 1"), "start off centre"),
            "a function": ("def Layer(inputs, outputs):\n    return lambda x: x", "wrong type"),
        },
    ),
    "fx.2": (
        "Chain",
        _chain(),
        {
            "forgets where it stands": (_chain(last="pass"), "starts over"),
            "variance of the noise": (_chain(power=" * 0 + 3"), "other noise"),
            "its own generator, one for all": (
                "RANDOM = torch.Generator().manual_seed(0)\n" + _chain(noise="(), generator=RANDOM"),
                "own generator",
            ),
            "the same noise for every seed": (_chain(noise="(), generator=self.random"), "seed inside"),
            "no such method": (_chain().replace("draw", "sample"), "raises"),
        },
    ),
    "fx.3": (
        "loss",
        LOSS + "critic(fake.detach()).mean() - critic(real).mean()",
        {
            "sign": (LOSS + "critic(real).mean() - critic(fake.detach()).mean()", "sign"),
            "sum": (LOSS + "critic(fake.detach()).sum() - critic(real).sum()", "sum for mean"),
            "real only": (LOSS + "-critic(real).mean()", "real only"),
            "not detached": (LOSS + "critic(fake).mean() - critic(real).mean()", "not detached"),
            "all detached": (LOSS + "(critic(fake).mean() - critic(real).mean()).detach()", "critic cut off"),
        },
    ),
    "fx.4": (
        "run",
        RUN + "'diverges' if loss[-1] > 2 else 'learns' if loss[-1] < 0.5 else 'stuck'",
        {
            "always the same": (RUN + "'learns'", "constant answer"),
            "falls or not": (RUN + "'learns' if loss[-1] < 0.5 else 'stuck'", ""),
            "a number": (RUN + "float(loss[-1])", "no label"),
        },
    ),
}
