"""There and back costs at most half a bin; the bins are those of the edges; the ends are clipped."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genedu.nn import mu_law_decode, mu_law_edges, mu_law_encode


def compressed(x, levels):
    """f of eq. (1), by numpy."""
    x, mu = np.asarray(x, dtype=float), levels - 1
    return np.sign(x) * np.log(1 + mu * np.abs(x)) / np.log(1 + mu)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [2, 3, 16, 64, 256])
def test_there_and_back_is_within_half_a_bin(levels):
    x = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    back = mu_law_decode(mu_law_encode(x, levels), levels)
    error = np.abs(compressed(back, levels) - compressed(x, levels))
    assert error.max() <= 1 / levels + 1e-6 and error.max() > 0.99 / levels


@pytest.mark.parametrize("levels", [2, 3, 16, 64, 256])
def test_every_level_comes_back_and_bins_are_even_after_compression(levels):
    k = torch.arange(levels)
    assert torch.equal(mu_law_encode(mu_law_decode(k, levels), levels), k)
    x = compressed(mu_law_decode(k, levels), levels)
    np.testing.assert_allclose(np.diff(x), 2 / levels, rtol=1e-4)
    np.testing.assert_allclose(x, -x[::-1], atol=1e-6)  # both signs alike


@pytest.mark.parametrize("levels", [2, 3, 64, 256])
def test_the_edges_are_where_the_level_changes(levels):
    edge = mu_law_edges(levels)
    assert edge.shape == (levels - 1,) and edge.dtype == torch.float64
    assert torch.equal(mu_law_encode(edge + 1e-9, levels), torch.arange(1, levels))
    assert torch.equal(mu_law_encode(edge - 1e-9, levels), torch.arange(levels - 1))


def test_the_compression_of_256_levels_at_known_places():
    """f(1/255) = log 2 / log 256 = 1/8: level floor(128 * 9/8) = 144, and a hair less is 143."""
    at = 1 / 255
    assert mu_law_encode(torch.tensor([0.0, at + 1e-6, at - 1e-6, -at - 1e-6]), 256).tolist() == [128, 144, 143, 111]


def test_what_is_too_loud_is_clipped():
    assert mu_law_encode(torch.tensor([-7.0, -1.0, 1.0, 1.5, math.inf, -math.inf]), 64).tolist() == [0, 0, 63, 63, 63, 0]


@given(st.floats(-1, 1), st.integers(2, 300))
def test_louder_is_never_a_lower_level(x, levels):
    pair = mu_law_encode(torch.tensor([x, min(1.0, x + 0.01)], dtype=torch.float64), levels)
    assert 0 <= pair[0] <= pair[1] < levels


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 0, 2.0, True])
def test_levels_must_be_a_number_of_levels(levels):
    for call in (lambda: mu_law_encode(torch.zeros(2), levels), lambda: mu_law_edges(levels)):
        with pytest.raises(ValueError, match="levels must be a whole number of at least 2"):
            call()
    with pytest.raises(ValueError, match="levels must be a whole number of at least 2"):
        mu_law_decode(torch.zeros(2, dtype=torch.long), levels)


def test_a_wave_is_real_and_levels_are_whole():
    with pytest.raises(ValueError, match=r"wave of real numbers.*int64: use x.float"):
        mu_law_encode(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="must not be nan"):
        mu_law_encode(torch.tensor([0.0, math.nan]))
    for k in (torch.tensor([0.5]), torch.tensor([True]), torch.tensor([1j])):
        with pytest.raises(ValueError, match="not a wave"):
            mu_law_decode(k)
    for k in (-1, 64):
        with pytest.raises(ValueError, match=f"levels 0 to 63; got {k}"):
            mu_law_decode(torch.tensor([3, k]), 64)


@pytest.mark.parametrize(("kind", "levels"), [(torch.uint8, 256), (torch.uint8, 200), (torch.int8, 100), (torch.int16, 256)])
def test_levels_may_be_bytes(kind, levels):
    """2 k + 1 has no room in a byte, and 256 is 0 there."""
    k = torch.arange(levels)
    assert torch.equal(mu_law_decode(k.to(kind), levels), mu_law_decode(k, levels))
