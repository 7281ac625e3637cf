"""A project that is no clone: which stages an edit of the installed code runs again, and what becomes of dvc.yaml."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtl.errors import UserError
from mtl.project import code as digests
from mtl.project.code import CODE, check_code, digest, installed, read_code, room_digest, rooms_of_stages, write_code
from mtl.project.pipeline import DVC_FILE, pipeline, upgrade
from mtl.project.places import MANIFESTS, PACKAGE, PIPELINE, PRESETS
from mtl.setup.new_project import lay_out


def stages(text: str) -> dict[str, Any]:
    """Stage → its body."""
    return {name: stage.get("do", stage) for name, stage in yaml.safe_load(text)["stages"].items()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project as it is laid out, without params.yaml."""
    lay_out(tmp_path)
    return tmp_path


def test_the_package_holds_the_files_of_the_repository(project: Path) -> None:
    for held, here, pattern in ((PRESETS, "presets", "*.yaml"), (MANIFESTS, "data/raw", "*.json")):
        names = {path.name for path in held.glob(pattern)}
        assert names and names == {path.name for path in (project / here).glob(pattern)}
        assert held.resolve() == project / here
    assert PIPELINE.resolve() == project / "dvc.yaml"


def test_a_stage_depends_on_its_digest_in_the_place_of_source_files(project: Path) -> None:
    of_clone, of_project = stages((project / "dvc.yaml").read_text(encoding="utf-8")), stages(pipeline())
    assert list(of_project) == list(of_clone)
    for name, body in of_project.items():
        kept = [dependency for dependency in of_clone[name]["deps"] if not dependency.startswith("mtl/")]
        params = [{CODE.as_posix(): [f"stages.{name}"]}, *of_clone[name]["params"]]
        assert body == of_clone[name] | {"deps": kept, "params": params}
        assert kept, "DVC takes a stage without dependencies for one that always runs"


EVERY = set(rooms_of_stages())


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("evaluation/compare.py", {"evaluate"}),
        ("report/page.html.j2", {"evaluate"}),
        ("data/sources/sensors.py", {"prepare"}),
        ("grouping/clustering.py", EVERY - {"prepare", "index", "reference"}),
        ("stages/cluster.py", {"cluster"}),
        ("config/sensors.py", EVERY),
        ("cli/main.py", set()),
        ("tracking/identity.py", set()),
        ("jobs/local.py", set()),
        ("project/pipeline.py", set()),
        ("version.py", set()),
    ],
)
def test_an_edit_runs_again_what_imports_it(
    file: str, touched: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mtl"
    for room in {Path(file).parts[0], *(Path(room).parts[0] for rooms in rooms_of_stages().values() for room in rooms)}:
        (package / room).parent.mkdir(exist_ok=True)
        (shutil.copytree if (PACKAGE / room).is_dir() else shutil.copy)(PACKAGE / room, package / room)
    monkeypatch.setattr(digests, "PACKAGE", package)
    room_digest.cache_clear()
    before = installed("").stages
    with (package / file).open("a", encoding="utf-8") as stream:
        stream.write("\n# edited\n")
    room_digest.cache_clear()
    after = installed("").stages
    room_digest.cache_clear()
    assert {stage for stage in EVERY if before[stage] != after[stage]} == touched


def test_laying_out_again_writes_nothing(place: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    assert lay_out(place) == []
    assert times == {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    change = upgrade(place)
    assert change is not None and change.said == [] and change.text is None
    check_code(place)


def test_a_clone_has_no_digests(project: Path, tmp_path: Path) -> None:
    assert upgrade(project) is None
    assert upgrade(tmp_path) is None
    check_code(tmp_path)


def test_an_upgrade_says_what_it_runs_again_in_one_line(place: Path) -> None:
    held = read_code(place)
    assert held is not None
    rooms, of_stages = held.rooms | {"evaluation": "0", "gone": "0"}, held.stages | {"evaluate": "0"}
    write_code(replace(held, mtl="0.1.9", rooms=rooms, stages=of_stages), place)
    with pytest.raises(UserError, match=r"code\.json is of mtl 0\.1\.9, .* run `mtl repro`"):
        check_code(place)
    change = upgrade(place)
    assert change is not None
    assert change.said == [
        f"mtl 0.1.9 → {held.mtl} changed in evaluation, gone: what the stage evaluate made is computed again"
    ]
    change.write(place)
    assert read_code(place) == held
    check_code(place)


def test_a_version_that_touches_no_stage_is_written_and_not_told(place: Path) -> None:
    held = read_code(place)
    assert held is not None
    write_code(replace(held, mtl="0.1.9"), place)
    check_code(place)
    change = upgrade(place)
    assert change is not None and change.said == []
    change.write(place)
    assert read_code(place) == held


def test_a_pipeline_without_edits_becomes_that_of_the_installed_version(place: Path) -> None:
    held = read_code(place)
    assert held is not None
    old = pipeline().replace("writes the tables and the report", "writes the report")
    (place / DVC_FILE).write_text(old, encoding="utf-8")
    write_code(replace(held, pipeline=digest(old)), place)
    change = upgrade(place)
    assert change is not None and change.said == [f"dvc.yaml is written as mtl {held.mtl} has it"]
    change.write(place)
    assert (place / DVC_FILE).read_text(encoding="utf-8") == pipeline()
    assert read_code(place) == held


def test_edits_of_the_pipeline_stay(place: Path) -> None:
    own = pipeline() + "  mine:\n    cmd: echo mine\n    params:\n      - code.json: [stages.evaluate]\n"
    (place / DVC_FILE).write_text(own, encoding="utf-8")
    for _ in range(2):
        change = upgrade(place)
        assert change is not None and change.said == [] and change.text is None
        change.write(place)
    assert (place / DVC_FILE).read_text(encoding="utf-8") == own
    (place / DVC_FILE).write_text(own.replace("[stages.evaluate]", "[stages.judge]"), encoding="utf-8")
    with pytest.raises(UserError, match=r"\[stages\.judge\]` names a stage that mtl .* does not have"):
        upgrade(place)
    (place / DVC_FILE).unlink()  # as the message says
    change = upgrade(place)
    assert change is not None
    change.write(place)
    assert (place / DVC_FILE).read_text(encoding="utf-8") == pipeline()


@pytest.mark.parametrize("text", ["", "<<<<<<< ours\n", "{}", "[]", '{"mtl": "1"}'])
def test_a_damaged_file_is_written_anew(place: Path, text: str) -> None:
    whole = read_code(place)
    (place / CODE).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="no version that can be read"):
        check_code(place)
    change = upgrade(place)
    assert change is not None and change.said == []
    change.write(place)
    assert read_code(place) == whole


def test_dvc_finds_one_pipeline_in_a_clone(project: Path) -> None:
    """It looks for files of that name in every folder."""
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True).stdout
    assert [name for name in listed.split("\n") if Path(name).name == DVC_FILE.name] == [DVC_FILE.as_posix()]
