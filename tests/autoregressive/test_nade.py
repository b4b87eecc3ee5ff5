"""Oracles for NADE: the sum written out, enumeration, finite differences, and its limits."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from genedu import fit
from genedu.autoregressive import NADE
from genedu.core import Density, seeded
from genedu.data import digits
from tests.autoregressive.bit_models import assert_bytes_are_refused
from tests.laws import check_autoregressive, check_cached, check_discrete_density, check_one_number_a_row, check_sampler

F64 = torch.float64


def nade(dim: int = 5, hidden: int = 3, seed: int = 1, scale: float = 1.0) -> NADE:
    """All parameters different from 0 and from each other, in double precision."""
    with seeded(seed):
        model = NADE(dim, hidden).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return model


def bits(n: int = 6, dim: int = 5, seed: int = 2) -> torch.Tensor:
    with seeded(seed):
        return torch.randint(2, (n, dim))


def naive(model: NADE, x: torch.Tensor) -> torch.Tensor:
    """Logits by (1) and (2) as they stand: a sum over all earlier bits for each bit."""
    v = x.double()
    return torch.stack([(model.c + v[:, :i] @ model.W[:i]).sigmoid() @ model.V[i] + model.b[i] for i in range(model.dim)], dim=1)


def close(got, want, atol=1e-12):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


def test_it_is_an_autoregressive_density():
    model, x = nade(), bits()
    assert isinstance(model, Density)
    check_sampler(model, x)
    check_one_number_a_row(model.log_prob, x)
    check_discrete_density(model, 2, x)
    check_autoregressive(model.logits, x, 2, None, past=True)
    check_cached(model.sample)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 7), st.integers(0, 6), st.integers(1, 5), st.sampled_from([1e-3, 1.0, 1e3]))
def test_any_sizes_and_any_scale_stay_finite(dim, hidden, n, scale):
    model, x = nade(dim, hidden, scale=scale), bits(n, dim)
    log_p = model.log_prob(x)
    assert log_p.shape == (n,) and torch.isfinite(log_p).all() and (log_p <= 0).all()
    grads = torch.autograd.grad(model.loss(x), list(model.parameters()))
    assert all(torch.isfinite(g).all() for g in grads)
    assert model.sample(n).shape == (n, dim)


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_running_sum_is_the_sum_written_out():
    model, x = nade(9, 4), bits(20, 9)
    close(model.logits(x), naive(model, x).detach())
    each = torch.distributions.Bernoulli(logits=naive(model, x)).log_prob(x.double())
    close(model.log_prob(x), each.sum(1).detach())


def test_its_gradient_is_autograds_through_the_sum_written_out():
    model, x = nade(9, 4), bits(20, 9)
    weight = torch.randn(20, 9, dtype=F64)
    want = torch.autograd.grad((weight * naive(model, x)).sum(), list(model.parameters()))
    got = torch.autograd.grad((weight * model.logits(x)).sum(), list(model.parameters()))
    for a, b in zip(got, want, strict=True):
        close(a, b)


def test_its_gradient_is_that_of_finite_differences():
    model, x = nade(4, 3), bits(5, 4)
    model.logits(x)
    names = ["W", "V", "b", "c"]

    def logits(*values):
        return torch.func.functional_call(Logits(model), {f"model.{n}": v for n, v in zip(names, values, strict=True)}, (x,))

    assert torch.autograd.gradcheck(logits, [getattr(model, n).detach().clone().requires_grad_() for n in names])


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.logits(x)


def test_the_gradient_does_not_change_what_was_kept_for_it():
    """Two passes back over one graph give the same."""
    model, x = nade(), bits()
    loss = model.loss(x)
    first = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_walking_back_loses_no_more_than_rounding():
    """784 bits, single precision: the gradient is that of double precision to 1e-5 of its size."""
    with seeded(3):
        model = NADE(784, 50)
    x = bits(16, 784)
    got = torch.autograd.grad(model.loss(x), list(model.parameters()))
    want = torch.autograd.grad(model.double().loss(x), list(model.parameters()))
    for a, b in zip(got, want, strict=True):
        assert (a - b).norm() < 1e-5 * b.norm()


def test_it_keeps_one_sum_not_one_for_each_bit():
    """The tensors saved for the way back together are far smaller than [B, D, H]."""
    model, x = NADE(60, 50), bits(40, 60)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        model.loss(x)
    assert sum(kept) < 40 * 60 * 50 / 5


def test_mass_one_over_ten_bits():
    model = nade(10, 6)
    every = torch.tensor(list(product((0, 1), repeat=10)))
    close(model.log_prob(every).exp().sum(), 1.0, 1e-12)


def test_the_mean_of_its_samples_own_log_prob_is_its_entropy():
    """-E log p over own samples against the entropy by enumeration: within five standard errors."""
    model = nade(6, 4)
    log_p = model.log_prob(torch.tensor(list(product((0, 1), repeat=6)))).detach()
    entropy = -(log_p.exp() * log_p).sum()
    drawn = -model.log_prob(model.sample(20_000)).detach()
    assert (drawn.mean() - entropy).abs() < 5 * drawn.std() / 20_000**0.5


def test_the_parameters_are_counted_as_on_the_card():
    assert sum(p.numel() for p in NADE(7, 5).parameters()) == 2 * 7 * 5 + 7 + 5


def test_temperature_scales_each_logit():
    """One bit: at temperature 2 it is 1 with probability sigmoid(b / 2)."""
    model = NADE(1, 0)
    torch.nn.init.constant_(model.b, 2.0)
    ones = int(model.sample(20_000, temperature=2.0).sum())
    assert binomtest(ones, 20_000, 1 / (1 + math.exp(-1))).pvalue > 1e-5
    given_ = int(model.complete(torch.zeros(20_000, 1).long(), torch.tensor([False]), temperature=2.0).sum())
    assert binomtest(given_, 20_000, 1 / (1 + math.exp(-1))).pvalue > 1e-5


def test_completion_follows_the_conditional():
    """Frequencies of the last three of five bits, given the first two, against p(x) / p(x_1, x_2) by enumeration."""
    model, n = nade(), 40_000
    start = torch.tensor([1, 0, 1, 1, 1])  # its last three are to be ignored
    known = torch.tensor([True, True, False, False, False])
    rest = torch.tensor(list(product((0, 1), repeat=3)))
    events = torch.cat([start[:2].expand(8, 2), rest], 1)
    p = model.log_prob(events).detach().exp()
    p = p / p.sum()
    x = model.complete(start.expand(n, 5), known)
    assert (x[:, :2] == start[:2]).all() and torch.equal(start, torch.tensor([1, 0, 1, 1, 1]))
    hits = (x[:, None] == events).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


@pytest.mark.slow
def test_training_ends_between_what_it_must_beat_and_what_it_cannot_pass():
    """Binary digits: better than independent bits (25.2) by 5 nats, on test rows, in ten passes; and never below 0."""
    data = digits("binary", flat=True)
    with seeded(0):
        model = NADE(64, 32)
    fit.fit(model, data.train, rounds=180, batch_size=64, lr=1e-2, progress=False)
    assert 15 < model.loss(data.test).item() < 20.2


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_hidden_units_the_bits_are_independent():
    model, x = nade(5, 0), bits()
    close(model.logits(x), model.b.detach().expand(6, 5))


def test_it_overfits_a_constant():
    """-log p goes to 0 where all rows are alike: a sigmoid that is applied twice stays at 5 log(1 + 1/e)."""
    with seeded(0):
        model = NADE(5, 4)
    x = torch.tensor([[0, 1, 1, 0, 1]]).expand(32, 5)
    fit.fit(model, x, rounds=400, batch_size=32, lr=0.1, progress=False)
    assert model.loss(x).item() < 0.01


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "hidden", "words"), [(0, 3, "dim must be a whole number of at least 1, got 0"), (2.0, 3, "dim")])
def test_bad_dim(dim, hidden, words):
    with pytest.raises(ValueError, match=words):
        NADE(dim, hidden)


@pytest.mark.parametrize("hidden", [-1, 2.5])
def test_bad_hidden(hidden):
    with pytest.raises(ValueError, match="hidden must be a whole number of at least 0"):
        NADE(3, hidden)


@pytest.mark.parametrize("method", ["logits", "log_prob", "loss"])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 3).long(), r"\[batch, 5\]"),
        (torch.zeros(2, 1, 5).long(), r"flatten\(1\)"),
        (torch.zeros(4, 5), "whole numbers 0 to 1"),
        (torch.full((4, 5), 2), "levels 0 to 1; got 2"),
    ],
)
def test_bad_rows(method, x, words):
    with pytest.raises(ValueError, match=words):
        getattr(nade(), method)(x)
    with pytest.raises(ValueError, match=words):
        nade().complete(x, torch.tensor([True] * 5))


@pytest.mark.parametrize(("n", "options", "words"), [(0, {}, "at least 1, got 0"), (3, {"temperature": 0.0}, "above 0")])
def test_bad_requests_for_samples(n, options, words):
    with pytest.raises(ValueError, match=words):
        nade().sample(n, **options)


@pytest.mark.parametrize(("known", "late"), [([False, True, True, True, True], 1), ([True, False, False, True, False], 3)])
def test_it_cannot_start_from_places_in_between(known, late):
    with pytest.raises(ValueError, match=rf"before all unknown ones.*DeepNADE.*too late; got {late}"):
        nade().complete(bits(), torch.tensor(known))


@pytest.mark.parametrize("known", [torch.tensor([True, False]), torch.ones(5)])
def test_bad_known(known):
    with pytest.raises(ValueError, match="known must be 5 truth values"):
        nade().complete(bits(), known)


def test_bytes_are_refused_where_they_would_give_another_number():
    model = nade()
    assert_bytes_are_refused(model, bits(), lambda x: model.complete(x, torch.ones(5, dtype=torch.bool)))
