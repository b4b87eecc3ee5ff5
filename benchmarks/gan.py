"""Adversarial networks against what the course asks of them. Rows for benchmarks/README.md.

    python benchmarks/gan.py toys           modes of a ring and of a grid, at the end of training, five seeds
    python benchmarks/gan.py digits         8x8 digits, ordered split, grey in 0..16: 500 samples against the last 447 rows
    python benchmarks/gan.py conditional    digits with labels, three seeds: does an independent classifier read the label?
    python benchmarks/gan.py features       Frechet distance on the features of the frozen digit net, three seeds
    python benchmarks/gan.py info           InfoGAN on digits, three seeds of three starts
    ... --seeds 1 --share 0.02              fewer seeds; a share of the rounds, to see whether it runs
    ... toys --only "ring, R1"              one row of the toys

Without a word: all five. One thread, medians over the seeds, the worst seed in brackets. CPU seconds of training, divided by
the yardstick's factor. Nothing is chosen by a test row; samples are taken where training ends, by the averaged generator.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from genedu.adversarial import DCGAN, GAN, AuxiliaryClassifierGAN, ConditionalGAN, InfoGAN, PackedGAN, WassersteinGAN
from genedu.core import Batch, seeded
from genedu.data import digits, grid, ring
from genedu.fit import Adam, fit
from genedu.metrics import (
    classification_accuracy_score,
    classifier_two_sample,
    digit_net,
    frechet_distance,
    matching,
    mode_coverage,
    precision_recall,
    stated_information,
)
from genedu.nn import InstanceNoise, Projection, mlp, strided_discriminator, strided_generator


@dataclass(frozen=True)
class Recipe:
    name: str
    build: Callable[[], nn.Module]
    rounds: int
    lr: float | dict[str, float] = 1e-3
    betas: tuple[float, float] = (0.5, 0.99)
    batch_size: int = 128


@dataclass(frozen=True)
class Run:
    """What the command line says, and how slow this core is."""

    seeds: int | None
    share: float
    factor: float
    only: str | None = None

    def over(self, seeds: int) -> range:
        return range(self.seeds or seeds)


def trained(recipe: Recipe, data: Batch, seed: int, run: Run) -> tuple[nn.Module, float]:
    """The model, and the scaled CPU seconds of its training."""
    with seeded(seed):
        model = recipe.build()
    start = time.process_time()
    fit(
        model,
        data,
        rounds=max(1, round(recipe.rounds * run.share)),
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        optimizer=partial(Adam, betas=recipe.betas),
        schedule=lambda t: 1 - t,
        seed=seed,
        progress=False,
    )
    return model, (time.process_time() - start) / run.factor


def columns(runs: list[tuple[float, ...]]) -> list[tuple[float, float, float]]:
    """Least, median and largest of each figure over the seeds."""
    return [(min(c), statistics.median(c), max(c)) for c in zip(*runs, strict=True)]


def said(name: str, seed: int, *figures: float) -> None:
    print(f"  {name}, seed {seed}: " + " ".join(f"{f:.4g}" for f in figures), file=sys.stderr, flush=True)


# ring and grid --------------------------------------------------------------------------------------------------------

RING = GRID = partial(GAN, latent=4, average=0.99)
PACKED = partial(PackedGAN, pack=2, latent=4, average=0.99)
ON_GRID = {"lr": 2e-3, "betas": (0.0, 0.99)}
CRITIC = {"penalty": 1.0, "steps": 3, "average": 0.99}
TOYS = {
    "ring": [
        Recipe("R1", partial(RING, r1=0.02), 7500, lr=2e-3),
        Recipe("plain", RING, 5000, lr=2e-3),
        Recipe("saturating", partial(RING, loss="saturating"), 5000, lr=2e-3),
        Recipe("packed", PACKED, 10000, lr=2e-3),
        Recipe("packed, R1", partial(PACKED, r1=0.02), 10000, lr=2e-3),
        Recipe("WGAN-GP", lambda: WassersteinGAN(latent=4, **CRITIC), 3000, betas=(0.5, 0.9)),
    ],
    "grid": [
        Recipe("R1", partial(GRID, r1=0.02), 11000, **ON_GRID),
        Recipe("plain", GRID, 11000, **ON_GRID),
        Recipe("saturating", partial(GRID, loss="saturating"), 11000, **ON_GRID),
        Recipe("packed", PACKED, 11000, **ON_GRID),
        Recipe("packed, R1", partial(PACKED, r1=0.02), 11000, **ON_GRID),
        Recipe("WGAN-GP", lambda: WassersteinGAN(latent=4, **CRITIC), 6000, betas=(0.5, 0.9)),
    ],
}
ASKED = {"ring": "8, 92 %, .03, 30 s; 8, 96 %, .01, 20 s", "grid": "25, 85 %, .05, 60 s; 25, 93 %, .01, 45 s"}
UNIT = 2.83  # the grid's coordinates are divided by it: variance 1


def toys(run: Run) -> None:
    print("\n| data | GAN | modes | high quality | reverse KL, nats | CPU s, scaled | must; aim, every seed |")
    print("|---" * 7 + "|")
    for data_name, recipes in TOYS.items():
        data, unit = (ring(sigma=0.01), 1.0) if data_name == "ring" else (grid(sigma=0.05, sizes=(10_000, 500, 500)), UNIT)
        for recipe in [r for r in recipes if run.only in (None, f"{data_name}, {r.name}")]:
            runs = []
            for seed in run.over(5):
                model, seconds = trained(recipe, data.train / unit, seed, run)
                with seeded(1000 + seed):
                    samples = model.sample(2500) * unit
                runs.append((*mode_coverage(samples, data.modes, sigma=data.sigma), seconds))
                said(f"{data_name}, {recipe.name}", seed, *runs[-1])
            (least, modes, _), (low, quality, _), (_, kl, worst), (_, cpu, _) = columns(runs)
            asked = ASKED[data_name] if recipe.name == "R1" else ""
            row = f"| {data_name} | {recipe.name} | {modes:g} ({least:g}) | {100 * quality:.1f} % ({100 * low:.1f}) "
            print(row + f"| {kl:.4f} ({worst:.4f}) | {cpu:.1f} | {asked} |", flush=True)
        with seeded(0):
            perfect = data.modes[torch.randint(len(data.modes), (2500,))] + data.sigma * torch.randn(2500, 2)
            modes, quality, kl = mode_coverage(perfect, data.modes, sigma=data.sigma)
        print(f"| {data_name} | a perfect sampler | {modes} | {100 * quality:.1f} % | {kl:.4f} | | |", flush=True)


# digits ---------------------------------------------------------------------------------------------------------------

IMAGES = {"shape": (1, 8, 8)}


def two_layers() -> GAN:
    """The networks of chapter 10, which do better on digits than the three layers by default."""
    leaky = partial(mlp, activation=lambda: nn.LeakyReLU(0.2))
    generator = nn.Sequential(mlp(16, 128, 128, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
    discriminator = nn.Sequential(nn.Flatten(), leaky(64, 256, 256, 1))
    return GAN(generator, discriminator, latent=16, r1=3.0, average=0.99, rows=64, **IMAGES)


DIGITS = [
    Recipe("DCGAN", lambda: DCGAN(16, width=24, rows=64, average=0.99, init=None), 1000, lr=2e-3, batch_size=64),
    Recipe("GAN of dense nets, R1", two_layers, 1000, lr=4e-3, batch_size=64),
    Recipe("its default nets of three layers, R1", lambda: GAN(latent=16, r1=0.1, average=0.995, **IMAGES), 2000, lr=2e-3),
]


def against(real: Tensor, fake: Tensor) -> tuple[float, float, float, float]:
    """Frechet distance, two-sample accuracy, precision and recall: [447, 64] against [500, 64], rounded to the 17 levels."""
    fake = fake.round()
    found = precision_recall(real, fake[: len(real)])
    return frechet_distance(fake, real), classifier_two_sample(fake, real).accuracy, found.precision, found.recall


def digit_rows(run: Run) -> None:
    data = digits("unit", split="ordered")
    test, known = 16 * data.test.flatten(1), 16 * torch.cat([data.train, data.validation]).flatten(1)  # [447, 64], [1350, 64]

    def row(name: str, runs: list[tuple[float, ...]], asked: str = "") -> None:
        (_, frechet, far), (_, told, _), (_, precision, _), (_, recall, _), (_, cpu, _) = columns(runs)
        line = f"| {name} | {frechet:.0f} ({far:.0f}) | {told:.3f} | {precision:.2f} | {recall:.2f} | {cpu:.1f} | {asked} |"
        print(line, flush=True)

    print(
        "\n| 500 samples, rows 1350-1796 | pixel Frechet | two-sample accuracy | precision | recall | CPU s, scaled | must; aim |"
    )
    print("|---" * 7 + "|")
    for recipe in DIGITS:
        runs = []
        for seed in run.over(5):
            model, seconds = trained(recipe, data.train, seed, run)
            with seeded(1000 + seed):
                runs.append((*against(test, 16 * model.sample(500).flatten(1)), seconds))
            said(recipe.name, seed, *runs[-1])
        row(recipe.name, runs, "250 after 10 s; 150")
    real, gauss = [], []
    for seed in run.over(5):
        with seeded(seed):
            real.append((*against(test, known[torch.randperm(len(known))[:500]]), 0.0))
            normal = torch.distributions.MultivariateNormal(known.mean(0), torch.cov(known.T) + 1e-4 * torch.eye(64))
            gauss.append((*against(test, normal.sample((500,)).clamp(0, 16)), 0.0))
    row("500 real rows of 0-1349", real)
    row("one Gaussian, clipped to 0..16", gauss)


# digits with labels ---------------------------------------------------------------------------------------------------

RATES = {"discriminator": 6e-3, "generator": 3e-3}
GIVEN = {"latent": 16, "r1": 1.0, "average": 0.995, **IMAGES}


def body() -> nn.Sequential:
    """Features of a discriminator: [B, 1, 8, 8] -> [B, 256]."""
    bend = partial(nn.LeakyReLU, 0.2)
    return nn.Sequential(nn.Flatten(), mlp(64, 256, 256, activation=bend), bend())


LABELLED = [
    Recipe("conditional", lambda: ConditionalGAN(10, discriminator=Projection(body(), 256, 10), **GIVEN), 2500, lr=RATES),
    Recipe(
        "auxiliary classifier",
        lambda: AuxiliaryClassifierGAN(10, discriminator=nn.Sequential(body(), nn.Linear(256, 11)), **GIVEN),
        2500,
        lr=RATES,
    ),
]


def conditional(run: Run) -> None:
    data, net = digits("unit"), digit_net()
    truth = data.test.flatten(1), data.test_labels
    real = classification_accuracy_score(data.train.flatten(1), data.train_labels, *truth)
    with torch.no_grad():
        sure = (net(data.test).argmax(1) == data.test_labels).double().mean().item()
    print(f"\n| read by the frozen net ({sure:.3f} on real rows) | label accuracy | accuracy score | CPU s, scaled | must; aim |")
    print("|---|---|---|---|---|")
    for recipe in LABELLED:
        runs = []
        for seed in run.over(3):
            model, seconds = trained(recipe, (data.train, data.train_labels), seed, run)
            with seeded(1000 + seed):
                x = model.sample(len(data.train), data.train_labels)
            with torch.no_grad():
                right = (net(x).argmax(1) == data.train_labels).double().mean().item()
            score = classification_accuracy_score(x.flatten(1), data.train_labels, *truth)
            runs.append((right, score, seconds))
            said(recipe.name, seed, *runs[-1])
        (low, right, _), (least, score, _), (_, cpu, _) = columns(runs)
        below = f"{100 * (real - score):.1f} points below {real:.3f}"
        line = f"| {recipe.name} | {right:.3f} ({low:.3f}) | {score:.3f} ({least:.3f}), {below} | {cpu:.1f} "
        print(line + "| .93, 10 points; .97, 5 points |", flush=True)


# the frozen net's features --------------------------------------------------------------------------------------------


def features(run: Run) -> None:
    from vae import LEVELS
    from vae import trained as trained_vae

    data, net = digits("unit"), digit_net()
    levels = digits().train

    def distance(x: Tensor) -> float:
        return frechet_distance(x, data.test, features=net.features)

    def vae(seed: int) -> tuple[Tensor, float]:
        recipe = replace(LEVELS[12], rounds=max(1, round(LEVELS[12].rounds * run.share)))
        model, seconds = trained_vae(recipe, levels, seed)
        with seeded(1000 + seed):
            return model.sample(len(data.test)).view(-1, 1, 8, 8) / 16, seconds / run.factor

    def gan(recipe: Recipe, seed: int) -> tuple[Tensor, float]:
        labelled = recipe in LABELLED
        model, seconds = trained(recipe, (data.train, data.train_labels) if labelled else data.train, seed, run)
        with seeded(1000 + seed):
            return model.sample(len(data.test)), seconds

    def floor(seed: int) -> tuple[Tensor, float]:
        with seeded(seed):
            return data.train[torch.randperm(len(data.train))[: len(data.test)]], 0.0

    print(f"\n| {len(data.test)} samples against the stratified test rows | Frechet distance, 32 features | CPU s, scaled |")
    print("|---|---|---|")
    rows: dict[str, Callable[[int], tuple[Tensor, float]]] = {r.name: partial(gan, r) for r in [*DIGITS, *LABELLED]}
    rows |= {"VAE, 17 levels (`vae.py`, 12 s)": vae, "real training rows": floor}
    for name, draw in rows.items():
        runs = []
        for seed in run.over(3):
            x, seconds = draw(seed)
            runs.append((distance(x), seconds))
            said(name, seed, *runs[-1])
        (_, frechet, far), (_, cpu, _) = columns(runs)
        print(f"| {name} | {frechet:.2f} ({far:.2f}) | {cpu:.1f} |", flush=True)


# codes ----------------------------------------------------------------------------------------------------------------


def with_codes(hidden: int = 96) -> InfoGAN:
    """Ten categories and two numbers; D and Q see pictures through noise, the category is loud."""
    norm, bend = (lambda: nn.Sequential(nn.BatchNorm1d(hidden), nn.ReLU())), partial(nn.LeakyReLU, 0.2)
    layers = [nn.Linear(4 + 10 + 2, hidden), norm(), nn.Linear(hidden, hidden), norm(), nn.Linear(hidden, 64), nn.Sigmoid()]
    trunk = nn.Sequential(InstanceNoise(0.5), nn.Flatten(), mlp(64, hidden, hidden, hidden, activation=bend), bend())
    return InfoGAN(
        *(10, 2),
        generator=nn.Sequential(*layers, nn.Unflatten(1, (1, 8, 8))),
        trunk=trunk,
        features=hidden,
        latent=4,
        weight=0.1,
        gain=20.0,
        sigma=0.28,
        r1=0.1,
        average=0.99,
    )


def with_codes_by_convolutions(latent: int = 3, width: int = 24) -> InfoGAN:
    """The same with DCGAN's networks, the last layer of D cut off."""
    options: dict[str, Any] = {"shape": (1, 8, 8), "width": width, "init": None}
    *below, _ = strided_discriminator(**options)
    return InfoGAN(
        *(10, 2),
        generator=strided_generator(latent + 10 + 2, **options),
        trunk=nn.Sequential(InstanceNoise(0.3), *below, nn.Flatten()),
        features=2 * width * 4,
        latent=latent,
        weight=0.1,
        gain=20.0,
        sigma=0.28,
        average=0.99,
        rows=64,
    )


CODES = [
    Recipe("chapter 13's dense nets", with_codes, 800, lr=2e-3),  # longer trainings match the digits less well
    Recipe("DCGAN's nets", with_codes_by_convolutions, 1500, lr=2e-3, batch_size=64),
]
STARTS = 3  # of which the one is kept whose category states most about the training rows


@torch.no_grad()
def info(run: Run) -> None:
    """Each seed of the table is STARTS trainings; labels name the categories, on training rows, and judge them, on test rows."""
    data = digits("unit")
    title = "digits, 10 categories, 2 numbers | matched accuracy, every start | best of three starts, chosen without labels"
    print(f"\n| {title} | bound on I(c; x), nats | CPU s a start, scaled | must; aim, median |")
    print("|---" * 6 + "|")
    for recipe in CODES:
        starts = []
        for seed in range(STARTS * len(run.over(3))):
            with torch.enable_grad():
                model, seconds = trained(recipe, data.train, seed, run)
            seen = model.codes(data.train).category.probs
            code, new = seen.argmax(1), model.codes(data.test).category.logits.argmax(1)
            with seeded(1000 + seed):
                bound = model.information_bound(5000)[0].item()
            partner = matching(code, data.train_labels)
            named = torch.tensor([partner.get(c, -1) for c in new.tolist()])
            right = (named == data.test_labels).double().mean().item()
            starts.append((stated_information(seen).item(), right, bound, seconds))
            said(recipe.name, seed, *starts[-1])
        kept = [max(starts[i : i + STARTS]) for i in range(0, len(starts), STARTS)]
        (_, (low, each, _), _, (_, cpu, _)), (_, (worst, best, _), (least, bound, _), _) = columns(starts), columns(kept)
        row = f"| {recipe.name} | {each:.3f} ({low:.3f}) | {best:.3f} ({worst:.3f}) | {bound:.3f} ({least:.3f}) | {cpu:.1f} "
        print(row + "| .65, 1.6 nats; .8, 2.0 nats |", flush=True)


PARTS = {"toys": toys, "digits": digit_rows, "conditional": conditional, "features": features, "info": info}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    from yardstick import REFERENCE, headline

    seconds, line = headline()
    print(line)
    for part in given.parts or PARTS:
        PARTS[part](Run(given.seeds, given.share, seconds / REFERENCE, given.only))
