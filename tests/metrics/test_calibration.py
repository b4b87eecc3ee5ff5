"""Oracles for calibration: bins by loops, answers that are right as often as they say, hands of few rows."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genedu.metrics import accuracy, expected_calibration_error, reliability
from genedu.metrics.calibration import Reliability

quietly = settings(deadline=None, derandomize=True, database=None)


def guess(n, k=3, dtype=torch.float64):
    """Probabilities of any sureness, and labels drawn from them: a calibrated classifier."""
    proba = torch.distributions.Dirichlet(torch.full((k,), 0.5, dtype=torch.float64)).sample((n,))
    return proba.to(dtype), torch.distributions.Categorical(proba).sample()


def sure(confidence, right):
    """Two classes: row i says its class with probability confidence[i], and is right where right[i]."""
    top = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([top, 1 - top], 1), 1 - torch.tensor(right).long()


def by_loops(proba, y, bins):
    rows = [(max(p), float(p.index(max(p)) == label)) for p, label in zip(proba.tolist(), y.tolist(), strict=True)]
    total = 0.0
    for m in range(bins):
        inside = [(c, a) for c, a in rows if (m / bins < c <= (m + 1) / bins)]
        total += abs(sum(a for _, a in inside) - sum(c for c, _ in inside)) / len(rows)
    return total


# laws -----------------------------------------------------------------------------------------------------------------


@quietly
@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 20))
def test_it_is_the_definition_and_lies_in_0_1_eq_1_and_2(n, k, bins):
    proba, y = guess(n, k)
    found = expected_calibration_error(proba, y, bins=bins)
    assert type(found) is float and 0 <= found <= 1
    assert found == pytest.approx(by_loops(proba, y, bins), abs=1e-12)
    order, names = torch.randperm(n), torch.randperm(k)
    assert expected_calibration_error(proba[order], y[order], bins=bins) == pytest.approx(found, abs=1e-12)
    renamed = expected_calibration_error(proba[:, names], names.argsort()[y], bins=bins)
    assert renamed == pytest.approx(found, abs=1e-12)


def test_the_diagram_adds_up_to_the_error_and_the_accuracy():
    proba, y = guess(500)
    confidence, right, counts = curve = reliability(proba, y, bins=10)
    assert isinstance(curve, Reliability) and counts.dtype == torch.long and counts.sum() == 500
    assert confidence.shape == right.shape == counts.shape == (10,)
    filled = counts > 0
    assert (filled == torch.tensor([False] * 3 + [True] * 7)).all()  # of three classes the top has at least 1/3
    assert confidence[~filled].isnan().all() and right[~filled].isnan().all()
    edge = torch.arange(11) / 10
    assert (confidence[filled] > edge[:-1][filled]).all() and (confidence[filled] <= edge[1:][filled]).all()
    share = counts[filled].double() / 500
    assert (share * right[filled]).sum().item() == pytest.approx(accuracy(proba, y), abs=1e-12)
    assert (share * confidence[filled]).sum().item() == pytest.approx(proba.max(-1).values.mean().item(), abs=1e-12)
    gap = (share * (right - confidence)[filled].abs()).sum().item()
    assert gap == pytest.approx(expected_calibration_error(proba, y, bins=10), abs=1e-12)


def test_it_stays_on_the_device_and_asks_for_no_gradient():
    far = reliability(torch.zeros(5, 3, device="meta"), torch.zeros(5, dtype=torch.long, device="meta"))
    assert {v.device.type for v in far} == {"meta"}
    proba, y = guess(50)
    grown = proba.clone().requires_grad_()
    assert not reliability(grown, y).confidence.requires_grad
    assert expected_calibration_error(grown, y) == expected_calibration_error(proba, y)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_by_hand(dtype):
    """0.75 and 0.625 share the third of four bins, right once; 1 is right: (|1 - 1.375| + |1 - 1|) / 3."""
    proba, y = sure([0.75, 0.625, 1.0], [True, False, True])
    found = reliability(proba.to(dtype), y, bins=4)
    assert found.counts.tolist() == [0, 0, 2, 1]
    assert found.confidence[2:].tolist() == [0.6875, 1.0] and found.accuracy[2:].tolist() == [0.5, 1.0]
    assert expected_calibration_error(proba.to(dtype), y, bins=4) == pytest.approx(0.125, abs=1e-6)


@pytest.mark.parametrize("confidence", [0.55, 0.7, 0.99])
def test_one_sureness_for_all_leaves_its_gap_to_the_accuracy(confidence):
    proba, y = sure([confidence] * 40, [True] * 26 + [False] * 14)
    assert expected_calibration_error(proba, y) == pytest.approx(abs(confidence - 0.65), abs=1e-12)


def test_a_calibrated_classifier_has_only_noise_left_and_heat_is_seen():
    """In bin m the gap has a standard deviation of at most 1/(2 sqrt n_m), so the mean error is at most sum_m sqrt(n_m)/(2 n)."""
    n = 40_000
    proba, y = guess(n)
    counts = reliability(proba, y).counts
    noise = (counts.sqrt() / (2 * n)).sum().item()
    assert 0 < expected_calibration_error(proba, y) < noise + 5 * 0.5 / math.sqrt(n)
    hot = (proba.log() * 2).softmax(-1)  # surer, no better
    known = (hot.max(-1).values - proba.max(-1).values).mean().item()  # every bin is too sure, so bins do not matter
    assert known > 0.05 and abs(expected_calibration_error(hot, y) - known) < 5 * 0.5 / math.sqrt(n) + noise / 10


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_bin_is_the_mean_sureness_less_the_accuracy():
    proba, y = guess(300)
    known = abs(proba.max(-1).values.mean().item() - accuracy(proba, y))
    assert expected_calibration_error(proba, y, bins=1) == pytest.approx(known, abs=1e-12)


def test_sure_and_right_is_0_sure_and_wrong_is_1_and_a_fair_coin_is_0():
    eye = torch.eye(3)
    assert expected_calibration_error(eye, torch.arange(3)) == 0
    assert expected_calibration_error(eye, torch.tensor([1, 2, 0])) == 1
    assert expected_calibration_error(torch.full((4, 2), 0.5), torch.tensor([0, 1, 1, 0])) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_edge_belongs_to_the_bin_below(dtype):
    for m in range(8, 16):
        proba = torch.tensor([[m / 15, 1 - m / 15]], dtype=torch.float64).to(dtype)
        assert reliability(proba, torch.tensor([0])).counts.argmax() == m - 1


def test_the_default_has_fifteen_bins():
    proba, y = guess(300)
    assert len(reliability(proba, y).counts) == 15
    assert expected_calibration_error(proba, y) == expected_calibration_error(proba, y, bins=15)
    assert len({expected_calibration_error(proba, y, bins=b) for b in (14, 15, 16)}) == 3


def test_a_top_that_rounding_lifted_above_one_is_in_the_last_bin():
    assert reliability(torch.tensor([[1.0005, 0.0]]), torch.tensor([0])).counts[-1] == 1


# errors ---------------------------------------------------------------------------------------------------------------

GOOD, Y = torch.full((4, 2), 0.5), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize("measure", [expected_calibration_error, reliability])
@pytest.mark.parametrize(
    ("proba", "y", "bins", "words"),
    [
        (GOOD[0], Y, 15, r"must be \[batch, classes\] with batch >= 1, got \[2\]"),
        (GOOD[:0], Y[:0], 15, r"must be \[batch, classes\] with batch >= 1, got \[0, 2\]"),
        (GOOD, Y[:3], 15, r"y must be \[batch\] = \[4\], got \[3\]"),
        (GOOD, Y.float(), 15, "y must be whole numbers"),
        (GOOD, Y + 1, 15, r"y must be labels 0\.\.1; got 2"),
        (2 * GOOD, Y, 15, r"proba must be probabilities.*softmax\(-1\) once"),
        (torch.tensor([[2.0, -1.0]] * 4), Y, 15, r"proba must be probabilities.*; got -1.0"),
        (torch.tensor([[0.5, 0.502]] * 4), Y, 15, "proba must be probabilities"),
        (torch.tensor([[0.5, 0.498]] * 4), Y, 15, "proba must be probabilities"),
        (torch.tensor([[0.5, math.nan]] * 4), Y, 15, "proba must be probabilities.*; got nan"),
        (GOOD, Y, 0, "bins must be a whole number of at least 1, got 0"),
        (GOOD, Y, 1.5, "bins must be a whole number of at least 1, got 1.5"),
    ],
)
def test_bad_input_says_what_must_hold(measure, proba, y, bins, words):
    with pytest.raises(ValueError, match=words):
        measure(proba, y, bins=bins)


def test_sure_answers_may_be_truth_values():
    says = torch.eye(2).bool()[[0, 1, 1, 0]]
    assert expected_calibration_error(says, Y) == expected_calibration_error(says.double(), Y) == 0
