r"""Auxiliary classifier GAN: the discriminator is not told the class but has to name it, and the generator helps it to.

The generator is told the class y that it has to draw. The discriminator sees the row alone and gives two answers from one net:
its source (a logit s(x), high for data) and its class (K logits c(x)). The paper writes both as log-likelihoods:

    L_S = E_data[log D(x)] + E_fake[log(1 - D(x))],   D = sigmoid(s)                                        (1)
    L_C = E_data[log C(y|x)] + E_fake[log C(y|x)],    C = softmax(c),  y of both from the data              (2)
    the discriminator maximises  L_S + w L_C,  the generator maximises  w L_C - L_S                         (3)
    the best classifier for a fixed G:  C*(y|x) = (p(x, y) + q(x, y)) / (p(x) + q(x))                       (4)

So we descend -L_S - w L_C (at zero logits 2 log 2 + 2 w log K) and, for the generator, L_S - w L_C over its samples, or with
"non_saturating" -E_fake[log D] in place of L_S. Both sides *raise* L_C: a game in L_S, a joint venture in L_C.
That has a price. Where samples are data L_S has no slope, but -E_fake[log C*] is H(y|x), the doubt which class a row is of. It
falls if samples leave the places where classes overlap. So p is no fixed point of the game unless the classes are apart, or all
alike: a divergence of q(y|x) from C would have -H_q(y|x) as a second term, and that is missing.
With `wasserstein` s(x) is a critic's score and -L_S is  E_fake[s] - E_data[s] + penalty, the generator's  -E_fake[s].

Source:   A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", ICML 2017, arXiv 1610.09585:
          (1) and (2) are eq. 2 and 3, w = 1. The price: M. Gong et al., "Twin Auxiliary Classifiers GAN", NeurIPS 2019.
          K. Jones, D. Bonafilia, "GANgogh", 2017, put class logits beside the critic of WGAN-GP: `wasserstein`, "AC-WGAN-GP".
Lecture:  "Auxiliary Classifier GAN"; "GANs for art: GANgogh".
Differs:  the slide has D predict latent variables; y is a label. A weight w. GANgogh's own networks are not here.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import cross_entropy

from genedu.adversarial.losses import LOSSES, discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from genedu.adversarial.parts import (
    asked_classes,
    checked_sample,
    dense_discriminator,
    dense_generator,
    generator_player,
    labelled_rows,
    one_hot_rows,
    standard_normal,
)
from genedu.core import Batch, Player
from genedu.nn import Joined, draw_levels, moving_average
from genedu.nn.class_mixture import prior_of


class AuxiliaryClassifierGAN(nn.Module):
    """Two networks and the game (3) between them; a batch is (x, y): data `[batch, *shape]` and classes `[batch]`.

    Args:
        classes: K.
        generator: noise [N, Z] and one-hot classes [N, K] -> [N, *shape].
        discriminator: rows [B, *shape] -> [B, 1 + K]: the source's logit, then the logits of the classes.
        weight: w of L_C in (3); at 0 nothing tells the generator what its label means.
        wasserstein, penalty: a critic instead of a discriminator, with so much gradient penalty (the player is the "critic").
        loss: what the generator descends for L_S, "saturating" or "non_saturating"; not for a critic.
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        steps: k, the discriminator's steps a round.
        r1: gamma of the R1 penalty on the source's logit; 0 is none.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        hidden: width of the default networks, three layers each.
        class_prior: p(y), [K], for samples that are asked for without a class (None: all equally likely).

    Raises:
        ValueError: an unknown loss; classes, latent or steps below 1; r1, weight or penalty below 0; average not in [0, 1); a
            class_prior that does not fit.
    """

    origin: Tensor  # [Z], knows device and dtype
    log_prior: Tensor  # log p(y), [K]

    def __init__(
        self,
        classes: int = 10,
        *,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        weight: float = 1.0,
        wasserstein: bool = False,
        penalty: float = 10.0,
        loss: str = "non_saturating",
        latent: int = 8,
        shape: tuple[int, ...] = (2,),
        steps: int = 1,
        r1: float = 0.0,
        average: float = 0.0,
        hidden: int = 128,
        class_prior: Tensor | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss must be 'saturating' or 'non_saturating', got {loss!r}")
        if min(latent, steps) < 1:
            raise ValueError(f"latent and steps must be at least 1, got {latent} and {steps}")
        for name, value in {"r1": r1, "weight": weight, "penalty": penalty}.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {value}")
        self.register_buffer("origin", torch.zeros(latent))
        self.register_buffer("log_prior", prior_of(class_prior, classes))
        pixels = math.prod(shape)
        self.generator = Joined(dense_generator(latent + classes, 3 * [hidden], shape)) if generator is None else generator
        self.discriminator = dense_discriminator(pixels, 3 * [hidden], 1 + classes) if discriminator is None else discriminator
        self.averaged = moving_average(self.generator, average) if average else None
        self.classes, self.weight, self.wasserstein, self.penalty = classes, weight, wasserstein, penalty
        self.how, self.shape, self.steps, self.r1 = loss, tuple(shape), steps, r1

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, y: Tensor) -> Tensor:
        """One sample of the generator that plays for each class, with a gradient to its weights: [n] -> [n, *shape].

        Raises:
            ValueError: the generator does not return that.
        """
        x = self.generator(self.prior().sample((len(y),)), one_hot_rows(y, self.classes, self.origin.dtype))  # [n, *shape]
        return checked_sample(x, len(y), self.shape)

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """s(x), high for data, and c(x): [B, *shape] -> [B], [B, K].

        Raises:
            ValueError: the discriminator does not return 1 + K numbers a row.
        """
        out = self.discriminator(x)
        if out.shape != (len(x), 1 + self.classes):
            raise ValueError(f"the discriminator must return [{len(x)}, {1 + self.classes}], 1 + K a row, got {list(out.shape)}")
        return out[:, 0], out[:, 1:]

    def discriminate(self, x: Tensor) -> Tensor:
        """s(x), the source's logit or the critic's score: [B, *shape] -> [B]. Raises as `judge`."""
        return self.judge(x)[0]

    def predict_proba(self, x: Tensor) -> Tensor:
        """C(y|x), what the auxiliary classifier says: [B, *shape] -> [B, K]. Raises as `judge`."""
        return self.judge(x)[1].softmax(1)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """-L_S - w L_C of (3) with a sample for each row's class, and penalties: [B, *shape], [B] -> scalar, nats.

        Raises:
            ValueError: the batch is not (x, y) with x finite [batch, *shape], batch >= 1, and y a class for each row.
        """
        x, y = labelled_rows(batch, self.shape, self.classes, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(y)
        (s_real, c_real), (s_fake, c_fake) = self.judge(x), self.judge(fake)
        l_c = -cross_entropy(c_real, y) - cross_entropy(c_fake, y)  # eq. (2)
        if self.wasserstein:
            minus_l_s = s_fake.mean() - s_real.mean() + self.penalty * gradient_penalty(self.discriminate, x, fake)
        else:
            minus_l_s = discriminator_loss(s_real, s_fake)  # eq. (1)
        loss = minus_l_s - self.weight * l_c  # eq. (3)
        return loss + self.r1 / 2 * r1_penalty(self.discriminate, x) if self.r1 else loss

    def generator_loss(self, batch: Batch) -> Tensor:
        """L_S - w L_C of (3) over a sample for each row's class: a scalar, nats. Raises as `discriminator_loss`."""
        _, y = labelled_rows(batch, self.shape, self.classes, self.origin.dtype)
        s, c = self.judge(self.generate(y))
        l_s = -s.mean() if self.wasserstein else generator_loss(s, self.how)  # eq. (1)
        return l_s + self.weight * cross_entropy(c, y)  # eq. (3)

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None) -> Tensor:
        """G(z, y), by the averaged generator where there is one, for class y, n classes y, or classes from p(y): [n, *shape].

        Raises:
            ValueError: y is no class, or not one for each sample.
        """
        generator = self.generator if self.averaged is None else self.averaged
        y = draw_levels(self.log_prior.expand(n, -1)) if y is None else y  # [n], or one class for all
        y = one_hot_rows(asked_classes(y, n, self.classes, self.origin.device), self.classes, self.origin.dtype)  # [n, K]
        return generator(self.prior().sample((n,)), y)

    def players(self) -> list[Player]:
        """The discriminator (or critic), k steps a round; then the generator, which takes of its minibatch the labels alone."""
        judge = "critic" if self.wasserstein else "discriminator"
        return [
            Player(judge, list(self.discriminator.parameters()), self.discriminator_loss, steps=self.steps),
            generator_player(self, uses_data=True),
        ]
