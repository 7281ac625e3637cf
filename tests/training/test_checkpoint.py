"""The state file: restores everything; a damaged or foreign one is set aside, and the run starts over."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mtl.errors import UserError
from mtl.training.checkpoint import Checkpoint
from tests.helpers.problems import same


def stepped(width: int = 3, seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A layer and its optimiser after two steps."""
    torch.manual_seed(seed)
    layer = nn.Linear(width, 2)
    optimiser = torch.optim.AdamW(layer.parameters(), fused=True)
    for _ in range(2):
        optimiser.zero_grad()
        layer(torch.randn(4, width)).square().mean().backward()
        optimiser.step()
    return layer, optimiser


def saved(path: Path) -> tuple[nn.Module, torch.optim.Optimizer]:
    layer, optimiser = stepped()
    record = {"best": [0.1, float("inf")], "n": None}
    Checkpoint(path, "key").save({"layer": layer}, optimiser, record, {"w": torch.arange(3)}, {"sum": torch.ones(2)})
    return layer, optimiser


def test_a_round_trip_restores_weights_optimiser_randomness_and_record(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state"
    layer, optimiser = saved(path)
    expected = torch.rand(5)
    other, fresh = stepped(seed=1)
    loaded = Checkpoint(path, "key").load({"layer": other}, fresh)
    assert loaded is not None
    assert torch.equal(torch.rand(5), expected)
    assert loaded.record == {"best": [0.1, float("inf")], "n": None}
    assert loaded.best.keys() == {"w"} and loaded.best["w"].tolist() == [0, 1, 2]
    assert loaded.tally.keys() == {"sum"} and loaded.tally["sum"].tolist() == [1, 1]
    assert same(layer, other)
    states = optimiser.state_dict()["state"], fresh.state_dict()["state"]
    assert states[0].keys() == states[1].keys() == {0, 1}
    assert all(same(states[0][number], states[1][number]) for number in states[0])
    assert list(path.parent.iterdir()) == [path]


def test_none_keeps_nothing_and_an_absent_file_is_no_state(tmp_path: Path) -> None:
    layer, optimiser = stepped()
    nothing = Checkpoint(None)
    nothing.save({"layer": layer}, optimiser, {})
    assert not nothing.due()
    nothing.remove()
    assert nothing.load({"layer": layer}, optimiser) is None
    assert Checkpoint(tmp_path / "absent").load({"layer": layer}, optimiser) is None
    assert list(tmp_path.iterdir()) == []


def test_remove_deletes_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "state")
    for _ in range(2):
        Checkpoint(tmp_path / "state").remove()
    assert list(tmp_path.iterdir()) == []


DAMAGES = ["empty", "truncated", "text", "no_header", "other_shape", "no_randomness", "other_key", "a_bit"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_used_is_set_aside_and_nothing_is_changed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state"
    saved(path)
    layer, optimiser = stepped(width=4 if damage == "other_shape" else 3, seed=5)
    content = path.read_bytes()
    header = {"state": json.dumps({"key": "key", "record": {}, "seconds": 0.0, "checksum": 0})}
    weights = {f"layer/{k}": v for k, v in layer.state_dict().items()}
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "text":
            path.write_text("not a state")
        case "no_header":
            save_file({"a": torch.ones(2)}, path)
        case "no_randomness":
            save_file(weights, path, metadata=header)
        case "a_bit":
            path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    found = path.read_bytes()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    averages = {i: dict(values) for i, values in optimiser.state_dict()["state"].items()}
    random = torch.get_rng_state()
    with caplog.at_level("WARNING", "mtl.training"):
        loaded = Checkpoint(path, "another" if damage == "other_key" else "key").load({"layer": layer}, optimiser)
    assert loaded is None
    assert [path.name for path in tmp_path.iterdir()] == ["state.unusable"]
    assert (tmp_path / "state.unusable").read_bytes() == found
    (message,) = caplog.messages
    assert message.startswith(f"{path} is not a usable training state (")
    assert message.endswith("); it is kept as state.unusable, and the run starts over.")
    assert same(dict(layer.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), random)
    after = optimiser.state_dict()["state"]
    assert after.keys() == averages.keys() and all(same(after[i], averages[i]) for i in after)


def test_a_state_is_due_when_the_last_is_old_enough(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "state", seconds=0.0).due()
    young = Checkpoint(tmp_path / "state", seconds=3600.0)
    assert not young.due()
    young.last -= 3601
    assert young.due()
    layer, optimiser = stepped()
    young.save({"layer": layer}, optimiser, {})
    assert not young.due()


def test_states_at_the_ends_of_epochs_take_a_small_share_of_the_time(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state", seconds=60.0)
    assert checkpoint.due_at_end(), "the first is written at once"
    layer, optimiser = stepped()
    checkpoint.save({"layer": layer}, optimiser, {})
    assert 0 < checkpoint.cost < 1
    checkpoint.cost = 0.1  # then one in five seconds
    assert not checkpoint.due_at_end()
    checkpoint.last -= 4
    assert not checkpoint.due_at_end()
    checkpoint.last -= 1
    assert checkpoint.due_at_end()
    checkpoint.cost, checkpoint.last = 1000.0, checkpoint.last - 56
    assert checkpoint.due_at_end(), "never later than in the middle of an epoch"
    assert not Checkpoint(None).due_at_end()


def test_seconds_of_training_add_up_over_restarts(tmp_path: Path) -> None:
    layer, optimiser = stepped()
    for already in (0.0, 100.0, 200.0):
        state = Checkpoint(tmp_path / "state")
        state.load({"layer": layer}, optimiser)
        assert already <= state.spent < already + 50
        state.born -= 100
        state.save({"layer": layer}, optimiser, {})


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    layer, optimiser = stepped()
    path = tmp_path / "file" / "state"
    with pytest.raises(UserError, match="cannot be written: ") as caught:
        Checkpoint(path).save({"layer": layer}, optimiser, {})
    assert str(path) in str(caught.value)


def test_a_full_disk_is_an_error_and_the_old_state_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    saved(path)
    before = path.read_bytes()
    layer, optimiser = stepped(width=400)
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match="cannot be written: "):
            Checkpoint(path).save({"layer": layer}, optimiser, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
