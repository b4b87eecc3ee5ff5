"""Strided convolutions: networks that halve or double an image by convolutions of stride 2, after the rules of DCGAN.

A convolution with kernel k, stride s and padding p has the matrix A; its transpose A' maps back, with the same weights:

    convolution:  out = floor((in + 2p - k) / s) + 1,     transposed:  out = (in - 1) s - 2p + k            (1)
    k = 4, s = 2, p = 1:  out = in / 2  and  out = 2 in                                                     (2)
    channels: width at half the image's side, twice as many at each further halving, down to 2 x 2          (3)

A kernel that the stride divides reaches all pixels equally often: with k = 5 or 3 and s = 2 some pixels get more terms than
their neighbours, which shows as a checkerboard. Batch norm, w -> (w - mean) / deviation over the rows and places of a channel,
makes the bias of the layer before it idle, so such layers have none.

Source:   A. Radford, L. Metz, S. Chintala, ICLR 2016: (3) and the rules; A. Odena, V. Dumoulin, C. Olah, Distill 2016: (2).
Differs:  kernels of 4 x 4 for theirs of 5 x 5, because of (2); down to 2 x 2 for 4 x 4, as our images are small; the image
          ends in a sigmoid, in [0, 1], which is their tanh of half the value, rescaled.
"""

from torch import nn

NORMS = ("hidden", "none", "everywhere")
RESIZES = ("stride", "pool")


def strided_generator(
    latent: int,
    shape: tuple[int, int, int],
    *,
    width: int = 32,
    norm: str = "hidden",
    resize: str = "stride",
    init: float | None = 0.02,
) -> nn.Sequential:
    """Noise to images in [0, 1], a stage for each side 2, 4, ..., S: [N, Z] -> [N, C, S, S].

    Args:
        norm: batch norm in the "hidden" stages, in "none" or "everywhere": then also at the output.
        resize: double by a transposed convolution of "stride" 2, or by copies of pixels and a convolution ("pool").
        init: standard deviation of all weights; None: torch's own start.

    Raises:
        ValueError: a shape that is not (C, S, S) with S = 4, 8, 16, ...; an unknown norm or resize; a width below 1.
    """
    channels, sides = plan(shape, width, norm, resize)
    dense = nn.Linear(latent, 4 * channels[-1], bias=norm == "none")
    stages = [nn.Sequential(dense, nn.Unflatten(1, (channels[-1], 2, 2)), *after(channels[-1], norm != "none", nn.ReLU()))]
    for i in reversed(range(sides)):  # from the smallest side on
        last, bias = i == 0, norm == "none" or (i == 0 and norm == "hidden")
        wide, narrow = channels[i + 1], channels[i]
        if resize == "stride":
            double: list[nn.Module] = [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=bias)]  # eq. (2)
        else:
            double = [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, 1, 1, bias=bias)]
        stages.append(nn.Sequential(*double, *after(narrow, not bias, nn.Sigmoid() if last else nn.ReLU())))
    return start(nn.Sequential(*stages), init)


def strided_discriminator(
    shape: tuple[int, int, int],
    *,
    width: int = 32,
    slope: float = 0.2,
    norm: str = "hidden",
    resize: str = "stride",
    init: float | None = 0.02,
) -> nn.Sequential:
    """Images to logits, a stage for each side S/2, ..., 2 and one for the logit: [B, C, S, S] -> [B, 1].

    Args:
        slope: of the leaky ReLU below 0; 0 makes it a ReLU.
        norm: as above; "everywhere": also after the first layer, which sees the image.
        resize: halve by "stride" 2, or by a convolution and the mean over 2 x 2 places ("pool").

    Raises:
        ValueError: as above.
    """
    channels, sides = plan(shape, width, norm, resize)
    stages = []
    for i in range(sides):
        bias = norm == "none" or (i == 0 and norm == "hidden")
        narrow, wide = channels[i], channels[i + 1]
        if resize == "stride":
            halve: list[nn.Module] = [nn.Conv2d(narrow, wide, 4, 2, 1, bias=bias)]  # eq. (2)
        else:
            halve = [nn.Conv2d(narrow, wide, 3, 1, 1, bias=bias), nn.AvgPool2d(2)]
        stages.append(nn.Sequential(*halve, *after(wide, not bias, nn.LeakyReLU(slope))))
    stages.append(nn.Sequential(nn.Conv2d(channels[-1], 1, 2), nn.Flatten()))  # [B, wide, 2, 2] -> [B, 1]
    return start(nn.Sequential(*stages), init)


def plan(shape: tuple[int, int, int], width: int, norm: str, resize: str) -> tuple[list[int], int]:
    """(3): channels at the sides S, S/2, ..., 2, and how many halvings that is."""
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 4 or shape[1] & (shape[1] - 1):
        raise ValueError(f"shape must be (channels, side, side) with a side of 4, 8, 16, ..., got {tuple(shape)}")
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    if norm not in NORMS or resize not in RESIZES:
        raise ValueError(f"norm must be one of {NORMS} and resize one of {RESIZES}, got {norm!r} and {resize!r}")
    sides = shape[1].bit_length() - 2
    return [shape[0], *(width * 2**i for i in range(sides))], sides  # eq. (3)


def after(channels: int, normed: bool, bend: nn.Module) -> list[nn.Module]:
    """What follows a layer: batch norm or not, then the bend."""
    return [nn.BatchNorm2d(channels), bend] if normed else [bend]


def start(network: nn.Sequential, init: float | None) -> nn.Sequential:
    """Weights N(0, init^2) and biases 0; the gains of batch norm stay 1."""
    for layer in network.modules():
        if init is not None and isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=init)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
