r"""Active units: which latents of a trained model say anything about x.

A latent that the decoder does not use costs least where its posterior is the prior, whatever x is. So its mean does not move.

    A_j = Var_x(mu_j(x)),  mu(x) the mean of q(z|x);  unit j is active where A_j > 0.01                 (1)

In the linear VAE with noise sigma^2 and weight beta on the KL, the jth axis of the data has A_j = 1 - beta sigma^2 / l_j at the
optimum if its variance l_j is above beta sigma^2, and else 0: an axis is worth a latent only if it stands out of the noise.

Source:   Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016: (1).
          The linear case is ours, from the closed form of probabilistic PCA.
Lecture:  "Variational Autoencoders".
Differs:  nothing.
"""

import torch
from torch import Tensor

from genedu.core import rows_of


def active_units(means: Tensor, *, threshold: float = 0.01) -> Tensor:
    """Which latents are active (1), from posterior means, `vae.posterior(x).mean`: [B, Z] -> [Z] truth values.

    Raises:
        ValueError: means is not finite rows [batch, latent], or fewer than two, which have no variance.
    """
    if len(rows_of(means)) < 2:
        raise ValueError("means must be at least two rows, got 1: give the means of many x")
    return torch.var(means, dim=0, correction=0) > threshold  # [Z], eq. (1)
