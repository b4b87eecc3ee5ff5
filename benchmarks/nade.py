"""NADE: the running sum against the sum written out, forward and with the gradient. Rows for benchmarks/README.md.

    python benchmarks/nade.py

D = 784 bits, H = 500 units, 100 rows, single precision, one thread, CPU seconds. The naive form takes `x[:, :i] @ W[:i]` for
each i and lets autograd find the gradient. Seven pairs, ours and the naive form in turn; medians, and the median of the ratios.
"""

import statistics
import time

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from yardstick import headline

from genedu.autoregressive import NADE

DIM, HIDDEN, ROWS, PAIRS = 784, 500, 100, 7


def naive(model: NADE, x: Tensor) -> Tensor:
    """log p by the sums as they stand: [B, D] -> [B]."""
    v, logits = x.float(), []
    for i in range(model.dim):
        h = torch.sigmoid(model.c + v[:, :i] @ model.W[:i])  # [B, H]
        logits.append(model.b[i] + h @ model.V[i])
    return logsigmoid((2 * v - 1) * torch.stack(logits, 1)).sum(1)


def taken(job) -> tuple[float, list[Tensor]]:
    start = time.process_time()
    out = job()
    return time.process_time() - start, out


def pairs(name: str, ours, theirs, must: int, aim: int) -> None:
    """Time both in turn; print a row."""
    ours(), theirs()  # the first call of each kernel costs more
    seconds, apart = [], 0.0
    for _ in range(PAIRS):
        (a, x), (b, y) = taken(ours), taken(theirs)
        seconds.append((a, b))
        apart = max(apart, *((u - v).norm().item() / v.norm().item() for u, v in zip(x, y, strict=True)))
    a, b = (statistics.median(s[k] for s in seconds) for k in (0, 1))
    ratios = sorted(b / a for a, b in seconds)
    spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    print(f"| {name} | {1000 * a:.0f} | {1000 * b:.0f} | {spread} | {must}; {aim} | {apart:.0e} |")


def main() -> None:
    torch.set_num_threads(1)
    print(headline()[1])
    torch.manual_seed(0)
    model, x = NADE(DIM, HIDDEN), torch.randint(2, (ROWS, DIM))
    parameters = list(model.parameters())

    def score(log_prob) -> list[Tensor]:
        with torch.no_grad():
            return [log_prob(x)]

    def gradient(log_prob) -> list[Tensor]:
        return list(torch.autograd.grad(-log_prob(x).mean(), parameters))

    print("\n| 784 bits, 500 units, 100 rows | running sum, ms | written out, ms | times faster | must; aim | apart, relative |")
    print("|---|---|---|---|---|---|")
    for name, job, must, aim in (("`log_prob`, no gradient", score, 10, 15), ("forward and backward", gradient, 3, 10)):
        pairs(name, lambda job=job: job(model.log_prob), lambda job=job: job(lambda x: naive(model, x)), must, aim)


if __name__ == "__main__":
    main()
