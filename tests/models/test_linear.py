"""The linear encoder: counts of weights worked out by hand, lengths, forgetting, denoising."""

import pytest
import torch

from mtl.config import DenoiseObjective, LinearEncoder
from mtl.config.encoder_base import ClassificationHead
from mtl.config.window_encoders import ActivationForgetting
from mtl.errors import UserError
from mtl.models.build import build_model, build_pretrainer
from mtl.models.linear import LinearBackbone
from mtl.models.normalisation import normalise
from mtl.models.transfer import hand_over
from tests.models.cases import CHANNELS, task

DENOISE = DenoiseObjective(kind="denoise")


def test_parameter_counts() -> None:
    config = LinearEncoder(kind="linear", input_len=336, classification=ClassificationHead(amplitude=False))
    columns = [f"c{i}" for i in range(7)]
    long = task(name="long", shape=(7, 336), columns=columns, targets=list(range(7)), horizon=96)
    short = task(name="short", shape=(7, 336), columns=columns, targets=[6], horizon=1)
    label = task("classification", name="label", shape=(7, 336), columns=columns)
    counts = build_model(config, [long, short, label], seed=0).parameter_counts()
    assert counts["shared"] == (336 + 1) * 512 + (512 + 1) * 512
    assert counts["heads"]["long"] == (512 + 1) * 384 + (384 + 1) * 96
    assert counts["heads"]["short"] == (512 + 1) * 64 + (64 + 1) * 1
    convolutions = (7 * 5 + 1) * 64 + (64 * 3 + 1) * 128 + (128 * 3 + 1) * 256
    assert counts["heads"]["label"] == convolutions + (256 + 1) * 128 + (128 + 1) * 3


def backbone(**changes: object) -> LinearBackbone:
    return LinearBackbone(LinearEncoder(kind="linear", input_len=9, width=16, **changes))  # type: ignore[arg-type]


def test_other_lengths_are_an_error_unless_a_policy_is_chosen() -> None:
    with pytest.raises(UserError, match=r"`input_len` should be 9 as `encoder.input_len`.*found 5"):
        backbone()(torch.randn(2, 1, 5))
    with pytest.raises(UserError, match=r"`input_len` should be at most `encoder.input_len` 9.*found 10"):
        backbone(resize="left_pad")(torch.randn(2, 1, 10))
    config = LinearEncoder(kind="linear", input_len=9, width=16)
    with pytest.raises(UserError, match=r"`encoder.input_len` should be 5, the rows in a window of tasks\.task, .*9\."):
        build_model(config, [task(shape=(CHANNELS, 5))], seed=0)
    with pytest.raises(
        UserError, match=r"`encoder.input_len` should be 5, the rows in a window of pretrain, .*found 9"
    ):
        build_pretrainer(config, DENOISE, {9, 5}, seed=0)


def test_resample_keeps_a_ramp_and_left_pad_puts_zeros_in_front() -> None:
    ramp = torch.linspace(0, 1, 5).view(1, 1, 5)
    torch.testing.assert_close(backbone(resize="resample").resize(ramp), torch.linspace(0, 1, 9).view(1, 1, 9))
    torch.testing.assert_close(
        backbone(resize="resample").resize(torch.linspace(0, 1, 33).view(1, 1, 33)),
        torch.linspace(0, 1, 9).view(1, 1, 9),
    )
    assert backbone(resize="left_pad").resize(ramp)[0, 0].tolist() == [0, 0, 0, 0, *ramp.flatten().tolist()]


def test_statistics_are_those_of_the_window_before_padding() -> None:
    x = torch.randn(3, 2, 5) * 4 + 7
    features = backbone(resize="left_pad", dropout=0.0)(x)
    _, mean, std = normalise(x)
    assert torch.equal(features.mean, mean) and torch.equal(features.std, std)
    assert features.tokens.shape == (3, 2, 1, 16)


def test_forgetting_is_the_identity_in_pretraining_and_acts_in_fine_tuning() -> None:
    torch.manual_seed(1)
    plain = backbone().eval()
    torch.manual_seed(1)
    forgetful = backbone(forgetting=ActivationForgetting(rate=0.5)).eval()
    x = torch.randn(4, 2, 9)
    tokens = plain(x).tokens
    forgetful.pretraining = True
    assert torch.equal(forgetful(x).tokens, tokens)
    forgetful.pretraining = False
    weakened = forgetful(x).tokens
    alive = tokens > 1e-3
    ratio = (weakened / tokens)[alive]
    assert bool(((ratio > 0.5) & (ratio < 1)).all())
    assert forgetful.forgetting is not None
    gate = (1 - weakened / tokens)[alive] / 0.5
    expected = forgetful.forgetting.up(forgetful.forgetting.down(tokens).relu()).sigmoid()[alive]
    torch.testing.assert_close(gate, expected, rtol=1e-3, atol=1e-3)


def test_forgetting_is_not_handed_over() -> None:
    config = LinearEncoder(kind="linear", input_len=9, width=16, forgetting=ActivationForgetting())
    pretrainer = build_pretrainer(config, DENOISE, {9}, seed=0)
    assert pretrainer.encoder.pretraining
    model = build_model(config, [task(shape=(CHANNELS, 9))], seed=1)
    assert not model.trunk.encoder.pretraining
    before = {k: v.clone() for k, v in model.trunk.encoder.state_dict().items()}
    transfer = hand_over([model.trunk.encoder], pretrainer.transferable())
    assert transfer.handed_over == ["first.weight", "first.bias", "second.weight", "second.bias"]
    assert transfer.fresh and all(name.startswith("forgetting.") for name in transfer.fresh)
    after = model.trunk.encoder.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in transfer.fresh)
    pretrainer.loss(torch.randn(4, 2, 9)).backward()
    grads = {name: p.grad for name, p in pretrainer.encoder.named_parameters()}
    assert all((grad is None) == name.startswith("forgetting.") for name, grad in grads.items())


@pytest.mark.parametrize(("resize", "length"), [("error", 9), ("resample", 5), ("resample", 20), ("left_pad", 5)])
def test_denoising_loss_compares_with_the_clean_window(resize: str, length: int) -> None:
    """With a head that answers 0, i.e. the noisy window's mean, what is left is about the clean window's variance."""
    config = LinearEncoder(kind="linear", input_len=9, width=16, resize=resize)  # type: ignore[arg-type]
    pretrainer = build_pretrainer(config, DenoiseObjective(kind="denoise", noise_level=1e-6), {length}, seed=0)
    encoder = pretrainer.encoder
    assert isinstance(encoder, LinearBackbone)
    for parameter in pretrainer.get_submodule("heads").parameters():
        parameter.data.zero_()
    x = torch.randn(50, 2, length)
    clean = encoder.resize(x) if resize == "resample" else x
    expected = (clean - x.mean(-1, keepdim=True)).square().mean()
    torch.testing.assert_close(pretrainer.loss(x), expected, rtol=1e-3, atol=0)


def test_reconstruction_head_and_noise_level() -> None:
    config = LinearEncoder(kind="linear", input_len=9, width=16)
    pretrainer = build_pretrainer(config, DENOISE, {9}, seed=0)
    head = sum(p.numel() for p in pretrainer.get_submodule("heads").parameters())
    assert head == (16 + 1) * 9
