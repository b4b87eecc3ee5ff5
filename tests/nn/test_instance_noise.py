"""Instance noise: its size, that it is drawn anew, and that a trained network sees none."""

import pytest
import torch

from genedu.nn import InstanceNoise

X = torch.rand(50, 1, 8, 8)


def test_in_training_it_adds_independent_noise_of_its_size():
    layer = InstanceNoise(0.3).train()
    noise = layer(X) - X
    n = noise.numel()
    assert abs(noise.mean().item()) < 5 * 0.3 / n**0.5
    assert abs(noise.std().item() - 0.3) < 5 * 0.3 / (2 * n) ** 0.5
    assert not torch.equal(layer(X), layer(X)) and noise.flatten(1).std(0).min() > 0.1


def test_afterwards_and_at_zero_it_adds_none():
    assert torch.equal(InstanceNoise(0.3).eval()(X), X)
    assert torch.equal(InstanceNoise(0.0).train()(X), X)


def test_a_size_below_zero_is_told():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        InstanceNoise(-1.0)
