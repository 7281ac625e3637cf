"""Windows to patches, and the sinusoidal position encoding (Vaswani et al. 2017, section 3.5).

L rows, P rows of a patch, N = floor(L / P) patches, D width.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.checks import bad


def count_patches(input_len: int, patch_len: int) -> int:
    """N; raises UserError when not even one patch fits."""
    if input_len < patch_len:
        raise bad("input_len", f"hold at least one patch (`encoder.patch_len` is {patch_len})", input_len)
    return input_len // patch_len


def patchify(x: Float[Tensor, "*S L"], patch_len: int) -> Float[Tensor, "*S N P"]:
    """Patches that do not overlap, oldest first; rows that fill no patch are cut at the old end."""
    n = count_patches(x.shape[-1], patch_len)
    return torch.unflatten(x[..., x.shape[-1] - n * patch_len :], -1, (n, patch_len))


def sinusoid(positions: Float[Tensor, " N"], width: int) -> Float[Tensor, "N {width}"]:
    """Sine in even and cosine in odd columns, wavelengths from 2π to 20000π."""
    frequency = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10000.0) / width))
    angle = positions.unsqueeze(-1) * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def position_encoding(n: int, like: Float[Tensor, "*S D"]) -> Float[Tensor, "{n} D"]:
    """Encoding of positions 0…n−1, width and device as `like`'s."""
    return sinusoid(torch.arange(n, device=like.device, dtype=like.dtype), like.shape[-1])
