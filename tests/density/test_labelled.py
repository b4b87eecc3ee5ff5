"""What must hold of rows and labels before the three classifiers count them."""

import numpy as np
import pytest
import torch

from genedu.density.labelled import class_count, class_means, labels_for, scored_rows, training_rows

LIKE = torch.empty(0)
X, Y = torch.arange(12.0).view(6, 2), torch.tensor([0, 2, 1, 0, 1, 2])

# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "model", "becomes"),
    [
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float64, torch.float64),
        (torch.float32, torch.float32, torch.float32),
        (torch.float16, torch.float32, torch.float32),
        (torch.int64, torch.float32, torch.float32),
        (torch.int64, torch.float64, torch.float64),
    ],
)
def test_floating_data_raise_the_precision_and_whole_numbers_take_the_models(data, model, becomes):
    x, _, _ = training_rows(X.to(data), Y, None, LIKE.to(model))
    assert x.dtype == becomes
    assert torch.equal(x, X.to(becomes))


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8])
def test_labels_of_any_whole_kind_become_long_and_are_counted(kind):
    _, y, classes = training_rows(X, Y.to(kind), None, LIKE)
    assert y.dtype == torch.long
    assert torch.equal(y, Y)
    assert classes == 3
    assert training_rows(X, Y, 3, LIKE)[2] == 3
    assert training_rows(X, (Y > 0).to(kind), None, LIKE)[2] == 2


def test_one_label_or_a_label_a_row_is_drawn_for():
    log_prior = torch.tensor([0.2, 0.5, 0.3]).log()
    assert labels_for(log_prior, 4, 2).tolist() == [2, 2, 2, 2]
    assert labels_for(log_prior, 4, np.int64(1)).tolist() == [1, 1, 1, 1]
    assert labels_for(log_prior, 4, torch.tensor([0, 2, 1, 1])).tolist() == [0, 2, 1, 1]
    assert labels_for(log_prior, 1, None).shape == (1,)


# oracles --------------------------------------------------------------------------------------------------------------


def test_labels_come_from_the_prior():
    p, n = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64), 40_000
    hits = labels_for(p.log(), n, None).bincount(minlength=3) / n
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


def test_means_are_those_of_each_class_and_a_constant_leaves_zeros():
    y = Y.repeat(7)  # 14 rows a class: sums of 0.1 are rounded
    x = torch.cat([torch.randn(42, 2), torch.full((42, 1), 0.1), torch.tensor([0.1, 0.7, 0.3])[y][:, None]], 1)
    counts, mean, centred = class_means(x, y, 3)
    assert counts.tolist() == [14, 14, 14]
    for k in range(3):
        torch.testing.assert_close(mean[k], x[y == k].mean(0))
    torch.testing.assert_close(centred, x - mean[y])
    assert centred[:, 2:].eq(0).all()
    assert class_means(X, torch.tensor([0, 0, 0, 1, 1, 0]), 2).counts.tolist() == [4, 2]


def test_features_that_are_not_observed_are_not_looked_at():
    x = torch.tensor([[1.0, float("nan"), 3.0], [4.0, float("inf"), 6.0]])
    got = scored_rows(x, LIKE.new_empty(2, 3), torch.tensor([True, False, True]))
    assert torch.equal(got, torch.tensor([[1.0, 0.0, 3.0], [4.0, 0.0, 6.0]]))
    assert scored_rows(x.long(), LIKE.new_empty(2, 3).double(), torch.tensor([True, False, True])).dtype == torch.float64


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "classes", "words"),
    [
        (X, Y.float(), None, r"whole numbers.*float32.*y\.long\(\)"),
        (X, Y.to(torch.complex64), None, "whole numbers"),
        (X, Y[:5], None, r"y must be \[6\], one label a row.*got \[5\]"),
        (X, Y[:, None], None, r"y must be \[6\].*got \[6, 1\]"),
        (X, Y, 2, r"y must be 0\.\.1.*got 2"),
        (X, Y - 1, None, r"whole numbers from 0; got -1"),
        (X, torch.zeros(6).long(), None, "at least two classes.*got 1"),
        (X, torch.tensor([0, 2, 3, 0, 0, 5]), None, r"class 1 has none"),
        (X, torch.tensor([0, 1, 0, 0, 0, 1]), 3, r"class 2 has none"),
        (X, torch.tensor([0, 10**12, 1, 1, 0, 1]), None, r"class 2 has none"),
        (X[:0], Y[:0], None, "batch >= 1"),
        (X.view(6, 1, 1, 2), Y, None, r"use x\.flatten\(1\)"),
        (X * float("nan"), Y, None, "finite"),
        (X[:, :0], Y, None, "at least one feature"),
    ],
)
def test_bad_data_say_what_must_hold(x, y, classes, words):
    with pytest.raises(ValueError, match=words):
        training_rows(x, y, classes, LIKE)


@pytest.mark.parametrize(("x", "y"), [(X.numpy(), Y), (X, Y.numpy()), (X, Y.tolist())])
def test_what_is_no_tensor_is_named(x, y):
    with pytest.raises(TypeError, match=r"must be a tensor, got .*torch\.as_tensor"):
        training_rows(x, y, None, LIKE)


@pytest.mark.parametrize("bad", [1, 0, -3, 2.0, True, "two"])
def test_the_number_of_classes_is_checked(bad):
    with pytest.raises(ValueError, match="classes must be a whole number of at least 2, or None"):
        class_count(bad)
    assert class_count(2) == 2
    assert class_count(None) is None


@pytest.mark.parametrize(
    ("n", "y", "words"),
    [
        (0, None, "n must be at least 1, got 0"),
        (3, 2, r"y must be 0\.\.1.*got 2"),
        (3, -1, r"y must be 0\.\.1.*got -1"),
        (3, 0.5, "whole numbers"),
        (3, torch.tensor([0, 1]), r"y must be \[3\]"),
    ],
)
def test_bad_wishes_for_a_sample(n, y, words):
    with pytest.raises(ValueError, match=words):
        labels_for(torch.tensor([0.5, 0.5]).log(), n, y)


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (torch.ones(2).bool(), r"observed must be bool \[3\].*got torch.bool \[2\]"),
        (torch.ones(3), r"observed must be bool \[3\].*got torch.float32 \[3\]"),
        (torch.ones(1, 3).bool(), r"observed must be bool \[3\]"),
    ],
)
def test_bad_masks(observed, words):
    with pytest.raises(ValueError, match=words):
        scored_rows(torch.zeros(4, 3), torch.zeros(2, 3), observed)
    with pytest.raises(ValueError, match=r"use x\.flatten\(1\)"):
        scored_rows(torch.zeros(4, 1, 1, 3), torch.zeros(2, 3), torch.ones(3).bool())
    with pytest.raises(ValueError, match=r"\[batch, 3\]"):
        scored_rows(torch.zeros(4, 2), torch.zeros(2, 3), None)
    with pytest.raises(ValueError, match="finite"):
        scored_rows(torch.full((4, 3), float("nan")), torch.zeros(2, 3), torch.ones(3).bool())
    with pytest.raises(TypeError, match="must be a tensor"):
        scored_rows([[0.0, 0.0, 0.0]], torch.zeros(2, 3), None)


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(ValueError, match=r"not fitted.*\.fit\(x, y\).*load_state_dict"):
        scored_rows(torch.zeros(4, 3), torch.empty(0), None)
    with pytest.raises(ValueError, match="not fitted"):
        labels_for(torch.empty(0), 3, None)
