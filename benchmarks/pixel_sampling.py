"""100 digits of 17 levels drawn by a trained PixelCNN, cached and naive (each pixel a whole pass). Rows for benchmarks/README.md.

    python benchmarks/pixel_sampling.py             train (some 20 s), then five pairs of each net; medians
    python benchmarks/pixel_sampling.py size        seconds against the number of pixels, nets that are not trained

Both ways get the same seed and must draw the same digits. One thread; seconds are CPU seconds of the process.
"""

import os
import statistics
import sys
import time
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from genedu.autoregressive import PixelCNN
from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit

PAIRS, DRAWS = 5, 100


def seconds_of(draw) -> tuple[float, torch.Tensor]:
    with seeded(1):
        start = time.process_time()
        x = draw()
        return time.process_time() - start, x


def trained(**options) -> PixelCNN:
    data = digits(split="ordered")
    with seeded(0):
        model = PixelCNN(17, dropout=0.4, **options)
    optimizer = partial(torch.optim.AdamW, weight_decay=0.3, fused=True)
    rate = {"lr": 6e-3, "schedule": lambda t: min(4 * t, (1 - t) / 0.75)}
    start = time.process_time()
    fit(model, data.train, rounds=450, batch_size=64, optimizer=optimizer, progress=False, **rate)
    seconds = time.process_time() - start
    with torch.no_grad():
        print(f"{options or 'gated'}: test NLL {model.loss(data.test):.2f} nats after {seconds:.1f} s of training")
    return model


def pairs(name: str, model: PixelCNN) -> None:
    model.sample(2)  # the first call of anything is slow
    quick, slow = [], []
    for _ in range(PAIRS):
        (a, x), (b, y) = (seconds_of(partial(model.sample, DRAWS, cached=cached)) for cached in (True, False))
        if not torch.equal(x, y):
            raise SystemExit("cached and naive sampling drew different digits")
        quick.append(a)
        slow.append(b)
    ratio = statistics.median(b / a for a, b in zip(quick, slow, strict=True))
    print(f"| {name} | {statistics.median(quick):.3f} | {statistics.median(slow):.2f} | {ratio:.0f} |", flush=True)


def size() -> None:
    print("\n| image, 10 draws | pixels | cached, s | naive, s | ratio |\n|---|---|---|---|---|")
    for edge in (4, 8, 16, 32):
        with seeded(0):
            model = PixelCNN(17, size=edge)
        model.sample(1)
        quick, slow = (
            min(seconds_of(partial(model.sample, 10, cached=c))[0] for _ in range(3 if c else 1)) for c in (True, False)
        )
        print(f"| {edge} x {edge} | {edge**2} | {quick:.3f} | {slow:.2f} | {slow / quick:.0f} |", flush=True)


if __name__ == "__main__":
    from yardstick import headline

    print(headline()[1])
    torch.set_num_threads(1)
    if "size" in sys.argv:
        size()
    else:
        models = {"gated, 3 layers of 24": trained(), "plain, 3 layers of 24": trained(gated=False)}
        print("\n| 100 digits | cached, s | naive, s | ratio |\n|---|---|---|---|")
        for name, model in models.items():
            pairs(name, model)
