"""`genedu train`: tiny runs on digits and on a made-up MNIST; no network."""

import hashlib
import importlib
import json
import math
import re

import matplotlib.image
import pytest
import torch

import genedu.train as module
from genedu import cli
from genedu.data import digits
from genedu.train import PUBLISHED, RECIPES, Images, binarised, load, pixels_alone, train
from tests.data.test_mnist import idx, zipped

mnist_module = importlib.import_module("genedu.data.mnist")  # the package gives the function of this name
NAMES = list(mnist_module.SHA256["digits"])
N, M = 60, 50  # training and test images of the made-up MNIST


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """GENEDU_DATA with four files, grey noise below a bright half, and their hashes as the published ones."""
    made = torch.Generator().manual_seed(3)
    tensors = [torch.randint(256, (N, 28, 28), generator=made), torch.arange(N) % 10]
    tensors += [torch.randint(256, (M, 28, 28), generator=made), torch.arange(M) % 10]
    place = tmp_path / "data"
    place.mkdir()
    for name, x in zip(NAMES, tensors, strict=True):
        if x.dim() == 3:
            x[:, 14:] = 255
        (place / name).write_bytes(zipped(idx(x)))
    hashes = {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in NAMES}
    monkeypatch.setitem(mnist_module.SHA256, "digits", hashes)
    monkeypatch.setattr(mnist_module, "MIRRORS", {"digits": ("http://127.0.0.1:9/",)})  # nothing is fetched
    monkeypatch.setenv("GENEDU_DATA", str(place))
    return place


def only_the_test_images(folder):
    for name in NAMES:
        if name != module.TEST_IMAGES:
            (folder / name).unlink()


def heard(name, **options):
    """What a run says, and what it returns."""
    said = []
    score = train(name, say=said.append, **options)
    return "\n".join(said), score


def told(text, what):
    """Nats and bits in the line about `what`."""
    found = re.search(rf"^ *{what} +(\S+) .*?nats an image +(\S+)", text, re.M)
    return float(found[1]), float(found[2])


# laws -------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values", "rounds"),
    [
        ("nade", "binary", 200),
        ("made", "drawn", 400),
        ("deep_nade", "binary", 300),
        ("pixel_cnn", "binary", 80),
        ("pixel_cnn", "levels", 100),
    ],
)
def test_every_recipe_soon_beats_each_pixel_alone_and_stays_above_nothing(name, values, rounds):
    text, score = heard(name, values=values, rounds=rounds)
    test, bits = told(text, "test")
    alone, _ = told(text, "each pixel alone, test")
    assert 0 < test < alone - 1.5 and abs(score - test) < 0.01  # standard errors are 0.2 to 0.5
    assert bits == pytest.approx(score / (64 * math.log(2)), abs=1e-4)
    assert "1144 / 203 / 450 images" in text and f"{rounds} rounds" in text and "MNIST" in text.splitlines()[-1]
    assert "published" not in text  # 64 pixels


def test_one_seed_one_figure_and_another_seed_another():
    scores = [heard("made", rounds=12, seed=seed)[1] for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_a_run_leaves_the_callers_randomness_alone():
    before = torch.get_rng_state()
    heard("made", rounds=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_trains_on_the_device_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("GENEDU_DEVICE", "meta")
    seen = []
    monkeypatch.setattr(module, "fit", lambda model, *a, **b: seen.append(next(model.parameters()).device.type) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        heard("nade")
    assert seen == ["meta"]


# oracles ----------------------------------------------------------------------------------------------------------------


def test_the_figure_is_that_of_the_checkpoints_weights(tmp_path):
    out = tmp_path / "made.pt"
    text, score = heard("made", rounds=20, out=out)
    data = digits("binary", flat=True)
    model = RECIPES["made"].build(2, (1, 8, 8))
    model.load_state_dict(torch.load(out, weights_only=True)["model"])
    model.eval()
    right = -model.log_prob(data.test).double().mean().item()
    assert score == pytest.approx(right, abs=1e-5)
    assert told(text, "validation")[0] == pytest.approx(-model.log_prob(data.validation).mean().item(), abs=0.006)
    note = json.loads((tmp_path / "made.pt.json").read_text())
    assert note["model"] == "made" and note["rounds"] == 20 and note["images"] == [1144, 203, 450]


def test_each_pixel_alone_is_what_counting_gives():
    x = torch.randint(3, (9, 1, 2, 2))
    images = Images(x[:6], x[6:7], x[7:], 3)
    for row, cost in zip(x[7:].flatten(1).tolist(), pixels_alone(images).tolist(), strict=True):
        seen = [[r.flatten()[i].item() for r in x[:6]].count(level) for i, level in enumerate(row)]
        assert cost == pytest.approx(-sum(math.log((n + 1) / (6 + 3)) for n in seen), abs=1e-5)


def test_bits_are_drawn_once_with_the_probability_of_their_grey():
    level = torch.tensor([0, 51, 128, 255]).repeat(20_000, 1)
    bits = binarised(level, 256, "drawn")
    share, p = bits.double().mean(0), torch.tensor([0, 0.2, 128 / 255, 1.0]).double()
    assert ((share - p).abs() <= 5 * (p * (1 - p) / 20_000).sqrt()).all() and bits.dtype == torch.long
    assert torch.equal(binarised(level, 256, "drawn"), bits)


def test_a_threshold_is_that_of_the_data_and_levels_are_left_alone(folder):
    grey, bits = digits(), digits("binary")
    assert torch.equal(binarised(grey.train, 17, "binary"), bits.train) and binarised(grey.train, 17, "levels") is grey.train
    assert torch.equal(load("mnist", "binary").train, mnist_module.mnist(values="binary", source=folder).train)


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path, monkeypatch, capsys):
    out, whole = tmp_path / "a.pt", heard("made", rounds=30)[1]
    fit = module.fit

    def press_ctrl_c(round_, history):
        if round_ == 17:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit", lambda *a, **b: fit(*a, **b, callback=press_ctrl_c))
    words = ["train", "made", "--rounds", "30", "--out", str(out)]
    assert cli.main(words) == 130
    said = capsys.readouterr()
    assert "stopped" in said.err and str(out) in said.err and "nats" not in said.out
    assert torch.load(out, weights_only=True)["done"] == 17
    monkeypatch.setattr(module, "fit", fit)
    text, score = heard("made", out=out)  # the rounds are those it was begun for
    assert score == whole and "30 rounds" in text


def test_the_learning_rate_rises_for_a_twentieth_of_the_run_and_falls_to_nothing():
    rates = [module.warm_up(i / 1000) for i in range(1001)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == max(rates[40:60]) and 0.98 < max(rates) <= 1
    assert rates[500] == pytest.approx(0.5) and rates[1000] == pytest.approx(0, abs=1e-9)
    assert rates[:48] == sorted(rates[:48])
    assert rates[60:] == sorted(rates[60:], reverse=True)


def test_seconds_become_rounds_by_a_short_trial(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now) / 100)  # a round takes 0.01 s
    text, score = heard("made", seconds=0.1)
    monkeypatch.undo()
    assert "10 rounds" in text
    assert score == heard("made", rounds=10)[1]  # the trial left no trace


def test_samples_become_a_picture_of_a_hundred(tmp_path):
    path = tmp_path / "samples.png"
    text, _ = heard("made", rounds=2, samples=path)
    assert str(path) in text
    assert str(path) in heard("made", rounds=2, samples=tmp_path / "samples")[0]  # what it says is what it writes
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 300 and picture.shape[1] > 300 and picture[..., :3].std() > 0.1


# MNIST ------------------------------------------------------------------------------------------------------------------


def test_on_mnist_the_published_figures_stand_beside_with_how_they_were_made(folder):
    text, _ = heard("nade", data="mnist", rounds=2)
    assert "values 'drawn': 50 / 10 / 50 images" in text and "NOT COMPARABLE" not in text
    assert told(text, "published, static") == (88.33, pytest.approx(88.33 / (784 * math.log(2)), abs=1e-4))
    assert told(text, "published, dynamic")[0] == 85.65
    assert "not the same ones" in text and "third data set" in text


def test_a_threshold_is_warned_of_as_other_data(folder):
    text, _ = heard("made", data="mnist", rounds=2, values="binary")
    assert "a threshold made these bits" in text and "published, static" in text


def test_levels_of_mnist_have_no_figures_beside_them(folder):
    images = load("mnist", "levels")
    assert images.levels == 256 and len(images.warnings) == 1 and "no published figure" in images.warnings[0]
    assert images.test.max() == 255


def test_with_the_test_images_alone_they_are_split_and_that_is_said_loudly(folder):
    only_the_test_images(folder)
    text, _ = heard("made", data="mnist", rounds=2)
    assert "40 / 5 / 5 images" in text and "NOT COMPARABLE" in text and "50 000" in text
    images = load("mnist", "levels")
    rows = torch.cat([images.train, images.validation, images.test]).flatten(1)
    there = mnist_module.read_idx(folder / module.TEST_IMAGES).flatten(1)
    assert sorted(rows.tolist()) == sorted(there.tolist()) and not torch.equal(rows, there)  # all of them, shuffled
    assert torch.equal(load("mnist", "levels").test, images.test)  # in the same way each time


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_without_a_folder_mnist_is_fetched_or_taken_from_the_cache(folder, value, monkeypatch):
    whole, asked = mnist_module.mnist(source=folder), []
    monkeypatch.setattr(module, "mnist", lambda source: asked.append(source) or whole)
    monkeypatch.delenv("GENEDU_DATA") if value is None else monkeypatch.setenv("GENEDU_DATA", value)
    assert torch.equal(load("mnist", "levels").test, whole.test) and asked == [None]


def test_the_figures_say_which_bits_they_are_of():
    assert list(PUBLISHED) == list(RECIPES)
    assert {f.how for figures in PUBLISHED.values() for f in figures} == {"static", "dynamic"}
    assert all(50 < f.nats < 207 for figures in PUBLISHED.values() for f in figures)


# the command and errors -------------------------------------------------------------------------------------------------


def test_the_command_trains_and_its_help_names_every_model(capsys):
    assert cli.main(["train", "made", "--rounds", "3", "--seed", "2"]) == 0
    said = capsys.readouterr()
    assert "nats an image" in said.out and "seed 2" in said.out and "genedu:" not in said.err
    named = re.match(r"MODEL is (.*?)\. ", cli.TRAIN, re.S)[1]
    assert re.split(", | or ", named) == list(RECIPES)


def test_ctrl_c_without_a_file_keeps_nothing_and_says_so(monkeypatch, capsys):
    def fit(*a, **b):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit", fit)
    assert cli.main(["train", "nade"]) == 130
    assert "nothing is kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["vae"], r"MODEL must be one of \['nade'"),
        (["nade", "--data", "letters"], r"--data must be one of \['digits', 'mnist'\], got 'letters'"),
        (["nade", "--values", "grey"], r"--values must be one of .*got 'grey'"),
        (["nade", "--values", "levels"], r"nade takes the values \['binary', 'drawn'\], got 'levels'"),
        (["nade", "--rounds", "0"], r"--rounds must be finite and above 0, got 0"),
        (["nade", "--seconds", "-1"], r"--seconds must be finite and above 0, got -1.0"),
        (["nade", "--seconds", "nan"], r"--seconds must be finite and above 0, got nan"),
        (["nade", "--seconds", "inf"], r"--seconds must be finite and above 0, got inf"),
        (["nade", "--data", "mnist", "--values", "levels"], r"nade takes the values \['binary', 'drawn'\], got 'levels'"),
        (["nade", "--out", "no/such/folder/a.pt"], "must lie in a folder that exists"),
        (["nade", "--samples", "no/such/folder/a.png"], "must lie in a folder that exists"),
        (["nade", "--out", "."], "must name a file, got a folder"),
        (["nade", "--samples", "."], "must name a file, got a folder"),
        (["nade", "--samples", "a.paint"], r"--samples must end in one of \[.*'png'.*\], got 'a.paint': take 'a.png'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else None,
)
def test_what_cannot_be_done_is_said_in_one_line_before_any_training(words, hint, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "fit", lambda *a, **b: 1 / 0)
    monkeypatch.setattr(module, "mnist", lambda **options: 1 / 0)  # nothing is fetched, either
    monkeypatch.delenv("GENEDU_DATA", raising=False)
    assert cli.main(["train", *words]) == 2
    said = capsys.readouterr()
    assert re.search(hint, said.err) and said.err.startswith("genedu: ") and len(said.err.splitlines()) == 1
    assert said.out == ""


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setenv("GENEDU_DEVICE", "abacus")
    with pytest.raises(ValueError, match="GENEDU_DEVICE must name a device of this machine, got 'abacus'"):
        heard("made")


def test_a_checkpoint_of_another_run_is_not_taken(tmp_path):
    out = tmp_path / "a.pt"
    heard("made", rounds=2, out=out)
    for other in ({"seed": 1}, {"values": "drawn"}):
        with pytest.raises(ValueError, match=r"is a checkpoint of .*give another path or remove it"):
            heard("made", out=out, **other)
    with pytest.raises(ValueError, match=r"is a checkpoint of .*'made'.*'nade'"):
        heard("nade", out=out)
    (tmp_path / "a.pt.json").unlink()
    with pytest.raises(ValueError, match="is a checkpoint of something else"):
        heard("made", out=out)


def test_a_checkpoint_of_another_network_is_not_taken(tmp_path, monkeypatch):
    out = tmp_path / "a.pt"
    heard("made", rounds=2, out=out)
    monkeypatch.setattr(module, "small", lambda shape: False)  # as if the recipe had changed
    with pytest.raises(ValueError, match="checkpoint of another network"):
        heard("made", rounds=4, out=out)


def test_a_folder_without_mnist_names_what_it_should_hold(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("GENEDU_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"GENEDU_DATA must name a folder that holds {NAMES[0]}.*or at least {NAMES[2]}"):
        load("mnist", "drawn")


def test_test_images_that_are_not_the_published_ones_are_not_taken(folder):
    only_the_test_images(folder)
    path = folder / module.TEST_IMAGES
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"must have the SHA-256 .*it is damaged or another file"):
        load("mnist", "drawn")
