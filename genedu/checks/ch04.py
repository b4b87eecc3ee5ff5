"""Checks of the exercises of chapter 4, pixel models: 2 + 2 + 3 + 3 = 10 points."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, close, judge, tensor
from genedu.checks.leaky_nets import find_leak
from genedu.checks.logistic_bins import log_mass
from genedu.checks.shifted_stacks import two_stacks
from genedu.core import seeded
from genedu.handle import Handle

ANSWERS = (  # not there while students are graded
    *("autoregressive/pixel_cnn.py", "autoregressive/pixel_rnn.py", "nn/masked_conv.py"),
    *("nn/two_stack.py", "nn/logistic_mixture.py"),
)
Sees = Callable[[str, int, int, int, int], bool]  # kind, rows down and columns right of the centre, groups out and in


def at_centre(kind: str, out: int, inside: int) -> bool:
    """(1), the rule for the centre of the kernel."""
    return inside < out if kind == "A" else inside <= out


def earlier(r: int, c: int) -> bool:
    return r < 0 or (r == 0 and c < 0)


def sees(kind: str, r: int, c: int, out: int, inside: int) -> bool:
    return earlier(r, c) or (r == c == 0 and at_centre(kind, out, inside))


def causal_mask(handle: Handle) -> list[Outcome]:
    """04.1: (kind, kernel, group_out [O], group_in [I]) -> mask [O, I, k, k]."""

    def build(rule: Sees, kind: str, kernel: int, out: Tensor, inside: Tensor) -> Tensor:
        reach = range(-(kernel // 2), kernel // 2 + 1)
        table = [[[[rule(kind, r, c, o, i) for c in reach] for r in reach] for i in inside.tolist()] for o in out.tolist()]
        return torch.tensor(table).double()

    def ask(kernels: Sequence[int], out: Tensor, inside: Tensor, rules: dict[Mistake, Sees]) -> Mistake | None:
        cases = [(kind, kernel) for kernel in kernels for kind in "AB"]
        got = [handle.call({"kind": kind, "kernel": kernel, "group_out": out, "group_in": inside}) for kind, kernel in cases]

        def same(rule: Sees) -> bool:
            return all(close(g, build(rule, *case, out, inside)) for g, case in zip(got, cases, strict=True))

        if same(sees):
            return None
        for mistake, rule in rules.items():
            if same(rule):
                return mistake
        masks = [tensor(g, (len(out), len(inside), k, k)) for g, (_, k) in zip(got, cases, strict=True)]
        if not all(((m == 0) | (m == 1)).all() for m in masks):
            return Mistake("no mask", "a mask holds 0 and 1 only")
        return Mistake("", "draw a kernel of 3 x 3 and mark what is generated before its centre")

    def grey() -> Mistake | None:
        return ask(
            (3, 5),
            torch.zeros(3).long(),
            torch.zeros(2).long(),
            {
                Mistake("A for B", "A and B are exchanged: which one stands in the first layer?"): (
                    lambda k, r, c, o, i: earlier(r, c) or (r == c == 0 and k == "A")
                ),
                Mistake("always A", "the centre is never seen: what may later layers see?"): lambda k, r, c, o, i: earlier(r, c),
                Mistake("always B", "the centre is always seen: in the first layer it is the pixel itself"): (
                    lambda k, r, c, o, i: earlier(r, c) or r == c == 0
                ),
                Mistake("whole row", "the row of the centre is seen to its end: what lies to the right is later"): (
                    lambda k, r, c, o, i: r < 0 or (r == 0 and (c != 0 or k == "B"))
                ),
                Mistake("rows only", "the own row is not seen: what lies to the left is earlier"): (
                    lambda k, r, c, o, i: r < 0 or (r == c == 0 and k == "B")
                ),
                Mistake("row only", "only the own row is seen: what else is earlier?"): (
                    lambda k, r, c, o, i: r == 0 and (c < 0 or (c == 0 and k == "B"))
                ),
                Mistake("left only", "in the rows above all columns are earlier, on the right as well"): (
                    lambda k, r, c, o, i: c <= 0 and sees(k, r, c, o, i)
                ),
                Mistake("turned round", "what is later is seen, what is earlier is not"): lambda k, r, c, o, i: sees(
                    k, -r, -c, o, i
                ),
                Mistake("columns first", "rows and columns are exchanged: pixels come row by row"): lambda k, r, c, o, i: sees(
                    k, c, r, o, i
                ),
                Mistake("right for left", "left and right are exchanged"): lambda k, r, c, o, i: sees(k, r, -c, o, i),
                Mistake("zeros for ones", "0 and 1 are exchanged: a 1 keeps a weight"): lambda k, r, c, o, i: (
                    not sees(k, r, c, o, i)
                ),
            },
        )

    def colour() -> Mistake | None:
        with seeded(handle.seed):
            out, inside = torch.tensor([0, 1, 2, 0, 1, 2, 1])[torch.randperm(7)], torch.tensor([0, 1, 2, 2, 0])[torch.randperm(5)]
        return ask(
            (5,),
            out,
            inside,
            {
                Mistake("colours ignored", "the groups play no part: G may see the R of its own pixel, and R not its G"): (
                    lambda k, r, c, o, i: earlier(r, c) or (r == c == 0 and k == "B")
                ),
                Mistake("colours always", "at the centre all groups are seen"): lambda k, r, c, o, i: (
                    earlier(r, c) or r == c == 0
                ),
                Mistake("colours turned", "R sees G and B: which group is generated first?"): (
                    lambda k, r, c, o, i: earlier(r, c) or (r == c == 0 and at_centre(k, i, o))
                ),
                Mistake("colours everywhere", "the groups count at earlier pixels, too: there everything is known"): (
                    lambda k, r, c, o, i: (earlier(r, c) or r == c == 0) and at_centre(k, o, i)
                ),
                Mistake("kinds alike", "A and B treat a channel's own group alike: look at < and <= in (1)"): (
                    lambda k, r, c, o, i: earlier(r, c) or (r == c == 0 and i < o)
                ),
                Mistake("own group only", "with mask B a group sees itself, and those before it"): (
                    lambda k, r, c, o, i: earlier(r, c) or (r == c == 0 and (i < o if k == "A" else i == o))
                ),
            },
        )

    return [
        judge("grey images: masks A and B of 3 x 3 and 5 x 5", 1, grey),
        judge("colour images: (1) holds at the centre, for groups in any order", 1, colour),
    ]


QUESTIONS = {"04.1": causal_mask, "04.2": two_stacks, "04.3": log_mass, "04.4": find_leak}
