"""The network that benchmarks/step.py times against ours computes the same: losses and gradients, dropout off."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.reference_timedart import Reference, SingleWindows, copy_weights
from mtl.config import DiffusionObjective, TimeDartEncoder
from mtl.models.build import build_model, build_pretrainer
from mtl.models.diffusion import DiffusionPretrainer
from mtl.tasks.forecast import Forecast

LENGTH, HORIZON, CHANNELS, WIDTH, D_FF, LAYERS, DECODER_LAYERS, STEPS = 48, 12, 3, 16, 24, 2, 2, 50


def encoder(patch_len: int, heads: int) -> TimeDartEncoder:
    return TimeDartEncoder(
        kind="timedart", patch_len=patch_len, d_model=WIDTH, heads=heads, layers=LAYERS, d_ff=D_FF, dropout=0.0,
        recipe="published",
    )  # fmt: skip


def reference(patch_len: int, heads: int, horizon: int | None) -> Reference:
    return Reference(LENGTH, horizon, patch_len, WIDTH, heads, LAYERS, DECODER_LAYERS, D_FF, 0.0, STEPS)


def windows() -> tuple[Tensor, Tensor]:
    """Past [B, C, L] and future [B, C, H]."""
    walk = torch.randn(5, CHANNELS, LENGTH + HORIZON, generator=torch.Generator().manual_seed(3)).cumsum(-1)
    return walk[:, :, :LENGTH], walk[:, :, LENGTH:]


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("patch_len", [2, 8])
def test_pretraining_loss_and_gradients_are_equal(patch_len: int, heads: int) -> None:
    objective = DiffusionObjective(
        kind="diffusion", head="flatten", condition_on_step=False, steps=STEPS, decoder_layers=DECODER_LAYERS
    )
    ours = build_pretrainer(encoder(patch_len, heads), objective, [LENGTH], 0)
    assert isinstance(ours, DiffusionPretrainer)
    theirs = reference(patch_len, heads, None)
    copy_weights(ours, theirs)
    past, future = windows()
    loss = ours.loss(past, torch.Generator().manual_seed(1))
    expected = theirs.loss(past.transpose(1, 2), future.transpose(1, 2), torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-5)
    loss.backward()
    expected.backward()
    first = ours.encoder.blocks[0]
    torch.testing.assert_close(
        first.qkv.weight.grad, theirs.blocks[0].attention.in_proj_weight.grad, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(ours.encoder.embedding.weight.grad, theirs.embedding.weight.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("patch_len", [2, 8])
def test_fine_tuning_loss_and_gradients_are_equal(patch_len: int, heads: int) -> None:
    columns = list("abc")
    spec = Forecast(
        name="t", source="s", shape=(CHANNELS, LENGTH), columns=columns, targets=list(range(CHANNELS)), horizon=HORIZON
    )
    ours = build_model(encoder(patch_len, heads), [spec], 0)
    theirs = reference(patch_len, heads, HORIZON)
    copy_weights(ours, theirs)
    past, future = windows()
    loss = functional.mse_loss(ours(past, ["t"])["t"], future)
    expected = theirs.loss(past.transpose(1, 2), future.transpose(1, 2))
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-5)
    loss.backward()
    expected.backward()
    first = ours.trunk.encoder.get_submodule("blocks.0.qkv").weight.grad
    torch.testing.assert_close(first, theirs.blocks[0].attention.in_proj_weight.grad, rtol=1e-4, atol=1e-5)


def test_the_reference_reads_every_window() -> None:
    walk = torch.arange(20.0)[:, None].expand(-1, 2)
    data = SingleWindows(walk, 6, 3)
    assert len(data) == 12
    past, future = data[11]
    assert past[:, 0].tolist() == list(range(11, 17)) and future[:, 1].tolist() == [17, 18, 19]
