"""Oracles for fidelity: Gaussians in closed form, scipy's matrix root, balls drawn by hand, loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from genedu.data import digits, ring
from genedu.metrics import distances, frechet_distance, precision_recall
from genedu.metrics.fidelity import PrecisionRecall

quietly = settings(deadline=None, derandomize=True, database=None)


def draw(n, dim):
    return torch.randn(n, dim, dtype=torch.float64)


def moments(n, mean, root):
    """n rows whose sample mean and covariance are `mean` and `root` root' exactly."""
    z = draw(n, root.shape[1])
    z = z - z.mean(0)
    white = torch.linalg.qr(z)[0] * math.sqrt(n - 1)
    return torch.as_tensor(mean).double() + white @ root.double().T


def by_loops(real, fake, k):
    def share(rows, of):
        balls = [sorted(math.dist(a, b) for b in of)[k] for a in of]
        return sum(any(math.dist(r, a) <= ball for a, ball in zip(of, balls, strict=True)) for r in rows) / len(rows)

    real, fake = real.tolist(), fake.tolist()
    return share(fake, real), share(real, fake)


# laws -----------------------------------------------------------------------------------------------------------------


@quietly
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 6))
def test_frechet_is_a_squared_distance_with_the_unit_of_the_features_squared(n, m, dim):
    x, y = draw(n, dim), draw(m, dim) + 0.5
    found = frechet_distance(x, y)
    assert type(found) is float and found >= 0
    turn = torch.linalg.qr(draw(dim, dim))[0]
    assert frechet_distance(y, x) == pytest.approx(found, abs=1e-12)
    assert frechet_distance(x[torch.randperm(n)], y) == pytest.approx(found, abs=1e-12)
    assert frechet_distance(x @ turn + 3, y @ turn + 3) == pytest.approx(found, abs=1e-11)
    assert frechet_distance(5 * x, 5 * y) == pytest.approx(25 * found, abs=1e-11)
    assert 0 <= frechet_distance(x, x[torch.randperm(n)]) < 1e-12


@quietly
@given(st.integers(4, 15), st.integers(4, 15), st.integers(1, 3), st.integers(1, 3))
def test_precision_and_recall_are_the_definition_and_change_places_eq_3_and_4(n, m, dim, k):
    real, fake = draw(n, dim), draw(m, dim) + 0.8
    found = precision_recall(real, fake, k=k)
    assert isinstance(found, PrecisionRecall) and [type(v) for v in found] == [float] * 2
    assert found == by_loops(real, fake, k)
    assert precision_recall(fake, real, k=k) == found[::-1]
    assert precision_recall(real[torch.randperm(n)], fake[torch.randperm(m)], k=k) == found
    assert precision_recall(1024 * real, 1024 * fake, k=k) == found


def test_blocks_change_nothing(monkeypatch):
    real, fake = draw(50, 2), draw(40, 2) + 0.5
    known = precision_recall(real, fake)
    assert 0 < known.recall < 1
    monkeypatch.setattr(distances, "CELLS", 120)
    assert precision_recall(real, fake) == known


def test_features_are_asked_without_gradient_and_for_both_sets():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))
    graphs = []

    def features(x):
        graphs.append((out := net(x)).requires_grad)
        return out

    x, y = torch.rand(30, 1, 8, 8), torch.rand(20, 1, 8, 8)
    assert frechet_distance(x, y, features=features) == frechet_distance(net(x), net(y))
    assert graphs == [False, False]
    levels = torch.randint(17, (9, 3))
    assert frechet_distance(levels, levels + 2) == pytest.approx(12)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_frechet_in_one_dimension_eq_1(offset):
    x, y = moments(30, [1.0 + offset], torch.tensor([[2.0]])), moments(50, [4.0 + offset], torch.tensor([[0.5]]))
    assert frechet_distance(x, y) == pytest.approx(9 + 1.5**2, rel=1e-10)


def test_frechet_is_scipys_matrix_root_eq_1():
    a, b = draw(6, 6), draw(6, 6)
    x, y = moments(40, draw(6, 1)[:, 0], a), moments(25, draw(6, 1)[:, 0], b)
    root = sqrtm((a @ a.T @ b @ b.T).numpy()).real.trace()
    known = (x.mean(0) - y.mean(0)).square().sum() + (a @ a.T).trace() + (b @ b.T).trace() - 2 * root
    assert frechet_distance(x, y) == pytest.approx(known.item(), rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_frechet_of_two_lines_is_known_though_both_covariances_are_singular_eq_2(share):
    """S1 = u u', S2 = v v': the root of S1 S2 has the trace |u.v|."""
    u = torch.tensor([3.0, 0, 0, 0], dtype=torch.float64)
    v = 2 * torch.tensor([share, math.sqrt(1 - share**2), 0, 0], dtype=torch.float64)
    x, y = moments(20, [0.0] * 4, u[:, None]), moments(20, [0.0] * 4, v[:, None])
    assert frechet_distance(x, y) == pytest.approx(9 + 4 - 2 * 6 * share, abs=1e-12)


def test_frechet_of_a_flat_and_a_full_covariance():
    """Diagonal: the sum of (s1 - s2)^2 over features, to 12 digits where s1 is 0. Fewer rows than features are no harm."""
    s1, s2 = torch.tensor([2.0, 0, 0, 1]), torch.tensor([1.0, 3, 0, 0.5])
    x, y = moments(9, [0.0] * 4, torch.diag(s1)[:, [0, 3]]), moments(9, [0.0] * 4, torch.diag(s2)[:, [0, 1, 3]])
    assert frechet_distance(x, y) == pytest.approx(1 + 9 + 0.25, abs=1e-12)
    few, many = torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]).double(), moments(9, [0.0] * 4, torch.eye(4))
    assert frechet_distance(few, many) == pytest.approx((math.sqrt(2) - 1) ** 2 + 3, abs=1e-12)


def test_frechet_falls_to_its_bias_as_rows_grow():
    """Two sets from one N(0, 1): E = E(m1 - m2)^2 + E(s1 - s2)^2 = 2/n + 2 * 1/(2 n) = 3/n up to O(1/n^2), never zero."""
    found = torch.tensor([frechet_distance(draw(200, 1), draw(200, 1)) for _ in range(400)])
    assert abs(found.mean() - 3 / 200) < 5 * found.std() / 20 < 0.01


def test_balls_by_hand_eq_3_and_4():
    """Reals 0, 1, 3, 7 on a line. k = 1: radii 1, 1, 2, 4; k = 2: 3, 2, 3, 6."""
    real, fake = torch.tensor([[0.0], [1], [3], [7]]), torch.tensor([[-1.0], [-1.5], [11.0], [13.0], [13.5]])
    assert precision_recall(real, fake, k=1).precision == 2 / 5
    assert precision_recall(real, fake, k=2).precision == 4 / 5
    assert precision_recall(real, fake, k=1).recall == 0  # fake radii: 0.5, 0.5, 2, 0.5, 0.5
    assert precision_recall(fake, real, k=1) == (0, 0.4)


def test_half_of_the_modes_is_full_precision_and_half_of_the_recall():
    toy = ring(4, sizes=(800, 800, 1))
    real, fake = toy.train, toy.validation[toy.validation_labels < 2]
    kept = (toy.train_labels < 2).double().mean().item()
    found = precision_recall(real, fake)
    assert found.precision > 0.95 and kept - 0.05 < found.recall <= kept


def test_a_tight_cluster_is_precise_and_recalls_nothing():
    real, fake = draw(300, 2), 1e-4 * draw(300, 2) + 0.1
    assert precision_recall(real, fake).precision == 1
    assert precision_recall(real, fake).recall == 0


def test_real_digits_have_a_floor_that_noise_does_not_reach():
    data = digits(flat=True, values="unit")
    floor = frechet_distance(data.train[:450], data.test)
    assert 0 < floor < frechet_distance(data.train[:450], data.train[:450] + 0.3 * torch.randn(450, 64)) / 4
    fresh = precision_recall(data.train[:450], data.test)
    assert fresh.precision > 0.7 and fresh.recall > 0.7
    assert precision_recall(data.train[:450], torch.rand(450, 64)) == (0, 0)


# limits ---------------------------------------------------------------------------------------------------------------


def test_equal_sets_are_perfect_and_far_ones_are_nothing():
    x = draw(40, 3)
    assert precision_recall(x, x) == precision_recall(x, x.flip(0)) == (1, 1)
    assert precision_recall(x, x + 100) == (0, 0)


def test_the_default_is_the_third_neighbour():
    real, fake = draw(60, 2), 1.5 * draw(60, 2)
    assert precision_recall(real, fake) == precision_recall(real, fake, k=3)
    assert len({precision_recall(real, fake, k=k) for k in (2, 3, 4)}) == 3


def test_copies_have_balls_of_no_size_that_hold_only_themselves():
    real = torch.zeros(5, 2)
    assert precision_recall(real, torch.tensor([[0.0, 0.0], [1e-9, 0.0]] * 2)).precision == 0.5


def test_the_smallest_sets():
    x = torch.tensor([[0.0], [1.0]])
    assert precision_recall(x, x + 0.5, k=1) == (1, 1)
    assert frechet_distance(x, x + 0.5) == pytest.approx(0.25, abs=1e-15)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.zeros(4, 1, 8, 8), torch.zeros(4, 64), r"must be \[rows, features\].*flatten\(1\)"),
        (torch.zeros(4, 2), torch.zeros(4, 3), r"must be \[rows, 2\].*got \[4, 3\]"),
        (torch.zeros(4, 2), torch.full((4, 2), math.nan), "must be finite; got nan"),
        (torch.zeros(0, 2), torch.zeros(4, 2), "at least one row"),
    ],
)
@pytest.mark.parametrize("measure", [frechet_distance, precision_recall])
def test_bad_input_says_what_must_hold(measure, x, y, words):
    with pytest.raises(ValueError, match=words):
        measure(x, y)


def test_each_set_needs_rows_enough():
    two, three, four = torch.zeros(2, 2), torch.zeros(3, 2), torch.zeros(4, 2)
    for x, y, n, m in ((two[:1], two, 1, 2), (two, two[:1], 2, 1)):
        with pytest.raises(ValueError, match=f"a covariance needs at least 2 rows in each set, got {n} and {m}"):
            frechet_distance(x, y)
    for x, y, n, m in ((three, four, 3, 4), (four, three, 4, 3)):
        with pytest.raises(ValueError, match=f"k = 3 other rows are needed in each set, got {n} and {m} rows"):
            precision_recall(x, y)
    assert precision_recall(four, four) == (1, 1)
    for k in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"k must be a whole number of at least 1, got {k}"):
            precision_recall(four, four, k=k)
