"""Oracles for M2: the best q(y|x) is a softmax, one class is the VAE, and on a tiny model p(x) and p(x, y) by quadrature."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.latent import VAE, SemiSupervisedVAE
from genedu.metrics import accuracy

K, SHAPE = 3, (1, 2, 2)
EVENTS = torch.tensor([[(i >> k) & 1 for k in range(4)] for i in range(16)]).view(16, *SHAPE)
UNKNOWN = torch.full((16,), -1)


def tiny(classes: int = K, **options) -> SemiSupervisedVAE:
    with seeded(4):
        model = SemiSupervisedVAE(1, classes, shape=SHAPE, hidden=8, **options).double()
        for part, std in [(model.encoder, 0.2), (model.classifier, 0.4), (model.decoder, 0.8)]:
            for weight in part.parameters():
                torch.nn.init.normal_(weight, std=std)
    return model


class Fixed(torch.nn.Module):
    """A classifier that says what it was told: logits [B, K]."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, x):
        return self.logits


def mean_and_error(draw, n):
    draws = torch.stack([draw() for _ in range(n)])  # [n, B]
    return draws.mean(0), draws.std(0) / math.sqrt(n)


@torch.no_grad()
def quadrature(model):
    """log p(x, y) for all 16 images and all classes, by a sum over a grid of z: [16, K]."""
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    log_p = []
    for k in range(model.classes):
        hot = torch.zeros(4001, model.classes).double().index_fill_(1, torch.tensor(k), 1.0)
        logits = model.decoder(torch.cat([z[:, None], hot], 1))  # [4001, 4]
        log_x = Bernoulli(logits=logits[:, None]).log_prob(EVENTS.flatten(1).double()).sum(-1)  # [4001, 16]
        log_p.append((log_x + Normal(0.0, 1.0).log_prob(z)[:, None] + math.log(18 / 4000)).logsumexp(0))
    return torch.stack(log_p, 1) - math.log(model.classes)


# oracles --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_each_class_has_the_bound_of_equation_2():
    """The same draw, put together from torch's distributions."""
    model = tiny()
    with seeded(1):
        bounds = model.class_elbos(EVENTS)  # [16, K]
    with seeded(1):
        z = model.posterior(EVENTS).rsample()  # [16, K, 1]
    for k in range(K):
        y = torch.full((16,), k)
        q = model.posterior(EVENTS, y)
        hot = torch.eye(K).double()[y]
        known = model.encoder(torch.cat([EVENTS.flatten(1).double(), hot], 1))
        torch.testing.assert_close(q.base_dist.loc, known[:, :1])
        torch.testing.assert_close(q.base_dist.scale, known[:, 1:].exp())
        log_x = Bernoulli(logits=model.decoder(torch.cat([z[:, k], hot], 1))).log_prob(EVENTS.flatten(1).double()).sum(1)
        torch.testing.assert_close(bounds[:, k], log_x + math.log(1 / K) - kl_divergence(q, model.prior()))


@torch.no_grad()
def test_the_best_classifier_is_the_softmax_and_gives_the_logsumexp():
    model = tiny()
    with seeded(2):
        bounds = model.class_elbos(EVENTS)
    best, total = bounds.softmax(1), bounds.logsumexp(1)
    for away in (0.0, 0.3, -2.0):
        model.classifier = Fixed(bounds + away * torch.randn(16, K).double())
        with seeded(2):
            u = model.elbo(EVENTS)
        gap = (model.predict_proba(EVENTS) * (model.predict_proba(EVENTS) / best).log()).sum(1)  # KL(q(y|x) || softmax)
        torch.testing.assert_close(u, total - gap, rtol=0, atol=1e-9)
        assert away == 0 or (u < total - 1e-4).all()


def test_the_gradient_of_u_vanishes_at_the_softmax_only():
    model = tiny()
    for away in (0.0, 0.5):
        with seeded(3):
            best = model.class_elbos(EVENTS).detach()
        model.classifier = Fixed(best + away * torch.randn(16, K).double())
        with seeded(3):
            u = model.elbo(EVENTS)
        (slope,) = torch.autograd.grad(u.sum(), [model.classifier.logits])
        assert (slope.abs().max() < 1e-9) == (away == 0)


@torch.no_grad()
def test_the_bounds_lie_below_quadrature_and_rise_to_it():
    model = tiny()
    joint = quadrature(model)  # [16, K]
    log_p = joint.logsumexp(1)
    torch.testing.assert_close(log_p.exp().sum(), torch.tensor(1.0).double(), rtol=0, atol=1e-9)
    x = EVENTS.repeat(50, 1, 1, 1)
    u, error = mean_and_error(lambda: model.elbo(x).view(50, 16).mean(0), 30)
    assert (u < log_p + 5 * error).all()
    one, error_of_one = mean_and_error(lambda: model.log_prob_bound(x, samples=1).view(50, 16).mean(0), 30)
    assert ((one - u).abs() < 5 * (error**2 + error_of_one**2).sqrt()).all(), "with one draw (5) is (3) in the mean"
    many, _ = mean_and_error(lambda: model.log_prob_bound(EVENTS, samples=3000), 5)
    torch.testing.assert_close(many, log_p, rtol=0, atol=0.1)
    assert one.mean() < model.log_prob_bound(x, samples=5).mean() < many.mean()
    for k in range(K):
        y = torch.full((16,), k)
        given, error = mean_and_error(lambda y=y: model.elbo(x, y.repeat(50)).view(50, 16).mean(0), 30)
        assert (given < joint[:, k] + 5 * error).all()
        torch.testing.assert_close(model.log_prob_bound(EVENTS, y, samples=3000), joint[:, k], rtol=0, atol=0.1)


@torch.no_grad()
def test_samples_of_a_class_come_as_often_as_quadrature_says():
    model = tiny()
    joint = quadrature(model)
    for y, log_p in [(None, joint.logsumexp(1)), (1, joint[:, 1] + math.log(K))]:
        hits = (model.sample(20_000, y)[:, None] == EVENTS[None]).flatten(2).all(-1).double().mean(0)  # [16]
        assert ((hits - log_p.exp()).abs() < 5 * (log_p.exp() / 20_000).sqrt() + 1e-9).all()
    with seeded(6):
        one = model.sample(5, 1)
    with seeded(6):
        assert torch.equal(model.sample(5, torch.full((5,), 1)), one)


def test_the_loss_adds_the_classification_term_for_labelled_rows_only():
    y = torch.tensor([0, 1, 2, -1] * 4)
    known = None
    for alpha in (0.0, 2.5):
        model = tiny(alpha=alpha)
        with seeded(7):
            elbo = model.elbo(EVENTS, y)
        term = torch.nn.functional.cross_entropy(model.predict_proba(EVENTS).log()[y >= 0], y[y >= 0], reduction="sum") / 16
        with seeded(7):
            torch.testing.assert_close(model.loss((EVENTS, y)), -elbo.mean() + alpha * term)
        known = elbo if known is None else known
        torch.testing.assert_close(elbo, known)  # alpha is no part of the ELBO


def test_labelled_rows_teach_the_classifier_through_alpha_alone():
    for alpha, moved in [(0.0, False), (1.0, True)]:
        model = tiny(alpha=alpha)
        model.loss((EVENTS, torch.arange(16) % K)).backward()
        assert (model.classifier[0].weight.grad.abs().sum() > 0) == moved


@pytest.mark.slow
def test_unlabelled_rows_help():
    """50 labels, five of each digit: with the other rows as unlabelled ones the classifier errs less than without."""
    data = digits("binary")
    chosen = torch.cat([(data.train_labels == k).nonzero()[:5, 0] for k in range(10)])
    y = torch.full_like(data.train_labels, -1)
    y[chosen] = data.train_labels[chosen]
    right = {}
    for name, batch, rounds in [("all", (data.train, y), 600), ("labelled", (data.train[chosen], y[chosen]), 200)]:
        with seeded(0):
            model = SemiSupervisedVAE()
        fit(model, batch, rounds=rounds, batch_size=100, lr=5e-3, schedule=lambda t: 1 - t, progress=False)
        right[name] = accuracy(model.predict_proba(data.test), data.test_labels)
    assert right["labelled"] > 0.7 and right["all"] > right["labelled"] + 0.02, right


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical"])
def test_one_class_is_the_vae(likelihood):
    """The class is a constant input, which the first bias of the VAE's networks takes over."""
    levels = 2 if likelihood == "bernoulli" else 5
    m2 = SemiSupervisedVAE(2, 1, likelihood=likelihood, levels=levels)
    vae = VAE(2, likelihood=likelihood, levels=levels)
    for ours, theirs in [(m2.encoder, vae.encoder[1:]), (m2.decoder, vae.decoder)]:
        for layer, other in [(ours[0], theirs[0]), (ours[2], theirs[2])]:
            cut = other.weight.shape[1]
            other.weight.data = layer.weight.data[:, :cut].clone()
            other.bias.data = layer.bias.data + layer.weight.data[:, cut:].sum(1)
    vae.encoder[1].weight.data /= levels - 1  # M2 shows its networks x / 4
    x = torch.randint(levels, (20, 1, 8, 8))
    for ours, theirs in [
        (lambda: m2.elbo(x), lambda: vae.elbo(x)),
        (lambda: m2.elbo(x, torch.zeros(20).long()), lambda: vae.elbo(x)),
        (lambda: m2.log_prob_bound(x, samples=3), lambda: m2.class_posterior(x).sample((3,))[0] + vae.log_prob_bound(x, 3)),
        (lambda: m2.loss((x, torch.full((20,), -1))), lambda: vae.loss(x)),
    ]:
        with seeded(8):
            first = ours()
        with seeded(8):
            second = theirs()
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-3)
        slopes = [  # the draw passes them on to the encoder
            torch.autograd.grad(value.sum(), net.weight)[0] for value, net in [(first, m2.encoder[2]), (second, vae.encoder[3])]
        ]
        torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-3)


def test_rows_without_labels_may_come_alone():
    model = tiny()
    with seeded(9):
        alone = model.loss(EVENTS)
    with seeded(9):
        torch.testing.assert_close(model.loss((EVENTS, UNKNOWN)), alone)
    assert model.elbo(EVENTS[:1], torch.tensor([2])).shape == (1,)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.zeros(2, 64).long(), None, r"x must be \[batch, 1, 8, 8\]"),
        (torch.full((2, 1, 8, 8), 2), None, "levels 0 to 1"),
        (torch.zeros(2, 1, 8, 8), None, "whole numbers"),
        (torch.zeros(2, 1, 8, 8).long(), torch.tensor([0, 10]), r"0\.\.9, or -1 for a row without a label; got 10"),
        (torch.zeros(2, 1, 8, 8).long(), torch.tensor([0, -2]), "got -2"),
        (torch.zeros(2, 1, 8, 8).long(), torch.tensor([0]), r"one whole number for each of 2 rows, got torch.int64 \[1\]"),
        (torch.zeros(2, 1, 8, 8).long(), torch.zeros(2), "whole number"),
    ],
)
def test_bad_input_says_what_must_hold(x, y, words):
    model = SemiSupervisedVAE()
    for score in (model.elbo, lambda x, y: model.loss((x, y)), lambda x, y: model.log_prob_bound(x, y, samples=2)):
        with pytest.raises(ValueError, match=words):
            score(x, y)


def test_bad_options_say_what_must_hold():
    for options, words in [
        ({"likelihood": "gaussian"}, "likelihood must be"),
        ({"latent": 0}, "latent and classes must be at least 1"),
        ({"classes": 0}, "latent and classes must be at least 1"),
        ({"alpha": -1.0}, "alpha must be at least 0"),
        ({"alpha": math.nan}, "alpha must be at least 0"),
        ({"likelihood": "categorical", "levels": 1}, "levels at least 2"),
    ]:
        with pytest.raises(ValueError, match=words):
            SemiSupervisedVAE(**options)
    model = SemiSupervisedVAE()
    with pytest.raises(ValueError, match="samples must be at least 1"):
        model.log_prob_bound(torch.zeros(1, 1, 8, 8).long(), samples=0)
    for y in (10, -1, torch.tensor([1, -1, 2])):
        with pytest.raises(ValueError, match=r"y must be a class 0\.\.9; got"):
            model.sample(3, y)
    with pytest.raises(ValueError, match="one whole number for each of 3"):
        model.sample(3, torch.tensor([1, 2]))
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
            model.sample(n)


def test_labels_may_be_bytes():
    """As a tensor of uint8, -1 is 255: no label may be taken for a missing one, or refused."""
    model, y = tiny(), torch.arange(16) % K
    for score in (model.elbo, lambda x, y: model.log_prob_bound(x, y, samples=2)):
        with seeded(1):
            whole = score(EVENTS, y)
        with seeded(1):
            torch.testing.assert_close(score(EVENTS, y.byte()), whole)
