"""What a chapter prints: exact things plainly, what comes out of training as a claim or behind the sign ≈.

nbval compares all text strictly. `nbval-sanitize.cfg` masks the digits behind ≈ and the bytes of a sound, and nothing
else, so every figure that matters stands beside a claim, whose bound has slack for another CPU and yet fails on a broken
objective.
"""

import base64
import html
import inspect
import io
import os
import wave
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from genedu.core import default_device
from genedu.plots.style import STYLE


def start_chapter() -> torch.device:
    """One thread (`GENEDU_THREADS`), deterministic algorithms, the style sheet; returns the device to run on."""
    torch.set_num_threads(int(os.environ.get("GENEDU_THREADS", "1")))
    torch.use_deterministic_algorithms(True)
    plt.rcParams.update(STYLE)
    return default_device()


def claim(text: str, holds) -> None:
    """Print a statement that the code has checked: `✓ text`, or `✗ text`. Never raises: nbval sees the ✗."""
    print("✓" if bool(holds) else "✗", text)


def masked(value: float, decimals: int) -> str:
    """A figure behind ≈, at least one decimal, which is what the sanitiser looks for."""
    value = round(float(value), decimals) + 0.0  # + 0.0: no "-0.0"
    return f"≈ {value:.{max(decimals, 1)}f}"


def approx(name: str, value: float, unit: str = "", *, decimals: int = 1) -> None:
    """Print a figure that training gave: `name ≈ 84.2 unit`. nan and inf are not masked, so they fail."""
    print(f"{name} {masked(value, decimals)} {unit}".rstrip())


def table(columns: Sequence[str], rows: Sequence[Sequence], *, decimals: int = 1) -> None:
    """Print rows under headings. A float is a measured figure and goes behind ≈; what is exact comes as int or text.

    Raises:
        ValueError: a row is not as long as the headings.
    """
    wrong = [row for row in rows if len(row) != len(columns)]
    if wrong:
        raise ValueError(f"each row must have {len(columns)} cells, one for each heading; got {wrong[0]!r}")
    text = [[masked(v, decimals).ljust(10) if isinstance(v, float) else str(v) for v in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *text, strict=True)]
    for row in [columns, ["-" * w for w in widths], *text]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


def show_source(*objects) -> None:
    """Print the library's own lines, not a copy of them."""
    print("\n\n".join(inspect.cleandoc("\n" + inspect.getsource(o)).rstrip() for o in objects))


class Picture:
    """A PNG whose `text/plain` is its alt text: nbval compares the words and skips the pixels."""

    def __init__(self, png: bytes, alt: str) -> None:
        self.png, self.alt = png, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": self.alt, "image/png": base64.b64encode(self.png).decode()}
        return bundle, {"image/png": {"alt": self.alt}}


def show(figure: Figure, alt: str) -> Picture:
    """The figure as a picture with alt text; the last line of a cell. The figure is closed.

    Raises:
        ValueError: the alt text is missing or too short to tell anything.
    """
    in_words(alt)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)  # else the notebook prints it a second time
    return Picture(buffer.getvalue(), alt)


def in_words(alt: str) -> None:
    """The door for alt texts.

    Raises:
        ValueError: fewer than five words.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"alt must say in words what the picture shows (five words or more), got {alt!r}")


def animate(
    draw: Callable[[Axes, int], None], frames: int, alt: str, *, size: tuple[float, float] = (5.0, 2.0), seconds: float = 0.1
) -> Picture:
    """A moving picture: `draw(axes, i)` for i = 0 .. frames - 1, each shown for `seconds`, the last one ten times as long.

    It is one PNG with many frames, which browsers play for ever; a program that knows none of it shows the first frame, which is
    therefore a copy of the last one.

    Raises:
        ValueError: fewer than two frames; the alt text is missing or too short to tell anything.
    """
    if frames < 2:
        raise ValueError(f"frames must be at least 2, got {frames}: use show for a picture that stands still")
    in_words(alt)
    pictures = []
    for i in range(frames):
        figure, buffer = plt.figure(figsize=size), io.BytesIO()
        draw(figure.subplots(), i)
        figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
        plt.close(figure)
        pictures.append(Image.open(buffer).convert("RGB"))
    buffer, pace = io.BytesIO(), round(1000 * seconds)
    pictures[-1].save(
        buffer, format="PNG", save_all=True, append_images=pictures, loop=0, duration=[10 * pace] + [pace] * (frames - 1) + [1]
    )
    return Picture(buffer.getvalue(), alt)


class Sound:
    """A sound that a browser plays: its `text/plain` is its alt text, its bytes are masked when nbval compares."""

    def __init__(self, wav: bytes, alt: str) -> None:
        self.wav, self.alt = wav, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        source = f"data:audio/wav;base64,{base64.b64encode(self.wav).decode()}"
        player = f'<audio controls src="{source}" aria-label="{html.escape(self.alt)}"></audio>'
        return {"text/plain": self.alt, "text/html": player}, {}


def sound(samples: Tensor, rate: int, alt: str) -> Sound:
    """A wave [T] as a sound with alt text, its loudest sample near full volume; the last line of a cell.

    Raises:
        ValueError: not a wave [T] of finite numbers; rate below 1; the alt text is missing or too short to tell anything.
    """
    in_words(alt)
    if samples.dim() != 1 or len(samples) == 0 or not torch.isfinite(samples).all() or rate < 1:
        raise ValueError(
            f"samples must be a wave [T] of finite numbers and rate at least 1, got {list(samples.shape)} and {rate}"
        )
    wave_ = samples.detach().cpu().double()
    level = (wave_ / wave_.abs().max().clamp_min(1e-9) * 0.9 * 32767).round().short()  # [T], 16 bits
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, rate, len(level), "NONE", "not compressed"))
        file.writeframes(level.numpy().astype("<i2").tobytes())
    return Sound(buffer.getvalue(), alt)
