"""The one style sheet. Colours are told apart with any colour vision, and in print by their lightness.

Source:   M. Okabe, K. Ito, "Color Universal Design", 2002 (revised 2008), for the eight colours; their order is ours.
"""

from typing import Any

from cycler import cycler

PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]

STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "figure.constrained_layout.use": True,
    "image.cmap": "cividis",
    "lines.linewidth": 1.8,
}
