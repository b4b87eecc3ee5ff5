"""Oracles for the toys: scipy's densities and quadratures, entropies known in closed form, scikit-learn's moons."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.integrate import quad, simpson
from scipy.special import logsumexp
from scipy.stats import chisquare, multivariate_normal, norm
from sklearn.datasets import make_moons

from genedu.core import Density, seeded
from genedu.data import grid, moons, ring, two_gaussians
from tests.laws import check_one_number_a_row, check_sampler

SMALL = (40, 20, 10)
TOYS = {
    "ring": lambda **options: ring(5, sigma=0.3, **options),
    "grid": lambda **options: grid(3, spacing=1.0, sigma=0.3, **options),
    "moons": lambda **options: moons(sigma=0.3, **options),
    "two_gaussians": lambda **options: two_gaussians(3.0, sigma=0.4, **options),
}
every_toy = pytest.mark.parametrize("make", TOYS.values(), ids=TOYS)
POINTS = {name: TOYS[name] for name in TOYS if name != "moons"}
every_mixture = pytest.mark.parametrize("make", POINTS.values(), ids=POINTS)
LAYOUT = {  # the same centres, worked out by hand
    "ring": [(math.sin(t), math.cos(t)) for t in np.pi / 2 - 0.4 * np.pi * np.arange(5)],
    "grid": [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)],
    "two_gaussians": [(-0.6, 0), (0.6, 0)],
}


def box(low, high, step):
    """A lattice of points, and the area of its cell."""
    axes = [torch.arange(a, b, step, dtype=torch.float64) for a, b in zip(low, high, strict=True)]
    return torch.cartesian_prod(*axes), step**2


def by_simpson(x, sigma, angles=601):
    """log p(x) of the moons in numpy: the two half circles of scikit-learn's formula, integrated by Simpson's rule."""
    t = np.linspace(0, np.pi, angles)
    total = 0
    for a, b in [(np.cos(t), np.sin(t)), (1 - np.cos(t), 0.5 - np.sin(t))]:
        square = (x[:, :1] - a) ** 2 + (x[:, 1:] - b) ** 2
        total = total + 0.5 * simpson(np.exp(-square / (2 * sigma**2)) / (2 * np.pi * sigma**2) / np.pi, x=t)
    return np.log(total)


# laws -----------------------------------------------------------------------------------------------------------------


@every_toy
def test_a_toy_is_a_density_and_its_data_are_float_rows_with_long_labels(make):
    toy = make(sizes=SMALL)
    assert isinstance(toy, Density)
    check_sampler(toy, toy.train)
    check_one_number_a_row(toy.log_prob, toy.test)
    for x, y, n in zip(
        (toy.train, toy.validation, toy.test), (toy.train_labels, toy.validation_labels, toy.test_labels), SMALL, strict=True
    ):
        assert x.shape == (n, 2) and x.dtype == torch.float32
        assert y.shape == (n,) and y.dtype == torch.long
        torch.testing.assert_close(toy.posterior(x).sum(-1), torch.ones(n))


@every_toy
def test_one_seed_one_data_set_and_global_randomness_is_left_alone(make):
    before = torch.get_rng_state()
    toy = make(sizes=SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    again, other, longer = make(sizes=SMALL), make(sizes=SMALL, seed=1), make(sizes=(40, 20, 30))
    for part in ("train", "validation", "test", "train_labels", "validation_labels", "test_labels"):
        assert torch.equal(getattr(toy, part), getattr(again, part))
        assert part == "test" or part == "test_labels" or torch.equal(getattr(toy, part), getattr(longer, part))
    assert not torch.equal(toy.train, other.train)
    rows = torch.cat([toy.train, toy.validation, toy.test, other.train, other.validation, other.test])
    assert len(rows.unique(dim=0)) == 2 * sum(SMALL)  # no row comes twice: neither between parts nor between seeds


@every_toy
def test_defaults_are_2000_500_500(make):
    toy = make()
    assert [len(x) for x in (toy.train, toy.validation, toy.test)] == [2000, 500, 500]
    assert [len(y) for y in (toy.train_labels, toy.validation_labels, toy.test_labels)] == [2000, 500, 500]


@every_toy
def test_a_score_has_the_type_and_the_device_of_its_rows(make):
    toy = make(sizes=SMALL)
    for dtype in (torch.float32, torch.float64):
        x = toy.test.to(dtype)
        assert toy.log_prob(x).dtype == toy.posterior(x).dtype == dtype
    torch.testing.assert_close(toy.log_prob(toy.test), toy.log_prob(toy.test.double()).float(), rtol=1e-5, atol=1e-5)
    far = toy.test.to("meta")
    assert toy.log_prob(far).shape == (10,) and toy.posterior(far).device.type == "meta"


def test_scikit_learn_is_not_loaded_before_it_is_needed():
    code = "import sys, genedu.data; sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POINTS)
def test_log_prob_and_posterior_are_scipys_eq_1_and_2(name):
    toy = TOYS[name](sizes=SMALL)
    np.testing.assert_allclose(toy.modes, LAYOUT[name], atol=1e-6)
    x = np.concatenate([toy.test.double(), 3 * np.random.default_rng(0).normal(size=(20, 2))])
    joint = np.stack([multivariate_normal(c, toy.sigma**2).logpdf(x) for c in LAYOUT[name]], -1) - np.log(len(LAYOUT[name]))
    np.testing.assert_allclose(toy.log_prob(torch.from_numpy(x)), logsumexp(joint, -1), rtol=1e-12, atol=1e-12)
    posterior = np.exp(joint - logsumexp(joint, -1, keepdims=True))
    np.testing.assert_allclose(toy.posterior(torch.from_numpy(x)), posterior, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5, 3.0])
def test_the_density_of_the_moons_is_scipys_adaptive_quadrature(sigma):
    points = [
        (1, 0),
        (0, 1),
        (0.03, 0.99),
        (-1.02, -0.03),
        (0.5, 0.25),
        (1.9, 0.4),
        (0.98, -0.51),
        (0, 0),
        (1, 0.5),
        (-2, 2),
        (3, -1.5),
    ]
    toy = moons(sigma=sigma, sizes=SMALL)
    upper, lower = (
        lambda t: (math.cos(t), math.sin(t)),
        lambda t: (1 - math.cos(t), 0.5 - math.sin(t)),
    )
    for x, y in points:
        log_joint = []
        for arc in (upper, lower):

            def square(t, x=x, y=y, arc=arc):
                return ((x - arc(t)[0]) ** 2 + (y - arc(t)[1]) ** 2) / (2 * sigma**2)

            nearest = min(np.linspace(0, np.pi, 20001), key=square)
            top = square(nearest)  # taken out of the integral, which else underflows
            steps = np.concatenate([-(10.0 ** np.arange(1, -7, -1)), [0.0], 10.0 ** np.arange(-6, 2)])
            cuts = [nearest + step for step in steps if 0 < nearest + step < np.pi]
            area = sum(
                quad(lambda t, top=top, square=square: math.exp(top - square(t)), a, b, epsabs=1e-15, epsrel=1e-12)[0]
                for a, b in zip([0, *cuts], [*cuts, np.pi], strict=True)
            )
            log_joint.append(math.log(area / np.pi) - top - math.log(2 * np.pi * sigma**2) - math.log(2))
        at = torch.tensor([[x, y]], dtype=torch.float64)
        np.testing.assert_allclose(toy.log_prob(at).item(), logsumexp(log_joint), rtol=1e-11, atol=1e-9)
        np.testing.assert_allclose(toy.posterior(at)[0, 1].item(), math.exp(log_joint[1] - logsumexp(log_joint)), rtol=1e-8)


@every_toy
def test_the_density_integrates_to_one(make):
    toy = make(sizes=SMALL)
    x, cell = box((-4, -4), (5, 4), 0.1)
    torch.testing.assert_close(toy.log_prob(x).exp().sum() * cell, torch.tensor(1.0).double(), rtol=0, atol=1e-9)


@every_mixture
def test_entropy_is_that_of_a_fine_grid_eq_3(make):
    """The whole plane at once, in numpy, with another step and scipy's density."""
    toy = make(sizes=SMALL)
    x, cell = box((-5, -5), (5, 5), 0.0473)
    parts = [multivariate_normal(c, toy.sigma**2).logpdf(x.numpy()) for c in toy.modes.double().numpy()]
    log_p = logsumexp(parts, 0) - np.log(len(parts))
    assert toy.entropy == pytest.approx(-(np.exp(log_p) * log_p).sum() * cell, abs=1e-7)


def test_entropy_of_the_moons_is_that_of_a_fine_grid():
    x, cell = box((-3.5, -3.2), (4.5, 3.8), 0.0873)
    log_p = by_simpson(x.numpy(), 0.3)
    assert moons(sigma=0.3, sizes=SMALL).entropy == pytest.approx(-(np.exp(log_p) * log_p).sum() * cell, abs=1e-7)


@pytest.mark.parametrize("distance", [0.0, 0.5, 2.0, 5.0, 6.5, 8.0, 20.0])
@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_entropy_of_two_gaussians_is_an_integral_over_the_line(distance, sigma):
    """The axes are independent: one is a Gaussian, the other two of them."""

    def integrand(t):
        p = 0.5 * norm.pdf(t, -distance / 2) + 0.5 * norm.pdf(t, distance / 2)
        return -p * math.log(p)

    line = 2 * quad(integrand, 0, distance / 2 + 12, points=[distance / 2], epsabs=1e-12)[0] + math.log(sigma)
    known = line + 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    assert two_gaussians(distance, sigma=sigma, sizes=SMALL).entropy == pytest.approx(known, abs=1e-8)


def test_far_modes_add_their_logarithm_to_the_entropy():
    """log K + log(2 pi e sigma^2): at these defaults the nearest modes are 38 and 40 sigma apart."""
    for toy, n_modes in [(ring(sizes=SMALL), 8), (grid(sizes=SMALL), 25), (ring(3, sizes=SMALL), 3)]:
        known = math.log(n_modes) + math.log(2 * math.pi * math.e * toy.sigma**2)
        assert toy.entropy == pytest.approx(known, abs=1e-9)
        assert toy.entropy is toy.entropy  # computed once


@pytest.mark.parametrize("make", [*TOYS.values(), ring, grid, moons, two_gaussians])
def test_samples_agree_with_log_prob(make):
    toy = make(sizes=SMALL)
    score = -toy.log_prob(toy.sample(100_000).double())
    assert abs(score.mean().item() - toy.entropy) < 5 * score.std().item() / math.sqrt(1e5)
    assert score.std() > 0.1


def test_samples_of_the_moons_have_the_moments_of_the_arcs():
    """On an arc E sin = 2/pi, E cos = 0, E sin^2 = E cos^2 = 1/2."""
    n, sigma = 100_000, 0.1
    toy = moons(sigma=sigma, sizes=(n, 1, 1))
    for k, mean in [(0, (0, 2 / math.pi)), (1, (1, 0.5 - 2 / math.pi))]:
        x = toy.train[toy.train_labels == k].double()
        variance = torch.tensor([0.5, 0.5 - 4 / math.pi**2]).double() + sigma**2
        assert ((x.mean(0) - torch.tensor(mean)).abs() < 5 * (variance / len(x)).sqrt()).all()
        error = (((x - x.mean(0)) ** 2).var(0) / len(x)).sqrt()
        assert ((x.var(0) - variance).abs() < 5 * error).all()


def test_scikit_learns_moons_cost_the_entropy():
    """Its angles are evenly spaced, not drawn, so the mean is only closer."""
    x, y = make_moons(40_000, noise=0.1, random_state=0)
    toy = moons(sizes=SMALL)
    score = -toy.log_prob(torch.from_numpy(x))
    assert abs(score.mean().item() - toy.entropy) < 5 * score.std().item() / math.sqrt(4e4)
    error = toy.posterior(torch.from_numpy(x))[:, 1] - torch.from_numpy(y)
    assert error.mean().abs() < 5 * error.std() / math.sqrt(4e4)
    assert (error.abs() < 0.5).double().mean() > 0.99  # the labels are not swapped


@every_toy
def test_labels_come_as_often_as_the_posterior_says(make):
    """E[(1[y = k] - p(k|x)) g(x)] = 0 for any g: a constant, a coordinate, the component's own posterior."""
    toy = make(sizes=(40_000, 1, 1), seed=3)
    posterior = toy.posterior(toy.train.double())
    off = torch.nn.functional.one_hot(toy.train_labels, posterior.shape[1]) - posterior  # [N, K]
    for g in (torch.ones(len(off), 1), toy.train[:, :1], toy.train[:, 1:], posterior):
        moment = off * g  # [N, K]
        assert (moment.mean(0).abs() < 5 * moment.std(0) / math.sqrt(len(off))).all()
    assert (off.abs() > 0.3).any()


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_the_bayes_error_is_that_of_the_mahalanobis_distance_eq_4(distance, sigma):
    toy = two_gaussians(distance, sigma=sigma, sizes=SMALL)
    half = distance * sigma / 2

    def error(t):
        posterior = toy.posterior(torch.tensor([[t, 0.7]], dtype=torch.float64))[0]
        return posterior.min().item() * (norm.pdf(t, -half, sigma) + norm.pdf(t, half, sigma))  # both halves of the line

    assert quad(error, 0, half + 10 * sigma, epsabs=1e-10)[0] == pytest.approx(norm.cdf(-distance / 2), abs=1e-8)
    one, other = toy.modes.double()
    assert (other - one).norm().item() / toy.sigma == pytest.approx(distance, rel=1e-6)
    assert one[0] < 0 < other[0] and one[1] == other[1] == 0


@pytest.mark.parametrize("modes", [1, 2, 3, 8, 13])
def test_the_modes_of_a_ring_are_distinct_evenly_spaced_and_equally_likely(modes):
    toy = ring(modes, radius=2.0, sizes=(8000, 1, 1))
    assert toy.modes.shape == (modes, 2) and toy.modes.dtype == torch.float32
    torch.testing.assert_close(toy.modes.norm(dim=-1), torch.full((modes,), 2.0))
    gap = (toy.modes - toy.modes.roll(1, 0)).norm(dim=-1)
    torch.testing.assert_close(gap, torch.full((modes,), 4 * math.sin(math.pi / modes)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(toy.modes[0], torch.tensor([2.0, 0.0]))
    nearest = torch.cdist(toy.train, toy.modes).argmin(-1)
    assert torch.equal(nearest, toy.train_labels)  # the ring is thin
    assert chisquare(nearest.bincount(minlength=modes)).pvalue > 1e-5 or modes == 1


def test_the_grid_of_the_papers():
    toy = grid(sizes=(5000, 1, 1))
    assert sorted(toy.modes.tolist()) == [[a, b] for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)]
    nearest = torch.cdist(toy.train, toy.modes).argmin(-1)
    assert torch.equal(nearest, toy.train_labels) and chisquare(nearest.bincount(minlength=25)).pvalue > 1e-5
    assert grid(2, spacing=3.0, sizes=SMALL).modes.tolist() == [[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]]
    assert toy.sigma == 0.05


def test_defaults_are_those_of_the_design():
    assert [make(sizes=SMALL).sigma for make in (ring, grid, moons, two_gaussians)] == [0.02, 0.05, 0.1, 1.0]
    assert two_gaussians(sizes=SMALL).modes.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    torch.testing.assert_close(ring(sizes=SMALL).modes.norm(dim=-1), torch.ones(8))


@every_mixture
def test_the_gradient_of_log_prob_pulls_to_the_modes(make):
    """The score of a mixture: sum_k p(k|x) (c_k - x) / sigma^2."""
    toy = make(sizes=SMALL)
    x = toy.test.double().requires_grad_()
    toy.log_prob(x).sum().backward()
    pull = (toy.posterior(x)[:, :, None] * (toy.modes - x[:, None]) / toy.sigma**2).sum(1)
    torch.testing.assert_close(x.grad, pull.detach(), rtol=1e-5, atol=1e-5)  # modes are float32


@pytest.mark.parametrize("sigma", [0.03, 0.1, 1.0])
def test_the_gradient_of_the_moons_is_that_of_differences(sigma):
    toy, step = moons(sigma=sigma, sizes=SMALL), 1e-5 * sigma
    x = torch.tensor([[0.9, 0.3], [0.5, 0.25], [0.0, 0.0], [1.0, 0.0], [1.0, 0.5], [-1.3, -0.4], [0.0, 1.2]], dtype=torch.float64)
    x.requires_grad_()
    toy.log_prob(x).sum().backward()
    for k, way in enumerate(torch.eye(2, dtype=torch.float64)):
        slope = (toy.log_prob(x + step * way) - toy.log_prob(x - step * way)) / (2 * step)
        torch.testing.assert_close(x.grad[:, k], slope.detach(), rtol=1e-6, atol=1e-5 / sigma)


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_mode_is_one_gaussian():
    x = torch.randn(20, 2, dtype=torch.float64)
    for toy, centre in [(ring(1, radius=0.5, sigma=0.7, sizes=SMALL), (0.5, 0)), (grid(1, sigma=0.7, sizes=SMALL), (0, 0))]:
        np.testing.assert_allclose(toy.log_prob(x), multivariate_normal(centre, 0.49).logpdf(x.numpy()), rtol=1e-12)
        assert toy.posterior(x).tolist() == [[1.0]] * 20
        assert toy.entropy == pytest.approx(math.log(2 * math.pi * math.e * 0.49), abs=1e-9)


def test_a_ring_of_two_is_two_gaussians():
    x = torch.randn(20, 2, dtype=torch.float64)
    pair, circle = two_gaussians(3.0, sigma=0.4, sizes=SMALL), ring(2, radius=0.6, sigma=0.4, sizes=SMALL)
    torch.testing.assert_close(pair.log_prob(x), circle.log_prob(x))
    torch.testing.assert_close(pair.posterior(x), circle.posterior(x).flip(1))
    assert pair.entropy == pytest.approx(circle.entropy, abs=1e-9)


def test_at_distance_zero_the_labels_cannot_be_told():
    toy = two_gaussians(0.0, sizes=SMALL)
    torch.testing.assert_close(toy.posterior(toy.test), torch.full((10, 2), 0.5))
    assert toy.entropy == pytest.approx(math.log(2 * math.pi * math.e), abs=1e-9)


@pytest.mark.parametrize("distance", [1.9, 2.1])
def test_two_means_are_two_modes_only_beyond_distance_two(distance):
    toy = two_gaussians(distance, sizes=SMALL)
    near = torch.tensor([[0.0, 0.0], [0.05, 0.0]], dtype=torch.float64)
    assert (toy.log_prob(near).diff().item() > 0) == (distance > 2)


def test_thin_moons_are_their_arcs():
    """Far from its ends an arc is a line of mass 1/2 on length pi, blurred across: p = N(0; 0, sigma^2) / (2 pi)."""
    toy = moons(sigma=0.003, sizes=SMALL)
    t = torch.linspace(0.5, 2.6, 400, dtype=torch.float64)  # more rows than are scored at once
    known = -math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * 0.003**2)
    for x in (torch.stack([t.cos(), t.sin()], -1), torch.stack([1 - t.cos(), 0.5 - t.sin()], -1)):
        torch.testing.assert_close(toy.log_prob(x), torch.full_like(t, known), rtol=0, atol=1e-5)
    assert toy.modes is None


def test_many_rows_are_scored_as_few_are():
    toy = moons(sigma=0.01, sizes=SMALL)
    with seeded(0):
        x = toy.sample(1500).double()
    torch.testing.assert_close(toy.log_prob(x), torch.cat([toy.log_prob(part) for part in x.split(700)]), rtol=0, atol=1e-12)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ring(0), "modes must be a whole number of at least 1, got 0"),
        (lambda: ring(2.5), "modes must be a whole number"),
        (lambda: ring(radius=0.0), "radius must be positive and finite, got 0.0"),
        (lambda: grid(0), "side must be a whole number of at least 1"),
        (lambda: grid(spacing=-1.0), "spacing must be positive"),
        (lambda: two_gaussians(-1.0), "distance must be finite and at least 0, got -1.0"),
        (lambda: two_gaussians(math.inf), "distance must be finite"),
        (lambda: two_gaussians(math.nan), "distance must be finite"),
        *[
            (lambda make=make, sigma=sigma: make(sigma=sigma), "sigma must be positive and finite")
            for make in (ring, grid, moons, two_gaussians)
            for sigma in (0.0, -0.1, math.nan, math.inf)
        ],
        (lambda: moons(sizes=(10, 10)), "sizes must be three numbers of rows"),
        (lambda: moons(sizes=10), "sizes must be three numbers of rows"),
        (lambda: moons(sizes=(10, 0, 10)), "each of sizes must be a whole number of at least 1, got 0"),
        (lambda: moons(sizes=(10, 10, 1.5)), "each of sizes must be a whole number"),
        (lambda: moons(sizes=SMALL).sample(0), "n must be a whole number of at least 1, got 0"),
        (lambda: moons(sizes=SMALL).log_prob(torch.zeros(3)), r"x must be \[batch, 2\].*got \[3\]"),
        (lambda: moons(sizes=SMALL).posterior(torch.zeros(3, 3)), r"x must be \[batch, 2\].*got \[3, 3\]"),
        (lambda: moons(sizes=SMALL).log_prob(torch.tensor([[0.0, math.nan]])), "x must be finite; got nan"),
        (
            lambda: ring(sizes=SMALL).posterior(torch.zeros(3, 2).long()),
            r"x must be real numbers, got torch.int64: use x.float\(\)",
        ),
    ],
)
def test_nonsense_says_what_must_hold(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_least_that_is_allowed():
    toy = ring(np.int64(1), sizes=[1, 1, 1])
    assert toy.sample(1).shape == (1, 2) and toy.log_prob(toy.test).isfinite().all()
