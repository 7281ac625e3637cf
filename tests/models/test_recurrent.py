"""The recurrent encoder: its equations, what it reads, which tasks it joins."""

import pytest
import torch
from torch import Tensor, nn

from mtl.config import DenoiseObjective, RecurrentEncoder, RocketEncoder, TimeDartEncoder
from mtl.errors import UserError
from mtl.models.build import build_model, build_pretrainer
from mtl.models.recurrent import Recurrent
from mtl.tasks.tagging import Tagging
from tests.models.cases import CHANNELS, LENGTH, task


def config(**changes: object) -> RecurrentEncoder:
    return RecurrentEncoder.model_validate({"kind": "recurrent", "width": 6, "dropout": 0.0} | changes)


def last_state(layer: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(states [B, L, D], last one) of a layer on rows [B, L, _], by the equations, one row after the other.

    Those of Cho et al. 2014, with the reset gate behind the matrix."""
    weights = dict(layer.named_parameters())
    width = weights["weight_hh_l0"].shape[1]
    state, states = torch.zeros(len(rows), width), []
    for row in rows.unbind(1):
        given = row @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        kept = state @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
        (r_in, z_in, n_in), (r_state, z_state, n_state) = given.chunk(3, dim=1), kept.chunk(3, dim=1)
        reset, update = (r_in + r_state).sigmoid(), (z_in + z_state).sigmoid()
        candidate = (n_in + reset * n_state).tanh()
        state = update * state + (1 - update) * candidate
        states.append(state)
    return torch.stack(states, dim=1), state


@pytest.mark.parametrize("layers", [1, 3])
def test_features_are_the_state_after_the_last_row(layers: int) -> None:
    encoder = Recurrent(config(layers=layers), CHANNELS)
    x = torch.randn(5, CHANNELS, LENGTH)
    rows, last = x.transpose(1, 2), torch.empty(0)
    for layer in encoder.layers:
        rows, last = last_state(layer, rows)
    features = encoder(x)
    torch.testing.assert_close(features.tokens, last[:, None, None], rtol=1e-4, atol=1e-5)
    assert features.mean is None and features.std is None


def test_levels_and_every_channel_reach_every_forecast() -> None:
    model = build_model(config(), [task()], seed=0).eval()
    x = torch.randn(4, CHANNELS, LENGTH, requires_grad=True)
    model(x, ["task"])["task"][:, 0].sum().backward()
    assert x.grad is not None and (x.grad.abs().sum(dim=(0, 2)) > 0).all()
    with torch.no_grad():
        plain, shifted = (model(v, ["task"])["task"] for v in (x, x + 1))
    change = shifted - plain
    assert (change - 1).abs().min() > 1e-3, "a forecast of the window's level would move with it"


def test_dropout_falls_behind_every_layer_in_training_alone() -> None:
    encoder = Recurrent(config(layers=2, dropout=0.5, width=64), CHANNELS)
    x = torch.randn(16, CHANNELS, LENGTH)
    dropped = encoder(x).tokens == 0
    assert 0.4 < dropped.float().mean() < 0.6
    inner, _ = encoder.begin(x)
    assert 0.4 < (encoder.stage(0, inner, 0.5) == 0).float().mean() < 0.6
    assert (encoder.eval()(x).tokens != 0).all()


def test_tasks_of_different_lengths_share_it_but_not_of_different_channels() -> None:
    short = task("classification", name="short", shape=(CHANNELS, 5))
    model = build_model(config(), [task(), short], seed=0)
    assert model(torch.randn(2, CHANNELS, LENGTH), ["task"])["task"].shape == (2, 2, 4)
    assert model(torch.randn(2, CHANNELS, 5), ["short"])["short"].shape == (2, 3)
    wide = task("classification", name="wide", shape=(5, LENGTH), columns=[f"c{i}" for i in range(5)])
    message = r"`encoder.kind` .*as many of them, found 3 for tasks.task and 5 for tasks.wide; timedart, linear"
    with pytest.raises(UserError, match=message):
        build_model(config(), [task(), wide], seed=0)


def test_it_cannot_be_pretrained_and_says_so() -> None:
    with pytest.raises(UserError, match=r"should be none for `encoder.kind: recurrent`, which reads the channels"):
        build_pretrainer(config(), DenoiseObjective(kind="denoise"), {LENGTH}, seed=0)


def test_a_wider_one_is_wider_in_every_layer() -> None:
    wide = Recurrent(config(layers=2).widened(2.0), CHANNELS)
    assert (wide.width, wide.stage_widths) == (12, (12, 12))


def test_states_after_every_row_are_kept_where_a_task_reads_them() -> None:
    encoder = Recurrent(config(layers=2), CHANNELS)
    x = torch.randn(5, CHANNELS, LENGTH)
    last = encoder(x)
    encoder.at_steps = True
    features = encoder(x)
    assert last.places is None and features.places is not None and features.places.shape == (5, LENGTH, 6)
    assert torch.equal(features.tokens, last.tokens) and torch.equal(features.places[:, -1:], last.tokens[:, 0])
    rows = x.transpose(1, 2)
    for layer in encoder.layers:
        rows, _ = last_state(layer, rows)
    torch.testing.assert_close(features.places, rows, rtol=1e-4, atol=1e-5)


def test_patches_have_a_class_for_each_of_their_rows() -> None:
    spec = Tagging(name="t", source="s", shape=(CHANNELS, LENGTH), columns=["a", "b", "c"], label="l",
                   classes=["x", "y"])  # fmt: skip
    model = build_model(TimeDartEncoder(kind="timedart", patch_len=8, dropout=0.0), [spec], 0).eval()
    x = torch.randn(2, CHANNELS, LENGTH)
    assert model(x, ["t"])["t"].shape == (2, LENGTH, 2)
    with pytest.raises(
        UserError, match=r"encoder\.patch_len` should divide the window of tasks\.t \(32 rows\).*found 5"
    ):
        build_model(TimeDartEncoder(kind="timedart", patch_len=5), [spec], 0)


def test_other_encoders_of_windows_are_refused_for_classes_of_rows() -> None:
    spec = Tagging(name="t", source="s", shape=(CHANNELS, LENGTH), columns=["a", "b", "c"], label="l",
                   classes=["x", "y"])  # fmt: skip
    assert build_model(config(), [spec], 0)(torch.randn(2, CHANNELS, LENGTH), ["t"])["t"].shape == (2, LENGTH, 2)
    with pytest.raises(
        UserError, match=r"encoder\.kind` should be timedart, recurrent or python for tasks\.t, which learns a class"
    ):
        build_model(RocketEncoder(kind="rocket", dilations=[1]), [spec], 0)
