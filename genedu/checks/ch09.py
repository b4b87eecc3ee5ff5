"""Checks of the exercises of chapter 9, richer VAEs: 4 + 3 + 3 = 10 points."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from genedu.checks import Mistake, Outcome, diagnose, judge, parts, tensor
from genedu.checks.dead_units import which_collapse
from genedu.checks.precision_merge import merge
from genedu.core import seeded
from genedu.handle import Handle, Value

ANSWERS = (  # not there while students are graded
    *("latent/inverse_autoregressive_flow.py", "latent/ladder_vae.py", "latent/autoregressive_vae.py"),
)


def iaf_step(handle: Handle) -> list[Outcome]:
    """09.1: (z [B, Z], log_q [B], m [B, Z], s [B, Z]) -> (z_next [B, Z], log_det [B], log_q_next [B])."""
    with seeded(handle.seed):
        z, log_q = 2 * torch.randn(5, 4).double(), torch.randn(5).double() - 6
        to_m, to_s = torch.randn(2, 4, 4).double().tril(-1)  # a masked network with one layer
        at = torch.randn(2, 4).double() + 0.5

    def network(z: Tensor) -> tuple[Tensor, Tensor]:
        return z @ to_m.T + at[0], z @ to_s.T + at[1]

    def step(z: Tensor) -> Tensor:
        m, s = network(z)
        return m + (z - m) / (1 + (-s).exp())

    m, s = network(z)
    found = [torch.autograd.functional.jacobian(step, row) for row in z]  # [Z, Z] each
    right = step(z), torch.stack([torch.linalg.slogdet(j).logabsdet for j in found])  # [B, Z], [B]

    def ask(place: int, log_q: Tensor = log_q, m: Tensor = m, s: Tensor = s, z: Tensor = z) -> Value:
        got = handle.call({"z": z, "log_q": log_q, "m": m, "s": s})
        return parts(got, "z_next", "log_det", "log_q_next")[place]

    def moved() -> Mistake | None:
        gate = s.sigmoid()
        mistakes = {
            Mistake("gate turned", "where s is large z must be kept, yours is forgotten"): (1 - gate) * z + gate * m,
            Mistake("m not gated", "m is added in full: (1) takes only a share of it"): gate * z + m,
            Mistake("m taken off", "m counts with the wrong sign"): gate * z - (1 - gate) * m,
            Mistake("m forgotten", "m plays no part"): gate * z,
            Mistake("z forgotten", "z comes in through m only"): (1 - gate) * m,
            Mistake("s not squashed", "s may be any number: a share lies between 0 and 1"): s * z + (1 - s) * m,
            Mistake("exponential", "this is the step of another flow, which stretches by e to the s: look at (1)"): s.exp() * z
            + m,
            Mistake("way back", "this is the way back, from z' to z"): (z - (1 - gate) * m) / gate,
            Mistake("squashed by tanh", "a share lies between 0 and 1: which function gives yours?"): s.tanh() * z
            + (1 - s.tanh()) * m,
            Mistake("nothing moved", "z is returned as it came"): z,
        }
        return diagnose(ask(0), right[0], mistakes, "take Z = 1 and s = 0: what must come?", what="z_next")

    def stretched() -> Mistake | None:
        gate, log_det = s.sigmoid(), right[1]
        each = gate.log()
        mistakes = {
            Mistake("sign turned", "a step that shrinks space has a determinant below 1: what sign has its logarithm?"): -log_det,
            Mistake("no logarithm", "this is the determinant itself"): gate.prod(1),
            Mistake("shares added", "a determinant is a product: what does its logarithm do with the diagonal?"): gate.sum(1),
            Mistake("not added up", "these are the terms of the units: one number a row is wanted"): each,
            Mistake("averaged", "you average over units: a determinant is a product over them"): each.mean(1),
            Mistake("rows added", "each row has a determinant of its own"): log_det.sum(),
            Mistake("rows averaged", "each row has a determinant of its own, you average them"): log_det.mean(),
            Mistake("other share", "this is the share of m: which share stands before z_i?"): (1 - gate).log().sum(1),
            Mistake("s taken for the logarithm", "the diagonal is not e to the s: what stands before z_i in (1)?"): s.sum(1),
            Mistake("slope of sigma", "you take the derivative by s: by which variable is it taken?"): (
                (gate * (1 - gate)).log().sum(1)
            ),
            Mistake("half", "no square root is taken of a determinant here"): log_det / 2,
            Mistake("bits", "the logarithm is to base 2: nats are wanted"): log_det / math.log(2),
            Mistake("determinant left out", "it is 0 for every row: does the step keep every volume?"): 0 * log_det,
        }
        hint = "take Z = 2, write out the matrix: what are the entries of its diagonal?"
        return diagnose(ask(1), log_det, mistakes, hint, what="log_det")

    def density() -> Mistake | None:
        log_det = right[1]
        mistakes = {
            Mistake("stretch the wrong way", "where space shrinks, draws come closer together: does the density rise or fall?"): (
                log_q + log_det
            ),
            Mistake("density not changed", "the density is passed on as if space had kept its volume"): log_q,
            Mistake("density forgotten", "the density that came with z plays no part"): -log_det,
            Mistake("only the stretch", "this is log_det once more"): log_det,
            Mistake("density not a logarithm", "log_q is a logarithm already"): log_q.exp() - log_det,
            Mistake("stretch not a logarithm", "a density is divided by a determinant: what do their logarithms do?"): (
                log_q - log_det.exp()
            ),
            Mistake("divided", "a density is divided, its logarithm is not"): log_q / log_det,
            Mistake("prior for q", "this is the density of a standard normal: z came from q, with log_q"): (
                Normal(0, 1).log_prob(z).sum(1) - log_det
            ),
            Mistake("images averaged", "each draw has a density of its own"): (log_q - log_det).mean(),
        }
        hint = "the probability in a small box stays what it was: how large is the box afterwards?"
        return diagnose(ask(2), log_q - log_det, mistakes, hint, what="log_q_next")

    def extreme() -> Mistake | None:
        if moved() or stretched() or density():
            return Mistake("not yet", "judged once all three are right for ordinary s")
        far = torch.tensor([[1000.0, -1000.0], [0.5, -60.0], [30.0, 1000.0]])
        near, mean, before = torch.tensor([[1.0, 2.0]] * 3), torch.tensor([[5.0, -3.0]] * 3), torch.tensor([-4.0, -2.0, 0.0])
        wide = far.double()
        log_det = (wide.clamp(max=0) - torch.log1p((-wide.abs()).exp())).sum(1)
        want = torch.tensor([[1.0, -3.0], [5 - 4 / (1 + math.exp(-0.5)), -3.0], [1.0, 2.0]])
        got = handle.call({"z": near, "log_q": before, "m": mean, "s": far})
        z_next, det, after = parts(got, "z_next", "log_det", "log_q_next")
        logs = tensor(det, (3,), "log_det")
        if not torch.isfinite(logs).all():
            return Mistake("logarithm of 0", "sigma(-1000) is 0 to the computer: can one do without taking its logarithm?")
        if (logs.double() > log_det + 1).any():
            return Mistake("clamped", "a step that all but forgets z costs too little: something is clamped or added")
        return (
            diagnose(z_next, want, {}, "z_next is wrong for large s", what="z_next")
            or diagnose(logs, log_det, {}, "right for small s, wrong for large ones", what="log_det")
            or diagnose(after, before - log_det, {}, "log_q_next is wrong for large s", what="log_q_next")
        )

    return [
        judge("z is moved as (1) says", 1, moved),
        judge("log_det is that of the whole matrix of derivatives", 1, stretched),
        judge("log_q_next is the density where z has come to", 1, density),
        judge("all stay right for s of 1000 and -1000, in float32", 1, extreme),
    ]


QUESTIONS = {"09.1": iaf_step, "09.2": merge, "09.3": which_collapse}
