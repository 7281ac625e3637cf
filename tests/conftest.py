"""Surroundings of every test: shapes checked at run time, one thread, no telemetry, the mirror of public data."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

# Before anything imports mtl, mlflow or dvc.
os.environ.update(
    {
        "DO_NOT_TRACK": "true",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
    }
)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("MLFLOW_RUN_ID", None)

import tests.helpers.shapes

tests.helpers.shapes.install(["mtl"])

import hypothesis
import pytest
import torch

torch.set_num_threads(1)
# How long an example takes depends on the machine and what else it does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

PROJECT = Path(__file__).resolve().parent.parent
WHOLE_ROOMS = ("report", "tracking")
"""Folders whose files share something that takes seconds to make."""


@pytest.hookimpl(optionalhook=True)  # unknown where pytest-xdist is switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers, tests that share fixtures run in one of them: those of a file, and of some folders."""
    from xdist.scheduler import LoadScopeScheduling

    # Marks would not do: pytest 9.2 keeps the ids of tests from pytest-xdist 3.8, which writes groups into them.
    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            room = file.split("/")[1]
            return room if room in WHOLE_ROOMS else file

    return Rooms(config, log)


def pytest_collection_finish() -> None:
    """Modules and tests stay: the collector of garbage need not look through them again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `make coverage` a worker saves what it measured before it says that it is done: a loaded machine may not
    leave it the time to do so at its exit."""
    if hasattr(session.config, "workerinput") and "coverage" in sys.modules:
        current = sys.modules["coverage"].Coverage.current()
        if current is not None:
            current.save()


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the checkout; tests read it and write nowhere in it."""
    return PROJECT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with public data in its original formats; the test skips when there is none."""
    value = os.environ.get("MTL_DATA_MIRROR")
    if not value:
        pytest.skip("MTL_DATA_MIRROR names no mirror of the public data sets")
    folder = Path(value)
    if not (folder / "SHA256SUMS").is_file():
        pytest.fail(f"MTL_DATA_MIRROR is {value}, which holds no SHA256SUMS")
    return folder
