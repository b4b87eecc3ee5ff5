"""Oracles for interpolation: exact ends, arcs on a sphere, the norms of independent codes, the law that (3) keeps."""

import math

import pytest
import torch
from scipy.stats import kstest

from genedu.latent import interpolate

WAYS = ("linear", "spherical", "variance_preserving")
Z0, Z1 = torch.randn(2, 500, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_are_exact(how, dtype):
    path = interpolate(Z0.to(dtype), Z1.to(dtype), 7, how)
    assert path.shape == (7, 500, 16) and path.dtype == dtype
    assert torch.equal(path[0], Z0.to(dtype)) and torch.equal(path[-1], Z1.to(dtype))


@pytest.mark.parametrize("how", WAYS)
def test_backwards_is_the_same_path(how):
    torch.testing.assert_close(interpolate(Z0, Z1, 6, how).flip(0), interpolate(Z1, Z0, 6, how))


def test_whites_formula():
    cosine = torch.cosine_similarity(Z0, Z1, dim=-1)[:, None]
    omega, t = cosine.acos(), 0.25
    known = ((1 - t) * omega).sin() / omega.sin() * Z0 + (t * omega).sin() / omega.sin() * Z1
    torch.testing.assert_close(interpolate(Z0, Z1, 5, "spherical")[1], known)


def test_a_quarter_of_a_circle():
    path = interpolate(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 4, "spherical")
    turn = torch.arange(4) * math.pi / 6
    torch.testing.assert_close(path, 2 * torch.stack([turn.cos(), turn.sin()], 1))
    straight = interpolate(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 5)
    torch.testing.assert_close(straight, torch.tensor([[2.0, 0], [1.5, 0.5], [1, 1], [0.5, 1.5], [0, 2]]))


@pytest.mark.parametrize("small", [2e-4, 1e-3, 0.1])
def test_short_arcs_are_arcs(small):
    """The line would be inside by angle^2 / 8 of the radius."""
    b = torch.tensor([math.cos(small), math.sin(small)], dtype=torch.float64)
    path = interpolate(torch.tensor([1.0, 0.0], dtype=torch.float64), b, 3, "spherical")
    torch.testing.assert_close(
        path[1, 1] / path[1, 0], torch.tensor(math.tan(small / 2), dtype=torch.float64), rtol=0, atol=1e-10
    )
    torch.testing.assert_close(path[1].norm(), torch.tensor(1.0).double(), rtol=0, atol=small**2 / 1e4)


def test_equal_norms_are_kept_by_the_arc():
    a, b = 3 * Z0 / Z0.norm(dim=1, keepdim=True), 3 * Z1 / Z1.norm(dim=1, keepdim=True)
    torch.testing.assert_close(interpolate(a, b, 9, "spherical").norm(dim=-1), torch.full((9, 500), 3.0).double())


def test_halfway_between_independent_codes():
    """|z|^2 has mean d/2 on the line, d with (3), and about d on the arc; d = 16."""
    halfway = {how: interpolate(Z0, Z1, 3, how)[1].square().sum(-1) for how in WAYS}
    error = {how: 5 * v.std() / math.sqrt(500) for how, v in halfway.items()}
    assert (halfway["linear"].mean() - 8).abs() < error["linear"]
    assert (halfway["variance_preserving"].mean() - 16).abs() < error["variance_preserving"]
    assert (halfway["spherical"].mean() - 16).abs() < 1


def test_variance_preserving_keeps_the_law():
    for z in interpolate(Z0, Z1, 5, "variance_preserving"):
        assert kstest(z.flatten().numpy(), "norm").pvalue > 1e-4
    assert kstest(interpolate(Z0, Z1, 5)[2].flatten().numpy(), "norm").pvalue < 1e-9


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("small", [0.0, 1e-9, 0.9e-4, 1.1e-4, 1e-3])
def test_for_small_angles_the_arc_is_the_line(small, dtype):
    a, b = torch.tensor([3.0, 0.0], dtype=dtype), 3 * torch.tensor([math.cos(small), math.sin(small)], dtype=dtype)
    tolerance = max(3 * small**2, 1e-6 if dtype == torch.float32 else 1e-14)
    torch.testing.assert_close(interpolate(a, b, 5, "spherical"), interpolate(a, b, 5), rtol=0, atol=tolerance)


@pytest.mark.parametrize("left", [1e-3, 0.1])
def test_nearly_opposite_codes_go_the_short_way_round(left):
    a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    b = torch.tensor([math.cos(math.pi - left), math.sin(math.pi - left)], dtype=torch.float64)
    path = interpolate(a, b, 101, "spherical")
    torch.testing.assert_close(path.norm(dim=1), torch.ones(101).double())
    assert (path[1:-1, 1] > 0).all()


def test_no_gradient_is_lost_or_nan():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2)
    interpolate(a, b, 5, "spherical").sum().backward()
    torch.testing.assert_close(a.grad, torch.full((2,), 2.5))  # the sum of 1 - t


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z0", "z1", "steps", "how", "words"),
    [
        (torch.ones(2), torch.ones(3), 3, "linear", r"both be \[\.\.\., latent\], got \[2\] and \[3\]"),
        (torch.tensor(1.0), torch.tensor(1.0), 3, "linear", "both be"),
        (torch.ones(2), torch.ones(2), 1, "linear", "at least 2"),
        (torch.tensor([0, 10]), torch.tensor([10, 0]), 5, "linear", "must be floating, got torch.int64 and torch.int64"),
        (torch.ones(2), torch.tensor([10, 0]), 5, "linear", "must be floating, got torch.float32 and torch.int64"),
        (torch.ones(2), torch.ones(2), 3, "round", "how must be"),
        (torch.ones(2), torch.tensor([1.0, torch.nan]), 3, "linear", "finite"),
        (torch.ones(2), torch.zeros(2), 3, "spherical", "norm must be above 0"),
        (torch.ones(2), -2 * torch.ones(2), 3, "spherical", "opposite codes"),
    ],
)
def test_bad_input(z0, z1, steps, how, words):
    with pytest.raises(ValueError, match=words):
        interpolate(z0, z1, steps, how)


def test_two_steps_are_the_endpoints():
    a, b = torch.randn(2, 4)
    for how in ("linear", "spherical"):
        torch.testing.assert_close(interpolate(a, b, 2, how), torch.stack([a, b]))
