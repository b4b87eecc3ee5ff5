"""The losses on logits: against D's own formula, their slopes, and what a sigmoid applied twice would give."""

import math

import pytest
import torch

from genedu.adversarial import discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from genedu.core import seeded

REAL = torch.linspace(-3, 4, 11, dtype=torch.float64)
FAKE = torch.linspace(-4, 2, 7, dtype=torch.float64)


# oracles --------------------------------------------------------------------------------------------------------------


def test_they_are_algorithm_1_written_with_probabilities():
    d_real, d_fake = REAL.sigmoid(), FAKE.sigmoid()
    torch.testing.assert_close(discriminator_loss(REAL, FAKE), -d_real.log().mean() - (1 - d_fake).log().mean())
    torch.testing.assert_close(generator_loss(FAKE, "saturating"), (1 - d_fake).log().mean())
    torch.testing.assert_close(generator_loss(FAKE, "non_saturating"), -d_fake.log().mean())


def test_the_slopes_have_one_sign_and_differ_where_the_discriminator_is_sure():
    o = torch.linspace(-30, 30, 13, dtype=torch.float64, requires_grad=True)
    slope = {how: torch.autograd.grad(generator_loss(o, how) * len(o), o)[0] for how in ("saturating", "non_saturating")}
    torch.testing.assert_close(slope["saturating"], -o.sigmoid())
    torch.testing.assert_close(slope["non_saturating"], -(-o).sigmoid())
    assert slope["saturating"][0].abs() < 1e-12 and slope["non_saturating"][0] < -0.999


def test_the_best_discriminator_of_a_table_and_its_value():
    """-min (2) over all logits is -log 4 + 2 JSD, at o = log p/q: probabilities as rows that come as often."""
    p, q = torch.tensor([5, 3, 1, 1]), torch.tensor([1, 2, 3, 4])

    def value(o):
        return discriminator_loss(o.repeat_interleave(p), o.repeat_interleave(q))

    best = (p.double() / q).log().requires_grad_()
    loss = value(best)
    assert torch.autograd.grad(loss, best)[0].abs().max() < 1e-12
    a, b = p.double() / 10, q.double() / 10
    jsd = (torch.xlogy(a, 2 * a / (a + b)) + torch.xlogy(b, 2 * b / (a + b))).sum() / 2
    torch.testing.assert_close(-loss.detach(), -math.log(4) + 2 * jsd)
    for _ in range(20):
        assert value(best.detach() + 0.3 * torch.randn(4, dtype=torch.float64)) > loss


def test_against_the_best_discriminator_the_losses_pass_on_the_slopes_of_divergences():
    """D* stands still: (3) has the slope of 2 JSD(p, q), (4) that of KL(q, p) - 2 JSD. Where none overlap (3) has none."""
    p = torch.tensor([0.5, 0.3, 0.1, 0.1]).double()
    theta = torch.tensor([0.3, -0.2, 0.5, 0.1]).double().requires_grad_()
    q = theta.softmax(0)

    def kl(a, b):
        return (torch.xlogy(a, a) - torch.xlogy(a, b)).sum()

    jsd = (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2
    logits = (p / q).log().detach()
    for how, divergence in (("saturating", 2 * jsd), ("non_saturating", kl(q, p) - 2 * jsd)):
        loss = sum(q[i] * generator_loss(logits[i : i + 1], how) for i in range(4))
        found, wanted = (torch.autograd.grad(a, theta, retain_graph=True)[0] for a in (loss, divergence))
        torch.testing.assert_close(found, wanted)
        assert wanted.abs().max() > 0.01
    apart = torch.full((1,), -40.0, requires_grad=True)  # a sample where no data are, D nearly the best
    slope = [torch.autograd.grad(generator_loss(apart, how), apart)[0].item() for how in ("saturating", "non_saturating")]
    assert slope == pytest.approx([0, -1], abs=1e-12)


def test_r1_of_a_quadratic_and_its_gradient():
    a = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 3, dtype=torch.float64)
    penalty = r1_penalty(lambda x: ((x @ a) * x).sum(1), x)
    torch.testing.assert_close(penalty, (x @ (a + a.T)).square().sum(1).mean())
    torch.testing.assert_close(
        torch.autograd.grad(penalty, a)[0],
        torch.autograd.grad((x @ (a + a.T)).square().sum(1).mean(), a)[0],
    )
    with torch.no_grad():  # as in `watch`
        assert r1_penalty(lambda x: ((x @ a) * x).sum(1), x).item() == pytest.approx(penalty.item())


def test_the_gradient_penalty_of_a_linear_critic_is_known_and_that_of_a_quadratic_lies_between():
    w = torch.tensor([0.6, -2.0, 1.0], dtype=torch.float64)
    real, fake = torch.randn(2, 4000, 3, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: x @ w + 3, real, fake)
    torch.testing.assert_close(penalty, (w.norm() - 1) ** 2)
    ends = gradient_penalty(lambda x: x.square().sum(1) / 2, torch.full_like(real, 2.0), torch.full_like(fake, 2.0))
    torch.testing.assert_close(ends, torch.tensor(12.0).double().sqrt().sub(1).square())  # both ends at one place
    with seeded(6):
        middle = gradient_penalty(lambda x: x.square().sum(1) / 2, torch.ones_like(real), torch.zeros_like(fake))
    u = torch.linspace(0, 1, 100_001, dtype=torch.float64)  # |slope| at t is t sqrt(3), t even in 0..1
    expected = torch.trapezoid((u * math.sqrt(3) - 1).square(), u)
    assert abs(middle - expected) < 5 * 0.3 / math.sqrt(4000)


def test_the_slope_of_the_gradient_penalty_in_the_weights_of_a_linear_critic_is_known():
    """(|w| - 1)^2 has the slope 2 (|w| - 1) w/|w|."""
    w = torch.tensor([0.6, -2.0, 1.0], dtype=torch.float64, requires_grad=True)
    real, fake = torch.randn(2, 5, 3, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: x @ w, real, fake)
    torch.testing.assert_close(torch.autograd.grad(penalty, w)[0], (2 * (w.norm() - 1) * w / w.norm()).detach())
    with torch.no_grad():  # as in `watch`
        assert gradient_penalty(lambda x: x @ w, real, fake).item() == pytest.approx(penalty.item())


# limits ---------------------------------------------------------------------------------------------------------------


def test_zero_logits_and_logits_of_any_size():
    zero = torch.zeros(4)
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert generator_loss(zero, "saturating").item() == pytest.approx(-math.log(2))
    far = torch.tensor([1e4])
    assert discriminator_loss(far, -far).item() == 0 and discriminator_loss(-far, far).item() == 2e4
    assert generator_loss(-far).item() == 1e4 and generator_loss(-far, "saturating").item() == 0


def test_a_sigmoid_applied_before_would_be_seen():
    """Confident right logits give no loss; through a second sigmoid they cannot fall below log(1 + 1/e) + log 2."""
    sure = torch.full((4,), 50.0)
    assert discriminator_loss(sure, -sure).item() < 1e-6
    assert discriminator_loss(sure.sigmoid(), (-sure).sigmoid()).item() > 1.0


def test_the_penalties_leave_nothing_in_what_made_the_rows():
    real, fake = (torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    w = torch.randn(3, dtype=torch.float64, requires_grad=True)
    bowl = lambda x: (x.square() * w).sum(1)  # noqa: E731
    (r1_penalty(bowl, real) + gradient_penalty(bowl, real, fake)).backward()
    assert real.grad is None and fake.grad is None and w.grad.abs().sum() > 0


def test_the_penalties_of_images_are_those_of_their_numbers_in_a_row():
    w = torch.randn(12, dtype=torch.float64)
    bowl = lambda x: x.flatten(1).square() @ w  # noqa: E731
    real, fake = torch.rand(2, 5, 1, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(r1_penalty(bowl, real), r1_penalty(bowl, real.flatten(1)))
    with seeded(2):
        of_images = gradient_penalty(bowl, real, fake)
    with seeded(2):
        torch.testing.assert_close(of_images, gradient_penalty(bowl, real.flatten(1), fake.flatten(1)))


# errors ---------------------------------------------------------------------------------------------------------------


def test_an_unknown_loss_says_which_there_are():
    with pytest.raises(ValueError, match="'saturating' or 'non_saturating', got 'hinge'"):
        generator_loss(FAKE, "hinge")


def test_data_and_samples_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape, got \[3, 2\] and \[4, 2\]"):
        gradient_penalty(lambda x: x.sum(1), torch.zeros(3, 2), torch.zeros(4, 2))
