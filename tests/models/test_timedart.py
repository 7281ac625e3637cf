"""The Transformer: against torch's own layer, who sees whom, dropout."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mtl.config import TimeDartEncoder
from mtl.models.timedart import Block, TimeDart

CONFIG = TimeDartEncoder(kind="timedart", patch_len=4, d_model=16, heads=2, layers=2, d_ff=24, dropout=0.3)


@pytest.mark.parametrize("causal", [False, True])
def test_block_equals_torch_encoder_layer(causal: bool) -> None:
    block = Block(CONFIG).double().eval()
    layer = nn.TransformerEncoderLayer(16, 2, 24, activation=F.gelu, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for ours, theirs in (
            (block.qkv.weight, layer.self_attn.in_proj_weight),
            (block.qkv.bias, layer.self_attn.in_proj_bias),
            (block.out.weight, layer.self_attn.out_proj.weight),
            (block.out.bias, layer.self_attn.out_proj.bias),
            *zip(block.norm1.parameters(), layer.norm1.parameters(), strict=True),
            *zip(block.up.parameters(), layer.linear1.parameters(), strict=True),
            *zip(block.down.parameters(), layer.linear2.parameters(), strict=True),
            *zip(block.norm2.parameters(), layer.norm2.parameters(), strict=True),
        ):
            theirs.copy_(ours)
    layer.eval()
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    mask = torch.full((5, 5), -torch.inf, dtype=torch.float64).triu(1) if causal else None
    torch.testing.assert_close(block(x, causal, 0.0), layer(x, src_mask=mask))


def moved_tokens(encoder: TimeDart, at: int) -> list[bool]:
    """True for each of 6 tokens that moves when placed token `at` does."""
    tokens = torch.randn(1, 6, 16)
    other = tokens.clone()
    other[:, at] += 1
    causal = encoder.causal or encoder.pretraining
    with torch.no_grad():
        change = encoder.mix(other, causal, 0.0) - encoder.mix(tokens, causal, 0.0)
    return (change.abs().amax(dim=(0, 2)) > 1e-6).tolist()


def test_causal_attention_sees_no_later_token() -> None:
    encoder = TimeDart(CONFIG.model_copy(update={"attention": "causal"})).eval()
    assert moved_tokens(encoder, 3) == [False, False, False, True, True, True]


def test_bidirectional_attention_sees_all_but_not_in_pretraining() -> None:
    encoder = TimeDart(CONFIG).eval()
    assert moved_tokens(encoder, 3) == [True] * 6
    x = torch.randn(2, 3, 24)
    bidirectional = encoder(x).tokens
    encoder.pretraining = True
    causal = encoder(x).tokens
    encoder.pretraining, encoder.causal = False, True
    assert torch.equal(encoder(x).tokens, causal)
    assert not torch.allclose(causal, bidirectional)


def test_channels_and_samples_are_independent() -> None:
    encoder = TimeDart(CONFIG).eval()
    x = torch.randn(2, 3, 24)
    tokens = encoder(x).tokens
    torch.testing.assert_close(encoder(x[1:, [2]]).tokens, tokens[1:, [2]])


def test_dropout_only_in_training_at_the_rate_given() -> None:
    encoder = TimeDart(CONFIG)
    x = torch.randn(2, 3, 24)
    assert not torch.equal(encoder(x).tokens, encoder(x).tokens)
    assert torch.equal(encoder(x, 0.0).tokens, encoder(x, 0.0).tokens)
    quiet = encoder(x, 0.0).tokens
    encoder.eval()
    torch.testing.assert_close(encoder(x, 0.9).tokens, quiet)


def test_attention_dropout_acts_in_training_alone() -> None:
    encoder = TimeDart(CONFIG.model_copy(update={"attention_dropout": 0.5}))
    x = torch.randn(2, 3, 24)
    assert not torch.equal(encoder(x, 0.0).tokens, encoder(x, 0.0).tokens)
    encoder.eval()
    assert torch.equal(encoder(x).tokens, encoder(x).tokens)


def test_any_length_and_channel_count() -> None:
    encoder = TimeDart(CONFIG)
    assert encoder(torch.randn(2, 9, 31)).tokens.shape == (2, 9, 7, 16)
    assert encoder.count_tokens(31) == 7
