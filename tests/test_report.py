"""What a chapter prints, and what the sanitiser hides of it: digits behind ≈ and nothing else."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.core import Player
from genedu.plots import STYLE
from genedu.report import approx, claim, show, show_source, start_chapter, table

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
    assert len(SANITISE) == 1
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
