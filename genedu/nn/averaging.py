"""Moving average of weights: the mean over the last part of training, which the weights themselves only circle around.

    w_avg <- decay w_avg + (1 - decay) w   after each step, from w_avg = w at the first one                 (1)

The players of a game do not come to rest; their average does sooner. It looks back over about 1 / (1 - decay) steps.

Source:   Y. Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019, eq. 6.
"""

from collections.abc import Callable
from functools import partial

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(module: nn.Module, decay: float) -> AveragedModel:
    """A copy of `module` that trains nothing; its `update_parameters(module)` is (1), of buffers too (batch norm has some).

    Raises:
        ValueError: decay not in (0, 1).
    """
    if not 0 < decay < 1:
        raise ValueError(f"the decay of an average must lie between 0 and 1, got {decay}: 0.999 looks back over 1000 steps")
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # eq. (1)
    return averaged.requires_grad_(False)


def follow(averaged: AveragedModel | None, module: nn.Module) -> Callable[[], None] | None:
    """What a player does after its step: (1), or nothing where there is no average."""
    return None if averaged is None else partial(averaged.update_parameters, module)
