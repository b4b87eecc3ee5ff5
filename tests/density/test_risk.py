"""The risk of a classifier and its empirical mean, on a joint table of four x and three y where all sums are known.

x is one of four points, given as a one-hot row, so that softmax logits `weight[y, x]` can be any p(y|x).

    R(h) = sum p(x, y) l(h(x), y),  R_n(h) = 1/n sum_i l(h(x_i), y_i)
"""

import math

import torch

from genedu.core import seeded
from genedu.density import LogisticRegression

F64 = torch.float64
JOINT = torch.tensor([[0.10, 0.05, 0.05], [0.02, 0.20, 0.08], [0.15, 0.05, 0.10], [0.04, 0.06, 0.10]], dtype=F64)  # [X, Y]
ONE_HOT = torch.eye(4, dtype=F64)
CELLS_X, CELLS_Y = ONE_HOT.repeat_interleave(3, 0), torch.arange(3).repeat(4)  # the 12 cells of the table


def classifier(logits) -> LogisticRegression:
    """The softmax classifier with these logits [X, Y]."""
    model = LogisticRegression(dim=4, classes=3).double()
    with torch.no_grad():
        model.weight.copy_(logits.T)
    return model


def draw(n):
    cell = torch.multinomial(JOINT.view(-1), n, replacement=True)
    return CELLS_X[cell], CELLS_Y[cell]


@torch.no_grad()
def cell_losses(model):
    """The log loss of each cell, [12], by the model's own loss."""
    return torch.stack([model.loss((CELLS_X[i : i + 1], CELLS_Y[i : i + 1])) for i in range(12)])


def exact_risk(model):
    return JOINT.view(-1) @ cell_losses(model)


with seeded(6):
    SOME = classifier(torch.randn(4, 3, dtype=F64))

# oracles --------------------------------------------------------------------------------------------------------------


def test_the_table_is_a_distribution():
    torch.testing.assert_close(JOINT.sum(), torch.tensor(1.0, dtype=F64))


def test_the_mean_over_a_sample_is_the_risk_within_four_standard_errors():
    n, losses = 20_000, cell_losses(SOME)
    sigma = (JOINT.view(-1) @ losses**2 - exact_risk(SOME) ** 2).sqrt()
    with torch.no_grad():
        assert (SOME.loss(draw(n)) - exact_risk(SOME)).abs() < 4 * sigma / math.sqrt(n)
    assert 0.1 < sigma < 2


def test_its_error_falls_like_one_over_the_root_of_n():
    """The root of the mean squared error over 400 samples is sigma / sqrt(n), itself known to 1 / sqrt(800)."""
    losses = cell_losses(SOME)
    sigma = (JOINT.view(-1) @ losses**2 - exact_risk(SOME) ** 2).sqrt()
    for n in (25, 100, 1600):
        with torch.no_grad():
            errors = torch.stack([SOME.loss(draw(n)) - exact_risk(SOME) for _ in range(400)])
        assert abs(errors.square().mean().sqrt() * math.sqrt(n) / sigma - 1) < 5 / math.sqrt(800)


def test_the_mean_over_the_minibatches_of_a_partition_is_the_loss():
    x, y = draw(120)
    order = torch.randperm(120)
    with torch.no_grad():
        parts = [SOME.loss((x[rows], y[rows])) for rows in order.split(24)]
        torch.testing.assert_close(torch.stack(parts).mean(), SOME.loss((x, y)), rtol=0, atol=1e-12)


def test_the_excess_log_loss_is_the_mean_kl_and_vanishes_at_the_truth():
    conditional = JOINT / JOINT.sum(1, keepdim=True)
    entropy = -(JOINT * conditional.log()).sum()  # H(y|x)
    with torch.no_grad():
        q = SOME.predict_proba(ONE_HOT)
    kl = (conditional * (conditional / q).log()).sum(1)  # [X]
    torch.testing.assert_close(exact_risk(SOME) - entropy, JOINT.sum(1) @ kl, rtol=0, atol=1e-12)
    assert JOINT.sum(1) @ kl > 0.05
    torch.testing.assert_close(exact_risk(classifier(conditional.log())), entropy, rtol=0, atol=1e-12)


# limits ---------------------------------------------------------------------------------------------------------------


def test_many_rows_fit_the_true_conditional():
    x, y = draw(50_000)
    fitted = LogisticRegression(l2=1e-6).fit(x, y)
    conditional = JOINT / JOINT.sum(1, keepdim=True)
    error = (conditional * (1 - conditional) / (50_000 * JOINT.sum(1, keepdim=True))).sqrt()
    assert ((fitted.predict_proba(ONE_HOT) - conditional).abs() < 5 * error).all()


def test_the_empirical_risk_of_the_fitted_rule_is_biased_low():
    """It lies below its own risk by (number of free numbers) / n in the mean: 4 tables of 2 free probabilities each.

    Each half of it, the optimism in sample and the excess out of sample, is 8 / (2n) to first order (Wilks, Akaike)."""
    n, gaps = 400, []
    for _ in range(100):
        x, y = draw(n)
        fitted = LogisticRegression(l2=1e-6).fit(x, y)
        with torch.no_grad():
            gaps.append(exact_risk(fitted) - fitted.loss((x, y)))
    gap = torch.stack(gaps)
    error = gap.std() / math.sqrt(len(gap))
    assert gap.mean() > 2 * error
    assert abs(gap.mean() - 8 / n) < 5 * error
