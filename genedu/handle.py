"""A handle on a student's code: all that a check may do with it.

A check sends tensors, numbers, strings and tuples of them, and gets the like back. It never sees source, type or
identity, so that the same check can judge code that runs in this process (`LocalHandle`) or in another one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from genedu.core import seeded

Value = Tensor | float | int | str | bool | tuple["Value", ...]


class CallFailed(Exception):  # noqa: N818
    """The student's code raised, or returned what is no `Value`. Says so to the student; `mistake` is what is counted."""

    def __init__(self, hint: str, mistake: str = "") -> None:
        super().__init__(hint)
        self.mistake = mistake


@dataclass(frozen=True)
class Fixture:
    """An argument that the other side builds by name: a network or a function, which cannot travel as numbers."""

    name: str
    arguments: dict[str, Value] = field(default_factory=dict)


def linear(weight: Tensor, bias: Tensor, old: float | None = None) -> nn.Module:
    """x [B, I] -> x W' + b [B, O], with W [O, I]; each `.grad` holds `old`, as if an earlier step had left it there."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype, device=weight.device)
    layer.load_state_dict({"weight": weight, "bias": bias})
    for parameter in layer.parameters():
        parameter.grad = None if old is None else torch.full_like(parameter, old)
    return layer


def stack(layers: Sequence[Any], deviation: float, seed: int) -> nn.Sequential:
    """torch.nn's layers one after the other, each ("its name", *arguments), or ("Sequential", *layers) for a block of them.

    Weights of linear maps and convolutions are drawn from N(0, deviation^2), their biases are 0. "Upsample" doubles.
    """
    made, chance, before = nn.Sequential(), torch.Generator().manual_seed(seed), torch.get_rng_state()
    for i, (name, *arguments) in enumerate(layers):
        if name == "Sequential":
            made.append(stack(arguments, deviation, seed + 1 + i))
        elif name == "Upsample":
            made.append(nn.Upsample(scale_factor=2))
        else:
            made.append(getattr(nn, name)(*(tuple(a) if isinstance(a, list) else a for a in arguments)))
        if isinstance(layer := made[-1], nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=deviation, generator=chance)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    torch.set_rng_state(before)  # torch's own start of the layers has drawn
    return made


# Those of a chapter belong here: the other side sees this file.
FIXTURES: dict[str, Callable[..., Any]] = {"linear": linear, "stack": stack}
Argument = Value | Fixture


class Handle(Protocol):
    """All that a check may do. Arguments are passed in the order of the dict; their names serve `of` only."""

    seed: int  # what the check draws its cases from: a grader gives another one than the student's

    def call(self, arguments: dict[str, Argument], *, method: str = "", seed: int = 0) -> Value:
        """Call the function, or the object's `method`. The object keeps what it remembers for the next call."""

    def gradient(
        self, arguments: dict[str, Argument], *, of: Sequence[str], method: str = "", seed: int = 0
    ) -> dict[str, Tensor | None]:
        """Gradient of the sum of all numbers in the result; None where none arrives. `of` names inputs, weights of the
        module behind the handle ("weight") or of a module that is an argument ("critic.weight")."""

    def build(self, arguments: dict[str, Argument], *, seed: int = 0) -> "Handle":
        """A handle on the object that the call returns: a module, a sampler with a state."""

    def load(self, weights: dict[str, Tensor]) -> None:
        """Load weights into the module behind the handle."""

    def weights(self) -> dict[str, Tensor]:
        """The weights of the module behind the handle, by name."""


class LocalHandle:
    """A handle on a function, class or object of this process. Inputs are copies: student code cannot change the judge's."""

    def __init__(self, target: Any, *, seed: int = 0) -> None:
        self.target, self.seed = target, seed

    def call(self, arguments: dict[str, Argument], *, method: str = "", seed: int = 0) -> Value:
        return plain(self._run(arguments, (), method, seed)[0])

    def gradient(
        self, arguments: dict[str, Argument], *, of: Sequence[str], method: str = "", seed: int = 0
    ) -> dict[str, Tensor | None]:
        value, known = self._run(arguments, of, method, seed)
        plain(value)
        with torch.enable_grad():
            ends = [t.sum() for t in tensors(value) if t.requires_grad]
        asked = [name for name in of if known[name].requires_grad]  # a frozen weight has no gradient
        found: dict[str, Tensor | None] = dict.fromkeys(of)
        if ends and asked:
            try:
                slopes = torch.autograd.grad(ends, [known[name] for name in asked], allow_unused=True)
            except Exception as error:
                raise CallFailed(f"the gradient cannot be computed: {words(error)}", "no gradient") from error
            found |= {name: None if s is None else s.clone() for name, s in zip(asked, slopes, strict=True)}
        return found

    def build(self, arguments: dict[str, Argument], *, seed: int = 0) -> "LocalHandle":
        made = self._run(arguments, (), "", seed)[0]
        if made is None:
            raise CallFailed("it must give an object, it returns None", "wrong type")
        return LocalHandle(made, seed=self.seed)

    def load(self, weights: dict[str, Tensor]) -> None:
        have, want = ({k: list(v.shape) for k, v in w.items()} for w in (self.weights(), weights))
        if have != want:
            raise CallFailed(f"its weights must be {want}, they are {have}", "wrong weights")
        with students_code():
            self.target.load_state_dict({k: v.clone() for k, v in weights.items()})

    def weights(self) -> dict[str, Tensor]:
        if not isinstance(self.target, nn.Module):
            raise CallFailed(f"it must be a torch.nn.Module, it is of type {type(self.target).__name__}", "wrong type")
        with students_code():
            state = dict(self.target.state_dict())
        return {k: plain(v) for k, v in state.items() if isinstance(v, Tensor)}  # type: ignore[misc]

    def _run(self, arguments: dict[str, Argument], of: Sequence[str], method: str, seed: int) -> tuple[Any, dict[str, Any]]:
        inputs = {name: own(value) for name, value in arguments.items()}
        known = named_weights(self.target) | inputs
        known |= {f"{name}.{k}": p for name, value in inputs.items() for k, p in named_weights(value).items()}
        for name in of:
            if name not in known and name.split(".")[0] not in inputs:
                raise CallFailed(f"it has no weight {name!r}; it has {list(named_weights(self.target))}", "wrong weights")
            if not isinstance(known.get(name), Tensor) or not known[name].is_floating_point():
                raise ValueError(f"of must name tensors of real numbers, got {name!r}; there are {list(known)}")
            if name in inputs:
                inputs[name].requires_grad_()
        with students_code(seed):
            target = getattr(self.target, method) if method else self.target
            return target(*inputs.values()), known


@contextmanager
def students_code(seed: int = 0) -> Iterator[None]:
    """Student code runs in here: with its own chance, with gradients on; whatever it raises comes out as a CallFailed."""
    try:
        with seeded(seed), torch.enable_grad():
            yield
    except KeyboardInterrupt:  # the reader's own, to stop an endless loop
        raise
    except NotImplementedError as error:
        raise CallFailed("it is still to be written", "not written") from error
    except BaseException as error:
        raise CallFailed(f"it raises {words(error)}", "exits" if isinstance(error, SystemExit) else "raises") from error


def words(error: BaseException) -> str:
    """Kind and message of an exception in one line; its author may have spoiled even the message."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    except Exception:
        return type(error).__name__


def named_weights(target: Any) -> dict[str, Any]:
    """The weights of a module by name; nothing for what is no module."""
    if not isinstance(target, nn.Module):
        return {}
    with students_code():
        return dict(target.named_parameters())


def own(value: Argument) -> Any:
    """A copy of an argument; a fixture is built (ValueError if none of this name is registered)."""
    if isinstance(value, Fixture) and value.name not in FIXTURES:
        raise ValueError(f"there is no fixture {value.name!r}; there are {sorted(FIXTURES)}")
    if isinstance(value, Fixture):
        return FIXTURES[value.name](**{k: own(v) for k, v in value.arguments.items()})
    if isinstance(value, tuple):
        return tuple(own(v) for v in value)
    return value.detach().clone() if isinstance(value, Tensor) else value


def tensors(value: Any) -> list[Tensor]:
    """All tensors in nested tuples and lists."""
    if isinstance(value, tuple | list):
        return [t for v in value for t in tensors(v)]
    return [value] if isinstance(value, Tensor) else []


def plain(value: Any, depth: int = 0) -> Value:
    """A result as a check may see it: a copy, cut from its graph, of just the types of `Value`; lists become tuples.

    Raises:
        CallFailed: it is not made of real, dense CPU tensors, numbers and strings.
    """
    kind = type(value)
    if issubclass(kind, tuple | list) and depth < 8:
        return tuple(plain(v, depth + 1) for v in value)
    if kind in (Tensor, nn.Parameter):
        dense = value.layout == torch.strided and not (value.is_nested or value.is_quantized)
        if value.is_complex() or not dense or value.device.type != "cpu":
            came = f"{value.dtype}{'' if dense else ', not dense,'} on {value.device}"
            raise CallFailed(f"it must return real numbers on the CPU, it returns {came}", "wrong type")
        return value.detach().clone()
    for exact, read in ((bool, bool), (int, int.__int__), (float, float.__float__), (str, str.__str__)):
        if issubclass(kind, exact):  # numpy's float64 is a float
            return read(value)
    raise CallFailed(f"it must return a tensor or a number, it returns {kind.__name__}", "wrong type")
