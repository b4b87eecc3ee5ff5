"""Oracles for the normalisation problem: quadrature, a Gaussian energy, grad log Z = E_p grad f, enumeration of an RBM."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import norm
from torch import nn

from genedu import fit
from genedu.core import Density, Player, seeded
from genedu.data import ring
from genedu.density import EnergyModel, rbm_log_normaliser
from tests.laws import check_loss_is_a_mean, check_one_number_a_row, check_sampler

F64 = torch.float64


class Gaussian(nn.Module):
    """f(x) = -|x - a|^2 / (2 sigma^2): Z is known."""

    def __init__(self, sigma=0.3):
        super().__init__()
        self.a, self.sigma = nn.Parameter(torch.tensor([0.2, -0.1], dtype=F64)), sigma

    def forward(self, x):
        return -0.5 * ((x - self.a) / self.sigma).square().sum(1, keepdim=True)


def network(seed=3, **options) -> EnergyModel:
    with seeded(seed):
        return EnergyModel(**options).double()


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


def test_it_is_a_density_with_one_number_a_row():
    model = network(steps=50)
    x = torch.rand(6, 2, dtype=F64)
    assert isinstance(model, Density)
    check_sampler(model, x)
    check_one_number_a_row(model.log_prob, x)
    check_loss_is_a_mean(model.loss, x)
    close(model.loss(x), -model.log_prob(x).mean().detach())
    samples = model.sample(500)
    assert samples.min() >= -2 and samples.max() <= 2


# oracles --------------------------------------------------------------------------------------------------------------


def test_a_gaussian_energy_has_the_gaussians_normaliser():
    """log Z = log 2 pi sigma^2, as the box of 2 holds all but 1e-9 of it; and (1) is the Gaussian's density."""
    model = EnergyModel(Gaussian(), steps=100)
    close(model.log_normaliser(), math.log(2 * math.pi * 0.09), 1e-8)
    x = torch.tensor([[0.5, 0.5], [-1.0, 0.3]], dtype=F64)
    want = norm(0.2, 0.3).logpdf(x[:, 0]) + norm(-0.1, 0.3).logpdf(x[:, 1])
    close(model.log_prob(x), want, 1e-8)


def test_the_mass_that_a_small_box_cuts_off_is_divided_out():
    """On [-0.3, 0.3]^2 the integral of exp f is the Gaussian's mass in the box."""
    model = EnergyModel(Gaussian(), low=-0.3, high=0.3, steps=400)
    mass = [norm(m, 0.3).cdf(0.3) - norm(m, 0.3).cdf(-0.3) for m in (0.2, -0.1)]
    close(model.log_normaliser(), math.log(2 * math.pi * 0.09 * mass[0] * mass[1]), 1e-5)
    outside = model.log_prob(torch.tensor([[0.31, 0.0], [0.0, -0.31]], dtype=F64))
    assert (outside == -math.inf).all()
    assert torch.isfinite(model.log_prob(torch.tensor([[0.29, -0.29]], dtype=F64))).all()


def test_it_integrates_to_one_and_the_error_falls_with_the_square_of_the_cell():
    model = network(low=-1.0, high=1.0, steps=200)
    with torch.no_grad():
        exact, _ = dblquad(lambda b, a: math.exp(model.unnormalised_log_prob(torch.tensor([[a, b]], dtype=F64))), -1, 1, -1, 1)
        errors = []
        for steps in (10, 20, 40):
            model.steps = steps
            errors.append(abs(model.log_normaliser().item() - math.log(exact)))
    assert errors[-1] < 1e-3
    for a, b in pairwise(errors):
        assert a / b == pytest.approx(4, rel=0.05)


def test_the_gradient_of_log_z_is_the_models_mean_gradient():
    """(3), to 1e-10: autograd through (2) against sum_g p(x_g) h^2 grad f(x_g)."""
    model = network(steps=40)
    parameters = list(model.parameters())
    left = torch.autograd.grad(model.log_normaliser(), parameters)
    nodes = model.nodes()
    share = (model.log_prob(nodes).exp() * model.cell**2).detach()
    close(share.sum(), 1.0)
    right = torch.autograd.grad((share * model.unnormalised_log_prob(nodes)).sum(), parameters)
    for a, b in zip(left, right, strict=True):
        close(a, b)


@pytest.mark.slow
def test_without_z_the_likelihood_grows_for_ever_and_the_mass_leaves_one():
    data = ring()
    honest, cheat = network(steps=60).float(), network(steps=60).float()
    fit.fit(honest, data.train, rounds=150, lr=5e-3, progress=False)
    no_z = Player("no Z", list(cheat.parameters()), lambda x: -cheat.unnormalised_log_prob(x).mean())
    history = fit.fit(cheat, data.train, rounds=150, lr=5e-3, players=[no_z], progress=False)
    assert history.losses["no Z"][-1] < -100, "what it calls log p is above 100 nats"
    assert cheat.log_normaliser() > 100, "for its mass is not one but above e^100"
    uniform = -2 * math.log(4)
    assert cheat.log_prob(data.test).mean() < uniform, "as a density it is worse than none"
    exact = data.log_prob(data.test).mean().item()
    assert uniform + 0.5 < honest.log_prob(data.test).mean().item() < exact


def test_samples_fall_where_the_mass_is():
    """Share of samples in the left half against the mass there, five standard errors."""
    model = network(steps=100)
    nodes = model.nodes()
    mass = (model.log_prob(nodes).exp() * model.cell**2)[nodes[:, 0] < 0].sum().item()
    x = model.sample(40_000)
    share = (x[:, 0] < 0).double().mean().item()
    assert abs(share - mass) < 5 * math.sqrt(mass * (1 - mass) / 40_000)
    within = (x[:, 0] - model.low) / model.cell % 1
    assert abs(within.mean() - 0.5) < 5 / math.sqrt(12 * 40_000) and within.max() > 0.99 and within.min() < 0.01


def test_an_rbm_is_summed_as_by_hand():
    """All states of both layers: 2^5 2^4 terms of exp(b'v + c'h + v'W h)."""
    with seeded(1):
        w, b, c = torch.randn(5, 4, dtype=F64), torch.randn(5, dtype=F64), torch.randn(4, dtype=F64)
    v = torch.cartesian_prod(*[torch.arange(2).double()] * 5)
    h = torch.cartesian_prod(*[torch.arange(2).double()] * 4)
    terms = (v @ b)[:, None] + (h @ c)[None] + v @ w @ h.T
    close(rbm_log_normaliser(w, b, c), terms.flatten().logsumexp(0))
    close(rbm_log_normaliser(torch.zeros(10, 10), torch.zeros(10), torch.zeros(10)), 20 * math.log(2), 1e-5)


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_dimension_and_a_constant_energy():
    flat = nn.Linear(1, 1)
    nn.init.zeros_(flat.weight)
    model = EnergyModel(flat, dim=1, low=0.0, high=5.0, steps=7)
    close(model.log_prob(torch.tensor([[0.1], [4.9]])), [-math.log(5)] * 2, 1e-6)
    assert model.nodes().shape == (7, 1) and model.nodes()[0].item() == pytest.approx(5 / 14)
    assert model.sample(3).shape == (3, 1)


def test_the_largest_and_the_smallest_grid():
    assert EnergyModel(steps=2048).steps ** 2 == 2**22
    close(EnergyModel(steps=1).log_prob(torch.zeros(1, 2)), [-math.log(16)], 1e-6)  # one cell: uniform at its middle
    assert rbm_log_normaliser(torch.zeros(20, 0), torch.zeros(20), torch.zeros(0)).item() == pytest.approx(20 * math.log(2))


def test_a_constant_added_to_f_changes_nothing():
    model = network(steps=30)
    x = torch.rand(5, 2, dtype=F64)
    before = model.log_prob(x).detach()
    with torch.no_grad():
        model.net[-1].bias += 1000
    close(model.log_prob(x), before, 1e-9)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"low": 1.0, "high": 1.0}, "low < high, both finite, got 1.0 and 1.0"),
        ({"high": math.inf}, "both finite"),
        ({"low": -math.inf}, "both finite"),
        ({"dim": 0}, "at least 1"),
        ({"steps": 0}, "at least 1"),
        ({"steps": 1.5}, "whole numbers of at least 1, got 2 and 1.5"),
        ({"dim": 2000}, r"200\^2000 = .*e\+4602 evaluations of the network"),
        ({"dim": 64}, r"200\^64 = .*e\+147 evaluations of the network, more than 4194304: that is the normalisation problem"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        EnergyModel(**options)


def test_bad_rows():
    model = EnergyModel(steps=10)
    with pytest.raises(ValueError, match=r"\[batch, 2\]"):
        model.log_prob(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="n must be at least 1"):
        model.sample(0)
    with pytest.raises(ValueError, match=r"x must lie in the box \[-2, 2\]\^2.*got 2.5"):
        model.loss(torch.tensor([[0.0, 2.5]]))
    assert torch.isfinite(model.loss(torch.tensor([[-2.0, 2.0]])))
    for net, got in ((nn.Linear(2, 2), r"\[3, 2\]"), (nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), r"\[3\]")):
        with pytest.raises(ValueError, match=rf"net must return \[batch, 1\] = \[3, 1\], got {got}"):
            EnergyModel(net, steps=10).unnormalised_log_prob(torch.zeros(3, 2))


def test_an_energy_may_be_fixed():
    class Flat(nn.Module):
        def forward(self, x):
            return torch.full_like(x[:, :1], 7.0)

    close(EnergyModel(Flat(), steps=10).log_prob(torch.zeros(1, 2)), torch.tensor([-math.log(16.0)]), 1e-5)


def test_rows_may_be_of_another_precision():
    model = EnergyModel(steps=10)
    x = torch.tensor([[0, 1], [-1, 2]])
    for other in (x, x.double()):
        close(model.log_prob(other), model.log_prob(x.float()), 0)


def test_bad_rbm():
    with pytest.raises(ValueError, match=r"\[V, H\], \[V\] and \[H\]"):
        rbm_log_normaliser(torch.zeros(3, 2), torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="take 1 to 20 visible units"):
        rbm_log_normaliser(torch.zeros(0, 1), torch.zeros(0), torch.zeros(1))
    with pytest.raises(ValueError, match=r"2\^21 terms"):
        rbm_log_normaliser(torch.zeros(21, 1), torch.zeros(21), torch.zeros(1))
    assert rbm_log_normaliser(torch.zeros(2, 0), torch.zeros(2), torch.zeros(0)).item() == pytest.approx(2 * math.log(2))
