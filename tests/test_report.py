"""What a chapter prints, and what the sanitiser hides of it: digits behind ≈ and nothing else."""

import base64
import io
import re
import wave
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from genedu.core import Player
from genedu.plots import STYLE
from genedu.report import animate, approx, claim, show, show_source, sound, start_chapter, table

SANITISE = re.findall(r"^regex: (.*)$\n^replace: (.*)$", (Path(__file__).parents[1] / "nbval-sanitize.cfg").read_text(), re.M)


@pytest.fixture
def printed(capsys):
    def seen(act, *arguments, **options):
        act(*arguments, **options)
        text = capsys.readouterr().out
        for regex, replace in SANITISE:
            text = re.sub(regex, replace, text)
        return text

    return seen


def test_a_claim_is_marked_and_never_raises(printed):
    assert len(SANITISE) == 2
    assert printed(claim, "all is well", torch.tensor(True)) == "✓ all is well\n"
    assert printed(claim, "all is well", float("nan") > 0) == "✗ all is well\n"


def test_only_digits_behind_the_sign_are_masked(printed):
    assert printed(approx, "NLL", 84.17, "nats") == printed(approx, "NLL", 7.0, "nats") == "NLL ≈ # nats\n"
    assert printed(approx, "gap", -0.04) == printed(approx, "gap", 0.04)
    assert printed(approx, "p", 0.0312, decimals=3) == printed(approx, "p", 0.5, decimals=3) == "p ≈ # \n"
    others = [("NLL", 84.17, "bits"), ("NL2", 84.17, "nats"), ("NLL", float("nan"), "nats"), ("NLL", -84.17, "nats")]
    assert all(printed(approx, *other) != "NLL ≈ # nats\n" for other in others)


def test_figures_are_rounded_as_asked(capsys):
    approx("a", 0.0342, "nats", decimals=3)
    approx("b", 12.36)
    approx("c", 3, decimals=0)
    assert capsys.readouterr().out == "a ≈ 0.034 nats\nb ≈ 12.4\nc ≈ 3.0\n"
    table(["n", "x"], [[12, 12.36]])
    table(["x"], [[12.36]], decimals=2)
    assert [line.strip() for line in capsys.readouterr().out.splitlines() if "≈" in line] == ["12  ≈ 12.4", "≈ 12.36"]


def test_a_table_hides_floats_and_keeps_its_columns(printed):
    def lines(nll):
        return printed(table, ["model", "K", "nats"], [["VAE", 100, nll], ["GMM", 1, 2.0]])

    assert lines(84.17) == lines(7.0) and lines(float("inf")) != lines(7.0)
    assert "VAE    100  ≈ #" in lines(84.17) and lines(1.0).splitlines()[1] == "-----  ---  ----------"
    with pytest.raises(ValueError, match="3 cells"):
        table(["a", "b", "c"], [[1, 2]])


def test_a_picture_has_words_and_is_closed():
    figure = plt.figure()
    bundle, metadata = show(figure, alt="An empty picture, all white.")._repr_mimebundle_()
    assert bundle["text/plain"] == "An empty picture, all white." == metadata["image/png"]["alt"]
    assert bundle["image/png"].startswith("iVBOR") and not plt.get_fignums()
    for words in ("", "plot", "a b c d"):
        with pytest.raises(ValueError, match="in words"):
            show(figure, alt=words)


def test_a_moving_picture_is_one_png_with_many_frames():
    """Its first frame is a copy of the last: what a program shows that knows no moving PNG."""
    seen = []

    def draw(axes, i):
        seen.append(i)
        axes.plot([0, 1 + i])
        axes.set(ylim=(0, 5))

    bundle, metadata = animate(draw, 4, alt="A line that becomes steeper and steeper.", size=(2, 1))._repr_mimebundle_()
    assert seen == [0, 1, 2, 3] and not plt.get_fignums()
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == "A line that becomes steeper and steeper."
    png = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert png.size == (160, 80) and png.n_frames == 5
    frames = []
    for i in range(5):
        png.seek(i)
        frames.append(np.asarray(png.convert("RGB")).copy())
    assert (frames[0] == frames[4]).all() and all((a != b).any() for a, b in pairwise(frames))
    with pytest.raises(ValueError, match="in words"):
        animate(draw, 4, alt="moves")
    with pytest.raises(ValueError, match="at least 2, got 1"):
        animate(draw, 1, alt="A line that becomes steeper and steeper.")


def test_a_sound_has_words_and_its_bytes_are_masked():
    tone = torch.sin(torch.arange(800) * 2 * torch.pi * 200 / 8000)
    bundle, metadata = sound(0.01 * tone, 8000, "A low hum of 200 Hz.")._repr_mimebundle_()
    assert bundle["text/plain"] == "A low hum of 200 Hz." and metadata == {} and set(bundle) == {"text/plain", "text/html"}
    data = re.search(r"data:audio/wav;base64,([^\"]+)", bundle["text/html"])[1]
    with wave.open(io.BytesIO(base64.b64decode(data))) as file:
        assert file.getparams()[:4] == (1, 2, 8000, 800)
        level = np.frombuffer(file.readframes(800), "<i2")
    assert np.abs(level).max() == round(0.9 * 32767) and np.allclose(level / 29490, tone, atol=1e-3)

    def masked(html):
        for regex, replace in SANITISE:
            html = re.sub(regex, replace, html)
        return html

    other = sound(tone.flip(0), 8000, "A low hum of 200 Hz.")._repr_mimebundle_()[0]["text/html"]
    assert other != bundle["text/html"] and masked(other) == masked(bundle["text/html"])
    assert masked(other) == '<audio controls src="data:audio/wav;base64,#" aria-label="A low hum of 200 Hz."></audio>'
    assert "&quot;hum&quot;" in sound(tone, 8000, 'A "hum" of 200 Hz.')._repr_mimebundle_()[0]["text/html"]


def test_silence_is_a_sound():
    data = sound(torch.zeros(5), 8000, "Nothing is to be heard.").wav
    with wave.open(io.BytesIO(data)) as file:
        assert file.readframes(5) == bytes(10)


@pytest.mark.parametrize(
    ("samples", "rate", "alt", "words"),
    [
        (torch.zeros(2, 5), 8000, "A sound of some kind.", "wave"),
        (torch.zeros(0), 8000, "A sound of some kind.", "wave"),
        (torch.full((3,), float("nan")), 8000, "A sound of some kind.", "finite"),
        (torch.zeros(5), 0, "A sound of some kind.", "rate at least 1"),
        (torch.zeros(5), 8000, "sound", "in words"),
    ],
)
def test_what_is_no_sound(samples, rate, alt, words):
    with pytest.raises(ValueError, match=words):
        sound(samples, rate, alt)


def test_source_is_the_librarys_own(capsys):
    show_source(Player, claim)
    text = capsys.readouterr().out
    assert text.startswith("@dataclass(frozen=True)\nclass Player:\n") and "def claim(text: str, holds)" in text


def test_a_chapter_starts_on_one_thread_and_repeatably(monkeypatch):
    monkeypatch.setenv("GENEDU_THREADS", "2")
    try:
        assert start_chapter() == torch.device("cpu") and torch.get_num_threads() == 2
        monkeypatch.delenv("GENEDU_THREADS")
        monkeypatch.setenv("GENEDU_DEVICE", "meta")
        assert start_chapter() == torch.device("meta") and torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert plt.rcParams["axes.prop_cycle"] == STYLE["axes.prop_cycle"]
    finally:
        torch.use_deterministic_algorithms(False)
        plt.rcdefaults()
