"""`genedu train`: trains a model of the library on digits or MNIST and tells its test NLL, beside published figures.

Which figures may stand beside each other depends on how grey became black and white, and on who was trained on what:

    "binary"  a threshold at half of the range: no noise at all
    "drawn"   each pixel is drawn once, 1 with probability level / (largest level), by a fixed seed ("static")
    dynamic   each pixel is drawn anew whenever it is looked at; not offered here, some published figures are of it

These are three data sets. Published figures of MNIST are mostly of one drawing of the second kind, which lies in files by
H. Larochelle; our drawing has other pixels of the same distribution. What differs is said in the output.

Source:   the figures: NADE 88.33 as cited from B. Uria et al., JMLR 17 (2016); PixelCNN 81.30 (A. van den Oord et al., ICML
          2016) and MADE 88.04 (M. Germain et al., ICML 2015) as cited by the README of EugenHotaj/pytorch-generative, whose
          own are the dynamic ones; MADE 94.5 by the README of karpathy/pytorch-made; 84.68 of T. Raiko et al., NIPS 2014.
"""

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from genedu.core import default_device, seeded
from genedu.data import digits, mnist
from genedu.data.mnist import SHA256, read_idx
from genedu.fit import Adam, fit
from genedu.metrics.likelihood import bits_per_dim, mean_and_error

TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
VALUES = ("binary", "drawn", "levels")
DATA = {"digits": "binary", "mnist": "drawn"}  # and the form of its values that is taken by default


@dataclass(frozen=True)
class Settings:
    """How a model is trained on one of the data sets."""

    rounds: int
    lr: float
    decay: float  # of weights, by AdamW
    batch_size: int = 100


@dataclass(frozen=True)
class Recipe:
    """How a model is made, from the number of levels and the shape (C, H, W) of an image, and trained."""

    build: Callable[[int, tuple[int, int, int]], nn.Module]
    on: dict[str, Settings]  # by the name of the data
    values: tuple[str, ...] = ("binary", "drawn")
    flat: bool = True  # rows of bits [B, D]; else images [B, C, H, W]


@dataclass(frozen=True)
class Figure:
    """A published test NLL on binarised MNIST, in nats an image."""

    nats: float
    how: str  # "static" or "dynamic" binarisation
    who: str


@dataclass(frozen=True)
class Images:
    """Levels [N, 1, H, W] in three parts, how many levels there are, and what keeps figures from being compared."""

    train: Tensor
    validation: Tensor
    test: Tensor
    levels: int
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.train.shape[1:])  # type: ignore[return-value]


def small(shape: tuple[int, int, int]) -> bool:
    return math.prod(shape) < 200


def nade(levels: int, shape: tuple[int, int, int]) -> nn.Module:
    from genedu.autoregressive import NADE

    return NADE(math.prod(shape), 128 if small(shape) else 500)


def made(levels: int, shape: tuple[int, int, int]) -> nn.Module:
    from genedu.autoregressive import MADE

    return MADE(math.prod(shape), 256 if small(shape) else 500, dropout=0.2 if small(shape) else 0.0)


def deep_nade(levels: int, shape: tuple[int, int, int]) -> nn.Module:
    from genedu.autoregressive import DeepNADE

    return DeepNADE(math.prod(shape), 256 if small(shape) else 500, layers=2)


def pixel_cnn(levels: int, shape: tuple[int, int, int]) -> nn.Module:
    from genedu.autoregressive import PixelCNN

    first, layers = (5, 3) if small(shape) else (7, 6)
    hidden = 24 if small(shape) else 32
    return PixelCNN(levels, size=shape[1:], hidden=hidden, layers=layers, first=first, dropout=0.4 if small(shape) else 0.0)


RECIPES = {
    "nade": Recipe(nade, {"digits": Settings(1500, 1e-2, 0.1), "mnist": Settings(10_000, 1e-3, 0.1)}),
    "made": Recipe(made, {"digits": Settings(2000, 3e-3, 0.1), "mnist": Settings(10_000, 1e-3, 0.1)}),
    "deep_nade": Recipe(deep_nade, {"digits": Settings(4000, 3e-3, 0.0), "mnist": Settings(20_000, 1e-3, 0.0)}),
    "pixel_cnn": Recipe(
        pixel_cnn,
        {"digits": Settings(500, 6e-3, 0.3, 64), "mnist": Settings(4000, 2e-3, 0.01, 32)},
        VALUES,
        flat=False,
    ),
}
PUBLISHED = {
    "nade": (
        Figure(88.33, "static", "NADE, as cited from Uria et al. 2016"),
        Figure(85.65, "dynamic", "NADE of pytorch-generative"),
    ),
    "made": (
        Figure(94.5, "static", "MADE, one hidden layer of 500, one order, as pytorch-made reads it off the paper"),
        Figure(
            88.04, "static", "MADE, Germain et al. 2015, as pytorch-generative cites it, which does not say with how many orders"
        ),
    ),
    "deep_nade": (
        Figure(84.68, "static", "another model: EoNADE-5, two hidden layers, a mixture over orders, Raiko et al. 2014"),
    ),
    "pixel_cnn": (
        Figure(81.30, "static", "PixelCNN, van den Oord et al. 2016"),
        Figure(81.45, "dynamic", "PixelCNN of pytorch-generative"),
    ),
}


def binarised(level: Tensor, levels: int, values: str) -> Tensor:
    """Levels [...] as they are, or as bits: by a threshold, or each drawn once; the same at every call."""
    if values == "levels":
        return level
    if values == "binary":
        return (level >= levels // 2).long()
    with seeded(0):
        return (torch.rand(level.shape) < level / (levels - 1)).long()


def load(data: str, values: str) -> Images:
    """The images, in the form asked for.

    Raises:
        ValueError: an unknown name; a folder GENEDU_DATA that does not hold the files, or other ones.
        ConnectionError: MNIST must be fetched, and no mirror answers.
    """
    if data not in DATA:
        raise ValueError(f"--data must be one of {list(DATA)}, got {data!r}")
    if values not in VALUES:
        raise ValueError(f"--values must be one of {list(VALUES)}, got {values!r}")
    warnings: list[str] = []
    if data == "digits":
        have, levels = digits(), 17
        parts = (have.train, have.validation, have.test)
        warnings.append(
            "these are the 8x8 digits of scikit-learn: figures of MNIST, which has 784 pixels, say nothing about them"
        )
    else:
        (parts, whole), levels = _mnist(), 256
        if not whole:
            n = [len(p) for p in parts]
            warnings.append(
                f"NOT COMPARABLE with any published figure: only MNIST's test images are in GENEDU_DATA. {n[0]} of them served "
                f"for training, {n[1]} for validation, {n[2]} for the test. Published models learned from 50 000 images or more"
            )
        warnings += {
            "binary": [
                "a threshold made these bits. Published figures are of bits drawn with probability level / 255: noisier data, "
                "with a higher NLL for the best of models"
            ],
            "drawn": [
                'these bits were drawn once, as those behind figures marked "static" were, but not the same ones: a small '
                'difference means nothing. Figures marked "dynamic" are of a third data set'
            ],
            "levels": ["256 levels, not bits: no published figure stands beside this"],
        }[values]
    bits = [binarised(part, levels, values) for part in parts]
    return Images(bits[0], bits[1], bits[2], levels if values == "levels" else 2, tuple(warnings))


def _mnist() -> tuple[tuple[Tensor, Tensor, Tensor], bool]:
    """Levels [N, 1, 28, 28] for training, validation and test, and whether they are those of all the world."""
    folder = os.environ.get("GENEDU_DATA") or None
    names = list(SHA256["digits"])
    if folder is None or all((Path(folder) / name).is_file() for name in names):
        have = mnist(source=folder)
        return (have.train, have.validation, have.test), True
    path = Path(folder) / TEST_IMAGES
    if not path.is_file():
        raise ValueError(
            f"GENEDU_DATA must name a folder that holds {', '.join(names)}, or at least {TEST_IMAGES}; got {folder!r}"
        )
    import pooch

    if (came := pooch.file_hash(str(path), alg="sha256")) != SHA256["digits"][TEST_IMAGES]:
        raise ValueError(
            f"{path} must have the SHA-256 {SHA256['digits'][TEST_IMAGES]}, got {came}: it is damaged or another file"
        )
    level = read_idx(path)[:, None]  # [N, 1, 28, 28]
    with seeded(0):
        level = level[torch.randperm(len(level))]  # the first half of the file is known to be easier than the second
    tenth = len(level) // 10
    train, validation, test = level.split([len(level) - 2 * tenth, tenth, tenth])
    return (train, validation, test), False


def pixels_alone(images: Images) -> Tensor:
    """What a model pays that knows how often each pixel has each level, and nothing else: nats [N] of the test's images."""
    train, test, levels = images.train.flatten(1), images.test.flatten(1), images.levels  # [n, D], [N, D]
    dim = train.shape[1]
    place = torch.arange(dim) * levels
    count = torch.bincount((train + place).flatten(), minlength=dim * levels).view(dim, levels) + 1.0  # one more than seen
    log_p = (count / count.sum(1, keepdim=True)).log().flatten()  # [D L]
    return -log_p[test + place].sum(1)


def nats(model: nn.Module, x: Tensor) -> Tensor:
    """-log p of rows, a hundred at a time: [N, ...] -> [N], on the CPU."""
    device = next(model.parameters()).device
    with torch.no_grad():
        return torch.cat([-model.log_prob(rows.to(device)).cpu().double() for rows in x.split(100)])  # type: ignore[operator]


def warm_up(t: float) -> float:
    """Factor on the learning rate at t of the run: a rise over the first twentieth, then half a cosine."""
    return min(1.0, t / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * t))


def train(
    name: str,
    *,
    data: str = "digits",
    values: str | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    out: Path | None = None,
    samples: Path | None = None,
    say: Callable[[str], None] = print,
) -> float:
    """Train the model `name`, say how good it is, and return its test NLL in nats an image.

    Args:
        values: "binary", "drawn" or "levels"; by default "binary" for digits and "drawn" for MNIST.
        rounds: minibatches; by default the recipe's.
        seconds: about as long, instead: the first few rounds tell how many fit in.
        out: a checkpoint, continued if it is there; beside it lies OUT.json, which says of what.
        samples: a picture of 100 samples.

    Raises:
        ValueError: an unknown name; a form that the model cannot take; a limit that is not above 0; a file that cannot be
            written; a checkpoint of another run; what `load` raises.
    """
    if name not in RECIPES:
        raise ValueError(f"MODEL must be one of {list(RECIPES)}, got {name!r}")
    recipe, values = RECIPES[name], values or DATA.get(data, "")
    if data in DATA and values in VALUES and values not in recipe.values:  # other names are for `load` to tell
        raise ValueError(f"{name} takes the values {list(recipe.values)}, got {values!r}")
    for word, limit in (("rounds", rounds), ("seconds", seconds)):
        if limit is not None and not 0 < limit < math.inf:
            raise ValueError(f"--{word} must be finite and above 0, got {limit}")
    for path in (out, samples):
        if path is not None and not path.resolve().parent.is_dir():
            raise ValueError(f"{path} must lie in a folder that exists: make {path.resolve().parent} first")
        if path is not None and path.is_dir():
            raise ValueError(f"{path} must name a file, got a folder: give a name in it")
    if samples is not None:
        samples = _picture_file(samples)
    images = load(data, values)
    parts = [p.flatten(1) if recipe.flat else p for p in (images.train, images.validation, images.test)]
    with seeded(seed):
        model = _placed(recipe.build(images.levels, images.shape))
    settings = recipe.on[data]
    run = {"model": name, "data": data, "values": values, "images": [len(p) for p in parts], "seed": seed}
    teach = partial(
        fit,
        data=parts[0],
        batch_size=settings.batch_size,
        lr=settings.lr,
        optimizer=partial(Adam, weight_decay=settings.decay, decoupled_weight_decay=True),
        schedule=warm_up,
        seed=seed,
    )
    rounds = rounds or _begun(out, run) or (_rounds_in(seconds, model, teach) if seconds else settings.rounds)
    every = max(1, rounds // 50)
    if out is not None:
        _begun(out, run)
        half = _note(out).with_name(_note(out).name + ".part")
        half.write_text(json.dumps(run | {"rounds": rounds}) + "\n")
        os.replace(half, _note(out))
    size = sum(p.numel() for p in model.parameters())
    say(f"{name} on {data}, values {values!r}: {' / '.join(str(len(p)) for p in parts)} images to train, validate, test")
    say(
        f"{size} parameters, {rounds} rounds of {min(settings.batch_size, len(parts[0]))} images, seed {seed}, {default_device()}"
    )
    began = time.process_time()
    try:
        teach(model, rounds=rounds, checkpoint=out, checkpoint_every=every)
    except RuntimeError as error:  # of load_state_dict
        if out is None or "state_dict" not in str(error):
            raise
        raise ValueError(f"{out} is a checkpoint of another network: give another path or remove it") from error
    say(f"trained in {time.process_time() - began:.0f} CPU seconds")
    score = _report(name, model, images, parts, say)
    if samples is not None:
        _picture(model, images, samples, seed)
        say(f"100 samples: {samples}")
    return score


def _placed(model: nn.Module) -> nn.Module:
    """The model on the device that GENEDU_DEVICE names, the CPU if it names none."""
    try:
        return model.to(default_device())
    except (RuntimeError, AssertionError) as error:  # torch's words for a device that is not there
        came = os.environ.get("GENEDU_DEVICE")
        raise ValueError(f"GENEDU_DEVICE must name a device of this machine, got {came!r}: {error}") from error


def _report(name: str, model: nn.Module, images: Images, parts: list[Tensor], say: Callable[[str], None]) -> float:
    dim = math.prod(images.shape)
    rows = {"test": nats(model, parts[2]), "validation": nats(model, parts[1]), "each pixel alone, test": pixels_alone(images)}
    for what, cost in rows.items():
        mean, error = mean_and_error(cost)
        say(f"{what:>24}  {mean:8.2f} ± {error:.2f} nats an image   {bits_per_dim(mean, dim):6.4f} bits a dimension")
    if images.levels == 2 and dim == 784:
        for f in PUBLISHED[name]:
            say(f"{'published, ' + f.how:>24}  {f.nats:8.2f} nats an image   {bits_per_dim(f.nats, dim):14.4f}   {f.who}")
    for warning in images.warnings:
        say(f"warning: {warning}")
    return rows["test"].mean().item()


def _picture_file(path: Path) -> Path:
    """The name, with the ending .png if it has none.

    Raises:
        ValueError: its ending is of no picture; better now than after the training.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.filetypes)
    if path.suffix and path.suffix[1:].lower() not in known:
        raise ValueError(f"--samples must end in one of {known}, got {str(path)!r}: take {path.with_suffix('.png').name!r}")
    return path if path.suffix else path.with_suffix(".png")


def _picture(model: nn.Module, images: Images, path: Path, seed: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from genedu.plots import STYLE, image_grid

    with seeded(seed):
        x = model.sample(100).view(100, *images.shape)  # type: ignore[operator]
    with plt.rc_context(STYLE):
        figure = image_grid(x, top=images.levels - 1)
        figure.savefig(path, dpi=150)
    plt.close(figure)


def _rounds_in(seconds: float, model: nn.Module, teach: Callable) -> int:
    """How many rounds take so long, by a trial of eight on a copy, of which the first two do not count."""
    times: list[float] = []
    teach(copy.deepcopy(model), rounds=8, progress=False, callback=lambda *_: times.append(time.perf_counter()))
    return max(1, round(seconds / max((times[-1] - times[1]) / 6, 1e-6)))


def _note(out: Path) -> Path:
    return out.with_name(out.name + ".json")


def _begun(out: Path | None, run: dict) -> int | None:
    """The rounds that a checkpoint was begun for; None where there is none yet.

    Raises:
        ValueError: it is of another run.
    """
    if out is None or not out.exists():
        return None
    try:
        then = json.loads(_note(out).read_text())
    except (OSError, ValueError):
        then = {}
    if {k: then.get(k) for k in run} != run:
        raise ValueError(
            f"{out} is a checkpoint of {then or 'something else'}, this run is {run}: give another path or remove it"
        )
    return then["rounds"]
