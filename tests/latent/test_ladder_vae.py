"""Oracles for the ladder: a chain of linear Gaussian layers, whose evidence and posteriors are known exactly.

z_2 ~ N(0, I), z_1 = A z_2 + b e_1, x = W z_1 + s e_2 with orthogonal columns of W. Then x is Gaussian, and p(z_1|z_2, x) is
the product of N(z_1; A z_2, b^2) and of what x says, N((W'W)^-1 W'x, s^2 (W'W)^-1): the form (3) of the ladder, without error.
"""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from genedu.core import Player, seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.latent import VAE, LadderVAE, warm_up
from genedu.latent.ladder_vae import merge

D, S, B = 6, 0.5, 0.6
A = torch.tensor([[0.9], [-0.7]], dtype=torch.float64)  # [Z_1, Z_2]: the law of z_1 has correlated latents
with seeded(5):
    W = torch.linalg.qr(torch.randn(D, 2).double())[0] * torch.tensor([2.0, 1.2], dtype=torch.float64)
    Z2 = torch.randn(3000, 1).double()
    Z1 = Z2 @ A.T + B * torch.randn(3000, 2).double()
    X = Z1 @ W.T + S * torch.randn(3000, D).double()
IMAGES = X.view(-1, 1, 2, 3)
I2 = torch.eye(2, dtype=torch.float64)
COVARIANCE = W @ (A @ A.T + B**2 * I2) @ W.T + S**2 * torch.eye(D, dtype=torch.float64)
EVIDENCE = MultivariateNormal(torch.zeros(D).double(), COVARIANCE)
GAIN = A.T @ W.T @ torch.linalg.inv(COVARIANCE)  # E[z_2|x] = GAIN x, [1, D]
TOP_VARIANCE = 1 - (GAIN @ W @ A)[0, 0]  # of z_2 given x
TOP_KL = 0.5 * ((X @ GAIN.T)[:, 0] ** 2 + TOP_VARIANCE - TOP_VARIANCE.log() - 1)  # KL(p(z_2|x) || p(z_2)), [N]


def linear(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
    return layer


def exact_ladder() -> LadderVAE:
    """All networks linear, with the weights written down."""
    gram = (W.T @ W).diagonal()
    zero = torch.zeros
    return LadderVAE(
        (2, 1),
        likelihood="gaussian",
        sigma=S,
        shape=(1, 2, 3),
        up=[nn.Flatten(), nn.Identity()],
        heads=[
            linear(torch.cat([W.T / gram[:, None], zero(2, D).double()]), torch.cat([zero(2).double(), (S / gram.sqrt()).log()])),
            linear(torch.cat([GAIN, zero(1, D).double()]), torch.stack([zero(()).double(), 0.5 * TOP_VARIANCE.log()])),
        ],
        down=[linear(torch.cat([A, 0 * A]), torch.tensor([0, 0, math.log(B), math.log(B)], dtype=torch.float64))],
        decoder=linear(W, zero(D).double()),
    ).double()


def made(latents=(3, 2), **options) -> LadderVAE:
    with seeded(6):
        ladder = LadderVAE(latents, hidden=12, **{"levels": 3, "shape": (1, 2, 2), **options}).double()
        for weight in ladder.parameters():
            nn.init.normal_(weight, std=0.4)
    return ladder


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 5])
@torch.no_grad()
def test_in_the_linear_chain_the_bound_is_the_evidence_without_noise(samples):
    torch.testing.assert_close(exact_ladder().log_prob_bound(IMAGES, samples), EVIDENCE.log_prob(X), rtol=0, atol=1e-9)


@torch.no_grad()
def test_kl_of_each_layer_is_the_known_one():
    """Top: KL(p(z_2|x) || p(z_2)). Below: its mean is that of all z minus that of the top, by the chain rule."""
    with seeded(0):
        terms = exact_ladder().elbo_terms(IMAGES)
    torch.testing.assert_close(terms.kl[:, 1], TOP_KL, rtol=0, atol=1e-9)
    behind = EVIDENCE.log_prob(X) - terms.reconstruction + terms.kl.sum(-1)  # a mean of zero, noise of one draw
    assert behind.mean().abs() < 5 * behind.std() / len(X) ** 0.5
    below = kl_divergence(*joint_posterior_and_prior()) - TOP_KL.mean()
    noise = terms.kl[:, 0].std() / len(X) ** 0.5
    assert (terms.kl[:, 0].mean() - below).abs() < 5 * noise


def joint_posterior_and_prior():
    """Of (z_1, z_2), for one x whose posterior mean is of the average size: the KL is quadratic in it."""
    cov = torch.cat([torch.cat([A @ A.T + B**2 * I2, A], 1), torch.cat([A.T, torch.ones(1, 1).double()], 1)])  # [3, 3]
    cross = cov[:, :2] @ W.T  # of z and x, [3, D]
    gain = cross @ torch.linalg.inv(COVARIANCE)
    after = cov - gain @ cross.T
    means = X @ gain.T  # [N, 3]
    size = (means @ torch.linalg.inv(cov) * means).sum(1).mean().sqrt()
    mean = torch.linalg.cholesky(cov)[:, 0] * size  # Mahalanobis length `size`
    return (MultivariateNormal(mean, (after + after.T) / 2), MultivariateNormal(torch.zeros(3).double(), cov))


@torch.no_grad()
def test_the_merged_posterior_is_bayes_rule():
    """p(z_1|z_2, x) from the joint Gaussian of z_1 and x given z_2, against (3)."""
    cov_x = B**2 * W @ W.T + S**2 * torch.eye(D, dtype=torch.float64)
    gain = B**2 * W.T @ torch.linalg.inv(cov_x)  # [2, D]
    layers = exact_ladder().infer(IMAGES[:50], 3)
    expected = layers[1].z @ A.T  # [3, 50, 2]
    mean = expected + (X[:50] - expected @ W.T) @ gain.T
    torch.testing.assert_close(layers[0].q.loc, mean, rtol=0, atol=1e-9)
    variance = (B**2 * I2 - gain @ W * B**2).diagonal()
    torch.testing.assert_close(layers[0].q.variance, variance.expand(3, 50, 2), rtol=0, atol=1e-9)


def test_merge_is_the_product_of_two_densities():
    m, s, mu, sigma = 0.7, 0.4, -1.1, 0.9
    mean, log_sigma = merge(*(torch.tensor(v, dtype=torch.float64) for v in (m, math.log(s), mu, math.log(sigma))))
    z = torch.linspace(-3, 3, 7, dtype=torch.float64)
    given = [Normal(torch.tensor(a, dtype=torch.float64), b) for a, b in ((m, s), (mu, sigma))]
    product = given[0].log_prob(z) + given[1].log_prob(z) - Normal(mean, log_sigma.exp()).log_prob(z)
    torch.testing.assert_close(product, product[:1].expand(7))
    far = merge(*(torch.tensor(v).double() for v in (1.0, -400.0, 2.0, 400.0)))
    torch.testing.assert_close(torch.stack(far), torch.tensor([1.0, -400.0]).double())  # no overflow: precisions stay logarithms


@torch.no_grad()
def test_the_lower_layer_depends_on_the_draw_above():
    """Merged with the prior's own mean at the drawn z_2, not with N(0, I)."""
    layers = exact_ladder().infer(IMAGES[:4], 2)
    torch.testing.assert_close(layers[0].p.loc, layers[1].z @ A.T)
    assert (layers[0].q.loc[0] != layers[0].q.loc[1]).all()


@torch.no_grad()
def test_samples_have_the_covariance_of_the_evidence():
    draws = exact_ladder().sample(40_000).flatten(1)
    error = ((COVARIANCE**2 + torch.outer(COVARIANCE.diagonal(), COVARIANCE.diagonal())) / 40_000).sqrt()
    assert ((draws.T.cov() - COVARIANCE).abs() < 5 * error).all()


@pytest.mark.slow
def test_training_q_finds_the_evidence_and_the_top_layers_kl():
    """p is held at the truth: were it trained, too, the layers could share the work otherwise, for a linear chain can be flat."""
    with seeded(8):
        ladder = exact_ladder().float()
        q = [w for head in ladder.heads for w in head.parameters()]
        for weight in q:
            nn.init.normal_(weight, std=0.3)
    rate = warm_up(ladder, 0.3, schedule=lambda t: 1 - t)
    player = Player("q", q, ladder.loss)
    fit(ladder, IMAGES.float(), rounds=600, batch_size=200, lr=2e-2, schedule=rate, players=[player])
    with torch.no_grad():
        terms = ladder.elbo_terms(IMAGES.float())
    behind = EVIDENCE.log_prob(X) - (terms.reconstruction - terms.kl.sum(-1))
    assert -3 * behind.std() / len(X) ** 0.5 < behind.mean() < 0.05
    assert abs(terms.kl[:, 1].mean() - TOP_KL.mean()) < 0.05


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical", "gaussian"])
@torch.no_grad()
def test_one_layer_is_the_vae(likelihood):
    ladder = made((3,), likelihood=likelihood)
    vae = VAE(
        3,
        encoder=nn.Sequential(ladder.up[0], ladder.heads[0]),
        decoder=ladder.decoder,
        likelihood=likelihood,
        levels=3,
        shape=(1, 2, 2),
    ).double()
    x = torch.randn(5, 1, 2, 2).double() if likelihood == "gaussian" else torch.randint(2, (5, 1, 2, 2))
    for call in (lambda m: m.elbo(x), lambda m: m.log_prob_bound(x, 6), lambda m: m.loss(x), lambda m: m.sample(4)):
        with seeded(1):
            ours = call(ladder)
        with seeded(1):
            known = call(vae)
        torch.testing.assert_close(ours, known)


@torch.no_grad()
def test_a_top_layer_that_nobody_listens_to_changes_nothing():
    """With down = 0 the prior of z_1 is N(0, I): KL_2 is all that a second layer costs."""
    ladder, x = made((3, 2)), torch.randint(3, (5, 1, 2, 2))
    for weight in ladder.down.parameters():
        weight.zero_()
    layers = ladder.infer(x, 4)
    torch.testing.assert_close(layers[0].p.loc, torch.zeros(4, 5, 3).double())
    torch.testing.assert_close(layers[0].p.scale, torch.ones(4, 5, 3).double())
    torch.testing.assert_close(layers[0].q.loc[0], layers[0].q.loc[3])


def test_the_gradient_goes_through_the_draws_to_every_layer():
    ladder = made((3, 2))
    ladder.elbo_terms(torch.randint(3, (5, 1, 2, 2)))[0].sum().backward()
    assert all(w.grad is not None and w.grad.abs().max() > 0 for head in ladder.heads for w in head.parameters())


def test_beta_weighs_all_kls_in_the_loss_only():
    ladder, x = made((3, 2, 2), beta=0.3), torch.randint(3, (5, 1, 2, 2))
    with seeded(1):
        loss = ladder.loss(x)
    with seeded(1):
        terms = ladder.elbo_terms(x)
    with seeded(1):
        elbo = ladder.elbo(x)
    assert terms.kl.shape == (5, 3) and (terms.kl > 0).all()
    torch.testing.assert_close(loss, 0.3 * terms.kl.sum(1).mean() - terms.reconstruction.mean())
    torch.testing.assert_close(elbo, terms.reconstruction - terms.kl.sum(1))


def test_defaults_work_on_digits():
    data = digits()
    ladder = LadderVAE()
    assert ladder.elbo(data.test[:1]).shape == (1,) and ladder.sample(2).shape == (2, 1, 8, 8)
    assert ladder.log_prob_bound(data.test[:2], 3).shape == (2,)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"likelihood": "normal"}, "likelihood must be"),
        ({"latents": ()}, "one number of at least 1 a layer"),
        ({"latents": (3, 0)}, "one number of at least 1 a layer"),
        ({"beta": -1.0}, "beta at least 0"),
        ({"beta": math.nan}, "beta at least 0"),
        ({"sigma": 0.0, "likelihood": "gaussian"}, "sigma must be above 0"),
        ({"sigma": math.nan, "likelihood": "gaussian"}, "sigma must be above 0"),
        ({"levels": 1}, "levels at least 2"),
        ({"up": [nn.Flatten()]}, "2 layers need as many networks"),
        ({"down": [nn.Identity(), nn.Identity()]}, "one less in down"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        LadderVAE(**options)


@pytest.mark.parametrize(
    ("x", "likelihood", "words"),
    [
        (torch.zeros(2, 4), "categorical", r"must be \[batch, 1, 2, 2\]"),
        (torch.zeros(0, 1, 2, 2), "categorical", "batch >= 1"),
        (torch.full((2, 1, 2, 2), 3), "categorical", "whole numbers 0 to 2"),
        (torch.full((2, 1, 2, 2), 0.5), "bernoulli", "whole numbers 0 to 1"),
        (torch.full((2, 1, 2, 2), math.nan), "gaussian", "finite"),
    ],
)
@pytest.mark.parametrize("method", ["elbo", "loss", "infer"])
def test_bad_input(x, likelihood, words, method):
    with pytest.raises(ValueError, match=words):
        getattr(made(likelihood=likelihood), method)(x)


def test_no_samples():
    with pytest.raises(ValueError, match="samples must be at least 1"):
        made().log_prob_bound(torch.zeros(1, 1, 2, 2), 0)
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
            made().sample(n)
