"""What sequence models draw: words in handwriting, questions and the frames of films, each with its own slider."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import ink


def draw_sequences(
    axes: Axes,
    *,
    word: str,
    bias: float,
    temperature: float,
    frame: int,
    write: Callable[[str, float], Sequence[Tensor]],
    ask: Callable[[float], Sequence[tuple[str, bool]]],
    films: dict[str, Tensor],
) -> None:
    """Three panels on one Axes: above, `word` written several times; in the middle, questions; below, a frame of each film.

    Args:
        write: (word, bias) -> rows of pen steps, each [T, 3].
        ask: temperature -> texts, and whether each is a question; one that is not stands in brackets.
        films: name -> frames [T, H, W] of levels; `frame` counts from 0.

    Raises:
        ValueError: films of another shape, or a frame that they do not have.
    """
    if not films or len({f.shape for f in films.values()}) != 1 or next(iter(films.values())).dim() != 3:
        raise ValueError(f"films must be [T, H, W] each, all alike, got { {k: list(f.shape) for k, f in films.items()} }")
    length = len(next(iter(films.values())))
    if not 0 <= frame < length:
        raise ValueError(f"frame must be 0 to {length - 1}, got {frame}")
    axes.set_axis_off()
    rows, lines = write(word, bias), ask(temperature)
    for i, steps in enumerate(rows):
        ink(axes.inset_axes((i / len(rows), 0.7, 0.95 / len(rows), 0.23)), steps)
    axes.text(0, 0.97, f'"{word}", bias {bias:g}', transform=axes.transAxes, fontsize=9, weight="bold")
    axes.text(0, 0.63, f"questions, temperature {temperature:g}", transform=axes.transAxes, fontsize=9, weight="bold")
    for i, (text, good) in enumerate(lines):
        place = 0.63 - 0.3 * (i + 1) / len(lines)
        axes.text(
            0.02, place, text if good else f"[{text}]", transform=axes.transAxes, fontsize=8, color="black" if good else "0.45"
        )
    axes.text(0, 0.26, f"films, frame {frame + 1}", transform=axes.transAxes, fontsize=9, weight="bold")
    top = max(int(film.max()) for film in films.values())
    for i, (name, film) in enumerate(films.items()):
        inset = axes.inset_axes((i / len(films), 0.0, 0.95 / len(films), 0.19))
        inset.imshow(film[frame].detach().cpu().numpy(), vmin=0, vmax=max(top, 1))
        inset.set(xticks=[], yticks=[])
        inset.set_title(name, fontsize=8, pad=2)
        inset.grid(False)
        inset.spines[:].set_visible(False)
