"""Every encoder with every kind of task: shapes, gradients, memorising, pairing.

A new encoder adds a row to `tests.models.cases.ENCODERS`.
"""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtl.config import DenoiseObjective, EncoderConfig
from mtl.models.build import build_model, build_pretrainer
from mtl.models.transfer import hand_over
from tests.helpers.specs import Kind
from tests.models.cases import CHANNELS, ENCODERS, LENGTH, inputs, kinds, on_images, on_rows, task, task_for

every_encoder = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS.keys())
of_windows = {name: encoder for name, encoder in ENCODERS.items() if not on_images(encoder) and not on_rows(encoder)}
of_single_channels = {name: encoder for name, encoder in of_windows.items() if not encoder.joins_channels}
every_encoder_of_single_channels = pytest.mark.parametrize(
    "encoder", of_single_channels.values(), ids=of_single_channels.keys()
)
normalising = {
    name: encoder for name, encoder in of_windows.items() if encoder.normalises(None) or encoder.kind == "python"
}
every_encoder_that_normalises = pytest.mark.parametrize("encoder", normalising.values(), ids=normalising.keys())
every_kind = pytest.mark.parametrize(
    ("encoder", "kind"),
    [pytest.param(encoder, kind, id=f"{name}-{kind}") for name, encoder in ENCODERS.items() for kind in kinds(encoder)],
)


def wanted(kind: Kind, n: int) -> Tensor:
    """Random targets of n samples."""
    if kind == "forecast":
        return torch.randn(n, 2, 4)
    if kind == "regression":
        return torch.randn(n)
    return torch.randint(3 if kind == "classification" else 2, (n,))


def loss(kind: Kind, predicted: Tensor, target: Tensor) -> Tensor:
    if kind in ("forecast", "regression"):
        return F.mse_loss(predicted, target)
    if kind == "binary":
        return F.binary_cross_entropy_with_logits(predicted, target.float())
    return F.cross_entropy(predicted, target)


def test_table_holds_every_encoder() -> None:
    assert {type(config) for config in ENCODERS.values()} == set(get_args(get_args(EncoderConfig)[0]))


@every_encoder
def test_16_bits_change_the_numbers_and_little_else(encoder: EncoderConfig) -> None:
    kind = kinds(encoder)[0]
    x = inputs(encoder, 4)
    whole, half = (
        build_model(encoder, [task_for(encoder, kind)], seed=0, precision=precision).eval()
        for precision in ("float32", "bf16")
    )
    a, b = whole(x, ["task"])["task"], half(x, ["task"])["task"]
    assert a.dtype == b.dtype == torch.float32 and not torch.equal(a, b)
    torch.testing.assert_close(a, b, atol=0.1, rtol=0.1)
    b.sum().backward()
    given = {name: weight.grad for name, weight in half.named_parameters() if weight.grad is not None}
    assert given and all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in given.values())


@every_kind
def test_shapes_and_gradients(encoder: EncoderConfig, kind: Kind) -> None:
    model = build_model(encoder, [task_for(encoder, kind)], seed=0)
    for batch in (5, 1):
        predicted = model(inputs(encoder, batch), ["task"])["task"]
        one = (batch,)
        shapes = {"forecast": (batch, 2, 4), "regression": one, "classification": (batch, 3), "binary": one}
        assert predicted.shape == shapes[kind]
    model.zero_grad()
    loss(kind, model(inputs(encoder, 16), ["task"])["task"], wanted(kind, 16)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if "bias" not in name:  # the bias of keys has none by softmax's invariance
            assert parameter.grad.abs().max() > 0, name


@every_kind
def test_memorises_a_batch(encoder: EncoderConfig, kind: Kind) -> None:
    model = build_model(encoder, [task_for(encoder, kind)], seed=0)
    x, target = inputs(encoder, 12), wanted(kind, 12)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(120):
        optimiser.zero_grad()
        value = loss(kind, model(x, ["task"])["task"], target)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.1 * losses[0]


@every_encoder
def test_weights_depend_on_seed_and_task_name_alone(encoder: EncoderConfig) -> None:
    def state(names: list[Kind], seed: int) -> dict[str, Tensor]:
        return build_model(encoder, [task_for(encoder, kind, kind) for kind in names], seed).state_dict()

    before = torch.get_rng_state()
    alone, joint, other = state(["binary"], 1), state(kinds(encoder), 1), state(["binary"], 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert alone.keys() < joint.keys()
    assert all(torch.equal(alone[name], joint[name]) for name in alone)
    assert any(not torch.equal(alone[name], other[name]) for name in alone)
    twins = build_model(encoder, [task_for(encoder, "classification", name) for name in ("one", "two")], seed=1)
    assert not torch.equal(twins.head_parameters(["one"])[-1], twins.head_parameters(["two"])[-1])


@every_encoder_of_single_channels
def test_pretraining_starts_from_the_same_encoder_and_hands_it_over(encoder: EncoderConfig) -> None:
    model = build_model(encoder, [task()], seed=3)
    pretrainer = build_pretrainer(encoder, DenoiseObjective(kind="denoise"), {LENGTH}, seed=3)
    first = pretrainer.transferable()
    assert all(torch.equal(first[name], tensor) for name, tensor in model.trunk.encoder.state_dict().items())
    optimiser = torch.optim.Adam(pretrainer.parameters(), lr=0.01)
    x = torch.randn(8, CHANNELS, LENGTH)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        value = pretrainer.loss(x, torch.Generator().manual_seed(0))
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.7 * losses[0]
    transfer = hand_over([model.trunk.encoder], pretrainer.transferable())
    assert transfer.handed_over == list(model.trunk.encoder.state_dict()) and transfer.fresh == []
    trained = pretrainer.encoder.state_dict()
    assert all(torch.equal(trained[name], tensor) for name, tensor in model.trunk.encoder.state_dict().items())
    assert any(not torch.equal(first[name], tensor) for name, tensor in trained.items())


@every_encoder
def test_frozen_encoder_stays_as_it_is(encoder: EncoderConfig) -> None:
    model = build_model(encoder, [task_for(encoder, "classification", dropout=0.5)], seed=0)
    model.freeze_encoder()
    model.train()
    assert not model.trunk.encoder.training and model.heads.training
    assert model.shared_parameters() == []
    counts = model.parameter_counts()
    assert counts["total"] == counts["shared"] + counts["heads"]["task"]
    assert counts["trainable"] == counts["heads"]["task"]
    model(inputs(encoder, 4), ["task"])["task"].sum().backward()
    assert all(p.grad is None for p in model.trunk.encoder.parameters())
    assert all(p.grad is not None for p in model.head_parameters(["task"]))


@every_encoder_that_normalises
def test_forecast_follows_shift_and_scale_of_its_window(encoder: EncoderConfig) -> None:
    model = build_model(encoder, [task()], seed=0).eval()
    x = torch.randn(4, CHANNELS, LENGTH)
    with torch.no_grad():
        plain, moved = model(x, ["task"])["task"], model(5 + 3 * x, ["task"])["task"]
    torch.testing.assert_close(moved, 5 + 3 * plain, rtol=1e-3, atol=1e-3)
