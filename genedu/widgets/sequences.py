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
    films: Tensor,
) -> None:
    """Three panels on one Axes: above, `word` written several times; in the middle, questions; below, a frame of each film.

    Args:
        write: (word, bias) -> rows of pen steps, each [T, 3].
        ask: temperature -> texts, and whether each is a question; one that is not stands in brackets.
        films: [N, T, H, W], levels; `frame` counts from 0.

    Raises:
        ValueError: films of another shape, or a frame that they do not have.
    """
    if films.dim() != 4:
        raise ValueError(f"films must be [N, T, H, W], got {list(films.shape)}")
    if not 0 <= frame < films.shape[1]:
        raise ValueError(f"frame must be 0 to {films.shape[1] - 1}, got {frame}")
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
    axes.text(0, 0.25, f"films, frame {frame + 1}", transform=axes.transAxes, fontsize=9, weight="bold")
    for i, film in enumerate(films.detach().cpu()):
        inset = axes.inset_axes((i / len(films), 0.0, 0.95 / len(films), 0.22))
        inset.imshow(film[frame].numpy(), vmin=0, vmax=max(int(films.max()), 1))
        inset.set(xticks=[], yticks=[])
        inset.grid(False)
