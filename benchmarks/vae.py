"""VAEs on the digits: bounds on the test NLL within a budget of CPU seconds, one thread, three seeds. Markdown rows.

    python benchmarks/vae.py levels     17 levels, ordered split, 16 latents: budgets of 5 and 12 s
    python benchmarks/vae.py priors     the same with a mixture and a VampPrior instead of N(0, I)
    python benchmarks/vae.py bits       black and white, stratified split, 8 latents
    python benchmarks/vae.py richer     ladder and autoregressive VAEs, no budget

Without a word: all four. Settings were chosen on validation rows. What made the difference for the levels: the decoder gives six
numbers a pixel, and one table for all pixels, features x levels, makes logits of them; a histogram a pixel is its first bias.
A budget is in seconds of the core on which the yardstick takes 0.82 s: `s` CPU seconds count as s / (yardstick / 0.82).
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from nll import adamw, moved, one_cycle
from nll import start as start_at_frequencies
from torch import Tensor, nn
from torch.nn.functional import one_hot

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.latent import VAE, AutoregressiveVAE, LadderVAE, MixturePrior, VampPrior, warm_up

SEEDS = range(3)


@dataclass(frozen=True)
class Recipe:
    name: str
    latent: int
    levels: int  # 2: Bernoulli
    rounds: int
    encoder: int  # hidden units
    decoder: int
    rank: int = 6  # numbers a pixel from which the logits of the levels are made
    encoder_dropout: float = 0.1
    decoder_dropout: float = 0.5
    lr: float = 3e-3
    weight_decay: float = 0.1
    batch_size: int = 64
    shifted: float = 0.3
    prior: str = "N(0, I)"
    components: int = 0
    free_bits: float = 0.0

    build: Callable[["Recipe", Tensor], nn.Module] = lambda recipe, x: plain(recipe, x)


class Encoder(nn.Sequential):
    """[B, 1, 8, 8] -> [B, 2Z]."""

    def __init__(self, recipe: Recipe) -> None:
        out = nn.Linear(recipe.encoder, 2 * recipe.latent)
        nn.init.normal_(out.weight, std=0.02)
        nn.init.zeros_(out.bias)
        hidden = nn.Linear(64, recipe.encoder)
        hidden.weight.data /= recipe.levels / 4  # x comes in levels
        super().__init__(nn.Flatten(), hidden, nn.ReLU(), nn.Dropout(recipe.encoder_dropout), out)


class Decoder(nn.Module):
    """[N, Z] -> logits [N, 64, levels], or [N, 64] for bits: a bias for each place and level, and what z moves it by."""

    def __init__(self, recipe: Recipe, x: Tensor) -> None:
        super().__init__()
        bits = recipe.levels == 2
        features = 1 if bits else recipe.rank
        self.body = nn.Sequential(
            nn.Linear(recipe.latent, recipe.decoder),
            nn.ReLU(),
            nn.Dropout(recipe.decoder_dropout),
            nn.Linear(recipe.decoder, 64 * features, bias=False),
        )
        self.body[3].weight.data *= 0.3
        count = one_hot(x.flatten(1).long(), recipe.levels).sum(0) + 0.3  # [64, L]
        log_p = (count / count.sum(-1, keepdim=True)).log()
        self.bias = nn.Parameter(log_p[:, 1] - log_p[:, 0] if bits else log_p)
        level = torch.linspace(-1, 1, recipe.levels)
        self.table = None if bits else nn.Parameter(torch.cat([level[None], 0.5 * torch.randn(features - 1, len(level))]))

    def forward(self, z: Tensor) -> Tensor:
        moved = self.body(z)  # [N, 64 * features]
        return self.bias + (moved if self.table is None else moved.view(len(z), 64, -1) @ self.table)


def plain(recipe: Recipe, x: Tensor) -> VAE:
    encoder, decoder = Encoder(recipe), Decoder(recipe, x)
    prior = {
        "N(0, I)": lambda: None,
        "mixture": lambda: MixturePrior(recipe.latent, recipe.components),
        "VampPrior": lambda: VampPrior(encoder, x[torch.randperm(len(x))[: recipe.components]]),
    }[recipe.prior]()
    likelihood = "bernoulli" if recipe.levels == 2 else "categorical"
    return VAE(recipe.latent, encoder=encoder, decoder=decoder, prior=prior, likelihood=likelihood, levels=recipe.levels)


def richer(recipe: Recipe, x: Tensor) -> AutoregressiveVAE:
    """A decoder that sees all earlier pixels; some nats of z are free, or it would be ignored."""
    net = {"hidden": recipe.decoder, "layers": 3, "dropout": recipe.decoder_dropout}
    model = AutoregressiveVAE(recipe.latent, levels=recipe.levels, free_bits=recipe.free_bits, width=recipe.encoder, **net)
    start_at_frequencies(model, x)
    return model


def ladder(recipe: Recipe, x: Tensor) -> LadderVAE:
    """Two layers, the upper one of half as many latents, with the decoder of the plain VAE."""
    return LadderVAE((recipe.latent, recipe.latent // 2), decoder=Decoder(recipe, x), hidden=recipe.encoder)


def trained(recipe: Recipe, x: Tensor, seed: int) -> tuple[nn.Module, float]:
    """The model, in evaluation mode, and the CPU seconds of its training."""
    with seeded(seed):
        model = recipe.build(recipe, x)
    start = time.process_time()
    fit(
        model,
        x,
        rounds=recipe.rounds,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        optimizer=adamw(model, recipe.weight_decay),
        schedule=warm_up(model, 0.3, schedule=one_cycle) if isinstance(model, LadderVAE) else one_cycle,
        augment=partial(moved, share=recipe.shifted),
        seed=seed,
        progress=False,
    )
    return model.eval(), time.process_time() - start


@torch.no_grad()
def bounds(model, x: Tensor, samples: int, draws: int = 20) -> tuple[float, float]:
    """-ELBO, the mean of `draws` estimates, and minus the importance-weighted bound: nats an image."""
    with seeded(99):
        elbo = torch.stack([model.elbo(x).mean() for _ in range(draws)]).mean().item()
        weighted = torch.cat([model.log_prob_bound(part, samples=samples) for part in x.split(50)]).mean().item()
    return -elbo, -weighted


def measure(recipe: Recipe, data, samples: int, factor: float) -> list[float]:
    """Medians over the seeds: validation and test -ELBO, importance bound (validation: 50 samples), KL, scaled CPU seconds."""
    runs = []
    for seed in SEEDS:
        model, seconds = trained(recipe, data.train, seed)
        (v, vw), (t, tw) = bounds(model, data.validation, 50), bounds(model, data.test, samples)
        with torch.no_grad(), seeded(98):
            kl = model.elbo_terms(data.test).kl
            kl = kl.view(len(kl), -1).sum(1).mean().item()  # a ladder has one a layer
        runs.append([v, t, vw, tw, kl, seconds / factor])
        print(f"  {recipe.name}, {recipe.prior}, seed {seed}: " + " ".join(f"{r:.2f}" for r in runs[-1]), file=sys.stderr)
    return [statistics.median(column) for column in zip(*runs, strict=True)]


LEVELS = {
    5: Recipe("5 s", 16, 17, 1000, 256, 512),
    12: Recipe("12 s", 16, 17, 2600, 256, 512),
}
BITS = Recipe("binary", 8, 2, 3000, 256, 512, encoder_dropout=0.0, decoder_dropout=0.1, shifted=0.0, weight_decay=0.01)
own = partial(Recipe, lr=1e-2, weight_decay=0.3, batch_size=32, shifted=0.3, build=richer)
LADDER = Recipe("ladder", 16, 17, 2600, 256, 512, lr=4e-3, build=ladder)
RICHER = {
    "levels": own("autoregressive", 8, 17, 800, 128, 32, decoder_dropout=0.35, free_bits=2.0),
    "binary": own("autoregressive", 8, 2, 1500, 128, 32, decoder_dropout=0.3, free_bits=1.5),
}
HEAD = "| {} | CPU s, scaled | validation -ELBO | test -ELBO | test, importance bound ({}) | KL of z | asked for; if possible |\n"
ASKED = {5: "-ELBO 96; 95", 12: "-ELBO 94.8; 94, bound 93.6; 92"}


def row(name: str, found: list[float], asked: str = "") -> None:
    v, t, _, tw, kl, seconds = found
    print(f"| {name} | {seconds:.1f} | {v:.2f} | **{t:.2f}** | **{tw:.2f}** | {kl:.1f} | {asked} |", flush=True)


def levels(factor: float) -> None:
    data = digits(split="ordered")
    print("\n" + HEAD.format("17 levels, ordered", 200) + "|---" * 7 + "|")
    for budget, recipe in LEVELS.items():
        row(f"VAE, 16 latents, {budget} s", measure(recipe, data, 200, factor), ASKED[budget])


def priors(factor: float) -> None:
    data = digits(split="ordered")
    print("\n" + HEAD.format("17 levels, ordered, 12 s", 200) + "|---" * 7 + "|")
    plain = measure(LEVELS[12], data, 200, factor)
    row("N(0, I)", plain)
    for prior, components in (("mixture", 50), ("VampPrior", 100)):
        found = measure(replace(LEVELS[12], prior=prior, components=components), data, 200, factor)
        row(f"{prior}, {components}", found, f"{plain[1] - found[1]:+.2f} below; 0.3; 1")


def bits(factor: float) -> None:
    data = digits("binary")
    print("\n" + HEAD.format("binary, stratified", 1000) + "|---" * 7 + "|")
    row("VAE, 8 latents", measure(BITS, data, 1000, factor), "-ELBO 18.4; 18.1, bound 17.3; 17.0")


def richer_rows(factor: float) -> None:
    for values, split, samples, asked in (("levels", "ordered", 200, "83; 81"), ("binary", "stratified", 1000, "17.1; 16.8")):
        print("\n" + HEAD.format(f"{values}, {split}", samples) + "|---" * 7 + "|")
        found = measure(RICHER[values], digits(values, split=split), samples, factor)
        row("autoregressive VAE, 8 latents", found, f"bound {asked}, KL above 1")
        if values == "levels":
            row("ladder VAE, 16 and 8 latents", measure(LADDER, digits(split=split), samples, factor))


if __name__ == "__main__":
    torch.set_num_threads(1)
    from yardstick import REFERENCE, headline

    seconds, line = headline()
    print(line)
    for word in sys.argv[1:] or ["levels", "priors", "bits", "richer"]:
        {"levels": levels, "priors": priors, "bits": bits, "richer": richer_rows}[word](seconds / REFERENCE)
