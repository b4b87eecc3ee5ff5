"""The video network: which pixels it sees, across frames and within one; mass one; and the block's exact floors."""

import pytest
import torch

from genedu.autoregressive import VideoPixelNetwork
from genedu.core import seeded
from genedu.data import bounce
from genedu.fit import fit
from tests.laws import check_cached, support

BOTH = pytest.mark.parametrize("within", [True, False])


def network(levels: int = 2, seed: int = 3, **options) -> VideoPixelNetwork:
    """In double precision, no parameter small."""
    with seeded(seed):
        model = VideoPixelNetwork(levels, **{"size": 4, "hidden": 4, "layers": 1, **options}).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def videos(rows: int, frames: int, size: int = 4, levels: int = 2) -> torch.Tensor:
    with seeded(4):
        return torch.randint(levels, (rows, frames, 1, size, size))


def seen(model: VideoPixelNetwork, frames: int, at: tuple[int, int, int]) -> torch.Tensor:
    """Which pixels of a video move the logits at (frame, row, column): [T, H, W] truth values, by changing each."""
    x = videos(1, frames, model.size, model.levels)
    rows = x.repeat(x.numel(), 1, 1, 1, 1)
    place = torch.arange(x.numel())
    rows.view(len(rows), -1)[place, place] = (x.view(-1) + 1) % model.levels
    t, r, c = at
    with torch.no_grad():
        moved = (model.logits(rows) - model.logits(x))[:, t, 0, r, c].abs().amax(-1) > 1e-12
    return moved.view(x.shape[1], model.size, model.size)


# oracles --------------------------------------------------------------------------------------------------------------


def test_all_the_past_and_nothing_else():
    """On frames small enough for the convolutions: all earlier frames, all earlier pixels of the own one, no more."""
    model = network(size=3)
    for at in ((0, 0, 0), (1, 1, 1), (2, 0, 0), (2, 2, 2)):
        t, r, c = at
        want = torch.zeros(4, 9, dtype=torch.bool)
        want[:t] = True
        want[t, : 3 * r + c] = True
        assert torch.equal(seen(model, 4, at).flatten(1), want), at


def test_the_baseline_sees_earlier_frames_alone():
    model = network(size=3, within=False)
    for at in ((0, 2, 2), (1, 1, 1), (2, 2, 2)):
        want = torch.zeros(4, 3, 3, dtype=torch.bool)
        want[: at[0]] = True
        assert torch.equal(seen(model, 4, at), want), at


def test_how_far_it_sees():
    """As the docstring says: of the own frame, 3 + layers rows up and 2 + layers columns aside; of frame t - k, 3 + k around
    and what the decoder adds."""
    own = seen(network(size=11, layers=1, hidden=3), 1, (0, 5, 5))[0].nonzero()
    assert own[:, 0].min() == 5 - 4 and own[:, 1].min() == 5 - 3 and own[:, 1].max() == 5 + 3
    before = seen(network(size=13, layers=2, hidden=3), 2, (1, 7, 6))[0].nonzero()
    assert (before[:, 0].min(), before[:, 0].max()) == (7 - (3 + 1 + 2), 7 + (3 + 1))
    assert (before[:, 1].min(), before[:, 1].max()) == (6 - (3 + 1 + 1), 6 + (3 + 1 + 1))
    baseline = seen(network(size=13, layers=1, hidden=3, within=False), 3, (2, 6, 6))
    for k in (1, 2):
        rows = baseline[2 - k].nonzero()
        assert rows.min() == 6 - (3 + k + 1) and rows.max() == min(6 + (3 + k + 1), 12)  # one more by the baseline's own layer


@BOTH
def test_all_videos_together_have_mass_one_and_samples_come_as_often_as_log_prob_says(within):
    model, events, draws = network(size=2, within=within), support(2, torch.Size([2, 1, 2, 2])), 20_000
    with torch.no_grad():
        p = model.log_prob(events).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-9)
    x = model.sample(draws, frames=2)
    hits = torch.bincount((x.flatten(1) * 2 ** torch.arange(7, -1, -1)).sum(1), minlength=256) / draws
    assert ((hits - p).abs() < 5 * (p * (1 - p) / draws).sqrt() + 1e-9).all()


def test_pixels_of_the_baseline_are_independent_given_the_past_and_those_of_the_network_are_not():
    """p(a, b | x_1) against p(a | x_1) p(b | x_1) for two pixels of the second frame, from the mass of all videos."""
    events = support(2, torch.Size([2, 1, 2, 2]))
    for within in (True, False):
        with torch.no_grad():
            p = network(size=2, within=within).log_prob(events).exp().view(16, 2, 2, 4)[0]  # x_1 = 0: [a, b, ..]
        p = p.sum(-1) / p.sum()
        independent = torch.outer(p.sum(1), p.sum(0))
        assert torch.allclose(p, independent, rtol=0, atol=1e-9) != within


@BOTH
def test_frames_add_up_and_a_shorter_video_has_the_same_first_frames(within):
    model, x = network(3, within=within), videos(5, 4, levels=3)
    with torch.no_grad():
        each = model.frame_log_prob(x)
        torch.testing.assert_close(each.sum(1), model.log_prob(x))
        torch.testing.assert_close(each[:, :2], model.frame_log_prob(x[:, :2]))
        torch.testing.assert_close(model.loss(x), -each.sum(1).mean())


@BOTH
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_cached_draws_are_the_naive_draws(within, temperature):
    model = network(3, within=within)
    given = videos(4, 2, levels=3)
    check_cached(lambda n, cached: model.sample(n, frames=3, temperature=temperature, cached=cached))
    check_cached(lambda n, cached: model.sample(n, frames=4, given=given, temperature=temperature, cached=cached))


@BOTH
def test_given_frames_are_kept_and_the_next_ones_follow_from_them(within):
    """The first pixel of the next frame comes as often as the logits after the given frames say."""
    model, x, draws = network(size=2, within=within), videos(2, 2, size=2)[1:], 10_000
    drawn = model.sample(draws, frames=3, given=x.expand(draws, -1, -1, -1, -1))
    assert (drawn[:, :2] == x).all()
    with torch.no_grad():
        p = model.logits(drawn[:1])[0, 2, 0, 0, 0].softmax(-1)[1].item()
    assert abs(drawn[:, 2, 0, 0, 0].double().mean().item() - p) < 5 * (p * (1 - p) / draws) ** 0.5


@BOTH
def test_a_constant_video_is_learnt_by_heart(within):
    x = videos(1, 3).expand(8, -1, -1, -1, -1)
    with seeded(0):
        model = VideoPixelNetwork(2, size=4, hidden=8, layers=1, within=within)
    fit(model, x, rounds=80, batch_size=8, lr=2e-2, progress=False)
    assert model.loss(x) < 0.1
    assert (model.sample(20, frames=3) == x[:1]).all(-1).double().mean() > 0.97


@pytest.mark.slow
def test_the_network_ends_between_its_floor_and_the_floor_of_independent_pixels_which_the_baseline_cannot_pass():
    """A block of 2 x 2 on 6 x 6. Floors by the forward recursion of genedu.data.video."""
    source = bounce(size=6, frames=4, sizes=(600, 1, 300))
    nll = {}
    for within, rounds in ((True, 150), (False, 100)):
        with seeded(0):
            model = VideoPixelNetwork(2, size=6, hidden=12, within=within)
        fit(model, source.train, rounds=rounds, batch_size=8, lr=1e-2, schedule=lambda s: 1 - s, progress=False)
        with torch.no_grad():
            nll[within] = -model.log_prob(source.test).mean().item() / 4
    full, product = source.floor(), source.floor(within=False)
    assert full < nll[True] < product - 2
    assert product < nll[False] < product + 6


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["levels", "size", "hidden", "layers"])
def test_sizes(wrong):
    sizes = {"levels": 2, "size": 4, "hidden": 4, "layers": 1}
    for value in (0, 2.0) if wrong != "levels" else (1, 2.0):
        with pytest.raises(ValueError, match=f"{wrong} must be a whole number of at least"):
            VideoPixelNetwork(**(sizes | {wrong: value}))


def test_bad_videos():
    model, x = network(), videos(2, 3)
    with pytest.raises(ValueError, match="any, 1, 4, 4"):
        model.log_prob(x[:, 0])
    with pytest.raises(ValueError, match="levels 0 to 1; got 2"):
        model.logits(x + 2 * (x == 0))
    with pytest.raises(ValueError, match=r"use x\.long"):
        model.loss(x.float())
    for n, frames in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="n and frames must be at least 1"):
            model.sample(n, frames=frames)
    with pytest.raises(ValueError, match=r"given must be \[2, fewer than 3"):
        model.sample(2, frames=3, given=x)
    with pytest.raises(ValueError, match=r"given must be \[3, fewer than 5"):
        model.sample(3, frames=5, given=x)
    for given in (x[:, 0], x[:, :0]):
        with pytest.raises(ValueError, match=r"given must be \[2, fewer than 5, ..\], at least one frame, got"):
            model.sample(2, frames=5, given=given)
    with pytest.raises(ValueError, match="temperature must be finite"):
        model.sample(2, frames=1, temperature=0)


@BOTH
def test_levels_may_be_of_any_type_of_whole_numbers(within):
    model, x = network(within=within), videos(2, 3)
    for kind in (torch.int32, torch.uint8):
        assert torch.equal(model.log_prob(x.to(kind)), model.log_prob(x))
