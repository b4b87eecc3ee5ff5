"""The parts of the infinite VAE's training loop, one by one; the whole is tested in test_infinite_vae.py."""

import math

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.fit import Adam, fit
from genedu.latent import VAE, InfiniteVAE, crp_log_prob
from genedu.latent.infinite_fit import SWEEPS, begin, bury, far_apart, hard_rows, score, trainer

with seeded(8):
    CORNERS = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    X = (CORNERS.repeat_interleave(20, 0) + 0.3 * torch.randn(60, 2)).view(-1, 1, 1, 2)
KIND = torch.arange(60) // 20


def small() -> VAE:
    return VAE(1, likelihood="gaussian", shape=(1, 1, 2), hidden=4, sigma=1.0)


def test_hard_rows_are_neighbours_among_the_worst_explained():
    own = torch.where(KIND == 1, -9.0, torch.where(KIND == 2, -8.0, 0.0)) - 0.001 * torch.arange(60)
    for _ in range(5):
        found = hard_rows(X, own, 6)
        assert found.shape == (6, 1, 1, 2)
        assert (torch.cdist(found.flatten(1), CORNERS).argmin(1) == 1).all(), "the worst quarter is the last 15 of kind 1"
    worst = X[own.argsort()[:15]].flatten(1)
    first = found[0].flatten()
    farther = torch.cdist(first[None], worst)[0].sort().values[5]
    assert (found.flatten(1) - first).norm(dim=1).max() <= farther + 1e-6


def test_any_row_of_the_worst_quarter_may_be_the_first():
    rows = torch.arange(12.0)[:, None]
    assert {hard_rows(rows, rows[:, 0], 1).item() for _ in range(60)} == {0.0, 1.0, 2.0}


def test_all_rows_are_taken_where_fewer_are_there():
    assert len(hard_rows(X[:4], torch.zeros(4), 10)) == 4


def test_the_first_assignment_is_far_apart():
    for _ in range(5):
        c = far_apart(X, 3)
        assert [len(c[KIND == k].unique()) for k in range(3)] == [1, 1, 1] and len(c.unique()) == 3
    assert (far_apart(X, 1) == 0).all()
    assert len(far_apart(torch.zeros(5, 1, 1, 2), 2)) == 5, "equal rows do no harm"


def test_scores_do_not_depend_on_the_size_of_the_parts():
    parts = [small(), small()]
    for part in parts:
        nn.init.constant_(part.encoder[3].bias, -30.0)  # sigma = exp(-30): no noise
    torch.testing.assert_close(score(parts, X, 2, rows=7), score(parts, X, 2))
    assert score(parts, X, 2).shape == (60, 2) and score(parts, X, 2).dtype == torch.float64


def test_a_nan_names_the_component():
    parts = [small(), small()]
    parts[1].decoder[2].bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match=r"components \[1\] score some row"):
        score(parts, X, 1)


def test_empty_components_are_buried_and_the_others_renumbered():
    kept, c = bury(["a", "b", "c", "d"], torch.tensor([3, 1, 3, 3]))
    assert kept == ["b", "d"] and c.tolist() == [1, 0, 1, 1]


def test_a_component_keeps_its_optimiser():
    """Two calls of 5 steps, as the momentum is kept, end elsewhere than with an optimiser that forgets."""
    ends = []
    for forget in (False, True):
        with seeded(0):
            part = small()
        improve = trainer(1e-2, 64, Adam, None)
        torch.manual_seed(1)
        improve(part, X, 5)
        if forget:
            improve = trainer(1e-2, 64, Adam, None)
        improve(part, X, 5)
        ends.append(part.decoder[2].bias.detach().clone())
    assert (ends[0] - ends[1]).abs().max() > 1e-4


def test_a_step_is_that_of_fit():
    with seeded(0):
        one = small()
    with seeded(0):
        other = small()
    torch.manual_seed(1)
    chance = int(torch.randint(2**31, ()))
    torch.manual_seed(1)
    trainer(1e-2, 16, Adam, None)(one, X, 3)
    fit(other, X, rounds=3, batch_size=16, lr=1e-2, seed=chance, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_first_components_are_warmed_up_on_their_own_rows():
    with seeded(0):
        model = InfiniteVAE(1.0, build=small, components=3)
    model.fit_gibbs(X, 0, start=KIND, warm_up=60, lr=0.1, progress=False)
    assert (score(list(model.components), X, 5).argmax(1) == KIND).all()


@pytest.mark.parametrize(("variable", "progress", "shown"), [("0", None, False), ("1", None, True), ("0", True, True)])
def test_the_bar_obeys(variable, progress, shown, monkeypatch, capsys):
    monkeypatch.setenv("GENEDU_PROGRESS", variable)
    InfiniteVAE(1.0, build=small).fit_gibbs(X, 1, newcomers=0, warm_up=1, passes=0, progress=progress)
    assert ("components=1" in capsys.readouterr().err) == shown


def test_a_sweep_makes_its_passes_over_each_components_rows():
    made: list[torch.optim.Optimizer] = []

    def optimizer(weights, lr):
        made.append(Adam(weights, lr=lr))
        return made[-1]

    model, pace = InfiniteVAE(1.0, build=small, components=3), {"warm_up": 1, "passes": 2, "batch_size": 8, "lr": 1e-12}
    model.fit_gibbs(X, 1, start=KIND, newcomers=0, optimizer=optimizer, progress=False, **pace)
    steps = sum(int(next(iter(o.state.values()))["step"]) for o in made if o.state)
    assert steps == 3 + sum(math.ceil(2 * n / 8) for n in model.counts.tolist())  # one each to warm up


def test_the_recorded_loss_is_minus_j_a_row():
    """(2) of infinite_vae.py: bounds of the rows under their components, and log P_CRP of the assignment, over n."""
    with seeded(0):
        model = InfiniteVAE(0.5, build=small, components=3)
    seen = []
    history = model.fit_gibbs(
        X,
        3,
        start=KIND,
        newcomers=0,
        lr=1e-3,
        progress=False,
        callback=lambda sweep, h: seen.append((sweep, model.counts.clone(), h.losses["gibbs"][-1], h.watched["bound"][-1])),
    )
    assert [s[0] for s in seen] == [0, 1, 2] and len(history.losses["gibbs"]) == 3
    for _, counts, loss, bound in seen:
        c = torch.arange(len(counts)).repeat_interleave(counts.long())
        assert loss == pytest.approx(-bound - crp_log_prob(c, 0.5).item() / 60, abs=1e-9)


def test_a_temper_of_zero_leaves_the_prior_alone_to_decide():
    """With T = 0 and alpha = 1e-300 each row joins the others by their number: one component is left in the end."""
    with seeded(0):
        model = InfiniteVAE(1e-300, build=small, components=3)
    history = model.fit_gibbs(X, 1, start=KIND, newcomers=0, temper=lambda t: 0.0, lr=1e-12, progress=False)
    assert history.watched["moved"][0] > 0.3  # by (3) alone no row would leave its corner
    with seeded(0):
        model = InfiniteVAE(1e-300, build=small, components=3)
    for k, part in enumerate(model.components):
        nn.init.zeros_(part.decoder[2].weight)
        part.decoder[2].bias.data = CORNERS[k].clone()
    history = model.fit_gibbs(X, 1, start=KIND, newcomers=0, lr=1e-12, progress=False)
    assert history.watched["moved"][0] == 0


def test_the_temper_is_asked_for_each_share_of_the_run_and_scales_the_scores(monkeypatch):
    tables, asked = [], []

    def stay(c, score, alpha, *, slots):
        tables.append(torch.stack([score(i, c) for i in range(len(c))]))
        return c

    monkeypatch.setitem(SWEEPS, "gibbs", stay)
    for temper in (None, lambda t: asked.append(t) or 0.25):
        with seeded(0):
            model = InfiniteVAE(1.0, build=small, components=3)
        model.fit_gibbs(X, 4, start=KIND, warm_up=1, passes=0, temper=temper, progress=False)
    torch.testing.assert_close(tables[4], 0.25 * tables[0])
    assert asked == [0, 0.25, 0.5, 0.75]


def test_a_second_run_starts_from_responsibilities():
    """(5) of infinite_vae.py; components that score alike are chosen by their weights alone."""
    with seeded(0):
        model = InfiniteVAE(1.0, build=small, components=2)
    model.components[1].load_state_dict(model.components[0].state_dict())
    for part in model.components:
        nn.init.zeros_(part.decoder[0].weight)  # x does not depend on z: nor do scores, where q is the prior
        nn.init.zeros_(part.encoder[3].weight)
        nn.init.zeros_(part.encoder[3].bias)
    model.take(list(model.components), (torch.arange(60) >= 54).long())
    c = begin(model, X.repeat(50, 1, 1, 1), None, 2, first=False)
    assert c.double().mean().item() == pytest.approx(0.1, abs=5 * math.sqrt(0.1 * 0.9 / 3000))
    model.components[1].decoder[2].bias.data += 100.0
    assert (begin(model, X, None, 2, first=False) == 0).all(), "a component that explains no row gets none"
