r"""Autoencoder: a network that must give back its input through a narrow code, or from a noisy copy.

An encoder e maps an image to Q numbers, a decoder d maps them back. If Q is small, the code must hold what images have in common.
If noise is added first, the network must tell image from noise, and for that know which images are likely.

    L = E|r(x) - x|^2,  r(x) = d(e(x)),  the norm over all pixels                                           (1)
    linear e, d:  min L = sum_{j > Q} l_j,  reached where r projects on the Q first principal axes          (2)
    L = E|r(x + sigma eps) - x|^2,  eps ~ N(0, I)                                                           (3)
    best r of all functions:  r*(y) = E[x | x + sigma eps = y] = y + sigma^2 grad log p_sigma(y)            (4)
    linear e, d:  min (3) = sum_{j > Q} l_j + sum_{j <= Q} l_j sigma^2 / (l_j + sigma^2)                    (5)

l_1 >= l_2 >= .. are the eigenvalues of the covariance of x; p_sigma is the density of y = x + sigma eps. In (2) e and d are known
only up to an invertible map of the code. (5) is reached where r shrinks the jth principal axis by l_j / (l_j + sigma^2). With
neither noise nor a narrow code (1) is zero at the identity, which has learned nothing. A trained r is near (4) only where y is
likely: elsewhere nothing trains it. An autoencoder is no generative model, for nothing says how codes are distributed: it has no
`sample` and no `log_prob`.

Source:   G. Hinton, R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006: (1) deep;
          P. Baldi, K. Hornik, "Neural Networks and Principal Component Analysis", Neural Networks 2, 1989: (2);
          P. Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008: (3);
          P. Vincent, "A Connection Between Score Matching and Denoising Autoencoders", Neural Computation 23, 2011, and
          B. Efron, "Tweedie's Formula and Selection Bias", JASA 106, 2011: (4). (5) is (2) for a shrunk covariance, our working.
Lecture:  "Autoencoders".
Differs:  the slide's (x - x^)^2 is written with a norm, as x is a vector. The paper of 2008 sets pixels to zero, we add noise.
"""

import math

import torch
from torch import Tensor, nn

from genedu.core import Player, check_values


class Autoencoder(nn.Module):
    """Encoder and decoder of images [B, C, H, W], best in [0, 1], trained on squared error. No generative model.

    Args:
        code: Q, the length of the code.
        linear: no hidden layer in the default networks.
        noise: sigma in (3), in units of x; 0 is (1).
        encoder: [B, C, H, W] -> [B, Q].
        decoder: [B, Q] -> B rows of C*H*W numbers, in any shape.
        shape: (C, H, W) of one image.
        hidden: width of the default networks.

    Raises:
        ValueError: code below 1; noise below 0 or not finite.
    """

    origin: Tensor

    def __init__(
        self,
        code: int,
        *,
        linear: bool = False,
        noise: float = 0.0,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        shape: tuple[int, int, int] = (1, 8, 8),
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if code < 1:
            raise ValueError(f"code must be at least 1, got {code}")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise must be at least 0 and finite, got {noise}")
        pixels = math.prod(shape)
        if linear:
            self.encoder = encoder or nn.Sequential(nn.Flatten(), nn.Linear(pixels, code))
            self.decoder = decoder or nn.Linear(code, pixels)
        else:
            self.encoder = encoder or nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, code))
            self.decoder = decoder or nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, pixels))
        self.code, self.noise, self.shape = code, noise, tuple(shape)
        self.register_buffer("origin", torch.zeros(()))  # knows the dtype

    def encode(self, x: Tensor) -> Tensor:
        """e(x): [B, C, H, W] -> [B, Q].

        Raises:
            ValueError: x is not finite [batch, C, H, W], at least one; the encoder does not emit Q numbers a row.
        """
        code = self.encoder(self._images(x))  # [B, Q]
        if code.shape != (len(x), self.code):
            raise ValueError(f"the encoder must return [batch, code] = {[len(x), self.code]}, got {list(code.shape)}")
        return code

    def decode(self, code: Tensor) -> Tensor:
        """d(code): [B, Q] -> [B, C, H, W].

        Raises:
            ValueError: code is not [batch, Q]; the decoder does not emit C*H*W numbers a row.
        """
        if code.dim() != 2 or code.shape[1] != self.code:
            raise ValueError(f"code must be [batch, {self.code}], got {list(code.shape)}")
        x = self.decoder(code)
        if len(x) != len(code) or x.numel() != len(code) * math.prod(self.shape):
            raise ValueError(f"the decoder must return {len(code)} rows of {math.prod(self.shape)} numbers, got {list(x.shape)}")
        return x.reshape(-1, *self.shape)  # [B, C, H, W]

    def reconstruct(self, x: Tensor) -> Tensor:
        """r(x) of (1), without noise of its own: [B, C, H, W] -> [B, C, H, W]. Raises as `encode`."""
        return self.decode(self.encode(x))

    def errors(self, x: Tensor) -> Tensor:
        """|r(x) - x|^2 of each image, in units of x squared: [B, C, H, W] -> [B]. Raises as `encode`."""
        return squared_distance(self.reconstruct(x), self._images(x))  # eq. (1)

    def score(self, x: Tensor) -> Tensor:
        """What (4) says of grad log p_sigma(x), by the network: [B, C, H, W] -> [B, C, H, W], nats per unit of x.

        Raises:
            ValueError: as `encode`; there was no noise, so (4) says nothing.
        """
        if self.noise == 0:
            raise ValueError(
                "a score needs an autoencoder that was trained with noise, got noise=0: use Autoencoder(..., noise=0.3)"
            )
        return (self.reconstruct(x) - self._images(x)) / self.noise**2  # eq. (4)

    def loss(self, x: Tensor) -> Tensor:
        """(3), which is (1) without noise; a mean over images, in units of x squared. Raises as `encode`."""
        x = self._images(x)
        noisy = x + self.noise * torch.randn_like(x) if self.noise else x
        return squared_distance(self.reconstruct(noisy), x).mean()  # eq. (3)

    def players(self) -> list[Player]:
        return [Player("model", list(self.parameters()), self.loss)]

    def _images(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.shape or len(x) == 0:
            raise ValueError(f"x must be [batch, {', '.join(map(str, self.shape))}] with batch >= 1, got {list(x.shape)}")
        check_values(x, torch.isfinite, "x must be finite")
        return x.to(self.origin.dtype)


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """|a - b|^2 over all pixels: twice [B, C, H, W] -> [B]."""
    return (a - b).square().flatten(1).sum(1)
