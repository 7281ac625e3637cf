"""`mtl check` on a pipeline of small scripts, which are as reproducible as a test makes them."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml

from mtl.cli.check import artefacts, second_run
from mtl.cli.check.check import check, check_reference, write_reference
from mtl.config import load_config
from mtl.data.files.register import add
from mtl.errors import UserError
from mtl.stages.prepare import prepare
from tests.e2e.killing import interruptible
from tests.e2e.project import Done, Project, settings
from tests.helpers.data_files import make_source

STAGES = """
stages:
  prepare:
    foreach: ${prepare.sources}
    do:
      cmd: python work.py data/prepared/${key}/meta.json 0.5
      deps: [work.py, "data/raw/${key}.json"]
      params: ["prepare.sources.${key}"]
      outs: ["data/prepared/${key}"]
  baseline:
    foreach: ${tasks}
    do:
      cmd: python work.py outputs/baseline/${key}/history.json "NUMBER"
      deps: [work.py, data/prepared]
      params: [train.lr]
      outs: ["outputs/baseline/${key}"]
  evaluate:
    cmd: python work.py results/metrics.json 0.25 report/report.html 1
    deps: [work.py, outputs/baseline]
    metrics: [results/metrics.json]
    plots:
      - report/report.html: {x: epoch}
"""
WORK = """
import json, os, sys
from pathlib import Path
import yaml
params = yaml.safe_load(Path("params.yaml").read_text())
second = Path.cwd().name == "second"
print("USED", params["base"]["jobs"], params["tracking"]["enabled"], os.environ.get("PYTHONHASHSEED"))
assert Path("data/raw/mine.csv").read_text() == "1,2\\n", "raw data are there"
for name, number in zip(sys.argv[1::2], sys.argv[2::2]):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(json.dumps({"joint": {"ahead": {"mse": eval(number)}}}))
Path("data/raw/written.txt").write_text("by the second run" if second else "by the first")
"""
LINES = """\
prepare@sensors: 1 file, identical
baseline@ahead: 1 file, {}
baseline@fault: 1 file, {}
evaluate: 2 files, identical
"""


PROJECT = Path(__file__).resolve().parents[3]


class Place(Project):
    """A project of which only the scripts are its own: the command comes from the checkout."""

    def check(self, *options: str, **environment: str) -> Done:
        return self.mtl("check", *options, **self.beside(), **environment)

    def beside(self) -> dict[str, str]:
        """A folder for temporary files of its own, so that what is left over is seen."""
        (self.root.parent / "tmp").mkdir(exist_ok=True)
        return {"TMPDIR": str(self.root.parent / "tmp"), "PYTHONPATH": str(PROJECT)}

    def left(self) -> list[Path]:
        """Files and folders that were left in that folder."""
        return list((self.root.parent / "tmp").iterdir())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """No git checkout, nothing has run; its DVC cache is one that projects share."""
    made = Place(tmp_path_factory.mktemp("fresh") / "project")
    manifest = {"files": {"mine.csv": {"sha256": [hashlib.sha256(b"1,2\n").hexdigest()]}}}
    for name, text in {
        "work.py": WORK,
        "data/raw/sensors.json": json.dumps(manifest),
        "data/raw/mine.csv": "1,2\n",
        ".dvc/config": "[core]\n    no_scm = true\n[cache]\n    dir = ../../cache\n",
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".gitignore": "data/raw/*\n!data/raw/*.json\n/outputs/\n/results/\n/report/\ndata/prepared/\nignored.txt\n",
        "ignored.txt": "mine",
        "presets/sensors.yaml": "",
        "dvc.yaml": STAGES.replace("NUMBER", "eval(os.environ['THEN']) if second and 'THEN' in os.environ else 0.75"),
        "outputs/baseline/ghost/history.json": "left behind by another preset",
    }.items():
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_text(text)
    made.use(settings())
    return made


@pytest.fixture
def place(fresh: Place, tmp_path: Path) -> Place:
    """A copy of it to work in."""
    shutil.copytree(fresh.root, tmp_path / "project")
    return Place(tmp_path / "project")


@pytest.fixture(scope="module")
def finished(fresh: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """It has run; the environment's THEN says what the second run does instead."""
    made = Place(tmp_path_factory.mktemp("finished") / "project")
    shutil.copytree(fresh.root, made.root)
    made.dvc("repro").well()
    return made


@pytest.fixture
def ran(finished: Place, tmp_path: Path) -> Place:
    """A copy of it, and of the cache that it shares, to work in."""
    for name in ("project", "cache"):
        shutil.copytree(finished.root.parent / name, tmp_path / name)
    return Place(tmp_path / "project")


@pytest.mark.thorough
def test_the_same_bytes_and_then_a_changed_result(ran: Place) -> None:
    before, cached = ran.contents(), Project(ran.root.parent).contents("cache")
    done = ran.check(PYTHONHASHSEED="7").well()
    assert done.ran == ["prepare@sensors", "baseline@ahead", "baseline@fault", "evaluate"], "nothing is taken over"
    assert re.findall(r"^USED (.*)$", done.out, re.MULTILINE) == ["2 False 20231"] * 4
    assert done.out.endswith(
        LINES.format("identical", "identical") + "The same bytes: 5 files of 4 stages, 1 metrics.\n"
    )
    assert ran.contents() == before, "nothing is written in the project, not even in data/raw"
    assert Project(ran.root.parent).contents("cache") == cached
    assert ran.left() == []

    changed = ran.root / "outputs/baseline/fault/history.json"
    changed.write_text(changed.read_text().replace("0.75", "0.7500000000000001"))
    with pytest.raises(UserError, match=r"baseline@fault and 1 more: not up to date, .* run `mtl repro` first"):
        check(ran.root)
    ran.dvc("commit", "--force").well()
    done = ran.check()
    assert done.code == 1
    assert LINES.format("identical", "1 of them not the same") in done.out
    assert "baseline@fault is the first stage that differs: outputs/baseline/fault/history.json\n" in done.out
    assert "at joint.ahead.mse: 0.7500000000000001 in the first run, 0.75 in the second" in done.out
    assert ran.left() == []


@pytest.mark.slow
def test_what_depends_on_seed_jobs_or_folder_is_named(place: Place) -> None:
    number = "[hash('x') % 1000, params['base']['jobs'], len(os.getcwd())]"
    (place.root / "dvc.yaml").write_text(STAGES.replace("NUMBER", number))
    place.dvc("repro").well()
    done = place.check("--keep", PYTHONHASHSEED="0")
    assert done.code == 1
    [copy] = [folder / "second" for folder in place.left()]
    assert str(copy) in done.out
    file = "outputs/baseline/ahead/history.json"
    found = list(artefacts.differences(place.json(file), Project(copy).json(file)))
    assert [key for key, _, _ in found] == [f"joint.ahead.mse[{number}]" for number in range(3)]
    key, first, second = found[0]
    wrong = "1 of them not the same"
    assert done.out.endswith(
        f"{LINES.format(wrong, wrong)}\n"
        f"baseline@ahead is the first stage that differs: {file}\n"
        f"  at {key}: {first} in the first run, {second} in the second\n"
    )


def test_without_a_first_run_there_is_nothing_to_compare(place: Place) -> None:
    for command in (check, check_reference, write_reference):
        with pytest.raises(UserError, match=r"dvc\.lock is missing: nothing has run here; run `mtl repro` first\."):
            command(place.root)


@pytest.mark.thorough
def test_what_is_not_up_to_date_has_no_first_run(ran: Place) -> None:
    params = settings()
    params["train"]["lr"] = 0.5
    ran.use(params)
    before = ran.contents()
    done = ran.check()
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: baseline@ahead and 1 more: not up to date, so there is no first run; run `mtl repro` first.\n"
    )
    assert ran.contents() == before
    assert ran.left() == []


@pytest.mark.slow
def test_a_second_run_that_fails_is_no_result(ran: Place) -> None:
    done = ran.check(THEN="sys.exit(2)")
    assert done.code == 2
    assert done.out.endswith("The second run ended with exit code 2: nothing was compared.\n")
    assert ran.left() == []


@pytest.mark.processes
@pytest.mark.slow
def test_ctrl_c_ends_the_second_run_and_clears_up(ran: Place) -> None:
    environment = ran.environment(**ran.beside(), THEN="__import__('time').sleep(600)")
    command = interruptible("-m", "pipelines", "check")
    child = subprocess.Popen(
        command, cwd=ran.root, env=environment, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.startswith("Running stage 'baseline@ahead'"):
                break
        time.sleep(0.5)
        os.killpg(child.pid, signal.SIGINT)  # What a terminal does.
        assert child.wait(60) not in (0, 1)
    finally:
        child.kill()
        child.stdout.close()
    assert ran.left() == []
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)  # Nobody of its group is left.


def test_the_copy_has_what_git_knows_or_would_take(place: Place) -> None:
    place.run("git", "init", "--quiet").well()
    (place.root / "deleted.txt").write_text("")
    place.commit()
    (place.root / "deleted.txt").unlink()
    (place.root / "plugins").mkdir()
    (place.root / "plugins/mine.py").write_text("untracked")
    (place.root / "work.py").write_text("edited")
    (place.root / "shared").symlink_to(place.root / "plugins")
    (place.root / "data/raw/other.csv").write_text("no source of these settings")
    (place.root / "dvc.lock").write_text("")
    expected = {
        ".dvc/.gitignore", ".dvc/config", ".dvc/config.local", ".gitignore", "data/raw/mine.csv",
        "data/raw/sensors.json", "dvc.yaml", "params.yaml", "plugins/mine.py", "presets/sensors.yaml",
        "shared/mine.py", "work.py",
    }  # fmt: skip
    config = load_config(place.root / "params.yaml")
    for checkout in (True, False):
        if not checkout:
            shutil.rmtree(place.root / ".git")
        with second_run.copied(config, place.root) as copy:
            found = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
            assert found == expected
            assert (copy / "work.py").read_text() == "edited"
            params = yaml.safe_load((copy / "params.yaml").read_text())
            assert params == settings() | {"base": settings()["base"] | {"jobs": 2}, "tracking": {"enabled": False}}
            (copy / "shared/mine.py").write_text("changed")
            (copy / "data/raw/mine.csv").unlink()
            (copy / "data/raw/sensors.json").write_text("changed")
        assert not copy.parent.exists()
        assert (place.root / "plugins/mine.py").read_text() == "untracked"
        assert (place.root / "data/raw/mine.csv").read_text() == "1,2\n"
        assert "mine.csv" in (place.root / "data/raw/sensors.json").read_text()


@pytest.mark.parametrize("kind", ["series", "har", "uea", "arrays"])
def test_raw_data_can_be_read_through_their_links(kind: str, tmp_path: Path) -> None:
    source = make_source(kind, tmp_path)
    add(kind, sorted((tmp_path / "data/raw").iterdir())[-1:], tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / ".gitignore").write_text("data/raw/*\n!data/raw/*.json\ndata/prepared/\n")
    params = settings()
    params["prepare"]["sources"] = {kind: source.model_dump(mode="json")}
    params["tasks"] = {"label": {"kind": "classification", "source": kind, "label": "any", "input_len": 4}}
    params["encoder"] = {"kind": "linear", "input_len": 4}
    params["pretrain"] = {"objective": {"kind": "none"}}
    params["baseline"] = {"starts": [{"init": "random"}]}
    params["finetune"]["methods"] = {"joint": {"kind": "uncertainty"}}
    Project(tmp_path).use(params)
    first = prepare({kind: source}, kind, tmp_path)
    with second_run.copied(load_config(tmp_path / "params.yaml"), tmp_path) as copy:
        second = prepare({kind: source}, kind, copy)
        assert (copy / "data/prepared" / kind).is_dir()
        assert any(path.is_symlink() for path in (copy / "data/raw").rglob("*"))
    assert torch.equal(first.values, second.values)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2.5]}}, {"a": {"b": [1, 2.25]}}, [("a.b[1]", "2.5", "2.25")]),
        ({"a": 1, "b": 2}, {"b": 3}, [("a", "1", "nothing"), ("b", "2", "3")]),
        ([1], [1, None], [("[1]", "nothing", "null")]),
        ({"a": 1}, {"a": 1.0}, [("a", "1", "1.0")]),
        ({"a": True}, {"a": 1}, [("a", "true", "1")]),
        ({"ETTh1.OT": {"x": "é"}}, {"ETTh1.OT": {"x": "è"}}, [('"ETTh1.OT".x', '"é"', '"è"')]),
        ([], {}, [("the whole value", "[]", "{}")]),
        ({"a": [0] * 99}, {"a": 0}, [("a", "[" + "0, " * 26 + "…", "0")]),
    ],
)
def test_differences_of_json_have_a_path(first: object, second: object, found: list[tuple[str, str, str]]) -> None:
    assert list(artefacts.differences(first, second)) == found


def test_files_that_are_no_json_differ_from_a_byte_on(tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(b"\x89PNG1")
    assert artefacts.where(first, second) == "is missing in the second run"
    assert artefacts.where(second, first) == "is missing in the first run"
    second.write_bytes(b"\x89PNG")
    assert artefacts.where(first, second) == "from byte 4 on (5 bytes in the first run, 4 in the second)"


def test_files_that_one_side_lacks_differ() -> None:
    ours = {"one": {"a": "1", "b": "2"}, "two": {"c": "3"}}
    theirs = {"one": {"a": "1", "d": "4"}, "three": {"e": "5"}}
    assert artefacts.compare(ours, theirs) == [
        artefacts.Compared("one", 3, ["b", "d"]),
        artefacts.Compared("two", 1, ["c"]),
        artefacts.Compared("three", 1, ["e"]),
    ]
