"""Sound: tones in coloured noise, and vowels of two speakers, both with an innovation whose entropy is known.

Both are a linear filter of order P that rings to a drive u (tones; the pulses of the vocal cords) and to white noise e:

    x_t = sum_{i=1}^{P} a_i x_{t-i} + u_t + sigma e_t,   e_t ~ N(0, 1)                      (1)
    h = 1/2 log(2 pi e sigma^2)                                                             (2)
    H_K = E_t sum_k -p_tk log p_tk,   p_tk = P(edge_k <= m_t + sigma e < edge_{k+1})        (3)
    resonator at F Hz of width W:   y_t = x_t + 2 r cos(2 pi F / R) y_{t-1} - r^2 y_{t-2},   r = exp(-pi W / R)      (4)

Who knows the drive and the past predicts x_t with the mean m_t = x_t - sigma e_t, and errs by sigma e_t. So (2), in nats a
sample, is exact: the entropy of the wave given its drive. (3) is the same for the K levels of `mu_law_encode`, at the means that
came in the test rows. For a model of levels it is a bound: the model sees past levels, not the past wave, and must find phase and
pulses by itself, so its mean -log p is above (3) but for chance in the test rows, and cannot be expected to reach it.

Source:   (4) and the cascade: D. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980), eq. 2, without its
          gain; the vowels' resonances: G. Peterson, H. Barney, JASA 24 (1952), table II (men, women); (2): C. Shannon, 1948.
Lecture:  "Learning to generate" (Speech); "Autoregressive Models" (or just discretize).
Differs:  the source is one pulse a period with a pole at 0.9 for its falling spectrum, and breath is white noise at the
          same place; widths of 60, 90 and 150 Hz for all vowels; each vowel is as loud as the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genedu.core import seeded
from genedu.nn.mu_law import mu_law_decode, mu_law_edges

VOWELS = {  # F1, F2, F3 in Hz of the low and the high voice
    "a": ((730, 1090, 2440), (850, 1220, 2810)),
    "i": ((270, 2290, 3010), (310, 2790, 3310)),
    "u": ((300, 870, 2240), (370, 950, 2670)),
}
WIDTHS = (60, 90, 150)  # Hz
BEFORE = 400  # samples that ring before a row begins
LOUDNESS = 0.2  # root mean square of a vowel without breath


@dataclass(frozen=True, eq=False)
class Sound:
    """Waves `[N, T]` (float, in [-1, 1] but for rare peaks), `rate` samples a second, and labels `[N]`: which pitch or speaker.

    `means` [N, T] and `sigma` [N] are m and sigma of (1) for the test rows; vowels also have `*_vowels` [N], places in `VOWELS`.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    rate: int
    pitches: tuple[float, ...]
    means: Tensor
    sigma: Tensor
    train_vowels: Tensor | None = None
    validation_vowels: Tensor | None = None
    test_vowels: Tensor | None = None

    @property
    def entropy(self) -> float:
        """(2) in nats a sample, the mean over the test rows: of the wave, given its drive."""
        return 0.5 * (2 * math.pi * math.e * self.sigma.double() ** 2).log().mean().item()  # eq. (2)

    def floor(self, levels: int) -> float:
        """(3) in nats a sample: no model of the test rows' mu-law levels has a smaller mean of -log p, but for chance.

        Raises:
            ValueError: fewer than 2 levels.
        """
        return torch.special.entr(bin_masses(self.means, self.sigma[:, None], levels)).sum(-1).mean().item()  # eq. (3)


def bin_masses(mean: Tensor, sigma: Tensor, levels: int) -> Tensor:
    """Mass of N(mean, sigma^2) in each bin of the mu-law: [...] and [...] -> [..., K], double precision."""
    at = (mu_law_edges(levels) - mean.double()[..., None]) / sigma.double()[..., None]  # [..., K - 1]
    upper = torch.special.ndtr(torch.cat([at, torch.full_like(at[..., :1], math.inf)], -1))  # [..., K]
    lower = torch.special.ndtr(torch.cat([torch.full_like(at[..., :1], -math.inf), at], -1))
    return upper - lower


def linear_nll(train: Tensor, test: Tensor, *, levels: int, order: int = 2) -> float:
    """A baseline: linear regression on the last decoded samples, with a Gaussian error cut into bins; nats a sample.

    Args:
        train, test: mu-law levels [N, T].
        order: how many samples it looks back; the first ones of a row count as silence before it.

    Raises:
        ValueError: order below 1; levels out of range.
    """
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}")

    def past(k: Tensor) -> tuple[Tensor, Tensor]:
        x = mu_law_decode(k, levels).double()  # [N, T]
        before = torch.cat([x.new_zeros(len(x), order), x], 1).unfold(1, order, 1)[:, :-1]  # [N, T, order]
        return before.flatten(0, 1), x.flatten()

    design, target = past(train)
    weight = torch.linalg.lstsq(design, target[:, None]).solution[:, 0]  # [order]
    sigma = (target - design @ weight).square().mean().sqrt()
    p = bin_masses(past(test)[0] @ weight, sigma, levels)  # [N T, K]
    return -p.gather(1, test.flatten()[:, None]).clamp(min=1e-12).log().mean().item()


def tones(
    *,
    pitches: Sequence[float] = (200.0, 310.0),
    sigma: float = 0.05,
    rate: int = 4000,
    length: int = 512,
    sizes: Sequence[int] = (256, 32, 64),
    seed: int = 0,
) -> Sound:
    """A tone of amplitude 0.3, its third harmonic of 0.15, and AR(2) noise that rings at rate / 5: label k has pitches[k].

    The tones' phases are drawn for each row.

    Raises:
        ValueError: sigma, a pitch, rate, length or a size is not positive; a third harmonic above rate / 2.
    """
    _check(pitches, rate, length, sizes, highest=3)
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive and finite, got {sigma}")
    filter_ = _resonators((rate / 5,), (rate * 0.07,), rate)  # r = 0.8

    def draw(n: int) -> tuple[Tensor, ...]:
        y, phase = torch.randint(len(pitches), (n,)), 2 * math.pi * torch.rand(n, 2, 1, dtype=torch.float64)
        angle = 2 * math.pi * torch.tensor(pitches, dtype=torch.float64)[y, None] / rate * torch.arange(length)  # [N, T]
        tone = 0.3 * (angle + phase[:, 0]).sin() + 0.15 * (3 * angle + phase[:, 1]).sin()  # [N, T]
        e = sigma * torch.randn(n, BEFORE + length, dtype=torch.float64)
        x = tone + _ring(filter_, e)[:, BEFORE:]  # eq. (1), with the u of which the filter makes the tones
        return x.float(), y, x - e[:, BEFORE:], torch.full((n,), sigma)

    return _sound(draw, sizes, seed, rate, pitches)


def vowels(
    *,
    pitches: Sequence[float] = (120.0, 210.0),
    breath: float = 0.03,
    rate: int = 8000,
    length: int = 1024,
    sizes: Sequence[int] = (192, 24, 48),
    seed: int = 0,
) -> Sound:
    """Vowels a, i, u of a low and a high voice (labels 0, 1), played at `rate` samples a second.

    Args:
        pitches: pulses of the vocal cords a second, of the low and the high voice. Each row has its own, 2 % around.
        breath: standard deviation of the noise beside pulses of height 1.
        rate: resonances above 0.475 of it are left out (at 4000 Hz, two remain of "a" and "u").

    Raises:
        ValueError: not two pitches; breath, a pitch, rate, length or a size is not positive.
    """
    _check(pitches, rate, length, sizes, highest=1)
    if len(pitches) != 2 or not (math.isfinite(breath) and breath > 0):
        raise ValueError(f"there must be 2 pitches and a positive breath, got {tuple(pitches)} and {breath}")
    filters = [[np.convolve([1, -0.9], _resonators(f, WIDTHS, rate)) for f in VOWELS[v]] for v in VOWELS]  # [vowel][voice]
    steps = torch.arange(BEFORE + length)

    def pulses(hertz: Tensor, phase: Tensor) -> Tensor:
        turns = phase[:, None] + hertz[:, None] / rate * steps  # [N, before + T]
        begins = turns.floor().diff(dim=1, prepend=turns[:, :1].floor())  # 1 where a period has begun since the sample before,
        late = begins * turns.frac() / (hertz[:, None] / rate)  # this much of a sample ago: shared among the two
        return begins - late + late.roll(-1, 1)

    loud = [  # of each filter, when it rings to pulses of its voice alone
        [_ring(a, pulses(torch.tensor([p]), torch.zeros(1)))[:, BEFORE:].square().mean().sqrt().item() for a, p in both]
        for both in (zip(f, pitches, strict=True) for f in filters)
    ]

    def draw(n: int) -> tuple[Tensor, ...]:
        y, v = torch.randint(2, (n,)), torch.randint(len(VOWELS), (n,))
        hertz = torch.tensor(pitches, dtype=torch.float64)[y] * (0.02 * torch.randn(n, dtype=torch.float64)).exp()
        u = pulses(hertz, torch.rand(n, dtype=torch.float64))  # [N, before + T]
        e = breath * torch.randn(u.shape, dtype=torch.float64)
        gain = LOUDNESS / torch.tensor(loud, dtype=torch.float64)[v, y]  # [N]
        x = torch.cat([_ring(filters[v[i]][y[i]], u[i : i + 1] + e[i : i + 1]) for i in range(n)])  # eq. (1)
        x, e = (gain[:, None] * w[:, BEFORE:] for w in (x, e))
        return x.float(), y, x - e, (gain * breath).float(), v

    return _sound(draw, sizes, seed, rate, pitches)


def pitch(x: Tensor, *, rate: int, low: float = 80.0, high: float = 400.0) -> Tensor:
    """The pitch of waves in Hz, from their spectra: [..., T] -> [...].

    The inverse Fourier transform of |spectrum|^2 is the autocorrelation, which is large at a period; of |spectrum| it is less
    disturbed by resonances. The pitch is the shortest period between 1 / high and 1 / low with a peak of at least 3/4 of the
    largest (after two periods it is nearly as large).

    Raises:
        ValueError: not 0 < low < high < rate / 2; fewer samples than two periods at `low`.
    """
    if not 0 < low < high < rate / 2:
        raise ValueError(f"must be 0 < low < high < rate / 2 = {rate / 2:g}, got {low} and {high}")
    shortest, longest, length = math.floor(rate / high), math.ceil(rate / low), x.shape[-1]
    if length < 2 * longest:
        raise ValueError(f"x must have at least {2 * longest} samples, two periods at {low} Hz, got {length}")
    x = x - x.mean(-1, keepdim=True)
    spectrum = torch.fft.rfft(x, 2 * length).abs()  # twice the length: no row follows on itself
    same = torch.fft.irfft(spectrum)[..., : longest + 2] / (length - torch.arange(longest + 2, device=x.device))  # [..., lag]
    same = same[..., shortest - 1 :]  # and one on either side
    before, here, after = same[..., :-2], same[..., 1:-1], same[..., 2:]
    peak = (here >= before) & (here >= after) & (here >= 0.75 * here.amax(-1, keepdim=True))
    first = peak.long().argmax(-1, keepdim=True)  # [..., 1]
    b, h, a = (part.gather(-1, first)[..., 0] for part in (before, here, after))  # the parabola through three points
    curve = b - 2 * h + a
    shift = torch.where(curve < 0, (b - a) / (2 * curve), torch.zeros_like(curve)).clamp(-0.5, 0.5)
    return rate / (shortest + first[..., 0] + shift)


def _resonators(frequencies: Sequence[float], widths: Sequence[float], rate: int) -> np.ndarray:
    """The filter of (4), one resonator after the other: [P + 1], 1 and then -a of (1)."""
    filter_ = np.ones(1)
    for f, width in zip(frequencies, widths, strict=True):
        if f < 0.475 * rate:
            r = math.exp(-math.pi * width / rate)
            filter_ = np.convolve(filter_, [1, -2 * r * math.cos(2 * math.pi * f / rate), r * r])  # eq. (4)
    return filter_


def _ring(filter_: np.ndarray, drive: Tensor) -> Tensor:
    """(1) from silence: drives [N, T] -> waves [N, T]."""
    from scipy.signal import lfilter  # here: scipy takes a while to load

    return torch.from_numpy(lfilter([1.0], filter_, drive.double().numpy(), axis=-1))


def _sound(draw, sizes: Sequence[int], seed: int, rate: int, pitches: Sequence[float]) -> Sound:
    with seeded(seed):
        parts = [draw(n) for n in sizes]
    (x0, y0, _, _, *v0), (x1, y1, _, _, *v1), (x2, y2, means, sigma, *v2) = parts
    return Sound(x0, x1, x2, y0, y1, y2, rate, tuple(pitches), means, sigma, *v0, *v1, *v2)


def _check(pitches: Sequence[float], rate: int, length: int, sizes: Sequence[int], highest: int) -> None:
    if len(sizes) != 3 or not all(type(n) is int and n >= 1 for n in (rate, length, *sizes)):
        raise ValueError(
            f"rate, length and three sizes must be whole numbers of at least 1, got {rate}, {length}, {tuple(sizes)}"
        )
    if not pitches or not all(0 < highest * p < rate / 2 for p in pitches):
        raise ValueError(f"pitches must be above 0 and below rate / {2 * highest} = {rate / 2 / highest:g}, got {tuple(pitches)}")
