"""Texts that a model wrote, as a picture: what is drawn at random is not compared word by word from machine to machine."""

import textwrap

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def text_rows(rows: dict[str, list[str]], *, width: int = 80, size: float = 0.19) -> Figure:
    """The texts of each entry, one below the other under its name, in letters of equal width.

    Args:
        width: characters in a line; longer texts go on in the next line.
        size: height of a line in inches.

    Raises:
        ValueError: no texts; width below 10.
    """
    if not rows or not all(rows.values()) or width < 10:
        raise ValueError(f"rows must hold at least one text each and width be at least 10, got {rows!r} and {width}")
    lines: list[tuple[str, str]] = []
    for name, texts in rows.items():
        lines.append((name, "bold"))
        for text in texts:
            cut = textwrap.wrap(text.replace("\n", " "), width) or [""]
            lines += [(("  " if i else "") + part, "normal") for i, part in enumerate(cut)]
    figure = plt.figure(figsize=(width * 0.085 + 0.3, size * len(lines) + 0.1))
    for i, (line, weight) in enumerate(lines):
        place = 1 - (i + 0.5) / len(lines)
        family = "monospace" if weight == "normal" else "sans-serif"
        figure.text(0.01, place, line, family=family, weight=weight, fontsize=9, va="center", parse_math=False)
    return figure
