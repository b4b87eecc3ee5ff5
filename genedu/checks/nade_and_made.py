"""Checks of exercises 03.2 and 03.3: one step of NADE's running sum, and the masks of MADE."""

from collections.abc import Callable
from itertools import pairwise
from operator import ge, gt, le, lt

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.core import seeded
from genedu.handle import Handle, Value

Compare = Callable[[int, int], bool]


def nade_step(handle: Handle) -> list[Outcome]:
    """03.2: (a [B, H], x_i [B], w_i [H], v_i [H], b_i) -> (logit [B], a_next [B, H])."""

    def one_step(place: int) -> Mistake | None:
        for rows, hidden in ((5, 4), (1, 3)):
            with seeded(handle.seed):
                a, w, v = torch.randn(rows, hidden).double() - 0.3, *(1 + torch.randn(2, hidden).double())
                b, x = 0.5 + torch.rand(()).item(), (torch.arange(rows) % 2 == 0).double()  # both bits
            given = {"a": a, "x_i": x, "w_i": w, "v_i": v, "b_i": b}
            got = parts(handle.call({**given}), "logit", "a_next")[place]
            if mistake := (kept if place else logit)(got, a, x, w, v, b):
                return mistake
        return None

    def logit(got: Value, a: Tensor, x: Tensor, w: Tensor, v: Tensor, b: float) -> Mistake | None:
        added = a + x[:, None] * w  # [B, H]

        def out(h: Tensor) -> Tensor:
            return b + (h * v).sum(1)

        h = 1 / (1 + torch.exp(-a))  # [B, H]
        right = out(h)
        mistakes = {
            Mistake("sees its own bit", "the logit changes with x_i, the bit that it is to predict: when is it added?"): (
                out(added.sigmoid())
            ),
            Mistake("own row", "the logit holds w_i, whatever the bit: whose rows of W may place i see?"): out((a + w).sigmoid()),
            Mistake("no sigma", "what is carried goes to the output as it is: look at h in (2)"): out(a),
            Mistake("another squashing", "the hidden units are squashed, but not as (2) says"): out(a.tanh()),
            Mistake("probability returned", "this is sigma of the answer: the logit is wanted"): right.sigmoid(),
            Mistake("logarithm returned", "this is the log-probability of a one: the logit is wanted"): right.sigmoid().log(),
            Mistake("likelihood returned", "this is the log-probability of the bit that came: the logit is wanted"): (
                Bernoulli(logits=right).log_prob(x)
            ),
            Mistake("b forgotten", "b_i plays no part"): right - b,
            Mistake("b inside", "b_i stands inside of sigma: look at (2)"): (a + b).sigmoid() @ v,
            Mistake("w for v", "w_i leads into the hidden layer: what leads out of it?"): b + h @ w,
            Mistake("not added up", "these are H numbers a row: what does the dot in (2) do?"): b + h * v,
        }
        return diagnose(got, right, mistakes, "take H = 1 and a = 0 and compute (2) by hand", what="logit")

    def kept(got: Value, a: Tensor, x: Tensor, w: Tensor, v: Tensor, b: float) -> Mistake | None:
        add = x[:, None] * w  # [B, H]
        mistakes = {
            Mistake("sigma carried", "it is the sum that is carried: squashed, nothing can be added to it"): (a + add).sigmoid(),
            Mistake("hidden units carried", "the new term is added to h: in (2) it stands inside of sigma"): a.sigmoid() + add,
            Mistake("bit ignored", "w_i is added whatever the bit is"): a + w,
            Mistake("ones for zeros", "w_i is added if the bit is 0, it should be if it is 1"): a + (1 - x)[:, None] * w,
            Mistake("sum forgotten", "all before this place is lost: what is carried is a sum"): add,
            Mistake("nothing added", "what is carried does not change: the next place must know of x_i"): a,
            Mistake("v for w", "v_i leads out of the hidden layer: what leads into it?"): a + x[:, None] * v,
            Mistake("bits as signs", "a bit of 0 takes w_i away: in (2) it adds nothing"): a + (2 * x - 1)[:, None] * w,
            Mistake("b carried", "b_i is carried on: it belongs to this place alone"): a + add + b,
        }
        return diagnose(got, a + add, mistakes, "take a row with x_i = 0, then one with x_i = 1", what="a_next")

    def chain() -> Mistake | None:
        if one_step(0) or one_step(1):
            return Mistake("not yet", "judged once a single step is right")
        dim, rows, hidden = 50, 3, 6
        with seeded(handle.seed):
            w, v = 7 + 2 * torch.randn(dim, hidden), torch.randn(dim, hidden)
            b, c, x = torch.randn(dim).tolist(), torch.randn(hidden), (torch.rand(rows, dim) < 0.9).float()
        w[:, ::2] *= -1  # the sums run to +300 and to -300
        a, found = c.expand(rows, -1), []
        for i in range(dim):
            step = handle.call({"a": a.clone(), "x_i": x[:, i], "w_i": w[i], "v_i": v[i], "b_i": b[i]}, seed=i)
            z, a_next = parts(step, "logit", "a_next")
            a = tensor(a_next, (rows, hidden), "a_next")
            found.append(tensor(z, (rows,), "logit"))
        anew = torch.stack(
            [c.double() + x[:, :i].double() @ w[:i].double() for i in range(dim + 1)]
        )  # [D + 1, B, H], (2) as it stands
        right = torch.tensor(b)[:, None] + (anew[:-1].sigmoid() * v[:, None]).sum(-1)  # [D, B]
        got = torch.stack(found).double()
        if not (torch.isfinite(got).all() and torch.isfinite(a).all()):
            return Mistake("overflow", "exp(300) is infinite in float32, and infinite / infinite is nan")
        if not close(a.double(), anew[-1], 1e-3):
            return Mistake("sum spoiled", "after 50 steps what is carried is not the sum: is it cut or rounded?")
        return diagnose(got, right, {}, "right in one step, wrong in 50: is what goes into sigma cut?", tolerance=1e-3)

    return [
        judge("the logit is (2), from the bits before this one", 1, lambda: one_step(0)),
        judge("what is carried to the next place is right", 1, lambda: one_step(1)),
        judge("50 steps in a row give (2) at every place, in float32", 1, chain),
    ]


def mixed_order(dim: int) -> Tensor:
    """A random order [D] that is not raster and that no one can take for the places' steps: it is not its own inverse."""
    order = torch.randperm(dim)
    while torch.equal(order, order.argsort()):
        order = torch.randperm(dim)
    return order


def made_masks(handle: Handle) -> list[Outcome]:
    """03.3: (order [D], degrees: L tensors [H_l]) -> L + 1 masks, [H_1, D], .., [D, H_L]."""

    def build(step: Tensor, degrees: list[Tensor], first: Compare, hidden: Compare, out: Compare) -> list[Tensor]:
        """The masks for the degrees `step` [D] of the inputs, with three comparisons: into the first layer, between, and out."""
        pairs = [(degrees[0], step, first), *((a, b, hidden) for b, a in pairwise(degrees)), (step, degrees[-1], out)]
        return [torch.tensor([[how(m, n) for n in b.tolist()] for m in a.tolist()]).double() for a, b, how in pairs]

    def mistakes(step: Tensor, order: Tensor, degrees: list[Tensor]) -> dict[Mistake, list[Tensor]]:
        right, raster = build(step, degrees, ge, ge, gt), torch.arange(len(step))
        exchanged = "the strict comparison is at the wrong end: an output sees itself, and too little of the rest"
        return {
            Mistake("order ignored", "the order plays no part: which number is generated first?"): (
                build(raster + 1, degrees, ge, ge, gt)
            ),
            Mistake("order not inverted", "order says which place comes in step k; a degree says in which step a place comes"): (
                build(order + 1, degrees, ge, ge, gt)
            ),
            Mistake("counted from 0", "the degrees of inputs and outputs count from 0, those of the hidden units from 1"): (
                build(step - 1, degrees, ge, ge, gt)
            ),
            Mistake("sees itself", "each output sees its own input: which of the two comparisons is strict?"): (
                build(step, degrees, ge, ge, ge)
            ),
            Mistake("strict everywhere", "no leak, but connections are lost that do no harm: which comparison is strict?"): (
                build(step, degrees, gt, gt, gt)
            ),
            Mistake("strict between", "between two hidden layers connections are lost that do no harm"): (
                build(step, degrees, ge, gt, gt)
            ),
            Mistake("exchanged", exchanged): build(step, degrees, gt, gt, ge),
            Mistake("reversed", "each output sees what comes after it: turn the comparisons round"): (
                build(step, degrees, le, le, lt)
            ),
            Mistake("transposed", "rows and columns are exchanged: in torch a row of the weights is a unit of which layer?"): (
                [m.T for m in right]
            ),
            Mistake("ones for zeros", "ones and zeros are exchanged: a 1 keeps a weight"): [1 - m for m in right],
            Mistake("top first", "the masks are right, and come in the wrong order: the lowest one first"): right[::-1],
        }

    def ask(dim: int, sizes: tuple[int, ...], raster: bool) -> Mistake | None:
        with seeded(handle.seed):
            order = torch.arange(dim) if raster else mixed_order(dim)
            degrees = [(torch.randperm(size) % (dim - 1)) + 1 for size in sizes]  # every degree occurs
        step = torch.tensor([order.tolist().index(d) + 1 for d in range(dim)])
        right = build(step, degrees, ge, ge, gt)
        got = parts(handle.call({"order": order, "degrees": tuple(degrees)}), *(f"M{i}" for i in range(1, len(sizes) + 2)))

        def same(want: list[Tensor]) -> bool:
            return all(close(g, w) for g, w in zip(got, want, strict=True))

        if same(right):
            return None
        for mistake, masks in mistakes(step, order, degrees).items():
            if same(masks):
                return mistake
        found = [tensor(g, tuple(r.shape), f"M{i + 1}").double() for i, (g, r) in enumerate(zip(got, right, strict=True))]
        if not all(((m == 0) | (m == 1)).all() for m in found):
            return Mistake("no masks", "a mask holds zeros and ones only")
        reach = torch.eye(dim, dtype=torch.float64)
        for m in found:
            reach = m @ reach  # paths from each input to each unit
        later = reach[order][:, order].triu()  # [D, D], in the order: paths to what is no past
        if later.diagonal().any():
            return Mistake("leak", "multiply the masks of all layers: an output can be reached from its own input")
        if later.any():
            return Mistake("future", "multiply the masks of all layers: an output can be reached from an input that comes later")
        return Mistake("connections", "no leak, but the connections are not those of (3): write out one unit by hand")

    return [
        judge("one hidden layer, raster order: the masks are (3)", 1, lambda: ask(6, (7,), True)),
        judge("one hidden layer, any order", 1, lambda: ask(6, (7,), False)),
        judge("two and three hidden layers, any order", 1, lambda: ask(5, (7, 8), False) or ask(4, (6, 7, 5), False)),
    ]
