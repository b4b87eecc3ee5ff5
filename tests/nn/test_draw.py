"""Draws come as often as the probabilities say, at any temperature, and are the same under one seed."""

import math

import pytest
import torch

from genedu.core import seeded
from genedu.nn import draw_bits, draw_levels
from genedu.nn.draw import without_dropout

DRAWS = 40_000


def agrees(hits: torch.Tensor, p: torch.Tensor) -> bool:
    return bool(((hits - p).abs() < 5 * (p * (1 - p) / DRAWS).sqrt() + 1e-9).all())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_levels_come_as_often_as_their_probability(temperature):
    p = torch.tensor([[0.1, 0.2, 0.7, 0.0], [0.25, 0.25, 0.25, 0.25]])
    x = draw_levels(p.log().expand(DRAWS, 2, 4), temperature)
    want = p ** (1 / temperature)
    want = want / want.sum(-1, keepdim=True)
    assert x.shape == (DRAWS, 2) and x.dtype == torch.long
    for column in range(2):
        assert agrees(torch.bincount(x[:, column], minlength=4) / DRAWS, want[column])
    assert abs(torch.corrcoef(x.T.double())[0, 1]) < 5 / math.sqrt(DRAWS), "places are drawn independently"


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_bits_come_as_often_as_their_probability(temperature):
    logits = torch.tensor([-2.0, 0.0, 3.0, 200.0, -200.0])
    x = draw_bits(logits.expand(DRAWS, 5), temperature)
    assert x.dtype == torch.long and agrees(x.float().mean(0), (logits / temperature).sigmoid())


def test_one_seed_one_draw():
    logits = torch.randn(50, 7)
    for draw in (draw_levels, draw_bits):
        with seeded(3):
            first = draw(logits)
        with seeded(3):
            assert torch.equal(first, draw(logits))
        assert not torch.equal(first, draw(logits))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize("draw", [draw_levels, draw_bits])
def test_bad_temperature(draw, temperature):
    with pytest.raises(ValueError, match="temperature must be finite and above 0"):
        draw(torch.zeros(2, 3), temperature)


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_comes_back_even_after_ctrl_c(mode):
    model = torch.nn.Sequential(torch.nn.Dropout(0.5)).train(mode)
    with without_dropout(model):
        assert not model.training and not model[0].training
    with pytest.raises(KeyboardInterrupt), without_dropout(model):
        raise KeyboardInterrupt
    assert model.training == mode == model[0].training
