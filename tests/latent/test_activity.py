"""Oracles for active units: variances known by hand. (Against the linear VAE's closed form: test_vae.py.)"""

import math

import pytest
import torch

from genedu.latent import active_units

# oracles --------------------------------------------------------------------------------------------------------------


def test_variances_by_hand():
    """Columns: +-a about any centre has variance a^2; the bar is 0.01, at which a unit is not active yet."""
    a = torch.tensor([0.0, 0.09, 0.11, 2.0], dtype=torch.float64)
    means = torch.tensor([[1.0], [-1.0]], dtype=torch.float64) * a + torch.tensor([7.0, 0.0, 3.0, -5.0])
    assert active_units(means).tolist() == [False, False, True, True]
    assert active_units(means, threshold=5.0).tolist() == [False] * 4
    assert active_units(means, threshold=3.99).tolist() == [False, False, False, True]


def test_the_variance_is_divided_by_the_number_of_rows():
    means = torch.tensor([[math.sqrt(0.008)], [-math.sqrt(0.008)]])  # 0.008 by n, 0.016 by n - 1
    assert active_units(means).tolist() == [False]


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("means", "words"),
    [
        (torch.zeros(1, 3), "at least two rows"),
        (torch.zeros(3), r"must be \[batch, dim\]"),
        (torch.full((2, 2), torch.nan), "finite"),
    ],
)
def test_bad_input(means, words):
    with pytest.raises(ValueError, match=words):
        active_units(means)
