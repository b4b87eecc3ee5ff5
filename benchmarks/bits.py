"""Binary digits: nats an image of NADE, MADE and Deep NADE. Rows for benchmarks/README.md.

    python benchmarks/bits.py stratified    each model at its best settings
    python benchmarks/bits.py ordered       Deep NADE within a training budget of 3 and of 8 CPU seconds
    python benchmarks/bits.py trials        the settings that were compared, on validation rows, seed 0

Without a word: the first two. Five seeds, medians, one thread, CPU seconds of training divided by the yardstick factor. Settings
were chosen on validation rows; Deep NADE is scored as a mixture of 32 orders, drawn once (a mixture of probabilities, a density).
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from yardstick import REFERENCE, headline

from genedu.autoregressive import MADE, NADE, DeepNADE
from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit

SEEDS, ORDERS = 5, 32


@dataclass(frozen=True)
class Recipe:
    name: str
    build: Callable[[], nn.Module]
    rounds: int
    lr: float
    weight_decay: float
    shifted: float = 0.0  # share of images moved by one pixel
    batch_size: int = 64


def shift(x: Tensor, share: float) -> Tensor:
    """A share of the images [B, 64] moved by one pixel in one of eight directions; what comes in is 0."""
    padded = nn.functional.pad(x.view(-1, 8, 8), (1, 1, 1, 1))  # [B, 10, 10]
    n, line = len(x), torch.arange(8)
    moved = torch.rand(n) < share
    down, right = (torch.where(moved, torch.randint(3, (n,)), 1) for _ in range(2))  # [B], 1 is where it was
    rows, columns = (start[:, None] + line for start in (down, right))  # [B, 8]
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].flatten(1)


def train(recipe: Recipe, x: Tensor, seed: int) -> tuple[nn.Module, float]:
    """The model, and the CPU seconds that training took."""
    with seeded(seed):
        model = recipe.build()
    start = time.process_time()
    fit(
        model,
        x,
        rounds=recipe.rounds,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        schedule=lambda t: 1 - t,
        optimizer=partial(torch.optim.AdamW, weight_decay=recipe.weight_decay, fused=True),
        augment=partial(shift, share=recipe.shifted) if recipe.shifted else None,
        seed=seed,
        progress=False,
    )
    return model, time.process_time() - start


@torch.no_grad()
def nats(model: nn.Module, x: Tensor) -> float:
    if not isinstance(model, DeepNADE):
        return -model.log_prob(x).mean().item()
    with seeded(99):
        orders = torch.stack([torch.randperm(64) for _ in range(ORDERS)])
    return -model.log_prob_ensemble(x, orders).mean().item()


def rows(split: str, recipes: list[Recipe], goals: dict[str, str], factor: float, seeds: int = SEEDS) -> None:
    data = digits("binary", flat=True, split=split)
    print(f"\n| binary digits, {split} split | must; aim | test, nats | worst seed | validation | training | CPU s / factor |")
    print("|---|---|---|---|---|---|---|")
    for recipe in recipes:
        found = []
        for seed in range(seeds):
            model, seconds = train(recipe, data.train, seed)
            found.append([nats(model, part) for part in (data.test, data.validation, data.train)] + [seconds / factor])
        test, validation, training, seconds = (statistics.median(column) for column in zip(*found, strict=True))
        worst, goal = max(f[0] for f in found), goals.get(recipe.name, "")
        line = f"| {recipe.name} | {goal} | {test:.2f} | {worst:.2f} | {validation:.2f} | {training:.2f} | {seconds:.1f} |"
        print(line, flush=True)


STRATIFIED = [
    Recipe("NADE, 64 units", lambda: NADE(64, 64), 1400, 1e-2, 1e-3),
    Recipe("MADE, 512 units", lambda: MADE(64, 512), 1500, 5e-3, 1e-1, 0.3),
    Recipe("Deep NADE, 2 x 256, 32 orders", lambda: DeepNADE(64, 256, 2), 5000, 4e-3, 1e-2),
]
ORDERED = [
    Recipe("MADE, 512 units", lambda: MADE(64, 512), 1500, 5e-3, 1e-1, 0.3),
    Recipe("Deep NADE, 1 x 384, 32 orders, 3 s", lambda: DeepNADE(64, 384, 1), 2400, 8e-3, 1e-2),
    Recipe("Deep NADE, 2 x 256, 32 orders, 8 s", lambda: DeepNADE(64, 256, 2), 5000, 4e-3, 1e-2),
]
GOALS = {
    "NADE, 64 units": "",
    "MADE, 512 units": "17.8; 17.5 stratified",
    "Deep NADE, 2 x 256, 32 orders": "17.0; 16.8",
    "Deep NADE, 1 x 384, 32 orders, 3 s": "17.6; 17.4",
    "Deep NADE, 2 x 256, 32 orders, 8 s": "17.4; 17.1",
}
TRIALS = [
    Recipe("MADE, 256 units", lambda: MADE(64, 256), 900, 5e-3, 1e-2),
    Recipe("MADE, 256 units, shifts", lambda: MADE(64, 256), 900, 5e-3, 1e-2, 0.3),
    Recipe("MADE, 512 units, shifts", lambda: MADE(64, 512), 1500, 5e-3, 1e-1, 0.3),
    Recipe("Deep NADE, 2 x 256", lambda: DeepNADE(64, 256, 2), 3000, 4e-3, 1e-2),
    Recipe("Deep NADE, 2 x 256, shifts", lambda: DeepNADE(64, 256, 2), 3000, 4e-3, 1e-2, 0.3),
    Recipe("Deep NADE, 2 x 256, more decay", lambda: DeepNADE(64, 256, 2), 3000, 4e-3, 1e-1),
    Recipe("Deep NADE, 2 x 256, longer", lambda: DeepNADE(64, 256, 2), 5000, 4e-3, 1e-2),
    Recipe("Deep NADE, 1 x 512", lambda: DeepNADE(64, 512, 1), 3000, 4e-3, 1e-2),
    Recipe("Deep NADE, 1 x 384, higher rate", lambda: DeepNADE(64, 384, 1), 2400, 8e-3, 1e-2),
]


if __name__ == "__main__":
    seconds, line = headline()
    print(line)
    for word in sys.argv[1:] or ["stratified", "ordered"]:
        if word == "trials":
            for split in ("stratified", "ordered"):
                rows(split, TRIALS, {}, seconds / REFERENCE, seeds=1)
        else:
            rows(word, {"stratified": STRATIFIED, "ordered": ORDERED}[word], GOALS, seconds / REFERENCE)
