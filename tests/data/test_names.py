"""Stage `index` looks up what the tasks name, so that a wrong name is known before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtl.data.build import read_source
from mtl.data.loading.store import PREPARED, write_prepared
from mtl.stages import index
from tests.helpers.cases import Refusal, attempt, params
from tests.helpers.data_files import make_source


def look_up(
    kind: str, task: dict[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch, slices: tuple[str, ...] = ()
) -> Refusal | None:
    source = make_source(kind, root)
    write_prepared(read_source("own", source, root), root / PREPARED / "own", {})
    raw = params(source.model_dump(mode="json", exclude_none=True)) | {"tasks": {"t": {"source": "own"} | task}}
    raw["evaluate"] = {"slices": list(slices)}
    (root / "params.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.chdir(root)
    return attempt(index.main, root, "`evaluate.slices`" if slices else "`tasks.t.")


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("cifar10", {"kind": "binary", "label": {"one_vs_rest": "cat"}}),
    ("cifar10", {"kind": "binary", "label": {"flipped": 0}}),
    ("cifar100", {"kind": "classification", "label": "coarse"}),
    ("cifar100", {"kind": "binary", "label": {"one_vs_rest": "coarse_3", "of": "coarse"}}),
    ("mnist", {"kind": "binary", "label": "even"}),
    ("har", {"kind": "binary", "label": {"any_of": ["WALKING", "SITTING"]}}),
    ("series", {"kind": "binary", "input_len": 2, "label": {"coin": 5}}),
]


@pytest.mark.parametrize(("kind", "task"), GOOD)
def test_what_a_source_can_give(
    kind: str, task: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look_up(kind, task, tmp_path, monkeypatch) is None
    assert list(json.loads((tmp_path / "data/index.json").read_text())) == ["own"]


def test_tasks_are_listed_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC takes sections that differ in order alone for the same; the file that stages depend on does not."""
    task = {"kind": "binary", "label": "even", "source": "own"}
    source = make_source("digits", tmp_path)
    write_prepared(read_source("own", source, tmp_path), tmp_path / PREPARED / "own", {})
    monkeypatch.chdir(tmp_path)
    for names in (["b", "a"], ["a", "b"]):
        raw = params(source.model_dump(mode="json", exclude_none=True)) | {
            "tasks": {name: dict(task) for name in names}
        }
        Path("params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
        index.main()
        written = json.loads(Path("data/tasks.json").read_text())
        assert [entry["name"] for entry in written] == names
        assert {entry["kind"] for entry in written} == {"binary"}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("cifar10", {"kind": "binary", "label": {"one_vs_rest": "pony"}}, "found 'pony'"),
    ("cifar10", {"kind": "binary", "label": "even"}, "should not be even, which needs classes that are whole numbers"),
    (
        "cifar10",
        {"kind": "binary", "label": "label"},
        "should be one of classes, or a rule (even, one_vs_rest, …); found 'label'",
    ),
    ("mnist", {"kind": "binary", "label": {"multiple_of": 10}}, "holds for none of 0, 1, 2"),
    ("mnist", {"kind": "forecast", "horizon": 1}, "own holds images"),
    ("har", {"kind": "binary", "label": {"flipped": 0}}, "is for images"),
]


@pytest.mark.parametrize(("kind", "task", "message"), WRONG)
def test_what_it_cannot(
    kind: str, task: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look_up(kind, task, tmp_path, monkeypatch)
    assert isinstance(found, Refusal) and message in found.message


ACTIVITY = {"kind": "classification", "label": "activity"}
SLICES: list[tuple[str, dict[str, Any], tuple[str, ...], str | None]] = [
    ("har", ACTIVITY, ("groups", "activity", "class"), None),
    ("har", ACTIVITY, ("person",), "should be among activity, groups, class (labels of the sources, groups of their "),
    ("series", {"kind": "binary", "input_len": 2, "label": {"coin": 5}}, ("groups",), "no source of a task has groups"),
]


@pytest.mark.parametrize(("kind", "task", "slices", "message"), SLICES)
def test_slices_are_looked_up_in_the_data(
    kind: str, task: dict[str, Any], slices: tuple[str, ...], message: str | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = look_up(kind, task, tmp_path, monkeypatch, slices)
    assert (found is None) == (message is None)
    assert found is None or (message is not None and message in found.message)
    assert (tmp_path / "data/index.json").exists() == (message is None)
