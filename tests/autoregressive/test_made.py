"""Oracles for MADE: products of masks, enumeration, scikit-learn where it has no hidden layer, and mixtures of orders."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from genedu import fit
from genedu.autoregressive import MADE
from genedu.autoregressive.made import mixture_log_prob
from genedu.core import Density, seeded
from genedu.data import digits
from tests.autoregressive.bit_models import assert_bytes_are_refused, assert_draws_know_no_dropout
from tests.laws import check_autoregressive, check_discrete_density, check_one_number_a_row, check_sampler

F64 = torch.float64
ORDER = torch.tensor([3, 0, 4, 1, 2])
LAYERS = pytest.mark.parametrize("hidden", [(), (9,), (8, 9), (4, 4, 4)])


def made(hidden=(9,), dim: int = 5, order=ORDER, seed: int = 1, scale: float = 1.0, **options) -> MADE:
    """All parameters different from 0 and from each other, in double precision."""
    with seeded(seed):
        model = MADE(dim, hidden, order=order, **options).double().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return model


def bits(n: int = 6, dim: int = 5, seed: int = 2) -> torch.Tensor:
    with seeded(seed):
        return torch.randint(2, (n, dim))


def every(dim: int) -> torch.Tensor:
    return torch.tensor(list(product((0, 1), repeat=dim)))


def masks(model: MADE) -> list[torch.Tensor]:
    return [layer.mask for layer in model.net if hasattr(layer, "mask")]


def close(got, want, atol=1e-12):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [False, True])
@LAYERS
def test_it_is_an_autoregressive_density(hidden, direct):
    model, x = made([8 * size for size in hidden], direct=direct), bits()  # so many that not all ReLUs on a path are off
    assert isinstance(model, Density)
    check_sampler(model, x)
    check_one_number_a_row(model.log_prob, x)
    check_discrete_density(model, 2, x)
    check_autoregressive(model.logits, x, 2, ORDER, past=True)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.lists(st.integers(1, 6), max_size=3), st.booleans(), st.integers(1, 4), st.sampled_from([1, 1e3]))
def test_any_sizes_and_any_scale_stay_finite(dim, hidden, direct, n, scale):
    with seeded(dim):
        order = torch.randperm(dim)
    model, x = made(hidden, dim, order, scale=scale, direct=direct), bits(n, dim)
    log_p = model.log_prob(x)
    assert log_p.shape == (n,) and torch.isfinite(log_p).all() and (log_p <= 0).all()
    assert model.sample(n).shape == (n, dim)
    if scale == 1:  # the law's 1e-12 is for logits of ordinary size: at 1e9 the order of a sum shows
        check_autoregressive(model.logits, x, 2, order, past=False)


# oracles --------------------------------------------------------------------------------------------------------------


@LAYERS
def test_the_product_of_masks_is_below_the_diagonal_in_the_order(hidden):
    """Paths from each input to each logit: none within or above the diagonal, at least one everywhere below it."""
    *first, last = masks(made(hidden))
    paths = last.long()
    for mask in reversed(first):
        paths = paths @ mask.long()
    paths = paths[ORDER][:, ORDER]
    assert torch.equal(paths > 0, torch.ones(5, 5).tril(-1).bool())


def test_a_hidden_unit_sees_degrees_up_to_its_own_and_degrees_are_dealt_out_evenly():
    """Nine units for four degrees: two each, three of the first."""
    first, last = masks(made((9,), order=None))
    degree = first.sum(1)  # in raster order a unit of degree m sees the first m places
    assert degree.bincount().tolist() == [0, 3, 2, 2, 2]
    assert torch.equal(first, torch.arange(1, 6) <= degree[:, None])
    assert torch.equal(last, degree < torch.arange(1, 6)[:, None])


@LAYERS
def test_the_first_logit_is_a_bias(hidden):
    logit = made(hidden).logits(every(5))[:, ORDER[0]]
    assert (logit == logit[0]).all()


@LAYERS
def test_the_density_is_a_network_of_each_places_own(hidden):
    """Each logit by the rows of the whole network that it depends on, given the earlier places alone (the others set to 0)."""
    model, x = made(hidden), bits()
    total = torch.zeros(6, dtype=F64)
    for i, place in enumerate(ORDER):
        seen = torch.zeros_like(x)
        seen[:, ORDER[:i]] = x[:, ORDER[:i]]
        h = seen.double()
        for layer in model.net:
            h = torch.nn.functional.linear(h, layer.weight * layer.mask, layer.bias) if hasattr(layer, "mask") else layer(h)
        total += torch.distributions.Bernoulli(logits=h[:, place]).log_prob(x[:, place].double())
    close(model.log_prob(x), total.detach())


def test_mass_one_over_ten_bits():
    model = made((16, 16), 10, torch.randperm(10), direct=True)
    close(model.log_prob(every(10)).exp().sum(), 1.0, 1e-12)


def test_direct_connections_add_a_linear_part():
    model, x = made(direct=True), bits()
    linear = torch.nn.functional.linear(x.double(), model.direct.weight * model.direct.mask)
    close(model.logits(x), (model.net(x.double()) + linear).detach())
    assert torch.equal(model.direct.mask[ORDER][:, ORDER], torch.ones(5, 5).tril(-1).bool())


def test_completion_follows_the_conditional():
    """Frequencies of the last three places of the order, given the first two, against enumeration."""
    model, n = made(), 40_000
    start = torch.tensor([1, 1, 1, 0, 1])  # the places of ORDER[2:] are to be ignored
    known = torch.zeros(5, dtype=torch.bool)
    known[ORDER[:2]] = True
    events = start.expand(8, 5).clone()
    events[:, ORDER[2:]] = every(3)
    p = model.log_prob(events).detach().exp()
    p = p / p.sum()
    x = model.complete(start.expand(n, 5), known)
    assert (x[:, known] == start[known]).all()
    hits = (x[:, None] == events).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


def test_temperature_scales_each_logit():
    """One bit: at temperature 2 it is 1 with probability sigmoid(b / 2)."""
    model = MADE(1, ())
    torch.nn.init.constant_(model.net[0].bias, 2.0)
    p, n = 1 / (1 + math.exp(-1)), 20_000
    none = torch.tensor([False])
    for x in (model.sample(n, temperature=2.0), model.complete(torch.zeros(n, 1).long(), none, temperature=2.0)):
        assert abs(x.double().mean() - p) < 5 * (p * (1 - p) / n) ** 0.5


def test_dropout_is_for_training_only():
    model, x = made(dropout=0.5), bits()
    assert torch.equal(model.logits(x), model.logits(x))
    model.train()
    assert not torch.equal(model.logits(x), model.logits(x))
    close(made(dropout=0.0).train().logits(x), made().logits(x).detach())


def test_the_mixture_of_orders_is_a_density():
    """(4) against the sum of probabilities; mass one; one model is itself."""
    with seeded(3):
        models = [made(seed=k, order=torch.randperm(5)) for k in range(3)]
    x = every(5)
    p = torch.stack([m.log_prob(x) for m in models]).detach().exp()
    close(mixture_log_prob(models, x), p.mean(0).log())
    close(mixture_log_prob(models, x).exp().sum(), 1.0)
    close(mixture_log_prob(models[:1], x), models[0].log_prob(x).detach())


def test_averaged_logits_are_no_density():
    """Two bits that are always equal, one model for each order, the second bit copied with logit +-6.

    By hand: with averaged logits both bits get +-3 from each other, so that equal bits have s(3)^2 each and unequal ones
    s(-3)^2: mass 2 (s(3)^2 + s(-3)^2) = 1.819, and -log p of the data -2 log s(3) = 0.097 nats, below their entropy log 2.
    """
    models = []
    for order in ([0, 1], [1, 0]):
        model = MADE(2, (), order=torch.tensor(order)).double()
        torch.nn.init.zeros_(model.net[0].bias)
        with torch.no_grad():  # the first bit is even, the logit of the second is 12 x - 6
            model.net[0].weight[order[1], order[0]] = 12.0
            model.net[0].bias[order[1]] = -6.0
        models.append(model)
    x, equal = every(2), torch.tensor([[0, 0], [1, 1]])
    averaged = torch.stack([m.logits(x) for m in models]).mean(0)
    claimed = torch.distributions.Bernoulli(logits=averaged).log_prob(x.double()).sum(1).exp()  # [4]
    s = lambda v: 1 / (1 + math.exp(-v))  # noqa: E731
    close(claimed.sum(), 2 * (s(3) ** 2 + s(-3) ** 2))
    assert round(claimed.sum().item(), 3) == 1.819
    close(-claimed[[0, 3]].log().mean(), -2 * math.log(s(3)))
    assert round(-claimed[[0, 3]].log().mean().item(), 3) == 0.097 and 0.097 < math.log(2)
    close(mixture_log_prob(models, x).exp().sum(), 1.0)
    close(-mixture_log_prob(models, equal).mean(), math.log(2) - math.log(s(6)))
    assert round(-mixture_log_prob(models, equal).mean().item(), 4) == 0.6956


@pytest.mark.slow
def test_training_ends_between_what_it_must_beat_and_what_it_cannot_pass():
    """Binary digits: better than independent bits (25.2) by 5 nats, on test rows, in ten passes; and never below 0."""
    data = digits("binary", flat=True)
    with seeded(0):
        model = MADE(64, 128, order=torch.arange(63, -1, -1))
    fit.fit(model, data.train, rounds=180, batch_size=64, lr=5e-3, progress=False)
    assert 15 < model.loss(data.test).item() < 20.2


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_a_hidden_layer_it_is_d_logistic_regressions():
    """Each bit on the earlier ones, by scikit-learn without penalty, against one joint fit by L-BFGS: all logits to 1e-4.

    Strong dependence would send weights to infinity, so the rows are noisy copies of each other.
    """
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(600, 1)) ^ (rng.random((600, 5)) < 0.3)
    rows = torch.from_numpy(x).long()
    model = MADE(5, (), order=ORDER).double()
    steps = torch.optim.LBFGS(model.parameters(), max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        steps.zero_grad()
        loss = model.loss(rows)
        loss.backward()
        return loss

    steps.step(closure)
    got = model.logits(rows).detach()
    first = x[:, ORDER[0]].mean()
    close(got[:, ORDER[0]], np.full(600, np.log(first / (1 - first))), 1e-4)
    for before, place in zip((ORDER[:i].numpy() for i in range(1, 5)), ORDER[1:].tolist(), strict=True):
        reference = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x[:, before], x[:, place])
        close(got[:, place], reference.decision_function(x[:, before]), 1e-4)


def test_no_hidden_layer_has_no_need_of_direct_connections():
    """The logits' own layer is the direct connection."""
    assert made(()).net[0].mask.sum() == 5 * 4 / 2


def test_the_order_turns_the_places_and_nothing_else():
    """A model in order o on x is the raster model with the same parameters, places renamed, on x in the order o."""
    turned, raster = made(order=ORDER), made(order=None)
    with torch.no_grad():
        for (name, a), (_, b) in zip(turned.named_parameters(), raster.named_parameters(), strict=True):
            first, last = name.startswith("net.0"), name.startswith("net.3")
            b.copy_(a[:, ORDER] if first and a.dim() == 2 else a[ORDER] if last else a)
    x = bits()
    close(turned.log_prob(x), raster.log_prob(x[:, ORDER]).detach())


def test_it_overfits_a_constant():
    with seeded(0):
        model = MADE(5, 8, order=ORDER)
    x = torch.tensor([[0, 1, 1, 0, 1]]).expand(32, 5)
    fit.fit(model, x, rounds=400, batch_size=32, lr=0.05, progress=False)
    assert model.loss(x).item() < 0.01


def test_equal_models_mixed_are_one_of_them():
    model, x = made(), bits()
    close(mixture_log_prob([model] * 4, x), model.log_prob(x).detach())
    close(mixture_log_prob([model] * 4, x), logsumexp([model.log_prob(x).detach().numpy()] * 4, axis=0) - math.log(4))


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dim": 0}, "dim must be a whole number of at least 1, got 0"),
        ({"hidden": 0}, "hidden must be a whole"),
        ({"hidden": 2.5}, "hidden must be a whole number of at least 1, got 2.5"),
        ({"hidden": (3, 2.0)}, "hidden must be a whole number of at least 1, got 2.0"),
        ({"order": torch.tensor([0, 1])}, "each of the places 0 to 2 once"),
        ({"order": torch.tensor([0, 1, 1])}, r"got \[0, 1, 1\]"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": -0.1}, "dropout"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        MADE(**{"dim": 3, "hidden": 4, **options})


@pytest.mark.parametrize("method", ["logits", "log_prob", "loss"])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 3).long(), r"\[batch, 5\]"),
        (torch.zeros(4, 5), "whole numbers 0 to 1"),
        (torch.full((4, 5), 2), "levels 0 to 1; got 2"),
    ],
)
def test_bad_rows(method, x, words):
    with pytest.raises(ValueError, match=words):
        getattr(made(), method)(x)
    with pytest.raises(ValueError, match=words):
        made().complete(x, torch.tensor([True] * 5))


@pytest.mark.parametrize(("n", "options", "words"), [(0, {}, "at least 1, got 0"), (3, {"temperature": 0.0}, "above 0")])
def test_bad_requests_for_samples(n, options, words):
    with pytest.raises(ValueError, match=words):
        made().sample(n, **options)


def test_it_cannot_start_from_places_in_between():
    """Place 0 is the second of the order: not without place 3, the first; in raster order it may be known alone."""
    known = torch.tensor([True, False, False, False, False])
    with pytest.raises(ValueError, match=r"before all unknown ones.*DeepNADE.*too late; got 0"):
        made().complete(bits(), known)
    assert made(order=None).complete(bits(), known).shape == (6, 5)


@pytest.mark.parametrize("known", [torch.tensor([True, False]), torch.ones(5)])
def test_bad_known(known):
    with pytest.raises(ValueError, match="known must be 5 truth values"):
        made().complete(bits(), known)


def test_a_mixture_needs_a_model():
    with pytest.raises(ValueError, match="at least one model"):
        mixture_log_prob([], bits())


def test_hidden_layers_may_come_as_one_number():
    assert [list(m.shape) for m in masks(MADE(5, 7))] == [[7, 5], [5, 7]]
    assert all(a.shape[0] == b.shape[1] for a, b in pairwise(masks(MADE(5, (7, 8)))))


def test_bytes_are_refused_where_they_would_give_another_number():
    model = made()
    assert_bytes_are_refused(model, bits(), lambda x: model.complete(x, torch.ones(5, dtype=torch.bool)))


def test_sampling_knows_no_dropout_and_leaves_the_mode_alone():
    assert_draws_know_no_dropout(made(dropout=0.9), bits(200))
