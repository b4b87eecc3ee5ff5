"""The frozen net of digits: it tells real ones, nothing moves it, and other weights are refused."""

import hashlib

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.special import expit

from genedu.data import digits
from genedu.metrics import classification_accuracy_score, digit_features, digit_net, frechet_distance

DATA = digits("unit")


# oracles --------------------------------------------------------------------------------------------------------------


def test_it_tells_real_digits_that_it_has_not_seen():
    with torch.no_grad():
        answer = digit_net()(DATA.test).argmax(1)
    assert (answer == DATA.test_labels).double().mean() >= 0.97
    for digit in range(10):
        assert (answer[DATA.test_labels == digit] == digit).double().mean() > 0.9


def test_it_is_what_eq_1_says():
    """scipy's correlation in float64 for the convolutions, loops for the rest."""
    net = digit_net().double()
    x = DATA.test[:2].double()
    (k, a), (m, b), (v, c), (w, d) = (
        [p.numpy() for p in layer.parameters()] for layer in (net.body[0], net.body[2], net.body[6], net.head)
    )

    def bend(u):
        return u * expit(u)

    def conv(maps, kernels, bias):
        sums = [sum(correlate2d(p, q, "same") for p, q in zip(maps, kernel, strict=True)) for kernel in kernels]
        return [bend(s + e) for s, e in zip(sums, bias, strict=True)]

    for row, h, o in zip(x.numpy(), net.features(x), net(x), strict=True):
        maps = conv(conv(row, k, a), m, b)
        pooled = np.array([p.reshape(4, 2, 4, 2).max((1, 3)) for p in maps]).ravel()
        hidden = bend(v @ pooled + c)
        np.testing.assert_allclose(h, hidden, atol=1e-12)
        np.testing.assert_allclose(o, w @ hidden + d, atol=1e-12)


def test_its_features_know_the_classes_and_see_through_one_pixel():
    """As inputs of a classifier they serve as well as pixels; a move by a pixel and noise, alike in pixels, lie apart in them."""
    net = digit_net()
    known = classification_accuracy_score(net.features(DATA.train), DATA.train_labels, net.features(DATA.test), DATA.test_labels)
    assert known > 0.97
    assert (net.features(DATA.test).std(0) > 0).all(), "no unit is dead"
    moved = torch.nn.functional.pad(DATA.test, (1, 0))[..., :8]  # by one pixel to the right
    step = (moved - DATA.test).flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    noise = torch.randn_like(DATA.test)
    noisy = (DATA.test + noise * step / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    assert frechet_distance(DATA.test, moved, features=net.features) < frechet_distance(DATA.test, noisy, features=net.features)


def test_nothing_moves_it_but_its_input_may_move():
    net = digit_net()
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    for x in (DATA.test[:20], torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8)):
        x = x.clone().requires_grad_()
        net(x).logsumexp(1).sum().backward()
        assert torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0


# limits ---------------------------------------------------------------------------------------------------------------


def test_rows_in_double_precision_one_by_one_and_in_training_mode_give_the_same():
    net, x = digit_net(), DATA.test[:40]
    together = net(x)
    torch.testing.assert_close(digit_net().double()(x).float(), together)
    torch.testing.assert_close(net(x.double()), together)
    torch.testing.assert_close(torch.cat([net(row[None]) for row in x]), together)
    assert torch.equal(net.train()(x), together)
    assert torch.equal(digit_net()(x), together), "two nets are one net"
    assert digit_net().to("meta")(x.to("meta")).device.type == "meta"


def test_the_file_is_small():
    assert digit_features.WEIGHTS.stat().st_size < 100_000


# errors ---------------------------------------------------------------------------------------------------------------


def test_other_weights_are_refused(tmp_path, monkeypatch):
    """One bit of one weight is enough."""
    raw = bytearray(digit_features.WEIGHTS.read_bytes())
    raw[-1] ^= 1
    other = tmp_path / "digit_net.npy"
    other.write_bytes(raw)
    monkeypatch.setattr(digit_features, "WEIGHTS", other)
    found = hashlib.sha256(raw).hexdigest()
    with pytest.raises(ValueError, match=f"digit_net.npy must have SHA-256 {digit_features.SHA256}, found {found}"):
        digit_net()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(3, 64), r"x must be \[batch, 1, 8, 8\] with batch >= 1, got \[3, 64\]: use x.view\(-1, 1, 8, 8\)"),
        (torch.zeros(1, 8, 8), r"got \[1, 8, 8\]"),
        (torch.zeros(0, 1, 8, 8), "batch >= 1"),
        (torch.ones(2, 1, 8, 8).long(), "floats in .* use levels / 16"),
        (torch.full((2, 1, 8, 8), 16.0), "in .0, 1. .levels / 16.; got 16"),
        (torch.full((2, 1, 8, 8), -0.1), "got -0.1"),
        (torch.full((2, 1, 8, 8), torch.nan), "got nan"),
    ],
)
def test_bad_images_say_what_must_hold(x, words):
    with pytest.raises(ValueError, match=words):
        digit_net().features(x)
    with pytest.raises(ValueError, match=words):
        digit_net()(x)
