"""Video: a block that bounces and turns at random, whose entropy is known exactly, and real digits that move.

A block of b x b pixels stands at s = (row, column, heading) and moves by `step` pixels from frame to frame. Before it moves it
turns to its left or its right, with probability turn / 2 each; where it would leave the frame it turns back. Then each pixel is
flipped with probability eps. What is seen, x_t, is a hidden Markov model with few states, so its likelihood can be summed:

    p(s_1 | no frame) uniform,   p(s_t | x_<t) = sum_s p(s_t | s_{t-1} = s) p(s_{t-1} = s | x_<t)                    (1)
    p(x_t | x_<t) = sum_s p(s_t = s | x_<t) p(x_t | s),   p(s_t = s | x_<=t) = p(s_t = s | x_<t) p(x_t | s) / p(x_t | x_<t)   (2)
    log p(x) = sum_t log p(x_t | x_<t)                                                     (3)
    best product of pixels:   q(x_t | x_<t) = prod_i p(x_ti | x_<t)                        (4)

(3) is exact for each video, and the mean of -log p(x) over videos is the source's entropy but for chance: no model gets below.
(4) is the best that a model can do which draws the pixels of a frame independently, given the past. Where the block may have
turned it is here or there; (4) may draw half of it at both places. The mean of (3) - (4) is what this costs.

Source:   the forward recursion (1), (2): L. Rabiner, "A Tutorial on Hidden Markov Models", Proc. IEEE 77 (1989), section III.A.
          Videos with a known floor: N. Kalchbrenner et al., "Video Pixel Networks", 2016, arXiv 1610.00527, Moving MNIST.
Lecture:  "Autoregressive models" (Video Pixel Network).
Differs:  block and turns are ours. The digits are scikit-learn's 8 x 8, one a video, in black and white.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genedu.core import levels_of, seeded
from genedu.data.digits import digits

HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up: rows and columns a step


@dataclass(frozen=True, eq=False)
class Bounce:
    """Videos `[N, T, 1, size, size]` of bits (long) in three parts, and the source that they were drawn from."""

    train: Tensor
    validation: Tensor
    test: Tensor
    size: int
    block: int
    step: int
    turn: float
    flip: float

    def frame_log_prob(self, x: Tensor, *, within: bool = True) -> Tensor:
        """log p(x_t | x_<t) of (2) for each frame, or log q of (4) if not `within`; nats: [B, T, 1, size, size] -> [B, T].

        Raises:
            ValueError: x is not [batch, time, 1, size, size] of bits.
        """
        levels_of(x, 2, (None, 1, self.size, self.size))
        shows, move = self._shows().to(x.device), self._moves().to(x.device)  # [P, H W] and [4 P, 4 P]
        on = shows * (1 - self.flip) + (1 - shows) * self.flip  # [P, H W]: p(pixel = 1 | place)
        seen = x.flatten(2).double()  # [B, T, H W]
        log_seen = seen @ on.log().T + (1 - seen) @ torch.log1p(-on).T  # [B, T, P]: log p(x_t | place)
        p, out = torch.full((len(x), len(move)), 1 / len(move), dtype=torch.float64, device=x.device), []  # [B, 4 P]
        for t in range(x.shape[1]):
            p = p @ move if t else p  # eq. (1)
            if not within:
                pixel = p.view(len(x), -1, 4).sum(2) @ on  # [B, H W]: p(x_ti = 1 | x_<t)
                out.append((seen[:, t] * pixel.log() + (1 - seen[:, t]) * torch.log1p(-pixel)).sum(1))  # eq. (4)
            joint = p.log() + log_seen[:, t].repeat_interleave(4, 1)  # [B, 4 P]
            total = joint.logsumexp(1, keepdim=True)
            if within:
                out.append(total[:, 0])  # eq. (2)
            p = (joint - total).exp()  # eq. (2)
        return torch.stack(out, 1)

    def log_prob(self, x: Tensor) -> Tensor:
        """(3), exact, in nats: [B, T, 1, size, size] -> [B]. Raises as `frame_log_prob`."""
        return self.frame_log_prob(x).sum(1)  # eq. (3)

    def floor(self, *, within: bool = True, given: int = 0) -> float:
        """Nats a frame that no model beats on the test videos but for chance; none with independent pixels, if not `within`.

        Args:
            given: leave out so many first frames: only what is predicted counts.

        Raises:
            ValueError: given is not below the number of frames.
        """
        if not 0 <= given < self.test.shape[1]:
            raise ValueError(f"given must be 0 to {self.test.shape[1] - 1}, got {given}: some frame must be predicted")
        return -self.frame_log_prob(self.test, within=within)[:, given:].mean().item()

    def sample(self, n: int, *, frames: int = 8) -> Tensor:
        """Draw n videos from torch's global randomness: [n, frames, 1, size, size]."""
        state, move, path = torch.randint(4 * self._sides() ** 2, (n,)), self._moves(), []
        for _ in range(frames):
            path.append(state)
            state = torch.multinomial(move[state], 1)[:, 0]  # [n]
        clean = self._shows()[torch.stack(path, 1) // 4]  # [n, T, H W]
        flips = torch.rand(clean.shape, dtype=torch.float64) < self.flip
        return (clean.bool() ^ flips).long().view(n, frames, 1, self.size, self.size)

    def _sides(self) -> int:
        """How many rows, or columns, the block can stand at."""
        return (self.size - self.block) // self.step + 1

    def _shows(self) -> Tensor:
        """Which pixels a block at each place covers: [P, H W] zeros and ones, place = sides * row + column."""
        start = torch.arange(self._sides())[:, None] * self.step  # [sides, 1]
        covers = (torch.arange(self.size) >= start) & (torch.arange(self.size) < start + self.block)  # [sides, size]
        covers = covers.double()
        return torch.einsum("rh,cw->rchw", covers, covers).flatten(0, 1).flatten(1)

    def _moves(self) -> Tensor:
        """p(next state | state): [4 P, 4 P], state = 4 * place + heading."""
        sides = self._sides()
        move = torch.zeros(4 * sides**2, 4 * sides**2, dtype=torch.float64)
        for place in range(sides**2):
            for heading in range(4):
                for change, p in ((0, 1 - self.turn), (1, self.turn / 2), (3, self.turn / 2)):
                    new = (heading + change) % 4
                    if not all(0 <= a + b < sides for a, b in zip(divmod(place, sides), HEADINGS[new], strict=True)):
                        new = (new + 2) % 4  # turns back
                    there = place + sides * HEADINGS[new][0] + HEADINGS[new][1]
                    move[4 * place + heading, 4 * there + new] += p
        return move


def bounce(
    *,
    size: int = 8,
    block: int = 2,
    step: int = 2,
    turn: float = 0.5,
    flip: float = 0.01,
    frames: int = 8,
    sizes: Sequence[int] = (2000, 200, 500),
    seed: int = 0,
) -> Bounce:
    """The bouncing block.

    Args:
        step: pixels a frame; must divide size - block, and fit in twice, so that it can turn back.
        turn: probability of a turn before a frame, half of it to each side.
        flip: eps, probability that a pixel is flipped, above 0 and below 1/2.

    Raises:
        ValueError: an argument out of its range.
    """
    if not all(type(n) is int and n >= 1 for n in (size, block, step, frames, *sizes)) or len(sizes) != 3:
        raise ValueError(
            f"size, block, step, frames and three sizes must be whole numbers of at least 1, "
            f"got {size}, {block}, {step}, {frames}, {tuple(sizes)}"
        )
    if size - block < step or (size - block) % step:
        raise ValueError(f"step must divide size - block = {size - block}, at least once, got {step}")
    if not (0 <= turn <= 1 and 0 < flip < 0.5):
        raise ValueError(f"turn must be in [0, 1] and flip in (0, 0.5), got {turn} and {flip}")
    nothing = torch.zeros(0, dtype=torch.long)
    source = Bounce(nothing, nothing, nothing, size, block, step, turn, flip)
    with seeded(seed):
        train, validation, test = (source.sample(n, frames=frames) for n in sizes)
    return Bounce(train, validation, test, size, block, step, turn, flip)


@dataclass(frozen=True)
class MovingDigits:
    """Videos `[N, T, 1, size, size]` of bits (long) and the digits' labels `[N]`, in three parts that share no digit."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor


def moving_digits(
    *, size: int = 16, frames: int = 8, speed: int = 2, sizes: Sequence[int] = (1000, 200, 450), seed: int = 0
) -> MovingDigits:
    """A real 8 x 8 digit (black and white, the stratified split's) that moves through a larger frame and bounces off its borders.

    Place, and a speed of -speed .. speed pixels a frame down and to the right, are drawn for each video; then all is determined.

    Raises:
        ValueError: size below 9; another number below 1; speed above size - 8.
    """
    if not all(type(n) is int and n >= 1 for n in (frames, speed, *sizes)) or len(sizes) != 3:
        raise ValueError(
            f"frames, speed and three sizes must be whole numbers of at least 1, got {frames}, {speed}, {tuple(sizes)}"
        )
    if type(size) is not int or size - 8 < speed:
        raise ValueError(f"size must be at least 8 + speed = {8 + speed}, so that a digit can move, got {size!r}")
    real, room = digits("binary"), size - 8
    x, y = [], []
    with seeded(seed):
        for part, n in zip(("train", "validation", "test"), sizes, strict=True):
            images, labels = getattr(real, part), getattr(real, f"{part}_labels")
            pick = torch.randint(len(images), (n,))
            start, pace = torch.randint(room + 1, (n, 1, 2)), torch.randint(-speed, speed + 1, (n, 1, 2))
            way = (start + pace * torch.arange(frames)[:, None]) % (2 * room)  # [N, T, 2]: there and back again
            place = torch.minimum(way, 2 * room - way)  # [N, T, 2]: upper left corner
            at = torch.arange(size) - place[..., None]  # [N, T, 2, size]: which row and column of the digit
            inside, at = (at >= 0) & (at < 8), at.clamp(0, 7)
            rows, columns = at[:, :, 0, :, None], at[:, :, 1, None, :]
            shown = images[pick, 0][torch.arange(n)[:, None, None, None], rows, columns]  # [N, T, size, size]
            shown = shown * (inside[:, :, 0, :, None] & inside[:, :, 1, None, :])
            x.append(shown[:, :, None])
            y.append(labels[pick])
    return MovingDigits(*x, *y)
