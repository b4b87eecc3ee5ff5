r"""Interpolation in latent space: the codes on the way from one code to another.

Decode the codes on a path from z0 to z1, and one image turns into the other. Which path? In many dimensions N(0, I) has its mass
near a sphere: |z|^2 = d, give or take sqrt(2d). The straight line cuts through the inside, where the decoder has seen no codes:
halfway between two independent draws |z|^2 is d/2 in the mean. An arc stays on the sphere. For t from 0 to 1:

    linear:               z_t = (1 - t) z0 + t z1                                                  (1)
    spherical:            z_t = [sin((1 - t) W) z0 + sin(t W) z1] / sin W,  W the angle from z0 to z1    (2)
    variance preserving:  z_t = [(1 - t) z0 + t z1] / sqrt((1 - t)^2 + t^2)                        (3)

(2) keeps the norm where z0 and z1 have the same. (3) keeps the law: for independent z0, z1 ~ N(0, I) each z_t is N(0, I) again.
As W goes to 0, (2) becomes (1). At W = pi there is no shortest arc. All start at z0 and end at z1 exactly.

Source:   T. White, "Sampling Generative Networks", 2016, arXiv 1609.04468: (2). (3) is the sum of two Gaussians, scaled.
Lecture:  "Interpolation in the Latent Space".
Differs:  opposite codes are refused, where White's code falls back on the line through the origin.
"""

import math

import torch
from torch import Tensor

from genedu.core import check_values

SMALL = 1e-4  # radians: below, (2) and (1) differ by less than 1e-8


def angle(z0: Tensor, z1: Tensor) -> Tensor:
    """The angle between codes in radians, exact for small ones too, where an arc cosine is not: [..., Z] -> [..., 1]."""
    a, b = z0 / z0.norm(dim=-1, keepdim=True), z1 / z1.norm(dim=-1, keepdim=True)  # [..., Z] each
    return 2 * torch.atan2((a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True))  # [..., 1]


def interpolate(z0: Tensor, z1: Tensor, steps: int, how: str = "linear") -> Tensor:
    """`steps` codes from z0 to z1, both included: [..., Z] and [..., Z] -> [steps, ..., Z].

    Args:
        how: "linear" (1), "spherical" (2) or "variance_preserving" (3).

    Raises:
        ValueError: shapes that differ, codes that are not floating or not finite, fewer than two steps, an unknown way; for
            "spherical" a code that is 0, or two that point in opposite directions.
    """
    if z0.shape != z1.shape or z0.dim() == 0 or z0.numel() == 0:
        raise ValueError(f"z0 and z1 must both be [..., latent], got {list(z0.shape)} and {list(z1.shape)}")
    if not (z0.is_floating_point() and z1.is_floating_point()):  # whole numbers have nothing in between
        raise ValueError(f"z0 and z1 must be floating, got {z0.dtype} and {z1.dtype}: use z.float()")
    if steps < 2:
        raise ValueError(f"steps must be at least 2, the two ends, got {steps}")
    for z in (z0, z1):
        check_values(z, torch.isfinite, "codes must be finite")
    t = torch.linspace(0, 1, steps, device=z0.device, dtype=z0.dtype).view(-1, *[1] * z0.dim())  # [steps, 1, ..., 1]
    if how == "linear":
        return (1 - t) * z0 + t * z1  # [steps, ..., Z], eq. (1)
    if how == "variance_preserving":
        return ((1 - t) * z0 + t * z1) / ((1 - t).square() + t.square()).sqrt()  # [steps, ..., Z], eq. (3)
    if how != "spherical":
        raise ValueError(f"how must be 'linear', 'spherical' or 'variance_preserving', got {how!r}")
    for z in (z0, z1):
        check_values(z.norm(dim=-1), lambda r: r > 0, "a code that is 0 has no direction: its norm must be above 0")
    omega = angle(z0, z1)  # [..., 1]
    check_values(
        omega, lambda w: w < math.pi - SMALL, "between opposite codes there is no shortest arc: the angle must be below pi"
    )
    safe = omega.clamp(min=SMALL)  # so that no branch divides by 0
    first, second = ((s * safe).sin() / safe.sin() for s in (1 - t, t))  # [steps, ..., 1] each, eq. (2)
    return torch.where(omega < SMALL, (1 - t) * z0 + t * z1, first * z0 + second * z1)  # [steps, ..., Z]
