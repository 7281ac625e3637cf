"""Attention of S sequences of N tokens in H heads of width W (D = H·W); one mathematics, three ways of computing it.

Torch's fused CPU kernel handles one sequence and head at a time and never keeps the N×N weights. With few tokens its
overhead for each head outweighs that, above all in the backward pass, which computes the weights again: two batched
products with the weights kept are 1.5 to 2.5 times as fast. They are taken in training alone, since without a
backward pass the two are as fast, and up to `FEW_TOKENS`, where the weights of a token (N·H numbers) are no more than
a few times its activations. Heads of up to `NARROW` numbers, as published recipes have, go another way in training.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mtl.models.narrow_attention import NarrowAttention

NARROW = 4
FEW_TOKENS = 64
SCORES = 2**18
"""Weights computed at once: 1 MB stays in the cache, and larger blocks go back to the system after every use."""


def attend(qkv: Float[Tensor, "S N Q"], heads: int, causal: bool, dropout: float) -> Float[Tensor, "S N D"]:
    """Softmax attention of every token over its sequence; `causal`: over itself and the tokens before it.

    Args:
        qkv: [S, N, 3·D] queries, keys and values side by side, each with its heads side by side.
        heads: H.
        causal: whether later tokens are hidden.
        dropout: rate at which weights are dropped (0 outside training).
    """
    s, n, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // (3 * heads)
    ours = dropout == 0 and qkv.requires_grad and qkv.device.type == "cpu"
    if ours and width <= NARROW and (causal or n <= FEW_TOKENS):
        packed = qkv.view(s, n, 3, heads, width).permute(2, 4, 1, 0, 3).flatten(3)
        mixed: Tensor = NarrowAttention.apply(packed, causal)
        return mixed.view(width, n, s, heads).permute(2, 1, 3, 0).flatten(2)
    if ours and n <= FEW_TOKENS:
        parts = torch.split(qkv, max(1, SCORES // (heads * n * n)))
        return torch.cat([_kept_weights(part, heads, causal) for part in parts])
    q, k, v = torch.unflatten(qkv, -1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    # Dropping weights loses the fused kernel, so it happens only where it is asked for.
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal)
    return y.transpose(1, 2).flatten(-2)


def _kept_weights(qkv: Float[Tensor, "S N Q"], heads: int, causal: bool) -> Float[Tensor, "S N D"]:
    q, k, v = torch.unflatten(qkv, -1, (3, heads, -1)).permute(2, 0, 3, 1, 4).flatten(1, 2)
    n, width = q.shape[1:]
    # With beta = 0 the first argument is not read; the scale costs no pass of its own over the scores.
    hidden = q.new_full((n, n), -math.inf).triu(1) if causal else q.new_zeros(())
    scores = torch.baddbmm(hidden, q, k.transpose(1, 2), beta=float(causal), alpha=width**-0.5)
    y = torch.bmm(torch.softmax(scores, dim=-1), v)
    return torch.unflatten(y, 0, (-1, heads)).transpose(1, 2).flatten(-2)
