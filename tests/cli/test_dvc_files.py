"""DVC's own files, torn by real kills in the middle of writing and by cuts: the run goes on, to the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtl.cli.dvc_files import GOOD, is_whole, set_aside

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(os.name == "nt", reason="kills")]

STAGES = """
stages:
  one:
    cmd: python -c "open('one.txt', 'w').write('1' * 1000); open('ran', 'a').write('1')"
    deps: [in.txt]
    outs: [one.txt]
  two:
    cmd: python -c "import os; os.mkdir('two'); open('two/two.txt', 'w').write('2' * 1000); open('ran', 'a').write('2')"
    deps: [one.txt]
    outs: [two]
"""
KILL = """
import io, json, os, runpy, signal, sys, types
from dvc.utils.serialize import _yaml
import dvc.rwlock

def die(stream, text):
    stream.write(text[:12])
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "dvc.lock":
    real = _yaml._dump
    def dump(data, stream):
        text = io.StringIO()
        real(data, text)
        die(stream, text.getvalue())
    _yaml._dump = dump
else:
    dvc.rwlock.json = types.SimpleNamespace(
        JSONDecodeError=json.JSONDecodeError, load=json.load, dumps=json.dumps,
        dump=lambda data, stream: die(stream, json.dumps(data)),
    )
module = sys.argv[2]
sys.argv = ["dvc", "repro"]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    changes = {"PATH": paths, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "DVC_NO_ANALYTICS": "1"}
    changes["DVC_SITE_CACHE_DIR"] = str(place.parent / "site")
    return subprocess.run(
        [sys.executable, *command], cwd=place, env=os.environ | changes, capture_output=True, text=True, timeout=300
    )


def repro(place: Path) -> str:
    """`mtl repro`'s DVC; returns what it said on stderr."""
    done = run(place, "-m", "mtl.cli.repro", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished pipeline of two stages; tests copy it."""
    place = tmp_path_factory.mktemp("dvc") / "place"
    place.mkdir()
    (place / "dvc.yaml").write_text(STAGES)
    (place / "in.txt").write_text("in")
    assert run(place, "-m", "dvc", "init", "--no-scm", "--quiet").returncode == 0
    assert repro(place) == "" and (place / "ran").read_text() == "12"
    assert (place / GOOD).read_bytes() == (place / "dvc.lock").read_bytes()
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def same(place: Path, made: Path) -> None:
    for name in ("dvc.lock", "one.txt", "two/two.txt", "ran"):
        assert (place / name).read_bytes() == (made / name).read_bytes(), name


@pytest.mark.parametrize(
    ("held", "copy"),
    [
        ("nothing", True), ("half", False), *(
            pytest.param(held, copy, marks=pytest.mark.slow)
            for held, copy in [("nothing", False), ("half", True), ("a word", True), ("a word", False), ("zeros", True)]
        ),
    ],
)  # fmt: skip
def test_a_damaged_lock_file_is_set_aside_and_nothing_runs_again(
    held: str, copy: bool, place: Path, made: Path
) -> None:
    lock = place / "dvc.lock"
    whole = lock.read_bytes()
    half = whole[: whole.index(b"path: two") + 5]
    damaged = {"nothing": b"", "half": half, "a word": b"schema", "zeros": bytes(len(whole))}[held]
    lock.write_bytes(damaged)
    if not copy:
        shutil.rmtree(place / GOOD.parent)
    said = repro(place)
    rest = "the last good copy takes its place" if copy else "it is made anew from the outputs and DVC's cache"
    assert said.splitlines()[0] == (
        f"dvc.lock was damaged while something wrote it: it is dvc.lock.damaged now, and {rest}."
    )
    assert (place / "dvc.lock.damaged").read_bytes() == damaged
    same(place, made)


@pytest.mark.processes
@pytest.mark.parametrize("torn", ["dvc.lock", "rwlock"])
def test_a_kill_in_the_middle_of_writing(torn: str, place: Path, made: Path) -> None:
    """By hand it leaves half a file; the next `mtl repro` goes on, and its own kill leaves a whole dvc.lock."""
    (place / "one.txt").unlink()
    (place / "dvc.lock").unlink()
    killed = run(place, "-c", KILL, torn, "dvc")
    assert killed.returncode == -signal.SIGKILL, killed
    left = place / ("dvc.lock" if torn == "dvc.lock" else ".dvc/tmp/rwlock")
    held = left.read_bytes()
    assert not is_whole(held) if torn == "dvc.lock" else held != json.dumps({}).encode()
    assert run(place, "-m", "dvc", "repro").returncode == 255, "DVC alone ends at every start"
    assert f"{left.name} was damaged" in repro(place)
    same(place, made)
    if torn == "dvc.lock":
        (place / "dvc.yaml").write_text(STAGES.replace("'2' * 1000", "'3' * 1000"))
        before = left.read_bytes()
        assert run(place, "-c", KILL, torn, "mtl.cli.repro").returncode == -signal.SIGKILL
        assert left.read_bytes() == before
        assert "damaged" not in repro(place)
        assert (place / "two/two.txt").read_text() == "3" * 1000


def test_a_damaged_object_of_the_cache_is_computed_again(place: Path, made: Path) -> None:
    """It is read-only, so that DVC alone would take it for what it was."""
    (damaged,) = [
        path for path in (place / ".dvc/cache/files").rglob("*") if path.is_file() and path.read_bytes() == b"1" * 1000
    ]
    damaged.chmod(0o644)
    damaged.write_bytes(b"1" * 500)
    damaged.chmod(0o444)
    (place / "one.txt").unlink()
    (place / "two/two.txt").unlink()
    said = repro(place)
    assert (
        f"{damaged.name} in DVC's cache was damaged: it is {damaged.name}.damaged now, and is computed again." in said
    )
    assert (place / "ran").read_text() == "121"
    (place / "ran").write_text("12")
    same(place, made)


def test_a_damaged_index_is_made_again(place: Path, made: Path) -> None:
    assert repro(place) == ""
    databases = list((place.parent / "site").rglob("cache.db"))
    assert databases
    for database in databases:
        os.truncate(database, database.stat().st_size // 2)
    said = repro(place)
    assert said.count("was damaged: it is cache.db.damaged now, and is made again.") == len(databases)
    same(place, made)


def test_a_damaged_note_on_an_experiment_is_set_aside(place: Path, made: Path) -> None:
    """With it, `dvc exp run` ends in an error at every start."""
    folder = place / ".dvc/tmp/exps/run/workspace"
    folder.mkdir(parents=True)
    (folder / "workspace.run").write_text('{"git_u')
    whole = folder.parent / "abc/abc.run"
    whole.parent.mkdir()
    whole.write_text('{"git_url": "x"}')
    told = "workspace/workspace.run was damaged while DVC wrote it: it is workspace.run.damaged now."
    assert told in repro(place) and repro(place) == ""
    assert (folder / "workspace.run.damaged").read_text() == '{"git_u' and whole.is_file()
    same(place, made)


def test_what_is_not_ours_to_mend_stays(place: Path) -> None:
    conflict = b"<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '1.0'\n>>>>>>> other\n"
    (place / "dvc.lock").write_bytes(conflict)
    assert run(place, "-m", "mtl.cli.repro", "repro").returncode == 255
    assert (place / "dvc.lock").read_bytes() == conflict


def test_names_of_what_is_set_aside(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "x").write_text(str(number))
        set_aside(tmp_path / "x")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.damaged": "0", "x.damaged-2": "1", "x.damaged-3": "2",
    }  # fmt: skip
