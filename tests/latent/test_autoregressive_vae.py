"""Oracles for the autoregressive VAE: quadrature of one latent, VAE and PixelCNN as its limits, a known source."""

import math
from itertools import product

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from genedu.autoregressive import PixelCNN
from genedu.core import seeded
from genedu.data import coin_chain, digits
from genedu.fit import fit
from genedu.latent import VAE, AutoregressiveVAE, warm_up

BITS = torch.tensor(list(product((0, 1), repeat=4))).view(16, 1, 2, 2)


def model(latent=2, window=1, flow_steps=0, **options) -> AutoregressiveVAE:
    """Double precision, weights so large that z and the window both matter."""
    with seeded(3):
        sizes = {"levels": 2, "shape": (1, 2, 2), "hidden": 8, "layers": 2, "width": 16, **options}
        made = AutoregressiveVAE(latent, window, flow_steps, **sizes).double()
        for weight in made.parameters():
            nn.init.normal_(weight, std=0.4)
        if "encoder" not in options:
            made.encoder[-1].weight.data *= 0.2  # a posterior that is wrong, but not so narrow that weights have no variance
        for step in made.flow.steps if made.flow else ():
            step.bias.data[latent:] += 3.0
    return made


@torch.no_grad()
def by_quadrature(made, x):
    """log p(x) of a model with one latent: a sum over a fine grid of z."""
    z = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    each = [made.log_conditional(row.expand(len(z), *row.shape), z[:, None]) for row in x]  # [B] of [N]
    return (torch.stack(each, 1) + Normal(0.0, 1.0).log_prob(z)[:, None] + math.log(18 / 1200)).logsumexp(0)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [0, 1, None])
@pytest.mark.parametrize("flow_steps", [0, 2])
@torch.no_grad()
def test_mass_one_and_bounds_below_it_and_samples_that_agree(window, flow_steps):
    made = model(1, window, flow_steps)
    log_p = by_quadrature(made, BITS)
    torch.testing.assert_close(log_p.exp().sum(), torch.tensor(1.0).double(), rtol=0, atol=1e-9)
    bound = torch.stack([made.log_prob_bound(BITS, 500).exp() for _ in range(20)])  # unbiased for p(x)
    assert ((bound.mean(0) - log_p.exp()).abs() < 5 * bound.std(0) / 20**0.5).all()
    elbo = torch.stack([made.elbo(BITS) for _ in range(150)])
    assert (elbo.mean(0) < log_p + 5 * elbo.std(0) / 150**0.5).all()
    hits = (made.sample(20_000)[:, None] == BITS[None]).flatten(2).all(-1).double().mean(0)
    assert ((hits - log_p.exp()).abs() < 5 * (log_p.exp() / 20_000).sqrt()).all()


@torch.no_grad()
def test_with_a_flow_the_elbo_is_below_by_the_kl_to_the_posterior():
    """log p - ELBO = KL(q || p(z|x)), both by quadrature: q's density at z by the flow's way back."""
    made, x = model(1, 1, 1), BITS[:3]
    log_p, z = by_quadrature(made, x), torch.linspace(-9, 9, 4001, dtype=torch.float64)[:, None]
    q, h = made.base(x)
    for i in range(3):
        told = h[i].expand(len(z), -1)
        eps = made.flow.inverse(z, told)
        log_q = Normal(q.base_dist.loc[i], q.base_dist.scale[i]).log_prob(eps)[:, 0] - made.flow(eps, told)[1]
        joint = made.log_conditional(x[i].expand(len(z), 1, 2, 2), z) + Normal(0.0, 1.0).log_prob(z[:, 0])
        gap = (log_q.exp() * (log_q - joint + log_p[i])).nan_to_num().sum() * 18 / 4000
        elbo = made.elbo(x[i].expand(4000, 1, 2, 2))
        assert (log_p[i] - gap - elbo.mean()).abs() < 5 * elbo.std() / 4000**0.5
        assert gap > 0.001


@pytest.mark.parametrize("flow_steps", [0, 1])
def test_the_gradient_goes_through_the_draw(flow_steps):
    """Without the KL the encoder learns by z alone, be it drawn for the ELBO or for the importance-weighted bound."""
    for score in (lambda m: m.elbo_terms(BITS)[0], lambda m: m.log_conditional(BITS, m.infer(BITS, 1)[0][0])):
        made = model(2, 0, flow_steps)
        score(made).sum().backward()
        assert all(w.grad is not None and w.grad.abs().max() > 0 for w in made.encoder.parameters())


@torch.no_grad()
def test_pixels_drawn_for_a_given_z_come_as_often_as_it_says():
    made, z = model(2, 1), torch.tensor([1.5, -1.0]).double()
    p = made.log_conditional(BITS, z.expand(16, 2)).exp()
    assert abs(p.sum() - 1) < 1e-12
    hits = (made.sample(20_000, z.expand(20_000, 2))[:, None] == BITS[None]).flatten(2).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p / 20_000).sqrt() + 1e-9).all()


@pytest.mark.slow
def test_the_wider_the_window_the_less_is_left_for_z():
    """Coin chain: from all bits before, z has nothing to add; with one, it has the coin; with none, the copies as well."""
    source, kl, above = coin_chain(), {}, {}
    known = source.log_prob(source.test)
    for window in (0, 1, 15):
        with seeded(0):
            made = AutoregressiveVAE(1, window, levels=2, shape=(1, 1, 16), hidden=12, layers=1, width=32)
        rate = warm_up(made, 0.5, to=1.2, schedule=lambda t: min(4 * t, (1 - t) / 0.75))  # at 1 window 15 is a tie
        fit(made, source.train, rounds=250, batch_size=100, lr=1e-2, schedule=rate)
        with torch.no_grad():
            reconstruction, k = made.elbo_terms(source.test)
        behind = known - (reconstruction - k)
        kl[window], above[window] = k.mean().item(), behind.mean().item()
        assert above[window] > -3 * behind.std() / len(behind) ** 0.5, "no bound lies above the source's own likelihood"
    assert kl[0] > 0.9 > 0.8 > kl[1] > 0.35 > 0.2 > kl[15]
    assert above[0] > 1 and above[1] < 0.15 and above[15] < 0.15


@pytest.mark.slow
def test_training_on_digits_beats_the_table_of_pixels():
    data = digits()
    with seeded(0):
        made = AutoregressiveVAE(4, 2, hidden=24, layers=2)
    fit(made, data.train, rounds=150, batch_size=32, lr=1e-2, schedule=lambda t: 1 - t)
    with torch.no_grad():
        assert 70 < -made.log_prob_bound(data.test, 5).mean() < 98  # the table of pixels has 108.2


# limits ---------------------------------------------------------------------------------------------------------------


class Scaled(nn.Module):
    """Levels to -1 .. 1, which the plain VAE leaves to its encoder."""

    def __init__(self, levels):
        super().__init__()
        self.levels = levels

    def forward(self, x):
        return 2 * x / (self.levels - 1) - 1


class FromMap(nn.Module):
    def __init__(self, made):
        super().__init__()
        self.spread, self.net = made.spread, made.net

    def forward(self, z):
        return self.net(torch.zeros(len(z), 1, 2, 2).long(), self.spread(z))  # what it is shown makes no difference


@torch.no_grad()
def test_window_0_is_the_vae():
    made, x = model(2, 0, levels=3), torch.randint(3, (6, 1, 2, 2))
    vae = VAE(
        2,
        encoder=nn.Sequential(Scaled(3), made.encoder),
        decoder=FromMap(made),
        likelihood="categorical",
        levels=3,
        shape=(1, 2, 2),
    ).double()
    for call in (
        lambda m: m.elbo_terms(x)[0],
        lambda m: m.elbo_terms(x)[1],
        lambda m: m.log_prob_bound(x, 7),
        lambda m: m.loss(x),
    ):
        with seeded(1):
            ours = call(made)
        with seeded(1):
            known = call(vae)
        torch.testing.assert_close(ours, known, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gated", [False, True])
@torch.no_grad()
def test_a_decoder_deaf_to_z_is_a_pixel_cnn(gated):
    made = model(2, None, levels=3, shape=(1, 3, 4), gated=gated)
    for layer in made.net.layers:
        layer.conditioned.weight.zero_()
    alone = PixelCNN(3, gated=gated, size=(3, 4), hidden=8, layers=2).double()
    wanted = alone.net.state_dict()
    alone.net.load_state_dict({name: value for name, value in made.net.state_dict().items() if name in wanted})
    x = torch.randint(3, (5, 1, 3, 4))
    torch.testing.assert_close(made.log_conditional(x, torch.randn(5, 2).double()), alone.log_prob(x))


@torch.no_grad()
def test_an_encoder_deaf_to_x_costs_nothing():
    made, x = model(2, 1), BITS
    for parameter in made.encoder[-1].parameters():
        parameter.zero_()
    reconstruction, kl = made.elbo_terms(x)
    assert (kl == 0).all() and (reconstruction < 0).all()


@pytest.mark.parametrize("flow_steps", [0, 1])
def test_beta_and_free_bits_change_the_loss_only(flow_steps):
    made, x = model(2, 1, flow_steps), BITS
    with seeded(1):
        reconstruction, kl = made.elbo_terms(x)
    for beta, free in ((1.0, 0.0), (0.5, 0.0), (1.0, kl.mean().item() + 1), (2.0, kl.mean().item() - 0.1)):
        made.beta, made.free_bits = beta, free
        with seeded(1):
            loss = made.loss(x)
        known = beta * max(kl.mean().item(), free) if free else beta * kl.mean().item()
        assert abs(loss.item() - known + reconstruction.mean().item()) < 1e-9
        with seeded(1):
            torch.testing.assert_close(made.elbo(x), reconstruction - kl)


def test_below_lambda_the_kl_has_no_gradient():
    made = model(2, 0, free_bits=1e6)
    for weight in made.net.parameters():
        nn.init.zeros_(weight)  # no use for z: all that is left is the KL
    made.loss(BITS).backward()
    assert all(w.grad.abs().max() == 0 for w in made.encoder.parameters())
    made.free_bits = 0.0
    made.loss(BITS).backward()
    assert all(w.grad.abs().max() > 0 for w in made.encoder.parameters())


@torch.no_grad()
def test_kept_and_computed_anew_are_the_same_draws():
    for window in (0, 1, 2, None):
        made = model(2, window, levels=3, shape=(1, 3, 4))
        with seeded(4):
            quick = made.sample(6)
        with seeded(4):
            slow = made.sample(6, cached=False)
        assert torch.equal(quick, slow)


def test_defaults_work_on_digits():
    data = digits()
    for made in (AutoregressiveVAE(4), AutoregressiveVAE(4, 1, 2), AutoregressiveVAE(1, 0), AutoregressiveVAE(3, gated=True)):
        assert made.elbo(data.test[:1]).shape == (1,) and made.log_prob_bound(data.test[:2], 3).shape == (2,)
        assert made.sample(1).shape == (1, 1, 8, 8)
        assert made.train().sample(2).max() <= 16 and made.training


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent": 0}, "latent must be"),
        ({"window": -1}, "window must be"),
        ({"window": 1.5}, "window must be"),
        ({"flow_steps": -1}, "flow_steps must be"),
        ({"levels": 1}, "levels must be"),
        ({"beta": -1.0}, "beta, free_bits must"),
        ({"free_bits": -0.5}, "beta, free_bits must"),
        ({"beta": math.nan}, "beta, free_bits must"),
        ({"free_bits": math.nan}, "beta, free_bits must"),
        ({"shape": (3, 2, 2)}, r"\(1, H, W\)"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        AutoregressiveVAE(**{"latent": 2, "window": 1, **options})


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 4).long(), r"must be \[batch, 1, 2, 2\]"),
        (torch.zeros(0, 1, 2, 2).long(), "batch >= 1"),
        (torch.zeros(2, 1, 2, 2), "whole numbers"),
        (torch.full((2, 1, 2, 2), 2), "levels 0 to 1"),
    ],
)
@pytest.mark.parametrize("method", ["elbo", "loss", "elbo_terms"])
def test_bad_input(x, words, method):
    with pytest.raises(ValueError, match=words):
        getattr(model(), method)(x)


def test_bad_calls():
    with pytest.raises(ValueError, match="samples must be at least 1"):
        model().log_prob_bound(BITS, 0)
    with pytest.raises(ValueError, match="n must be at least 1"):
        model().sample(0)
    with pytest.raises(ValueError, match=r"z \[n, 2\]"):
        model().sample(3, torch.zeros(3, 1).double())
    made = model().train()
    with pytest.raises(ValueError, match="temperature"):
        made.sample(3, temperature=0.0)
    assert made.training, "it is refused before anything is changed"
    with pytest.raises(ValueError, match="encoder must return"):
        model(encoder=nn.Sequential(nn.Flatten(), nn.Linear(4, 3))).elbo(BITS)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("window", [0, 1, None])
def test_levels_may_be_of_any_whole_type(window, dtype):
    made = model(window=window)
    for score in (made.elbo, made.loss, lambda x: made.log_prob_bound(x, 2)):
        with seeded(1):
            whole = score(BITS)
        with seeded(1):
            torch.testing.assert_close(score(BITS.to(dtype)), whole)
