r"""Logistic regression: the logit of a class is linear in x, and nothing is said about how x came about.

A discriminative classifier learns p(y|x) alone, so that it is not misled by a wrong p(x|y); it has neither a density nor
samples. LDA and naive Bayes on bits give a p(y|x) of the same form: they differ in what they make likely.

    p(y|x) = exp(z_y) / sum_k exp(z_k),  z = W x + b;  two classes: z = (0, w'x + b)                        (1)
    fit: minimise sum_i -log p(y_i|x_i) + l2/2 |W|^2                                                        (2)
    loss: mean over rows of -log p(y|x)                                                                     (3)
    Newton: the step d solves H d = -slope of (2),  H d = sum_i dp_i x_i' + l2 d,
        dz = d x,  dp_k = p_k (dz_k - sum_m p_m dz_m)                                                       (4)

(2) is convex, and (4) solves it in some ten steps. At l2 = 0 it has no minimum where the classes can be separated by a plane:
the weights grow for ever, the loss falls to zero. Hence the penalty, which the bias does not pay.

Source:   C. Bishop, "Pattern Recognition and Machine Learning", 2006, sections 4.3.2 to 4.3.4: (1), (2) at l2 = 0, (4).
Lecture:  "Generative vs. Discriminative", p(y|x); "Setup".
Differs:  l2 is 1 / C of scikit-learn, whose form with one row of weights for two classes is kept; (4) is solved by conjugate
          gradients, guided by the blocks of H of one class each, and a step is halved while it makes (2) worse; `fit` works
          in double precision.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, one_hot, pad, softplus

from genedu.core import Batch, Player, rows_of
from genedu.density.labelled import class_count, label_rows, training_rows


class LogisticRegression(nn.Module):
    """Discriminative classifier of rows [B, D] into classes 0..K-1, by `fit`, or by the gradient loop from zero weights.

    Args:
        l2: the weight of the penalty in (2); 0 for none.
        dim: D, taken from the data in `fit` if None.
        classes: K, counted in `fit` if None. Given both, the weights exist from the start.

    Raises:
        ValueError: a negative or endless l2; dim below 1; classes below 2.
    """

    def __init__(self, *, l2: float = 1.0, dim: int | None = None, classes: int | None = None) -> None:
        super().__init__()
        if not 0 <= l2 < math.inf:
            raise ValueError(f"l2 must be at least 0 and finite, got {l2}")
        if dim is not None and (type(dim) is not int or dim < 1):
            raise ValueError(f"dim must be a whole number of at least 1, or None, got {dim!r}")
        self.l2, self.dim, self.classes = l2, dim, class_count(classes)
        rows = 0 if dim is None or classes is None else 1 if classes == 2 else classes
        self.weight = nn.Parameter(torch.zeros(rows, dim or 0))  # [K, D]; [1, D] for two classes
        self.bias = nn.Parameter(torch.zeros(rows))  # [K]; [1] for two classes
        if rows == 0:
            self.register_load_state_dict_pre_hook(_take_shapes)

    @torch.no_grad()
    def fit(self, x: Tensor, y: Tensor) -> "LogisticRegression":
        """Minimise (2): rows [B, D] and labels [B] -> self.

        Raises:
            TypeError, ValueError: as `training_rows`; x is not [B, dim]; no minimum exists (separable data at l2 = 0).
        """
        x, y, classes = training_rows(x, y, self.classes, self.weight)
        centre = rows_of(x, self.dim).double().mean(0)  # [D]
        design = torch.cat([x - centre, x.new_ones(len(x), 1)], 1).double()  # [B, D+1], the last column is for the bias
        penalty = torch.full_like(design[0], self.l2)  # [D+1]
        penalty[-1] = 0
        axes = flat_axes(design.T @ design + penalty.diag())  # [D+1, R]
        penalty *= 2 if classes == 2 else 1  # rows w / 2 and -w / 2 in place of w have half its square
        theta = newton(design @ axes, y, classes, axes.T @ (penalty[:, None] * axes)) @ axes.T  # [K, D+1]
        weight = theta[1:] - theta[:1] if classes == 2 else theta  # [1, D+1] or [K, D+1]
        self.weight.data = weight[:, :-1].to(x.dtype)
        self.bias.data = (weight[:, -1] - weight[:, :-1] @ centre).to(x.dtype)
        return self

    def logits(self, x: Tensor) -> Tensor:
        """z in (1), whose softmax is p(y|x): [B, D] -> [B, K]; for two classes the first column is 0.

        Raises:
            ValueError: no weights yet; x is not [B, D] and finite.
        """
        self._check_weights()
        z = linear(rows_of(x, self.weight.shape[1]).to(self.weight.dtype), self.weight, self.bias)  # [B, K] or [B, 1]
        return pad(z, (1, 0)) if z.shape[1] == 1 else z  # [B, K], eq. (1)

    def predict_proba(self, x: Tensor) -> Tensor:
        """p(y|x): [B, D] -> [B, K]. Raises as `logits`."""
        return self.logits(x).softmax(1)  # eq. (1)

    def loss(self, batch: Batch) -> Tensor:
        """Eq. (3) of (x, y), in nats, without the penalty."""
        x, y = batch
        z = self.logits(x)
        return cross_entropy(z, label_rows(y, *z.shape))  # eq. (3)

    def players(self) -> list[Player]:
        self._check_weights()
        return [Player("model", [self.weight, self.bias], self.loss)]

    def _check_weights(self) -> None:
        if self.weight.numel() == 0:
            raise ValueError(
                "the model is not fitted: call .fit(x, y), load_state_dict, or give dim= and classes= to begin at zero"
            )


def _take_shapes(module: LogisticRegression, state: dict[str, Tensor], prefix: str, *_) -> None:
    """Weights take the shapes that `load_state_dict` brings; they stay the same parameters."""
    for name, weight in module.named_parameters():
        if prefix + name in state:
            weight.data = torch.empty_like(state[prefix + name], device=weight.device)


def flat_axes(curvature: Tensor) -> Tensor:
    """Axes [N, R] along which a curvature [N, N] of rank R is I. Directions in which the data have no extent are left out."""
    scale = curvature.diagonal().clamp(min=torch.finfo(curvature.dtype).tiny).rsqrt()  # first to the same units
    values, vectors = torch.linalg.eigh(scale[:, None] * curvature * scale)
    keep = values > len(values) * torch.finfo(values.dtype).eps
    return scale[:, None] * vectors[:, keep] * values[keep].rsqrt()


def newton(design: Tensor, y: Tensor, classes: int, penalty: Tensor) -> Tensor:
    """The minimum of (2) over theta [K, R] of sum zero, with z = design theta' and l2 |W|^2 = sum of theta penalty * theta.

    Raises:
        ValueError: no minimum is found: without penalty the data are separable.
    """
    theta, right = design.new_zeros(classes, design.shape[1]), one_hot(y, classes) == 1

    def ahead(theta: Tensor) -> Tensor:  # logits above that of the right class, [B, K]: p - 1 would lose digits near p = 1
        z = design @ theta.T
        return z - z.gather(1, y[:, None])

    def objective(theta: Tensor) -> Tensor:  # eq. (2)
        others = ahead(theta).masked_fill(right, -math.inf).logsumexp(1)  # [B]
        return softplus(others).sum() + 0.5 * (theta @ penalty * theta).sum()

    value = objective(theta)
    for _ in range(100 if penalty.any() else 33):  # ten are usual; unpaid, logits that grow by one a step drown at exp(-36)
        p = ahead(theta).softmax(1)  # [B, K]
        wrong = p.masked_fill(right, 0)
        excess = torch.where(right, -wrong.sum(1, keepdim=True), wrong)  # [B, K], p - 1 of the right class, p of the others
        slope = excess.T @ design + theta @ penalty  # [K, R]
        curved = (p * (1 - p)).T[1 if classes == 2 else 0 :]  # [K, B]; for two classes both are the same, one is enough
        blocks = torch.stack([design.T @ (w[:, None] * design) for w in curved]) + penalty  # [K, R, R], of H in (4)
        blocks.diagonal(dim1=1, dim2=2).mul_(1 + 1e-9).add_(1e-30)  # guides only: rounding must not make them singular

        def curve(d: Tensor, p: Tensor = p) -> Tensor:
            dz = ahead(d)
            return (p * (dz - (p * dz).sum(1, keepdim=True))).T @ design + d @ penalty  # eq. (4)

        step = conjugate_gradients(curve, -slope, torch.linalg.cholesky(blocks))  # [K, R], eq. (4)
        size = ahead(step).abs().max()
        while (new := objective(theta + step)) > value * (1 + 1e-12) and size > 1e-7:
            step, size = step / 2, size / 2
        theta, value = theta + step, new
        if size <= 1e-7:  # a Newton step squares the error: it is now about 1e-14
            return theta
        if not penalty.any() and value < math.log(2):
            break  # each row has p(y|x) > 1/2: the classes are separated, and longer weights are better for ever
    raise ValueError(
        "the classes can be separated by a plane, at least in some rows, so that (2) has no minimum and the weights grow "
        "for ever: use l2 > 0, or a larger one"
    )


def conjugate_gradients(product: Callable[[Tensor], Tensor], target: Tensor, roots: Tensor) -> Tensor:
    """d [K, R] of sum zero with product(d) = target, to a thousandth; roots [K, R, R] of its blocks guide the way."""

    def guided(rest: Tensor) -> Tensor:
        d = torch.cholesky_solve(rest[:, :, None], roots).squeeze(2)  # [K, R]
        return d - d.mean(0)

    d, rest, way = torch.zeros_like(target), target, guided(target)
    left = start = (rest * way).sum()
    for _ in range(10 * target.numel()):
        if left <= 1e-6 * start:
            break
        turned = product(way)
        length = left / (way * turned).sum()
        d, rest = d + length * way, rest - length * turned
        better = guided(rest)
        before, left = left, (rest * better).sum()
        way = better + left / before * way
    return d
