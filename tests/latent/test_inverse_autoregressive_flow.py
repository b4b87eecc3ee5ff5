"""Oracles for the flow: autograd's Jacobian, its own inverse, quadrature, and a Gaussian whose best diagonal fit is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

from genedu.core import seeded
from genedu.fit import fit
from genedu.latent import InverseAutoregressiveFlow


def flow(dim=4, *, steps=2, context=3, hidden=16) -> InverseAutoregressiveFlow:
    """Weights so large that no step is near the identity."""
    with seeded(1):
        made = InverseAutoregressiveFlow(dim, steps=steps, context=context, hidden=hidden).double()
        for weight in made.parameters():
            nn.init.normal_(weight, std=0.4)
    return made


def jacobian(f, z):
    return torch.autograd.functional.jacobian(f, z)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("hidden", [0, 16])
def test_the_log_determinant_is_that_of_autograd(steps, hidden):
    made, z, h = flow(steps=steps, hidden=hidden), torch.randn(5, 4).double(), torch.randn(5, 3).double()
    _, log_det = made(z, h)
    for i in range(5):
        known = torch.linalg.slogdet(jacobian(lambda v, i=i: made(v, h[i])[0], z[i]))
        torch.testing.assert_close(log_det[i], known.logabsdet, rtol=0, atol=1e-10)


def test_each_step_is_a_triangle_and_the_next_one_the_other_triangle():
    made, z, h = flow(steps=2), torch.randn(4).double(), torch.randn(3).double()
    lower, upper = (jacobian(lambda v, s=step: s(v, h)[0], z) for step in made.steps)
    assert (lower.triu(1) == 0).all() and (lower.tril() != 0).sum() == 10
    assert (upper.tril(-1) == 0).all() and (upper.triu() != 0).sum() == 10
    assert (jacobian(lambda v: made(v, h)[0], z) != 0).all(), "after two steps each latent depends on each"


def test_the_hidden_layer_alone_sees_all_latents_before():
    made, z, h = flow(steps=1), torch.randn(4).double(), torch.randn(3).double()
    made.steps[0].direct.weight.data.zero_()
    for part in (0, 1):  # m and s
        seen = jacobian(lambda v, k=part: made.steps[0].net(v, h)[k], z)
        assert (seen.tril(-1) != 0).sum() == 6 and (seen.triu() == 0).all()


def test_sigma_is_the_diagonal():
    made, z, h = flow(steps=1), torch.randn(4).double(), torch.randn(3).double()
    m, s = made.steps[0].net(z, h)
    torch.testing.assert_close(jacobian(lambda v: made(v, h)[0], z).diagonal(), s.sigmoid())
    torch.testing.assert_close(made(z, h)[0], s.sigmoid() * z + (1 - s.sigmoid()) * m)


@torch.no_grad()
def test_the_way_back_returns_the_noise():
    made, eps, h = flow(steps=3), torch.randn(6, 4).double(), torch.randn(6, 3).double()
    torch.testing.assert_close(made.inverse(made(eps, h)[0], h), eps, rtol=0, atol=1e-9)


@torch.no_grad()
def test_the_density_integrates_to_one():
    made, h = flow(dim=2, steps=2), torch.randn(3).double()
    grid = torch.linspace(-10, 10, 401, dtype=torch.float64)
    z = torch.cartesian_prod(grid, grid)  # [N, 2]
    eps = made.inverse(z, h.expand(len(z), 3))
    log_q = Normal(0.0, 1.0).log_prob(eps).sum(-1) - made(eps, h.expand(len(z), 3))[1]  # eq. (3)
    assert abs(log_q.exp().sum() * 0.05**2 - 1) < 1e-6


@pytest.mark.parametrize("rho", [0.5, 0.9])
@torch.no_grad()
def test_one_linear_step_closes_the_gap_of_a_diagonal_posterior(rho):
    """Target N(0, [[1, rho], [rho, 1]]). The best diagonal q has variances 1 - rho^2 and costs -1/2 log(1 - rho^2).

    By hand: z_1' = eps_1, z_2' = rho eps_1 + sqrt(1 - rho^2) eps_2, so sigma = (1, sqrt(1 - rho^2)), (1 - sigma_2) m_2 = rho z_1.
    """
    target = MultivariateNormal(torch.zeros(2).double(), torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64))
    diagonal = MultivariateNormal(torch.zeros(2).double(), (1 - rho**2) * torch.eye(2).double())
    gap = torch.distributions.kl_divergence(diagonal, target)
    torch.testing.assert_close(gap, torch.tensor(-0.5 * math.log(1 - rho**2)).double())
    made = InverseAutoregressiveFlow(2, steps=1, hidden=0).double()
    sigma = math.sqrt(1 - rho**2)
    made.steps[0].direct.weight.zero_()
    made.steps[0].direct.weight[1, 0] = rho / (1 - sigma)
    made.steps[0].bias.copy_(torch.tensor([0.0, 0.0, 50.0, math.log(sigma / (1 - sigma))], dtype=torch.float64))
    eps = torch.randn(100, 2).double()
    z, log_det = made(eps)
    log_q = Normal(0.0, 1.0).log_prob(eps).sum(-1) - log_det
    torch.testing.assert_close(log_q, target.log_prob(z), rtol=0, atol=1e-9)  # at every point: KL is 0


class ToTarget(nn.Module):
    """-E_q log p(z) + E_q log q(z) for the target with rho = 0.9: KL(q || p) in nats."""

    def __init__(self, steps):
        super().__init__()
        self.sigma = nn.Parameter(torch.zeros(2))  # its log
        self.flow = InverseAutoregressiveFlow(2, steps=1, hidden=0) if steps else None
        self.target = MultivariateNormal(torch.zeros(2), torch.tensor([[1, 0.9], [0.9, 1]]))

    def loss(self, eps):
        z = self.sigma.exp() * eps
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(-1) - self.sigma.sum()
        if self.flow is not None:
            z, log_det = self.flow(z)
            log_q = log_q - log_det
        return (log_q - self.target.log_prob(z)).mean()

    def players(self):
        from genedu.core import Player

        return [Player("q", list(self.parameters()), self.loss)]


@pytest.mark.slow
def test_training_finds_the_gap_and_closes_it():
    with seeded(2):
        eps, fresh = torch.randn(4000, 2), torch.randn(20_000, 2)
    gaps = []
    for steps in (0, 1):
        q = ToTarget(steps)
        fit(q, eps, rounds=800, batch_size=500, lr=2e-2, schedule=lambda t: 1 - t)
        with torch.no_grad():
            gaps.append(q.loss(fresh).item())
    assert abs(gaps[0] - 0.830) < 0.05 and abs(gaps[1]) < 0.01


# limits ---------------------------------------------------------------------------------------------------------------


def test_a_new_flow_only_shrinks_a_little():
    z = torch.randn(50, 3)
    out, log_det = InverseAutoregressiveFlow(3, steps=1, forget=20.0, hidden=8)(z)
    torch.testing.assert_close(out, z, rtol=0, atol=1e-5)
    torch.testing.assert_close(log_det, torch.zeros(50), rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_new_step_keeps_sigmoid_of_2_of_every_latent():
    """Weights start small: sigma is 0.88 for each latent, whatever the latents before it."""
    with seeded(1):
        _, s = InverseAutoregressiveFlow(16, steps=1).steps[0].net(torch.randn(500, 16), None)
    keep = 1 / (1 + math.exp(-2))
    torch.testing.assert_close(s.sigmoid(), torch.full((500, 16), keep), rtol=0, atol=0.03)


def test_one_latent_is_moved_by_the_context_only():
    made = flow(dim=1, steps=1)
    h = torch.randn(2, 3).double()
    m, _ = made.steps[0].net(torch.randn(2, 1).double(), h)
    again, _ = made.steps[0].net(torch.randn(2, 1).double(), h)
    torch.testing.assert_close(m, again)
    assert m[0] != m[1]


@torch.no_grad()
def test_samples_in_front_of_the_rows():
    made, z, h = flow(), torch.randn(7, 5, 4).double(), torch.randn(5, 3).double()
    out, log_det = made(z, h)
    assert out.shape == (7, 5, 4) and log_det.shape == (7, 5)
    torch.testing.assert_close(made(z[3], h)[0], out[3])


def test_far_away_nothing_overflows():
    made, eps = flow(context=0), torch.full((1, 4), 1e6).double()
    z, log_det = made(eps)
    assert z.isfinite().all() and log_det.isfinite().all()
    torch.testing.assert_close(made.inverse(z), eps, rtol=1e-9, atol=0)


# errors ---------------------------------------------------------------------------------------------------------------


def test_bad_input():
    made = flow()
    for z, h, words in [
        (torch.zeros(2, 3), torch.zeros(2, 3), r"z must be \[..., 4\]"),
        (torch.zeros(2, 4), None, r"h must be \[..., 3\], got none"),
        (torch.zeros(2, 4), torch.tensor(1.0), r"h must be \[..., 3\], got \[\]"),
        (torch.zeros(2, 4), torch.zeros(2, 5), r"h must be \[..., 3\], got \[2, 5\]"),
    ]:
        for call in (made.forward, made.inverse):
            with pytest.raises(ValueError, match=words):
                call(z.double(), h)
    with pytest.raises(ValueError, match="left out"):
        flow(context=0)(torch.zeros(1, 4).double(), torch.zeros(1, 2).double())
    for options in ({"dim": 0}, {"steps": 0}, {"context": -1}, {"hidden": -1}, {"hidden": 1.5}):
        with pytest.raises(ValueError, match=next(iter(options))):
            InverseAutoregressiveFlow(**{"dim": 2, **options})
