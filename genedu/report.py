"""What a chapter prints: exact things plainly, what comes out of training as a claim or behind the sign ≈.

nbval compares all text strictly. `nbval-sanitize.cfg` masks the digits behind ≈ and nothing else, so every figure
that matters stands beside a claim, whose bound has slack for another CPU and yet fails on a broken objective.
"""

import base64
import inspect
import io
import os
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

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
    if len(alt.split()) < 5:
        raise ValueError(f"alt must say in words what the picture shows (five words or more), got {alt!r}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)  # else the notebook prints it a second time
    return Picture(buffer.getvalue(), alt)
