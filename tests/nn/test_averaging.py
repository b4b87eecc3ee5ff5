import pytest
import torch
from torch import nn

from genedu.nn import moving_average


def test_it_follows_the_recursion_and_trains_nothing():
    live = nn.Linear(3, 2, dtype=torch.float64)
    averaged = moving_average(live, 0.9)
    expected = None
    for _ in range(5):
        with torch.no_grad():
            live.weight.add_(torch.randn_like(live.weight))
        averaged.update_parameters(live)
        expected = live.weight.clone() if expected is None else 0.9 * expected + 0.1 * live.weight
    torch.testing.assert_close(averaged.module.weight, expected, rtol=1e-12, atol=0)
    assert not any(w.requires_grad for w in averaged.parameters()) and live.weight.requires_grad


def test_what_batch_norm_keeps_is_averaged_too():
    live = nn.BatchNorm1d(2)
    averaged = moving_average(live, 0.5)
    means = []
    for shift in (0.0, 8.0):
        live(torch.randn(50, 2) + shift)
        means.append(live.running_mean.clone())
        averaged.update_parameters(live)
    torch.testing.assert_close(averaged.module.running_mean, (means[0] + means[1]) / 2)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1, float("nan")])
def test_a_decay_outside_0_and_1_says_what_must_hold(decay):
    with pytest.raises(ValueError, match="between 0 and 1"):
        moving_average(nn.Linear(1, 1), decay)
