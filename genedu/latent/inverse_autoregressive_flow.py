r"""Inverse autoregressive flow: noise is made into a posterior whose latents depend on each other, all of them in one pass.

A diagonal Gaussian says that the latents are independent given x. A step moves each latent i by a mean and a scale that a masked
network (MADE) computes from the latents before it and from h, which the encoder made of x:

    z' = sigma * z + (1 - sigma) * m,   sigma = sigmoid(s),   (m_i, s_i) = net_i(z_<i, h)                    (1)
    log |det dz'/dz| = sum_i log sigma_i                                                                    (2)
    log q(z_T|x) = log N(z_0; mu, sigma_0^2) - sum_t sum_i log sigma_{t,i}                                  (3)
    z_i = (z'_i - (1 - sigma_i) m_i) / sigma_i,   i one after the other                                     (4)

dz'_i/dz_j = 0 for j > i: the Jacobian is a triangle, and its determinant (2) the product of its diagonal. Sampling, which is all
that the ELBO asks for, takes one pass. The way back (4) takes one pass a latent: the density of a z that came from elsewhere is
dear. (In an autoregressive *decoder* it is the other way round.) Each step takes the latents in the reverse order of the step
before it, for in one step the first latent depends on none. One linear step, m_i = sum_{j<i} L_ij z_j, already makes any full
covariance.

Source:   D. Kingma, T. Salimans, R. Jozefowicz, X. Chen, I. Sutskever, M. Welling, "Improving Variational Inference with Inverse
          Autoregressive Flow", NIPS 2016, arXiv 1606.04934: algorithm 1.
Lecture:  "Problems with VAEs" (use autoregressive networks in encoder and decoder).
Differs:  one hidden layer a step, and direct connections from z_<i to m_i; weights start small, so that sigma is nearly the same
          for all latents.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from genedu.nn import MaskedLinear


class Step(nn.Module):
    """One step (1) and its inverse (4), in order or in reverse.

    Args:
        dim: Z.
        context: numbers in h, 0 for none.
        hidden: units of the masked network's hidden layer; 0: m and s are linear in z_<i and h.
        forget: where s starts: sigmoid(2) = 0.88 keeps most of z.
        reverse: the last latent comes first.
    """

    def __init__(self, dim: int, context: int, hidden: int, forget: float, reverse: bool) -> None:
        super().__init__()
        rank = torch.arange(1, dim + 1)
        rank = rank.flip(0) if reverse else rank
        degree = torch.arange(hidden) * dim // max(hidden, 1)  # 0 to Z - 1: units of degree 0 know h only
        self.order = rank.argsort().tolist()  # places from first to last
        self.seen = MaskedLinear(rank <= degree[:, None]) if hidden else None
        self.context = nn.Linear(context, hidden or 2 * dim, bias=False) if context else None
        self.out = MaskedLinear(degree < rank.repeat(2)[:, None], bias=False) if hidden else None  # m, then s
        self.direct = MaskedLinear(rank < rank[:, None], bias=False)  # m only: s stays bounded, and (4) finite, far out
        self.bias = nn.Parameter(torch.cat([torch.zeros(dim), torch.full((dim,), forget)]))
        with torch.no_grad():
            for layer in (self.direct, self.out):
                if layer is not None:
                    layer.weight *= 0.1

    def net(self, z: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        """m and s of (1): [..., Z], [..., C] -> [..., Z] each."""
        told: Tensor | float = 0.0 if self.context is None or h is None else self.context(h)
        told = told if self.seen is None or self.out is None else self.out(torch.tanh(self.seen(z) + told))  # [..., 2Z]
        m, s = (self.bias + told).chunk(2, -1)
        return m + self.direct(z), s

    def forward(self, z: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        """(1) and (2): [..., Z] -> z' [..., Z], the log-determinant [...]."""
        m, s = self.net(z, h)
        sigma = s.sigmoid()
        return sigma * z + (1 - sigma) * m, logsigmoid(s).sum(-1)  # eq. (1), (2)

    def inverse(self, z: Tensor, h: Tensor | None) -> Tensor:
        """(4): z' [..., Z] -> z [..., Z]."""
        back = torch.zeros_like(z)
        for i in self.order:
            m, s = self.net(back, h)
            found = (z - s.neg().sigmoid() * m) / s.sigmoid()  # eq. (4)
            back = torch.cat([back[..., :i], found[..., i : i + 1], back[..., i + 1 :]], -1)
        return back


class InverseAutoregressiveFlow(nn.Module):
    """Steps of (1), one after the other, each in the reverse order of the last.

    Args:
        dim: Z, the number of latents.
        steps: T.
        context: numbers in h, 0 for none.
        hidden: units of each step's masked network; 0: linear steps.
        forget: where s starts.

    Raises:
        ValueError: dim or steps below 1; context or hidden below 0.
    """

    def __init__(self, dim: int, *, steps: int = 2, context: int = 0, hidden: int = 32, forget: float = 2.0) -> None:
        super().__init__()
        for name, n, least in (("dim", dim, 1), ("steps", steps, 1), ("context", context, 0), ("hidden", hidden, 0)):
            if type(n) is not int or n < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {n!r}")
        self.dim, self.width = dim, context
        self.steps = nn.ModuleList(Step(dim, context, hidden, forget, bool(t % 2)) for t in range(steps))

    def forward(self, z: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_0 -> z_T and the log-determinant, the sum in (3), in nats: [..., Z], [..., C] -> [..., Z], [...].

        Raises:
            ValueError: z is not [..., Z]; h is not [..., C], or is given to a flow without context.
        """
        self.check(z, h)
        log_det: Tensor | float = 0.0
        for step in self.steps:
            z, more = step(z, h)
            log_det = log_det + more
        return z, log_det  # type: ignore[return-value]

    def inverse(self, z: Tensor, h: Tensor | None = None) -> Tensor:
        """z_T -> z_0, Z passes a step: [..., Z], [..., C] -> [..., Z]. Raises as `forward`."""
        self.check(z, h)
        for step in reversed(self.steps):
            z = step.inverse(z, h)  # type: ignore[operator]
        return z

    def check(self, z: Tensor, h: Tensor | None) -> None:
        """The door. Raises as `forward`."""
        if z.dim() < 1 or z.shape[-1] != self.dim:
            raise ValueError(f"z must be [..., {self.dim}], one number a latent, got {list(z.shape)}")
        if (0 if h is None else h.shape[-1] if h.dim() else None) != self.width:
            got = "none" if h is None else list(h.shape)
            raise ValueError(f"h must be {f'[..., {self.width}]' if self.width else 'left out: context is 0'}, got {got}")
