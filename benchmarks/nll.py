"""Test NLL of the digits against CPU seconds of training, one thread, five seeds. Rows for benchmarks/README.md.

    python benchmarks/nll.py levels     17 levels, ordered split, by PixelCNN: training budgets of 5, 10, 20 and 60 s
    python benchmarks/nll.py bits       binary digits: NADE in 3 and 8 s (ordered); NADE, MADE and PixelCNN (stratified)
    python benchmarks/nll.py plot       the figure benchmarks/nll.png from the medians that stand in this file

Without a word: levels and bits (15 and 12 minutes). All settings were chosen on validation rows. A budget is in seconds of the
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

from genedu.autoregressive import MADE, NADE, PixelCNN
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
    shifted: float = 0.0
    members: int = 1
    orders: bool = False  # each member but the first reads the places in an order of its own


def plain(hidden: int, layers: int, dropout: float, levels: int = 17) -> Callable[..., nn.Module]:
    return partial(PixelCNN, levels, gated=False, hidden=hidden, layers=layers, dropout=dropout)


pixels = partial(Recipe, lr=1e-2, weight_decay=0.3, batch_size=32, shifted=SHIFTED)
vectors = partial(Recipe, weight_decay=0.1, batch_size=64)
LEVELS = {  # budget in seconds -> recipe
    5: pixels(plain(32, 3, 0.3), 400),
    10: pixels(plain(32, 3, 0.4), 850),
    20: pixels(plain(48, 4, 0.45), 1100),
    60: pixels(plain(48, 4, 0.45), 1100, members=3),
}
BITS = {  # split, what, budget in seconds or None -> recipe
    ("ordered", "NADE", 3): vectors(partial(NADE, 64, 200), 550, 4e-2),
    ("ordered", "NADE, 3 orders", 8): vectors(partial(NADE, 64, 200), 600, 4e-2, members=3, orders=True),
    ("stratified", "NADE, 4 orders", None): vectors(partial(NADE, 64, 200), 900, 3e-2, members=4, orders=True),
    ("stratified", "NADE", None): vectors(partial(NADE, 64, 200), 900, 3e-2),
    ("stratified", "MADE", None): Recipe(partial(MADE, 64, 512, direct=True, dropout=0.5), 1500, 5e-3, 0.3, 64),
    ("stratified", "PixelCNN", None): pixels(plain(48, 4, 0.45, levels=2), 2500),
}
ASKED = {5: (88, 86), 10: (83.5, 82), 20: (82.2, 81), 60: (81.5, 80)}
ASKED_BITS = {
    ("ordered", "NADE", 3): (17.6, 17.4),
    ("ordered", "NADE, 3 orders", 8): (17.4, 17.1),
    ("stratified", "NADE, 4 orders", None): (17.0, 16.8),
    ("stratified", "MADE", None): (17.8, 17.5),
    ("stratified", "PixelCNN", None): (17.6, 17.3),
}


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


def start(model: nn.Module, x: Tensor) -> None:
    """Biases that give each place its training frequencies: what all models would learn first."""
    with torch.no_grad():
        if isinstance(model, PixelCNN):
            count = one_hot(x[:, 0], model.levels).double().sum(0) + 0.3  # [8, 8, L]
            model.net.bias.copy_((count / count.sum(-1, keepdim=True)).log())
        else:
            bias = model.b if isinstance(model, NADE) else model.net[-1].bias
            bias.copy_(x.double().mean(0).clamp(0.002, 0.998).logit())


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


def trained(recipe: Recipe, x: Tensor, seed: int) -> tuple[list[tuple[nn.Module, Tensor | None]], float]:
    """The members, each with its order of the places, and the CPU seconds of their training."""
    found: list[tuple[nn.Module, Tensor | None]] = []
    clock = time.process_time()
    for member in range(recipe.members):
        with seeded(100 * seed + member):
            order = torch.randperm(x[0].numel()) if recipe.orders and member else None
            model = recipe.build()
        rows = x if order is None else x[:, order]
        start(model, rows)
        fit(
            model,
            rows,
            rounds=recipe.rounds,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            optimizer=adamw(model, recipe.weight_decay),
            schedule=one_cycle,
            augment=partial(moved, share=recipe.shifted) if recipe.shifted else None,
            seed=100 * seed + member,
            progress=False,
        )
        found.append((model, order))
    return found, time.process_time() - clock


@torch.no_grad()
def nll(members: Sequence[tuple[nn.Module, Tensor | None]], x: Tensor) -> float:
    """Mean nats a row under the members together, a density in either case.

    In one order their conditionals are averaged, place by place: each average is normalised, so their product is. Members of
    different orders share no conditionals; there the probabilities of whole rows are averaged.
    """
    if len(members) > 1 and all(order is None for _, order in members):
        log_p = torch.stack([model.logits(x).log_softmax(-1) for model, _ in members]).logsumexp(0) - math.log(len(members))
        return -log_p.gather(-1, x[..., None]).flatten(1).sum(1).mean().item()
    rows = torch.stack([model.log_prob(x if order is None else x[:, order]) for model, order in members])
    return -(rows.logsumexp(0) - math.log(len(members))).mean().item()


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


def bits(factor: float) -> None:
    print("\n| split | budget, s | model | CPU s, scaled | validation | test, nats an image | must | aim |")
    print("|---|---|---|---|---|---|---|---|")
    for (split, name, budget), recipe in BITS.items():
        data = digits("binary", flat=name != "PixelCNN", split=split)
        validation, test, seconds = measure(recipe, data, factor)
        must, aim = ASKED_BITS.get((split, name, budget), ("", ""))
        print(f"| {split} | {budget or ''} | {name} | {seconds:.1f} | {validation:.2f} | **{test:.2f}** | {must} | {aim} |")


OTHERS = {  # public code, measured the same way (ordered digits, 17 levels): CPU seconds of the reference core, test NLL
    "causal 1-D convolutions, 950 000 parameters": ([5, 10, 20, 60, 125], [114.9, 106.6, 98.8, 88.0, 86.5]),
    "gated PixelCNN 5 x 32": ([10, 40, 72], [94.2, 83.3, 81.7]),
}
OURS: tuple[list[float], list[float]] = ([], [])  # the table's medians


def plot() -> None:
    import matplotlib.pyplot as plt

    from genedu.plots import PALETTE, STYLE

    plt.rcParams.update(STYLE)
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for i, (name, (x, y)) in enumerate({"genedu PixelCNN": OURS, **OTHERS}.items()):
        ax.plot(x, y, marker="osD"[i], color=PALETTE[i], label=name)
    ax.axhline(106.3, color="black", linestyle="--", linewidth=1)
    ax.annotate("a histogram for each pixel", (0.01, 106.3), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    ax.set(xscale="log", xlabel="CPU seconds of training (reference core)", ylabel="test NLL (nats an image)")
    ax.legend()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    torch.set_num_threads(1)
    words = sys.argv[1:] or ["levels", "bits"]
    if words == ["plot"]:
        plot()
    else:
        from yardstick import REFERENCE, headline

        seconds, line = headline()
        print(line)
        for word in words:
            {"levels": levels, "bits": bits}[word](seconds / REFERENCE)
