"""Exercise 04.4: Jacobians of PixelCNNs with random weights, of which most are broken in one of five ways.

The nets are built here from plain convolutions, as small as they can be, with features that tanh keeps in bounds. Where no
path leads from a pixel to a logit, backpropagation adds up products with a weight of 0 only, and the entry is exactly 0.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from genedu.checks import Mistake, Outcome, judge
from genedu.core import seeded
from genedu.handle import CallFailed, Handle

KINDS = ("fine", "mask B first", "no shift", "shift twice", "whole image", "blind spot")
C = 3  # features


class Net(NamedTuple):
    """What is wrong with a net, and its Jacobian [H, W, H, W]."""

    kind: str
    jacobian: Tensor


def weights(inputs: int, height: int, width: int) -> Tensor:
    """Random weights [C, inputs, height, width], none near 0, that keep the size of what comes in."""
    shape = C, inputs, height, width
    sign = 2.0 * torch.randint(0, 2, shape) - 1
    return (sign * (0.5 + torch.rand(shape)) / (inputs * height * width) ** 0.5).double()


def two_stacks(x: Tensor, *, shift: int = 1, own: bool = False, norm: bool = False) -> Tensor:
    """Logits [B, H, W] of three layers: 3 rows by 7 columns in the vertical stack, 3 columns in the horizontal one."""

    def normal(f: Tensor) -> Tensor:
        return (f - f.mean((2, 3), keepdim=True)) / f.std((2, 3), keepdim=True) if norm else f

    v = h = x  # [B, 1, H, W]
    for layer in range(3):
        v = normal(torch.tanh(conv2d(pad(v, (3, 3, 2, 0)), weights(v.shape[1], 3, 7))))  # [B, C, H, W]
        down = pad(v, (0, 0, shift, 0))[:, :, : v.shape[2]]
        left = (2, 0) if layer or own else (3, -1)  # with the pixel itself, or without it
        h = normal(torch.tanh(conv2d(pad(h, left), weights(h.shape[1], 1, 3)) + conv2d(down, weights(C, 1, 1))))
    return h.sum(1)


def one_stack(x: Tensor) -> Tensor:
    """Logits [B, H, W] of masked 3x3 convolutions, as many as the longer side has pixels."""
    h = x
    for layer in range(max(x.shape[2:])):
        mask = torch.tensor([[1.0, 1, 1], [1, float(layer > 0), 0], [0, 0, 0]]).double()
        h = torch.tanh(conv2d(h, 2 * weights(h.shape[1], 3, 3) * mask, padding=1))
    return h.sum(1)


def jacobian(kind: str, height: int, width: int) -> Tensor:
    """[H, W, H, W] of a new net of this kind, at a random image."""
    size = height * width
    x = torch.randn(1, 1, height, width).double().expand(size, -1, -1, -1).clone().requires_grad_()
    with torch.enable_grad():
        if kind == "blind spot":
            logits = one_stack(x)
        else:
            wrong = {"mask B first": {"own": True}, "no shift": {"shift": 0}, "shift twice": {"shift": 2}}
            logits = two_stacks(x, norm=kind == "whole image", **wrong.get(kind, {}))  # type: ignore[arg-type]
        own = logits.reshape(size, size).diagonal().sum()  # of copy k of the image the logit of pixel k
    return torch.autograd.grad(own, x)[0].reshape(height, width, height, width)


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def nets(seed: int) -> list[Net]:
    """Twelve nets: two of each kind, one small and one large in its units."""
    with seeded(seed):
        found = []
        for kind in KINDS:
            for power in (-9, 3):
                height, width = torch.randint(4, 8, (2,)).tolist()
                unit = 10 ** (power + 2 * torch.rand(()).item())
                found.append(Net(kind, unit * jacobian(kind, height, width)))
        return [found[i] for i in torch.randperm(len(found))]


CONFUSED = {  # (what it is, what was said): a hint; the first that holds for both nets of the kind is given
    ("mask B first", "fine"): ("own pixel missed", "you let a net pass in which a pixel sees itself"),
    ("no shift", "fine"): ("row missed", "you let a net pass in which a pixel sees more of its own row than it may"),
    ("whole image", "fine"): ("leak missed", "you let a net pass in which every pixel sees everything"),
    ("blind spot", "fine"): ("loss missed", "you look for leaks only: a net may also fail to see what it may see"),
    ("shift twice", "fine"): ("row above missed", "you let a net pass that does not see all that is earlier: which row is lost?"),
    ("fine", "blind spot"): (
        "sound net blamed",
        "a sound net sees about half of the pixels, and an early pixel few: count what it may",
    ),
    ("fine", "whole image"): ("past taken for leak", "you blame a sound net: that pixels are seen which are earlier is no leak"),
    ("no shift", "mask B first"): ("only the centre", "some nets see themselves and more: look to the right as well"),
    ("mask B first", "no shift"): ("right not looked at", "a net that sees itself need not see what lies to its right"),
    ("whole image", "no shift"): ("below not looked at", "some nets see pixels of rows below: which mistake can reach these?"),
    ("no shift", "whole image"): ("row for image", "a leak within the row is no leak from the rows below"),
    ("shift twice", "blind spot"): ("losses confused", "two kinds of nets lose earlier pixels: look at the row just above"),
    ("blind spot", "shift twice"): (
        "losses exchanged",
        "two kinds of nets lose earlier pixels: is a whole row lost, or a corner?",
    ),
}


def find_leak(handle: Handle) -> list[Outcome]:
    """04.4: jacobian [H, W, H, W] -> one of KINDS."""

    def ask(change: Callable[[Tensor], Tensor] = lambda jacobian: jacobian) -> list[str]:
        said = []
        for i, net in enumerate(nets(handle.seed)):
            got = handle.call({"jacobian": change(net.jacobian)}, seed=i)
            if not isinstance(got, str):
                raise CallFailed(f"it must return one of the six texts, it returns a {type(got).__name__}", "wrong type")
            said.append(got)
        return said

    def right(said: list[str]) -> int:
        return sum(s == net.kind for s, net in zip(said, nets(handle.seed), strict=True))

    def found() -> Mistake | None:
        cases, said = nets(handle.seed), ask()
        if right(said) >= 11:
            return None
        if unknown := sorted(set(said) - set(KINDS)):
            return Mistake("unknown answer", f"it returns {unknown[0][:40]!r}, which is none of the six answers")
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all nets: look at the numbers")
        if right(ask(torch.abs)) >= 11:
            return Mistake("sign", "you take negative derivatives for none at all")
        if right(ask(torch.sign)) >= 11:
            return Mistake("threshold", "what is small in some units is not 0: the nets come in different units")
        if right(ask(lambda jacobian: jacobian.permute(2, 3, 0, 1))) >= 11:
            return Mistake("transposed", "you read the Jacobian the wrong way round: which of the four axes are the logit's?")
        if right(ask(lambda jacobian: jacobian.permute(1, 0, 3, 2))) >= 11:
            return Mistake("columns first", "you take rows for columns: in which order are the pixels generated?")
        for (kind, wrong), (name, hint) in CONFUSED.items():
            if all(s == wrong for s, net in zip(said, cases, strict=True) if net.kind == kind):
                return Mistake(name, hint)
        return Mistake("", f"right about {right(said)} nets of 12: draw, for a few pixels, which pixels they see")

    return [judge("it says what is wrong with at least 11 of 12 unseen nets", 3, found)]
