"""What a latent is worth to a decoder that sees some bits already: exact sums for a chain of bits with a hidden coin."""

from collections.abc import Callable

from matplotlib.axes import Axes

from genedu.plots import PALETTE


def draw_window_size(
    axes: Axes, *, window: int, copy: float, cost: Callable[[int, float], tuple[float, float]], bits: int
) -> None:
    """Nats a row against the window, without a latent and with the coin in it; what lies between them at `window` is marked.

    Window 0 costs so much more that it is drawn only where it is the one that was chosen.

    Args:
        cost: (window, copy) -> least nats a row without the coin, and with it, its own price included.
        bits: bits of a row: windows from 0 to bits - 1 are drawn.

    Raises:
        ValueError: window is not among those drawn.
    """
    if not 0 <= window < bits:
        raise ValueError(f"window must be 0 to {bits - 1}, got {window}")
    without, given = zip(*(cost(k, copy) for k in range(bits)), strict=True)
    first = min(window, 1)
    axes.plot(range(first, bits), without[first:], marker="o", color=PALETTE[1], label="the window alone")
    axes.plot(range(first, bits), given[first:], marker="s", color=PALETTE[0], label="the coin told first, then the window")
    axes.axhline(without[-1], color="black", linestyle="--", linewidth=1, label="entropy of the source")
    worth = round(without[window] - given[window], 2) + 0.0  # + 0.0: no "-0.00"
    axes.vlines(window, given[window], without[window], color="black", linewidth=4, alpha=0.5)
    axes.set(xlabel="bits that the decoder sees", ylabel="least cost (nats a row)", xticks=range(0, bits, max(1, bits // 6)))
    axes.set_title(f"window {window}, copies {copy:.1f}: the coin is worth {worth:.2f} nats")
    axes.legend()
