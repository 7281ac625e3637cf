"""Attention for heads of very few numbers, on a CPU: elementwise, one query at a time, sequences and heads innermost.

Products of matrices whose inner length is 2 or 4 leave most of the arithmetic unit idle. Here the G = S·H sequences
and heads lie side by side in memory, so every operation runs over long contiguous rows, the weights of one query
(N·G numbers) stay in the cache, and a causal query touches only the keys that it sees. W numbers a head, N tokens.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

SIDE_BY_SIDE = 2048
"""Sequences and heads at once: at 168 tokens the weights of a query take 1.4 MB."""


class NarrowAttention(torch.autograd.Function):
    """Softmax attention; the backward pass computes the weights again."""

    @staticmethod
    def forward(ctx: Any, qkv: Float[Tensor, "3 W N G"], causal: bool) -> Float[Tensor, "W N G"]:
        _, width, n, _ = qkv.shape
        ctx.causal = causal
        outputs = []
        for part in torch.split(qkv, SIDE_BY_SIDE, dim=-1):
            q, k, v = part[0] * width**-0.5, part[1].contiguous(), part[2].contiguous()
            y = torch.empty_like(k)
            product = torch.empty_like(k[0])
            for i in range(n):
                seen = i + 1 if causal else n
                weights = _weights(q, k, i, seen)
                for w in range(width):
                    torch.mul(weights, v[w, :seen], out=product[:seen])
                    torch.sum(product[:seen], dim=0, out=y[w, i])
            outputs.append(y)
        result = torch.cat(outputs, dim=-1)
        ctx.save_for_backward(qkv, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "W N G"]) -> tuple[Float[Tensor, "3 W N G"], None]:
        qkv, result = ctx.saved_tensors
        _, width, n, _ = qkv.shape
        parts = []
        for part, y, gy in zip(
            torch.split(qkv, SIDE_BY_SIDE, dim=-1),
            result.split(SIDE_BY_SIDE, dim=-1),
            torch.split(gradients[0], SIDE_BY_SIDE, dim=-1),
            strict=True,
        ):
            q, k, v = part[0] * width**-0.5, part[1].contiguous(), part[2].contiguous()
            gy = gy.contiguous()
            # The softmax takes from each weight's gradient their weighted mean, which is the output's with itself.
            mean = (gy * y).sum(dim=0)
            g = torch.zeros_like(part, memory_format=torch.contiguous_format)
            product = torch.empty_like(k[0])
            for i in range(n):
                seen = i + 1 if ctx.causal else n
                weights = _weights(q, k, i, seen)
                score = torch.addcmul(-mean[i], v[0, :seen], gy[0, i])
                for w in range(1, width):
                    score.addcmul_(v[w, :seen], gy[w, i])
                score.mul_(weights)
                for w in range(width):
                    torch.mul(score, k[w, :seen], out=product[:seen])
                    torch.sum(product[:seen], dim=0, out=g[0, w, i])
                    g[1, w, :seen].addcmul_(score, q[w, i])
                    g[2, w, :seen].addcmul_(weights, gy[w, i])
            g[0].mul_(width**-0.5)
            parts.append(g)
        return torch.cat(parts, dim=-1), None


def _weights(q: Float[Tensor, "W N G"], k: Float[Tensor, "W N G"], i: int, seen: int) -> Float[Tensor, "K G"]:
    """Weights of query `i` on the first `seen` keys; the queries are scaled."""
    scores = k[0, :seen] * q[0, i]
    for w in range(1, len(q)):
        scores.addcmul_(k[w, :seen], q[w, i])
    return torch.softmax(scores, dim=0)
