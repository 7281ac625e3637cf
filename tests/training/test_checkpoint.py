"""The state file: restores everything, and a damaged or foreign one is an error that names it."""

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
    Checkpoint(path).save({"layer": layer}, optimiser, {"w": torch.arange(3)}, {"best": [0.1, float("inf")], "n": None})
    return layer, optimiser


def test_a_round_trip_restores_weights_optimiser_randomness_and_record(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state"
    layer, optimiser = saved(path)
    expected = torch.rand(5)
    other, fresh = stepped(seed=1)
    loaded = Checkpoint(path).load({"layer": other}, fresh)
    assert loaded is not None
    record, best = loaded
    assert torch.equal(torch.rand(5), expected)
    assert record == {"best": [0.1, float("inf")], "n": None}
    assert best.keys() == {"w"} and best["w"].tolist() == [0, 1, 2]
    assert same(layer, other)
    states = optimiser.state_dict()["state"], fresh.state_dict()["state"]
    assert states[0].keys() == states[1].keys() == {0, 1}
    assert all(same(states[0][number], states[1][number]) for number in states[0])
    assert list(path.parent.iterdir()) == [path]


def test_none_keeps_nothing_and_an_absent_file_is_no_state(tmp_path: Path) -> None:
    layer, optimiser = stepped()
    nothing = Checkpoint(None)
    nothing.save({"layer": layer}, optimiser, {}, {})
    nothing.remove()
    assert nothing.load({"layer": layer}, optimiser) is None
    assert Checkpoint(tmp_path / "absent").load({"layer": layer}, optimiser) is None
    assert list(tmp_path.iterdir()) == []


def test_remove_deletes_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "state")
    for _ in range(2):
        Checkpoint(tmp_path / "state").remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "no_record", "other_shape", "no_randomness"])
def test_a_file_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state"
    saved(path)
    layer, optimiser = stepped(width=4 if damage == "other_shape" else 3)
    content = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "text":
            path.write_text("not a state")
        case "no_record":
            save_file({"a": torch.ones(2)}, path)
        case "no_randomness":
            save_file({f"layer/{k}": v for k, v in layer.state_dict().items()}, path, metadata={"record": "{}"})
    with pytest.raises(UserError, match=r"(?s)state is not a usable training state \(.*\); delete it") as caught:
        Checkpoint(path).load({"layer": layer}, optimiser)
    assert str(path) in str(caught.value)


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    layer, optimiser = stepped()
    path = tmp_path / "file" / "state"
    with pytest.raises(UserError, match="cannot be written: ") as caught:
        Checkpoint(path).save({"layer": layer}, optimiser, {}, {})
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
            Checkpoint(path).save({"layer": layer}, optimiser, {}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
