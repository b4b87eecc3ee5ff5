"""What a network costs: parameters, multiply-adds of a forward pass, and the bytes that the backward pass needs of it.

    convolution, linear map:  multiply-adds = outputs * inputs of each output                               (1)
    a forward pass:  FLOPs = 2 * multiply-adds  (a multiplication and an addition)                          (2)
    with the backward pass:  3 times (1), less the slope in the input of the first layer, if nobody asks for it     (3)
    activations = bytes that autograd keeps for the backward pass, parameters not counted, copies of them are

(3): backward makes two products of the size of (1), the slope in the weights and the slope in the inputs. All of it depends on
shapes alone, so that it can be counted on the `meta` device, whose tensors have shapes and no memory, for any size of image:

    with torch.device("meta"):
        network, x = Network(), torch.empty(1, 3, 1024, 1024)
    cost(network, x)

Source:   (1) to (3) are counted from the definitions of the layers; (4) from what torch keeps.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.conv import _ConvTransposeNd


class Cost(NamedTuple):
    """Of one forward pass, by the layers that had a part in it."""

    parameters: int
    multiply_adds: int
    activations: int  # bytes


@torch.enable_grad()
def cost(network: nn.Module, *inputs) -> Cost:
    """Count a forward pass of `network(*inputs)`, on any device: parameters of the layers in use, (1) and (4).

    A layer is a module without modules in it. It is counted by (1) where it has a `weight` of two or more axes, that is in linear
    maps and convolutions, transposed ones too, in which each input goes to that many outputs. A table of vectors, `nn.Embedding`,
    multiplies nothing. Recurrent layers and attention, whose weights have other names, are not counted.
    """
    owned: dict[int, int] = {}
    kept: dict[int, int] = {}
    multiply_adds = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal multiply_adds
        owned.update({id(w): w.numel() for w in layer.parameters()})
        weight = getattr(layer, "weight", None)
        if weight is not None and weight.dim() >= 2 and not isinstance(layer, nn.Embedding):
            places = given[0] if isinstance(layer, _ConvTransposeNd) else out
            multiply_adds += places.numel() * math.prod(weight.shape[1:])  # eq. (1)

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage()._cdata] = x.untyped_storage().nbytes()  # two views of one memory are kept once
        return x

    layers = [m for m in network.modules() if not list(m.children())]
    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        with saved_tensors_hooks(keep, lambda x: x):
            graph = network(*inputs)  # named, so that what it keeps stays alive while it is counted
    finally:
        for handle in handles:
            handle.remove()
    for w in network.parameters():
        kept.pop(w.untyped_storage()._cdata, None)
    del graph
    return Cost(sum(owned.values()), multiply_adds, sum(kept.values()))  # eq. (4)
