"""A local database that is locked, read-only or no database: one warning, and `sync` repairs everything."""

import ctypes
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from mtl.config import Config
from mtl.tracking import TrackerError, open_database, publish, sync
from tests.tracking.results import RUNS, assert_complete, make_config, write_results

LONG = 120.0

PUBLISH = """
import sys
from pathlib import Path
from mtl.config import load_config
from mtl.paths import RunPath
from mtl.tracking import publish, publish_stage
root = Path(sys.argv[1])
publish_stage("finetune", [RunPath("finetune", "joint", None, 0).folder], root)
print(publish(load_config(root / "params.yaml"), root, patience=120.0).new)
"""


@pytest.fixture
def local(tmp_path: Path, database: str) -> Config:
    """Settings that publish to a database of the test's own."""
    (tmp_path / "store").mkdir()
    shutil.copyfile(database.removeprefix("sqlite:///"), tmp_path / "store/mlflow.db")
    return make_config(f"sqlite:///{tmp_path}/store/mlflow.db", "local")


@pytest.fixture
def root(tmp_path: Path, local: Config) -> Path:
    folder = tmp_path / "project"
    write_results(folder, local)
    return folder


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def overwritten(file: Path) -> Iterator[None]:
    content = file.read_bytes()
    file.write_bytes(b"?" * 100 + content[100:])
    yield
    file.write_bytes(content)


@contextmanager
def cut_off(file: Path) -> Iterator[None]:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    yield
    file.write_bytes(content)


@contextmanager
def replaced_by_a_folder(file: Path) -> Iterator[None]:
    away = file.rename(file.with_name("away"))
    file.mkdir()
    yield
    file.rmdir()
    away.rename(file)


@contextmanager
def read_only_file(file: Path) -> Iterator[None]:
    file.chmod(0o444)
    yield
    file.chmod(0o644)


@contextmanager
def read_only_folder(file: Path) -> Iterator[None]:
    file.parent.chmod(0o555)
    yield
    file.parent.chmod(0o755)


def bound_by_permissions() -> None:
    """Root reads and writes everything: in the child, which calls this, and its children, it may not any more."""
    drop, overrides, reads = 24, 1, 2  # PR_CAPBSET_DROP of prctl(2); CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (overrides, reads):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


CASES = [
    pytest.param(locked, "database is locked", id="locked", marks=pytest.mark.thorough),
    pytest.param(overwritten, "file is not a database", id="overwritten", marks=pytest.mark.thorough),
    pytest.param(read_only_file, "readonly database", id="read-only file", marks=pytest.mark.thorough),
    pytest.param(read_only_folder, "Permission denied", id="read-only folder", marks=pytest.mark.slow),
    pytest.param(replaced_by_a_folder, "unable to open database file", id="a folder", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes this right from root")
@pytest.mark.parametrize(("spoilt", "said"), CASES)
def test_a_database_that_cannot_be_used(
    spoilt: Callable[[Path], AbstractContextManager[None]], said: str, local: Config, root: Path, tmp_path: Path
) -> None:
    with spoilt(tmp_path / "store/mlflow.db"):
        done = subprocess.run(
            [sys.executable, "-c", PUBLISH, str(root)], capture_output=True, text=True, timeout=300,
            preexec_fn=bound_by_permissions,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert done.stderr.startswith(f"MLflow at {local.tracking.uri} cannot be used: ")
    assert said in done.stderr
    assert done.stderr.endswith("Results are safe; `mtl sync` publishes them later.\n")
    assert done.stderr.count("\n") == 1
    repaired = sync(local, root)
    assert (repaired.new, repaired.present, repaired.problem) == (RUNS, 0, None)
    assert_complete(local)


def test_sync_and_ui_say_what_is_wrong(local: Config, root: Path, tmp_path: Path) -> None:
    with overwritten(tmp_path / "store/mlflow.db"):
        failed = sync(local, root)
        assert failed.problem is not None and "file is not a database" in failed.problem
        with pytest.raises(TrackerError, match="cannot be used: file is not a database"):
            open_database(local, root)
    with cut_off(tmp_path / "store/mlflow.db"):
        failed = sync(local, root)
        assert failed.problem is not None and "is malformed. Rename mlflow.db to" in failed.problem
    (tmp_path / "store/mlflow.db").rename(tmp_path / "store/mlflow.db.damaged")
    assert sync(local, root).new == RUNS, "the remedy"


@pytest.mark.slow
def test_a_database_that_was_deleted_is_made_again(local: Config, root: Path, tmp_path: Path) -> None:
    """Also when it is known to hold everything."""
    assert publish(local, root, patience=LONG).new == RUNS
    assert publish(local, root, patience=LONG).new == 0
    (tmp_path / "store/mlflow.db").unlink()
    assert publish(local, root, patience=LONG).new == RUNS
    assert_complete(local)
