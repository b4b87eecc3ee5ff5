"""Growing networks: a generator and a critic that work at any side from `sides[0]` to `sides[-1]`, and in between.

Each side R has a block of two convolutions and a convolution of 1 x 1 between features and colours. A network that grows from
side R/2 to R mixes the old way and the new one, so that nothing jumps:

    generator:  x = (1 - alpha) double(rgb_old(h)) + alpha rgb_new(block(double(h)))                        (1)
    critic:     h = (1 - alpha) from_old(halve(x)) + alpha halve(block(from_new(x)))                        (2)
    data:       x_R = (1 - alpha) double(halve(x)) + alpha x                                                (3)
    channels of the block of side R = min(cap, base / R)                                                    (4)

double copies each pixel into 2 x 2, halve is the mean of 2 x 2. alpha = 0 is the old network, alpha = 1 has no old way.

Source:   T. Karras et al., ICLR 2018, figure 2: (1), (2); section 2 (3); table 2: (4), base 16384, cap 512 (the
          authors' code has the same as 8192 over R/2).
Differs:  images are in [0, 1] where the authors' are in [-1, 1]: the colours start around `grey`, with half the gain. Like theirs
          they are linear in the features and may leave the range.
"""

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from genedu.nn.equalised import EqualisedConv2d
from genedu.nn.minibatch_deviation import MinibatchDeviation
from genedu.nn.pixel_norm import PixelNorm


def double(x: Tensor) -> Tensor:
    """Each pixel becomes 2 x 2: [B, C, H, W] -> [B, C, 2H, 2W]."""
    return interpolate(x, scale_factor=2, mode="nearest")


def halve(x: Tensor) -> Tensor:
    """The mean of each 2 x 2: [B, C, H, W] -> [B, C, H/2, W/2]."""
    return avg_pool2d(x, 2)


def at_stage(x: Tensor, side: int, alpha: float) -> Tensor:
    """(3), data as they look at a stage: [B, C, S, S] -> [B, C, side, side]."""
    while x.shape[-1] > side:
        x = halve(x)
    return x if alpha == 1 else (1 - alpha) * double(halve(x)) + alpha * x  # eq. (3)


class GrowingGenerator(nn.Module):
    """[N, Z] -> [N, C, R, R], around `grey`; `blocks` has one for each side.

    Args:
        sides: R_0, 2 R_0, ..., with R_0 >= 2.
        widths: (4), the channels of each block.
        grey: where all colours start, at best the mean of the data: a step of Adam moves a bias by its rate and no further.
    """

    def __init__(self, latent: int, channels: int, sides: list[int], widths: list[int], *, grey: float = 0.5) -> None:
        super().__init__()
        self.sides, first = sides, sides[0]
        self.blocks, self.to_rgb = nn.ModuleList(), nn.ModuleList()
        dense = EqualisedConv2d(latent, widths[0], first, padding=first - 1)  # on [N, Z, 1, 1]: a map to [N, C, R_0, R_0]
        start = nn.Sequential(PixelNorm(), nn.Unflatten(1, (latent, 1, 1)), *bent(dense, PixelNorm()))
        self.blocks.append(start.extend(bent(same(widths[0], widths[0]), PixelNorm())))
        for before, width in pairwise(widths):
            layers = bent(same(before, width), PixelNorm()) + bent(same(width, width), PixelNorm())
            self.blocks.append(nn.Sequential(nn.Upsample(scale_factor=2), *layers))
        for width in widths:
            colours = EqualisedConv2d(width, channels, 1, gain=0.5)
            nn.init.constant_(colours.bias, grey)
            self.to_rgb.append(colours)

    def used(self, side: int, alpha: float) -> list[nn.Parameter]:
        """Parameters that have a part in the output at this stage."""
        return used(self.blocks, self.to_rgb, self.sides.index(side), alpha)

    def forward(self, z: Tensor, side: int, alpha: float) -> Tensor:
        stage, h, old = self.sides.index(side), z, z
        for block in self.blocks[: stage + 1]:
            old, h = h, block(h)  # [N, width, R, R]
        x = self.to_rgb[stage](h)  # [N, C, R, R]
        return x if stage == 0 or alpha == 1 else (1 - alpha) * double(self.to_rgb[stage - 1](old)) + alpha * x  # eq. (1)


class GrowingCritic(nn.Module):
    """[B, C, R, R] -> [B, 1], the generator's mirror; arguments as above."""

    def __init__(self, channels: int, sides: list[int], widths: list[int]) -> None:
        super().__init__()
        self.sides, first, width = sides, sides[0], widths[0]
        end = bent(same(width + 1, width)) + bent(EqualisedConv2d(width, width, first))  # [B, width, 1, 1]
        score = nn.Sequential(MinibatchDeviation(), *end, EqualisedConv2d(width, 1, 1, gain=1.0), nn.Flatten())
        self.blocks = nn.ModuleList([score])
        for after, before in pairwise(widths):
            layers = bent(same(before, before)) + bent(same(before, after))
            self.blocks.append(nn.Sequential(*layers, nn.AvgPool2d(2)))
        self.from_rgb = nn.ModuleList(nn.Sequential(*bent(EqualisedConv2d(channels, w, 1))) for w in widths)

    def used(self, side: int, alpha: float) -> list[nn.Parameter]:
        """Parameters that have a part in the score at this stage."""
        return used(self.blocks, self.from_rgb, self.sides.index(side), alpha)

    def forward(self, x: Tensor, side: int, alpha: float) -> Tensor:
        stage = self.sides.index(side)
        h = self.blocks[stage](self.from_rgb[stage](x))
        if stage and alpha < 1:
            h = (1 - alpha) * self.from_rgb[stage - 1](halve(x)) + alpha * h  # eq. (2)
        for block in reversed(self.blocks[:stage]):
            h = block(h)
        return h


def same(channels: int, out: int) -> EqualisedConv2d:
    return EqualisedConv2d(channels, out, 3, padding=1)


def bent(layer: nn.Module, *norm: nn.Module) -> list[nn.Module]:
    return [layer, nn.LeakyReLU(0.2), *norm]


def used(blocks: nn.ModuleList, colours: nn.ModuleList, stage: int, alpha: float) -> list[nn.Parameter]:
    parts = [*blocks[: stage + 1], colours[stage]]
    if stage and alpha < 1:
        parts.append(colours[stage - 1])
    return [w for part in parts for w in part.parameters()]


def growing_widths(sides: list[int], base: int, cap: int) -> list[int]:
    """(4), for each side."""
    return [max(1, min(cap, math.floor(base / side))) for side in sides]
