"""The sounds are what their equations say: innovations, resonances, pulses; the floor against scipy and its limit."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import freqz, lfilter
from scipy.stats import kstest, norm

from genedu.data import audio, linear_nll, pitch, tones, vowels
from genedu.data.audio import bin_masses
from genedu.nn import mu_law_decode, mu_law_edges, mu_law_encode

TONES, VOWELS = tones(sizes=(60, 5, 60)), vowels(sizes=(40, 5, 60))


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sound", [TONES, VOWELS], ids=["tones", "vowels"])
def test_innovations_are_white_gaussian_and_independent_of_the_past(sound):
    x, m = sound.test.double(), sound.means
    e = (x - m) / sound.sigma[:, None]
    assert kstest(e.flatten().numpy(), "norm").pvalue > 1e-3
    n = e[:, 1:].numel()
    for lag in (1, 2, 5, 40):
        assert abs(torch.corrcoef(torch.stack([e[:, lag:].flatten(), e[:, :-lag].flatten()]))[0, 1]) < 5 / math.sqrt(n)
    assert abs(torch.corrcoef(torch.stack([e.flatten(), m.flatten()]))[0, 1]) < 5 / math.sqrt(n)


def test_entropy_is_that_of_the_innovations():
    each = [norm(0, s).entropy() for s in VOWELS.sigma.double().numpy()]
    assert VOWELS.entropy == pytest.approx(np.mean(each)) and len(set(each)) == 6
    assert TONES.entropy == pytest.approx(norm(0, 0.05).entropy(), abs=1e-6)


def test_tones_are_two_sines_and_autoregressive_noise():
    """Least squares on the last two samples and on sines of the known frequencies finds the filter, and errs by sigma."""
    r, theta = math.exp(-0.07 * math.pi), 2 * math.pi / 5
    left, right = [], []
    for x, y in zip(TONES.test.double(), TONES.test_labels, strict=True):
        angle = 2 * math.pi * TONES.pitches[y] / TONES.rate * torch.arange(len(x)).double()
        sines = torch.stack([angle.sin(), angle.cos(), (3 * angle).sin(), (3 * angle).cos()], 1)  # [T, 4]
        amplitude = torch.linalg.lstsq(sines, x[:, None]).solution[:, 0]
        assert abs(amplitude[:2].norm() - 0.3) < 0.03 and abs(amplitude[2:].norm() - 0.15) < 0.03
        away = sines - sines @ torch.linalg.pinv(sines) @ sines  # nothing is left of the sines
        assert away.abs().max() < 1e-9
        noise = x - sines @ amplitude
        left.append(torch.stack([noise[1:-1], noise[:-2]], 1))
        right.append(noise[2:])
    left, right = torch.cat(left), torch.cat(right)
    found = torch.linalg.lstsq(left, right[:, None]).solution[:, 0]
    want = torch.tensor([2 * r * math.cos(theta), -r * r]).double()
    assert (found - want).abs().max() < 0.02
    assert (right - left @ found).std() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize(("frequency", "width"), [(730, 60), (2440, 150)])
def test_a_resonator_rings_at_its_frequency_with_its_width(frequency, width):
    """The peak of the gain, and where its square is half, from scipy's freqz."""
    filter_ = audio._resonators((frequency,), (width,), 8000)
    hertz, gain = freqz([1.0], filter_, worN=2**16, fs=8000)
    power = np.abs(gain) ** 2
    above = hertz[power > power.max() / 2]
    assert hertz[power.argmax()] == pytest.approx(frequency, abs=3)
    assert above.max() - above.min() == pytest.approx(width, rel=0.02)


def test_resonances_too_high_for_the_rate_are_left_out():
    assert len(audio._resonators((730, 1090, 2440), (60, 90, 150), 8000)) == 7
    assert len(audio._resonators((730, 1090, 2440), (60, 90, 150), 4000)) == 5
    assert len(audio._resonators((1899, 1900), (60, 60), 4000)) == 3  # 0.475 * 4000 = 1900


def test_a_vowel_read_backwards_is_pulses_a_period_apart():
    """The inverse filter gives gain * (pulses + breath); what is breath is known; sums of two neighbours are 0 or 1."""
    for i in range(20):
        x, y, v = VOWELS.test[i].double(), int(VOWELS.test_labels[i]), "aiu"[VOWELS.test_vowels[i]]
        filter_ = np.convolve([1, -0.9], audio._resonators(audio.VOWELS[v][y], (60, 90, 150), 8000))
        drive = lfilter(filter_, [1.0], x.numpy())[8:] - (x - VOWELS.means[i]).numpy()[8:]
        drive = drive / (VOWELS.sigma[i].item() / 0.03)
        place = np.flatnonzero(drive > 0.02)
        first = place[np.flatnonzero(np.diff(place, prepend=-9) > 2)]
        whole = np.array([drive[p : p + 2].sum() for p in first])
        inside = whole[1:-1]  # a pulse at either end may be cut
        assert np.abs(inside - 1).max() < 0.06
        at = np.array([p + drive[p + 1] / drive[p : p + 2].sum() for p in first[1:-1]])  # between two samples
        periods = np.diff(at)
        assert periods.std() < 0.05, "even within a row"
        assert 8000 / periods.mean() == pytest.approx(VOWELS.pitches[y], rel=0.1)


def test_vowels_are_equally_loud_and_labels_cover_all_kinds():
    for y in (0, 1):
        for v in (0, 1, 2):
            x = VOWELS.train[(VOWELS.train_labels == y) & (VOWELS.train_vowels == v)]
            assert len(x) > 0 and x.square().mean().sqrt() == pytest.approx(0.2, rel=0.2)


def test_bin_masses_are_scipys():
    mean, sigma = torch.linspace(-1.2, 1.2, 7), torch.tensor([0.01, 0.1, 1.0])
    p = bin_masses(mean[:, None], sigma, 16)
    edges = np.concatenate([[-np.inf], mu_law_edges(16).numpy(), [np.inf]])
    for i, m in enumerate(mean.double().numpy()):
        for j, s in enumerate(sigma.double().numpy()):
            np.testing.assert_allclose(p[i, j], np.diff(norm(m, s).cdf(edges)), atol=1e-12)
    torch.testing.assert_close(p.sum(-1), torch.ones(7, 3).double())


@pytest.mark.parametrize("sound", [TONES, VOWELS], ids=["tones", "vowels"])
def test_the_floor_is_the_mean_of_minus_log_p_of_the_levels_given_the_past(sound):
    """At the levels that came, by scipy: within five standard errors."""
    k = mu_law_encode(sound.test, 64).numpy()
    edges = np.concatenate([[-np.inf], mu_law_edges(64).numpy(), [np.inf]])
    law = norm(sound.means.numpy(), sound.sigma[:, None].double().numpy())
    each = -np.log(law.cdf(edges[k + 1]) - law.cdf(edges[k]))
    assert abs(each.mean() - sound.floor(64)) < 5 * each.std() / math.sqrt(each.size)


def test_with_many_levels_the_floor_is_the_entropy_less_the_mean_log_width_of_a_bin():
    sound = tones(sizes=(1, 1, 30), length=60)
    p, width = bin_masses(sound.means, sound.sigma[:, None], 1024)[..., 1:-1], mu_law_edges(1024).diff()
    mean = (p * width.log()).sum(-1).mean().item()  # the ends have no width, and hardly a mass
    assert sound.floor(1024) == pytest.approx(sound.entropy - mean, abs=1e-3)


def test_linear_prediction_is_numpys_least_squares_and_scipys_masses():
    train, test = mu_law_encode(TONES.train[:20], 32), mu_law_encode(TONES.test[:10], 32)
    x, z = (mu_law_decode(k, 32).double().numpy() for k in (train, test))

    def design(w):
        pad = np.pad(w, ((0, 0), (3, 0)))
        return np.stack([pad[:, 3 - j : pad.shape[1] - j] for j in (1, 2, 3)], -1).reshape(-1, 3)

    weight, *_ = np.linalg.lstsq(design(x), x.ravel(), rcond=None)
    sigma = np.sqrt(((x.ravel() - design(x) @ weight) ** 2).mean())
    edges = np.concatenate([[-np.inf], mu_law_edges(32).numpy(), [np.inf]])
    law, k = norm(design(z) @ weight, sigma), test.flatten().numpy()
    want = -np.log(np.maximum(law.cdf(edges[k + 1]) - law.cdf(edges[k]), 1e-12)).mean()
    assert linear_nll(train, test, levels=32, order=3) == pytest.approx(want, abs=1e-5)
    assert linear_nll(train, test, levels=32, order=3) > TONES.floor(32)


@pytest.mark.parametrize("hertz", [90.0, 133.3, 255.5, 390.0])
def test_the_pitch_of_a_harmonic_tone(hertz):
    t = torch.arange(2000) / 8000
    harmonics = [0.2 * (2 * math.pi * k * hertz * t + k).sin() / k for k in (1, 2, 3, 5)]
    x = torch.stack([sum(harmonics), sum(harmonics[1:])]) + 0.02 * torch.randn(2, 2000) + 0.3  # with and without its first
    assert pitch(x, rate=8000).shape == (2,)
    assert (pitch(x, rate=8000) / hertz - 1).abs().max() < 0.01


@pytest.mark.parametrize("sound", [tones(), vowels(), vowels(rate=4000)], ids=["tones", "vowels", "vowels at 4000 Hz"])
def test_the_pitch_of_the_sounds(sound):
    found, want = pitch(sound.train, rate=sound.rate), torch.tensor(sound.pitches)[sound.train_labels]
    close = (found / want).log().abs() < 0.08  # four standard deviations of a vowel's own pitch
    assert close.float().mean() > 0.97


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tones, vowels])
def test_parts_shapes_and_seeds(make):
    sound, again, other = (make(length=300, sizes=(7, 3, 5), seed=s) for s in (0, 0, 1))
    for part, n in (("train", 7), ("validation", 3), ("test", 5)):
        x, y = getattr(sound, part), getattr(sound, f"{part}_labels")
        assert x.shape == (n, 300) and x.dtype == torch.float32 and x.abs().max() < 1
        assert y.shape == (n,) and y.dtype == torch.long and set(y.tolist()) <= {0, 1}
        assert torch.equal(x, getattr(again, part)) and not torch.equal(x, getattr(other, part))
        if make is vowels:
            assert getattr(sound, f"{part}_vowels").shape == (n,)
    assert sound.means.shape == (5, 300) and sound.sigma.shape == (5,)
    assert tones(length=9).test_vowels is None


def test_a_row_alone_rings_as_it_does_among_others():
    """The filter starts long before the row: its first samples are as loud as its last."""
    first, last = (VOWELS.train[:, part].square().mean().sqrt() for part in (slice(0, 256), slice(-256, None)))
    assert first == pytest.approx(last.item(), rel=0.1)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "words"), [
    ({"length": 0}, "whole numbers of at least 1"), ({"rate": 4000.0}, "whole numbers of at least 1"),
    ({"sizes": (1, 2)}, "three sizes"), ({"sizes": (1, 0, 2)}, "at least 1"),
    ({"pitches": ()}, "pitches must be above 0"), ({"pitches": (100.0, 0.0)}, "pitches must be above 0"),
])  # fmt: skip
@pytest.mark.parametrize("make", [tones, vowels])
def test_bad_sounds(make, options, words):
    with pytest.raises(ValueError, match=words):
        make(**options)


def test_bad_numbers():
    with pytest.raises(ValueError, match=r"below rate / 6 = 666\.667"):
        tones(pitches=(100.0, 700.0))
    for value in (0.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="sigma must be positive"):
            tones(sigma=value)
        with pytest.raises(ValueError, match="positive breath"):
            vowels(breath=value)
    with pytest.raises(ValueError, match="2 pitches"):
        vowels(pitches=(100.0,))
    with pytest.raises(ValueError, match="order must be at least 1"):
        linear_nll(torch.zeros(2, 5).long(), torch.zeros(2, 5).long(), levels=4, order=0)
    for options in ({"low": 0}, {"low": 500}, {"high": 4000}):
        with pytest.raises(ValueError, match="0 < low < high"):
            pitch(torch.zeros(2000), rate=8000, **options)
    with pytest.raises(ValueError, match="at least 200 samples, two periods"):
        pitch(torch.zeros(199), rate=8000)
