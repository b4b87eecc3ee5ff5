"""The fits are what EM comes to, their truth is beyond doubt, and no short cut tells collapsed from healthy components."""

import pytest
import torch

from genedu.checks.collapsed_fits import collapsed_fits, threshold_rules
from genedu.density import GaussianMixture

SEEDS = range(20)


# laws ---------------------------------------------------------------------------------------------------------------


def test_fits_come_from_the_seed():
    again = collapsed_fits.__wrapped__(0)
    for fit, other in zip(collapsed_fits(0), again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(fit, other, strict=True))
    assert not torch.equal(collapsed_fits(0)[0].mean, collapsed_fits(1)[0].mean)


@pytest.mark.parametrize("seed", SEEDS)
def test_there_are_none_one_or_two_in_two_to_four_dimensions_and_all_units(seed):
    fits = collapsed_fits(seed)
    assert sorted(int(fit.collapsed.sum()) for fit in fits) == [0] * 4 + [1] * 4 + [2] * 4
    assert {fit.x.shape[1] for fit in fits} == {2, 3, 4}
    widths = torch.stack([fit.x.std() for fit in fits])
    assert widths.min() < 0.2
    assert widths.max() > 200  # in one unit the width of the data is between 4 and 40
    for x, pi, mean, covariance, collapsed in fits:
        assert (len(pi), x.shape[1]) == mean.shape
        assert covariance.shape == (*mean.shape, mean.shape[1])
        assert collapsed.shape == pi.shape and collapsed.dtype == torch.bool
        assert len(x) < 9000
        assert abs(pi.sum() - 1) < 1e-9


def test_neither_the_place_nor_the_number_of_components_tells():
    fits = [fit for seed in SEEDS for fit in collapsed_fits(seed)]
    assert {k for fit in fits for k in fit.collapsed.nonzero().flatten().tolist()} >= {0, 1, 2, 3}
    sizes = [{len(fit.pi) for fit in fits if fit.collapsed.sum() == lost} for lost in range(3)]
    assert sizes == [{4, 5}, {5, 6}, {6, 7}]


# oracles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_collapsed_components_hold_one_or_two_rows_and_healthy_ones_many(seed):
    twos = 0
    for fit in collapsed_fits(seed):
        rows = len(fit.x) * fit.pi
        assert ((rows[fit.collapsed] - rows[fit.collapsed].round()).abs() < 0.05).all()
        assert set(rows[fit.collapsed].round().tolist()) <= {1.0, 2.0}
        assert rows[~fit.collapsed].min() > 16  # more than a Gaussian in 4 dimensions has parameters
        twos += int((rows.round() == 2).sum())
        assert fit.x.shape[1] > 2 or not (rows.round() == 2).any()  # two rows are fewer than D
    assert twos >= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_scatter_without_ridge_is_singular_just_where_a_component_has_collapsed(seed):
    """Responsibilities and scatter by another road: torch.distributions and torch.cov."""
    for x, pi, mean, covariance, collapsed in collapsed_fits(seed):
        normal = torch.distributions.MultivariateNormal(mean, covariance)
        r = (pi.log() + normal.log_prob(x[:, None])).softmax(1)  # [n, K]
        for k, gone in enumerate(collapsed):
            scatter = torch.cov(x.T, aweights=r[:, k] * (r[:, k] > 1e-6), correction=0)
            least = torch.linalg.eigvalsh(scatter)[0] / torch.linalg.eigvalsh(covariance[k])[0]
            assert least < 0.01 if gone else least > 0.5


def test_the_parameters_are_a_fixed_point_of_em():
    for x, pi, mean, covariance, _ in collapsed_fits(2):
        model = GaussianMixture(*mean.shape, ridge=0.0).double()
        model.assign(pi, mean, torch.linalg.cholesky(covariance))
        r = model.responsibilities(x)
        assert torch.allclose(r.mean(0), pi, atol=1e-3)
        assert torch.allclose((r.T @ x) / r.sum(0)[:, None], mean, atol=1e-2 * float(x.std()))


# limits -------------------------------------------------------------------------------------------------------------


def right_fits(fits, quantity, threshold):
    return sum(bool(((q <= threshold) == fit.collapsed).all()) for fit, q in zip(fits, quantity, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_number_of_rows_has_a_threshold_that_works(seed):
    fits = collapsed_fits(seed)
    best = {}
    for kind, quantities in threshold_rules(fits).items():
        for quantity in quantities:
            scores = [right_fits(fits, quantity, t) for t in torch.cat(quantity).tolist()]
            best[kind] = max(best.get(kind, 0), max(scores))
    assert best.pop("rows") == 12
    assert max(best.values()) <= 8, best  # 11 are asked for


@pytest.mark.parametrize("seed", SEEDS)
def test_in_each_fit_a_healthy_component_is_narrower_than_the_collapsed_ones(seed):
    for fit in collapsed_fits(seed):
        if fit.collapsed.any():
            volume = torch.linalg.det(fit.covariance)
            assert volume[~fit.collapsed].min() < volume[fit.collapsed].min()
