"""Stripes: what the border at the middle errs, and that parts and seeds are independent."""

import math

import pytest
import torch

from genedu.data import stripes

# laws -----------------------------------------------------------------------------------------------------------------


def test_rows_and_labels_come_in_three_parts_and_again_under_the_seed():
    data, again, other = stripes(), stripes(), stripes(seed=1)
    assert data.train.shape == (1000, 2) and data.test_labels.shape == (1000,) and data.validation.shape == (500, 2)
    assert data.train_labels.dtype == torch.long and data.train.dtype == torch.float32
    assert torch.equal(data.train, again.train) and not torch.equal(data.train, other.train)
    assert not torch.equal(data.train, data.test)


def test_in_every_part_a_row_has_the_label_of_its_stripe():
    data = stripes(3, gap=1.0, sigma=0.01, sizes=(40, 30, 20))
    for part in ("train", "validation", "test"):
        assert torch.equal((getattr(data, part)[:, 0] + 1).round().long(), getattr(data, f"{part}_labels"))


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_the_middle_lines_err_as_often_as_the_formula_says(classes):
    n = 200_000
    data = stripes(classes, gap=1.0, sigma=0.4, sizes=(1, 1, n))
    nearest = (data.test[:, 0] + (classes - 1) / 2).round().clamp(0, classes - 1).long()
    wrong = (nearest != data.test_labels).double().mean()
    p = data.least_error
    assert abs(wrong - p) < 5 * math.sqrt(p * (1 - p) / n)
    assert p == pytest.approx((2 - 2 / classes) * torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(-1.25)).item())


def test_each_stripe_is_as_wide_and_as_long_as_it_should_be():
    n = 100_000
    data = stripes(3, gap=2.0, sigma=0.3, length=5.0, sizes=(n, 1, 1))
    for k in range(3):
        x = data.train[data.train_labels == k]
        assert abs(len(x) / n - 1 / 3) < 5 * math.sqrt(2 / 9 / n)
        error = 1 / math.sqrt(len(x))
        assert (x.mean(0) - torch.tensor([2.0 * (k - 1), 0.0])).abs().le(5 * error * torch.tensor([0.3, 5 / math.sqrt(12)])).all()
        assert abs(x[:, 0].std() - 0.3) < 5 * 0.3 * error and abs(x[:, 1].std() - 5 / math.sqrt(12)) < 5 * 1.5 * error
        assert x[:, 1].abs().max() <= 2.5


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_stripe_cannot_be_mistaken():
    assert stripes(1).least_error == 0 and (stripes(1).train_labels == 0).all()


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": 0}, "classes must be at least 1"),
        ({"gap": 0.0}, "positive and finite"),
        ({"sigma": math.inf}, "positive and finite"),
        ({"length": -1.0}, "positive and finite"),
        ({"sizes": (1, 2)}, "three numbers of rows"),
        ({"sizes": (1, 2, 0)}, "three numbers of rows"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        stripes(**options)
