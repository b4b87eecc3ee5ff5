"""Oracles for MMD: Gaussians under a Gaussian kernel, the definition as loops, all divisions of five rows, a uniform p-value."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import kstest

from genedu.metrics import mmd2, mmd_permutation_p

quietly = settings(deadline=None, derandomize=True, database=None)


def draw(n, dim=2, shift=0.0):
    return torch.randn(n, dim, dtype=torch.float64) + shift


def mean_kernel(length, v1, v2, gap):
    """E k(x, y) for x ~ N(0, v1), y ~ N(gap, v2), a number each: the Gaussian integral of (2)."""
    v = length**2 + v1 + v2
    return math.sqrt(length**2 / v) * math.exp(-(gap**2) / (2 * v))


def by_loops(x, y, lengths):
    def k(a, b):
        return sum(math.exp(-sum((i - j) ** 2 for i, j in zip(a, b, strict=True)) / (2 * s * s)) for s in lengths) / len(lengths)

    x, y = x.tolist(), y.tolist()
    xx = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    yy = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    xy = [k(a, b) for a in x for b in y]
    return sum(xx) / len(xx) + sum(yy) / len(yy) - 2 * sum(xy) / len(xy)


# laws -----------------------------------------------------------------------------------------------------------------


@quietly
@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 3), st.lists(st.floats(0.3, 3.0), min_size=1, max_size=3))
def test_it_is_the_definition_eq_3(n, m, dim, lengths):
    x, y = draw(n, dim), draw(m, dim, 0.5)
    found = mmd2(x, y, lengths)
    assert found.shape == () and found.item() == pytest.approx(by_loops(x, y, lengths), abs=1e-12)
    assert mmd2(y, x, lengths).item() == pytest.approx(found.item(), abs=1e-12)
    assert mmd2(x[torch.randperm(n)], y[torch.randperm(m)], lengths).item() == pytest.approx(found.item(), abs=1e-12)


def test_with_the_median_no_unit_no_turn_and_no_shift_matters():
    x, y = draw(30, 3), draw(20, 3, 0.4)
    known = mmd2(x, y)
    turn = torch.linalg.qr(draw(3, 3))[0]
    torch.testing.assert_close(mmd2(1024 * x, 1024 * y), known, rtol=0, atol=0)
    torch.testing.assert_close(mmd2(x @ turn + 7, y @ turn + 7), known, rtol=0, atol=1e-12)
    torch.testing.assert_close(mmd2(y, x), known, rtol=0, atol=1e-12)


def test_it_keeps_dtype_and_device_and_looks_at_no_value_without_need():
    x, y = draw(6), draw(5)
    assert mmd2(x.float(), y.float()).dtype == torch.float32
    assert mmd2(x.half(), y.half(), 1.0).dtype == torch.float32
    assert mmd2(x.float(), y, 1.0).dtype == torch.float64
    for lengths in (None, 1.0, [1.0, 2.0]):
        assert mmd2(x.to("meta"), y.to("meta"), lengths).device.type == "meta"


@pytest.mark.parametrize("lengths", [None, 0.7, [0.5, 2.0]])
def test_the_gradient_is_that_of_the_value(lengths):
    x, y = draw(5), draw(4, shift=0.5)
    kept = mmd2(x, y, lengths).item()
    width = lengths or pdist(torch.cat([x, y]).numpy(), "euclidean")[np.argsort(pdist(torch.cat([x, y]).numpy()))[17]]
    assert mmd2(x, y, width).item() == pytest.approx(kept, abs=1e-12)  # the 18th of 36 distances: the lower median
    free = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(mmd2(free, y, lengths), free)  # the median's own gradient is left out
    assert torch.autograd.gradcheck(lambda x: mmd2(x, y, width), free)
    (known,) = torch.autograd.grad(mmd2(free, y, width), free)
    torch.testing.assert_close(slope, known, rtol=0, atol=1e-12)


def test_equal_rows_leave_the_gradient_finite():
    x = torch.zeros(4, 2, dtype=torch.float64, requires_grad=True)
    mmd2(x, x.detach() + torch.arange(4.0)[:, None], 1.0).backward()
    assert x.grad.isfinite().all() and (x.grad[:, 0] < 0).all()  # descent moves x towards y


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "v2", "lengths"), [(0.0, 1.0, [1.0]), (0.5, 1.0, [1.0]), (1.0, 4.0, [0.5, 2.0])])
def test_between_gaussians_its_mean_is_known_eq_1_and_2(gap, v2, lengths):
    """Over 200 pairs of sets of 40 rows in 2-D: 5 standard errors. Without the "unbiased" it is 1/40 too high."""
    found = torch.stack([mmd2(draw(40), gap + math.sqrt(v2) * draw(40), lengths) for _ in range(200)])
    known = sum(
        mean_kernel(s, 1, 1, 0) ** 2 + mean_kernel(s, v2, v2, 0) ** 2 - 2 * mean_kernel(s, 1, v2, gap) ** 2 for s in lengths
    ) / len(lengths)
    error = found.std() / math.sqrt(200)
    assert (found.mean() - known).abs() < 5 * error < 0.02
    assert gap > 0 or found.min() < 0  # unbiased at zero: half of all values are below


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 4), (30, 21)])
def test_the_default_is_the_median_of_the_pooled_distances(n, m):
    x, y = draw(n, 3), draw(m, 3, 1.0)
    between = np.sort(pdist(torch.cat([x, y]).numpy()))
    median = between[(len(between) - 1) // 2]
    torch.testing.assert_close(mmd2(x, y), mmd2(x, y, median), rtol=0, atol=1e-14)


@pytest.mark.parametrize("shift", [0.0, 0.8, 3.0])
def test_the_p_value_is_that_of_all_divisions_eq_4(shift):
    """Five rows have ten divisions in 2 + 3: the share that reaches the seen value, within 5 standard errors."""
    x, y = draw(2), draw(3, shift=shift)
    z, seen = torch.cat([x, y]), mmd2(x, y, 1.0)
    values = [mmd2(z[list(c)], z[[i for i in range(5) if i not in c]], 1.0) for c in combinations(range(5), 2)]
    share = np.mean([(v >= seen - 1e-12).item() for v in values])
    p = mmd_permutation_p(x, y, bandwidths=1.0, permutations=2000)
    assert share >= 0.1 and abs(p * 2001 / 2000 - 1 / 2000 - share) < 5 * math.sqrt(share * (1 - share) / 2000) + 1e-12


def test_without_a_difference_the_p_value_is_uniform():
    """p takes the values 1/20 .. 20/20, each equally likely; a p-value less a uniform draw below 1/20 is uniform on (0, 1)."""
    p = [mmd_permutation_p(draw(12), draw(8), permutations=19, seed=i) for i in range(300)]
    assert kstest(np.array(p) - np.random.default_rng(0).random(300) / 20, "uniform").pvalue > 1e-4
    assert {round(20 * v) for v in p} == set(range(1, 21)) and min(p) == 0.05 and max(p) == 1.0


def test_a_shift_is_found():
    assert mmd_permutation_p(draw(100), draw(100, shift=1.0)) == 1 / 201
    assert mmd_permutation_p(draw(100), 2 * draw(100)) == 1 / 201


# limits ---------------------------------------------------------------------------------------------------------------


def test_equal_sets_meet_their_copies_only_in_the_mixed_term():
    """x against x: 2 A - 2 (A (n - 1) + 1) / n with A the mean of k over different rows: 2 (A - 1) / n, below zero."""
    x = draw(9)
    a = np.exp(-(pdist(x.numpy()) ** 2) / 2).mean()
    assert mmd2(x, x, 1.0).item() == pytest.approx(2 * (a - 1) / 9, abs=1e-12)


def test_many_bandwidths_are_their_mean_and_a_number_is_a_list_of_one():
    x, y = draw(9), draw(7)
    torch.testing.assert_close(mmd2(x, y, [0.5, 2.0, 3.0]), torch.stack([mmd2(x, y, s) for s in (0.5, 2.0, 3.0)]).mean())
    assert mmd2(x, y, 2) == mmd2(x, y, [2.0]) == mmd2(x, y, torch.tensor([2.0]))


def test_wide_kernels_see_the_means_only():
    """As l grows, l^2 MMD^2 goes to the unbiased estimate of |difference of means|^2, here exact in the next order."""
    x, y = draw(20), draw(30, shift=1.0)
    unbiased = (x.mean(0) - y.mean(0)).square().sum() - x.var(0).sum() / 20 - y.var(0).sum() / 30
    torch.testing.assert_close(1e6 * mmd2(x, y, 1e3), unbiased, rtol=1e-4, atol=1e-6)


def test_a_seed_fixes_the_p_value_and_nothing_else_moves():
    x, y = draw(12), draw(12)
    state = torch.random.get_rng_state()
    p = mmd_permutation_p(x, y, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert p == mmd_permutation_p(x, y, seed=3) == mmd_permutation_p(x, y, permutations=200, seed=3)
    assert len({mmd_permutation_p(x, y, seed=i) for i in range(5)}) > 1
    assert mmd_permutation_p(x, y) == mmd_permutation_p(x, y, seed=0)
    assert type(p) is float and round(201 * p) == pytest.approx(201 * p, abs=1e-9)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [mmd2, lambda x, y, b=None: mmd_permutation_p(x, y, bandwidths=b)])
@pytest.mark.parametrize(
    ("x", "y", "bandwidths", "words"),
    [
        (torch.zeros(4, 1, 8, 8), torch.zeros(4, 64), None, r"x must be \[rows, features\].*use x.flatten\(1\)"),
        (torch.zeros(4, 2), torch.zeros(4, 3), None, r"y must be \[rows, 2\].*got \[4, 3\]"),
        (torch.zeros(1, 2), torch.ones(4, 2), None, "x and y need at least 2 rows each, got 1 and 4"),
        (torch.zeros(4, 2), torch.ones(1, 2), None, "x and y need at least 2 rows each, got 4 and 1"),
        (torch.full((4, 2), math.nan), torch.zeros(4, 2), None, "x must be finite"),
        (torch.zeros(4, 2), torch.zeros(4, 2), None, "median distance is 0.*give bandwidths"),
        (torch.zeros(4, 2), torch.ones(4, 2), [], "bandwidths must be positive and finite numbers, at least one; got"),
        (torch.zeros(4, 2), torch.ones(4, 2), [1.0, 0.0], "bandwidths must be positive"),
        (torch.zeros(4, 2), torch.ones(4, 2), -1.0, r"bandwidths must be positive.*got \[-1.0\]"),
        (torch.zeros(4, 2), torch.ones(4, 2), [math.nan], "bandwidths must be positive"),
        (torch.zeros(4, 2), torch.ones(4, 2), [math.inf], "bandwidths must be positive"),
    ],
)
def test_bad_input_says_what_must_hold(measure, x, y, bandwidths, words):
    with pytest.raises(ValueError, match=words):
        measure(x, y, bandwidths)


def test_a_p_value_needs_permutations():
    x = torch.eye(3)
    for count in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"permutations must be a whole number of at least 1, got {count}"):
            mmd_permutation_p(x, x, permutations=count)
    assert mmd_permutation_p(x, x, permutations=1) in (0.5, 1.0)


@pytest.mark.parametrize("one", [np.float32(1.5), np.float64(1.5), torch.tensor(1.5), 1.5, (1.5,), torch.tensor([1.5])])
def test_a_length_may_be_any_number(one):
    """The median of distances, say, as torch or numpy gives it."""
    x, y = draw(6), draw(5, shift=1.0)
    assert mmd2(x, y, one) == mmd2(x, y, [1.5])
    assert mmd_permutation_p(x, y, bandwidths=one, permutations=9) == mmd_permutation_p(x, y, bandwidths=1.5, permutations=9)
