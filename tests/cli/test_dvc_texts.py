"""dvc.lock and params.yaml in processes that `mtl` starts: written and read once, as DVC writes and reads them."""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import _yaml

from mtl.cli import dvc_files
from mtl.cli.dvc_files import lock_text
from mtl.config import yaml_file
from mtl.config.yaml_file import read_yaml
from mtl.errors import ConfigError

PLAIN = _yaml.parse_yaml


def content(luck: random.Random, stages: int) -> dict[str, Any]:
    """Content of a dvc.lock with values of every type, and long, empty and odd texts."""
    values = [0.001, 1e-05, 1.0, 3, True, None, "x", "1", "yes", "a: b", " led", "µ", "w " * 60, [], {},
              [1, [2.5, "z"]], {"a": [{"b": None}], "1": "2"}, "2021-01-01", "null", "-", "line\nline"]  # fmt: skip
    return {"schema": "2.0", "stages": {
        f"stage{number}@{luck.choice('ab')}": {
            "cmd": f"python -m mtl.stages.s{number} " + "long " * luck.randrange(40),
            "deps": [{"path": f"data/{n}", "md5": "0" * 32, "size": n} for n in range(luck.randrange(3))],
            "params": {"params.yaml": {f"p{n}": deepcopy(luck.choice(values)) for n in range(5)}},
        }
        for number in range(stages)
    }}  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_a_lock_file_is_written_stage_by_stage_as_dvc_writes_it(seed: int, tmp_path: Path) -> None:
    luck = random.Random(seed)
    data, written = content(luck, 4), dict[str, str]()
    assert lock_text(data, written) == _yaml.dumps_yaml(data)
    data["stages"] |= content(luck, 2)["stages"]
    text = lock_text(data, written)
    assert text == _yaml.dumps_yaml(data) and PLAIN(text, "") == data
    (tmp_path / "dvc.lock").write_text(text)
    with _yaml.modify_yaml(tmp_path / "dvc.lock"):
        pass
    assert (tmp_path / "dvc.lock").read_text() == text, "DVC, which edits the text, would leave it as it is"


@pytest.mark.parametrize("data", [{}, {"schema": "2.0", "stages": {}}, {"schema": "2.0", "datasets": [1]}])
def test_other_contents_are_written_by_dvc(data: dict[str, Any]) -> None:
    assert lock_text(data, {}) == _yaml.dumps_yaml(data)


def test_a_comment_in_the_lock_file_stays(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text("# mine\n" + _yaml.dumps_yaml(content(random.Random(0), 2)))
    edit = dvc_files._in_one_step(_yaml.modify_yaml, tmp_path)
    with edit(str(lock)) as data:
        data["stages"]["more"] = {"cmd": "x"}
    assert lock.read_text().startswith("# mine\n") and lock.read_text().endswith("  more:\n    cmd: x\n")


def test_a_text_is_read_once_and_nobody_changes_it_for_others() -> None:
    calls: list[str] = []

    def parse(text: str, path: str, typ: str) -> Any:
        calls.append(text)
        return PLAIN(text, path, typ)

    once = dvc_files._once(parse)
    first = once("a: [1, 2]", "")
    first["a"].append(3)
    assert once("a: [1, 2]", "") == {"a": [1, 2]} and calls == ["a: [1, 2]"]
    for number in range(10):
        once(f"b: {number}", "")
    once("a: [1, 2]", "")
    assert calls.count("a: [1, 2]") == 2, "few texts are held"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, as a process finds it that has read nothing."""
    (tmp_path / ".mtl").mkdir()
    monkeypatch.setattr(yaml_file, "_READ", {})
    return tmp_path


LONG = "tasks:\n" + "".join(f"  t{number}: {{kind: binary, rate: 1e-3, on: yes, n: 0o7}}\n" for number in range(1000))


def test_a_long_text_is_read_once_for_all_processes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "params.yaml"
    file.write_text(LONG)
    content = read_yaml(file)
    assert content["tasks"]["t7"] == {"kind": "binary", "rate": 0.001, "on": "yes", "n": 7}
    content["tasks"].clear()
    monkeypatch.setattr(yaml_file, "_READ", {})
    monkeypatch.setattr(yaml_file, "parse_yaml", None)
    assert len(read_yaml(file)["tasks"]) == 1000 == len(read_yaml(file)["tasks"])
    monkeypatch.undo()
    file.write_text(LONG.replace("t999:", "last:"))
    assert "last" in read_yaml(file)["tasks"]
    assert len(list((place / ".mtl/parsed").iterdir())) == 1, "the newest alone"


@pytest.mark.parametrize("harm", ["{", ""])
def test_a_damaged_copy_is_not_read(harm: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "params.yaml"
    file.write_text(LONG)
    whole = read_yaml(file)
    for copy in (place / ".mtl/parsed").iterdir():
        copy.write_text(harm)
    monkeypatch.setattr(yaml_file, "_READ", {})
    assert read_yaml(file) == whole


def test_what_json_cannot_hold_and_what_is_wrong_is_not_kept(place: Path) -> None:
    file = place / "params.yaml"
    file.write_text(LONG + "1: number\n")
    assert read_yaml(file)[1] == "number"
    file.write_text(LONG + "tasks: twice\n")
    for _ in range(2):
        with pytest.raises(ConfigError):
            read_yaml(file)
    assert not (place / ".mtl/parsed").exists()


def test_a_short_text_and_a_folder_that_is_no_project_are_left_alone(place: Path, tmp_path: Path) -> None:
    (place / "params.yaml").write_text("a: 1\n")
    assert read_yaml(place / "params.yaml") == {"a": 1} and not list((place / ".mtl").iterdir())
    (tmp_path / "other").mkdir()
    (tmp_path / "other/params.yaml").write_text(LONG)
    assert json.dumps(read_yaml(tmp_path / "other/params.yaml"))
    assert not (tmp_path / "other/.mtl").exists()
