"""An encoder of texts: embedded tokens, then the blocks of a Transformer (Vaswani et al. 2017, arXiv 1706.03762).

A place behind the end of a text is a vector of zeros, before the blocks and behind each of them: forms of sharing that
mix tensors between stages leave it that, so that every stage knows the places that are none. Such a place is hidden
from attention and counts in no mean, so that what a text gives depends neither on the padding nor on its batch.

B texts, N places of the longest, V codes, D width of a token.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl.config.text_encoder import TextEncoder
from mtl.data.inputs.vocabulary import PADDING
from mtl.data.inputs.words import first_of_words
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features

WAVELENGTHS = 10_000.0
"""Longest wave of places over the shortest."""


class Embedding(nn.Module):
    """A vector of each token plus sines and cosines of its place (Vaswani et al. 2017, section 3.5), which need no
    longest text."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.codes = codes
        self.tokens = nn.Embedding(codes, width)
        nn.init.normal_(self.tokens.weight, std=width**-0.5)
        self.scale = nn.Parameter(torch.tensor(width**-0.5))
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(WAVELENGTHS) / width))
        self.register_buffer("rates", rates, persistent=False)
        self.rates: Float[Tensor, " D2"]

    def forward(self, codes: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B N D"]:
        places = torch.arange(codes.shape[1], device=codes.device)[:, None] * self.rates
        waves = torch.cat([places.sin(), places.cos()], dim=1)
        tokens = self.tokens(codes.long().clamp(0, self.codes - 1)) + self.scale * waves
        return drop(tokens, rate) * (codes != PADDING)[..., None]


class Block(nn.Module):
    """Attention, then two linear layers, each normalised first and added to its input."""

    def __init__(self, width: int, heads: int, d_ff: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, d_ff), nn.Linear(d_ff, width)

    def forward(self, x: Float[Tensor, "B N D"], rate: float) -> Float[Tensor, "B N D"]:
        there = places_there(x)
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=there[:, None, None])
        x = x + drop(self.mixed(y.transpose(1, 2).flatten(2)), rate)
        x = x + drop(self.down(drop(F.gelu(self.up(self.second(x))), rate)), rate)
        return x * there[..., None]


def places_there(x: Float[Tensor, "B N D"]) -> Bool[Tensor, "B N"]:
    """Mask of the places that hold a token; the first is always among them."""
    there = (x != 0).any(dim=-1)
    first = torch.ones_like(there[:, :1])
    return torch.cat([first, there[:, 1:]], dim=1)


class TextTransformer(StagedEncoder):
    """The embedding, then the blocks; a text is one token of the features.

    Args:
        config: sizes and dropout.
        codes: V.
    """

    def __init__(self, config: TextEncoder, codes: int) -> None:
        super().__init__()
        self.width = config.width
        self.dropout = config.dropout
        self.pool = config.pool
        self.embedding = Embedding(codes, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.d_ff) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    @property
    def stages(self) -> tuple[str, ...]:
        """The embedding, then the blocks."""
        return ("embedding", *(f"blocks.{number}" for number in range(len(self.blocks))))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.width,) * (len(self.blocks) + 1)

    def begin(self, x: Float[Tensor, "B N"]) -> tuple[Float[Tensor, "B N"], Window]:
        return x, Window(tuple(x.shape), firsts=first_of_words(x))

    def stage(self, number: int, tensor: Float[Tensor, "B N *D"], rate: float) -> Float[Tensor, "B N D"]:
        if number == 0:
            return torch.as_tensor(self.embedding(tensor, rate))
        features: Tensor = self.blocks[number - 1](tensor, rate)
        return features

    def end(self, tensor: Float[Tensor, "B N D"], window: Window) -> Features:
        tokens = self.norm(tensor)
        if self.pool == "first":
            return Features(tokens[:, None, :1], places=tokens, firsts=window.firsts)
        there = places_there(tensor)[..., None]
        mean = (tokens * there).sum(dim=1) / there.sum(dim=1)
        return Features(mean[:, None, None], places=tokens, firsts=window.firsts)


__all__ = ["TextTransformer", "places_there"]
