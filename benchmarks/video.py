"""VideoPixelNetwork on the bouncing block, whose floor is known exactly, beside its baseline without dependence within a frame.

    python benchmarks/video.py        five seeds; one thread; seconds are CPU seconds of training

"above" is the mean over 500 test videos of log p(x) - log q(x), p the source itself: a fair estimate of the KL divergence, whose
error is much smaller than that of either mean.
"""

import math
import statistics
import time
from functools import partial

import torch

from genedu.autoregressive import VideoPixelNetwork
from genedu.core import seeded
from genedu.data import bounce
from genedu.fit import Adam, fit

SEEDS = 5
ADAM = partial(Adam, betas=(0.9, 0.99))  # forgets gradients sooner: with 0.999 one seed in five stays longer on a plateau


def rise_and_fall(t: float) -> float:
    """The learning rate's factor: up in the first 15 %, then down along half a cosine."""
    return min(1.0, t / 0.15) * 0.5 * (1 + math.cos(math.pi * max(0.0, (t - 0.15) / 0.85))) + 0.005


def video() -> None:
    source = bounce()
    x, frames = source.test, source.test.shape[1]
    floors = {within: source.floor(within=within) for within in (True, False)}
    error = source.log_prob(x).std().item() / math.sqrt(len(x)) / frames
    print(f"\nexact floor {floors[True]:.3f} nats a frame (error {error:.3f}), of independent pixels {floors[False]:.3f}")
    print("\n| bouncing block, 8 x 8, 8 frames, 2000 videos | CPU s | test nats a frame | above its floor | error |")
    print("|---|---|---|---|---|")
    for name, rounds, layers, within in (
        ("full, 2 layers, 350 rounds", 350, 2, True),
        ("full, 3 layers, 3000 rounds", 3000, 3, True),
        ("baseline, 3 layers, 1000 rounds", 1000, 3, False),
    ):
        found = []
        for seed in range(SEEDS):
            with seeded(seed):
                model = VideoPixelNetwork(2, layers=layers, within=within)
            start = time.process_time()
            options = {"rounds": rounds, "batch_size": 8, "lr": 1e-2, "schedule": rise_and_fall, "optimizer": ADAM, "seed": seed}
            fit(model, source.train, progress=False, **options)
            seconds = time.process_time() - start
            with torch.no_grad():
                log_q = model.log_prob(x).double()
            lost = (source.frame_log_prob(x, within=within).sum(1) - log_q) / frames
            share = lost.mean().item() / floors[within]
            found.append((-log_q.mean().item() / frames, share, seconds))
            error = lost.std().item() / math.sqrt(len(x))
            print(
                f"| {name}, seed {seed} | {seconds:.1f} | {found[-1][0]:.3f} | {100 * share:.1f} % | {error:.3f} |",
                flush=True,
            )
        nll, share, seconds = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| **{name}, median** | {seconds:.1f} | {nll:.3f} | **{100 * share:.1f} %** | |")
    print("\nthe full network must be at most 5 % above its floor")


if __name__ == "__main__":
    torch.set_num_threads(1)
    from yardstick import headline

    print(headline()[1])
    video()
