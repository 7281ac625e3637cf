"""Random convolution kernels, drawn as in ROCKET (Dempster et al. 2020, arXiv 1910.13051, section 3.1).

C channels, L rows of a window. Lengths are 7, 9 or 11, weights normal and less their mean on each channel, biases
uniform in [−1, 1], dilations 2^x with x in [0, log2((L − 1) / (length − 1))], half of the kernels padded so that their
middles reach the ends; a kernel reads 2^x channels, x in [0, log2(min(C, length) + 1)). Dilations are taken from
a few values on a log scale, each as often as the others, so that one convolution serves many kernels.
"""

import math

import torch
from torch import Tensor

from mtl.results.simple import KernelFeatures, KernelGroup
from mtl.seeding import generator

LENGTHS = (7, 9, 11)
DILATIONS = 6
"""Different dilations of a length, at most."""


def kernel_groups(count: int, shape: tuple[int, int]) -> list[KernelGroup]:
    """Forms of kernels for windows of a shape (C, L), each with the number of kernels that have it."""
    _, rows = shape
    sizes: dict[tuple[int, int, int], int] = {}
    forms = [(length, dilation) for length in dict.fromkeys(min(length, rows) for length in LENGTHS)
             for dilation in _dilations(length, rows)]  # fmt: skip
    for number in range(count):
        length, dilation = forms[number % len(forms)]
        padded = (number // len(forms)) % 2 == 0
        padding = (length - 1) * dilation // 2 if padded else 0
        sizes[length, dilation, padding] = sizes.get((length, dilation, padding), 0) + 1
    return [
        KernelGroup(length=length, dilation=dilation, padding=padding, count=size)
        for (length, dilation, padding), size in sizes.items()
    ]


def draw_kernels(count: int, shape: tuple[int, int], *parts: object) -> tuple[KernelFeatures, dict[str, Tensor]]:
    """Kernels for windows of a shape, with their numbers by name.

    Args:
        count: number of kernels.
        shape: (C, L).
        parts: what the draw is seeded by.
    """
    channels, _ = shape
    drawer = generator("kernels", count, *shape, *parts)
    groups, arrays = kernel_groups(count, shape), {}
    for number, group in enumerate(groups):
        length, size = group.length, group.count
        weight = torch.randn(size, channels, length, generator=drawer)
        weight -= weight.mean(dim=2, keepdim=True)
        exponent = torch.rand(size, generator=drawer) * math.log2(min(channels, length) + 1)
        read = exponent.exp2().floor().long().clamp(max=channels)
        order = torch.rand(size, channels, generator=drawer).argsort(dim=1).argsort(dim=1)
        weight *= (order < read[:, None])[..., None]
        arrays[f"weight_{number}"] = weight
        arrays[f"bias_{number}"] = 2 * torch.rand(size, generator=drawer) - 1
    return KernelFeatures(groups=groups), arrays


def _dilations(length: int, rows: int) -> list[int]:
    """Different dilations with which a kernel of a length fits into a window, on a log scale."""
    if length == 1:
        return [1]
    most = math.log2((rows - 1) / (length - 1))
    steps = [most * number / (DILATIONS - 1) for number in range(DILATIONS)]
    return list(dict.fromkeys(int(2**step + 1e-9) for step in steps))
