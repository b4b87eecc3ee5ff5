"""The view of a discriminator: what a snapshot holds, checked on a plane whose logit is known, and what is drawn of it."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from genedu.widgets import draw_discriminator_surface, snapshot

BOX = (-2.0, 2.0, -1.0, 1.0)
DATA = torch.tensor([[1.0, 0.0], [2.0, 0.5]])
SAMPLES = torch.arange(20.0).view(10, 2) / 20 - 1
SLOPE = torch.tensor([2.0, -1.0])


def plane(x):
    return x @ SLOPE


def shot(round_=7, logits=plane):
    return snapshot(round_, logits, SAMPLES, DATA, limits=BOX, steps=5)


def draw(step=0, shots=None, **options):
    _, axes = plt.subplots()
    asked = []
    values = {"game": "ring", "limits": BOX, "data": lambda game: DATA} | options
    draw_discriminator_surface(axes, step=step, runs=lambda game: asked.append(game) or (shots or [shot()]), **values)
    plt.close(axes.figure)
    return axes, asked


def test_a_snapshot_of_a_plane():
    found = shot()
    a, b = torch.linspace(-2, 2, 5), torch.linspace(-1, 1, 5)
    torch.testing.assert_close(found.surface, (2 * a[None, :] - b[:, None]).sigmoid())
    torch.testing.assert_close(found.slopes, SLOPE.expand(10, 2))
    real, fake = plane(DATA).sigmoid(), plane(SAMPLES).sigmoid()
    assert found.real == pytest.approx(real.mean().item()) and found.fake == pytest.approx(fake.mean().item())
    assert found.value == pytest.approx((real.log().mean() + (1 - fake).log().mean()).item())
    assert torch.equal(found.samples, SAMPLES) and not found.samples.requires_grad


def test_a_snapshot_can_be_taken_where_gradients_are_off():
    with torch.no_grad():
        torch.testing.assert_close(shot().slopes, SLOPE.expand(10, 2))


def test_samples_data_and_arrows_are_where_they_should_be():
    axes, asked = draw()
    assert asked == ["ring"]
    points = [c.get_offsets().tolist() for c in axes.collections if isinstance(c, PathCollection)]
    assert points == [DATA.tolist(), SAMPLES.double().tolist()] or torch.allclose(torch.tensor(points[1]), SAMPLES)
    (arrows,) = [c for c in axes.collections if isinstance(c, Quiver)]
    assert arrows.N == 2  # every fifth of ten
    steep = SLOPE.norm().item()
    assert arrows.U.tolist() == pytest.approx([2 / (1 + steep) * 4 / 5] * 2)
    assert arrows.V.tolist() == pytest.approx([-1 / (1 + steep) * 4 / 5] * 2)
    assert axes.get_xlim() == (-2, 2) and axes.get_ylim() == (-1, 1)


def test_the_title_says_how_the_game_stands():
    blind = shot(0, lambda x: 0 * x.sum(1))
    axes, _ = draw(1, [shot(), blind])
    assert axes.get_title() == "round 0: D is 0.50 on data, 0.50 on samples\nvalue -1.39 nats (blind: -1.39)"
    assert blind.value == pytest.approx(-math.log(4))


@pytest.mark.parametrize("step", [-1, 1])
def test_a_step_without_a_snapshot(step):
    with pytest.raises(ValueError, match=f"step must be 0 to 0, got {step}"):
        draw(step)
