"""The table of models: how to build one, a batch, and from which law it is exempt and why. A model missing here fails a test."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from genedu.core import Batch, seeded
from genedu.density import GaussianClassifier, LogisticRegression, NaiveBayes


@dataclass(frozen=True)
class Case:
    build: Callable[[], nn.Module]  # a model that is ready to use; fitted, where it needs data
    batch: Batch
    levels: int = 0  # 0: continuous; else the number of values of each element of x
    exempt: dict[str, str] = field(default_factory=dict)  # law -> reason
    no_meta: dict[str, str] = field(default_factory=dict)  # method -> why its control flow depends on values

    @property
    def x(self) -> Tensor:
        return self.batch[0] if isinstance(self.batch, tuple) else self.batch


Y = torch.arange(60) % 3
with seeded(11):
    REAL = torch.randn(60, 2) * torch.tensor([1.0, 0.5]) + Y[:, None] * torch.tensor([1.5, -1.0])
    BITS = (torch.rand(60, 3) < 0.2 + 0.25 * Y[:, None]).long()
PAIR = (REAL[:40], Y[:40] % 2)

MODELS = {
    "lda": Case(lambda: GaussianClassifier().fit(REAL, Y), (REAL, Y)),
    "lda with ledoit-wolf": Case(lambda: GaussianClassifier(shrinkage="ledoit_wolf").fit(REAL, Y), (REAL, Y)),
    "qda": Case(lambda: GaussianClassifier(shared_covariance=False).fit(REAL, Y), (REAL, Y)),
    "naive bayes bernoulli": Case(lambda: NaiveBayes(kind="bernoulli").fit(BITS, Y), (BITS, Y), levels=2),
    "naive bayes gaussian": Case(lambda: NaiveBayes(kind="gaussian").fit(REAL, Y), (REAL, Y)),
    "logistic regression": Case(lambda: LogisticRegression(dim=2, classes=3), (REAL, Y)),
    "logistic regression, two classes": Case(lambda: LogisticRegression(dim=2, classes=2), PAIR),
    "logistic regression, fitted": Case(
        lambda: LogisticRegression().fit(REAL, Y), (REAL, Y), exempt={"players": "at its minimum"}
    ),
}
