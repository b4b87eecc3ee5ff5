r"""Semi-supervised GAN: a classifier of K classes whose own confidence tells data from samples.

A discriminator for K classes of data and a class K+1, "generated", needs K logits only: a softmax does not change when all logits
are shifted, so that the last one may be fixed to 0. A row that belongs to none of the K classes has all its logits low.

    p(k|x) = e^{l_k} / (Z + 1),   p(K+1|x) = 1 / (Z + 1),   Z(x) = sum_k e^{l_k(x)}                         (1)
    D(x) = 1 - p(K+1|x) = Z / (Z + 1):  its logit is  log Z = logsumexp_k l_k(x)                            (2)
    rows with a label:      E[-log p(y|x, y <= K)] = E[log Z(x) - l_y(x)]                                   (3)
    rows without, samples:  -E[log D(x)] - E[log(1 - D(G(z)))]                                              (4)
    discriminator: (3) + (4)
    generator, feature matching:  |E f(x) - E f(G(z))|^2,   f the last hidden layer of the discriminator    (5)

(4) is a GAN's loss with log Z for logit. It tells the classifier where data are: between clusters, where samples are, all logits
must be low, and a border between classes that runs there costs nothing. (3) only names the clusters. A shift of all logits of a
row leaves (3) as it is; (4) says how high they are. With K = 1, no labels and the usual loss for the generator, this is the GAN.
That unlabelled rows help is no law: it takes clusters with a gap, and samples in the gap.

Source:   T. Salimans et al., "Improved Techniques for Training GANs", NIPS 2016, arXiv 1606.03498: section 5, and 3.1 for (5);
          A. Odena, "Semi-Supervised Learning with Generative Adversarial Networks", 2016, arXiv 1606.01583.
Lecture:  "Semi-Supervised GAN".
Differs:  a batch is (x, y) with y = -1 where the label is not known; (3) is a mean over rows with a label, (4) over the others.
          No weight normalisation, and dropout for the paper's noise in the discriminator.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import softplus

from genedu.adversarial.losses import generator_loss
from genedu.adversarial.parts import checked_sample, data_rows, dense_generator, standard_normal
from genedu.core import Batch, Player, check_values
from genedu.nn import follow, mlp, moving_average


class SemiSupervisedGAN(nn.Module):
    """GAN whose discriminator is a classifier; a batch is (x, y), where y = -1 marks a row without a label, or x alone.

    Args:
        classes: K.
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        generator: [N, Z] -> [N, *shape].
        discriminator: [B, *shape] -> [B, K], the logits of (1); an `nn.Sequential` whose last part makes them of f.
        feature_matching: the generator descends (5); else -E[log D(G(z))].
        rows: how many samples the generator's move has that takes no data.
        average: decay of the moving averages of both networks' weights, which then classify and draw the samples; 0 is none.
        dropout: share of the default discriminator's inputs that training sets to 0; on digits 0.3 helps much.
        hidden: width of the default networks.

    Raises:
        ValueError: classes, latent or rows below 1; average not in [0, 1); dropout not in [0, 1]; a discriminator of one part.
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        classes: int = 10,
        *,
        latent: int = 8,
        shape: tuple[int, ...] = (1, 8, 8),
        generator: nn.Module | None = None,
        discriminator: nn.Sequential | None = None,
        feature_matching: bool = True,
        rows: int = 128,
        average: float = 0.0,
        dropout: float = 0.0,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        if min(classes, latent, rows) < 1:
            raise ValueError(f"classes, latent and rows must be at least 1, got {classes}, {latent} and {rows}")
        pixels = math.prod(shape)
        self.generator = dense_generator(latent, 2 * [hidden], shape) if generator is None else generator
        if discriminator is None:
            body = mlp(pixels, hidden, hidden, hidden, classes, activation=partial(nn.LeakyReLU, 0.2))
            discriminator = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), *body)
        if not isinstance(discriminator, nn.Sequential) or len(discriminator) < 2:
            raise ValueError(
                "the discriminator must be an nn.Sequential of two parts or more, the last of which makes logits of features: "
                "nn.Sequential(body, nn.Linear(features, classes))"
            )
        self.discriminator = discriminator
        self.averaged = moving_average(nn.ModuleList([self.generator, self.discriminator]), average) if average else None
        self.classes, self.shape, self.feature_matching, self.rows = classes, tuple(shape), feature_matching, rows
        self.register_buffer("origin", torch.zeros(latent))

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, n: int) -> Tensor:
        """n samples of the generator that plays, with a gradient to its weights: [n, *shape].

        Raises:
            ValueError: the generator does not return that.
        """
        return checked_sample(self.generator(self.prior().sample((n,))), n, self.shape)  # [n, *shape]

    def class_logits(self, x: Tensor) -> Tensor:
        """l of (1), of the discriminator that plays: [B, *shape] -> [B, K]. Raises ValueError where it returns another shape."""
        logits = self.discriminator(x)
        if logits.shape != (want := (len(x), self.classes)):
            raise ValueError(f"the discriminator must return [batch, classes] = {list(want)}, got {list(logits.shape)}")
        return logits

    def discriminate(self, x: Tensor) -> Tensor:
        """The logit of D, high for data: [B, *shape] -> [B]."""
        return self.class_logits(x).logsumexp(1)  # eq. (2)

    def features(self, x: Tensor) -> Tensor:
        """f of (5), all of the discriminator but its last part: [B, *shape] -> [B, F]."""
        return self.discriminator[:-1](x).flatten(1)

    def predict_proba(self, x: Tensor) -> Tensor:
        """p(y|x, y <= K), by the averaged discriminator where there is one: [B, *shape] -> [B, K]. Raises where x is bad."""
        x, _ = self._columns(x)
        classifier = self.discriminator if self.averaged is None else self.averaged.module[1]
        return classifier(x).softmax(1)  # eq. (1), given that y <= K

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """(3) + (4), with as many samples as rows: (x, y) or x -> scalar, nats. No gradient reaches the generator.

        Raises:
            ValueError: x is not finite [batch, *shape], images in [0, 1], with batch >= 1; y is not one of -1, 0 .. K - 1 for
                each row, or never -1.
        """
        x, y = self._columns(batch)
        with torch.no_grad():
            fake = self.generate(len(x))
        logits = self.class_logits(x)  # [B, K]
        log_z, right = logits.logsumexp(1), logits.gather(1, y.clamp(min=0)[:, None]).squeeze(1)  # [B] each
        classes = mean_where(y >= 0, log_z - right)  # eq. (3)
        return classes + mean_where(y < 0, softplus(-log_z)) + softplus(self.discriminate(fake)).mean()  # eq. (4)

    def generator_loss(self, batch: Batch | None = None) -> Tensor:
        """(5) from rows without a label and as many samples as rows, or -E[log D(G(z))] from `rows` samples. Raises as above."""
        if not self.feature_matching:
            return generator_loss(self.discriminate(self.generate(self.rows)))
        x, y = self._columns(batch)
        with torch.no_grad():
            wanted = mean_where(y < 0, self.features(x))  # [F]
        return (wanted - self.features(self.generate(len(x))).mean(0)).square().sum()  # eq. (5)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, by the averaged generator where there is one: [n, *shape]."""
        generator = self.generator if self.averaged is None else self.averaged.module[0]
        return generator(self.prior().sample((n,)))

    def players(self) -> list[Player]:
        """The discriminator; then the generator, which takes data where it matches features."""
        both = nn.ModuleList([self.generator, self.discriminator])
        g, matching = list(self.generator.parameters()), self.feature_matching
        return [
            Player("discriminator", list(self.discriminator.parameters()), self.discriminator_loss),
            Player("generator", g, self.generator_loss, uses_data=matching, after_step=follow(self.averaged, both)),
        ]

    def _columns(self, batch: Batch | None) -> tuple[Tensor, Tensor]:
        """x [B, *shape] in our dtype, and y [B] long, which is -1 where there is no label."""
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        if x is None:
            raise ValueError(f"x must be [batch, {', '.join(map(str, self.shape))}] with batch >= 1, got none")
        x = data_rows(x, self.shape, self.origin.dtype)
        if y is None:
            return x, torch.full((len(x),), -1, device=x.device)
        if y.shape != (len(x),) or y.is_floating_point():
            raise ValueError(f"y must be one whole number for each of {len(x)} rows, got {y.dtype} {list(y.shape)}")
        must = f"y must be a class 0..{self.classes - 1}, or -1 for a row without a label"
        check_values(y, lambda y: (y >= -1) & (y < self.classes), must)
        must = "a minibatch must hold rows without a label, y = -1: give all rows once more without theirs, as `mix_labels` does"
        check_values(y, lambda y: (y < 0).any().expand_as(y), must)
        return x, y.long()


def mean_where(chosen: Tensor, values: Tensor) -> Tensor:
    """Mean over the chosen rows, 0 where there are none: [B] (bool), [B, ...] -> [...]."""
    weight = chosen.to(values.dtype).view(-1, *[1] * (values.dim() - 1))  # [B, 1, ...]
    return (weight * values).sum(0) / weight.sum().clamp(min=1)


def mix_labels(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Columns for `fit` out of few labels: every row once without its label, then the labelled ones, again and again, as many.

    Half of a minibatch has labels then, however few there are: [N, ...], [N] (-1: no label) -> [2N, ...], [2N].

    Raises:
        ValueError: no row has a label.
    """
    labelled = (y >= 0).nonzero().squeeze(1)  # [L]
    if len(labelled) == 0:
        raise ValueError(f"at least one of the {len(y)} rows must have a label, got y = -1 in all: train on x alone")
    again = labelled.repeat(-(-len(y) // len(labelled)))[: len(y)]  # [N]
    return torch.cat([x, x[again]]), torch.cat([torch.full_like(y, -1), y[again]])
