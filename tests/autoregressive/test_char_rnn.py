"""Oracles for the character model: an LSTM written out, finite differences, enumeration, and a source whose entropy is known."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from genedu.autoregressive import CharRNN
from genedu.autoregressive.char_rnn import check_lengths
from genedu.core import Density, seeded
from genedu.data import markov_text, ngram_log_prob, questions
from genedu.fit import fit
from tests.laws import check_cached, check_one_number_a_row, check_sampler

F64 = torch.float64
with seeded(41):
    X = torch.randint(3, (6, 5))
LENGTHS = torch.tensor([1, 2, 3, 4, 5, 3])


def wild(vocabulary: int = 3, hidden: int = 5, **options) -> CharRNN:
    """All parameters different, in double precision."""
    with seeded(42):
        model = CharRNN(vocabulary, hidden, **options).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.8)
    return model


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_a_density_with_one_number_a_row(layers):
    model = wild(layers=layers)
    assert isinstance(model, Density)
    short = model.sample
    model.sample = lambda n: short(n, length=5)
    check_sampler(model, X)
    check_one_number_a_row(model.log_prob, X)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 12), st.integers(1, 4))
def test_any_sizes(vocabulary, hidden, length, n):
    model = CharRNN(vocabulary, hidden)
    x = model.sample(n, length=length)
    assert x.shape == (n, length) and x.dtype == torch.long and (x >= 0).all() and (x < vocabulary).all()
    assert model.logits(x).shape == (n, length, vocabulary) and torch.isfinite(model.log_prob(x)).all()


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_network_is_the_lstm_of_the_equations():
    """(2) and (3) step by step with the gates written out; torch's order of gates is i, f, g, o."""
    model = wild()
    weight = {name: value.detach() for name, value in model.rnn.named_parameters()}
    h = s = torch.zeros(6, 5, dtype=F64)
    before = torch.full((6,), 3)
    for t in range(5):
        e = model.embedding.weight[before].detach()
        gates = e @ weight["weight_ih_l0"].T + weight["bias_ih_l0"] + h @ weight["weight_hh_l0"].T + weight["bias_hh_l0"]
        i, f, g, o = gates.chunk(4, 1)
        s = f.sigmoid() * s + i.sigmoid() * g.tanh()
        h = o.sigmoid() * s.tanh()
        close(model.logits(X)[:, t], h @ model.head.weight.detach().T + model.head.bias.detach())
        before = X[:, t]


def test_the_gradient_is_that_of_finite_differences():
    """A three-step LSTM, every parameter: (f(w + h) - f(w - h)) / 2 h."""
    model, x = wild(hidden=2), X[:2, :3]
    loss = model.loss(x)
    loss.backward()
    for parameter in model.parameters():
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        for j in range(len(flat)):
            old, values = flat[j].item(), []
            for step in (1e-5, -1e-5):
                flat[j] = old + step
                values.append(model.loss(x).item())
            flat[j] = old
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope[j].item(), abs=1e-8)


def test_mass_one_over_all_texts():
    events = torch.tensor(list(product(range(3), repeat=5)))
    close(wild().log_prob(events).exp().sum(), 1.0)


def test_a_row_ends_where_its_length_says():
    """log p of the first n symbols: the mass of all texts that begin so."""
    model = wild()
    got = model.log_prob(X, LENGTHS)
    for row, n, value in zip(X, LENGTHS.tolist(), got, strict=True):
        close(model.log_prob(row[None, :n])[0], value.item())
        tails = torch.tensor(list(product(range(3), repeat=5 - n))).view(3 ** (5 - n), 5 - n).long()
        close(model.log_prob(torch.cat([row[:n].expand(len(tails), n), tails], 1)).logsumexp(0), value.item())
    changed = X.clone()
    changed[torch.arange(5) >= LENGTHS[:, None]] = 0
    close(model.log_prob(changed, LENGTHS), got.detach())
    close(model.loss((X, LENGTHS)), -got.mean().item())
    close(model.loss(X), -model.log_prob(X).mean().item())


def test_reading_on_is_reading_at_once():
    """One pass over the row, or symbol by symbol with the state carried: the same logits."""
    model = wild(layers=2)
    state, found = None, []
    for before in [torch.full((6, 1), 3), *X[:, :4].split(1, 1)]:
        h, state = model.rnn(model.embedding(before), state)
        found.append(model.head(h))
    close(torch.cat(found, 1), model.logits(X).detach())


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0])
def test_the_cached_sampler_draws_the_same(temperature):
    check_cached(lambda n, cached: wild().sample(n, length=9, temperature=temperature, cached=cached))
    prompt = torch.tensor([2, 0, 1])
    check_cached(lambda n, cached: wild().sample(n, length=9, temperature=temperature, cached=cached, prompt=prompt))


def test_a_prompt_begins_each_row_and_conditions_it():
    model, prompt, n = wild(), torch.tensor([2, 0]), 20_000
    x = model.sample(n, length=3, prompt=prompt)
    assert (x[:, :2] == prompt).all()
    p = model.logits(torch.tensor([[2, 0, 0]]))[0, 2].softmax(0).detach()
    assert chisquare(torch.bincount(x[:, 2], minlength=3), n * p.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logits(temperature):
    model, n = wild(), 20_000
    x = model.sample(n, length=1, temperature=temperature)
    p = (model.logits(X[:1, :1])[0, 0] / temperature).softmax(0).detach()
    assert chisquare(torch.bincount(x[:, 0], minlength=3), n * p.numpy()).pvalue > 1e-4


@pytest.mark.slow
def test_it_comes_near_the_entropy_of_the_source_and_not_below():
    """Between the bigram model and the entropy; its own samples have the pairs of the source (chi-square)."""
    data = markov_text(4, length=32, sizes=(2000, 10, 1000))
    with seeded(0):
        model = CharRNN(4, 24)
    fit(model, data.train, rounds=300, batch_size=64, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    with torch.no_grad():
        lost = (data.log_prob(data.test) - model.log_prob(data.test)) / 32  # nats a symbol, KL in the mean
    error = lost.std().item() / len(lost) ** 0.5
    assert -3 * error < lost.mean().item() < 0.03
    bigram = -ngram_log_prob(data.train, data.test, order=1, symbols=4).mean().item()
    assert data.entropy_rate + 0.03 < bigram
    x = model.sample(4000, length=12)[:, -2:]
    hits = torch.bincount(4 * x[:, 0] + x[:, 1], minlength=16)
    assert chisquare(hits, 4000 * data.stationary.flatten().numpy()).pvalue > 1e-6


@pytest.mark.slow
def test_it_learns_ragged_rows_and_its_questions_parse():
    data = questions(sizes=(2000, 10, 400))
    with seeded(0):
        model = CharRNN(len(data.vocabulary), 48)
    fit(model, (data.train, data.train_lengths), rounds=250, batch_size=64, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    with torch.no_grad():
        lost = data.log_prob(data.test, data.test_lengths) - model.log_prob(data.test, data.test_lengths)
    assert -3 * lost.std().item() / 20 < lost.mean().item() < 1.0
    x = model.sample(300, length=30)
    assert torch.isfinite(data.log_prob(x)).double().mean() > 0.7


def test_a_constant_text_costs_nothing():
    model, x = CharRNN(3, 8), torch.tensor([[0, 1, 2, 2, 1]]).expand(32, 5)
    fit(model, x, rounds=150, batch_size=32, lr=0.05, progress=False)
    assert model.loss(x).item() < 0.02 and (model.sample(20, length=5) == x[:20]).double().mean() > 0.95


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_weights_all_symbols_are_equally_likely():
    model = CharRNN(7, 4)
    for parameter in model.head.parameters():
        torch.nn.init.zeros_(parameter)
    close(model.log_prob(X), torch.full((6,), -5 * math.log(7)), 1e-5)


def test_lengths_that_are_all_full_change_nothing():
    close(wild().log_prob(X, torch.full((6,), 5)), wild().log_prob(X).detach())


def test_two_layers_are_one_on_top_of_the_other():
    model = wild(layers=2)
    first, second = torch.nn.LSTM(5, 5, batch_first=True).double(), torch.nn.LSTM(5, 5, batch_first=True).double()
    for lstm, layer in ((first, 0), (second, 1)):
        lstm.load_state_dict(
            {n.replace(f"l{layer}", "l0"): v for n, v in model.rnn.state_dict().items() if n.endswith(f"l{layer}")}
        )
    before = torch.cat([torch.full((6, 1), 3), X[:, :-1]], 1)
    close(model.logits(X), model.head(second(first(model.embedding(before))[0])[0]).detach())


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vocabulary": 0}, "vocabulary must be a whole number of at least 1, got 0"),
        ({"hidden": 2.5}, "hidden must be a whole"),
        ({"layers": 0}, "layers must be a whole"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        CharRNN(**{"vocabulary": 3, **options})


@pytest.mark.parametrize("method", ["log_prob", "logits", "loss"])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.tensor([[0, 3]]), "levels 0 to 2; got 3"),
        (torch.tensor([0, 1]), r"\[batch, any\]"),
        (torch.zeros(2, 0).long(), "batch >= 1"),
        (torch.zeros(2, 2), "whole numbers"),
        (torch.zeros(2, 2).byte(), r"symbols of torch.long, got torch.uint8: use x.long"),
    ],
)
def test_bad_rows(method, x, words):
    with pytest.raises(ValueError, match=words):
        getattr(CharRNN(3, 4), method)(x)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        (torch.tensor([1, 2]), "one whole number for each of 6 rows"),
        (torch.ones(6), "one whole number"),
        (torch.ones(6, 1).long(), "one whole number"),
        (torch.tensor([1, 2, 3, 0, 1, 1]), "lengths must be 1 to 5, the length of x; got 0"),
        (torch.tensor([1, 2, 6, 1, 1, 1]), "got 6"),
    ],
)
def test_bad_lengths(lengths, words):
    for act in (check_lengths, lambda lengths, x: CharRNN(3, 4).log_prob(x, lengths)):
        with pytest.raises(ValueError, match=words):
            act(lengths, X)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "n and length must be at least 1, got 0 and 5"),
        ({"length": 0}, "got 1 and 0"),
        ({"prompt": torch.tensor([0, 1, 2, 0, 1])}, "above 5, got 5"),
        ({"prompt": torch.tensor([3])}, "levels 0 to 2"),
        ({"prompt": torch.tensor([[1]])}, r"prompt must be \[P\] symbols, at least one, got \[1, 1\]"),
        ({"prompt": torch.tensor([]).long()}, "prompt must be"),
        ({"temperature": 0.0}, "temperature must be"),
        ({"temperature": math.inf}, "temperature must be"),
    ],
)
def test_bad_samples(options, words):
    with pytest.raises(ValueError, match=words):
        CharRNN(3, 4).sample(**{"n": 1, "length": 5, **options})
