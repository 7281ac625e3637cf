"""Trained projects that the tests of deployed models share: made once a session, and never changed by a test."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.config import Config
from tests.helpers.deployable import digits_settings, series_settings, table_settings, train, write_verdicts


@dataclass(frozen=True)
class Project:
    """A folder with finished runs, and their configuration."""

    root: Path
    config: Config

    def copy(self, folder: Path) -> "Project":
        """The same in a folder of the test's own."""
        shutil.copytree(self.root, folder, dirs_exist_ok=True)
        return Project(folder, self.config)


@pytest.fixture(scope="session", autouse=True)
def _leave_torch_as_it_was() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Rows of a table with names, dates and missing numbers."""
    root = tmp_path_factory.mktemp("flats")
    return Project(root, train(table_settings(), root))


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two series in one file."""
    root = tmp_path_factory.mktemp("plant")
    return Project(root, train(series_settings(), root))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Images."""
    root = tmp_path_factory.mktemp("digits")
    return Project(root, train(digits_settings(), root))


@pytest.fixture(scope="session")
def rows(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a deployed mixture of a joint, a single-task and a simple model on rows."""
    made = flats.copy(tmp_path_factory.mktemp("rows"))
    write_verdicts(made.root, made.config, {"rent": "HELPED", "band": "HURT", "dear": "simple"})
    return deploy(Wish(), made.root)


@pytest.fixture(scope="session")
def series(plant: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the deployed joint model of two series."""
    made = plant.copy(tmp_path_factory.mktemp("series"))
    return deploy(Wish(method="joint", seeds=0), made.root)
