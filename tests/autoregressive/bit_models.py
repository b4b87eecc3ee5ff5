"""What holds for NADE, MADE and DeepNADE alike: which types bits may have, and that no draw knows of dropout."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genedu.core import seeded


def assert_bytes_are_refused(model: nn.Module, x: Tensor, other: Callable[[Tensor], Tensor]) -> None:
    """In a byte 2 x - 1 is 255 where x is 0. Types with a sign are as good as long. `other`: one more method that takes bits."""
    for kind in (torch.int8, torch.int16, torch.int32):
        assert torch.equal(model.log_prob(x.to(kind)), model.log_prob(x))
    for call in (model.log_prob, model.loss, other):
        with pytest.raises(ValueError, match=r"with a sign.*uint8: use x.long"):
            call(x.byte())


def assert_draws_know_no_dropout(model: nn.Module, x: Tensor) -> None:
    """Bits are the same in train and eval mode, which stays what it was, also after an error."""
    known = torch.tensor([False, False, False, True, False])
    for draw in (lambda: model.sample(200), lambda: model.complete(x, known)):
        drawn = []
        for mode in (False, True):
            model.train(mode)
            with seeded(4):
                drawn.append(draw())
            assert model.training == mode
        assert torch.equal(*drawn)
    with pytest.raises(ValueError, match="temperature"):
        model.train().sample(2, temperature=0)
    assert model.training
