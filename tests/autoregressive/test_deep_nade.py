"""Oracles for deep NADE: all orders and all cuts enumerated, chains that are densities, and places that must not be seen."""

import math
from itertools import permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genedu import fit
from genedu.autoregressive import DeepNADE
from genedu.core import Density, seeded
from genedu.data import digits
from tests.autoregressive.bit_models import assert_bytes_are_refused, assert_draws_know_no_dropout
from tests.laws import (
    check_autoregressive,
    check_discrete_density,
    check_loss_is_a_mean,
    check_one_number_a_row,
    check_sampler,
)

F64 = torch.float64
ORDER = torch.tensor([3, 0, 4, 1, 2])


def deep(dim: int = 5, hidden: int = 20, layers: int = 2, seed: int = 1, scale: float = 0.5, **options) -> DeepNADE:
    """All parameters different from 0 and from each other, in double precision."""
    with seeded(seed):
        model = DeepNADE(dim, hidden, layers, **options).double().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return model


def bits(n: int = 6, dim: int = 5, seed: int = 2) -> torch.Tensor:
    with seeded(seed):
        return torch.randint(2, (n, dim))


def every(dim: int) -> torch.Tensor:
    return torch.tensor(list(product((0, 1), repeat=dim)))


def close(got, want, atol=1e-12):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_is_a_density_and_its_loss_a_mean(layers):
    model, x = deep(layers=layers), bits()
    assert isinstance(model, Density)
    check_sampler(model, x)
    check_one_number_a_row(model.log_prob, x)
    check_discrete_density(model, 2, x)
    check_loss_is_a_mean(model.loss, x)


@pytest.mark.parametrize("order", [None, ORDER])
def test_in_each_order_a_place_sees_those_before_it_and_no_other(order):
    model, x = deep(), bits()
    check_autoregressive(lambda x: model.logits(x, order), x, 2, order, past=True)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 1e2]))
def test_any_sizes_and_any_scale_stay_finite(dim, hidden, layers, n, scale):
    model, x = deep(dim, hidden, layers, scale=scale), bits(n, dim)
    order = torch.randperm(dim)
    for log_p in (model.log_prob(x), model.log_prob(x, order), model.log_prob_ensemble(x, order[None])):
        assert log_p.shape == (n,) and torch.isfinite(log_p).all() and (log_p <= 0).all()
    grads = torch.autograd.grad(model.loss(x), list(model.parameters()))
    assert all(torch.isfinite(g).all() for g in grads)
    assert model.sample(n).shape == (n, dim) and model.sample(n, order=order).shape == (n, dim)
    assert model.complete(x, torch.ones(dim, dtype=torch.bool)).equal(x)


# oracles --------------------------------------------------------------------------------------------------------------


def chain(model: DeepNADE, x: torch.Tensor, order) -> torch.Tensor:
    """log p(x | o) by (1), one call of the network for each place."""
    total = torch.zeros(len(x), dtype=F64)
    for d, place in enumerate(order):
        seen = torch.zeros_like(x, dtype=torch.bool)
        seen[:, list(order[:d])] = True
        logit = model.logits_given(x, seen)[:, place]
        total = total + torch.distributions.Bernoulli(logits=logit).log_prob(x[:, place].double())
    return total


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_running_sum_is_the_network_shown_each_part_in_turn(layers):
    model, x = deep(layers=layers), bits()
    for order in (range(5), ORDER.tolist()):
        close(model.log_prob(x, torch.tensor(list(order))), chain(model, x, list(order)).detach())
    close(model.log_prob(x), chain(model, x, list(range(5))).detach())


def test_its_network_takes_the_seen_bits_and_the_mask():
    """(1) written out with the layers' own weights."""
    model, x, seen = deep(), bits(), bits(seed=3).bool()
    h = torch.cat([(x * seen).double(), seen.double()], 1) @ model.first.weight.T + model.first.bias
    h = (h.relu() @ model.hidden[2].weight.T + model.hidden[2].bias).relu()
    close(model.logits_given(x, seen), (h @ model.last.weight.T + model.last.bias).detach())


def test_the_expected_loss_is_the_mean_over_orders():
    """D = 4: all 24 orders and all 4 cuts, each as likely as the other, give the mean of -log p(x | o), row by row."""
    model, x = deep(4), bits(5, 4)
    orders = list(permutations(range(4)))
    terms = []
    for order in orders:
        for d in range(4):
            seen = torch.zeros_like(x, dtype=torch.bool)
            seen[:, list(order[:d])] = True
            terms.append(model.loss_given(x, seen))
    want = -torch.stack([chain(model, x, order) for order in orders]).mean(0)
    close(torch.stack(terms).mean(0), want.detach())


@pytest.mark.parametrize("n", [1, 3, 8])
def test_the_loss_draws_orders_and_cuts_evenly(n):
    """Its mean over many draws is the mean over orders, within five standard errors, for batches of any size."""
    model, x = deep(4), bits(n, 4)
    want = -torch.stack([chain(model, x, order) for order in permutations(range(4))]).mean()
    with torch.no_grad():
        drawn = torch.stack([model.loss(x) for _ in range(4000)])
    assert (drawn.mean() - want).abs() < 5 * drawn.std() / 4000**0.5


def test_one_batch_of_d_rows_has_each_cut_once():
    """Spread evenly: with D rows the numbers of seen places are 0 to D - 1, each once, whatever is drawn."""
    model, x, seen = deep(), bits(5), []
    whole = model.loss_given
    model.loss_given = lambda x, s: seen.append(s) or whole(x, s)
    for _ in range(20):
        model.loss(x)
    assert all(sorted(s.sum(1).tolist()) == [0, 1, 2, 3, 4] for s in seen)
    each = torch.stack(seen).double().mean((0, 1))  # how often each place is seen: 2 of 5
    assert ((each - 0.4).abs() < 5 * (0.24 / 100) ** 0.5).all()


def test_a_bit_that_is_not_seen_changes_nothing():
    model, x = deep(), bits()
    seen = torch.tensor([True, False, True, False, False]).expand(6, 5)
    moved = torch.where(seen, x, 1 - x)
    assert torch.equal(model.logits_given(x, seen), model.logits_given(moved, seen))


def test_a_bit_seen_as_0_is_not_a_bit_unseen():
    model, x = deep(), torch.zeros(1, 5, dtype=torch.long)
    seen = torch.tensor([[True, False, False, False, False]])
    assert not torch.allclose(model.logits_given(x, seen)[:, 1:], model.logits_given(x, ~seen & False)[:, 1:])


def test_every_chain_and_their_mixture_have_mass_one():
    model, x = deep(4), every(4)
    orders = torch.tensor(list(permutations(range(4))))
    for order in orders:
        close(model.log_prob(x, order).exp().sum(), 1.0)
    close(model.log_prob_ensemble(x, orders).exp().sum(), 1.0)
    p = torch.stack([model.log_prob(x, order) for order in orders]).detach().exp().mean(0)
    close(model.log_prob_ensemble(x, orders), p.log())


def test_mass_one_over_ten_bits():
    model = deep(10, 8)
    close(model.log_prob(every(10), torch.randperm(10)).exp().sum(), 1.0, 1e-12)


def frequencies_agree(x: torch.Tensor, events: torch.Tensor, p: torch.Tensor) -> None:
    hits = (x[:, None] == events).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p * (1 - p) / len(x)).sqrt()).all()


def test_samples_in_an_order_follow_its_chain():
    model, events = deep(), every(5)
    p = model.log_prob(events, ORDER).detach().exp()
    frequencies_agree(model.sample(40_000, order=ORDER), events, p)
    assert (p - model.log_prob(events).detach().exp()).abs().max() > 0.01, "another order is another density"


def test_completion_starts_from_any_places():
    """Places 1 and 3 known, the others in a given order: frequencies against the chain that has 1 and 3 first."""
    model, n = deep(), 40_000
    start, known = torch.tensor([1, 1, 1, 0, 1]), torch.tensor([False, True, False, True, False])
    events = start.expand(8, 5).clone()
    events[:, ~known] = every(3)
    p = model.log_prob(events, torch.tensor([3, 1, 0, 4, 2])).detach().exp()  # known first, then as in ORDER
    x = model.complete(start.expand(n, 5), known, order=ORDER)
    assert (x[:, known] == start[known]).all() and torch.equal(start, torch.tensor([1, 1, 1, 0, 1]))
    frequencies_agree(x, events, p / p.sum())


def test_completion_without_an_order_draws_one():
    """The one known place decides nothing here; the two unknown ones are drawn in either order, each in half of the calls."""
    model, n = deep(3), 200
    known, start = torch.tensor([True, False, False]), torch.ones(n, 3).long()
    events = torch.tensor([[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
    chains = [model.log_prob(events, torch.tensor(o)).detach().exp() for o in ([0, 1, 2], [0, 2, 1])]
    p = torch.stack([c / c.sum() for c in chains])
    assert (p[0] - p[1]).abs().max() > 0.01
    hits = torch.stack([(model.complete(start, known)[:, None] == events).all(-1).double().mean(0) for _ in range(400)])
    error = hits.std(0) / 400**0.5
    assert ((hits.mean(0) - p.mean(0)).abs() < 5 * error).all()
    assert ((hits.mean(0) - p[0]).abs() > 5 * error).any() and ((hits.mean(0) - p[1]).abs() > 5 * error).any()


def test_temperature_scales_each_logit():
    """One bit: at temperature 2 it is 1 with probability sigmoid(logit / 2)."""
    model, n = DeepNADE(1, 2, 1), 20_000
    with torch.no_grad():
        model.last.weight.zero_()
        model.last.bias.fill_(2.0)
    p, none = 1 / (1 + math.exp(-1)), torch.tensor([False])
    for x in (model.sample(n, temperature=2.0), model.complete(torch.zeros(n, 1).long(), none, temperature=2.0)):
        assert abs(x.double().mean() - p) < 5 * (p * (1 - p) / n) ** 0.5


def test_dropout_is_for_training_only_and_in_every_hidden_layer():
    x, seen = bits(), torch.zeros(6, 5, dtype=torch.bool)
    for layers in (1, 3):
        model = deep(layers=layers, dropout=0.5)
        assert sum(isinstance(m, torch.nn.Dropout) for m in model.modules()) == layers
        assert torch.equal(model.logits_given(x, seen), model.logits_given(x, seen))
        model.train()
        assert not torch.equal(model.logits_given(x, seen), model.logits_given(x, seen))


@pytest.mark.slow
def test_training_ends_between_what_it_must_beat_and_what_it_cannot_pass():
    """Binary digits: better than independent bits (25.2) by 4 nats, in an order that it was never asked for before."""
    data = digits("binary", flat=True)
    with seeded(0):
        model, order = DeepNADE(64, 128, 1), torch.randperm(64)
    fit.fit(model, data.train, rounds=600, batch_size=64, lr=5e-3, progress=False)
    assert 15 < -model.log_prob(data.test, order).mean().item() < 21.2


# limits ---------------------------------------------------------------------------------------------------------------


def test_an_ensemble_of_one_order_is_its_chain():
    model, x = deep(), bits()
    close(model.log_prob_ensemble(x, ORDER[None]), model.log_prob(x, ORDER).detach())
    close(model.log_prob_ensemble(x, torch.stack([ORDER] * 3)), model.log_prob(x, ORDER).detach())


def test_one_bit_is_a_bernoulli():
    model, x = deep(1, 4), torch.tensor([[0], [1]])
    logit = model.logits(x)
    close(model.log_prob(x), torch.distributions.Bernoulli(logits=logit[:, 0]).log_prob(x[:, 0].double()).detach())
    close(model.loss(x), -model.log_prob(x).mean().detach())


def test_it_overfits_a_constant():
    with seeded(0):
        model = DeepNADE(5, 16, 1)
    x = torch.tensor([[0, 1, 1, 0, 1]]).expand(32, 5)
    fit.fit(model, x, rounds=400, batch_size=32, lr=0.05, progress=False)
    assert -model.log_prob(x, ORDER).mean().item() < 0.01


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dim": 0}, "dim must be a whole number of at least 1, got 0"),
        ({"hidden": 0}, "hidden must be a whole"),
        ({"layers": 1.0}, "layers must be a whole"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": -0.1}, "dropout"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        DeepNADE(**{"dim": 3, "hidden": 4, "layers": 1, **options})


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
        getattr(deep(), method)(x)
    with pytest.raises(ValueError, match=words):
        deep().complete(x, torch.tensor([True] * 5))
    with pytest.raises(ValueError, match=words):
        deep().logits_given(x, torch.zeros(x.shape, dtype=torch.bool))


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 3, 3], [1, 2, 3, 4, 5]])
def test_bad_order(order):
    model, order = deep(), torch.tensor(order)
    for call in (
        lambda: model.log_prob(bits(), order),
        lambda: model.sample(2, order=order),
        lambda: model.complete(bits(), torch.ones(5, dtype=torch.bool), order=order),
        lambda: model.log_prob_ensemble(bits(), order[None]),
    ):
        with pytest.raises(ValueError, match="each of the places 0 to 4 once"):
            call()


@pytest.mark.parametrize("orders", [ORDER, torch.zeros(0, 5).long()])
def test_bad_orders(orders):
    with pytest.raises(ValueError, match=r"orders must be \[orders, 5\] with at least one"):
        deep().log_prob_ensemble(bits(), orders)


@pytest.mark.parametrize(("n", "options", "words"), [(0, {}, "at least 1, got 0"), (3, {"temperature": 0.0}, "above 0")])
def test_bad_requests_for_samples(n, options, words):
    with pytest.raises(ValueError, match=words):
        deep().sample(n, **options)


@pytest.mark.parametrize("known", [torch.tensor([True, False]), torch.ones(5)])
def test_bad_known(known):
    with pytest.raises(ValueError, match="known must be 5 truth values"):
        deep().complete(bits(), known)


def test_bytes_are_refused_where_they_would_give_another_number():
    model = deep()
    assert_bytes_are_refused(model, bits(), lambda x: model.loss_given(x, x > 0))


@pytest.mark.parametrize("seen", [torch.zeros(5, dtype=torch.bool), torch.zeros(6, 5), torch.zeros(6, 5).long()])
def test_bad_seen(seen):
    for call in (deep().logits_given, deep().loss_given):
        with pytest.raises(ValueError, match=r"seen must be truth values \[6, 5\], as x, got "):
            call(bits(), seen)


def test_an_order_may_be_of_any_type_of_whole_numbers():
    model, x = deep(), bits()
    for kind in (torch.int32, torch.float32):
        assert torch.equal(model.log_prob(x, ORDER.to(kind)), model.log_prob(x, ORDER))


def test_sampling_knows_no_dropout_and_leaves_the_mode_alone():
    assert_draws_know_no_dropout(deep(dropout=0.9), bits(200))
