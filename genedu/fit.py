"""The one training loop: rounds of a game in which each player in turn descends its own loss.

Order of draws, fixed so that a loop written by hand gives the same numbers. All players share one stream of
minibatches: `torch.randperm(n)` on the CPU for each pass, cut by `batch_size`, the remainder dropped (unless
n < batch_size). For each move: the next minibatch, if the player uses data; then what `augment` draws; then what
the loss draws. `watch` and `callback` may draw as they like: they do not disturb the run.
"""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import trange

from genedu.core import Batch, Player, seeded

RESIDENT_BYTES = 256 * 2**20  # smaller data lie on the model's device from the start


@dataclass
class History:
    """What happened: a loss for each move of each player, a value a round for each thing watched."""

    losses: dict[str, list[float]] = field(default_factory=dict)
    watched: dict[str, list[float]] = field(default_factory=dict)


def Adam(parameters: list[nn.Parameter], **options) -> torch.optim.Adam:  # noqa: N802 (stands where a class stands)
    """torch's Adam, fused where device and dtype allow: three times as fast on small nets on a CPU."""
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda", "mps") for p in parameters)
    return torch.optim.Adam(parameters, **{"fused": fused, **options})


class Minibatches:
    """The stream of minibatches, for ever. Its place is the random state that began the pass, and how many were taken."""

    def __init__(self, data: Batch | DataLoader, batch_size: int, device: torch.device) -> None:
        self.data, self.batch_size, self.device = data, batch_size, device
        self.start, self.taken = torch.get_rng_state(), 0
        self.one_pass: Iterator[Batch] = iter(())
        if not isinstance(data, DataLoader):
            columns = data if isinstance(data, tuple) else (data,)
            lengths = [len(c) for c in columns]
            if not lengths or lengths[0] == 0 or set(lengths) != {lengths[0]}:
                raise ValueError(f"data must be columns of one length, at least 1; got lengths {lengths}")
            if batch_size < 1:
                raise ValueError(f"batch_size must be at least 1, got {batch_size}")
            if sum(c.nbytes for c in columns) < RESIDENT_BYTES:
                columns = tuple(c.to(device) for c in columns)
            self.data = columns if isinstance(data, tuple) else columns[0]

    def _pass(self) -> Iterator[Batch]:
        if isinstance(self.data, DataLoader):
            yield from (tuple(b) if isinstance(b, list) else b for b in self.data)
            return
        n = len(self.data[0] if isinstance(self.data, tuple) else self.data)
        size = min(self.batch_size, n)
        order = torch.randperm(n)  # always on the CPU: one seed, one order, whatever the device
        for rows in order[: n - n % size].split(size):
            yield each(self.data, partial(take, rows))

    def __next__(self) -> Batch:
        batch = next(self.one_pass, None)
        if batch is None:
            self.start, self.taken, self.one_pass = torch.get_rng_state(), 0, self._pass()
            batch = next(self.one_pass, None)
            if batch is None:
                raise ValueError("data gives no minibatch: it is empty, or a DataLoader that can be read once only")
        self.taken += 1
        return each(batch, lambda column: column.to(self.device))

    def go_to(self, start: Tensor, taken: int) -> None:
        torch.set_rng_state(start)
        self.start, self.taken, self.one_pass = start, taken, self._pass()
        for _ in range(taken):
            next(self.one_pass)


def take(rows: Tensor, column: Tensor) -> Tensor:
    return column[rows.to(column.device)]


def each(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    return tuple(change(column) for column in batch) if isinstance(batch, tuple) else change(batch)


def fit(
    model: nn.Module,
    data: Batch | DataLoader,
    *,
    rounds: int = 2000,
    batch_size: int = 128,
    lr: float | dict[str, float] = 1e-3,
    optimizer: Callable[..., torch.optim.Optimizer] = Adam,
    schedule: Callable[[float], float] | None = None,
    augment: Callable[[Batch], Batch] | None = None,
    players: list[Player] | None = None,
    watch: dict[str, Callable[..., Tensor | float]] | None = None,
    callback: Callable[[int, History], None] | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int = 500,
    seed: int = 0,
    progress: bool | None = None,
) -> History:
    """Train `model` in place: in each of `rounds` rounds its players move in turn. Leaves it in eval mode.

    Args:
        data: rows `[n, ...]`, a tuple of columns in the order (x, lengths, y), or a DataLoader.
        lr: one learning rate, or one for each player's name.
        schedule: factor on `lr` as a function of round / rounds, from 0 up to (not including) 1.
        players: who moves; by default all of `model.players()`. Fewer freeze the rest.
        watch: values to record after each round, on its last minibatch (None if none was used), without gradient.
        callback: called as `callback(round, history)` after each round; plots live here.
        checkpoint: file written every `checkpoint_every` rounds and at the end; continued if it exists.
        progress: show a bar; by default unless GENEDU_PROGRESS=0.

    Raises:
        FloatingPointError: a loss is not finite; says whose, when, and what to try.
        ValueError: empty data, unknown player in `lr`, a checkpoint of another run.
    """
    device = next(model.parameters()).device
    players, watch = list(players or model.players()), watch or {}  # type: ignore[operator]
    names = [p.name for p in players]
    rates = lr if isinstance(lr, dict) else dict.fromkeys(names, lr)
    if set(rates) != set(names):
        raise ValueError(f"lr must name each player once: {names}; got {list(rates)}")
    moved = {p.name: [w for w in p.parameters if w.requires_grad] for p in players}
    trainable = {id(w) for w in model.parameters() if w.requires_grad}
    # Who moves all there is needs no list of inputs, which costs a tenth of a small step.
    inputs = {name: None if trainable <= set(map(id, moved[name])) else moved[name] for name in names}
    optimizers = {p.name: optimizer(moved[p.name], lr=rates[p.name]) for p in players}
    history = History({name: [] for name in names}, {name: [] for name in watch})
    progress = os.environ.get("GENEDU_PROGRESS") != "0" if progress is None else progress
    run = {"seed": seed, "batch_size": batch_size, "players": names}

    with seeded(seed):
        batches, first, batch = Minibatches(data, batch_size, device), 0, None
        if checkpoint is not None and Path(checkpoint).exists():
            first = load(checkpoint, run, model, optimizers, history, batches)
        model.train()
        for round_ in (bar := trange(first, rounds, initial=first, total=rounds, disable=not progress)):
            for player in players:
                rate = rates[player.name] * (schedule(round_ / rounds) if schedule else 1.0)
                for group in optimizers[player.name].param_groups:
                    group["lr"] = rate
                for _ in range(player.steps):
                    move = None
                    if player.uses_data:
                        move = batch = augment(next(batches)) if augment else next(batches)
                    loss = player.loss(move)
                    number = loss.item()
                    if not math.isfinite(number):
                        raise FloatingPointError(
                            f"the loss of player {player.name!r} is {number} in round {round_}: try a learning rate "
                            f"below {rate:g}, or look for log(0) and division by 0 in its loss"
                        )
                    optimizers[player.name].zero_grad()
                    loss.backward(inputs=inputs[player.name])  # leaves the other players' gradients alone
                    optimizers[player.name].step()
                    if player.after_step is not None:
                        player.after_step()
                    history.losses[player.name].append(number)
            if watch or callback:
                with torch.random.fork_rng(), torch.no_grad():
                    for name, value in watch.items():
                        history.watched[name].append(float(value(batch)))
                    if callback is not None:
                        callback(round_, history)
                model.train()
            if progress:
                bar.set_postfix({name: f"{values[-1]:.3f}" for name, values in history.losses.items()})
            if checkpoint is not None and ((round_ + 1) % checkpoint_every == 0 or round_ + 1 == rounds):
                save(checkpoint, run, round_ + 1, model, optimizers, history, batches)
    model.eval()
    return history


def save(path, run, done, model, optimizers, history, batches) -> None:
    """Everything that the rest of the run depends on, in one file that is either the old one or the new one."""
    state = {
        "run": run,
        "done": done,
        "model": model.state_dict(),
        "optimizers": {name: o.state_dict() for name, o in optimizers.items()},
        "history": asdict(history),
        "place": (batches.start, batches.taken),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    half = Path(f"{path}.part")
    torch.save(state, half)
    os.replace(half, path)  # atomic: a kill leaves no half-written checkpoint


def load(path, run, model, optimizers, history, batches) -> int:
    """Put everything back and return the number of rounds done."""
    device = next(model.parameters()).device
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["run"] != run:
        raise ValueError(f"{path} is a checkpoint of {state['run']}, this run is {run}: give another path or remove it")
    model.to(device).load_state_dict(state["model"])
    for name, o in optimizers.items():
        o.load_state_dict(state["optimizers"][name])
    history.losses, history.watched = state["history"]["losses"], state["history"]["watched"]
    batches.go_to(*state["place"])
    torch.set_rng_state(state["random"])  # last: going to the place in the pass has drawn
    for i, random in enumerate(state["random_cuda"][: torch.cuda.device_count()]):  # it may go on where fewer GPUs are
        torch.cuda.set_rng_state(random, i)
    return state["done"]
