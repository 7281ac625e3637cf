"""The three ways of computing attention against torch's own, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtl.models import narrow_attention
from mtl.models.attention import FEW_TOKENS, attend


def by_torch(qkv: Tensor, heads: int, causal: bool) -> Tensor:
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(-2)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("n", [1, 7, FEW_TOKENS, FEW_TOKENS + 1])
def test_equals_torch_in_value_and_gradient(n: int, heads: int, causal: bool) -> None:
    qkv = torch.randn(3, n, 48, dtype=torch.float64)
    ours, theirs = qkv.clone().requires_grad_(), qkv.clone().requires_grad_()
    weight = torch.randn(3, n, 16, dtype=torch.float64)
    y, expected = attend(ours, heads, causal, 0.0), by_torch(theirs, heads, causal)
    torch.testing.assert_close(y, expected)
    (y * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("causal", [False, True])
def test_training_and_evaluation_agree(causal: bool) -> None:
    qkv = torch.randn(5, 9, 48)
    torch.testing.assert_close(attend(qkv.clone().requires_grad_(), 4, causal, 0.0), attend(qkv, 4, causal, 0.0))


def test_narrow_heads_in_several_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow_attention, "SIDE_BY_SIDE", 5)
    qkv = torch.randn(3, 6, 48, dtype=torch.float64)
    ours, theirs = qkv.clone().requires_grad_(), qkv.clone().requires_grad_()
    y, expected = attend(ours, 4, True, 0.0), by_torch(theirs, 4, True)
    torch.testing.assert_close(y, expected)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_gradient_against_finite_differences() -> None:
    qkv = torch.randn(2, 4, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: attend(x, 2, True, 0.0), (qkv,))


def test_dropped_weights_keep_their_mean() -> None:
    qkv = torch.randn(1, 6, 24).expand(4000, -1, -1)
    torch.manual_seed(0)
    dropped = attend(qkv, 2, False, 0.3)
    assert not torch.equal(dropped[0], dropped[1])
    torch.testing.assert_close(dropped.mean(0), attend(qkv[:1], 2, False, 0.0)[0], rtol=0, atol=0.05)
