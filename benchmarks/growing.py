"""Grown against large from the start, 32 x 32 coloured shapes, equal CPU time. Rows for benchmarks/README.md.

    python benchmarks/growing.py                    150 CPU seconds each (scaled by the yardstick), one seed
    python benchmarks/growing.py --seconds 600 --seeds 3

One thread. The grown one spends 1/10, 2/10, 3/10 and 4/10 of the time at 4, 8, 16 and 32 pixels, and fades during the first half
of each. Samples are measured by two distances: Fréchet, on images made smaller to 8 x 8 x 3, and that of a sample to the nearest
of the 486 pictures, root mean square of a colour value.
"""

import argparse
import copy
import os
import time
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from genedu.adversarial import ProgressiveGAN
from genedu.core import seeded
from genedu.data import shapes
from genedu.data.shapes import combinations, render
from genedu.fit import Adam, fit
from genedu.metrics import frechet_distance

PLANS = {"grown": {4: 0.1, 8: 0.2, 16: 0.3, 32: 0.4}, "large from the start": {32: 1.0}}
TRIAL = 8  # rounds of a copy, to learn how long one takes


def train(shares: dict[int, float], data: Tensor, budget: float, seed: int) -> tuple[Tensor, list[int], float]:
    """2000 samples, the rounds at each side, and the CPU seconds used."""
    with seeded(seed):
        model = ProgressiveGAN(32, channels=3, latent=32, base=256, cap=32, grey=data.mean().item(), rows=32, average=0.99)
    settings = {"batch_size": 32, "lr": 2e-3, "optimizer": partial(Adam, betas=(0.0, 0.99)), "progress": False, "seed": seed}
    began, rounds = time.process_time(), []
    for side, share in shares.items():
        smallest = side == model.sides[0] or len(shares) == 1
        model.grow_to(side)
        start = time.process_time()
        fit(copy.deepcopy(model), data, rounds=TRIAL, **settings)
        rounds.append(max(1, round(share * budget * TRIAL / (time.process_time() - start))))
        model.grow_to(side, over=0 if smallest else rounds[-1] // 2)
        fit(model, data, rounds=rounds[-1], **settings)
    with seeded(1000 + seed):
        return model.sample(2000), rounds, time.process_time() - began


def measure(x: Tensor, test: Tensor, every: Tensor) -> tuple[float, float]:
    small = [avg_pool2d(v, 4).flatten(1) for v in (x, test)]
    nearest = torch.cdist(x.flatten(1), every.flatten(1)).amin(1)  # [2000]
    return frechet_distance(*small), nearest.mean().item() / every[0].numel() ** 0.5


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    from yardstick import REFERENCE, headline

    seconds, line = headline()
    factor = seconds / REFERENCE
    data, every = shapes(32, sizes=(8000, 500, 2000)), render(combinations(), 32)
    print(line, "\n\n| shapes, 32 x 32 | rounds at each side | CPU s, scaled | Fréchet, 8 x 8 | to the nearest picture |")
    print("|---" * 5 + "|", flush=True)
    for name, shares in PLANS.items():
        for seed in range(given.seeds):
            x, rounds, used = train(shares, data.train, given.seconds * factor, seed)
            frechet, nearest = measure(x, data.test, every)
            told = " + ".join(map(str, rounds))
            print(f"| {name}, seed {seed} | {told} | {used / factor:.0f} | {frechet:.3f} | {nearest:.4f} |", flush=True)
    for name, x in (("real pictures", data.train[:2000]), ("black", torch.full_like(data.train[:2000], 0.05))):
        frechet, nearest = measure(x, data.test, every)
        print(f"| {name} | | | {frechet:.3f} | {nearest:.4f} |")
