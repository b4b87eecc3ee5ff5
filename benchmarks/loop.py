"""`fit` against the loop that one writes by hand: the same model, the same draws, the same optimiser. Rows for the README.

    python benchmarks/loop.py [vae] [gan] [dcgan]

A VAE on binary digits, a GAN of two three-layer nets on the ring, a DCGAN on digits (stratified split), batches of 128, one
thread, no progress bar, CPU seconds. Pairs of runs, now the one first and now the other; the median of the ratios. Both end with
the same weights, bit for bit, which is checked.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from yardstick import headline

from genedu.adversarial import DCGAN, GAN
from genedu.core import seeded
from genedu.data import digits, ring
from genedu.fit import Adam, fit
from genedu.latent import VAE

BATCH, RATE = 128, 2e-3
GAMES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], int, int]] = {  # model, data, pairs, rounds
    "vae": (lambda: VAE(8), lambda: digits("binary").train, 41, 150),  # many short pairs: single runs differ by a third
    "gan": (GAN, lambda: ring().train, 41, 100),
    "dcgan": (DCGAN, lambda: digits("unit").train, 21, 20),
}


def by_fit(model: nn.Module, x: Tensor, rounds: int) -> list[float]:
    losses = fit(model, x, rounds=rounds, batch_size=BATCH, lr=RATE, seed=0, progress=False).losses
    return [value for one_round in zip(*losses.values(), strict=True) for value in one_round]


def minibatches(x: Tensor) -> Iterator[Tensor]:
    while True:
        for rows in torch.randperm(len(x))[: len(x) - len(x) % BATCH].split(BATCH):
            yield x[rows]


def by_hand(model: nn.Module, x: Tensor, rounds: int) -> list[float]:
    """What `fit` does for players of one step a round, and nothing else."""
    players = model.players()  # type: ignore[operator]
    optimizers, losses = [Adam(list(p.parameters), lr=RATE) for p in players], []
    model.train()
    with seeded(0):
        batches = minibatches(x)
        for _ in range(rounds):
            for player, optimizer in zip(players, optimizers, strict=True):
                loss = player.loss(next(batches) if player.uses_data else None)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
    return losses


def taken(job: Callable[..., list[float]], model: nn.Module, x: Tensor, rounds: int) -> tuple[float, list[float]]:
    """CPU seconds of one run of `job`, and its losses."""
    start = time.process_time()
    losses = job(model, x, rounds)
    return time.process_time() - start, losses


def measure(name: str) -> str:
    build, data, pairs, rounds = GAMES[name]

    def new() -> nn.Module:
        with seeded(0):
            return build()

    x = data()
    by_fit(new(), x, 20), by_hand(new(), x, 20)  # the first calls cost more
    seconds = []
    for pair in range(pairs):
        models = {job: new() for job in ((by_fit, by_hand) if pair % 2 == 0 else (by_hand, by_fit))}
        found = {job: taken(job, model, x, rounds) for job, model in models.items()}
        (ours, losses), (theirs, same) = found[by_fit], found[by_hand]
        weights = (models[job].state_dict().values() for job in (by_fit, by_hand))
        assert losses == same, "the losses differ"
        assert all(torch.equal(u, v) for u, v in zip(*weights, strict=True)), "the weights differ"
        seconds.append((ours, theirs))
    ratios = sorted(a / b for a, b in seconds)
    ours, theirs = (1e6 * statistics.median(s[k] for s in seconds) / rounds for k in (0, 1))
    spread = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    return f"| {name} | {pairs} x {rounds} | {ours:.0f} | {theirs:.0f} | {spread} | 1.10; 1.03 |"


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    print(headline()[1])
    print(f"\n| batch {BATCH} | pairs x rounds | `fit`, µs a round | by hand, µs a round | ratio | must; aim |")
    print("|---|---|---|---|---|---|")
    for name in names or list(GAMES):
        print(measure(name), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
