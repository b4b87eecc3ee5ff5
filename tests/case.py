"""One line of the table of models (`tests/models.py`): how to build it, a batch, and from which law it is exempt and why."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from genedu.core import Batch


@dataclass(frozen=True)
class Case:
    build: Callable[[], nn.Module]  # a model that is ready to use; fitted, where it needs data
    batch: Batch
    levels: int = 0  # 0: continuous; else the number of values of each element of x
    # The discriminator's loss where its logits are a gain times the right ones, and what it is at gain 0 (`laws.check_verdicts`).
    verdict: Callable[[nn.Module, Batch, float], Tensor] | None = None
    at_zero: float = 0.0
    exempt: dict[str, str] = field(default_factory=dict)  # law -> reason
    no_meta: dict[str, str] = field(default_factory=dict)  # method -> why its control flow depends on values

    @property
    def x(self) -> Tensor:
        return self.batch[0] if isinstance(self.batch, tuple) else self.batch
