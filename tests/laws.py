"""Laws that hold for every model of a kind, whatever its equations. `tests/test_laws.py` applies them by one table."""

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genedu.core import Batch, LatentVariable, Player, Sampler, seeded

JUDGES = ("discriminator", "critic")  # names of players that tell data from samples


def check_sampler(model: Sampler, like: Tensor) -> None:
    """Shape and dtype of the data, finite, no gradient, repeatable under a seed and different without."""
    with seeded(1):
        first = model.sample(50)
    with seeded(1):
        again = model.sample(50)
    assert first.shape == (50, *like.shape[1:]) and first.dtype == like.dtype
    assert torch.isfinite(first).all() and not first.requires_grad
    assert torch.equal(first, again)
    assert not torch.equal(model.sample(50), model.sample(50))
    assert not (first == first[:1]).all(), "rows must be drawn independently"
    assert model.sample(1).shape == (1, *like.shape[1:])


def check_one_number_a_row(score, x: Tensor) -> None:
    """[B] out of B rows (a [B, B] from a careless broadcast fails), and a row does not change its neighbours' numbers."""
    with seeded(2), torch.no_grad():
        together = score(x)
    other = torch.cat([x[:1], x[-1:].expand_as(x[1:])])  # all other rows replaced
    with seeded(2), torch.no_grad():
        first = score(other)[0]
    assert together.shape == x.shape[:1] and torch.isfinite(together).all()
    torch.testing.assert_close(together[0], first)
    assert score(x[:1]).shape == (1,)


def support(levels: int, shape: torch.Size) -> Tensor:
    """All levels^D events of a small discrete space: [levels^D, *shape]."""
    return torch.tensor(list(product(range(levels), repeat=math.prod(shape)))).view(-1, *shape)


def check_discrete_density(model, levels: int, like: Tensor, draws: int = 40_000) -> None:
    """Mass one over all events; and samples come as often as log_prob says, which a sigmoid applied twice fails."""
    events = support(levels, like.shape[1:])  # [E, ...]
    with torch.no_grad():
        p = model.log_prob(events).double().exp()  # [E]
    torch.testing.assert_close(p.sum(), torch.tensor(1.0).double(), rtol=0, atol=1e-5)
    x = model.sample(draws)
    hits = (x[:, None] == events[None]).flatten(2).all(-1).double().mean(0)  # [E]
    assert ((hits - p).abs() < 5 * (p * (1 - p) / draws).sqrt() + 1e-9).all()


def check_continuous_density(model, like: Tensor, draws: int = 10_000) -> None:
    """Samples agree with log_prob: for any density q and any set A, E_p[q(x)/p(x); x in A] = E_q[1; x in A].

    Here q is a blur of other samples, and A is where log_prob is not among its lowest fifth, so that the ratio stays small.
    """
    centres = model.sample(200).flatten(1).double()  # [M, D]
    spread = centres.std(0) * 0.3

    def log_q(x: Tensor) -> Tensor:
        z = (x[:, None] - centres[None]) / spread  # [N, M, D]
        return (-0.5 * z**2 - spread.log() - 0.5 * math.log(2 * math.pi)).sum(-1).logsumexp(1) - math.log(len(centres))

    def log_p(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model.log_prob(x.view(-1, *like.shape[1:]).to(like.dtype)).double()  # [N]

    x = model.sample(draws).flatten(1).double()  # [N, D], from p
    u = centres[torch.randint(len(centres), (draws,))] + spread * torch.randn_like(x)  # [N, D], from q
    lowest = log_p(x).quantile(0.2)
    left = (log_q(x) - log_p(x)).exp() * (log_p(x) > lowest)
    right = (log_p(u) > lowest).double()
    error = ((left.var() + right.var()) / draws).sqrt()
    assert (left.mean() - right.mean()).abs() < 5 * error


def check_autoregressive(logits, x: Tensor, levels: int, order: Tensor | None, *, past: bool) -> None:
    """The logits of a place do not change with that place or a later one; with `past`, they do change with each earlier one.

    Args:
        logits: [B, D...] -> [B, D...] (bits) or [B, D..., K], in double precision.
        order: the places from first to last, if not 0, 1, 2, ... in the order in which they lie in memory.
    """
    first, places = x[:1], x[0].numel()
    rows = [first]
    for j in range(places):
        for shift in range(1, min(levels, 4)):
            row = first.clone()
            row.view(-1)[j] = (row.view(-1)[j] + shift) % levels
            rows.append(row)
    with torch.no_grad():
        out = logits(torch.cat(rows))
    out = out.reshape(len(rows), places, -1)  # [rows, D, K]
    moved = (out[1:] - out[:1]).abs().amax(-1).view(places, -1, places).amax(1) > 1e-12  # [changed, D]
    order = torch.arange(places) if order is None else order.cpu()
    moved = moved[order][:, order]
    assert not moved.tril().any(), f"(changed place, place whose logits moved): {moved.tril().nonzero().tolist()[:9]}"
    if past:
        unseen = ~moved & torch.ones_like(moved).triu(1)
        assert not unseen.any(), f"(earlier place, place that does not see it): {unseen.nonzero().tolist()[:9]}"


def check_log_prob_is_that_of_the_logits(model, x: Tensor, rest: tuple, levels: int) -> None:
    """log p(x) = sum_i log p(x_i | x_<i): the logits of each place, normalised once, at the level that is there."""
    with torch.no_grad():
        logits, log_prob = model.logits(x, *rest), model.log_prob(x, *rest)
    if logits.shape == x.shape:
        each = torch.distributions.Bernoulli(logits=logits).log_prob(x.to(logits.dtype))
    else:
        assert logits.shape == (*x.shape, levels)
        each = logits.log_softmax(-1).gather(-1, x[..., None])
    torch.testing.assert_close(log_prob, each.flatten(1).sum(1))


def check_cached(sample) -> None:
    """A sampler that keeps what it computed draws the same as one that computes all anew."""
    with seeded(5):
        quick = sample(4, cached=True)
    with seeded(5):
        slow = sample(4, cached=False)
    assert torch.equal(quick, slow)


def check_latent_variable(model: LatentVariable, x: Tensor) -> None:
    q = model.posterior(x)
    assert q.batch_shape == x.shape[:1] and q.event_shape == model.prior().event_shape
    assert model.conditional(q.sample()).event_shape == x.shape[1:]
    assert model.conditional(q.sample((3,))).batch_shape == (3, len(x))


def check_bounds(model, batch: Batch, levels: int, draws: int = 40_000) -> None:
    """A bound is one number a row, at K = 1 it is the ELBO, and more samples tighten it. Where x is discrete and small, the
    bound with many samples has mass one and says how often samples come, which a sigmoid applied twice fails.

    Other parts of the batch than x may be left out: the bound is then one on log p(x).
    """
    x, rest = (batch[0], batch[1:]) if isinstance(batch, tuple) else (batch, ())
    rest = tuple(c[:1].expand_as(c) for c in rest)  # alike in all rows

    def bound(x: Tensor, k: int) -> Tensor:
        return model.log_prob_bound(x, *(c[:1].expand(len(x), *c.shape[1:]) for c in rest), samples=k)

    def elbo(x: Tensor) -> Tensor:
        return model.elbo(x, *(c[:1].expand(len(x), *c.shape[1:]) for c in rest))

    check_one_number_a_row(elbo, x)
    check_one_number_a_row(lambda x: bound(x, 1), x)
    with torch.no_grad():
        zero, one, many = (  # [200]: means over the rows, repeated
            torch.stack([score(x).double().mean() for _ in range(200)])
            for score in (elbo, lambda x: bound(x, 1), lambda x: bound(x, 20))
        )
        assert (one.mean() - zero.mean()).abs() < 5 * ((one.var() + zero.var()) / 200).sqrt() + 1e-5, "K = 1 is the ELBO"
        assert many.mean() > one.mean() - 5 * ((one.var() + many.var()) / 200).sqrt(), "more samples tighten the bound"
        if levels and levels ** x[0].numel() <= 64:
            events = support(levels, x.shape[1:])  # [E, ...]
            p = torch.stack([model.log_prob_bound(events, samples=200).double().exp() for _ in range(20)])  # [20, E], unbiased
            p, error = p.mean(0), p.std(0) / math.sqrt(20)  # [E] each
            assert (p.sum() - 1).abs() < 5 * error.norm() + 1e-5, f"mass {p.sum():.4f}"
            x = model.sample(draws)
            hits = (x[:, None] == events[None]).flatten(2).all(-1).double().mean(0)  # [E]
            assert ((hits - p).abs() < 5 * (p * (1 - p).clamp(min=0) / draws + error**2).sqrt() + 1e-9).all()


def check_classifier(model, x: Tensor) -> None:
    """A distribution over classes for each row, whatever the other rows are."""
    p = model.predict_proba(x)
    assert p.dim() == 2 and len(p) == len(x) and (p >= 0).all()
    torch.testing.assert_close(p.sum(1), torch.ones_like(p[:, 0]))
    for k in range(p.shape[1]):
        check_one_number_a_row(lambda x, k=k: model.predict_proba(x)[:, k], x)


def check_players(model: nn.Module, batch: Batch) -> None:
    """Each parameter has one owner, whose loss moves it; each loss is a mean over rows."""
    players: list[Player] = model.players()
    owned = [id(w) for player in players for w in player.parameters]
    assert sorted(owned) == sorted(id(w) for w in model.parameters() if w.requires_grad)
    for player in players:
        model.zero_grad()
        loss = player.loss(batch if player.uses_data else None)
        assert loss.shape == () and torch.isfinite(loss)
        loss.backward()
        for w in player.parameters:
            assert w.grad is not None and torch.isfinite(w.grad).all()
            assert w.grad.abs().sum() > 0
        if player.name in JUDGES:  # what it judges is data to it: a loop by hand must not move the generator by its loss
            mine = set(map(id, player.parameters))
            assert all(w.grad is None for w in model.parameters() if id(w) not in mine), f"{player.name} reaches others"


def check_verdicts(loss, at_zero: float) -> None:
    """`loss(gain)` is the discriminator's where its logits are `gain` times the right ones (+1 and -1, or one-hot).

    A softmax before the cross-entropy, or a sigmoid applied twice, cannot come near 0. At gain 0
    only the right loss is `at_zero`.
    """
    with torch.no_grad():
        assert loss(50.0).item() < 1e-6, "confident right logits cost nothing"
        assert abs(loss(0.0).item() - at_zero) < 1e-5, "logits that say nothing cost what guessing costs"
        assert loss(-50.0).item() > 20, "confident wrong logits cost what they say"


def check_loss_is_a_mean(loss, batch: Batch, times: int = 400) -> None:
    """Twice the rows, the same loss: in the mean over the noise, within five standard errors."""
    twice = tuple(torch.cat([c, c]) for c in batch) if isinstance(batch, tuple) else torch.cat([batch, batch])
    with torch.no_grad():
        if torch.equal(loss(batch), loss(batch)):
            times = 2  # no noise
        small = torch.stack([loss(batch) for _ in range(times)])
        large = torch.stack([loss(twice) for _ in range(times)])
    error = ((small.var() + large.var()) / times).sqrt()
    assert (small.mean() - large.mean()).abs() < 5 * error + 1e-6 * small.mean().abs() + 1e-6


class NoCPU(TorchDispatchMode):
    """Fails on any operation that takes or makes a CPU tensor: what meta alone lets pass, a GPU would not."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, Tensor) and leaf.device.type == "cpu":
                raise AssertionError(f"{func} works with a CPU tensor of shape {list(leaf.shape)}")
        return out
