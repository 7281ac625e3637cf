"""A project whose folder has an odd name, or that was moved: its own database, and its artefacts in view."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mtl.config import Config
from mtl.errors import ConfigError
from mtl.tracking import open_database, resolve_uri, sync
from mtl.tracking.address import database_file, sqlite_address
from mtl.tracking.moved import OWN_PLACE, PLACES, mend_moved
from tests.tracking.results import RUNS, make_config, write_results

NAMES = [
    "50%20off", "what?x=1", "a#b", "two words", "äö ü", "a{b}", "semi;colon&amp", "%", "a:b", "me@home", "'\"",
    "back\\slash", "[x]", "$HOME", "?mode=memory&uri=true",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_address_leads_to_its_file_and_back(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    uri = resolve_uri(make_config(None, "x"), folder)
    assert database_file(uri) == folder / "mlflow.db"
    relative = sqlite_address(Path(name) / "own.db")
    assert database_file(resolve_uri(make_config(relative, "x"), tmp_path)) == folder / "own.db"


def test_a_path_that_was_not_escaped_is_told(tmp_path: Path) -> None:
    (tmp_path / "50%20off").mkdir()
    with pytest.raises(ConfigError, match=r"are escaped: sqlite\+pysqlite:///50%2520off/x\.db$"):
        resolve_uri(make_config("sqlite:///50%20off/x.db", "x"), tmp_path)
    (tmp_path / "50 off").mkdir()
    assert database_file(resolve_uri(make_config("sqlite:///50%20off/x.db", "x"), tmp_path)) == tmp_path / "50 off/x.db"


@pytest.fixture
def config() -> Config:
    return make_config(None, "odd")


@pytest.fixture
def published(tmp_path: Path, empty_database: Path, config: Config) -> Path:
    """A project in an odd folder whose runs are all in its database."""
    root = tmp_path / "100%25 #1?x=ü" / "project"
    write_results(root, config)
    shutil.copyfile(empty_database, root / "mlflow.db")
    assert sync(config, root).new == RUNS
    assert sorted(path.name for path in tmp_path.iterdir()) == [root.parent.name], "nothing beside the project"
    return root


def files_of(config: Config, root: Path) -> dict[str, set[str]]:
    """Run's name → its files, as MLflow lists them by what the database says."""
    client = MlflowClient(tracking_uri=resolve_uri(config, root))
    experiment = client.get_experiment_by_name("odd")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return {
        str(run.info.run_name): {file.path for file in client.list_artifacts(run.info.run_id)}
        for run in runs if run.info.artifact_uri.startswith((root / "mlartifacts").as_uri())
    }  # fmt: skip


def places(root: Path) -> list[str]:
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        return [
            row for table, column in PLACES for (row,) in connection.execute(f"SELECT {column} FROM {table}") if row
        ]


def test_a_moved_project_finds_its_artefacts(config: Config, published: Path, tmp_path: Path) -> None:
    before = files_of(config, published)
    assert len(before) == RUNS + 1 and {"run.json", "history.json"} <= before["s0 joint"]
    moved = tmp_path / "elsewhere%2F"
    published.rename(moved)
    (done,) = mend_moved(moved / "mlflow.db", moved)
    assert done.before == published and done.count == 2 + RUNS + 1, "with the first experiment of the copied database"
    assert str(done).startswith(f"The project was moved here from {published}: ")
    assert mend_moved(moved / "mlflow.db", moved) == [], "once"
    assert files_of(config, moved) == before
    assert sync(config, moved).new == 0, "nothing is published twice"
    assert not published.exists(), "nothing is written where it was"


def test_a_copy_has_its_own_artefacts_and_the_original_keeps_its_own(
    config: Config, published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = places(published)
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    open_database(config, copy)  # As any command that opens it does.
    assert [record.getMessage() for record in caplog.records if "was moved here" in record.getMessage()]
    assert set(files_of(config, copy)["s1 joint"]) == set(files_of(config, published)["s1 joint"])
    assert places(published) == before


def test_what_somebody_else_chose_stays(config: Config, published: Path, tmp_path: Path) -> None:
    """An experiment on another disk, a database outside, and runs that were written after a move without a word."""
    disk = tmp_path / "disk/mlartifacts"
    client = MlflowClient(tracking_uri=resolve_uri(config, published))
    other = client.create_experiment("other", artifact_location=disk.as_uri())
    client.create_run(other)
    with closing(sqlite3.connect(published / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM experiment_tags WHERE key = ?", (OWN_PLACE,))  # Made before there was the tag.
        addresses = connection.execute("SELECT artifact_uri FROM runs WHERE experiment_id != ?", (other,)).fetchall()
    # Means over seeds have no files; which address is the first, chance decides.
    late = max(address for (address,) in addresses if (published / "mlartifacts" / address.split("/")[-2]).exists())
    moved = tmp_path / "moved"
    published.rename(moved)
    shutil.move(moved / "mlartifacts" / late.split("/")[-2], published / "mlartifacts" / late.split("/")[-2])
    assert mend_moved(moved / "mlflow.db", moved / "data") == [], "not in that folder"
    (done,) = mend_moved(moved / "mlflow.db", moved)
    assert done.count == 2 + RUNS, "one run fewer"
    kept = [place for place in places(moved) if not place.startswith(moved.as_uri())]
    assert late in kept and disk.as_uri() in kept
    assert mend_moved(moved / "mlflow.db", moved) == []


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from mtl.tracking import moved
real = moved._path
seen = 0
def path(address):
    global seen
    seen += 1
    if seen > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(address)
moved._path = path
print(len(moved.mend_moved(Path(sys.argv[1]) / "mlflow.db", Path(sys.argv[1]))))
"""


@pytest.mark.thorough
@pytest.mark.processes
@pytest.mark.skipif(os.name == "nt", reason="kills")
def test_a_kill_leaves_all_or_nothing_and_two_at_once_do_it_once(
    config: Config, published: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    published.rename(moved)
    before = places(moved)
    for after in (8, 12, 19):  # Two looks at three experiments, then their addresses and those of the runs.
        killed = subprocess.run([sys.executable, "-c", KILLED, str(moved), str(after)], capture_output=True)
        assert killed.returncode == -signal.SIGKILL, killed
        assert places(moved) == before
    both = [
        subprocess.Popen([sys.executable, "-c", KILLED, str(moved), "1000000"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in both) == ["0", "1"]
    assert len(files_of(config, moved)) == RUNS + 1
