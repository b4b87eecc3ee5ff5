"""Codes against classes: scipy's and scikit-learn's figures, all permutations, tables whose information is known, chance."""

import math
from functools import partial
from itertools import permutations

import pytest
import torch
from sklearn.metrics import mutual_info_score

from genedu.core import seeded
from genedu.metrics import (
    chance,
    joint_counts,
    matched_accuracy,
    matching,
    mutual_information,
    quantile_bins,
    stated_information,
)


def draw(p, n):
    """n pairs (code, label) from a table p [A, B]."""
    cell = torch.multinomial(p.flatten(), n, replacement=True)
    return cell // p.shape[1], cell % p.shape[1]


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_best_matching_is_the_best_of_all_permutations():
    codes, labels = torch.randint(5, (60,)), torch.randint(5, (60,))
    best = max((torch.tensor(m)[codes] == labels).double().mean().item() for m in permutations(range(5)))
    assert matched_accuracy(codes, labels) == pytest.approx(best, abs=1e-12)
    named = matching(codes, labels)
    assert sum(named[a] == b for a, b in zip(codes.tolist(), labels.tolist(), strict=True)) / 60 == pytest.approx(best)


def test_new_names_do_not_matter_and_a_renamed_truth_scores_1():
    labels = torch.randint(6, (200,))
    names = torch.randperm(6)
    assert matched_accuracy(names[labels], labels) == 1
    assert matching(names[labels], labels) == {names[b].item(): b for b in range(6)}
    codes = torch.randint(6, (200,))
    assert matched_accuracy(names[codes], labels) == matched_accuracy(codes, labels)


def test_counts_by_hand():
    codes, labels = torch.tensor([0, 0, 0, 1, 1, 2, 3]), torch.tensor([0, 0, 1, 0, 0, 1, 1])
    assert joint_counts(codes, labels).tolist() == [[2, 1], [2, 0], [0, 1], [0, 1]]
    assert matched_accuracy(codes, labels) == pytest.approx(3 / 7)  # one code for each class
    assert matched_accuracy(codes, labels, how="majority") == pytest.approx(6 / 7)  # four codes share two classes


@pytest.mark.parametrize("levels", [(2, 2), (3, 7)])
def test_the_plain_information_is_scikit_learns(levels):
    codes, labels = torch.randint(levels[0], (300,)), torch.randint(levels[1], (300,))
    labels = torch.where(torch.rand(300) < 0.5, codes % levels[1], labels)
    assert mutual_information(codes, labels, correct=False) == pytest.approx(mutual_info_score(codes, labels), abs=1e-12)


def test_the_information_of_a_known_table_is_found_and_the_correction_removes_the_bias():
    """1000 sets of 100 rows each: without the correction the mean is too high by about (K_a - 1)(K_b - 1) / 2n."""
    p = torch.full((3, 4), 1 / 24).double()
    p[:, 0] += torch.tensor([0.3, 0.15, 0.05])
    true = (p * (p / (p.sum(1, keepdim=True) * p.sum(0, keepdim=True))).log()).sum().item()
    sets = [draw(p, 100) for _ in range(1000)]
    for correct, bias in ((False, 2 * 3 / 200), (True, 0.0)):
        found = torch.tensor([mutual_information(*s, correct=correct) for s in sets])
        assert abs(found.mean().item() - true - bias) < 5 * found.std().item() / 1000**0.5 + 0.1 * 2 * 3 / 200
    exact = partial(mutual_information, correct=False)
    assert exact(*draw(p, 1_000_000)) == pytest.approx(true, abs=0.005)


def test_a_code_that_tells_the_class_has_its_entropy_and_one_that_does_not_has_none():
    labels = torch.arange(8).repeat(50)
    assert mutual_information(labels.flip(0), labels, correct=False) == pytest.approx(math.log(8))
    assert mutual_information(labels % 2, labels, correct=False) == pytest.approx(math.log(2))
    assert mutual_information(torch.zeros_like(labels), labels) == 0
    apart = mutual_information(torch.arange(10).repeat_interleave(10), torch.arange(10).repeat(10), correct=False)
    assert abs(apart) < 1e-12


def test_a_code_that_never_came_is_given_no_class():
    assert matching(torch.tensor([0, 0, 2]), torch.tensor([0, 0, 3])) == {0: 0, 2: 3}


def test_chance_is_the_mean_over_permutations():
    """All 24 permutations of four labels, two codes: 1 where the pairs fit, 1/2 elsewhere."""
    codes = labels = torch.tensor([0, 0, 1, 1])
    found = chance(matched_accuracy, codes, labels, times=500)
    assert abs(found - (1 / 3 + 2 / 3 / 2)) < 5 * 0.25 / 500**0.5
    codes, labels = torch.randint(10, (500,)), torch.randint(10, (500,))
    assert abs(chance(mutual_information, codes, labels)) < 0.15 * 81 / 1000  # five rows a cell: the next order is left
    plain = chance(partial(mutual_information, correct=False), codes, labels)
    assert plain == pytest.approx(81 / 1000, rel=0.2)


def test_with_a_code_for_each_row_majority_is_always_right_and_chance_says_so():
    codes, labels = torch.arange(40), torch.randint(4, (40,))
    majority = partial(matched_accuracy, how="majority")
    assert majority(codes, labels) == chance(majority, codes, labels) == 1
    assert matched_accuracy(codes, labels) == pytest.approx(4 / 40)


def test_bins_are_even_and_keep_the_order():
    values = torch.randn(1000)
    bins = quantile_bins(values, 8)
    assert bins.bincount().tolist() == [125] * 8
    assert all(values[bins == k].max() < values[bins == k + 1].min() for k in range(7))
    assert torch.equal(quantile_bins(values.exp(), 8), bins)


def test_what_a_sure_classifier_states_is_the_entropy_of_its_classes_and_a_blind_one_states_nothing():
    sure = torch.eye(4).double()[torch.arange(40) % 4]
    assert stated_information(sure).item() == pytest.approx(math.log(4), abs=1e-12)
    assert stated_information(sure[:1]).item() == stated_information(sure[:1].expand(9, 4)).item() == 0  # sure, of one class
    blind = torch.tensor([0.5, 0.2, 0.2, 0.1]).double().expand(40, 4)
    assert abs(stated_information(blind).item()) < 1e-12


def test_what_a_posterior_states_is_the_information_of_its_table():
    """Rows drawn evenly from the labels, each with p(code|label): (4) is (2) of the table that this makes."""
    p = torch.rand(5, 3).double()
    p = p / p.sum(1, keepdim=True)
    joint = p / 5
    true = (joint * (joint / (joint.sum(0) / 5)).log()).sum()
    assert stated_information(p.repeat(7, 1)).item() == pytest.approx(true.item(), abs=1e-12)
    torch.testing.assert_close(stated_information(p.float()), true.float())


def test_the_correction_counts_the_values_and_pairs_that_came_and_no_others():
    """Two codes that tell two classes: two pairs of four came, so (3) is -1/2n; names that never came change nothing."""
    codes = torch.arange(40) % 2
    for a, b in ((codes, codes), (3 * codes, codes), (codes, 1 + 2 * codes), (codes + 5, 4 * codes)):
        assert mutual_information(a, b) == pytest.approx(math.log(2) + 1 / 80, abs=1e-12)


def test_chance_of_one_permutation_is_the_score_of_it():
    codes, labels = torch.randint(4, (2, 60))
    with seeded(1):
        found = chance(matched_accuracy, codes, labels, times=1)
    with seeded(1):
        assert found == matched_accuracy(codes, labels[torch.randperm(60)])


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "labels", "words"),
    [
        (torch.zeros(3).long(), torch.zeros(2).long(), r"both be \[N\]"),
        (torch.zeros(0).long(), torch.zeros(0).long(), "N >= 1"),
        (torch.zeros(3), torch.zeros(3).long(), "whole numbers"),
        (torch.tensor([-1, 0]), torch.zeros(2).long(), "-1 the least"),
    ],
)
def test_bad_codes_are_told(codes, labels, words):
    for measure in (matched_accuracy, matching, mutual_information, partial(chance, matched_accuracy)):
        with pytest.raises(ValueError, match=words):
            measure(codes, labels)


def test_bad_options_are_told():
    x = torch.zeros(3).long()
    with pytest.raises(ValueError, match="'one_to_one' or 'majority', got 'best'"):
        matched_accuracy(x, x, how="best")
    with pytest.raises(ValueError, match="times must be at least 1"):
        chance(matched_accuracy, x, x, times=0)
    for values, bins in ((torch.rand(3), 2.5), (torch.rand(3), 4), (torch.rand(3), 1), (torch.rand(3, 1), 2)):
        with pytest.raises(ValueError, match="N >= bins >= 2"):
            quantile_bins(values, bins)
    with pytest.raises(ValueError, match=r"must be floats \[N\]"):
        quantile_bins(torch.arange(9), 3)
    with pytest.raises(ValueError, match="values must be finite"):
        quantile_bins(torch.tensor([0.0, math.nan, 1.0]), 2)
    for probs, words in (
        (torch.rand(4), r"\[N, K\]"),
        (torch.rand(0, 3), r"\[N, K\]"),
        (torch.ones(2, 1).long(), r"\[N, K\], a distribution in each row, got torch.int64"),
        (torch.tensor([[0.5, 0.51]]), "sum to 1; give softmax"),
        (torch.tensor([[1.5, -0.5]]), "at least 0; got -0.5"),
    ):
        with pytest.raises(ValueError, match=words):
            stated_information(probs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_bins_of_half_precision_are_those_of_the_same_numbers(dtype):
    values = torch.randn(50).to(dtype)
    assert torch.equal(quantile_bins(values, 4), quantile_bins(values.double(), 4))
