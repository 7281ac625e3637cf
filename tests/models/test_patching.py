"""Patches, positions and instance normalisation against values worked out by hand."""

import math

import pytest
import torch

from mtl.errors import UserError
from mtl.models.normalisation import denormalise, normalise
from mtl.models.patching import patchify, position_encoding


def test_remainder_is_cut_at_the_old_end() -> None:
    assert patchify(torch.arange(8.0), 3).tolist() == [[2, 3, 4], [5, 6, 7]]


def test_window_shorter_than_a_patch_is_an_error() -> None:
    with pytest.raises(UserError, match=r"`input_len` should hold at least one patch.*found 2"):
        patchify(torch.zeros(2), 3)


def test_positions() -> None:
    code = position_encoding(3, torch.zeros(1, 4))
    row = [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    torch.testing.assert_close(code[2], torch.tensor(row))
    assert code[0].tolist() == [0, 1, 0, 1]


def test_normalisation_is_undone_and_known() -> None:
    x = torch.randn(4, 3, 50) * 7 + 2
    y, mean, std = normalise(x)
    torch.testing.assert_close(denormalise(y, mean, std), x)
    torch.testing.assert_close(y.var(-1, correction=0), torch.ones(4, 3), rtol=1e-4, atol=0)
    y, mean, std = normalise(torch.tensor([[[1.0, 3.0]]]))
    assert mean.item() == 2 and math.isclose(std.item(), math.sqrt(1 + 1e-5), rel_tol=1e-6)


def test_constant_channel_normalises_to_zero() -> None:
    y, _, std = normalise(torch.full((1, 1, 9), 4.0))
    assert y.abs().max() == 0 and std.item() > 0


def test_statistics_are_detached() -> None:
    x = torch.randn(2, 1, 6, requires_grad=True)
    y, mean, std = normalise(x)
    assert not mean.requires_grad and not std.requires_grad
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (1 / std).unsqueeze(-1).expand_as(x))
