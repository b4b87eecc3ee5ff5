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
from typing import TYPE_CHECKING, Any

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
        own = kept.setdefault(component, optimizer(list(component.parameters()), lr=lr))
        chance = int(torch.randint(2**31, ()))
        again = {"optimizer": lambda *_, **__: own, "augment": augment, "seed": chance, "progress": False}
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


def climb(
    model: "InfiniteVAE",
    x: Tensor,
    sweeps: int,
    start: Tensor | None,
    improve: Improve,
    how: str,
    newcomers: int,
    warm_up: int,
    neighbours: int,
    passes: float,
    samples: int,
    batch_size: int,
    temper: Callable[[float], float] | None,
    callback: Callable[[int, History], None] | None,
    progress: bool,
) -> History:
    """All sweeps. Arguments, errors and result are those of `InfiniteVAE.fit_gibbs`."""
    if how not in SWEEPS:
        raise ValueError(f"how must be one of {list(SWEEPS)}, got {how!r}")
    if min(sweeps, newcomers, passes) < 0 or min(len(x), warm_up, neighbours, samples, batch_size) < 1:
        raise ValueError(
            f"sweeps, newcomers and passes must be at least 0, rows, warm_up, neighbours, samples and batch_size at least 1; got "
            f"{sweeps}, {newcomers}, {passes}, {len(x)}, {warm_up}, {neighbours}, {samples} and {batch_size}"
        )
    components, first = list(model.components), not bool(model.counts.any())
    if start is not None:
        if start.shape != x.shape[:1] or start.is_floating_point():
            raise ValueError(f"start must be a component for each of {len(x)} rows, got {start.dtype} {list(start.shape)}")
        check_values(start, lambda v: (v >= 0) & (v < len(components)), f"start must be components 0 to {len(components) - 1}")
        c = start.to(x.device)
    elif first:
        c = far_apart(x, len(components))  # [N]
    else:
        c = torch.multinomial((score(components, x, samples) + model.weights.log()).softmax(1), 1)[:, 0]  # [N]
    components, c = bury(components, c)
    for k, component in enumerate(components if first else []):
        improve(component, x[c == k], warm_up)
    own = score(components, x, samples).gather(1, c[:, None])[:, 0]  # [N]
    history = History({"gibbs": []}, {"components": [], "moved": [], "bound": []})
    for sweep in (bar := trange(sweeps, disable=not progress)):
        born = [model.build().to(model.counts) for _ in range(newcomers)]
        for component in born:
            improve(component, hard_rows(x, own, neighbours), warm_up)  # eq. (1)
        components += born
        scores = score(components, x, samples)  # [N, S]
        table, before = scores * (temper(sweep / sweeps) if temper else 1.0), c  # eq. (2)
        c = SWEEPS[how](c, lambda i, _, table=table: table[i], model.alpha, slots=len(components))  # type: ignore[misc]  # eq. (3)
        own = scores.gather(1, c[:, None])[:, 0]
        history.watched["moved"].append((c != before).double().mean().item())
        components, c = bury(components, c)  # eq. (4)
        for k, component in enumerate(components):
            rows = x[c == k]
            improve(component, rows, math.ceil(passes * len(rows) / batch_size))  # eq. (5)
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
    """Before a state is loaded: as many components as it holds, where the model is."""
    model.counts = model.counts.new_zeros(len(state[prefix + "counts"]))
    model.components = nn.ModuleList(model.build() for _ in model.counts).to(model.counts)
