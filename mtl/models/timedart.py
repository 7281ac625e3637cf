"""TimeDART's encoder (Wang et al., ICML 2025, arXiv 2410.05711): patches of each channel through one Transformer.

S = B·C sequences (channels are independent), N patches of P rows, D width. Blocks are post-norm with GELU, and a
final norm closes the stack. The position encoding is a fixed sinusoid and holds no weights.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config import TimeDartEncoder
from mtl.models.attention import attend
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.heads import PatchHead
from mtl.models.normalisation import normalise
from mtl.models.patching import count_patches, patchify, position_encoding


class Block(nn.Module):
    """Self-attention and feed-forward, each with a residual and a norm after it."""

    def __init__(self, config: TimeDartEncoder) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.heads
        self.attention_dropout = config.attention_dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.up = nn.Linear(width, config.d_ff)
        self.down = nn.Linear(config.d_ff, width)
        self.norm2 = nn.LayerNorm(width)

    def attend(self, x: Float[Tensor, "S N D"], causal: bool) -> Float[Tensor, "S N D"]:
        rate = self.attention_dropout if self.training else 0.0
        mixed: Tensor = self.out(attend(self.qkv(x), self.heads, causal, rate))
        return mixed

    def forward(self, x: Float[Tensor, "S N D"], causal: bool, rate: float) -> Float[Tensor, "S N D"]:
        x = self.norm1(x + drop(self.attend(x, causal), rate))
        tokens: Tensor = self.norm2(x + drop(self.down(drop(F.gelu(self.up(x)), rate)), rate))
        return tokens


class TimeDart(StagedEncoder):
    """Instance normalisation, patches, Transformer; in pretraining always causal."""

    def __init__(self, config: TimeDartEncoder) -> None:
        super().__init__()
        self.width = config.d_model
        self.classification = config.classification
        self.dropout = config.dropout
        self.patch_len = config.patch_len
        self.causal = config.attention == "causal"
        self.embedding = nn.Linear(config.patch_len, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model)

    def count_tokens(self, input_len: int) -> int:
        return count_patches(input_len, self.patch_len)

    def position_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> PatchHead:
        """A head that predicts `numbers` for each row of a window (C, L), of which patches take in all."""
        assert shape[1] % self.patch_len == 0, "the section of the encoder was checked against the task"
        return PatchHead(shape[0], self.width, self.patch_len, numbers, rate)

    def place(self, tokens: Float[Tensor, "S N D"], rate: float) -> Float[Tensor, "S N D"]:
        """Embedded patches with their positions added."""
        return drop(tokens + position_encoding(tokens.shape[1], tokens), rate)

    def mix(self, tokens: Float[Tensor, "S N D"], causal: bool, rate: float) -> Float[Tensor, "S N D"]:
        """Placed tokens through the Transformer."""
        for block in self.blocks:
            tokens = block(tokens, causal, rate)
        mixed: Tensor = self.norm(tokens)
        return mixed

    @property
    def stages(self) -> tuple[str, ...]:
        """The embedding with its positions, then the blocks."""
        return ("embedding", *(f"blocks.{number}" for number in range(len(self.blocks))))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.width,) * (len(self.blocks) + 1)

    def begin(self, x: Float[Tensor, "B C L"]) -> tuple[Float[Tensor, "S N P"], Window]:
        normalised, mean, std = normalise(x)
        return patchify(normalised, self.patch_len).flatten(0, 1), Window(tuple(x.shape), mean, std)

    def stage(self, number: int, tensor: Float[Tensor, "S N _"], rate: float) -> Float[Tensor, "S N D"]:
        if number == 0:
            return self.place(self.embedding(tensor), rate)
        tokens: Tensor = self.blocks[number - 1](tensor, self.causal or self.pretraining, rate)
        return tokens

    def end(self, tensor: Float[Tensor, "S N D"], window: Window) -> Features:
        return Features(self.norm(tensor).unflatten(0, window.shape[:2]), window.mean, window.std)
