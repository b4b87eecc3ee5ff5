"""Oracles for the infinite VAE: linear components, whose evidence and posteriors are known, and the plain VAE as its limit."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Normal

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import History, fit
from genedu.latent import VAE, InfiniteVAE, ProbabilisticPCA, crp_log_prob, gibbs_log_weights
from genedu.latent.label_heads import fit_heads, mix_heads

D, Q, SHAPE = 6, 2, (1, 2, 3)
with seeded(7):
    SCALE = torch.tensor([1.5, 1.0, 0.5, 0.5, 0.5, 0.5]).double()
    CLOUDS = [torch.randn(n, D).double() * SCALE + shift for n, shift in ((150, 0.0), (50, 0.8))]
    BLOBS = torch.cat([torch.randn(40, 2) * 0.3 + 2, torch.randn(20, 2) * 0.3 - 2]).view(-1, 1, 1, 2)
    BLOBS_BY_KIND = (torch.arange(60) >= 40).long()


def linear_vae(pca: ProbabilisticPCA) -> VAE:
    """The VAE with the decoder of a probabilistic PCA and its exact posterior (diagonal, as fitted axes are orthogonal)."""
    w, s2, mean = pca.W.detach(), pca.sigma.detach() ** 2, pca.mean.detach()
    m = w.T @ w + s2 * torch.eye(Q).double()
    encoder, decoder = nn.Sequential(nn.Flatten(), nn.Linear(D, 2 * Q)), nn.Linear(Q, D)
    vae = VAE(Q, encoder=encoder, decoder=decoder, likelihood="gaussian", sigma=s2.sqrt().item(), shape=SHAPE).double()
    v = torch.linalg.solve(m, w.T)  # [Q, D]
    decoder.weight.data, decoder.bias.data = w.clone(), mean.clone()
    encoder[1].weight.data = torch.cat([v, torch.zeros_like(v)])
    encoder[1].bias.data = torch.cat([-v @ mean, (s2 / m.diagonal()).sqrt().log()])
    return vae


PCAS = [ProbabilisticPCA(Q, D).double().fit(x) for x in CLOUDS]
ROWS = torch.cat([CLOUDS[0][:20], CLOUDS[1][:20]])
EVIDENCE = torch.stack([p.log_prob(ROWS).detach() for p in PCAS], 1)  # [40, 2], exact
PI = torch.tensor([150.0, 50.0]).double() / 200


def two_linear() -> InfiniteVAE:
    parts = iter([linear_vae(p) for p in PCAS])
    model = InfiniteVAE(1.0, build=lambda: next(parts), components=2).double()
    model.take(list(model.components), torch.tensor([0] * 150 + [1] * 50))
    return model


def one_gaussian(sigma: float = 0.3) -> VAE:
    """A component that ignores z: N(b, sigma^2), with a posterior that is the prior. A single one cannot explain two blobs."""
    encoder, decoder = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)), nn.Linear(1, 2)
    for weight in (*encoder.parameters(), decoder.weight):
        nn.init.zeros_(weight)
        weight.requires_grad_(False)
    return VAE(1, encoder=encoder, decoder=decoder, likelihood="gaussian", sigma=sigma, shape=(1, 1, 2))


def two_blobs(**options) -> tuple[InfiniteVAE, History]:
    model = InfiniteVAE(1e-3, build=one_gaussian)
    pace = {"lr": 0.1, "warm_up": 60, "neighbours": 10} | options
    return model, model.fit_gibbs(BLOBS, 8, progress=False, **pace)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 3])
@torch.no_grad()
def test_with_exact_posteriors_it_is_the_mixture_of_probabilistic_pcas(samples):
    model = two_linear()
    joint = EVIDENCE + PI.log()
    torch.testing.assert_close(model.bounds(ROWS.view(-1, *SHAPE), samples), EVIDENCE, rtol=0, atol=1e-9)
    torch.testing.assert_close(model.log_prob_bound(ROWS.view(-1, *SHAPE), samples), joint.logsumexp(1), rtol=0, atol=1e-9)
    torch.testing.assert_close(model.responsibilities(ROWS.view(-1, *SHAPE), samples), joint.softmax(1), rtol=0, atol=1e-9)
    torch.testing.assert_close(model.outlier_score(ROWS.view(-1, *SHAPE), samples), -joint.logsumexp(1), rtol=0, atol=1e-9)
    assert 0.1 < model.responsibilities(ROWS.view(-1, *SHAPE))[:, 1].mean() < 0.9, "the components must be in doubt"


@torch.no_grad()
def test_codes_are_each_components_posterior_means():
    means = torch.stack([p.posterior(ROWS).mean for p in PCAS], 1)  # [40, K, Z]
    torch.testing.assert_close(two_linear().codes(ROWS.view(-1, *SHAPE)), means, rtol=0, atol=1e-9)


@torch.no_grad()
def test_one_gibbs_conditional_is_that_of_the_mixture_of_probabilistic_pcas():
    """Bayes' rule over where row 0 sits: log P_CRP of the whole assignment plus the exact evidence of that row."""
    bounds = two_linear().bounds(ROWS.view(-1, *SHAPE), 1)
    c = torch.tensor([0] * 25 + [1] * 15)
    for i in (0, 22, 39):
        others = torch.cat([c[:i], c[i + 1 :]])
        law = torch.stack([crp_log_prob(torch.cat([others, torch.tensor([k])]), 1.0) + EVIDENCE[i, k] for k in (0, 1)]).softmax(0)
        found = gibbs_log_weights(torch.bincount(others, minlength=2).double(), bounds[i], 1.0).exp()
        torch.testing.assert_close(found, law, rtol=0, atol=1e-9)


@torch.no_grad()
def test_samples_come_from_the_mixture():
    """Moments of the exact mixture, within 5 standard errors: the mean, and how often a row is of the smaller component."""
    x = two_linear().sample(20_000).flatten(1)
    mean = sum(p * pca.mean.detach() for p, pca in zip(PI, PCAS, strict=True))
    second = sum(
        p * (q.covariance.detach() + torch.outer(q.mean.detach(), q.mean.detach())) for p, q in zip(PI, PCAS, strict=True)
    )
    spread = (second - torch.outer(mean, mean)).diagonal().sqrt()
    assert ((x.mean(0) - mean).abs() < 5 * spread / math.sqrt(20_000)).all()
    shares = torch.stack([p.log_prob(x) for p in PCAS], 1).add(PI.log()).softmax(1).mean(0)
    assert (shares - PI).abs().max() < 5 * 0.5 / math.sqrt(20_000)  # the mean responsibility is the weight


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_separated_blobs_get_two_components_with_one_hot_responsibilities(seed):
    model, history = two_blobs(seed=seed)
    assert history.watched["components"][-1] == 2 and sorted(model.counts.tolist()) == [20, 40]
    r = model.responsibilities(BLOBS)
    big = int(model.counts.argmax())
    torch.testing.assert_close(r[:, big], (BLOBS_BY_KIND == 0).float(), rtol=0, atol=1e-6)
    means = torch.stack([c.decoder.bias.detach() for c in model.components])
    right = torch.stack([BLOBS[BLOBS_BY_KIND == k].flatten(1).mean(0) for k in ((0, 1) if big == 0 else (1, 0))])
    assert (means - right).abs().max() < 0.15


@pytest.mark.parametrize("how", ["gibbs", "metropolis"])
def test_rows_go_where_they_are_explained(how):
    """Components that stand still, rows that start anywhere: each proposal or draw that brings a row home is kept."""
    model = InfiniteVAE(1.0, build=one_gaussian, components=2)
    for k, c in enumerate(model.components):
        c.decoder.bias.data = torch.tensor([2.0, 2.0]) * (1 - 2 * k)
    start = torch.randint(2, (60,))
    history = model.fit_gibbs(BLOBS, 15, how=how, start=start, newcomers=0, lr=1e-12, progress=False)
    assert model.counts.tolist() == [40, 20]
    wrong = (start != BLOBS_BY_KIND).double().mean().item()
    assert sum(history.watched["moved"]) == pytest.approx(wrong)  # each wrong row moves once
    assert (history.watched["moved"][0] == pytest.approx(wrong)) == (how == "gibbs")  # a proposal in two is the right one


@pytest.mark.slow
def test_on_digits_components_are_born_and_it_beats_independent_pixels():
    data = digits("binary")
    x = data.train[data.train_labels < 3]
    with seeded(0):
        model = InfiniteVAE(1.0, build=lambda: VAE(4, hidden=32))
    history = model.fit_gibbs(x, 8, progress=False)
    p = (x.double().mean(0) * len(x) + 1) / (len(x) + 2)
    test = data.test[data.test_labels < 3]
    baseline = -Bernoulli(p).log_prob(test.double()).flatten(1).sum(-1).mean()
    with torch.no_grad():
        reached = -model.log_prob_bound(test, 20).mean()
    assert 2 <= history.watched["components"][-1] <= 12 and len(model.components) == history.watched["components"][-1]
    assert 10 < reached < baseline - 2
    assert history.losses["gibbs"][-1] < history.losses["gibbs"][0] - 3


@torch.no_grad()
def test_the_bound_is_one_and_gets_tighter():
    """Four bits, two components: log p(x) by quadrature over z; (4) lies below it in the mean, at any number of samples."""
    model = InfiniteVAE(1.0, build=lambda: VAE(1, shape=(1, 2, 2), hidden=8), components=2).double()
    for parameter in (p for c in model.components for p in c.decoder.parameters()):
        nn.init.normal_(parameter, std=0.7)
    model.take(list(model.components), torch.tensor([0, 0, 0, 1]))
    x = torch.tensor([[(i >> k) & 1 for k in range(4)] for i in range(16)]).view(16, 1, 2, 2)
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    log_z = Normal(0.0, 1.0).log_prob(z)[:, None] + math.log(18 / 4000)
    log_p = torch.stack([(c.conditional(z.view(-1, 1, 1)).log_prob(x.double()) + log_z).logsumexp(0) for c in model.components])
    exact = (log_p + torch.tensor([0.75, 0.25]).log()[:, None]).logsumexp(0)  # [16]
    gaps = []
    for samples in (1, 5, 50):
        draws = model.log_prob_bound(x.repeat(400, 1, 1, 1), samples).view(400, 16)
        assert (draws.mean(0) < exact + 5 * draws.std(0) / 20).all()
        gaps.append((exact - draws.mean(0)).mean().item())
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 0.02


def test_label_heads_are_a_penalised_mixture_of_regressions():
    """Where rows are sure of their component, (2) falls apart: the bias of a component follows its own labels alone."""
    mu, r = torch.zeros(6, 2, 1), torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 2)
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    heads = fit_heads(mu, r, y, None, 1e-4)
    p = mix_heads(mu, r, heads)
    torch.testing.assert_close(p[0], torch.tensor([0.75, 0.25]), rtol=0, atol=1e-3)  # three of four
    assert p[5, 1] > 0.99
    torch.testing.assert_close(mix_heads(mu[:1], torch.tensor([[0.5, 0.5]]), heads), (p[:1] + p[5:]) / 2)


def test_label_heads_stand_where_the_slope_of_their_objective_is_zero():
    with seeded(3):
        mu, r, y = torch.randn(40, 3, 2).double(), torch.randn(40, 3).double().softmax(1), torch.randint(4, (40,))
    heads = fit_heads(mu, r, y, 4, 0.5).requires_grad_()  # [K, Y, Z+1]
    logits = torch.stack([mu[:, k] @ heads[k, :, :2].T + heads[k, :, 2] for k in range(3)], 1)  # [40, K, Y]
    each = Categorical(logits=logits).log_prob(y[:, None].expand(-1, 3))  # [40, K]
    objective = 0.25 * heads.square().sum() - (r * each).sum()  # eq. (2) of the heads
    (slope,) = torch.autograd.grad(objective, heads)
    assert slope.abs().max() < 1e-4
    torch.testing.assert_close(mix_heads(mu, r, heads), (r[..., None] * logits.softmax(-1)).sum(1))


def test_few_labels_are_enough_where_components_are_classes():
    model, _ = two_blobs()
    rows = torch.tensor([0, 1, 40, 41])
    model.fit_labels(BLOBS[rows], BLOBS_BY_KIND[rows])
    p = model.predict_proba(BLOBS)
    assert (p.argmax(1) == BLOBS_BY_KIND).all() and p.max(1).values.min() > 0.8
    state = model.state_dict()
    again = InfiniteVAE(0.1, build=one_gaussian)
    again.load_state_dict(state)
    with seeded(1):
        kept = again.predict_proba(BLOBS)
    with seeded(1):
        torch.testing.assert_close(kept, model.predict_proba(BLOBS))
    model.fit_gibbs(BLOBS, 1, progress=False)
    with pytest.raises(ValueError, match="call fit_labels"):
        model.predict_proba(BLOBS)


def test_the_loss_is_the_mixture_s_where_elbos_are_exact():
    """Components that ignore z have an ELBO without noise or gap: log N(x; b, s^2)."""
    model = InfiniteVAE(1.0, build=one_gaussian, components=2).double()
    model.take(list(model.components), torch.tensor([0, 0, 0, 1]))
    x = BLOBS.double()
    parts = [Normal(c.decoder.bias, 0.3).log_prob(x.flatten(1)).sum(1) for c in model.components]
    exact = (0.75 * parts[0].exp() + 0.25 * parts[1].exp()).log()  # [60]
    torch.testing.assert_close(model.loss(x), -exact.mean(), rtol=0, atol=1e-9)
    assert parts[0].sum() != parts[1].sum()


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_component_is_the_plain_vae():
    vae, x = VAE(3, hidden=16), digits("binary").test[:8]
    model = InfiniteVAE(1.0, build=lambda: vae)
    for mine, its in (
        (model.loss, vae.loss),
        (model.elbo, vae.elbo),
        (lambda x: model.log_prob_bound(x, 7), lambda x: vae.log_prob_bound(x, 7)),
    ):
        with seeded(1):
            a = mine(x)
        with seeded(1):
            torch.testing.assert_close(a, its(x), rtol=0, atol=1e-6)
    assert (model.responsibilities(x) == 1).all()
    with seeded(2):
        a = model.sample(5)
    assert a.shape == (5, 1, 8, 8) and a.dtype == torch.long


def test_equal_components_are_one():
    vae, x = VAE(3, hidden=16), digits("binary").test[:8]
    model = InfiniteVAE(1.0, build=lambda: vae, components=3)
    with torch.no_grad():
        torch.testing.assert_close(
            model.log_prob_bound(x, 400).mean(), vae.log_prob_bound(x, 400).mean(), rtol=0, atol=0.2
        )  # noise of 400 samples
    assert model.weights.tolist() == pytest.approx([1 / 3] * 3)


def test_a_fixed_mixture_is_trained_by_fit():
    with seeded(0):
        model = InfiniteVAE(1.0, build=one_gaussian, components=2)
    for k, c in enumerate(model.components):
        c.decoder.bias.data = torch.tensor([0.5, 0.5]) * (1 - 2 * k)
    fit(model, BLOBS, rounds=300, batch_size=60, lr=2e-2, progress=False)
    assert sorted(round(c.decoder.bias.mean().item()) for c in model.components) == [-2, 2]


def test_a_vanishing_alpha_never_opens_a_component():
    model = InfiniteVAE(1e-300, build=lambda: one_gaussian(2.0))
    history = model.fit_gibbs(BLOBS, 3, progress=False, newcomers=3)
    assert history.watched["components"] == [1, 1, 1]


def test_a_component_without_rows_is_buried():
    with seeded(0):
        model = InfiniteVAE(0.1, build=one_gaussian, components=4)
    start = torch.where(BLOBS_BY_KIND == 0, 2, 0)
    kept = model.components[2]
    model.fit_gibbs(BLOBS, 0, start=start, progress=False)
    assert len(model.components) == 4, "without a sweep nothing happens to them"
    model.fit_gibbs(BLOBS, 1, start=start, newcomers=0, lr=0.1, progress=False)
    assert len(model.components) == 2 and kept in model.components and model.counts.tolist() == [20, 40]


def test_a_second_call_starts_from_the_responsibilities():
    """Two equal components, 57 rows and 3: whoever forgot the weights would start with some 30 each, and a sweep keeps that."""
    with seeded(0):
        model = InfiniteVAE(1.0, build=one_gaussian, components=2)
    model.components[1].load_state_dict(model.components[0].state_dict())
    model.take(list(model.components), (torch.arange(60) >= 57).long())
    model.fit_gibbs(BLOBS, 1, newcomers=0, passes=0, progress=False)
    assert model.counts.max() >= 50


def test_a_run_repeats_under_its_seed_and_leaves_the_chance_of_others_alone():
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(5)
        _, history = two_blobs(seed=seed)
        runs.append((history.losses["gibbs"], torch.rand(1).item()))
    assert runs[0][0] == runs[1][0] != runs[2][0] and runs[0][1] == runs[2][1]


def test_defaults_are_those_of_the_card():
    model = InfiniteVAE(2.0)
    assert model.alpha == 2 and len(model.components) == 1
    assert model.elbo(digits("binary").test[:3]).shape == (3,)
    assert isinstance(model.components[0], VAE) and model.components[0].shape == (1, 8, 8)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "components"), [(0.0, 1), (-1.0, 1), (math.inf, 1), (1.0, 0)])
def test_bad_options(alpha, components):
    with pytest.raises(ValueError, match="alpha must be positive and finite, components at least 1"):
        InfiniteVAE(alpha, components=components)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "slice"}, r"how must be one of \['gibbs', 'metropolis'\], got 'slice'"),
        ({"sweeps": -1}, "must be at least 0"),
        ({"newcomers": -1}, "must be at least 0"),
        ({"newcomers": 1.5}, "all others whole; got 2, 1.5"),
        ({"sweeps": 1.5}, "all others whole; got 1.5"),
        ({"passes": math.inf}, "passes finite"),
        ({"passes": math.nan}, "passes finite"),
        ({"temper": lambda t: math.nan}, "temper must give factors of at least 0 and finite, got nan at 0"),
        ({"temper": lambda t: -1.0}, "got -1.0 at 0"),
        ({"samples": 0}, "at least 1"),
        ({"x": BLOBS[:0]}, "at least 1"),
        ({"start": torch.zeros(3, dtype=torch.long)}, "start must be a component for each of 60 rows"),
        ({"start": torch.ones(60, dtype=torch.long)}, "start must be components 0 to 0; got 1"),
        ({"x": torch.zeros(5, 2)}, r"x must be \[batch, 1, 1, 2\]"),
    ],
)
def test_bad_runs(options, words):
    with pytest.raises(ValueError, match=words):
        InfiniteVAE(1.0, build=one_gaussian).fit_gibbs(**({"x": BLOBS, "sweeps": 2, "progress": False} | options))


def test_bad_labels_and_numbers():
    model = InfiniteVAE(1.0, build=one_gaussian)
    x = BLOBS[:2]
    for y, words in (
        (torch.tensor([0]), r"y must be whole numbers \[2\]"),
        (torch.tensor([0.0, 1.0]), "y must be whole numbers"),
        (torch.tensor([0, -1]), "y must be labels 0 to 0"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit_labels(x, y)
    with pytest.raises(ValueError, match="y must be labels 0 to 1; got 2"):
        model.fit_labels(x, torch.tensor([0, 2]), classes=2)
    with pytest.raises(ValueError, match="l2 must be positive"):
        model.fit_labels(x, torch.tensor([0, 1]), l2=0.0)
    with pytest.raises(ValueError, match="l2 must be positive and finite, got inf"):
        model.fit_labels(x, torch.tensor([0, 1]), l2=math.inf)
    with pytest.raises(ValueError, match="n must be at least 1"):
        model.sample(0)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        model.responsibilities(x, 0)


def test_a_score_that_is_no_number_says_whose_it_is():
    model = InfiniteVAE(1.0, build=one_gaussian)
    model.components[0].decoder.bias.data.fill_(1e30)
    with pytest.raises(FloatingPointError, match=r"components \[0\] score some row|the loss of player"):
        model.fit_gibbs(BLOBS, 1, progress=False)


def test_bad_rows_are_refused_before_any_component_is_trained():
    x = BLOBS.clone()
    x[-1] = math.nan
    with seeded(0):
        model = InfiniteVAE(1.0, build=one_gaussian, components=2)
    before = [p.clone() for p in model.parameters()]
    for start in (None, BLOBS_BY_KIND):  # the first component's rows are good
        with pytest.raises(ValueError, match="x must be finite; got nan"):
            model.fit_gibbs(x, 1, start=start, progress=False)
    assert all(torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))


def test_a_state_without_counts_is_told_by_torch():
    with pytest.raises(RuntimeError, match=r'Missing key.*"counts"'):
        InfiniteVAE(1.0, build=one_gaussian).load_state_dict({})


def test_a_run_of_fit_goes_on_from_its_checkpoint(tmp_path):
    """Loading must leave the parameters the same objects: the optimiser was made for them."""
    ends = []
    for stops in ((20,), (8, 20)):
        for rounds in stops:
            with seeded(2):
                model = InfiniteVAE(1.0, build=one_gaussian, components=2)
            fit(model, BLOBS, rounds=rounds, batch_size=20, lr=0.1, progress=False, checkpoint=tmp_path / f"{len(stops)}.pt")
        ends.append(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_scores_are_without_dropout():
    """Whether the caller left the model in train or in eval mode, a second run is the same, and leaves it in eval mode."""

    def noisy() -> VAE:
        encoder = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(2, 2))
        return VAE(1, likelihood="gaussian", shape=(1, 1, 2), encoder=encoder, hidden=4)

    ends = []
    for train in (True, False):
        with seeded(3):
            model = InfiniteVAE(1.0, build=noisy, components=2)
        model.fit_gibbs(BLOBS, 1, warm_up=5, progress=False)
        model.train(train)
        history = model.fit_gibbs(BLOBS, 1, warm_up=5, progress=False)
        assert not any(m.training for m in model.components.modules() if isinstance(m, nn.Dropout))
        ends.append((history.losses["gibbs"], [p.detach() for p in model.parameters()]))
    assert ends[0][0] == ends[1][0] and all(torch.equal(a, b) for a, b in zip(ends[0][1], ends[1][1], strict=True))
