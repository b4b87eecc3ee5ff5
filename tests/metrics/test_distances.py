"""Oracles for distances: scipy's cdist, a full sort, rows so far from the origin that multiplied-out squares lose them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from genedu.metrics import distances as module
from genedu.metrics.distances import distances, exact, nearest, rows

# laws -----------------------------------------------------------------------------------------------------------------


def test_a_row_is_at_zero_from_itself_and_as_far_as_it_is_seen_even_far_from_the_origin_eq_1():
    x = torch.randn(40, 7, dtype=torch.float64) + 1e6
    d = distances(x, x)
    assert (d.diagonal() == 0).all() and torch.equal(d, d.T)
    torch.testing.assert_close(d, distances(x - 1e6, x - 1e6), rtol=1e-6, atol=0)
    assert torch.cdist(x, x, compute_mode="use_mm_for_euclid_dist").diagonal().max() > 1e-3  # what (1) spares us


def test_blocks_change_nothing(monkeypatch):
    x, y = torch.randn(23, 3), torch.randn(11, 3)
    whole, shapes = nearest(x, y, 4), []
    honest = module.distances
    for cells, count in ((1, 23), (22, 12), (23, 12), (33, 8), (23 * 11, 1)):
        monkeypatch.setattr(module, "CELLS", cells)
        monkeypatch.setattr(module, "distances", lambda a, b: (shapes.append(len(a) * len(b)), honest(a, b))[1])
        assert torch.equal(nearest(x, y, 4), whole)
        assert len(shapes) == count and max(shapes) <= max(cells, 11)
        shapes.clear()


def test_one_block_is_at_most_32_mib_of_doubles():
    assert module.CELLS * 8 == 32 * 2**20


def test_precision_is_that_of_the_device():
    assert exact(torch.zeros(2, dtype=torch.float16)).dtype == torch.float64
    assert exact(torch.zeros(2, dtype=torch.long, device="meta")).device.type == "meta"
    assert not exact(torch.zeros(2, requires_grad=True)).requires_grad


def test_everything_stays_on_the_device():
    x = torch.zeros(5, 3, device="meta")
    assert distances(x, x[:2]).shape == (5, 2) and nearest(x, x, 2).shape == (5, 2)
    assert rows(x, "x", 3).device.type == nearest(x, x, 2).device.type == "meta"


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "dim"), [(1, 1, 1), (9, 4, 2), (30, 50, 64)])
def test_both_are_scipys(n, m, dim):
    x, y = torch.randn(n, dim).double(), torch.randn(m, dim).double()
    known = torch.from_numpy(cdist(x.numpy(), y.numpy()))
    torch.testing.assert_close(distances(x, y), known, rtol=1e-12, atol=0)
    torch.testing.assert_close(nearest(x, y, m), known.sort(1).values, rtol=1e-12, atol=0)
    torch.testing.assert_close(nearest(x, y, 1), known.min(1, keepdim=True).values, rtol=1e-12, atol=0)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "dim", "words"),
    [
        (torch.zeros(3), None, r"fake must be \[rows, features\] with at least one row, got \[3\]$"),
        (torch.zeros(0, 2), None, r"at least one row, got \[0, 2\]$"),
        (torch.zeros(2, 0), None, r"got \[2, 0\]"),
        (torch.zeros(2, 8, 8), None, r"got \[2, 8, 8\]: use fake.flatten\(1\)"),
        (torch.zeros(2, 1, 8, 8), None, r"got \[2, 1, 8, 8\]: use fake.flatten\(1\)"),
        (torch.zeros(2, 3), 4, r"fake must be \[rows, 4\].*got \[2, 3\]$"),
        (torch.tensor([[0.0, np.nan]]), 2, "fake must be finite; got nan"),
        (torch.tensor([[0.0, -np.inf]]), None, "fake must be finite; got -inf"),
    ],
)
def test_bad_rows_say_what_must_hold(x, dim, words):
    with pytest.raises(ValueError, match=words):
        rows(x, "fake", dim)


def test_rows_are_tensors():
    with pytest.raises(TypeError, match=r"real must be a tensor, got ndarray: use torch.as_tensor\(real\)"):
        rows(np.zeros((2, 2)), "real")
    assert torch.equal(rows(torch.ones(2, 3, dtype=torch.long), "x", 3), torch.ones(2, 3, dtype=torch.long))
