"""TimeDART as its authors' code computes it (arXiv 2410.05711), to compare against: same mathematics, plain form.

Attention weights are materialised and dropout falls on them, the denoising decoder attends over N×N tokens through
masks that leave the diagonal, and every sample is read and collated by itself. Written here from the form of the
published code, with its layers (`nn.MultiheadAttention` as called there returns the weights). B samples, C channels,
L rows, S = B·C sequences, N patches of P rows, D width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from mtl.models.diffusion import DecoderLayer, DiffusionPretrainer, signal_share
from mtl.models.heads import FlatForecastHead
from mtl.models.multitask import MultiTaskModel
from mtl.models.patching import sinusoid
from mtl.models.timedart import Block, TimeDart

EPSILON = 1e-5


class SingleWindows(Dataset[tuple[Tensor, Tensor]]):
    """One window a sample: past [L, C] and future [H, C], sliced from the series and collated by a DataLoader."""

    def __init__(self, series: Float[Tensor, "R C"], length: int, horizon: int) -> None:
        self.series, self.length, self.horizon = series.numpy(), length, horizon

    def __len__(self) -> int:
        return len(self.series) - self.length - self.horizon + 1

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        middle = i + self.length
        past, future = self.series[i:middle], self.series[middle : middle + self.horizon]
        return torch.from_numpy(past.copy()), torch.from_numpy(future.copy())


class EncoderBlock(nn.Module):
    """Post-norm Transformer block."""

    def __init__(self, width: int, heads: int, d_ff: int, rate: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=rate, batch_first=True)
        self.norm1 = nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, d_ff), nn.GELU(), nn.Dropout(rate), nn.Linear(d_ff, width))
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(rate)

    def forward(self, x: Float[Tensor, "S N D"], mask: Float[Tensor, "N N"] | None) -> Float[Tensor, "S N D"]:
        attended, _ = self.attention(x, x, x, attn_mask=mask)
        x = self.norm1(x + self.dropout(attended))
        after: Tensor = self.norm2(x + self.dropout(self.ff(x)))
        return after


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward; both attentions under a mask."""

    def __init__(self, width: int, heads: int, d_ff: int, rate: float) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(width, heads, dropout=rate, batch_first=True)
        self.norm1 = nn.LayerNorm(width)
        self.cross = nn.MultiheadAttention(width, heads, dropout=rate, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, d_ff), nn.GELU(), nn.Dropout(rate), nn.Linear(d_ff, width))
        self.norm3 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(rate)

    def forward(
        self, noisy: Float[Tensor, "S N D"], context: Float[Tensor, "S N D"], mask: Float[Tensor, "N N"]
    ) -> Float[Tensor, "S N D"]:
        attended, _ = self.own(noisy, noisy, noisy, attn_mask=mask)
        x = self.norm1(noisy + self.dropout(attended))
        attended, _ = self.cross(x, context, context, attn_mask=mask)
        x = self.norm2(x + self.dropout(attended))
        after: Tensor = self.norm3(x + self.dropout(self.ff(x)))
        return after


class Reference(nn.Module):
    """Embedding, positions and encoder, as pretraining and fine-tuning share them; `forecast` and `denoise` use them.

    Args:
        length: L.
        horizon: H of a forecast; None builds the pretraining network.
        patch_len: P.
        width: D.
        heads: attention heads.
        layers: encoder blocks.
        decoder_layers: decoder blocks.
        d_ff: width of the feed-forward layers.
        rate: dropout, everywhere.
        steps: T noise steps.
    """

    def __init__(
        self, length: int, horizon: int | None, patch_len: int, width: int, heads: int, layers: int,
        decoder_layers: int, d_ff: int, rate: float, steps: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_len, self.horizon, self.steps = patch_len, horizon, steps
        tokens = length // patch_len
        self.embedding = nn.Linear(patch_len, width)
        self.register_buffer("position", sinusoid(torch.arange(tokens, dtype=torch.float32), width))
        self.register_buffer("share", signal_share(steps, "cosine").float())
        self.start = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, d_ff, rate) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(DecoderBlock(width, heads, d_ff, rate) for _ in range(decoder_layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.head = nn.Linear(tokens * width, length if horizon is None else horizon)
        self.dropout = nn.Dropout(rate)

    def place(self, tokens: Float[Tensor, "S N D"]) -> Float[Tensor, "S N D"]:
        """Adds the positions."""
        placed: Tensor = self.dropout(tokens + self.get_buffer("position"))
        return placed

    def encode(self, x: Float[Tensor, "S N D"], mask: Float[Tensor, "N N"] | None) -> Float[Tensor, "S N D"]:
        """Sends placed tokens through the encoder."""
        for block in self.blocks:
            x = block(x, mask)
        encoded: Tensor = self.norm(x)
        return encoded

    def read(self, tokens: Float[Tensor, "S N D"], channels: int) -> Float[Tensor, "B M C"]:
        """The flatten head, whose dropout falls on its outputs."""
        flat = tokens.reshape(-1, channels, tokens.shape[1] * tokens.shape[2])
        ahead: Tensor = self.dropout(self.head(flat))
        return ahead.permute(0, 2, 1)

    def forecast(self, x: Float[Tensor, "B L C"]) -> Float[Tensor, "B H C"]:
        """Forecasts the z-scored future of z-scored windows."""
        x, mean, std = _normalise(x)
        patches = _patches(x, self.patch_len)
        y = self.read(self.encode(self.place(self.embedding(patches)), None), x.shape[2])
        return y * std.repeat(1, y.shape[1], 1) + mean.repeat(1, y.shape[1], 1)

    def denoise(self, x: Float[Tensor, "B L C"], generator: torch.Generator | None = None) -> Float[Tensor, "B L C"]:
        """Predicts each patch of z-scored windows from its noisy form and the clean patches before it."""
        x, mean, std = _normalise(x)
        patches = _patches(x, self.patch_len)
        n = patches.shape[1]
        shifted = torch.cat([self.start.expand(len(patches), -1, -1), self.embedding(patches)], dim=1)[:, :-1]
        context = self.encode(self.place(shifted), torch.full((n, n), -torch.inf).triu(1))
        t = torch.randint(self.steps, patches.shape[:2], generator=generator)
        share = self.get_buffer("share")[t].unsqueeze(-1)
        noise = torch.randn(patches.shape, generator=generator)
        tokens = self.place(self.embedding(share.sqrt() * patches + (1 - share).sqrt() * noise))
        own_only = torch.full((n, n), -torch.inf).fill_diagonal_(0.0)
        for block in self.decoder:
            tokens = block(tokens, context, own_only)
        y = self.read(self.decoder_norm(tokens), x.shape[2])
        return y * std.repeat(1, y.shape[1], 1) + mean.repeat(1, y.shape[1], 1)

    def loss(
        self, past: Float[Tensor, "B L C"], future: Float[Tensor, "B H C"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """MSE of the reconstruction or of the forecast."""
        if self.horizon is None:
            return F.mse_loss(self.denoise(past, generator), past)
        return F.mse_loss(self.forecast(past), future)


def _normalise(x: Float[Tensor, "B L C"]) -> tuple[Tensor, Tensor, Tensor]:
    mean = x.mean(dim=1, keepdim=True).detach()
    x = x - mean
    std = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + EPSILON).detach()
    return x / std, mean, std


def _patches(x: Float[Tensor, "B L C"], patch_len: int) -> Float[Tensor, "S N P"]:
    return x.permute(0, 2, 1).reshape(-1, x.shape[1]).unfold(1, patch_len, patch_len)


@torch.no_grad()
def copy_weights(ours: DiffusionPretrainer | MultiTaskModel, reference: Reference) -> None:
    """Gives the reference the weights of our network of the same sizes (`head: flatten`, no step embedding)."""
    encoder = ours.trunk.encoders()[0] if isinstance(ours, MultiTaskModel) else ours.encoder
    if not isinstance(encoder, TimeDart):
        raise TypeError(f"`encoder` should be a TimeDart, found {type(encoder).__name__}.")
    pairs: list[Pair] = [(encoder.embedding, reference.embedding), (encoder.norm, reference.norm)]
    for block, their_block in zip(encoder.blocks, reference.blocks, strict=True):
        assert isinstance(block, Block) and isinstance(their_block, EncoderBlock)
        pairs += _encoder_pairs(block, their_block)
    if isinstance(ours, MultiTaskModel):
        (head,) = ours.heads.values()
        if not isinstance(head, FlatForecastHead):
            raise TypeError(f"the head should be a FlatForecastHead, found {type(head).__name__}.")
        pairs.append((head.linear, reference.head))
    else:
        reference.start.copy_(ours.start)
        (flat,) = ours.flatten.values()
        pairs += [(flat, reference.head), (ours.norm, reference.decoder_norm)]
        for layer, their_layer in zip(ours.decoder, reference.decoder, strict=True):
            assert isinstance(layer, DecoderLayer) and isinstance(their_layer, DecoderBlock)
            pairs += _decoder_pairs(layer, their_layer)
    for source, target in pairs:
        target.load_state_dict(source.state_dict())


Pair = tuple[nn.Module, nn.Module]
"""A layer of ours and its counterpart in the reference."""


def _encoder_pairs(ours: Block, theirs: EncoderBlock) -> list[Pair]:
    """Copies the attention of a block; returns its other layers."""
    attention = theirs.attention
    attention.in_proj_weight.copy_(ours.qkv.weight)
    attention.in_proj_bias.copy_(ours.qkv.bias)
    return [
        (ours.out, attention.out_proj), (ours.norm1, theirs.norm1), (ours.norm2, theirs.norm2),
        (ours.up, theirs.ff[0]), (ours.down, theirs.ff[3]),
    ]  # fmt: skip


def _decoder_pairs(ours: DecoderLayer, theirs: DecoderBlock) -> list[Pair]:
    """Copies both attentions of a block; returns its other layers."""
    for own, attention in ((ours.own, theirs.own), (ours.cross, theirs.cross)):
        # Query and key rows are as drawn: under the mask they do not matter.
        width = own.value.in_features
        attention.in_proj_weight[2 * width :].copy_(own.value.weight)
        attention.in_proj_bias[2 * width :].copy_(own.value.bias)
    return [
        (ours.own.out, theirs.own.out_proj), (ours.cross.out, theirs.cross.out_proj), (ours.norm1, theirs.norm1),
        (ours.norm2, theirs.norm2), (ours.norm3, theirs.norm3), (ours.up, theirs.ff[0]), (ours.down, theirs.ff[3]),
    ]  # fmt: skip
