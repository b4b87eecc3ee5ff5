"""Oracles for the network: what a level is shown as, the head written out, the parts that belong to places."""

import pytest
import torch

from genedu.core import seeded
from genedu.nn import PixelNet
from genedu.nn.receptive import receptive_field

F64 = torch.float64
STACKS = ["gated", "plain", "row", "diagonal"]


def net(stack, channels=1, **options):
    with seeded(6):
        return PixelNet(5, torch.arange(3.0), (channels, 4, 4), stack=stack, **{"hidden": 8, **options}).double()


def test_levels_are_shown_as_rows_of_the_table_colour_after_colour():
    model = net("gated", channels=2)
    x = torch.randint(5, (3, 4, 4, 2))
    want = torch.cat([model.embedding[x[..., 0]], model.embedding[x[..., 1]]], -1)
    torch.testing.assert_close(model.shown(x), want)


def test_levels_start_in_the_order_of_their_brightness():
    assert net("gated").embedding[:, 0].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


@pytest.mark.parametrize("stack", STACKS)
def test_the_first_pixel_is_the_same_for_all_images(stack):
    x = torch.randint(5, (20, 1, 4, 4))
    out = net(stack)(x)
    assert out.shape == (20, 4, 4, 3) and torch.allclose(out[:, 0, 0], out[:1, 0, 0], rtol=0, atol=1e-12)
    assert out[:, 0, 1].std(0).min() > 0


@pytest.mark.parametrize("stack", STACKS)
def test_the_last_bias_is_one_for_each_place(stack):
    model = net(stack)
    with torch.no_grad():
        before = model(torch.zeros(1, 1, 4, 4, dtype=torch.long))
        model.bias[1, 2] += torch.tensor([1.0, 2.0, 3.0])
        change = model(torch.zeros(1, 1, 4, 4, dtype=torch.long)) - before
    want = torch.zeros(1, 4, 4, 3, dtype=F64)
    want[0, 1, 2] = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(change, want)
    assert torch.equal(net(stack).bias, torch.arange(3.0).double().expand(4, 4, 3))


@pytest.mark.parametrize("stack", STACKS)
def test_the_head_is_the_equation(stack):
    model = net(stack)
    model.layers = torch.nn.ModuleList()  # f from the first layer
    shown = torch.randn(2, 8, 4, 4, dtype=F64)
    first = model.first(shown)
    h = (first[1] if stack == "gated" else first) + model.place[0]
    _, q, _, p = model.head
    want = (q(h.permute(0, 2, 3, 1).relu())).relu() @ p.weight.T + model.bias
    torch.testing.assert_close(model.see(shown), want)


def test_a_place_is_added_to_each_stack():
    model = net("gated", layers=1)
    shown = torch.randn(2, 8, 4, 4, dtype=F64)
    torch.nn.init.normal_(model.place[0])
    torch.nn.init.normal_(model.place[1])
    v, h = model.first(shown)
    _, h = model.layers[0](v + model.place[1], h + model.place[0])
    torch.testing.assert_close(model.see(shown), model.head(h.permute(0, 2, 3, 1)) + model.bias)


@pytest.mark.parametrize("stack", STACKS)
def test_forward_is_see_of_what_is_shown(stack):
    model, x = net(stack, layers=2), torch.randint(5, (2, 1, 4, 4))
    torch.testing.assert_close(model(x), model.see(model.shown(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)))
    seen = receptive_field(model.see, torch.randn(4, 8, 4, 4, dtype=F64), 2, 1)
    assert not seen[2, 1:].any() and not seen[3].any() and seen[2, 0] > 0 and seen[1, 1] > 0


@pytest.mark.parametrize("stack", ["gated", "plain"])
def test_the_condition_reaches_each_pixel(stack):
    model, x = net(stack, condition=2), torch.randint(5, (20, 1, 4, 4))
    z = torch.randn(20, 2, dtype=F64, requires_grad=True)
    for r in range(4):
        for c in range(4):
            (slope,) = torch.autograd.grad(model(x, z)[:, r, c].sum(), [z])
            assert (slope.abs().sum(0) > 0).all()


def test_unknown_stack():
    with pytest.raises(KeyError):
        net("spiral")


def test_levels_start_with_a_little_noise_beside_their_brightness():
    with seeded(6):
        noise = PixelNet(500, torch.zeros(1), (1, 1, 1), embedding=21).embedding[:, 1:]  # 10 000 numbers
    assert noise.std().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("stack", ["gated", "plain"])
def test_masked_layers_of_one_pixel_are_refused(stack):
    with pytest.raises(ValueError, match="kernel must be at least 3, got 1"):
        net(stack, kernel=1)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_bad_dropout(dropout):
    with pytest.raises(ValueError, match=f"dropout must be at least 0 and below 1, got {dropout}"):
        net("row", dropout=dropout)
