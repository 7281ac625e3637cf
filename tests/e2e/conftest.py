"""Projects that the tests share: made once a session, also when several workers share the tests."""

import compileall
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.project import Done, Project, clone, own_csv, own_settings, settings


@dataclass(frozen=True)
class Finished:
    """A project in which `mtl repro` ran twice from nothing."""

    project: Project
    first: Done
    again: Done


@dataclass(frozen=True)
class Switched:
    """A finished project after a switch to the user's own file, and after the way back."""

    there: Done
    held_there: dict[str, str]
    """Path → hash of its results then."""
    back: Done
    held_back: dict[str, str]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Project:
    """A clone in which nothing has been run; tests copy it and run nothing in it."""

    def make(folder: Path) -> None:
        clone(project, folder)
        # Once here, instead of by the first command in every copy.
        assert compileall.compile_dir(folder, quiet=1)

    return Project(_once(tmp_path_factory, "fresh", make))


@pytest.fixture(scope="session")
def computed(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Project:
    """`settings`, every stage from nothing to the report without DVC and MLflow; tests change nothing in it.

    It takes an eighth of what `finished` takes, with which `make test-thorough` compares it.
    """

    def make(folder: Path) -> None:
        made = fresh.copy(folder / "project")
        params = settings()
        params["tracking"]["enabled"] = False
        made.use(params)
        made.run(sys.executable, str(Path(__file__).parent.parent / "helpers/stages_at_once.py")).well()

    return Project(_once(tmp_path_factory, "computed", make) / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Finished:
    """`settings`, from nothing to the report, with MLflow; tests change nothing in it."""

    def make(folder: Path) -> None:
        made = fresh.copy(folder / "project")
        made.use(settings())
        made.commit()
        for name in ("first", "again"):
            _keep(made.mtl("repro", PYTHONHASHSEED="1"), folder / name)
        made.commit()

    folder = _once(tmp_path_factory, "finished", make)
    return Finished(Project(folder / "project"), _kept(folder / "first"), _kept(folder / "again"))


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Project:
    """The user's own CSV in a fresh clone, with one job; tests change nothing in it."""

    def make(folder: Path) -> None:
        made = fresh.copy(folder / "project")
        (folder / "mine.csv").write_text(own_csv())
        made.mtl("data", "add", "mine", str(folder / "mine.csv")).well()
        params = own_settings()
        params["base"]["jobs"] = 1
        made.use(params)
        (folder / "out").write_text(made.mtl("repro", PYTHONHASHSEED="22").well().out)

    return Project(_once(tmp_path_factory, "own", make) / "project")


@pytest.fixture(scope="session")
def switched(tmp_path_factory: pytest.TempPathFactory, finished: Finished) -> Switched:
    """The finished project on the user's own CSV (with two jobs and another hash seed), then on `settings` again."""

    def make(folder: Path) -> None:
        made = finished.project.copy(folder / "project")
        (folder / "mine.csv").write_text(own_csv())
        made.mtl("data", "add", "mine", str(folder / "mine.csv")).well()
        for name, params in (("there", own_settings()), ("back", settings())):
            params["tracking"]["enabled"] = False
            made.use(params)
            _keep(made.mtl("repro", PYTHONHASHSEED="11").well(), folder / name)
            (folder / f"{name}.json").write_text(json.dumps(made.results()))

    folder = _once(tmp_path_factory, "switched", make)
    there, back = (json.loads((folder / f"{name}.json").read_text()) for name in ("there", "back"))
    return Switched(_kept(folder / "there"), there, _kept(folder / "back"), back)


@pytest.fixture
def workspace(finished: Finished, tmp_path: Path) -> Project:
    """A copy of the finished project to work in, without MLflow: what is computed is the matter here."""
    copy = finished.project.copy(tmp_path / "project")
    params = settings()
    params["tracking"]["enabled"] = False
    copy.use(params)
    return copy


def _keep(done: Done, path: Path) -> None:
    path.write_text(json.dumps(asdict(done)))


def _kept(path: Path) -> Done:
    return Done(**json.loads(path.read_text()))


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # Each worker has a folder of its own; this one is common to all.
    folder = base / "shared" / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        done = folder.parent / f"{name}.done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
