"""Oracles for classification: scikit-learn's metrics, the definition by pairs, AUROC of two Gaussians in closed form."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as sk

from genedu.data import two_gaussians
from genedu.metrics import accuracy, auroc, confusion_matrix, log_loss

quietly = settings(deadline=None, derandomize=True, database=None)
score_and_kind = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: len({kind for _, kind in rows}) == 2
)


def some_rows(n=200, k=4, dtype=torch.float64):
    """Scores with many ties, and labels that they know something of."""
    y = torch.randint(k, (n,))
    return (2 * torch.randn(n, k) + 2 * torch.nn.functional.one_hot(y, k)).round().to(dtype), y


def by_pairs(score, positive):
    """The definition: over all pairs of a positive and a negative row."""
    gap = score[positive][:, None] - score[~positive][None]
    return ((gap > 0).double() + 0.5 * (gap == 0).double()).mean().item()


# laws -----------------------------------------------------------------------------------------------------------------


def test_numbers_come_as_floats_and_counts_as_long():
    scores, y = some_rows()
    found = accuracy(scores, y), log_loss(scores.softmax(-1), y), auroc(scores[:, 0], y == 0)
    assert [type(v) for v in found] == [float] * 3
    assert confusion_matrix(scores, y).dtype == torch.long
    grown = scores.clone().requires_grad_()
    assert found == (accuracy(grown, y), log_loss(grown.softmax(-1), y), auroc(grown[:, 0], y == 0))


def test_counting_needs_no_values_and_stays_on_the_device():
    far = confusion_matrix(torch.zeros(5, 3, device="meta"), torch.zeros(5, dtype=torch.long, device="meta"))
    assert (far.shape, far.device.type, far.dtype) == ((3, 3), "meta", torch.long)


def test_the_order_of_rows_does_not_matter_and_nothing_is_changed_in_place():
    scores, y = some_rows(50)
    kept, order = scores.clone(), torch.randperm(50)
    assert accuracy(scores, y) == accuracy(scores[order], y[order])
    assert auroc(scores[:, 0], y == 0) == auroc(scores[order, 0], y[order] == 0)
    assert torch.equal(confusion_matrix(scores, y), confusion_matrix(scores[order], y[order]))
    assert torch.equal(scores, kept)


@quietly
@given(score_and_kind)
def test_auroc_is_that_of_pairs_and_turns_with_the_sign(rows):
    score, positive = torch.tensor([s for s, _ in rows]).double(), torch.tensor([k for _, k in rows])
    found = auroc(score, positive)
    assert found == pytest.approx(by_pairs(score, positive), abs=1e-15)
    assert auroc(-score, positive) == pytest.approx(1 - found, abs=1e-15)
    assert auroc(score, ~positive) == pytest.approx(1 - found, abs=1e-15)
    for rising in (torch.exp, torch.atan, lambda s: s**3 - 7, lambda s: s.clamp(min=-math.inf) * 1e30):
        assert auroc(rising(score), positive) == found
    assert auroc(torch.cat([score, score]), torch.cat([positive, positive])) == pytest.approx(found, abs=1e-15)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.long])
def test_all_are_scikit_learns_eq_1_2_and_4(dtype):
    for k in (2, 4):
        scores, y = some_rows(k=k, dtype=dtype)
        chosen = scores.double().argmax(-1)
        assert accuracy(scores, y) == pytest.approx(sk.accuracy_score(y, chosen), abs=1e-15)
        assert confusion_matrix(scores, y).tolist() == sk.confusion_matrix(y, chosen, labels=range(k)).tolist()
        assert auroc(scores[:, 0], y == 0) == pytest.approx(sk.roc_auc_score(y == 0, scores[:, 0]), abs=1e-12)
        proba = scores.double().softmax(-1)
        assert log_loss(proba, y) == pytest.approx(sk.log_loss(y, proba.numpy(), labels=range(k)), rel=1e-12)


def test_rows_of_the_confusion_matrix_are_the_truth():
    scores = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [5.0, 0.0, 0.0]])
    assert confusion_matrix(scores, torch.tensor([0, 0, 2])).tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert confusion_matrix(scores, torch.tensor([0, 0, 2]).to(torch.uint8)).sum() == 3


def test_small_integers_do_not_overflow():
    scores = torch.eye(100)
    assert torch.equal(confusion_matrix(scores, torch.arange(100).to(torch.int8)), torch.eye(100, dtype=torch.long))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_log_loss_by_hand(dtype):
    proba = torch.tensor([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], dtype=dtype)
    known = (math.log(4) + math.log(2) + 0) / 3
    assert log_loss(proba, torch.tensor([0, 1, 0])) == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1.0, 2.5])
def test_auroc_of_two_gaussians_is_known_eq_3(distance):
    """s+ - s- is N(d, 2), so P(s+ > s-) = Phi(d / sqrt 2). The variance is at most A (1 - A) / min(P, N) (Birnbaum, Klose)."""
    n = 40_000
    score = torch.randn(2 * n, dtype=torch.float64)
    positive = torch.arange(2 * n) % 2 == 0
    known = norm.cdf(distance / math.sqrt(2))
    found = auroc(score + distance * positive, positive)
    assert abs(found - known) < 5 * math.sqrt(known * (1 - known) / n)


def test_auroc_of_many_rows_is_exact():
    """Scores 0 .. n - 1, every other one positive: sum over positives 2j + 1 of the j + 1 negatives below, of (n/2)^2 pairs."""
    half = 500_000
    positive = torch.arange(2 * half) % 2 == 1
    assert auroc(torch.arange(2 * half), positive) == (half + 1) / (2 * half)


def test_no_guess_has_a_lower_log_loss_than_the_posterior():
    """Excess = E KL(p(y|x) || q(y|x)): zero at the truth, for one set of rows within five standard errors of the known mean."""
    toy = two_gaussians(1.5, sizes=(40_000, 1, 1))
    x, y = toy.train.double(), toy.train_labels
    truth = toy.posterior(x)
    for heat in (0.5, 2.0):
        guess = (truth.log() / heat).softmax(-1)
        excess = (truth * (truth.log() - guess.log())).sum(-1).mean().item()
        noise = (truth.log() - guess.log()).gather(1, y[:, None]).std().item() / math.sqrt(len(y))
        assert excess > 10 * noise
        assert abs(log_loss(guess, y) - log_loss(truth, y) - excess) < 5 * noise


# limits ---------------------------------------------------------------------------------------------------------------


def test_a_perfect_a_reversed_and_a_blind_score():
    positive = torch.tensor([False, False, True, True, True])
    score = torch.arange(5.0)
    assert (auroc(score, positive), auroc(-score, positive), auroc(torch.zeros(5), positive)) == (1.0, 0.0, 0.5)
    assert auroc(torch.tensor([-math.inf, -math.inf, 0.0, math.inf, math.inf]), positive) == 1.0
    assert auroc(torch.tensor([math.inf, 0.0, math.inf, 1.0, -math.inf]), positive) == pytest.approx(2.5 / 6)
    assert auroc(torch.tensor([0.0, 1.0]), torch.tensor([True, False])) == 0.0


def test_sure_and_right_costs_nothing_sure_and_wrong_infinitely_much_no_idea_log_k():
    y = torch.tensor([0, 1, 2])
    assert str(log_loss(torch.eye(3), y)) == "0.0"
    assert log_loss(torch.eye(3), y.flip(0)) == math.inf
    assert log_loss(torch.full((3, 3), 1 / 3), y) == pytest.approx(math.log(3), rel=1e-6)
    assert accuracy(torch.eye(3), y) == 1.0
    assert accuracy(torch.eye(3), y.flip(0)) == pytest.approx(1 / 3)


def test_ties_go_to_the_first_class_and_infinite_scores_are_scores():
    assert accuracy(torch.zeros(4, 3), torch.tensor([0, 0, 1, 2])) == 0.5
    assert accuracy(torch.tensor([[-math.inf, 0.0], [1.0, math.inf]]), torch.tensor([1, 1])) == 1.0


def test_one_row_is_enough_but_for_auroc():
    assert accuracy(torch.tensor([[0.0, 1.0]]), torch.tensor([1])) == 1.0
    assert log_loss(torch.tensor([[0.5, 0.5]]), torch.tensor([1])) == pytest.approx(math.log(2))


def test_rounding_of_float32_probabilities_is_not_taken_for_logits():
    proba = (5 * torch.randn(100, 1000)).softmax(-1)
    assert log_loss(proba.double(), torch.arange(100)) > 0
    near = torch.tensor([[0.5, 0.5009]])
    assert log_loss(near, torch.tensor([0])) == pytest.approx(math.log(2))


# errors ---------------------------------------------------------------------------------------------------------------

GOOD, Y = torch.full((4, 2), 0.5), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize("metric", [accuracy, log_loss, confusion_matrix])
@pytest.mark.parametrize(
    ("scores", "y", "words"),
    [
        (torch.zeros(4), Y, r"must be \[batch, classes\] with batch >= 1, got \[4\]"),
        (torch.zeros(0, 2), Y[:0], r"must be \[batch, classes\] with batch >= 1, got \[0, 2\]"),
        (torch.zeros(4, 0), Y, r"must be \[batch, classes\]"),
        (GOOD, Y[:3], r"y must be \[batch\] = \[4\], got \[3\]"),
        (GOOD, Y[:, None], r"y must be \[batch\] = \[4\], got \[4, 1\]"),
        (GOOD, Y.float(), r"y must be whole numbers, got torch.float32: use y.long\(\)"),
        (GOOD, Y.bool(), r"y must be whole numbers, got torch.bool: use y.long\(\)"),
        (GOOD, Y + 1, r"y must be labels 0\.\.1; got 2"),
        (GOOD, Y - 1, r"y must be labels 0\.\.1; got -1"),
        (torch.tensor([[0.5, math.nan]] * 4), Y, "got nan"),
    ],
)
def test_bad_rows_say_what_must_hold(metric, scores, y, words):
    with pytest.raises(ValueError, match=words):
        metric(scores, y)


@pytest.mark.parametrize(
    "logits",
    [
        [[2.0, 1.0]],
        [[2.0, -1.0]],
        [[0.2, 0.2]],
        [[0.5, 0.502]],
        [[0.5, 0.498]],
        [[-math.inf, 0.0]],
        [[0.0, 0.0]],
        [[1.002, -0.002]],
    ],
)
def test_logits_are_told_from_probabilities(logits):
    with pytest.raises(ValueError, match=r"proba must be probabilities.*softmax\(-1\) once"):
        log_loss(torch.tensor(logits), torch.tensor([0]))


@pytest.mark.parametrize(
    ("score", "positive", "words"),
    [
        (torch.zeros(3), torch.ones(3).bool(), "needs both kinds of rows, got 3 positive and 0 negative"),
        (torch.zeros(3), torch.zeros(3).bool(), "needs both kinds of rows, got 0 positive and 3 negative"),
        (torch.zeros(0), torch.zeros(0).bool(), "needs both kinds of rows"),
        (torch.zeros(3), torch.tensor([0, 1, 1]), "positive must be bool, got torch.int64: use y == 1"),
        (torch.zeros(3, 1), torch.tensor([True, False, True]), r"score and positive must both be \[N\], got \[3, 1\] and \[3\]"),
        (torch.zeros(2), torch.tensor([True, False, True]), r"must both be \[N\], got \[2\] and \[3\]"),
        (torch.tensor([0.0, math.nan]), torch.tensor([True, False]), "score must not be nan; got nan"),
    ],
)
def test_auroc_says_what_it_needs(score, positive, words):
    with pytest.raises(ValueError, match=words):
        auroc(score, positive)


def test_a_table_needs_scores_of_classes():
    with pytest.raises(ValueError, match=r"scores must be \[batch, classes\] with batch >= 1, got \[\]"):
        confusion_matrix(torch.tensor(1.0), torch.tensor([0]))


def test_yes_and_no_are_scores_too():
    y = torch.tensor([True, False, True, False, True])
    says = torch.tensor([True, False, False, True, True])
    assert auroc(says, y) == auroc(says.long(), y) == pytest.approx(sk.roc_auc_score(y.numpy(), says.numpy()))
