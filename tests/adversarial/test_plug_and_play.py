"""PlugAndPlay: on Gaussian codes the chain is a linear recursion, whose resting mean and covariance are known."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from genedu.adversarial import PlugAndPlay
from genedu.core import seeded

Z, SIGMA, NOISE = 2, 0.7, 0.8  # codes; noise of the denoiser; width of the classifier's bump
EYE = torch.eye(Z, dtype=torch.float64)
with seeded(21):
    PRIOR = torch.tensor([[1.0, 0.5], [0.5, 0.6]], dtype=torch.float64)  # covariance of the codes
    MEAN, MAP, OFF = (torch.randn(*shape, dtype=torch.float64) for shape in ((Z,), (3, Z), (3,)))
    SEEN = torch.randn(3, dtype=torch.float64)  # where class 0 is most likely
SHRINK = SIGMA**2 * torch.linalg.inv(PRIOR + SIGMA**2 * EYE)  # [Z, Z], R(h) - h = -SHRINK (h - MEAN)
CURVE = MAP.T @ MAP / NOISE**2  # [Z, Z], -log p(0 | G(h)) is quadratic in h with this second derivative


def bump(x):
    """Two classes with log p(0|x) = -0.1 - |x - SEEN|^2 / (2 NOISE^2): logits [N, 2], all of a row shifted alike."""
    q = 0.1 + (x - SEEN).square().sum(1) / (2 * NOISE**2)
    return torch.stack([-q, torch.log(-torch.expm1(-q))], 1) + x.sum(1, keepdim=True)


def gaussian(**eps) -> PlugAndPlay:
    decode = nn.Linear(Z, 3)
    decode.load_state_dict({"weight": MAP, "bias": OFF})
    return PlugAndPlay(decode, lambda h: h - (h - MEAN) @ SHRINK, bump, latent=Z, classes=2, **eps).double()


def recursion(eps1, eps2):
    """F [Z, Z] and c [Z] of eq. (4)."""
    pull = eps1 * SHRINK @ MEAN + eps2 * MAP.T @ (SEEN - OFF) / NOISE**2
    return EYE - eps1 * SHRINK - eps2 * CURVE, pull


def at_rest(eps1, eps2, eps3):
    """Mean [Z] and covariance [Z, Z], from eq. (4) written for the four numbers of V."""
    F, c = recursion(eps1, eps2)
    assert torch.linalg.eigvals(F).abs().max() < 1
    square = torch.eye(Z * Z, dtype=torch.float64) - torch.kron(F, F)
    V = torch.linalg.solve(square, eps3**2 * EYE.flatten()).view(Z, Z)
    torch.testing.assert_close(V, F @ V @ F.T + eps3**2 * EYE)
    return torch.linalg.solve(EYE - F, c), V


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_denoiser_of_this_test_is_the_best_one():
    """R of eq. (2): among linear maps of a noisy code none comes nearer to the code, which SHRINK's own formula does not say."""
    with seeded(1):
        h = MultivariateNormal(MEAN, PRIOR).sample((100_000,))
        noisy = h + SIGMA * torch.randn_like(h)
    ones = torch.cat([noisy, torch.ones(len(h), 1)], 1)
    found = torch.linalg.lstsq(ones, h).solution  # [Z + 1, Z]
    torch.testing.assert_close(found[:Z], EYE - SHRINK, rtol=0, atol=0.02)
    torch.testing.assert_close(found[Z], SHRINK @ MEAN, rtol=0, atol=0.02)


def test_a_step_without_noise_is_the_linear_map():
    model = gaussian(eps1=0.3, eps2=0.05, eps3=0.0)
    h = torch.randn(50, Z, dtype=torch.float64)
    F, c = recursion(0.3, 0.05)
    torch.testing.assert_close(model.step(h, 0), h @ F.T + c)
    q = 0.1 + (h @ MAP.T + OFF - SEEN).square().sum(1) / (2 * NOISE**2)
    torch.testing.assert_close(model.log_class(h, 0), -q)
    torch.testing.assert_close(model.log_class(h, 1).exp() + (-q).exp(), torch.ones_like(q))


@pytest.mark.parametrize("eps", [(0.4, 0.1, 0.5), (1.0, 0.02, 0.3), (0.5, 0.0, 0.6)])
def test_chains_come_to_rest_at_the_mean_and_covariance_of_the_recursion(eps):
    mean, V = at_rest(*eps)
    n = 20_000
    with seeded(2):
        h = gaussian(eps1=eps[0], eps2=eps[1], eps3=eps[2]).chain(n, 0, steps=60)[-1]
    error = (V.diagonal() / n).sqrt()
    assert ((h.mean(0) - mean).abs() < 5 * error).all()
    spread = ((V.diagonal()[:, None] * V.diagonal() + V**2) / n).sqrt()  # of a covariance of Gaussians
    assert ((h.T.cov() - V).abs() < 5 * spread).all()
    assert (V - PRIOR).abs().max() > 10 * spread.max(), "the prior itself would not pass"


def test_small_langevin_steps_rest_at_the_smoothed_prior_times_the_class():
    """Eq. (3): at e -> 0 the covariance is the inverse of the sum of the precisions, with an error that halves with e."""
    precision = torch.linalg.inv(PRIOR + SIGMA**2 * EYE)
    V = torch.linalg.inv(precision + CURVE)
    mean = V @ (precision @ MEAN + MAP.T @ (SEEN - OFF) / NOISE**2)
    off = []
    for e in (0.02, 0.01):
        m, rest = at_rest(e / (2 * SIGMA**2), e / 2, math.sqrt(e))
        torch.testing.assert_close(m, mean)
        off.append((rest - V).abs().max() / V.abs().max())
    assert off[0] < 0.05 and 0.45 < off[1] / off[0] < 0.55
    with seeded(3):
        e = 0.02
        h = gaussian(eps1=e / (2 * SIGMA**2), eps2=e / 2, eps3=math.sqrt(e)).chain(4000, 0, steps=400)[-1]
    assert ((h.mean(0) - mean).abs() < 5 * (V.diagonal() / 4000).sqrt()).all()
    assert (
        (h.T.cov() - V).abs() < 5 * ((V.diagonal()[:, None] * V.diagonal() + V**2) / 4000).sqrt() + 0.05 * V.abs().max()
    ).all()


def test_another_class_goes_another_way_and_each_row_goes_its_own():
    model = gaussian(eps1=0.0, eps2=0.05, eps3=0.0)
    h = torch.randn(6, Z, dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1, 1, 0])
    both = model.step(h, y)
    gained = model.log_class(both, y) - model.log_class(h, y)
    assert (gained[y == 0] > 0.1).all() and (gained[y == 1] >= 0).all() and gained[y == 1].max() > 0
    for k in range(2):
        torch.testing.assert_close(both[y == k], model.step(h[y == k], k))


def test_a_sample_is_the_image_of_the_last_code():
    model = gaussian(eps1=0.3, eps2=0.1, eps3=0.2)
    with seeded(4):
        codes = model.chain(5, 0, steps=7)
    assert codes.shape == (8, 5, Z) and not codes.requires_grad
    with seeded(4):
        x = model.sample(5, 0, steps=7)
    torch.testing.assert_close(x, codes[-1] @ MAP.T + OFF)
    assert not x.requires_grad and all(w.grad is None for w in model.parameters())
    with seeded(4):
        torch.testing.assert_close(codes[0], torch.randn(5, Z, dtype=torch.float64))


def test_classes_are_drawn_evenly_where_none_is_asked_for():
    seen = []
    model = PlugAndPlay(nn.Identity(), nn.Identity(), nn.Linear(2, 4), latent=2, classes=4)
    step = model.step
    model.step = lambda h, y: seen.append(y) or step(h, y)
    model.sample(8000, steps=2)
    assert torch.equal(seen[0], seen[1]), "a chain keeps its class"
    share = seen[0].bincount(minlength=4) / 8000
    assert ((share - 0.25).abs() < 5 * math.sqrt(3 / 16 / 8000)).all()


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_a_class_term_codes_rest_where_the_prior_alone_puts_them():
    """eps2 = 0: along an axis on which R shrinks by b, the variance is eps3^2 / (1 - (1 - eps1 b)^2), whatever y."""
    mean, V = at_rest(0.5, 0.0, 0.6)
    b, axes = torch.linalg.eigh(SHRINK)
    torch.testing.assert_close(axes.T @ V @ axes, torch.diag(0.36 / (1 - (1 - 0.5 * b) ** 2)))
    torch.testing.assert_close(mean, MEAN)
    model = gaussian(eps1=0.5, eps2=0.0, eps3=0.6)
    h = torch.randn(4, Z, dtype=torch.float64)
    with seeded(5):
        one = model.step(h, 0)
    with seeded(5):
        assert torch.equal(one, model.step(h, 1))


def test_eps1_of_one_and_nothing_else_is_the_denoiser():
    model = gaussian(eps1=1.0, eps2=0.0, eps3=0.0)
    h = torch.randn(4, Z, dtype=torch.float64)
    torch.testing.assert_close(model.step(h, 0), model.denoiser(h))


def test_no_steps_leave_the_first_codes_and_parts_are_modules_where_they_are():
    model = PlugAndPlay(nn.Linear(8, 3), nn.Identity(), partial(torch.softmax, dim=1), classes=3)
    assert model.chain(4, 1, steps=0).shape == (1, 4, 8)
    assert model.sample(4, 1, steps=0).shape == (4, 3)
    assert {name for name, _ in model.named_parameters()} == {"generator.weight", "generator.bias"}


def test_with_one_class_the_classifier_has_no_say_and_one_number_is_a_code():
    model = PlugAndPlay(nn.Identity(), lambda h: h / 2, nn.Linear(1, 1), latent=1, classes=1, eps1=1.0, eps2=5.0, eps3=0.0)
    h = torch.randn(6, 1)
    torch.testing.assert_close(model.step(h, 0), h / 2)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent": 0}, "latent and classes must be at least 1"),
        ({"classes": 0}, "latent and classes must be at least 1"),
        ({"eps1": -0.1}, "eps1, eps2 and eps3 must be at least 0 and finite"),
        ({"eps2": math.inf}, "eps1, eps2 and eps3 must be at least 0 and finite"),
        ({"eps3": math.nan}, "eps1, eps2 and eps3 must be at least 0 and finite"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        PlugAndPlay(nn.Identity(), nn.Identity(), nn.Identity(), **options)


@pytest.mark.parametrize(
    ("h", "y", "words"),
    [
        (torch.zeros(3, 1), 0, r"h must be \[batch, 2\] with batch >= 1, got \[3, 1\]"),
        (torch.zeros(0, 2), 0, "batch >= 1"),
        (torch.zeros(3, 2), 2, r"y must be classes 0 to 1; got 2"),
        (torch.zeros(3, 2), -1, r"y must be classes 0 to 1; got -1"),
        (torch.zeros(3, 2), torch.tensor([0, 1]), r"y must be \[3\] whole numbers \(long\), a class for each row"),
        (torch.zeros(3, 2), torch.zeros(3), r"a class for each row; got torch.float32 \[3\]"),
    ],
)
def test_bad_codes_and_classes_say_what_must_hold(h, y, words):
    with pytest.raises(ValueError, match=words):
        gaussian().step(h.double(), y)


def test_parts_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"classifier must return .* = \[2, 10\], got \[2, 3\]"):
        PlugAndPlay(nn.Identity(), nn.Identity(), nn.Linear(8, 3)).sample(2)
    with pytest.raises(ValueError, match=r"denoiser must return codes \[2, 8\], got \[2, 7\]"):
        PlugAndPlay(nn.Identity(), nn.Linear(8, 7), nn.Linear(8, 10)).sample(2)
    for classifier in (nn.Identity(), nn.Linear(2, 2)):  # without and with a gradient of its own
        with pytest.raises(ValueError, match=r"has no gradient: .* torch.no_grad"):
            PlugAndPlay(torch.no_grad()(lambda h: h + 0), nn.Identity(), classifier, latent=2, classes=2).sample(2)
    with pytest.raises(ValueError, match="steps must be at least 0"):
        gaussian().chain(2, 0, steps=-1)
