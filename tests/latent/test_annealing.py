"""Oracles for the warm-up: the line itself, and a run that was cut and goes on as if it had not been."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from genedu.core import Player
from genedu.fit import fit
from genedu.latent import VAE, warm_up


class Weighted(nn.Module):
    """A loss that depends on beta, and nothing else."""

    def __init__(self):
        super().__init__()
        self.w, self.beta, self.seen = nn.Parameter(torch.ones(1)), 1.0, []

    def loss(self, x):
        self.seen.append(self.beta)
        return self.beta * (self.w - x.mean()).square().sum()

    def players(self):
        return [Player("model", [self.w], self.loss)]


X = torch.randn(32, 1)
run = partial(fit, data=X, batch_size=8, lr=0.1, progress=False)

# oracles --------------------------------------------------------------------------------------------------------------


def test_beta_rises_in_a_line_and_stays():
    model = Weighted()
    run(model, rounds=10, schedule=warm_up(model, 0.5, to=2.0))
    assert model.seen == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.0, 2.0, 2.0, 2.0])
    assert model.beta == 2.0


def test_the_learning_rate_keeps_its_own_schedule():
    model, asked = Weighted(), []

    def rate(t):
        asked.append(t)
        return 1 - t

    factor = warm_up(model, 0.25, schedule=rate)
    assert [factor(t) for t in (0.0, 0.125, 0.5)] == [1.0, 0.875, 0.5] and asked == [0.0, 0.125, 0.5]
    assert warm_up(model)(0.9) == 1.0 and model.beta == 1.0


class CutError(Exception):
    pass


def cut_at(last, round_, _):
    if round_ == last:
        raise CutError


def test_a_run_that_was_cut_goes_on_with_the_right_beta(tmp_path):
    whole, first, second = Weighted(), Weighted(), Weighted()
    run(whole, rounds=20, schedule=warm_up(whole, 0.8))
    place = {"checkpoint": tmp_path / "run.pt", "checkpoint_every": 5}
    with pytest.raises(CutError):
        run(first, rounds=20, schedule=warm_up(first, 0.8), callback=partial(cut_at, 7), **place)
    run(second, rounds=20, schedule=warm_up(second, 0.8), **place)  # a new model, as in a new process
    assert second.seen == whole.seen[5:] and torch.equal(second.w, whole.w)


# limits ---------------------------------------------------------------------------------------------------------------


def test_a_vae_ends_with_the_loss_of_the_bound():
    vae = VAE(2, shape=(1, 2, 2), hidden=4)
    fit(vae, torch.zeros(8, 1, 2, 2), rounds=4, schedule=warm_up(vae), progress=False)
    assert vae.beta == 1.0


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "to"), [(0.0, 1.0), (1.0, 1.0), (-0.5, 1.0), (0.5, -1.0), (0.5, math.inf)])
def test_bad_options(share, to):
    with pytest.raises(ValueError, match="share must be above 0 and below 1"):
        warm_up(Weighted(), share, to=to)


def test_the_weight_may_end_at_zero():
    model = VAE(2)
    assert warm_up(model, to=0.0)(0.5) == 1.0 and model.beta == 0


def test_a_model_without_a_weight_is_told_so():
    with pytest.raises(ValueError, match=r"model must have a weight beta.*got Linear"):
        warm_up(nn.Linear(1, 1))
