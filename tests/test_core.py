"""Protocols, where chance comes from, and what is said of bad input."""

import pickle

import pytest
import torch
from torch import nn

from genedu import lazy
from genedu.core import (
    Density,
    LatentVariable,
    Player,
    Sampler,
    check_values,
    default_device,
    fitted_buffers,
    levels_of,
    rows_of,
    seeded,
)


class Coin(nn.Module):
    def sample(self, n):
        return torch.randint(2, (n,))

    def log_prob(self, x):
        return torch.full(x.shape[:1], 0.5).log()


def test_a_model_is_what_it_offers():
    assert isinstance(Coin(), Sampler) and isinstance(Coin(), Density) and not isinstance(Coin(), LatentVariable)
    assert not isinstance(nn.Linear(1, 1), Sampler)


def test_a_seed_holds_inside_and_leaves_no_trace_outside():
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with seeded(3):
        again = torch.rand(4)
    with seeded(4):
        other = torch.rand(4)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(RuntimeError, match="inside"), seeded(3):
        raise RuntimeError("inside")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_device_is_the_cpu_unless_the_environment_names_another(monkeypatch):
    monkeypatch.delenv("GENEDU_DEVICE", raising=False)
    assert default_device() == torch.device("cpu")
    monkeypatch.setenv("GENEDU_DEVICE", "cuda:1")
    assert default_device() == torch.device("cuda", 1)


def test_bad_values_are_shown():
    check_values(torch.tensor([0.0, 1.0]), lambda x: x >= 0, "x must not be negative")
    with pytest.raises(ValueError, match=r"x must not be negative; got -2\.0"):
        check_values(torch.tensor([0.0, -2.0, -3.0]), lambda x: x >= 0, "x must not be negative")
    check_values(torch.empty(3, device="meta"), lambda x: x < 0, "no values, nothing to look at")


def test_rows_are_rows():
    x = torch.zeros(2, 3)
    assert rows_of(x) is x and rows_of(x, 3) is x
    for bad, words in [
        (torch.zeros(2, 1, 8, 8), r"\[batch, dim\].*got \[2, 1, 8, 8\]: use x\.flatten\(1\)"),
        (torch.zeros(2, 1, 3), r"got \[2, 1, 3\]: use x\.flatten\(1\)"),
        (torch.zeros(0, 3), "batch >= 1"),
        (torch.zeros(3), r"got \[3\]$"),
        (torch.full((1, 3), float("inf")), "finite; got inf"),
        (torch.full((1, 3), float("nan")), "finite; got nan"),
    ]:
        with pytest.raises(ValueError, match=words):
            rows_of(bad)
    with pytest.raises(ValueError, match=r"\[batch, 4\] with batch >= 1, got \[2, 3\]$"):
        rows_of(x, 4)


def test_a_player_moves_once_a_round_on_data_unless_it_says_otherwise():
    player = Player("model", [], lambda batch: batch)
    assert (player.steps, player.uses_data, player.after_step) == (1, True, None)
    with pytest.raises(AttributeError):
        player.steps = 2


class Fitted(nn.Module):
    def __init__(self):
        super().__init__()
        fitted_buffers(self, "mean", "scale")


def test_buffers_take_their_shape_from_the_state_that_comes():
    first, second = Fitted(), Fitted().double()
    assert first.mean.shape == (0,)
    first.mean, first.scale = torch.arange(3.0), torch.eye(2)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.mean, first.mean) and torch.equal(second.scale, first.scale)
    assert second.mean is not first.mean and not list(first.parameters())
    nested = nn.Sequential(Fitted())
    nested.load_state_dict({"0.mean": torch.ones(2), "0.scale": torch.ones(1)})
    assert torch.equal(nested[0].mean, torch.ones(2))
    copy = pickle.loads(pickle.dumps(first))
    assert torch.equal(copy.mean, first.mean)
    with pytest.raises(RuntimeError, match="scale"):
        Fitted().load_state_dict({"mean": torch.ones(2)})


def test_names_are_found_when_first_used():
    get, names, everything = lazy.lazy("genedu.plots", {"style": ["PALETTE"]})
    assert names() == everything == ["PALETTE"] and len(get("PALETTE")) == 8
    with pytest.raises(AttributeError, match=r"no attribute 'Pallete'; it has \['PALETTE'\]"):
        get("Pallete")


def test_a_file_named_as_its_function_is_refused():
    """After `from genedu.nn import Cost, cost` the second name would be the file."""
    with pytest.raises(ValueError, match=r"no file of genedu.nn may be named .* got \['cost'\]"):
        lazy.lazy("genedu.nn", {"cost": ["Cost", "cost"]})


def test_levels_of_lets_levels_pass_and_teaches():
    x = torch.tensor([[0, 16], [3, 4]])
    assert levels_of(x, 17, (2,)) is x and levels_of(x, 17, (None,)) is x
    assert levels_of(torch.arange(256).byte()[None], 256, (None,)).dtype == torch.uint8
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert levels_of(images, 2, (1, 8, 8)) is images and levels_of(images, 2, (1, None, None)) is images
    for bad, shape, words in (
        (images, (64,), r"x must be \[batch, 64\] with batch >= 1, got \[2, 1, 8, 8\]: use x.flatten\(1\)"),
        (x, (3,), r"\[batch, 3\]"),
        (x[:0], (2,), "batch >= 1"),
        (x, (1, 8, 8), r"got \[2, 2\]$"),
        (x / 16, (2,), r"x must be whole numbers 0 to 16, got torch.float32: use x.long\(\)"),
        (x > 0, (2,), "whole numbers"),
        (x + 1, (2,), "x must be levels 0 to 16; got 17"),
        (x - 1, (2,), "x must be levels 0 to 16; got -1"),
    ):
        with pytest.raises(ValueError, match=words):
            levels_of(bad, 17, shape)
    assert levels_of(x.to("meta"), 2, (2,)).device.type == "meta"
