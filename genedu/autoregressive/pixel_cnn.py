r"""PixelCNN: the product of conditionals in raster order, all of them from one pass of convolutions that see only the past.

    p(x) = prod_i p(x_i | x_<i),   p(x_i = l | x_<i) = softmax_l f_i(x_<i)                                  (1)
    p(x|y) = prod_i p(x_i | x_<i, y),   p(x) = sum_y p(y) p(x|y),   p(y|x) = p(y) p(x|y) / p(x)             (2)

x_i is a pixel, or one colour of a pixel (red, then green, then blue). f is a stack of masked convolutions, `PixelNet` in
genedu.nn.pixel_net: plain with a blind spot (`gated=False`), or gated with two stacks and without. Training costs one pass for
all pixels; sampling takes a step for each, of which all but the pixel's own column is kept (genedu.nn.raster).

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016: (1) is eq. 1;
          A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NIPS 2016: (2), p(x|y) is eq. 3.
Lecture:  "PixelRNN" (the slide's 256-way softmax is `levels=256`; digits have 17); "Autoregressive Models".
Differs:  the network, see there; the head "logistic" is that of PixelCNN++ (genedu.nn.logistic_mixture).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from genedu.core import Batch, Player, levels_of
from genedu.nn import logistic_mixture as logistic
from genedu.nn.class_mixture import each_class, labels_of, next_step, prior_of
from genedu.nn.draw import draw_levels, without_dropout
from genedu.nn.pixel_net import PixelNet
from genedu.nn.raster import fill, known_prefix


class PixelCNN(nn.Module):
    """p(x) of images x [B, C, H, W] of levels 0 .. levels - 1; trained by `fit(model, x)` or `fit(model, (x, y))`.

    Args:
        levels: values of a pixel, L.
        gated: two stacks with gates, or one with a blind spot.
        classes, prior: K and p(y), [K] (None: all equally likely), for p(x|y); classes=None: no classes.
        channels: C; with the softmax `hidden` must be a multiple of it.
        head, components: "softmax", or "logistic": a mixture of so many discretised logistics.
        size: H = W, or (H, W).
        hidden, layers: features of a pixel in each layer and stack; layers after the first.
        kernel, first: k of the layers and of the first one, odd, at least 3.
        embedding: numbers that stand for a level at the input.
        dropout: share of silent features in training.

    Raises:
        ValueError: a count that is no whole number >= 1, a kernel, head or prior that does not fit, a dropout outside [0, 1);
            a single level with "logistic".
    """

    order: Tensor  # places of [C, H, W] from first to last
    log_prior: Tensor  # log p(y), [K]; [1] without classes

    def __init__(
        self,
        levels: int,
        *,
        gated: bool = True,
        classes: int | None = None,
        channels: int = 1,
        head: str = "softmax",
        components: int = 5,
        size: int | tuple[int, int] = 8,
        hidden: int = 24,
        layers: int = 3,
        kernel: int = 3,
        first: int = 5,
        embedding: int = 8,
        dropout: float = 0.0,
        prior: Tensor | None = None,
    ) -> None:
        super().__init__()
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
        counts = {"levels": levels, "channels": channels, "components": components, "height": height, "width": width}
        for name, n in {**counts, "hidden": hidden, "layers": layers, "embedding": embedding}.items():
            if type(n) is not int or n < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {n!r}")
        if head not in ("softmax", "logistic"):
            raise ValueError(f"head must be 'softmax' or 'logistic', got {head!r}")
        if head == "logistic" and levels == 1:
            raise ValueError("levels must be at least 2 with the head 'logistic', got 1: there is no distance between levels")
        log_prior = prior_of(prior, classes)
        self.levels, self.classes, self.softmax, self.shape = levels, classes, head == "softmax", (channels, height, width)
        bias = torch.zeros(channels * levels) if self.softmax else logistic.initial_bias(components, channels)
        groups = channels if self.softmax else 1  # the logistic head itself ties the colours of a pixel to each other
        sizes = {"hidden": hidden, "layers": layers, "kernel": kernel, "first": first, "embedding": embedding}
        options = {"stack": "gated" if gated else "plain", "groups": groups, "condition": classes or 0, "dropout": dropout}
        self.net = PixelNet(levels, bias, self.shape, **options, **sizes)  # type: ignore[arg-type]
        self.register_buffer("order", torch.arange(channels * height * width).view(channels, -1).T.flatten(), persistent=False)
        self.register_buffer("log_prior", log_prior)

    def outputs(self, x: Tensor, y: Tensor | None) -> Tensor:
        """What the network makes of each pixel's past and of y: [B, C, H, W], [B] -> [B, H, W, P]."""
        return self.net(x, self.condition(y))

    def condition(self, y: Tensor | None) -> Tensor | None:
        return None if y is None else one_hot(y, len(self.log_prior)).to(self.net.bias.dtype)  # [B, K]

    def spread(self, outputs: Tensor, x: Tensor) -> Tensor:
        """f in (1) from a pixel's outputs [..., P], and for "logistic" its colours x [..., C]: [..., C, L]."""
        if self.softmax:
            return outputs.unflatten(-1, (-1, self.levels))
        return logistic.mixture_logits(outputs, x, self.levels)

    def given(self, x: Tensor, y: Tensor | None) -> Tensor:
        """f in (1) for labels y or no classes: [B, C, H, W] -> [B, C, H, W, L]."""
        return self.spread(self.outputs(x, y), x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2, 4)

    def logits(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """f in (1), or with classes and without y log p(x_i | x_<i): levels [B, C, H, W], labels [B] -> [B, C, H, W, L].

        Raises:
            ValueError: x is not levels [B, C, H, W] of the model's size; y is not a class a row, or the model has none.
        """
        self.check(x, y)
        if self.classes is None or y is not None:
            return self.given(x, y)
        return next_step(self.for_each_class(x), x, self.log_prior, self.order)

    def for_each_class(self, x: Tensor) -> Tensor:
        """log p(x_i = l | x_<i, y) in nats for each y: [B, C, H, W] -> [K, B, C, H, W, L]."""
        return self.given(*each_class(x, len(self.log_prior))).log_softmax(-1).unflatten(0, (-1, len(x)))

    def log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """log p(x|y), or log p(x), in nats: levels [B, C, H, W], labels [B] -> [B]. Raises as `logits`."""
        self.check(x, y)
        if self.classes is not None and y is None:
            return self.log_joint(x).logsumexp(1)  # eq. (2)
        if self.softmax:
            each = -cross_entropy(self.given(x, y).flatten(0, 3), x.flatten().long(), reduction="none")
        else:
            each = logistic.mixture_log_prob(self.outputs(x, y), x.permute(0, 2, 3, 1), self.levels)
        return each.view(len(x), -1).sum(1)  # eq. (1)

    def log_joint(self, x: Tensor) -> Tensor:
        """log [p(y) p(x|y)] in nats for each class: levels [B, C, H, W] -> [B, K]. Raises as `predict_proba`."""
        if self.classes is None:
            raise ValueError("the model has no classes: build it with PixelCNN(..., classes=K) and train it on (x, y)")
        self.check(x, None)
        return self.log_prior + self.log_prob(*each_class(x, self.classes)).view(self.classes, len(x)).T

    def predict_proba(self, x: Tensor) -> Tensor:
        """p(y|x) of (2): levels [B, C, H, W] -> [B, K].

        Raises:
            ValueError: the model has no classes; x is not levels of the model's size.
        """
        return self.log_joint(x).softmax(1)

    def loss(self, batch: Batch) -> Tensor:
        """Mean over rows of -log p(x), or for (x, y) of -log p(x|y), in nats. Raises as `logits`."""
        return -(self.log_prob(*batch) if isinstance(batch, tuple) else self.log_prob(batch)).mean()

    def players(self) -> list[Player]:
        return [Player("pixel_cnn", list(self.parameters()), self.loss)]

    def check(self, x: Tensor, y: Tensor | None) -> None:
        """The door: levels x of the model's size, labels y or None. Raises as `logits`."""
        levels_of(x, self.levels, self.shape)
        if y is not None:
            labels_of(y, len(x), self.classes)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, temperature: float = 1.0, cached: bool = True) -> Tensor:
        """Draw n images, of the classes y [n] or of classes drawn from p(y): [n, C, H, W], long.

        Raises:
            ValueError: n below 1, a temperature that is not above 0, labels that do not fit.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        x = torch.zeros(n, *self.shape, dtype=torch.long, device=self.order.device)
        if self.classes is not None and y is None:
            y = draw_levels(self.log_prior.expand(n, -1))
        self.check(x, y)
        return self.draw(x, 0, y, temperature, cached)

    @torch.no_grad()
    def complete(
        self, x: Tensor, known: Tensor, y: Tensor | None = None, *, temperature: float = 1.0, cached: bool = True
    ) -> Tensor:
        """Keep what is known of each row and draw the rest from p(rest | known): [B, C, H, W] -> the same.

        Args:
            known: truth values [H, W] or [C, H, W], for all rows alike; all known places come before all others.
            y: labels [B]; None: of a model with classes drawn from p(y | known).

        Raises:
            ValueError: as `logits`; something known lies behind something unknown; a temperature that is not above 0.
        """
        self.check(x, y)
        start = known_prefix(known, self.shape)
        if self.classes is not None and y is None:
            with without_dropout(self):
                own = self.for_each_class(x).gather(-1, x.long().expand(self.classes, *x.shape)[..., None])  # [K, B, C, H, W, 1]
            y = draw_levels((self.log_prior[:, None] + own.flatten(2)[..., self.order[:start]].sum(2)).T)  # from p(y | known)
        return self.draw(x.clone(), start, y, temperature, cached)

    def draw(self, x: Tensor, start: int, y: Tensor | None, temperature: float, cached: bool) -> Tensor:
        """Fill the places of x from number `start` on, without dropout."""
        with without_dropout(self):
            walk = self.net.walk(x, self.condition(y)) if cached else lambda r, c: self.outputs(x, y)[:, r, c]
            return fill(x, start, lambda g, r, c: self.spread(walk(r, c), x[:, :, r, c])[:, g], temperature)
