"""Oracles for classes: two bits by hand, the factorisation, and the fixed weights that it is not."""

import math

import pytest
import torch

from genedu.core import seeded
from genedu.nn.class_mixture import each_class, labels_of, next_step, prior_of

F64 = torch.float64
ORDER = torch.tensor([2, 0, 1])
with seeded(7):
    TABLE = torch.rand(4, 3, 3, dtype=F64) + 0.1  # p(x_i = 1 | y) up to a factor; pixels independent given y
    LOG_P = (TABLE / TABLE.sum(-1, keepdim=True)).log()  # [K, D, L]
    PRIOR = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)


def everything():
    return torch.cartesian_prod(*[torch.arange(3)] * 3)  # [27, 3]


def test_next_step_factors_the_marginal():
    """Pixels independent given y: the product of (2) over places is sum_y p(y) prod_i p(x_i | y), for all 27 events."""
    x = everything()
    log_p = LOG_P[:, None].expand(4, 27, 3, 3)
    step = next_step(log_p, x, PRIOR.log(), ORDER)  # [27, 3, 3]
    torch.testing.assert_close(step.exp().sum(-1), torch.ones(27, 3, dtype=F64))
    joint = step.gather(-1, x[..., None]).flatten(1).sum(1)
    by_class = log_p.gather(-1, x.expand(4, 27, 3)[..., None]).flatten(2).sum(2)
    torch.testing.assert_close(joint, (PRIOR.log()[:, None] + by_class).logsumexp(0))


def test_the_first_place_knows_only_the_prior():
    step = next_step(LOG_P[:, None].expand(4, 27, 3, 3), everything(), PRIOR.log(), ORDER)
    torch.testing.assert_close(step[:, 2].exp(), (PRIOR @ LOG_P[:, 2].exp()).expand(27, 3))
    assert step[:, 0].std(0).max() > 0.01, "the second place has learned of y from the first"


def test_it_keeps_the_shape_of_images():
    x = torch.zeros(5, 1, 3, 1, dtype=torch.long)
    log_p = torch.randn(4, 5, 1, 3, 1, 3, dtype=F64).log_softmax(-1)
    flat = next_step(log_p.view(4, 5, 3, 3), x.view(5, 3), PRIOR.log(), ORDER)
    assert torch.equal(next_step(log_p, x, PRIOR.log(), ORDER).view(5, 3, 3), flat)


def test_each_row_with_each_class():
    x, y = each_class(torch.tensor([[5], [6]]), 3)
    assert x.flatten().tolist() == [5, 6] * 3 and y.tolist() == [0, 0, 1, 1, 2, 2]


def test_priors():
    assert prior_of(None, None).tolist() == [0.0]
    torch.testing.assert_close(prior_of(None, 4), torch.full((4,), -math.log(4)))
    torch.testing.assert_close(prior_of(PRIOR, 4), PRIOR.log())


@pytest.mark.parametrize(
    ("prior", "classes", "words"),
    [
        (None, 0, "whole number of at least 1, or None, got 0"),
        (None, 2.0, "whole number"),
        (torch.ones(2) / 2, 3, r"\[3\] numbers above 0 with sum 1, got \[0.5, 0.5\]"),
        (torch.ones(2), 2, "sum 1"),
        (torch.tensor([0.0, 1.0]), 2, "above 0"),
        (torch.ones(2) / 2, None, r"prior must be \[1\]"),
    ],
)
def test_bad_priors(prior, classes, words):
    with pytest.raises(ValueError, match=words):
        prior_of(prior, classes)


@pytest.mark.parametrize(
    ("y", "classes", "words"),
    [
        (torch.zeros(2, dtype=torch.long), None, "y must be left out, the model has no classes"),
        (torch.zeros(3, dtype=torch.long), 2, r"y must be \[2\] whole numbers"),
        (torch.zeros(2), 2, "long"),
        (torch.tensor([0, 2]), 2, "y must be classes 0 to 1; got 2"),
        (torch.tensor([0, -1]), 2, "got -1"),
    ],
)
def test_bad_labels(y, classes, words):
    with pytest.raises(ValueError, match=words):
        labels_of(y, 2, classes)
    assert labels_of(torch.tensor([0, 1]), 2, 2).tolist() == [0, 1]
