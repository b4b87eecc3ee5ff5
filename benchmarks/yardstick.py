"""How fast is this machine, in one figure: CPU seconds of 1000 plain-Adam steps of a small network.

A 64-256-256-64 ReLU net, one batch of 64, mean square loss, one thread. Budgets of this course are stated in CPU
seconds of a quiet core on which this takes 0.82 s; multiply them by (what you measure) / 0.82.
"""

import time

import torch
from torch import nn

REFERENCE = 0.82  # CPU seconds on the core that budgets are stated for


def yardstick() -> float:
    """CPU seconds of this process for the 1000 steps."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64))
    x, y = torch.randn(64, 64), torch.randn(64, 64)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    start = time.process_time()
    for _ in range(1000):
        loss = (net(x) - y).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return time.process_time() - start


def headline(repeats: int = 3) -> tuple[float, str]:
    """The smallest of some repeats (other work only adds), and the line that goes above every table."""
    seconds = min(yardstick() for _ in range(repeats))
    return seconds, f"yardstick {seconds:.2f} s of CPU ({seconds / REFERENCE:.2f} x the core that budgets are stated for)"


if __name__ == "__main__":
    print(headline()[1])
