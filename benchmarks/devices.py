"""Each model of the library, trained on the CPU and on a GPU from the same weights and minibatches: a table for README.md.

    python benchmarks/devices.py [cuda|mps|cpu] [rounds]      the GPU that there is and 200 by default

Sizes are the classes' own or the chapters', batches of 128 (64 for sequences). A model with a loss is judged by it on held-out
rows, in nats a row; a game by the Frechet distance of 500 samples to held-out rows, in pixels, for three seeds. Chance differs
between devices (noise, dropout), so the two figures agree up to that. The CPU works with one thread; times are of the wall.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from genedu.adversarial import (
    DCGAN,
    GAN,
    AuxiliaryClassifierGAN,
    ConditionalGAN,
    InfoGAN,
    PackedGAN,
    ProgressiveGAN,
    SemiSupervisedGAN,
    WassersteinGAN,
    mix_labels,
)
from genedu.autoregressive import (
    MADE,
    NADE,
    CharRNN,
    DeepNADE,
    HandwritingRNN,
    PixelCNN,
    PixelRNN,
    VideoPixelNetwork,
    WaveNet,
)
from genedu.core import Batch, seeded
from genedu.data import Digits, bounce, digits, markov_text, ring, strokes, tones
from genedu.density import EnergyModel, GaussianMixture
from genedu.fit import each, fit
from genedu.latent import VAE, Autoencoder, AutoregressiveVAE, LadderVAE, SemiSupervisedVAE
from genedu.metrics import frechet_distance
from genedu.nn import mu_law_encode

BITS, LEVELS, UNIT = digits("binary", flat=True), digits(), digits("unit")
PICTURES = (1, 8, 8)
GAMES = 3  # seeds; chance decides more there


@dataclass(frozen=True)
class Row:
    name: str
    build: Callable[[], nn.Module]
    train: Batch
    test: Batch
    batch_size: int = 128


def labelled(data: Digits) -> tuple[Batch, Batch]:
    return (data.train, data.train_labels), (data.test, data.test_labels)


def rows() -> list[Row]:
    bits, levels = (BITS.train, BITS.test), (LEVELS.train, LEVELS.test)
    unit, named = (UNIT.train, UNIT.test), labelled(UNIT)
    text, sound, video, pen, plane = markov_text(), tones(), bounce(), strokes(), ring(sigma=0.1)
    sounds = tuple(mu_law_encode(x, 64) for x in (sound.train, sound.test))
    return [
        Row("GaussianMixture, by gradient", lambda: GaussianMixture(8, 2), plane.train, plane.test),
        Row("EnergyModel", EnergyModel, plane.train, plane.test),
        Row("NADE", lambda: NADE(64, 128), *bits),
        Row("MADE", lambda: MADE(64, 256), *bits),
        Row("DeepNADE", lambda: DeepNADE(64), *bits),
        Row("PixelCNN, gated", lambda: PixelCNN(17), *levels),
        Row("PixelRNN, rows", lambda: PixelRNN(17), *levels),
        Row("PixelRNN, diagonal", lambda: PixelRNN(17, cell="diagonal"), *levels),
        Row("CharRNN", lambda: CharRNN(12, 96), text.train, text.test, 64),
        Row(
            "HandwritingRNN",
            lambda: HandwritingRNN(5, characters=13),
            (pen.train, pen.train_lengths, pen.train_labels),
            (pen.test, pen.test_lengths, pen.test_labels),
            64,
        ),
        Row("WaveNet", lambda: WaveNet(64, 6, 2), *sounds, 16),
        Row("VideoPixelNetwork", lambda: VideoPixelNetwork(2), video.train, video.test, 64),
        Row("Autoencoder", lambda: Autoencoder(8), *unit),
        Row("VAE", lambda: VAE(16, likelihood="categorical"), *levels),
        Row("SemiSupervisedVAE", lambda: SemiSupervisedVAE(likelihood="categorical"), *labelled(LEVELS)),
        Row("LadderVAE", LadderVAE, *levels),
        Row("AutoregressiveVAE, flow of two steps", lambda: AutoregressiveVAE(8, flow_steps=2), *levels),
        Row("GAN", lambda: GAN(shape=PICTURES), *unit),
        Row("PackedGAN", lambda: PackedGAN(shape=PICTURES), *unit),
        Row("WassersteinGAN, five moves of the critic", lambda: WassersteinGAN(shape=PICTURES), *unit),
        Row("DCGAN", DCGAN, *unit),
        Row("ProgressiveGAN, grown", lambda: ProgressiveGAN(start=8), *unit),
        Row("ConditionalGAN", lambda: ConditionalGAN(shape=PICTURES), *named),
        Row("AuxiliaryClassifierGAN", lambda: AuxiliaryClassifierGAN(shape=PICTURES), *named),
        Row("SemiSupervisedGAN", SemiSupervisedGAN, mix_labels(*named[0]), named[1]),
        Row("InfoGAN", InfoGAN, *unit),
    ]


@torch.no_grad()
def score(model: nn.Module, test: Batch, device: str) -> float:
    model.eval()
    with seeded(0):
        if hasattr(model, "loss"):
            return model.loss(each(test, lambda column: column.to(device))).item()
        x = test[0] if isinstance(test, tuple) else test
        return frechet_distance(x.to(device).flatten(1), model.sample(500).flatten(1))


def trained(row: Row, rounds: int, device: str, seed: int) -> tuple[float, float, float]:
    """Score before, score after, milliseconds a round."""
    with seeded(seed):
        model = row.build().to(device)
    before = score(model, row.test, device)
    fit(model, row.train, rounds=3, batch_size=row.batch_size, lr=1e-9, progress=False)  # the first rounds load kernels
    start = time.perf_counter()
    fit(model, row.train, rounds=rounds, batch_size=row.batch_size, seed=seed, progress=False)
    if device == "cuda":
        torch.cuda.synchronize()
    spent = time.perf_counter() - start
    return before, score(model, row.test, device), 1000 * spent / rounds


def told(scores: list[float]) -> str:
    least, most = min(scores), max(scores)
    return f"{scores[0]:.3f}" if len(scores) == 1 else f"{statistics.median(scores):.2f} ({least:.2f} to {most:.2f})"


def main(device: str, rounds: int = 200) -> None:
    torch.set_num_threads(1)
    where = torch.cuda.get_device_name() if device == "cuda" else device
    print(f"torch {torch.__version__}, {rounds} rounds\n")
    print(f"| model | score before | after, CPU | after, {where} | ms a round, CPU | {where} |\n|---|---|---|---|---|---|")
    for row in rows():
        seeds = range(1 if hasattr(row.build(), "loss") else GAMES)
        before, here, slow = zip(*[trained(row, rounds, "cpu", seed) for seed in seeds], strict=True)
        _, there, quick = zip(*[trained(row, rounds, device, seed) for seed in seeds], strict=True)
        figures = f"{before[0]:.3f} | {told(here)} | {told(there)} | {min(slow):.1f} | {min(quick):.1f}"
        print(f"| {row.name} | {figures} |", flush=True)


if __name__ == "__main__":
    present = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    main(sys.argv[1] if len(sys.argv) > 1 else present, *map(int, sys.argv[2:]))
