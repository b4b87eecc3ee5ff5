"""make_digit_net.py: trains the classifier of `genedu.metrics.digit_net` and stores its weights. Prints their SHA-256.

It sees the stratified training part of the digits, each row moved by -1, 0 or 1 pixel down and across at every visit. Rounds
and rates were chosen by the validation part; the test part chose nothing and only says how good it is. Seed 0, one
thread. Another machine may round otherwise and so get another hash: the stored file stands, not the recipe.
"""

import io
import math
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils import parameters_to_vector

from genedu.core import Player, seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.metrics.digit_features import WEIGHTS, DigitNet
from genedu.nn import moving_average


def moved(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Each image [1, 8, 8] by at most one pixel, black where nothing was."""
    x, y = batch
    wide = pad(x, (1, 1, 1, 1))  # [B, 1, 10, 10]
    windows = wide.unfold(2, 8, 1).unfold(3, 8, 1)  # [B, 1, 3, 3, 8, 8]
    rows = torch.arange(len(x))
    return windows[rows, :, torch.randint(3, (len(x),)), torch.randint(3, (len(x),))], y  # [B, 1, 8, 8]


def trained(rounds: int = 3000, lr: float = 2e-3, smoothing: float = 0.05, seed: int = 0) -> DigitNet:
    data = digits("unit")
    with seeded(seed):
        net = DigitNet()
    average = moving_average(net, 0.998)
    player = Player(
        "classifier",
        list(net.parameters()),
        lambda batch: cross_entropy(net(batch[0]), batch[1], label_smoothing=smoothing),
        after_step=lambda: average.update_parameters(net),
    )
    fit(
        net,
        (data.train, data.train_labels),
        players=[player],
        augment=moved,
        rounds=rounds,
        batch_size=128,
        lr=lr,
        schedule=lambda t: (1 + math.cos(math.pi * t)) / 2,
        seed=seed,
    )
    return average.module


def accuracy(net: DigitNet, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return (net(x).argmax(1) == y).double().mean().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    net, data = trained(), digits("unit")
    file = io.BytesIO()
    np.save(file, parameters_to_vector(net.parameters()).detach().numpy())
    WEIGHTS.write_bytes(file.getvalue())
    print(f"{WEIGHTS.name}: {len(file.getvalue())} bytes, SHA-256 {sha256(file.getvalue()).hexdigest()}")
    for part in ("train", "validation", "test"):
        print(f"{part}: {accuracy(net, getattr(data, part), getattr(data, f'{part}_labels')):.4f}")
