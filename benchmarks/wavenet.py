"""WaveNet: sampling with queues against the whole prefix at each step, time against length, and NLL beside the source's floor.

    python benchmarks/wavenet.py cached    2000 samples both ways, same draws, pairs in turn; slope of log time on log length
    python benchmarks/wavenet.py sound     tones and vowels of two pitches: nats a sample, the pitch that samples have

Without a word: both. One thread; seconds are CPU seconds; five pairs, or five seeds of training.
"""

import math
import statistics
import sys
import time

import torch

from genedu.autoregressive import WaveNet
from genedu.core import seeded
from genedu.data import linear_nll, pitch, tones, vowels
from genedu.fit import fit
from genedu.nn import mu_law_decode, mu_law_encode

REPEATS, LEVELS, LENGTH = 5, 64, 2000


def seconds_of(draw) -> tuple[float, torch.Tensor]:
    with seeded(1):
        start = time.process_time()
        x = draw()
        return time.process_time() - start, x


def cached() -> None:
    """The net of the chapter: 64 levels, two stacks of six layers, 24 channels, receptive field 127; one sound at a time."""
    with seeded(0):
        model = WaveNet(LEVELS, 6, 2)
    model.sample(1, length=50)  # the first call of each kernel costs more
    ratios, quick, slow = [], [], []
    for _ in range(REPEATS):
        a, x = seconds_of(lambda: model.sample(1, length=LENGTH))
        b, z = seconds_of(lambda: model.sample(1, length=LENGTH, cached=False))
        assert torch.equal(x, z), "the same draws"
        quick.append(a)
        slow.append(b)
        ratios.append(b / a)
    print(f"\n| {LENGTH} samples, same draws, median of {REPEATS} pairs (least to most) | CPU s |\n|---|---|")
    for name, runs in (("queues", quick), ("the whole prefix at each step", slow)):
        print(f"| {name} | {statistics.median(runs):.2f} ({min(runs):.2f} to {max(runs):.2f}) |")
    print(
        f"\nratio, median of pairs: **{statistics.median(ratios):.0f}** ({min(ratios):.0f} to {max(ratios):.0f}); must 10, aim 50"
    )

    lengths = [500, 1000, 2000, 4000, 8000]
    runs = [[seconds_of(lambda n=n: model.sample(1, length=n))[0] for n in lengths] for _ in range(REPEATS)]
    times = [min(column) for column in zip(*runs, strict=True)]  # other work only adds
    log = torch.tensor([[math.log(n), math.log(s)] for n, s in zip(lengths, times, strict=True)])
    away = log - log.mean(0)
    slope = (away[:, 0] * away[:, 1]).sum() / away[:, 0].square().sum()
    print("\n| samples | " + " | ".join(map(str, lengths)) + " |\n|---|" + "---|" * len(lengths))
    print("| CPU s, with queues, least of 5 | " + " | ".join(f"{s:.2f}" for s in times) + " |")
    print(f"\nslope of log time on log length: **{slope:.3f}**; must be 1.0 within 0.1")


def rise_and_fall(t: float) -> float:
    """The learning rate's factor: up in the first tenth, then down along half a cosine."""
    return min(1.0, t / 0.1) * 0.5 * (1 + math.cos(math.pi * max(0.0, (t - 0.1) / 0.9))) + 0.01


def sound() -> None:
    for make, data in (("tones", tones()), ("vowels", vowels(length=512, sizes=(256, 32, 64)))):
        train, test = mu_law_encode(data.train, LEVELS), mu_law_encode(data.test, LEVELS)
        print(f"\n| {make}, {LEVELS} levels, {train.numel()} samples to train on | CPU s | test nats a sample | pitches, Hz |")
        print("|---|---|---|---|")
        print(f"| floor (3) of genedu/data/audio.py, a bound | | {data.floor(LEVELS):.3f} | asked for: {data.pitches} |")
        for order in (2, 64):
            print(f"| linear prediction from {order} samples | | {linear_nll(train, test, levels=LEVELS, order=order):.3f} | |")
        found = []
        for seed in range(REPEATS):
            with seeded(seed):
                model = WaveNet(LEVELS, 6, 2, classes=2)
            start = time.process_time()
            options = {"rounds": 200, "batch_size": 8, "lr": 1e-2, "schedule": rise_and_fall, "seed": seed}
            fit(model, (train, data.train_labels), progress=False, **options)
            seconds = time.process_time() - start
            with torch.no_grad():
                nll = -model.log_prob(test, data.test_labels).mean().item() / test.shape[1]
            sung = []
            for y in (0, 1):
                with seeded(seed):
                    wave = mu_law_decode(model.sample(9, length=1500, y=torch.full((9,), y)), LEVELS)[:, 200:]
                sung.append(pitch(wave, rate=data.rate).median().item())
            found.append((nll, seconds))
            print(f"| WaveNet, seed {seed} | {seconds:.1f} | {nll:.3f} | {sung[0]:.1f}, {sung[1]:.1f} |", flush=True)
        nll, seconds = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"\nmedian {nll:.3f} nats a sample in {seconds:.1f} s, {nll - data.floor(LEVELS):.3f} above the bound")


if __name__ == "__main__":
    torch.set_num_threads(1)
    from yardstick import headline

    print(headline()[1])
    for word in sys.argv[1:] or ["cached", "sound"]:
        {"cached": cached, "sound": sound}[word]()
