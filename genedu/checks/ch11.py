"""Checks of the exercises of chapter 11, convolutional GANs: 3 + 3 + 4 = 10 points."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose1d, interpolate, pad

from genedu.checks import Mistake, Outcome, close, diagnose, judge, tensor
from genedu.checks.broken_networks import broken_rules
from genedu.core import seeded
from genedu.handle import Handle

ANSWERS = ("nn/growing.py", "nn/strided.py", "adversarial/dcgan.py", "adversarial/progressive_gan.py")  # not there while graded
Six = tuple[int, int, int, int, int, int]


def output_side(handle: Handle) -> list[Outcome]:
    """11.1: (side, kernel, stride, padding, output_padding, dilation) -> the side of the output."""
    names = ("side", "kernel", "stride", "padding", "output_padding", "dilation")
    plain: list[Six] = [(1, 1, 1, 0, 0, 1), (1, 3, 2, 0, 0, 1)]
    padded: list[Six] = [(4, 4, 2, 1, 0, 1), (7, 3, 2, 1, 1, 1), (1, 4, 1, 0, 0, 1)]
    with seeded(handle.seed):

        def between(low: int, high: int) -> int:
            return int(torch.randint(low, high + 1, ()))

        for _ in range(6):
            plain.append((between(2, 9), between(2, 6), between(2, 4), 0, 0, 1))
            stride, dilation, kernel = between(2, 4), between(2, 4), between(3, 6)
            extra = between(1, max(stride, dilation) - 1)
            padded.append((between(6, 12), kernel, stride, between(1, 3), extra, dilation))

    def exact(case: Six) -> int:
        n, k, s, p, extra, d = case
        x, w = torch.empty(1, 1, n, device="meta"), torch.empty(1, 1, k, device="meta")
        return conv_transpose1d(x, w, stride=s, padding=p, output_padding=extra, dilation=d).shape[-1]

    def ask(cases: list[Six]) -> Mistake | None:
        got = torch.stack([tensor(handle.call(dict(zip(names, case, strict=True))), ()).double() for case in cases])  # [cases]

        def each(rule: Callable[..., float]) -> Tensor:
            return torch.tensor([float(rule(*case)) for case in cases]).double()

        mistakes = {
            Mistake("ordinary convolution", "this is what an ordinary convolution leaves: here the image grows"): each(
                lambda n, k, s, p, o, d: (n + 2 * p - d * (k - 1) - 1) // s + 1
            ),
            Mistake("stride alone", "one input alone already lays down a whole kernel"): each(lambda n, k, s, p, o, d: n * s),
            Mistake("one step too many", "the first copy lies at the beginning: how many steps is the last one further?"): each(
                lambda n, k, s, p, o, d: n * s + d * (k - 1) + 1 - 2 * p + o
            ),
            Mistake("last weight lost", "one place too few: draw one input and a kernel with one weight"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) - 2 * p + o
            ),
            Mistake("kernel of one", "the last copy of the kernel has more than one weight"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + 1 - 2 * p + o
            ),
            Mistake("copies side by side", "neighbouring copies overlap, unless the stride is as long as they are"): each(
                lambda n, k, s, p, o, d: n * (d * (k - 1) + 1) - 2 * p + o
            ),
            Mistake("stride ignored", "copies begin `stride` places apart, not one"): each(
                lambda n, k, s, p, o, d: n - 1 + d * (k - 1) + 1 - 2 * p + o
            ),
            Mistake("padding added", "here padding takes places away"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) + 1 + 2 * p + o
            ),
            Mistake("padding once", "places are cut off at both ends"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) + 1 - p + o
            ),
            Mistake("padding ignored", "nothing is cut off: look at the case with padding 1"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) + 1 + o
            ),
            Mistake("output padding ignored", "nothing is added at the end"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) + 1 - 2 * p
            ),
            Mistake("output padding twice", "the added places stand at one end only"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * (k - 1) + 1 - 2 * p + 2 * o
            ),
            Mistake("dilation ignored", "the kernel covers more places than it has weights where dilation is above 1"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + k - 2 * p + o
            ),
            Mistake("dilation times kernel", "between k weights there are k - 1 gaps"): each(
                lambda n, k, s, p, o, d: (n - 1) * s + d * k - 2 * p + o
            ),
        }
        return diagnose(got, each(lambda *case: exact(case)), mistakes, "draw two inputs and a kernel of three weights on paper")

    return [
        judge("it is right without padding and dilation", 1, lambda: ask(plain)),
        judge("it is right with padding at both ends, output padding and dilation", 2, lambda: ask(padded)),
    ]


def colours(weights: Tensor, features: Tensor) -> Tensor:
    """[R, C], [B, C, S, S] -> [B, R, S, S]."""
    return (features.movedim(1, -1) @ weights.T).movedim(-1, 1)


def copied(x: Tensor) -> Tensor:
    """Each pixel as 2 x 2: [B, R, S, S] -> [B, R, 2S, 2S]."""
    rows, colour, side, _ = x.shape
    return x[..., None, :, None].expand(rows, colour, side, 2, side, 2).reshape(rows, colour, 2 * side, 2 * side)


def mix(one: Tensor, other: Tensor, a: float) -> Tensor:
    return (1 - a) * one + a * other


def wrong(h: Tensor, g: Tensor, old: Tensor, new: Tensor, a: float) -> dict[Mistake, Tensor]:
    """What known mistakes of 11.2 give: [B, R, 2S, 2S] each."""
    small, fresh = colours(old, h), colours(new, g)
    twice, side = copied(small), h.shape[-1]
    holes = torch.zeros_like(fresh)
    holes[..., ::2, ::2] = small

    def smooth(how: str, corners: bool) -> Tensor:
        return mix(interpolate(small, scale_factor=2, mode=how, align_corners=corners), fresh, a)

    found = {
        Mistake("alpha turned round", "at alpha = 0 nothing new may be seen, at 1 nothing old"): mix(fresh, twice, a),
        Mistake("tiled", "the small image stands there four times: copy pixels, not the image"): mix(
            small.repeat(1, 1, 2, 2), fresh, a
        ),
        Mistake("smoothed", "the old image has soft edges: each of its pixels becomes 2 x 2 equal ones"): smooth(
            "bilinear", False
        ),
        Mistake("smoothed to the corners", "the old image is stretched from corner to corner, with soft edges"): smooth(
            "bilinear", True
        ),
        Mistake("smoothed by cubes", "the old image has soft edges that overshoot"): smooth("bicubic", False),
        Mistake("holes", "three of four pixels of the old image are black"): mix(holes, fresh, a),
        Mistake("rows and columns changed", "the old image is mirrored about its diagonal"): mix(twice.mT, fresh, a),
        Mistake("padded", "the old image keeps its size and gets an edge"): mix(
            pad(small, [side // 2, (side + 1) // 2] * 2), fresh, a
        ),
        Mistake("old part at full strength", "the old image does not fade while the new one comes"): twice + a * fresh,
        Mistake("new part at full strength", "the new image is there from the start"): (1 - a) * twice + fresh,
        Mistake("sum", "both images are there at full strength: alpha plays no part"): twice + fresh,
        Mistake("half and half", "each image has one half, whatever alpha is"): (twice + fresh) / 2,
        Mistake("switch", "the image jumps from the old one to the new one"): fresh if a >= 0.5 else twice,
        Mistake("old only", "the new features play no part"): twice,
        Mistake("new only", "the old features play no part"): fresh,
        Mistake("roots", "the two shares do not add up to 1"): (1 - a) ** 0.5 * twice + a**0.5 * fresh,
        Mistake("clamped", "values above 1 or below 0 are cut off: nothing of the kind is asked for"): (
            mix(twice, fresh, a).clamp(0, 1)
        ),
        Mistake("sigmoid", "the result is bent: the question asks for (1) as it stands"): mix(twice, fresh, a).sigmoid(),
    }
    if h.shape[1] == g.shape[1]:
        found |= {
            Mistake("features mixed", "the old features are coloured by the new weights: mix images, not features"): colours(
                new, mix(copied(h), g, a)
            ),
            Mistake("old weights twice", "the new features have weights of their own"): mix(twice, colours(old, g), a),
            Mistake("weights exchanged", "which weights belong to which features?"): mix(
                copied(colours(new, h)), colours(old, g), a
            ),
        }
    return found


def fade_in(handle: Handle) -> list[Outcome]:
    """11.2: (h [B, C, S, S], g [B, K, 2S, 2S], rgb_old [R, C], rgb_new [R, K], alpha) -> x [B, R, 2S, 2S]."""
    with seeded(handle.seed):
        alpha = 0.25 + 0.1 * torch.rand(()).item()
        cases = [tuple(torch.randn(*shape).double() for shape in shapes) for shapes in (
            ((2, 4, 4, 4), (2, 4, 8, 8), (3, 4), (3, 4)),
            ((1, 5, 3, 3), (1, 2, 6, 6), (1, 5), (1, 2)),
        )]  # fmt: skip

    alphas = (0.0, alpha, 1.0)

    def ask(place: int) -> Mistake | None:
        for h, g, old, new in cases if place == 1 else cases[:1]:
            small, fresh = colours(old, h), colours(new, g)
            twice = copied(small)
            shape = tuple(fresh.shape)
            given = {"h": h, "g": g, "rgb_old": old, "rgb_new": new}
            got = [tensor(handle.call({**given, "alpha": a}), shape) for a in alphas]
            if close(got[place], mix(twice, fresh, alphas[place])):
                continue
            tables = [wrong(h, g, old, new, a) for a in alphas]
            return diagnose(
                torch.stack([x.double() for x in got]),  # [3, B, R, 2S, 2S]: what happens at the other alphas tells the mistake
                torch.stack([mix(twice, fresh, a) for a in alphas]),
                {mistake: torch.stack([table[mistake] for table in tables]) for mistake in tables[0]},
                "take one pixel and one colour: what are its four new ones?",
            )
        return None

    return [
        judge("at alpha = 0 it is the old image, doubled", 1, lambda: ask(0)),
        judge("at alpha = 1 it is the new image", 1, lambda: ask(2)),
        judge("in between it goes from one to the other evenly", 1, lambda: ask(1)),
    ]


QUESTIONS = {"11.1": output_side, "11.2": fade_in, "11.3": broken_rules}
