"""PixelCNN on the digits: test NLL against CPU seconds of training, one thread, five seeds. Rows for benchmarks/README.md.

    python benchmarks/nll.py levels     17 levels, ordered split: training budgets of 5, 10, 20 and 60 s
    python benchmarks/nll.py binary     black and white, stratified split (NADE and its kin: benchmarks/bits.py)
    python benchmarks/nll.py plot       the figure benchmarks/nll.png from the medians that stand in this file

Without a word: levels and binary (15 and 8 minutes). All settings were chosen on validation rows. A budget is in seconds of the
core on which the yardstick takes 0.82 s: a run of `s` CPU seconds counts as s / (yardstick / 0.82).
"""

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad

from genedu.autoregressive import PixelCNN
from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit

SEEDS = range(5)
WARM = 0.25  # share of the rounds in which the rate rises
SHIFTED = 0.3  # share of images that are moved by a pixel


@dataclass(frozen=True)
class Recipe:
    """`members` models, each trained alone for `rounds` minibatches."""

    build: Callable[..., nn.Module]
    rounds: int
    lr: float
    weight_decay: float
    batch_size: int
    shifted: float
    members: int = 1


def plain(hidden: int, layers: int, dropout: float, levels: int = 17) -> Callable[..., nn.Module]:
    return partial(PixelCNN, levels, gated=False, hidden=hidden, layers=layers, dropout=dropout)


pixels = partial(Recipe, lr=1e-2, weight_decay=0.3, batch_size=32, shifted=SHIFTED)
LEVELS = {  # budget in seconds -> recipe
    5: pixels(plain(32, 3, 0.3), 400),
    10: pixels(plain(32, 3, 0.4), 850),
    20: pixels(plain(48, 4, 0.45), 1100),
    60: pixels(plain(48, 4, 0.45), 1100, members=3),
}
BINARY = pixels(plain(48, 4, 0.45, levels=2), 2500)
ASKED = {5: (88, 86), 10: (83.5, 82), 20: (82.2, 81), 60: (81.5, 80)}


def one_cycle(t: float) -> float:
    """Up from 0.04 in the first quarter, down to 0 in the rest, both along a cosine."""
    if t < WARM:
        return 0.04 + 0.48 * (1 - math.cos(math.pi * t / WARM))
    return 0.5 * (1 + math.cos(math.pi * (t - WARM) / (1 - WARM)))


def moved(x: Tensor, share: float) -> Tensor:
    """A share of the images [B, 1, 8, 8], moved by a pixel at most in either direction, the same way for the whole batch."""
    down, right = torch.randint(0, 3, (2,)).tolist()
    away = pad(x, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]
    return torch.where(torch.rand(len(x), 1, 1, 1) < share, away, x)


def start(model: PixelCNN, x: Tensor) -> None:
    """Biases that give each place its training frequencies: what all models would learn first."""
    with torch.no_grad():
        count = one_hot(x[:, 0], model.levels).double().sum(0) + 0.3  # [8, 8, L]
        model.net.bias.copy_((count / count.sum(-1, keepdim=True)).log())


def adamw(model: nn.Module, weight_decay: float) -> Callable[..., torch.optim.Optimizer]:
    """AdamW that lets biases alone."""
    free = {id(p) for name, p in model.named_parameters() if p.dim() < 2 or name.endswith("bias")}

    def optimizer(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
        groups = [
            {"params": [p for p in parameters if (id(p) in free) == kept], "weight_decay": 0.0 if kept else weight_decay}
            for kept in (False, True)
        ]
        return torch.optim.AdamW(groups, lr=lr, fused=True)

    return optimizer


def trained(recipe: Recipe, x: Tensor, seed: int) -> tuple[list[PixelCNN], float]:
    """The members and the CPU seconds of their training."""
    found, clock = [], time.process_time()
    for member in range(recipe.members):
        with seeded(100 * seed + member):
            model = recipe.build()
        start(model, x)
        fit(
            model,
            x,
            rounds=recipe.rounds,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            optimizer=adamw(model, recipe.weight_decay),
            schedule=one_cycle,
            augment=partial(moved, share=recipe.shifted),
            seed=100 * seed + member,
            progress=False,
        )
        found.append(model)
    return found, time.process_time() - clock


@torch.no_grad()
def nll(members: Sequence[PixelCNN], x: Tensor) -> float:
    """Mean nats a row. The members' conditionals are averaged pixel by pixel: each mean is normalised, so their product is."""
    log_p = torch.stack([model.logits(x).log_softmax(-1) for model in members]).logsumexp(0) - math.log(len(members))
    return -log_p.gather(-1, x[..., None]).flatten(1).sum(1).mean().item()


def measure(recipe: Recipe, data, factor: float) -> tuple[float, float, float]:
    """Medians over the seeds: validation and test NLL, CPU seconds counted in those of the reference core. Prints each seed."""
    runs = []
    for seed in SEEDS:
        members, seconds = trained(recipe, data.train, seed)
        runs.append((nll(members, data.validation), nll(members, data.test), seconds / factor))
        print(f"  seed {seed}: validation {runs[-1][0]:.2f}, test {runs[-1][1]:.2f}, {runs[-1][2]:.1f} s", file=sys.stderr)
    return tuple(statistics.median(column) for column in zip(*runs, strict=True))  # type: ignore[return-value]


def levels(factor: float) -> None:
    data = digits(split="ordered")
    print("\n| budget, s | model | CPU s, scaled | validation | test, nats an image | must | aim |")
    print("|---|---|---|---|---|---|---|")
    for budget, recipe in LEVELS.items():
        validation, test, seconds = measure(recipe, data, factor)
        options = recipe.build.keywords  # type: ignore[attr-defined]
        name = f"PixelCNN, {options['layers']} layers of {options['hidden']}" + f", {recipe.members} averaged" * (
            recipe.members > 1
        )
        print(
            f"| {budget} | {name} | {seconds:.1f} | {validation:.2f} | **{test:.2f}** | {ASKED[budget][0]} | {ASKED[budget][1]} |"
        )


def binary(factor: float) -> None:
    print("\n| split | model | CPU s, scaled | validation | test, nats an image | must | aim |\n|---|---|---|---|---|---|---|")
    validation, test, seconds = measure(BINARY, digits("binary"), factor)
    print(f"| stratified | PixelCNN, 4 layers of 48 | {seconds:.1f} | {validation:.2f} | **{test:.2f}** | 17.6 | 17.3 |")


OTHERS = {  # public code, measured the same way (ordered digits, 17 levels): CPU seconds of the reference core, test NLL
    "causal 1-D convolutions, 950 000 parameters": ([5, 10, 20, 60, 125], [114.9, 106.6, 98.8, 88.0, 86.5]),
    "gated PixelCNN 5 x 32": ([10, 40, 72], [94.2, 83.3, 81.7]),
}
OURS = ([5, 10, 20, 60], [81.95, 80.79, 79.72, 79.07])  # the table's medians, at the budgets


def plot() -> None:
    import matplotlib.pyplot as plt

    from genedu.plots import PALETTE, STYLE

    plt.rcParams.update(STYLE)
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for i, (name, (x, y)) in enumerate({"genedu PixelCNN": OURS, **OTHERS}.items()):
        ax.plot(x, y, marker="osD"[i], color=PALETTE[i], label=name)
    ax.axhline(106.3, color="black", linestyle="--", linewidth=1)
    ax.annotate(
        "a histogram for each pixel", (0.99, 106.3), xycoords=("axes fraction", "data"), va="bottom", ha="right", fontsize=8
    )
    ax.set(xscale="log", xlabel="CPU seconds of training (reference core)", ylabel="test NLL (nats an image)")
    ax.legend()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    torch.set_num_threads(1)
    words = sys.argv[1:] or ["levels", "binary"]
    if words == ["plot"]:
        plot()
    else:
        from yardstick import REFERENCE, headline

        seconds, line = headline()
        print(line)
        for word in words:
            {"levels": levels, "binary": binary}[word](seconds / REFERENCE)
