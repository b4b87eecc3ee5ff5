"""EM: it climbs a stated objective, each step is the exact maximum of a bound that touches, and scikit-learn agrees."""

import math
import warnings
from itertools import pairwise

import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference

from genedu.core import seeded
from genedu.density import GaussianMixture, em

F64 = torch.float64
KINDS = pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
TARGET = torch.tensor([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]], dtype=F64)
with seeded(7):
    X = torch.cat(
        [torch.randn(n, 3, dtype=F64) @ torch.randn(3, 3, dtype=F64) + 3 * torch.randn(3, dtype=F64) for n in (90, 60, 30)]
    )


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def started(covariance: str, components: int = 3, **options) -> GaussianMixture:
    """Three different components among the rows, in double precision."""
    model = GaussianMixture(components, 3, covariance=covariance, **options).double()
    model.fit_em(X, 0, init=X[:: 180 // components][:components], progress=False)
    return model


def state(model: GaussianMixture) -> tuple:
    return tuple(t.detach() for t in (model.weights, model.mean, model.covariances()))


# laws -----------------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("options", [{"ridge": 0.0}, {"ridge": 0.05}, {"ridge": 0.01, "shrinkage": 0.1, "target": TARGET}])
def test_it_never_falls(covariance, options):
    """With no penalty it is the log-likelihood that rises; with one it is J, and the likelihood need not."""
    model = started(covariance, components=5, **options)
    history = model.fit_em(X, 60, 0.0, "current", progress=False)
    losses = history.losses["em"]
    assert len(losses) == len(history.watched["log_likelihood"]) >= 10
    assert all(b <= a + 1e-12 for a, b in pairwise(losses))
    assert losses[-1] < losses[0] - 0.01
    assert losses[-1] == pytest.approx(model.loss(X).item(), abs=1e-10)
    assert history.watched["log_likelihood"][-1] == pytest.approx(model.log_prob(X).mean().item(), abs=1e-10)
    if options["ridge"] == 0:
        assert losses == [-v for v in history.watched["log_likelihood"]]


@KINDS
def test_it_stops_at_the_first_step_that_gains_less_than_tol(covariance):
    model = started(covariance, components=5)
    gains = [a - b for a, b in pairwise(model.fit_em(X, 500, 1e-3, "current", progress=False).losses["em"])]
    assert len(gains) > 3 and gains[-1] < 1e-3 and min(gains[:-1]) >= 1e-3
    gains = [a - b for a, b in pairwise(started(covariance, components=5).fit_em(X, 500, init="current").losses["em"])]
    assert gains[-1] < 1e-4 and min(gains[:-1]) >= 1e-4, "the default"
    assert len(started(covariance, components=5).fit_em(X, 3, 0.0, "current", progress=False).losses["em"]) == 4


def test_the_bar_is_shown_when_asked_for(capfd, monkeypatch):
    for environment, progress, shown in (("0", None, False), ("1", None, True), ("1", False, False), ("0", True, True)):
        monkeypatch.setenv("GENEDU_PROGRESS", environment)
        started("diag").fit_em(X, 2, 0.0, "current", progress=progress)
        assert ("loss=" in capfd.readouterr().err) == shown


@KINDS
def test_one_seed_one_result(covariance):
    runs = [GaussianMixture(4, 3, covariance=covariance) for _ in range(3)]
    for model, seed in zip(runs, (3, 3, 4), strict=True):
        model.fit_em(X, 2, seed=seed, progress=False)
    assert torch.equal(runs[0].mean, runs[1].mean) and not torch.equal(runs[0].mean, runs[2].mean)


def test_a_far_origin_does_not_matter():
    """(5) cancels far from the origin, where the rows are not: they are centred first."""
    near, far = started("full"), GaussianMixture(3, 3).double()
    shift = torch.tensor([1e6, -2e6, 3e6], dtype=F64)
    near.fit_em(X, 10, 0.0, X[:3], progress=False)
    far.fit_em(X + shift, 10, 0.0, X[:3] + shift, progress=False)
    close(far.mean - shift, near.mean.detach(), 1e-6)
    close(far.covariances(), near.covariances().detach(), 1e-6)


# oracles --------------------------------------------------------------------------------------------------------------


@KINDS
def test_the_quadratic_features_give_the_log_density(covariance):
    model = started(covariance)
    pi, mean, _ = state(model)
    weights = em.coefficients(pi, mean, model.root().detach(), covariance)
    close((weights @ em.features(X.T, covariance)).T, model.log_joint(X).detach())
    sums, log_likelihood = em.expect(X.T, weights, covariance)
    close(log_likelihood, model.log_prob(X).mean().detach())
    r = model.responsibilities(X).detach()
    close(sums, r.T @ em.features(X.T, covariance).T / len(X))


def test_a_row_far_from_all_components_does_not_underflow():
    """exp(-5e7) is 0 in any precision; the log of the sum is not, and one component still takes the row."""
    model = started("full")
    far = torch.cat([X[:5], torch.full((1, 3), 1e4, dtype=F64)])
    weights = em.coefficients(*state(model)[:2], model.root().detach(), "full")
    sums, log_likelihood = em.expect(far.T, weights, "full")
    torch.testing.assert_close(log_likelihood, model.log_prob(far).mean().detach(), rtol=1e-9, atol=0)
    close(sums[:, -1].sum(), 1.0, 1e-9)  # every row is shared out in full


def test_blocks_are_only_a_matter_of_memory(monkeypatch):
    model = started("full")
    weights = em.coefficients(*state(model)[:2], model.root().detach(), "full")
    whole = em.expect(X.T, weights, "full")
    monkeypatch.setattr(em, "BLOCK", 7)
    for a, b in zip(em.expect(X.T, weights, "full"), whole, strict=True):
        close(a, b, 1e-12)


@KINDS
def test_steps_are_scikit_learns(covariance):
    """The same start, 1, 2 and 20 steps: the same parameters. (No ridge: theirs is added elsewhere.)"""
    for steps in (1, 2, 20):
        model = started(covariance, ridge=0.0)
        pi, mean, sigma = (t.numpy() for t in state(model))
        precision = {"full": torch.linalg.inv(torch.tensor(sigma)).numpy(), "diag": 1 / sigma.diagonal(axis1=1, axis2=2)}
        reference = Reference(
            3,
            covariance_type=covariance,
            tol=0,
            max_iter=steps,
            reg_covar=0,
            weights_init=pi,
            means_init=mean,
            precisions_init=precision.get(covariance, 1 / sigma[:, 0, 0]),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: as wanted
            reference.fit(X.numpy())
        model.fit_em(X, steps, 0.0, "current", progress=False)
        close(model.mean, reference.means_, 1e-8)
        close(model.weights, reference.weights_, 1e-8)
        close(model.log_prob(X), reference.score_samples(X.numpy()), 1e-6)


@KINDS
def test_one_component_is_done_in_one_step(covariance):
    """Mean, and covariance (or its diagonal, or the mean of that) plus the ridge."""
    model = GaussianMixture(1, 3, covariance=covariance, ridge=0.1).double()
    model.fit_em(X, 1, init="current", progress=False)
    sigma = torch.cov(X.T, correction=0)
    kind = {"full": sigma, "diag": sigma.diag().diag(), "spherical": sigma.diag().mean() * torch.eye(3, dtype=F64)}[covariance]
    close(model.mean[0], X.mean(0))
    close(model.covariances()[0], kind + 0.1 * torch.eye(3, dtype=F64))
    history = model.fit_em(X, 10, 1e-9, "current", progress=False)
    assert len(history.losses["em"]) == 2, "nothing left to gain"


def bound(model: GaussianMixture, r: torch.Tensor) -> torch.Tensor:
    """(4), mean over rows, less the penalty: what an EM step climbs, as a function of r and the parameters."""
    return (r * (model.log_joint(X) - r.clamp_min(1e-300).log())).sum(1).mean() - (model.loss(X) + model.log_prob(X).mean())


@KINDS
def test_the_bound_touches_after_the_e_step_and_only_there(covariance):
    model = started(covariance, ridge=0.02)
    r = model.responsibilities(X).detach()
    close(bound(model, r), -model.loss(X).detach())
    with seeded(1):
        other = (r.clamp_min(1e-6).log() + 0.3 * torch.randn_like(r)).softmax(1)
    assert bound(model, other) < bound(model, r) - 1e-3


@KINDS
def test_the_m_step_is_the_maximum_of_the_bound(covariance):
    """At the new parameters the bound's gradient is zero, and any step away lowers it; with ridge and shrinkage on."""
    model = started(covariance, ridge=0.02, shrinkage=0.3, target=TARGET)
    r = model.responsibilities(X).detach()
    before = bound(model, r).item()
    model.fit_em(X, 1, 0.0, "current", progress=False)
    top = bound(model, r)
    assert top.item() > before
    for slope in torch.autograd.grad(top, list(model.parameters())):
        close(slope, torch.zeros_like(slope))
    with torch.no_grad():
        for parameter in model.parameters():
            old = parameter.clone()
            parameter += 0.1 * torch.randn_like(parameter)
            assert bound(model, r) < top
            parameter.copy_(old)


@KINDS
def test_at_the_end_of_em_the_gradient_of_the_loss_is_zero(covariance):
    """Both trainers have one objective, penalty included."""
    model = started(covariance, ridge=0.02, shrinkage=0.1, target=TARGET)
    model.fit_em(X, 3000, 0.0, "current", progress=False)
    for slope in torch.autograd.grad(model.loss(X), list(model.parameters())):
        close(slope, torch.zeros_like(slope), 1e-6)


@KINDS
def test_a_symmetric_start_stays_symmetric(covariance):
    model = GaussianMixture(3, 3, covariance=covariance).double()
    torch.nn.init.ones_(model.mean)
    model.fit_em(X, 20, 0.0, "current", progress=False)
    close(model.responsibilities(X), torch.full((180, 3), 1 / 3, dtype=F64), 1e-12)
    close(model.mean, X.mean(0).expand(3, 3))


def test_the_start_gives_each_row_to_its_nearest_mean():
    means = torch.stack([X[0], X[100], X[170]])
    for covariance in ("full", "diag", "spherical"):
        model = GaussianMixture(3, 3, covariance=covariance, ridge=0.0).double()
        model.fit_em(X, 0, init=means, progress=False)
        nearest = torch.cdist(X, means).argmin(1)
        close(model.weights, torch.bincount(nearest).double() / 180)
        close(model.mean, torch.stack([X[nearest == k].mean(0) for k in range(3)]))
        scatter = torch.stack([torch.cov(X[nearest == k].T, correction=0) for k in range(3)])
        close(model.covariances().diagonal(dim1=1, dim2=2).sum(1), scatter.diagonal(dim1=1, dim2=2).sum(1))


def test_kmeans_plus_plus_draws_by_squared_distance():
    """Rows at 0, 1 and 3: after 0 the next is 1 with probability 1/10 and 3 with 9/10; after 1 (0: 1/5), after 3 (0: 9/13)."""
    x = torch.tensor([[0.0], [1.0], [3.0]])
    with seeded(2):
        draws = torch.stack([em.kmeans_plus_plus(x, 2).flatten() for _ in range(4000)])
    for first, second, p in ((0, 3, 0.9), (1, 0, 0.2), (3, 0, 9 / 13)):
        seen = draws[draws[:, 0] == first]
        assert abs(len(seen) / 4000 - 1 / 3) < 5 * math.sqrt(2 / 9 / 4000)
        share = (seen[:, 1] == second).double().mean().item()
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / len(seen))
    with seeded(3):
        assert sorted(em.kmeans_plus_plus(x, 3).flatten().tolist()) == [0, 1, 3]  # none twice
        assert em.kmeans_plus_plus(torch.ones(4, 1), 3).shape == (3, 1)  # not enough different rows: it goes on


# limits ---------------------------------------------------------------------------------------------------------------


def test_shrinkage_pulls_every_covariance_to_the_target():
    model = started("full", shrinkage=1e6, target=TARGET)
    model.fit_em(X, 5, init="current", progress=False)
    close(model.covariances(), TARGET.expand(3, 3, 3), 1e-3)


def test_the_ridge_stops_a_collapse_that_plain_likelihood_does_not():
    """A component on a single far row. Without a ridge: an error, the model as before. With one: no variance below it."""
    x = torch.cat([X, torch.full((1, 3), 100.0, dtype=F64)])
    means = torch.stack([X.mean(0), x[-1]])
    plain = GaussianMixture(2, 3, ridge=0.0).double()
    before = {k: v.clone() for k, v in plain.state_dict().items()}
    with pytest.raises(FloatingPointError, match=r"component 1 has collapsed: with the share 0\.0055 of the rows"):
        plain.fit_em(x, 5, init=means, progress=False)
    assert all(torch.equal(v, before[k]) for k, v in plain.state_dict().items())
    for covariance in ("full", "diag", "spherical"):
        model = GaussianMixture(2, 3, covariance=covariance, ridge=1e-3).double()
        model.fit_em(x, 20, init=means, progress=False)
        least = torch.linalg.eigvalsh(model.covariances()[1]).min().item()
        assert least == pytest.approx(1e-3 * 181, rel=1e-6)  # e / pi
        with pytest.raises(FloatingPointError, match="collapsed"):
            GaussianMixture(2, 3, covariance=covariance, ridge=0.0).double().fit_em(x, 5, init=means, progress=False)


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_a_collapse_is_told_however_the_rounding_falls(covariance):
    """A component on one row: what is left of its variance is rounding, of either sign. 50 data sets, at three scales."""
    for seed in range(50):
        with seeded(seed):
            x = 10.0 ** (seed % 3 * 3 - 3) * torch.cat([torch.randn(1, 2), torch.randn(99, 2) + 40]).double()
        model = GaussianMixture(2, 2, covariance=covariance, ridge=0.0).double()
        with pytest.raises(FloatingPointError, match="component 0 has collapsed"):
            model.fit_em(x, 10, init=torch.stack([x[0], x[1:].mean(0)]), progress=False)


def test_a_narrow_component_far_away_has_not_collapsed():
    """Its variance is 1e-8 of its squared distance from the others: far above the rounding."""
    with seeded(1):
        x = torch.cat([torch.randn(50, 2), 1e4 + torch.randn(50, 2)]).double()
    model = GaussianMixture(2, 2, ridge=0.0).double()
    model.fit_em(x, 5, init=x[[0, -1]], progress=False)
    for k, rows in enumerate((x[:50], x[50:])):
        close(model.covariances()[k], torch.cov(rows.T, correction=0), 1e-6)


def test_an_empty_component_stays_finite():
    """Two equal first means: the second gets no row."""
    model = GaussianMixture(2, 3, ridge=1e-3).double()
    history = model.fit_em(X, 3, init=X[:1].repeat(2, 1), progress=False)
    assert all(math.isfinite(v) for v in history.losses["em"])
    assert torch.isfinite(model.log_prob(X)).all() and model.weights[1] < 1e-9


def test_single_precision_models_are_fitted_in_double():
    half, whole = GaussianMixture(3, 3), GaussianMixture(3, 3).double()
    for model in (half, whole):
        model.fit_em(X.to(model.mean.dtype), 5, init=X[:3], progress=False)
    close(half.mean.double(), whole.mean.detach(), 1e-4)
    assert half.log_prob(X).dtype == torch.float32


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"init": "random"}, "init must be 'kmeans\\+\\+', 'current' or a tensor of means, got 'random'"),
        ({"init": torch.zeros(2, 3)}, r"init must be means \[4, 3\], got \[2, 3\]"),
        ({"init": torch.full((4, 3), math.nan)}, "init must be means.*all must be finite"),
        ({"init": torch.full((4, 3), math.inf)}, "init must be means.*all must be finite"),
        ({"max_iter": -1}, "max_iter must be a whole number"),
        ({"max_iter": 1.5}, "max_iter must be a whole number"),
        ({"tol": -1.0}, "both at least 0"),
        ({"tol": math.nan}, "both at least 0"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        GaussianMixture(4, 3).fit_em(X.float(), **options)


def test_fewer_rows_than_components():
    with pytest.raises(ValueError, match="at least a row for each of the 4 components, got 3 rows"):
        GaussianMixture(4, 3).fit_em(X[:3].float())
    GaussianMixture(4, 3).fit_em(X[:3].float(), 2, init="current", progress=False)
    GaussianMixture(4, 3).fit_em(X[:4].float(), 2, progress=False)
