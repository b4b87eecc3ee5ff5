r"""The training loop of the infinite VAE: assign rows, let components be born and die, improve each on its own rows.

One sweep over n rows with K components:

    newcomers: m fresh VAEs, each warmed up on one of the worst explained rows and its nearest neighbours there    (1)
    score:     L_s(x_i) of all rows under all S = K + m VAEs, in batches, times a temper T <= 1 if one is wanted    (2)
    assign:    c_i of each row in turn by Gibbs or Metropolis sampling, with the scores (2)                         (3)
    bury:      VAEs without rows are dropped, newcomers among them                                                  (4)
    improve:   Adam steps on its own loss for each VAE, some passes over its own rows                               (5)

(2) costs n S evaluations, (3) a few operations on S numbers a row, (5) a fixed number of passes: all linear in n, (2) in S, too.
A newcomer takes its first row with even odds if it explains it better by log n_k + log(m / alpha) nats than the row's own VAE;
each row that it gets makes the next one cheaper. T < 1 makes assignments softer while the VAEs are poor.

Source:   R. Neal, J. Comp. Graph. Statistics 9, 2000, algorithm 8, for the empty slots in (3). The rest is ours.
Lecture:  "Infinite VAEs" (no algorithm is on the slide).
Differs:  see infinite_vae.py. (1) looks at the data, which a sampler must not: warmed up newcomers are no draws from a base
          measure. Without it none ever wins a row.
"""

import math
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm.auto import trange

from genedu.core import check_values
from genedu.fit import History, fit
from genedu.latent.chinese_restaurant import crp_log_prob, gibbs_sweep, metropolis_sweep

if TYPE_CHECKING:
    from genedu.latent.infinite_vae import InfiniteVAE

SWEEPS = {"gibbs": gibbs_sweep, "metropolis": metropolis_sweep}
Component = Any  # a module that offers what `VAE` offers
Improve = Callable[[Component, Tensor, int], None]  # component, its rows, steps


def trainer(lr: float, batch_size: int, optimizer: Callable, augment: Callable | None) -> Improve:
    """(5): Adam steps on one component's loss by `fit`. Each component keeps its optimiser from sweep to sweep."""
    kept: dict[Component, torch.optim.Optimizer] = {}

    def improve(component: Component, x: Tensor, steps: int) -> None:
        if component not in kept:
            kept[component] = optimizer(list(component.parameters()), lr=lr)
        chance = int(torch.randint(2**31, ()))
        again = {"optimizer": lambda *_, **__: kept[component], "augment": augment, "seed": chance, "progress": False}
        fit(component, x, rounds=steps, batch_size=batch_size, lr=lr, **again)  # type: ignore[arg-type]  # eq. (5)

    return improve


@torch.no_grad()
def score(components: list[Component], x: Tensor, samples: int, rows: int = 1024) -> Tensor:
    """(2) in nats, from `samples` draws of z: [N, ...] -> [N, S], in double precision, some rows at a time.

    Raises:
        FloatingPointError: a component scores a row with nan or infinity.
    """
    parts = [torch.stack([c.log_prob_bound(part, samples) for c in components], 1) for part in x.split(rows)]
    scores = torch.cat(parts).double()  # [N, S], eq. (2)
    if not scores.isfinite().all():
        bad = (~scores.isfinite()).any(0).nonzero().flatten().tolist()
        raise FloatingPointError(f"components {bad} score some row with nan or infinity: try a smaller learning rate")
    return scores


def hard_rows(x: Tensor, own: Tensor, n: int) -> Tensor:
    """(1): one row, drawn from the quarter with the lowest own scores [N], and its n - 1 nearest neighbours there: [n, ...]."""
    worst = x[own.argsort()[: max(n, len(x) // 4)]]  # [W, ...]
    flat = worst.flatten(1).double()
    first = torch.randint(len(flat), (1,), device=x.device)
    return worst[torch.cdist(flat[first], flat)[0].argsort()[:n]]  # eq. (1)


def far_apart(x: Tensor, k: int) -> Tensor:
    """A first assignment to k components: to the nearest of k rows, drawn far apart (k-means++): [N, ...] -> [N]."""
    flat = x.flatten(1).double()
    chosen = flat[torch.randint(len(flat), (1,), device=x.device)]  # [1, D]
    while len(chosen) < k:
        gap = torch.cdist(flat, chosen).amin(1).square() + 1e-12  # [N]
        chosen = torch.cat([chosen, flat[torch.multinomial(gap, 1)]])
    return torch.cdist(flat, chosen).argmin(1)


class Pace(NamedTuple):
    """How `InfiniteVAE.fit_gibbs` goes about a sweep: its arguments of the same names."""

    how: str
    newcomers: int
    warm_up: int
    neighbours: int
    passes: float
    samples: int
    batch_size: int
    temper: Callable[[float], float] | None

    def check(self, sweeps: int, rows: int) -> None:
        """Raises as `InfiniteVAE.fit_gibbs`."""
        if self.how not in SWEEPS:
            raise ValueError(f"how must be one of {list(SWEEPS)}, got {self.how!r}")
        many = self.warm_up, self.neighbours, self.samples, self.batch_size
        whole = all(isinstance(n, Integral) for n in (sweeps, self.newcomers, *many)) and math.isfinite(self.passes)
        if not whole or min(sweeps, self.newcomers, self.passes) < 0 or min(rows, *many) < 1:
            raise ValueError(
                "sweeps, newcomers and passes must be at least 0, rows, warm_up, neighbours, samples and batch_size at least 1, "
                f"passes finite and all others whole; got {sweeps}, {self.newcomers}, {self.passes}, {rows} and {many}"
            )

    def factor(self, t: float) -> float:
        """T of (2).

        Raises:
            ValueError: it is negative or not finite.
        """
        factor = 1.0 if self.temper is None else self.temper(t)
        if not 0 <= factor < math.inf:
            raise ValueError(f"temper must give factors of at least 0 and finite, got {factor} at {t:g}")
        return factor


def begin(model: "InfiniteVAE", x: Tensor, start: Tensor | None, samples: int, first: bool) -> Tensor:
    """The component of each row before the first sweep: [N, ...] -> [N]. Raises as `InfiniteVAE.fit_gibbs`."""
    components = list(model.components)
    if start is not None:
        if start.shape != x.shape[:1] or start.is_floating_point():
            raise ValueError(f"start must be a component for each of {len(x)} rows, got {start.dtype} {list(start.shape)}")
        check_values(start, lambda v: (v >= 0) & (v < len(components)), f"start must be components 0 to {len(components) - 1}")
        return start.to(x.device)
    if first:
        return far_apart(x, len(components))
    return torch.multinomial((score(components, x, samples) + model.weights.log()).softmax(1), 1)[:, 0]


def climb(
    model: "InfiniteVAE",
    x: Tensor,
    sweeps: int,
    start: Tensor | None,
    improve: Improve,
    pace: Pace,
    callback: Callable[[int, History], None] | None,
    progress: bool,
) -> History:
    """All sweeps. Arguments, errors and result are those of `InfiniteVAE.fit_gibbs`."""
    pace.check(sweeps, len(x))
    model.eval()  # `fit` trains in train mode, scores are without dropout
    with torch.no_grad():
        for part in x.split(1024):
            model.components[0].posterior(part)  # bad rows are told before a component is trained on others
    first = not bool(model.counts.any())
    components, c = bury(list(model.components), begin(model, x, start, pace.samples, first))
    for k, component in enumerate(components if first else []):
        improve(component, x[c == k], pace.warm_up)
    own = score(components, x, pace.samples).gather(1, c[:, None])[:, 0]  # [N]
    history = History({"gibbs": []}, {"components": [], "moved": [], "bound": []})
    for sweep in (bar := trange(sweeps, disable=not progress)):
        born = [model.build().to(model.counts) for _ in range(pace.newcomers)]
        for component in born:
            improve(component, hard_rows(x, own, pace.neighbours), pace.warm_up)  # eq. (1)
        components += born
        scores = score(components, x, pace.samples)  # [N, S]
        table, before = scores * pace.factor(sweep / sweeps), c  # eq. (2)
        move = SWEEPS[pace.how]
        c = move(c, lambda i, _, table=table: table[i], model.alpha, slots=len(components))  # type: ignore[misc]  # eq. (3)
        own = scores.gather(1, c[:, None])[:, 0]
        history.watched["moved"].append((c != before).double().mean().item())
        components, c = bury(components, c)  # eq. (4)
        for k, component in enumerate(components):
            rows = x[c == k]
            improve(component, rows, math.ceil(pace.passes * len(rows) / pace.batch_size))  # eq. (5)
        model.take(components, c)
        history.watched["components"].append(len(components))
        history.watched["bound"].append(own.mean().item())
        history.losses["gibbs"].append(-(own.sum() + crp_log_prob(c, model.alpha)).item() / len(x))
        if progress:
            bar.set_postfix(components=len(components), bound=f"{own.mean().item():.3f}")
        if callback is not None:
            callback(sweep, history)
    return history


def bury(components: list[Component], c: Tensor) -> tuple[list[Component], Tensor]:
    """(4): the components that have rows, and the rows' components under their new numbers."""
    used, c = c.unique(return_inverse=True)
    return [components[k] for k in used.tolist()], c


def as_many_components(model: "InfiniteVAE", state: dict[str, Tensor], prefix: str, *_) -> None:
    """Before a state is loaded: as many components as it holds, where the model is. If there are, they stay the same modules."""
    counts = state.get(prefix + "counts", model.counts)
    if len(counts) != len(model.components):
        model.counts = model.counts.new_zeros(len(counts))
        model.components = nn.ModuleList(model.build() for _ in counts).to(model.counts)
