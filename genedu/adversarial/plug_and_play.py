r"""Plug and play: three networks that were trained apart, put together as a sampler for any class, without training.

A generator G makes images of codes h but knows no classes. A classifier knows classes but makes no images. A denoising
autoencoder R knows which codes are likely. A chain goes uphill on both, and noise keeps it from ending at one best image:

    h <- h + eps1 (R(h) - h) + eps2 grad_h log p(y | G(h)) + N(0, eps3^2 I)                                 (1)
    best R for codes with noise sigma:  R(h) - h = sigma^2 grad log p_sigma(h)                              (2)
    eps1 = e/(2 sigma^2),  eps2 = e/2,  eps3 = sqrt(e),  e small:  h ~ p_sigma(h) p(y | G(h)) / p(y)        (3)

p_sigma is the density of codes with noise added. (3) is Langevin's: by (2) the first two terms of (1) are e/2 times the slope of
log p_sigma(h) p(y | G(h)). Other steps sample something else: more eps2 draws images that the classifier is surer of, less eps3
images that are more alike; steps too large do not settle. For Gaussian codes, the best R, a linear G and a quadratic log p(y|x),
(1) is a linear recursion h <- F h + c + eps3 n, n ~ N(0, I), with (where all eigenvalues of F are below 1 in size)

    E h = (I - F)^-1 c,   Cov h = V,  the solution of  V = F V F' + eps3^2 I                                (4)

Where eps2 = 0 the chain draws codes as if there were no class. The classifier may be any: plug in another one, and play.

Source:   A. Nguyen et al., "Plug & Play Generative Networks: Conditional Iterative Generation of Images in Latent Space", CVPR
          2017, arXiv 1612.00005: (1) is its PPGN-h. (2): P. Vincent, Neural Computation 23, 2011. (3) and (4): our working.
Lecture:  "Images" (Anh et al. 2016: redshank, ant, monastery, volcano).
Differs:  chains start at h ~ N(0, I); all steps are (1), and the last code gives the image.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from genedu.adversarial.parts import asked_classes


class PlugAndPlay(nn.Module):
    """A sampler of images of a class from parts that are given. It has nothing to train and changes no weight of a
    part; put parts with batch norm or dropout into eval mode.

    Args:
        generator: G, [N, Z] -> [N, ...], a module or a function that lets gradients through.
        denoiser: R, [N, Z] -> [N, Z].
        classifier: [N, ...] -> [N, K], the logits of p(y|x).
        latent: Z.
        classes: K.
        eps1: how much of the way to R(h) a step goes.
        eps2: how far it follows the slope of log p(y | G(h)).
        eps3: standard deviation of the noise of a step.

    Raises:
        ValueError: latent or classes below 1; an eps below 0 or not finite.
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        generator: Callable[[Tensor], Tensor],
        denoiser: Callable[[Tensor], Tensor],
        classifier: Callable[[Tensor], Tensor],
        *,
        latent: int = 8,
        classes: int = 10,
        eps1: float = 0.1,
        eps2: float = 0.1,
        eps3: float = 0.1,
    ) -> None:
        super().__init__()
        if min(latent, classes) < 1:
            raise ValueError(f"latent and classes must be at least 1, got {latent} and {classes}")
        if not all(0 <= eps < math.inf for eps in (eps1, eps2, eps3)):
            raise ValueError(f"eps1, eps2 and eps3 must be at least 0 and finite, got {eps1}, {eps2} and {eps3}")
        self.generator, self.denoiser, self.classifier = generator, denoiser, classifier
        self.classes, self.eps1, self.eps2, self.eps3 = classes, eps1, eps2, eps3
        self.register_buffer("origin", torch.zeros(latent))

    def log_class(self, h: Tensor, y: int | Tensor) -> Tensor:
        """log p(y | G(h)) in nats: codes [N, Z] and classes -> [N].

        Raises:
            ValueError: h is not [N, Z]; y is no class, or not one for each code; the classifier does not return K logits a row.
        """
        if h.dim() != 2 or h.shape[1:] != self.origin.shape or len(h) == 0:
            raise ValueError(f"h must be [batch, {len(self.origin)}] with batch >= 1, got {list(h.shape)}")
        logits = self.classifier(self.generator(h))  # [N, K]
        if logits.shape != (len(h), self.classes):
            raise ValueError(f"the classifier must return [batch, classes] = {[len(h), self.classes]}, got {list(logits.shape)}")
        y = asked_classes(y, len(h), self.classes, self.origin.device)
        return logits.log_softmax(1).gather(1, y[:, None]).squeeze(1)  # [N]

    def step(self, h: Tensor, y: int | Tensor) -> Tensor:
        """(1) once: codes [N, Z] and classes -> [N, Z], no gradient.

        Raises:
            ValueError: as `log_class`; no gradient comes through the generator and the classifier; R(h) is no code.
        """
        with torch.enable_grad():
            h = h.detach().requires_grad_()
            log_p = self.log_class(h, y)  # [N]
            slope = torch.autograd.grad(log_p.sum(), h, allow_unused=True)[0] if log_p.requires_grad else None  # [N, Z]
        if slope is None:
            raise ValueError("log p(y | G(h)) has no gradient: generator and classifier must not run under torch.no_grad")
        with torch.no_grad():
            likely = self.denoiser(h)  # [N, Z]
            if likely.shape != h.shape:
                raise ValueError(f"the denoiser must return codes {list(h.shape)}, got {list(likely.shape)}")
            return h + self.eps1 * (likely - h) + self.eps2 * slope + self.eps3 * torch.randn_like(h)  # eq. (1)

    def chain(self, n: int, y: int | Tensor, *, steps: int = 100) -> Tensor:
        """The codes of n chains at all times, from N(0, I) on: [steps + 1, n, Z], no gradient.

        Raises:
            ValueError: as `step`; steps below 0.
        """
        if steps < 0:
            raise ValueError(f"steps must be at least 0, got {steps}")
        codes = [torch.randn(n, *self.origin.shape, device=self.origin.device, dtype=self.origin.dtype)]  # [n, Z]
        y = asked_classes(y, n, self.classes, self.origin.device)
        for _ in range(steps):
            codes.append(self.step(codes[-1], y))
        return torch.stack(codes)  # [steps + 1, n, Z]

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None, *, steps: int = 100) -> Tensor:
        """The images at the end of n chains, for class y, for n classes y, or for classes drawn evenly: [n, ...].

        Raises:
            ValueError: as `chain`.
        """
        y = torch.randint(self.classes, (n,), device=self.origin.device) if y is None else y
        return self.generator(self.chain(n, y, steps=steps)[-1])
