"""`fit` against the loop that one writes by hand: the same VAE, the same draws, the same optimiser. A row for the README.

    python benchmarks/loop.py [pairs] [rounds]

VAE(8) on binary digits (stratified split), batches of 128, one thread, no progress bar, CPU seconds. Pairs of runs, now the one
first and now the other; the median of the ratios. Both end with the same weights, bit for bit, which is checked.
"""

import statistics
import sys
import time

import torch
from torch import Tensor
from yardstick import headline

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import Adam, fit
from genedu.latent import VAE

PAIRS, ROUNDS, BATCH, RATE = 41, 150, 128, 2e-3  # many short pairs: single runs differ by a third on a busy machine


def new() -> VAE:
    with seeded(0):
        return VAE(8)


def by_fit(model: VAE, x: Tensor, rounds: int) -> list[float]:
    return fit(model, x, rounds=rounds, batch_size=BATCH, lr=RATE, seed=0, progress=False).losses["model"]


def by_hand(model: VAE, x: Tensor, rounds: int) -> list[float]:
    """What `fit` does for one player, and nothing else."""
    optimizer, losses, n = Adam(list(model.parameters()), lr=RATE), [], len(x)
    with seeded(0):
        while len(losses) < rounds:
            for rows in torch.randperm(n)[: n - n % BATCH].split(BATCH):
                loss = model.loss(x[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                if len(losses) == rounds:
                    break
    return losses


def taken(job, x: Tensor, rounds: int) -> tuple[float, VAE, list[float]]:
    """CPU seconds of one run of `job`, its model and its losses."""
    model = new()
    start = time.process_time()
    losses = job(model, x, rounds)
    return time.process_time() - start, model, losses


def main(pairs: int = PAIRS, rounds: int = ROUNDS) -> None:
    torch.set_num_threads(1)
    print(headline()[1])
    x = digits("binary").train
    taken(by_fit, x, 20), taken(by_hand, x, 20)  # the first calls cost more
    seconds = []
    for pair in range(pairs):
        jobs = (by_fit, by_hand) if pair % 2 == 0 else (by_hand, by_fit)
        found = {job: taken(job, x, rounds) for job in jobs}
        (ours, a, losses), (theirs, b, same) = found[by_fit], found[by_hand]
        assert losses == same, "the losses differ"
        assert all(torch.equal(u, v) for u, v in zip(a.parameters(), b.parameters(), strict=True)), "the weights differ"
        seconds.append((ours, theirs))
    ratios = sorted(a / b for a, b in seconds)
    ours, theirs = (1e6 * statistics.median(s[k] for s in seconds) / rounds for k in (0, 1))
    spread = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    setting = f"VAE(8), batch {BATCH}, {rounds} rounds, {pairs} pairs"
    print(f"\n| {setting} | `fit`, µs a round | by hand, µs a round | ratio | must; aim |")
    print("|---|---|---|---|---|")
    print(f"| binary digits | {ours:.0f} | {theirs:.0f} | {spread} | 1.10; 1.03 |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
