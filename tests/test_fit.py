"""The loop against a loop written by hand, bit for bit; resuming against not stopping; and how it stops."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import islice

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from genedu import fit as fit_module
from genedu.core import Player
from genedu.fit import Adam, fit

SGD = partial(torch.optim.SGD, momentum=0.5)
X = torch.arange(20.0).view(10, 2) / 10


class Game(nn.Module):
    """Two players on one line each: `left` moves twice a round on data, `right` once on noise alone."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(2, 1), nn.Linear(1, 2)

    def left_loss(self, x):
        return (self.left(x) - self.left(self.right(torch.randn(len(x), 1)))).square().mean()

    def right_loss(self, _):
        return self.left(self.right(torch.randn(4, 1))).square().mean()

    def clip(self):
        with torch.no_grad():
            self.left.weight.clamp_(-0.4, 0.4)

    def players(self):
        return [
            Player("left", list(self.left.parameters()), self.left_loss, steps=2, after_step=self.clip),
            Player("right", list(self.right.parameters()), self.right_loss, uses_data=False),
        ]


class Mean(nn.Module):
    """The smallest likelihood model: one parameter, drawn to the mean of the data."""

    def __init__(self):
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(2))

    def loss(self, x):
        return (x - self.mu).square().sum(-1).mean()

    def players(self):
        return [Player("model", [self.mu], self.loss)]


def game():
    torch.manual_seed(1)
    return Game()


def weights(model):
    return torch.cat([w.detach().flatten() for w in model.parameters()])


def jitter(x):
    return x + 0.1 * torch.randn_like(x)


# the order of draws ---------------------------------------------------------------------------------------------------


def by_hand(model, rounds, batch_size, seed):
    """Algorithm 1 written out, with nothing of genedu.fit."""
    torch.manual_seed(seed)
    left = torch.optim.SGD(model.left.parameters(), lr=0.05, momentum=0.5)
    right = torch.optim.SGD(model.right.parameters(), lr=0.01, momentum=0.5)
    losses, rows = {"left": [], "right": []}, []
    for t in range(rounds):
        for optimizer, rate in ((left, 0.05), (right, 0.01)):
            optimizer.param_groups[0]["lr"] = rate * (1 - 0.5 * t / rounds)
        for _ in range(2):
            if len(rows) < batch_size:  # the remainder is dropped
                rows = torch.randperm(len(X)).tolist()
            batch, rows = X[rows[:batch_size]], rows[batch_size:]
            loss = model.left_loss(jitter(batch))
            left.zero_grad()
            loss.backward()
            left.step()
            model.clip()
            losses["left"].append(loss.item())
        loss = model.right_loss(None)
        right.zero_grad()
        loss.backward()
        right.step()
        losses["right"].append(loss.item())
    return losses


@pytest.mark.parametrize("batch_size", [3, 4, 5, 10])
def test_a_loop_written_by_hand_gives_the_same_numbers(batch_size):
    ours, theirs = game(), game()
    history = fit(
        ours,
        X,
        rounds=25,
        batch_size=batch_size,
        lr={"left": 0.05, "right": 0.01},
        optimizer=SGD,
        schedule=lambda t: 1 - 0.5 * t,
        augment=jitter,
        seed=7,
    )
    assert history.losses == by_hand(theirs, 25, batch_size, 7)
    assert torch.equal(weights(ours), weights(theirs))
    assert len(history.losses["left"]) == 50 and not ours.training


def test_one_seed_one_run_and_the_callers_chance_is_untouched():
    runs, before = [], torch.get_rng_state()
    for seed in (0, 0, 1):
        model = game()
        torch.set_rng_state(before)
        fit(model, X, rounds=9, batch_size=3, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_watching_does_not_disturb_the_run():
    plain, watched, seen = game(), game(), []
    fit(plain, X, rounds=9, batch_size=3)

    def draw(round_, history):
        seen.append((round_, len(history.watched["noise"])))
        assert not torch.is_grad_enabled()
        watched.eval()
        torch.randn(5)

    history = fit(watched, X, rounds=9, batch_size=3, watch={"noise": lambda x: torch.rand(()) + len(x)}, callback=draw)
    assert torch.equal(weights(plain), weights(watched))
    assert seen == [(t, t + 1) for t in range(9)] and all(3 <= v < 4 for v in history.watched["noise"])


# data -----------------------------------------------------------------------------------------------------------------


def passes(data, batch_size, n):
    torch.manual_seed(0)
    return list(islice(iter(fit_module.Minibatches(data, batch_size, torch.device("cpu")).__next__, None), n))


def test_a_pass_visits_rows_once_and_drops_the_remainder():
    batches = passes(X, 4, 4)
    assert [len(b) for b in batches] == [4] * 4
    assert len({tuple(row.tolist()) for b in batches[:2] for row in b}) == 8
    assert len(passes(X, 99, 1)[0]) == 10  # fewer rows than a batch: all of them
    assert len(passes(X, 1, 1)[0]) == 1


def test_columns_stay_together_resident_or_not(monkeypatch):
    small = passes((X, torch.arange(10)), 5, 3)
    assert all(torch.equal(x, X[y]) for x, y in small)
    monkeypatch.setattr(fit_module, "RESIDENT_BYTES", 0)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(small, passes((X, torch.arange(10)), 5, 3), strict=True))
    assert 1e8 < 256 * 2**20 < 1e9


def test_what_fits_lies_on_the_device_at_once(monkeypatch):
    assert fit_module.RESIDENT_BYTES == 268_435_456
    meta = torch.device("meta")
    assert fit_module.Minibatches(X, 5, meta).data.device == meta
    monkeypatch.setattr(fit_module, "RESIDENT_BYTES", X.nbytes)
    assert fit_module.Minibatches(X, 5, meta).data.device == torch.device("cpu")


def test_small_data_make_no_data_loader(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a DataLoader was made")

    monkeypatch.setattr(DataLoader, "__init__", refuse)
    monkeypatch.setattr(DataLoader, "__iter__", refuse)
    assert len(fit(Mean(), X, rounds=3).losses["model"]) == 3


@pytest.mark.parametrize("data", [X[:0], (X, X[:3]), ()])
def test_data_must_be_columns_of_one_length(data):
    with pytest.raises(ValueError, match="one length"):
        fit(Mean(), data, rounds=1)


def test_other_bad_input():
    with pytest.raises(ValueError, match="batch_size"):
        fit(Mean(), X, rounds=1, batch_size=0)
    with pytest.raises(ValueError, match="each player"):
        fit(game(), X, rounds=1, lr={"left": 1.0, "wrong": 1.0})
    with pytest.raises(ValueError, match="no minibatch"):
        fit(Mean(), DataLoader([], batch_size=2), rounds=1)


def test_a_data_loader_will_do():
    model = Mean()
    fit(model, DataLoader(X, batch_size=5, shuffle=True), rounds=200, lr=0.05)
    torch.testing.assert_close(model.mu.detach(), X.mean(0), atol=0.05, rtol=0)


# players and optimisers -----------------------------------------------------------------------------------------------


def test_players_left_out_are_frozen():
    model, before = game(), game()
    fit(model, X, rounds=5, players=model.players()[1:])
    assert torch.equal(model.left.weight, before.left.weight) and not torch.equal(model.right.weight, before.right.weight)
    assert model.left.weight.grad is None


def test_adam_is_fused_and_partial_keeps_it():
    ours, theirs = Mean(), Mean()
    assert Adam([ours.mu], lr=1.0).defaults["fused"]
    assert not Adam([nn.Parameter(torch.zeros(1, dtype=torch.complex64))]).defaults["fused"]
    assert not Adam([ours.mu, nn.Parameter(torch.zeros(1, device="meta"))]).defaults["fused"]
    fit(ours, X, rounds=50, lr=0.1, optimizer=partial(Adam, betas=(0.5, 0.9)))
    fit(theirs, X, rounds=50, lr=0.1, optimizer=partial(torch.optim.Adam, betas=(0.5, 0.9)))
    torch.testing.assert_close(ours.mu, theirs.mu)
    assert partial(Adam, betas=(0.5, 0.9))([ours.mu]).defaults["betas"] == (0.5, 0.9)


def test_the_defaults_are_those_of_the_design():
    d = {k: p.default for k, p in __import__("inspect").signature(fit).parameters.items()}
    assert (d["rounds"], d["batch_size"], d["lr"], d["checkpoint_every"], d["seed"]) == (2000, 128, 1e-3, 500, 0)
    assert d["optimizer"] is Adam and d["progress"] is None


@pytest.mark.parametrize(("variable", "progress", "shown"), [("0", None, False), ("1", None, True), ("0", True, True)])
def test_the_bar_obeys(variable, progress, shown, monkeypatch, capsys):
    monkeypatch.setenv("GENEDU_PROGRESS", variable)
    fit(Mean(), X, rounds=3, progress=progress)
    assert ("3/3" in capsys.readouterr().err) == shown


# stopping and resuming ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(FloatingPointError, match=r"player 'left' is nan in round 0.*below 0\.001"):
        fit(game(), X.new_full((4, 2), float("nan")), rounds=3)
    with pytest.raises(FloatingPointError, match=r"'model' is inf in round [1-9].*below 100"):
        fit(Mean(), X, rounds=100, lr=100.0, optimizer=torch.optim.SGD)


RUN = dict(rounds=23, batch_size=3, lr=0.02, augment=jitter, seed=3, checkpoint_every=5, watch={"n": len})


@pytest.mark.parametrize("loader", [False, True])
@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize("stop", [4, 5, 17])
def test_killed_and_resumed_ends_where_the_uninterrupted_run_ends(tmp_path, optimizer, loader, stop):
    def data():
        return DataLoader(X, batch_size=3, shuffle=True) if loader else X

    def die(round_, _):
        if round_ == stop:
            raise KeyboardInterrupt

    whole, resumed, path = game(), game(), tmp_path / "run.pt"
    expected = fit(whole, data(), optimizer=optimizer, **RUN)
    with pytest.raises(KeyboardInterrupt):
        fit(resumed, data(), optimizer=optimizer, checkpoint=path, callback=die, **RUN)
    fresh = game()
    nn.init.zeros_(fresh.left.weight)  # a new process knows only what the checkpoint says
    done = []
    found = fit(fresh, data(), optimizer=optimizer, checkpoint=path, callback=lambda t, _: done.append(t), **RUN)
    assert done[0] == stop // 5 * 5 and done[-1] == 22
    if stop >= 5:
        assert found == expected and torch.equal(weights(fresh), weights(whole))
    again = fit(fresh, data(), optimizer=optimizer, checkpoint=path, callback=lambda t, _: done.append("more"), **RUN)
    assert again == found and done[-1] == 22 and not fresh.training  # the end was saved: nothing more to do


def test_a_kill_in_the_middle_of_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    model, path = game(), tmp_path / "run.pt"
    fit(model, X, checkpoint=path, **{**RUN, "rounds": 5})
    old = path.read_bytes()

    def half(state, target):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        fit(model, X, checkpoint=path, **RUN)
    assert path.read_bytes() == old


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(game(), X, checkpoint=tmp_path / "run.pt", **RUN)
    with pytest.raises(ValueError, match="another path"):
        fit(game(), X, checkpoint=tmp_path / "run.pt", **{**RUN, "seed": 4})


def test_a_killed_process_resumes(tmp_path):
    """The real thing: SIGKILL in round 12 of another process, then the same command again."""
    script = (
        "import json, os, signal, sys; from tests.test_fit import *\n"
        "stop, path = int(sys.argv[1]), sys.argv[2]; m = game()\n"
        "die = lambda t, _: os.kill(os.getpid(), signal.SIGKILL) if t == stop else None\n"
        "h = fit(m, X, checkpoint=path, callback=die, **RUN); print(json.dumps([h.losses, weights(m).tolist()]))"
    )

    def run(stop):
        command = [sys.executable, "-c", script, str(stop), str(tmp_path / "run.pt")]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})

    assert run(12).returncode == -9
    done, model = run(-1), game()
    history = fit(model, X, **RUN)
    assert json.loads(done.stdout) == [history.losses, weights(model).tolist()], done.stderr
