"""The block's likelihood against a sum over all paths, its samples, and bounds on its entropy; digits move as they must."""

import math
from itertools import product

import pytest
import torch

from genedu.data import bounce, digits, moving_digits
from genedu.data.video import HEADINGS
from tests.laws import support

TINY = {"size": 3, "block": 1, "step": 1, "turn": 0.6, "flip": 0.1, "frames": 2, "sizes": (5, 5, 5)}
VIDEO = bounce(sizes=(50, 20, 2000))


def paths(source, frames):
    """(probability, places) of every path of states, written out: the block turns, turns back at a border, and moves."""
    sides = (source.size - source.block) // source.step + 1

    def inside(row, column):
        return 0 <= row < sides and 0 <= column < sides

    def after(row, column, heading):
        for change, p in ((0, 1 - source.turn), (1, source.turn / 2), (-1, source.turn / 2)):
            down, right = HEADINGS[(heading + change) % 4]
            if inside(row + down, column + right):
                yield p, (row + down, column + right, (heading + change) % 4)
            else:
                yield p, (row - down, column - right, (heading + change + 2) % 4)

    def follow(p, path):
        if len(path) == frames:
            yield p, [state[:2] for state in path]
            return
        for q, state in after(*path[-1]):
            yield from follow(p * q, [*path, state])

    for start in product(range(sides), range(sides), range(4)):
        yield from follow(1 / (4 * sides**2), [start])


def frame_of(source, place):
    """The frame without noise: [H, W]."""
    image = torch.zeros(source.size, source.size).double()
    row, column = (source.step * a for a in place)
    image[row : row + source.block, column : column + source.block] = 1
    return image


def likelihood_of_frame(source, x, place):
    same = (x[:, 0] == frame_of(source, place)).flatten(1).sum(1).double()  # [B]
    return (1 - source.flip) ** same * source.flip ** (source.size**2 - same)


def by_enumeration(source, x):
    """p(x) as the sum over all paths: [B]."""
    total = torch.zeros(len(x)).double()
    for p, path in paths(source, x.shape[1]):
        for t, place in enumerate(path):
            p = p * likelihood_of_frame(source, x[:, t], place)
        total += p
    return total


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"size": 5, "step": 2}, {"size": 4, "block": 2, "turn": 1.0}, {"turn": 0.0}])
def test_the_likelihood_is_the_sum_over_all_paths(options):
    source = bounce(**(TINY | {"frames": 4} | options))
    torch.testing.assert_close(source.log_prob(source.test).exp(), by_enumeration(source, source.test), rtol=1e-9, atol=0)
    noise = torch.randint(2, source.test.shape)  # unlikely videos, too
    torch.testing.assert_close(source.log_prob(noise).exp(), by_enumeration(source, noise), rtol=1e-9, atol=0)


def test_all_videos_together_have_mass_one_and_samples_come_as_often_as_they_should():
    source = bounce(**(TINY | {"size": 2}))
    events = support(2, torch.Size([2, 1, 2, 2]))  # all 256
    p = source.log_prob(events).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    draws = 40_000
    code = (source.sample(draws, frames=2).flatten(1) * 2 ** torch.arange(7, -1, -1)).sum(1)
    hits = torch.bincount(code, minlength=256) / draws
    assert ((hits - p).abs() < 5 * (p * (1 - p) / draws).sqrt()).all()
    assert source.log_prob(source.sample(draws, frames=2)).mean().item() == pytest.approx((p * p.log()).sum().item(), rel=0.01)


def test_frames_add_up_and_do_not_depend_on_later_ones():
    each = VIDEO.frame_log_prob(VIDEO.test[:9])
    assert each.shape == (9, 8)
    torch.testing.assert_close(each.sum(1), VIDEO.log_prob(VIDEO.test[:9]))
    torch.testing.assert_close(each[:, :3], VIDEO.frame_log_prob(VIDEO.test[:9, :3]))


def test_the_product_of_marginals_is_that_of_the_enumerated_source():
    """p(pixel | x_1) by summing p(x_1, x_2) over all second frames; the first frame's pixels by summing over all first ones."""
    source = bounce(**(TINY | {"size": 2}))
    events = support(2, torch.Size([2, 1, 2, 2]))
    p, pixels = source.log_prob(events).exp().view(16, 16), events[:16, 1].flatten(1).double()  # [x_1, x_2], [x_2, 4]
    first = p.sum(1) @ pixels  # [4]: p(pixel of x_1 = 1)
    second = (p / p.sum(1, keepdim=True)) @ pixels  # [x_1, 4]
    x1, x2 = events[:, 0].flatten(1).double(), events[:, 1].flatten(1).double()
    want = torch.stack(
        [
            torch.where(x1 == 1, first, 1 - first),
            torch.where(x2 == 1, second.repeat_interleave(16, 0), 1 - second.repeat_interleave(16, 0)),
        ],
        1,
    )
    torch.testing.assert_close(source.frame_log_prob(events, within=False), want.log().sum(2))


def test_the_product_is_a_distribution_that_loses_what_hangs_together():
    source = bounce(**(TINY | {"size": 2}))
    events = support(2, torch.Size([2, 1, 2, 2]))
    log_p, log_q = source.log_prob(events), source.frame_log_prob(events, within=False).sum(1)
    assert log_q.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert (log_p.exp() * (log_p - log_q)).sum() > 0.1


def entropy(p):
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


def test_the_floor_lies_between_the_noise_and_noise_with_motion():
    """T n H(eps) <= H(x) <= T n H(eps) + H(places): with little noise the upper end, for the places can then be seen."""
    for flip, close in ((0.1, False), (1e-5, True)):
        source = bounce(**(TINY | {"flip": flip, "frames": 4, "sizes": (1, 1, 20_000)}))
        motion: dict[tuple, float] = {}
        for p, path in paths(source, 4):
            motion[tuple(path)] = motion.get(tuple(path), 0) + p
        moves, noise = -sum(p * math.log(p) for p in motion.values()), 4 * 9 * entropy(flip)
        each = -source.log_prob(source.test)
        error = 5 * each.std().item() / math.sqrt(len(each))
        assert noise < each.mean() - error and each.mean() < noise + moves + error
        assert close == (abs(each.mean() - noise - moves) < error)
        assert source.floor() == pytest.approx(each.mean().item() / 4)


def test_floors():
    """By frame; of predicted frames alone; independent pixels cost several nats a frame."""
    by_frame, product_ = -VIDEO.frame_log_prob(VIDEO.test), -VIDEO.frame_log_prob(VIDEO.test, within=False)
    assert VIDEO.floor(given=2) == pytest.approx(by_frame[:, 2:].mean().item())
    assert VIDEO.floor(within=False) == pytest.approx(product_.mean().item())
    assert VIDEO.floor(within=False) > VIDEO.floor() + 3
    steady = bounce(turn=0.0, sizes=(1, 1, 300))  # once it has been seen to move, nothing is open: both floors meet
    assert steady.floor(within=False, given=3) == pytest.approx(steady.floor(given=3), rel=0.1)


# laws -----------------------------------------------------------------------------------------------------------------


def test_shapes_and_seeds():
    again, other = bounce(sizes=(50, 20, 2000)), bounce(sizes=(50, 20, 2000), seed=1)
    for part, n in (("train", 50), ("validation", 20), ("test", 2000)):
        x = getattr(VIDEO, part)
        assert x.shape == (n, 8, 1, 8, 8) and x.dtype == torch.long
        assert torch.equal(x, getattr(again, part)) and not torch.equal(x, getattr(other, part))
    assert VIDEO.test.double().mean() == pytest.approx((4 * 0.99 + 60 * 0.01) / 64, rel=0.02)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_digits_keep_their_shape_and_bounce(part):
    """Each frame holds the digit's own pixels at one place; the place moves evenly, or is mirrored at a border."""
    video, real = moving_digits(sizes=(30, 20, 25)), digits("binary")
    x, y = getattr(video, part), getattr(video, f"{part}_labels")
    images, labels = getattr(real, part)[:, 0], getattr(real, f"{part}_labels")
    assert x.shape == (len(y), 8, 1, 16, 16) and x.dtype == torch.long
    speeds = set()
    for clip, label in zip(x[:, :, 0], y, strict=True):
        windows = clip.unfold(1, 8, 1).unfold(2, 8, 1)  # [T, 9, 9, 8, 8]
        (image,) = [i for i in images[labels == label].unique(dim=0) if all((w == i).flatten(2).all(2).any() for w in windows)][
            :1
        ]
        places = []
        for t in range(8):
            fits = ((windows[t] == image).flatten(2).all(2) & (image.sum() == clip[t].sum())).nonzero()
            assert len(fits) == 1
            places.append(fits[0])
        steps = torch.stack(places).diff(dim=0)  # [7, 2]
        assert steps.abs().max() <= 2
        speeds |= set(steps.flatten().tolist())
        for axis in (0, 1):
            size = steps[:, axis].abs()
            assert (size.max() - size).sum() <= 2 * size.max(), "as fast all the time, but where it turns back"
    assert speeds == {-2, -1, 0, 1, 2}


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "words"), [
    ({"size": 0}, "whole numbers of at least 1"), ({"frames": 0}, "whole numbers of at least 1"),
    ({"sizes": (1, 2)}, "three sizes"), ({"step": 4}, "step must divide size - block = 6"),
    ({"block": 8}, "step must divide size - block = 0"), ({"turn": 1.1}, "turn must be in"), ({"turn": -0.1}, "turn must be in"),
    ({"flip": 0.0}, "flip in"), ({"flip": 0.5}, "flip in"),
])  # fmt: skip
def test_bad_sources(options, words):
    with pytest.raises(ValueError, match=words):
        bounce(**options)


def test_bad_videos_and_floors():
    for given in (-1, 8):
        with pytest.raises(ValueError, match="given must be 0 to 7"):
            VIDEO.floor(given=given)
    with pytest.raises(ValueError, match="any, 1, 8, 8"):
        VIDEO.log_prob(VIDEO.test[:, 0])
    with pytest.raises(ValueError, match="levels 0 to 1; got 2"):
        VIDEO.log_prob(VIDEO.test + 2 * (VIDEO.test == 0))
    for options in ({"speed": 0}, {"frames": 0}, {"sizes": (1, 2)}):
        with pytest.raises(ValueError, match="whole numbers of at least 1"):
            moving_digits(**options)
    for options in ({"size": 9}, {"size": 12.0}, {"speed": 9}):
        with pytest.raises(ValueError, match="size must be at least 8"):
            moving_digits(**options)
