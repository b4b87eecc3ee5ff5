"""Sliders over a picture. Its printed form is constant, so that strict nbval passes; where no kernel runs, a still stands."""

import base64
import io
from collections.abc import Callable

import ipywidgets
from matplotlib.figure import Figure

Range = tuple[float, float, float, float] | list | tuple[list, object]
DPI = 80


class Explorer:
    """Controls that redraw `draw(axes, **values)`, a pure function.

    Args:
        draw: draws on a fresh Axes; gets one keyword for each control.
        alt: what the still picture shows, in words: the `text/plain` that a screen reader and nbval get.
        size: width and height of the picture in inches.
        controls: for each keyword a range (low, high, step, start), whole numbers for an integer slider; or a list of
            values to step through, which starts at the first; or (list, start).

    Raises:
        ValueError: the alt text says nothing, or a control is neither a range nor a list.
    """

    def __init__(self, draw: Callable, *, alt: str, size: tuple[float, float] = (4.5, 3.6), **controls: Range) -> None:
        if len(alt.split()) < 3:
            raise ValueError(f"alt must say in words what the picture shows, got {alt!r}")
        if not controls:
            raise ValueError("give at least one control, such as n=(1, 10, 1, 5)")
        self.draw, self.alt, self.size = draw, alt, size
        self.controls = {name: make_control(name, r) for name, r in controls.items()}
        self.image = ipywidgets.Image(format="png")
        self.image.layout.width = f"{DPI * size[0]:.0f}px"  # as drawn: stretched to the page it would be blurred
        layout = ipywidgets.Layout(align_items="flex-start")
        self.box = ipywidgets.VBox([*self.controls.values(), self.image], layout=layout)
        for control in self.controls.values():
            control.observe(self.redraw, "value")
        self.redraw()

    def redraw(self, _=None) -> None:
        """Draw again with the values that the controls have now."""
        figure, buffer = Figure(figsize=self.size), io.BytesIO()
        self.draw(figure.subplots(), **{name: control.value for name, control in self.controls.items()})
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        self.image.value = buffer.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = f"{self.alt} Controls: {', '.join(self.controls)}."
        bundle = {
            "text/plain": text,
            "image/png": base64.b64encode(self.image.value).decode(),
            "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id},
        }
        return bundle, {"image/png": {"alt": text}}


def make_control(name: str, range_: Range) -> ipywidgets.DOMWidget:
    """A slider for (low, high, step, start), a slider through the values for a list or (list, start)."""
    style = {"description_width": "10em"}
    layout = ipywidgets.Layout(width="32em")
    values, first = range_ if isinstance(range_, tuple) and len(range_) == 2 else (range_, None)
    if isinstance(values, list) and values and first in [None, *values]:
        start = values[0] if first is None else first
        return ipywidgets.SelectionSlider(
            options=values, value=start, description=name, continuous_update=False, style=style, layout=layout
        )
    if isinstance(range_, tuple) and len(range_) == 4:
        low, high, step, start = range_
        whole = all(isinstance(v, int) for v in range_)
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        form = "d" if whole else ".2f"
        return slider(
            value=start,
            min=low,
            max=high,
            step=step,
            description=name,
            continuous_update=False,
            readout_format=form,
            style=style,
            layout=layout,
        )
    raise ValueError(f"{name} must be (low, high, step, start), a list of values or (list, one of its values), got {range_!r}")
