"""Sliders over a picture. Its printed form is constant, so that strict nbval passes; where no kernel runs, a still stands."""

import base64
import io
from collections.abc import Callable, Sequence

import ipywidgets
from matplotlib.figure import Figure

Range = tuple[float, float, float, float] | Sequence


class Explorer:
    """Controls that redraw `draw(axes, **values)`, a pure function.

    Args:
        draw: draws on a fresh Axes; gets one keyword for each control.
        alt: what the still picture shows, in words: the `text/plain` that a screen reader and nbval get.
        size: width and height of the picture in inches.
        controls: for each keyword a range (low, high, step, start), whole numbers for an integer slider, or a list
            of values to step through, of which the first is the start.

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
        self.image.layout.max_width = "100%"
        self.box = ipywidgets.VBox([*self.controls.values(), self.image])
        for control in self.controls.values():
            control.observe(self.redraw, "value")
        self.redraw()

    def redraw(self, _=None) -> None:
        """Draw again with the values that the controls have now."""
        figure, buffer = Figure(figsize=self.size), io.BytesIO()
        self.draw(figure.subplots(), **{name: control.value for name, control in self.controls.items()})
        figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
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
    """A slider for (low, high, step, start), a slider through the values for a list."""
    style = {"description_width": "10em"}
    layout = ipywidgets.Layout(width="32em")
    if isinstance(range_, list) and range_:
        return ipywidgets.SelectionSlider(
            options=range_, value=range_[0], description=name, continuous_update=False, style=style, layout=layout
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
    raise ValueError(f"{name} must be (low, high, step, start) or a list of values, got {range_!r}")
