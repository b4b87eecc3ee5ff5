"""The check of 05.3: a stack of dilated causal convolutions that is fed one number at a time.

The student's class is built with `weight` [L, k], `bias` [L] and the dilations. What its `step` must give is computed here
for the whole sequence at once, by `conv1d` on a sequence padded with zeros on its left.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from genedu.checks import Mistake, Outcome, close, diagnose, judge, tensor
from genedu.core import seeded
from genedu.handle import Handle


def reach(k: int, dilations: Sequence[int]) -> int:
    """From the newest to the oldest input that can matter, both counted: by following every path."""
    offsets = {0}
    for d in dilations:
        offsets = {o + j * d for o in offsets for j in range(k)}
    return max(offsets) + 1


def run(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    dilations: Sequence[int],
    *,
    before: Callable[[Tensor, Tensor], Tensor] = lambda h, b: torch.zeros_like(h[:, :1]),
    gaps: Callable[[int], int] = lambda d: d,
    squash: Callable[[Tensor], Tensor] = torch.tanh,
) -> Tensor:
    """Outputs of the stack for x [B, T], all at once: [B, T]. `before` gives what stands left of a layer's input."""
    h, k = x, weight.shape[1]
    for w, b, d in zip(weight, bias, dilations, strict=True):
        past = before(h, b).expand(-1, (k - 1) * gaps(d))  # [B, (k-1) d]
        rows = torch.cat([past, h], 1)[:, None]  # [B, 1, (k-1) d + T]
        h = squash(conv1d(rows, w.flip(0)[None, None], b[None], dilation=gaps(d))[:, 0])  # [B, T]
    return h


def causal_stack(handle: Handle) -> list[Outcome]:
    """05.3: a class (weight [L, k], bias [L], dilations) with receptive_field() -> int and step(x [B]) -> [B]."""

    def case(k: int, dilations: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        with seeded(handle.seed):
            size = 0.4 + 0.8 * torch.rand(len(dilations), k).double()
            weight = size * (2 * torch.randint(2, size.shape) - 1)  # [L, k], none of them near 0
            bias = 0.2 + 0.3 * torch.rand(len(dilations)).double()  # [L]
            x = torch.randn(3, 9).double()  # [B, T]
        return weight, bias, x

    def built(weight: Tensor, bias: Tensor, dilations: tuple[int, ...]) -> Handle:
        return handle.build({"weight": weight, "bias": bias, "dilations": dilations})

    def field() -> Mistake | None:
        for k, dilations in ((3, (1, 3, 4, 1, 3)), (2, (1, 2, 4, 8)), (4, (3, 1)), (1, (1, 2)), (2, (6,))):
            weight, bias, _ = case(k, dilations)
            got = built(weight, bias, dilations).call({}, method="receptive_field")
            total, longest, layers = sum(dilations), max(dilations), len(dilations)
            mistakes = {
                Mistake("present forgotten", "one too few: the newest input counts, too"): (k - 1) * total,
                Mistake("kernel for gaps", "a kernel of k numbers has how many gaps between them?"): 1 + k * total,
                Mistake("kernel times dilations", "count for one layer with d = 1: is it k?"): k * total,
                Mistake("kernel ignored", "it is right for k = 2 only"): 1 + total,
                Mistake("longest only", "every layer looks back from where the one above it looked"): 1 + (k - 1) * longest,
                Mistake("dilations ignored", "that is a stack without dilation"): 1 + (k - 1) * layers,
                Mistake("stack once", "dilations that come again reach back again"): 1 + (k - 1) * sum(set(dilations)),
                Mistake("product", "layers do not multiply what is seen, unless every dilation doubles"): k**layers,
                Mistake("sum of fields", "each layer's own field counts the newest input once more"): layers + (k - 1) * total,
            }
            right = torch.tensor(reach(k, dilations)).double()
            if mistake := diagnose(got, right, mistakes, "draw two layers with k = 2 and d = 1, 2, and follow every line back"):
                return mistake
        return None

    def fed(stack: Handle, x: Tensor) -> Tensor:
        columns = x.T.clone(memory_format=torch.contiguous_format)  # [T, B]
        return torch.stack([tensor(stack.call({"x": c}, method="step"), (len(c),)).double() for c in columns], 1)  # [B, T]

    def steps() -> Mistake | None:
        for k, dilations in ((2, (1, 3)), (3, (2, 1, 3)), (2, (5,))):
            weight, bias, x = case(k, dilations)
            got, right = fed(built(weight, bias, dilations), x), run(x, weight, bias, dilations)  # [B, T]
            if close(got, right):
                continue

            def wrong(weight: Tensor = weight, bias: Tensor = bias, *, x: Tensor = x, dilations=dilations, **other) -> Tensor:
                return run(x, weight, bias, dilations, **other)

            alone = torch.cat([weight[:, :1], 0 * weight[:, 1:]], 1)
            silence = wrong(x=torch.cat([torch.zeros(3, 60).double(), x], 1))[:, 60:]
            late = pad(right, (1, 0))[:, :-1]
            turned = tuple(reversed(dilations))
            mistakes = {
                Mistake("nothing remembered", "only the newest input counts: what do you keep between two calls?"): wrong(alone),
                Mistake("kernel turned", "the kernel is turned: which number meets the newest input?"): wrong(weight.flip(1)),
                Mistake("dilation ignored", "it looks at neighbours, d = 1 in every layer"): wrong(gaps=lambda d: 1),
                Mistake("one step too long", "every look back is one too long: who waits d steps?"): wrong(gaps=lambda d: d + 1),
                Mistake("one step short", "the looks back are too short by one"): wrong(gaps=lambda d: max(d - 1, 1)),
                Mistake("layers turned", "dilations go to the wrong layers"): wrong(dilations=turned),
                Mistake("bias forgotten", "b plays no part"): wrong(bias=0 * bias),
                Mistake("no tanh", "what comes out of a layer is not squashed"): wrong(squash=lambda h: h),
                Mistake("fed with silence", "this follows a long silence: eq. (5) starts every layer at 0"): silence,
                Mistake("first value repeated", "before the first x there is nothing, not x again"): wrong(
                    before=lambda h, b: h[:, :1]
                ),
                Mistake("one call late", "the output comes one call too late"): late,
            }
            if mistake := diagnose(
                got, right, mistakes, "feed 1, 0, 0, 0 into one layer without b, and see when which number comes"
            ):
                return mistake
        return None

    def memory() -> Mistake | None:
        if not stepped.holds:
            return Mistake("not yet", "judged once one stack gives the right steps")
        dilations = (1, 12, 1, 12)
        weight, bias, x = case(2, dilations)
        x = torch.cat([x, x.flip(1), 0.5 * x], 1)  # [B, 3 T]
        one, two = built(weight, bias, dilations), built(weight, bias, dilations)
        pairs = [(fed(one, x[:, t : t + 1]), fed(two, -x[:, t : t + 1])) for t in range(x.shape[1])]
        first, second = (torch.cat(column, 1) for column in zip(*pairs, strict=True))  # [B, 3 T] each
        mine, other = run(x, weight, bias, dilations), run(-x, weight, bias, dilations)
        if close(first[:, 0], mine[:, 0]) and not close(second[:, 0], other[:, 0]):
            return Mistake("shared memory", "two stacks that take turns disturb each other: whose is the memory?")
        if close(first[:, : x.shape[1] // 3], mine[:, : x.shape[1] // 3]) and not close(first, mine):
            return Mistake("past lost", "right at first, wrong once the past is long: is anything forgotten too early?")
        if not close(first, mine) or not close(second, other):
            return Mistake("", "right alone, wrong for two stacks that take turns")
        if not close(fed(built(weight, bias, dilations), x[:1, :3]), mine[:1, :3]):
            return Mistake("number of rows", "right for three rows, wrong for a single one")
        return None

    stepped = judge("steps, one by one, are those of the whole sequence at once", 1, steps)
    return [
        judge("the receptive field is counted right", 1, field),
        stepped,
        judge("so they are in two stacks that take turns, over a long past, and for one row", 1, memory),
    ]
