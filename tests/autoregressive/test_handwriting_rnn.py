"""Oracles for the pen: scipy's Gaussians, quadrature, the Rosenblatt transform of own samples, words whose density is known."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, multivariate_normal, norm

from genedu.autoregressive import HandwritingRNN
from genedu.autoregressive.handwriting_rnn import Pen
from genedu.core import Density, seeded
from genedu.data import strokes
from genedu.data.strokes import decode, read
from genedu.fit import fit
from tests.laws import check_one_number_a_row, check_sampler

F64 = torch.float64
with seeded(51):
    X = torch.cat([torch.randn(5, 4, 2, dtype=F64), (torch.rand(5, 4, 1) < 0.4).double()], -1)
    Y = torch.randint(1, 4, (5, 3))
LENGTHS = torch.tensor([4, 1, 2, 3, 4])


def wild(components: int = 3, **options) -> HandwritingRNN:
    """All parameters different, in double precision."""
    with seeded(52):
        model = HandwritingRNN(components, **{"hidden": 6, "floor": 0.2, **options}).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return model


def told() -> HandwritingRNN:
    return wild(characters=3)


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def pen(rho: float = 0.3, **changes: torch.Tensor) -> Pen:
    """One component at (1, -1) with sigma (0.5, 2)."""
    parts = {
        "logits": torch.zeros(1, dtype=F64),
        "mu": torch.tensor([[1.0, -1.0]], dtype=F64),
        "sigma": torch.tensor([[0.5, 2.0]], dtype=F64),
        "rho": torch.tensor([rho], dtype=F64),
        "end": torch.tensor(-1.0, dtype=F64),
    }
    return Pen(**(parts | changes))


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [wild, told])
def test_it_is_a_density_with_one_number_a_row(build):
    model = build()
    assert isinstance(model, Density)
    check_one_number_a_row(model.log_prob, X)
    whole = model.sample
    model.sample = lambda n: whole(n, length=4)
    check_sampler(model, X)


@pytest.mark.parametrize("build", [wild, told])
def test_a_step_depends_on_those_before_it_alone(build):
    """Change one step: the parameters of all later steps move, those of itself and before do not."""
    model, y = build(), Y if build is told else None
    old = model.steps(X, y)
    for t in range(4):
        for part in (0, 2):
            x = X.clone()
            x[:, t, part] = 1 - x[:, t, part]
            new = model.steps(x, y)
            change = [(a - b).abs().flatten(2).amax((0, 2)) for a, b in zip(old[:4], new[:4], strict=True)]
            moved = torch.stack([*change, (old.end - new.end).abs().amax(0)]).amax(0) > 1e-12  # [T]
            assert moved.tolist() == [s > t for s in range(4)]


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_density_of_a_step_is_scipys():
    model = wild()
    got, steps = model.log_prob(X), model.steps(X)
    want = np.zeros(5)
    for b in range(5):
        for t in range(4):
            p = 0.0
            for j, pi in enumerate(steps.logits[b, t].softmax(0).tolist()):
                s1, s2 = steps.sigma[b, t, j].tolist()
                r = steps.rho[b, t, j].item()
                c = [[s1**2, r * s1 * s2], [r * s1 * s2, s2**2]]
                p += pi * multivariate_normal(steps.mu[b, t, j].detach(), c).pdf(X[b, t, :2])
            q = steps.end[b, t].sigmoid().item()
            want[b] += math.log(p) + math.log(q if X[b, t, 2] else 1 - q)
    close(got, want)


def test_the_parameters_are_in_their_ranges():
    steps = wild().steps(X * torch.tensor([50, 50, 1]))
    assert (steps.sigma > 0.2).all() and (steps.rho.abs() <= 0.999).all()
    assert steps.logits.shape == (5, 4, 3) == steps.rho.shape and steps.mu.shape == (5, 4, 3, 2) == steps.sigma.shape
    assert steps.end.shape == (5, 4)


def test_a_step_integrates_to_one_on_a_grid():
    """Over dx, dy and both values of e; first the start, then the second step given the first."""
    model = wild()
    line = torch.linspace(-20, 20, 401, dtype=F64)
    points = torch.cartesian_prod(line, line)
    total = torch.zeros(2, dtype=F64)
    for e in (0.0, 1.0):
        first = torch.cat([points, torch.full((len(points), 1), e, dtype=F64)], 1)[:, None]  # [G, 1, 3]
        pair = torch.cat([X[:1, :1].expand(len(points), 1, 3), first], 1)
        with torch.no_grad():
            total[0] += model.log_prob(first).exp().sum() * 0.1**2
            total[1] += (model.log_prob(pair) - model.log_prob(X[:1, :1])).exp().sum() * 0.1**2
    close(total, torch.ones(2), 1e-6)


@pytest.mark.parametrize("rho", [0.999, -0.999])
def test_nearly_one_line_is_still_finite(rho):
    """On the ridge and across it: scipy's values, and finite gradients (32 bits)."""
    c = [[0.25, rho], [rho, 4.0]]
    x = torch.tensor([[1.5, -1 + 2 * rho, 1.0], [1.5, -1 - 2 * rho, 0.0], [9.0, 9.0, 0.0]], dtype=F64)
    want = multivariate_normal([1, -1], c).logpdf(x[:, :2].numpy()) + np.log([1 / (1 + math.e), *[1 - 1 / (1 + math.e)] * 2])
    close(pen(rho).log_prob(x), want, 1e-8 * abs(want).max())
    single = Pen(*(v.float().requires_grad_() for v in pen(rho)))
    value = single.log_prob(x.float()).sum()
    value.backward()
    assert torch.isfinite(value) and all(torch.isfinite(v.grad).all() for v in single)


def test_a_lone_point_far_away_is_finite():
    """exp(-1e6) is nothing in any precision; its logarithm is not. Pen-up bits of logit 1e4 too."""
    far = torch.tensor([1000.0, 1000.0, 1.0], dtype=F64)
    value = pen(end=torch.tensor(-1e4, dtype=F64)).log_prob(far)
    assert torch.isfinite(value) and value < -1e6


def rosenblatt(steps: Pen, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """F(dx) and F(dy | dx): uniform and independent if x comes from the mixture. Written from the marginals, with scipy."""
    pi, mu, sigma = (v.detach().numpy() for v in (steps.logits.softmax(-1), steps.mu, steps.sigma))
    rho, x = steps.rho.detach().numpy(), x.numpy()
    z = (x[..., None, 0] - mu[..., 0]) / sigma[..., 0]  # [..., M]
    first = (pi * norm.cdf(z)).sum(-1)
    share = pi * norm.pdf(z) / sigma[..., 0]
    share /= share.sum(-1, keepdims=True)
    centre, width = mu[..., 1] + rho * sigma[..., 1] * z, sigma[..., 1] * np.sqrt(1 - rho**2)
    second = (share * norm.cdf((x[..., None, 1] - centre) / width)).sum(-1)
    return first, second


def test_own_samples_are_uniform_after_the_rosenblatt_transform():
    """The transform of the joint law: each of 2 x 3 numbers uniform, no two of them correlated; e is 1 as often as q says."""
    model, n = told(), 3000
    y = torch.tensor([[1, 3, 2]])
    x = model.sample(n, length=3, y=y)
    steps = model.steps(x, y.expand(n, -1))
    u = np.concatenate(rosenblatt(steps, x), 1)  # [n, 6]
    assert min(kstest(u[:, j], "uniform").pvalue for j in range(6)) > 1e-4 / 6
    assert np.abs(np.corrcoef(u.T) - np.eye(6)).max() < 5 / math.sqrt(n)
    q = steps.end.sigmoid().detach()
    surprise = (x[..., 2] - q) / (q * (1 - q)).sqrt()
    assert surprise.mean(0).abs().max() < 5 / math.sqrt(n) and (surprise.square().mean(0) - 1).abs().max() < 0.2
    assert np.abs(np.corrcoef(np.concatenate([u.T, surprise.T]))[:6, 6:]).max() < 5 / math.sqrt(n)


def test_the_bias_shrinks_sigma_and_prefers_the_likely():
    """(6) on two components far apart with masses 1/4 and 3/4: at b = 1 the masses are 1/10 and 9/10, sigma is divided by e."""
    two = pen(
        logits=torch.tensor([0.0, math.log(3)], dtype=F64),
        mu=torch.tensor([[0.0, 0], [100, 0]], dtype=F64),
        sigma=torch.tensor([[2.0, 1], [2, 1]], dtype=F64),
    )._replace(rho=torch.tensor([0.6, 0.6], dtype=F64))
    many = Pen(*(v.expand(40_000, *v.shape) for v in two))
    for bias, share in ((0.0, 0.75), (1.0, 0.9), (20.0, 1.0)):
        x = many.sample(bias)
        right = x[:, 0] > 50
        assert abs(right.double().mean().item() - share) < 5 * math.sqrt(share * (1 - share) / 40_000) + 1e-9
        own = torch.cov(x[right, :2].T)
        shape = math.exp(-2 * bias) * torch.tensor([[4.0, 1.2], [1.2, 1.0]], dtype=F64)
        close(own / math.exp(-2 * bias), shape / math.exp(-2 * bias), 0.2)
        assert abs(x[:, 2].mean().item() - 1 / (1 + math.e)) < 5 * 0.45 / 200


def test_the_window_is_that_of_the_equations():
    """(4), (5) step by step from the reader's state; kappa only moves forward."""
    model = told()
    before = torch.cat([torch.zeros(5, 1, 3, dtype=F64), X[:, :-1]], 1)
    h = model.reader(before)[0].detach()
    kappa, old, seen, state = torch.zeros(5, 3, dtype=F64), 0.0, [], None
    phis = model.reading(X, Y)  # [B, T, U + 1]
    assert phis.shape == (5, 4, 4)
    for t in range(4):
        a, b, k = (h[:, t] @ model.window.weight.detach().T + model.window.bias.detach()).exp().split(3, 1)
        kappa = kappa + k
        state = model(before[:, t : t + 1], Y, state)[2]
        assert (state[1][:, 0] > old).all()
        close(state[1][:, 0], kappa)
        old = state[1][:, 0]
        w = torch.zeros(5, 3, dtype=F64)
        for row in range(5):
            for u in range(1, 5):
                phi = sum(a[row, j] * math.exp(-b[row, j] * (kappa[row, j] - u) ** 2) for j in range(3))
                close(phis[row, t, u - 1], phi.item())
                if u < 4:
                    w[row, Y[row, u - 1] - 1] += phi
        seen.append(w.detach())
    out = model.head(model.writer(torch.cat([before, h, torch.stack(seen, 1)], -1))[0])
    close(model.steps(X, Y).logits, out[..., :3].detach())


def test_a_text_is_written_when_the_window_has_left_its_last_letter():
    """A window that moves 0.32 letters a step is behind the middle of letters 1 and 2 after 4 steps, of 2 and 3 after 7."""
    model = told()
    torch.nn.init.zeros_(model.window.weight)
    with torch.no_grad():
        model.window.bias.copy_(torch.tensor([0.0] * 6 + [math.log(0.32)] * 3))
    x, y = torch.zeros(3, 9, 3, dtype=F64), torch.tensor([[2, 0, 0], [1, 3, 0], [1, 1, 1]])
    assert model.ends(x, y).tolist() == [4, 7, 9]
    assert model.ends(x, torch.zeros(3, 1).long()).tolist() == [1, 1, 1], "no text is written at once"


def test_padding_is_no_letter():
    model = told()
    padded = torch.cat([Y, torch.zeros(5, 2).long()], 1)
    close(model.log_prob(X, None, padded), model.log_prob(X, None, Y).detach())
    close(model.log_prob(X, None, torch.zeros(5, 1).long()), model.log_prob(X).detach())
    assert wild(characters=3, windows=5).log_prob(X, None, Y).shape == (5,), "more windows than letters"
    assert (model.log_prob(X, None, Y) - model.log_prob(X)).abs().min() > 1e-6


def test_a_row_ends_where_its_length_says():
    model = told()
    got = model.log_prob(X, LENGTHS, Y)
    for b, n in enumerate(LENGTHS.tolist()):
        close(got[b], model.log_prob(X[b : b + 1, :n], None, Y[b : b + 1])[0].item())
    close(model.loss((X, LENGTHS, Y)), -got.mean().item())
    close(wild().loss((X, LENGTHS)), -wild().log_prob(X, LENGTHS).mean().item())


def test_the_gradient_is_that_of_finite_differences():
    model = told()
    loss = model.loss((X, LENGTHS, Y))
    loss.backward()
    for parameter in model.parameters():
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        for j in range(0, len(flat), max(1, len(flat) // 6)):
            old, values = flat[j].item(), []
            for step in (1e-6, -1e-6):
                flat[j] = old + step
                values.append(model.loss((X, LENGTHS, Y)).item())
            flat[j] = old
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope[j].item(), abs=1e-6)


@pytest.mark.slow
def test_one_component_on_independent_steps_finds_mean_covariance_and_rate():
    with seeded(3):
        root = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
        xy = torch.randn(4000, 2, 2) @ root.T * 0.7 + torch.tensor([1.0, -2.0])
        x = torch.cat([xy, (torch.rand(4000, 2, 1) < 0.2).float()], -1)
        model = HandwritingRNN(1, hidden=4)
    fit(model, x, rounds=500, batch_size=400, lr=0.03, schedule=lambda t: 1 - t, progress=False)
    steps = model.steps(x[:500])
    close(steps.mu.mean((0, 1, 2)), xy.mean((0, 1)), 0.06)
    own = torch.cov(xy.flatten(0, 1).T)
    sigma, rho = steps.sigma.mean((0, 1, 2)), steps.rho.mean()
    close(sigma, own.diagonal().sqrt(), 0.04)
    close(rho, own[0, 1] / own.diagonal().prod().sqrt(), 0.04)
    close(steps.end.sigmoid().mean(), x[..., 2].mean(), 0.03)


@pytest.mark.slow
def test_it_learns_words_and_never_beats_their_density():
    """Told the word, it lies between a scribble of independent steps and the exact floor, and what it writes can be read."""
    data = strokes(("ice", "nut", "oil", "cat"), sizes=(600, 10, 200))
    with seeded(0):
        model = HandwritingRNN(3, characters=13, hidden=32)
    training = (data.train, data.train_lengths, data.train_labels)
    fit(model, training, rounds=250, batch_size=32, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    with torch.no_grad():
        lost = data.log_prob(data.test, data.test_lengths, data.test_labels)
        lost = lost - model.log_prob(data.test, data.test_lengths, data.test_labels)
    scribble = 30 * (2 + math.log(2 * math.pi))  # steps have a unit or more of spread
    assert -3 * lost.std().item() / len(lost) ** 0.5 < lost.mean().item() < scribble / 4
    x = model.sample(40, length=40, y=data.test_labels[:40], bias=0.5)
    assert sum(a == decode(b) for a, b in zip(read(x, data.words), data.test_labels[:40], strict=True)) > 30


# limits ---------------------------------------------------------------------------------------------------------------


def test_the_floor_bounds_the_density():
    """All offsets equal: log p of a step can come near -log(2 pi floor^2 sqrt(1 - rho^2)), and no nearer."""
    x = torch.zeros(8, 3, 3)
    with seeded(1):
        model = HandwritingRNN(1, hidden=4, floor=0.1)
    history = fit(model, x, rounds=400, batch_size=8, lr=0.1, progress=False).losses["rnn"]
    bound = 3 * -math.log(2 * math.pi * 0.1**2 * math.sqrt(1 - 0.999**2))
    assert -bound < history[-1] < -3 * (-math.log(2 * math.pi * 0.1**2)) + 1.0


def test_twice_the_unit_costs_log_4_a_step():
    twice = Pen(*(2 * v if name in ("mu", "sigma") else v for name, v in pen()._asdict().items()))
    x = torch.tensor([[0.3, 0.4, 1.0]], dtype=F64)
    close(twice.log_prob(x * torch.tensor([2.0, 2.0, 1.0])), (pen().log_prob(x) - math.log(4)).detach())


def test_equal_components_are_one():
    one = pen()
    many = Pen(*(v.expand(4, *v.shape[1:]) if name != "end" else v for name, v in one._asdict().items()))
    close(many.log_prob(X), one.log_prob(X).detach())


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"components": 0}, "components must be a whole number of at least 1, got 0"),
        ({"characters": 0}, "characters must be a whole"),
        ({"hidden": 1.5}, "hidden must be a whole"),
        ({"windows": 0}, "windows must be a whole"),
        ({"floor": 0.0}, "floor must be positive"),
        ({"floor": math.nan}, "floor must be positive"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        HandwritingRNN(**options)


STEP = torch.zeros(2, 2, 3)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 3), r"\[batch, time, 3\]"),
        (torch.zeros(2, 2, 2), r"\[batch, time, 3\]"),
        (torch.zeros(0, 2, 3), "at least one"),
        (STEP + math.nan, "finite"),
        (STEP + 0.5, "0 or 1; got 0.5"),
    ],
)
def test_bad_steps(x, words):
    for method in ("log_prob", "loss", "steps"):
        with pytest.raises(ValueError, match=words):
            getattr(HandwritingRNN(2, hidden=4, characters=3), method)(x)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (torch.tensor([1, 2]), r"\[2, letters\]"),
        (torch.ones(3, 2).long(), "one row a row of x"),
        (torch.ones(2, 2), "whole numbers"),
        (torch.ones(2, 2).int(), r"whole numbers \(long\).*int32"),
        (torch.tensor([[1, 4], [1, 1]]), "1 to 3, or 0 for padding; got 4"),
        (torch.tensor([[1, -1], [1, 1]]), "got -1"),
    ],
)
def test_bad_texts(y, words):
    model = HandwritingRNN(2, hidden=4, characters=3)
    for act in (lambda: model.log_prob(STEP, None, y), lambda: model.sample(2, y=y), lambda: model.reading(STEP, y)):
        with pytest.raises(ValueError, match=words):
            act()


def test_a_model_that_is_told_no_text_says_so():
    model = HandwritingRNN(2, hidden=4)
    for act in (lambda: model.log_prob(STEP, None, Y[:2]), lambda: model.sample(2, y=Y[:2]), lambda: model.reading(STEP, Y[:2])):
        with pytest.raises(ValueError, match="takes no text"):
            act()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "got 0 and 4"),
        ({"length": 0}, "got 1 and 0"),
        ({"bias": -0.1}, "bias must be finite and at least 0"),
        ({"bias": math.inf}, "bias must be finite"),
    ],
)
def test_bad_samples(options, words):
    with pytest.raises(ValueError, match=words):
        HandwritingRNN(2, hidden=4).sample(**{"n": 1, "length": 4, **options})


def test_bad_lengths():
    with pytest.raises(ValueError, match="lengths must be 1 to 2"):
        HandwritingRNN(2, hidden=4).log_prob(STEP, torch.tensor([0, 1]))


def test_the_least_that_can_be_asked_for():
    assert HandwritingRNN(2, hidden=4).sample(1, length=1).shape == (1, 1, 3)
