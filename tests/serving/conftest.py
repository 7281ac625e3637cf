"""Trained projects that the tests of deployed models share: made once a session, and never changed by a test."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.api.deployment.members import recipe_of
from mtl.cli.deploy import deploy
from mtl.config import Config
from mtl.experiment.objects import load_tasks
from mtl.experiment.predicted import Predicted, predicted
from mtl.paths import RunPath
from mtl.serving.deployed import DeployedModel
from mtl.types import Split
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


def deployed(project: Project, name: str) -> DeployedModel:
    """A deployed model of a project, by its name."""
    model = mtl.load_model(project.root / "models" / name)
    assert isinstance(model, DeployedModel)
    return model


def joint_part(project: Project, task: str, seed: int, split: Split) -> Predicted:
    """Predictions of a task by the joint run of a seed."""
    data, _ = load_tasks(project.config, seed, project.root)
    recipe = recipe_of(project.config, RunPath("finetune", "joint", None, seed), project.root)
    return next(part for part in predicted(recipe, data, project.root, split) if part.spec.name == task)


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
def mixture(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The table with verdicts by which a joint, a single-task and a simple model are deployed together: models/auto."""
    made = flats.copy(tmp_path_factory.mktemp("mixture"))
    write_verdicts(made.root, made.config, {"rent": "HELPED", "band": "HURT", "dear": "simple"})
    deploy(Wish(), made.root)
    return made


@pytest.fixture(scope="session")
def rows(mixture: Project) -> Path:
    """Folder of the deployed mixture."""
    return mixture.root / "models/auto"


@pytest.fixture(scope="session")
def series(plant: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the deployed joint model of two series."""
    made = plant.copy(tmp_path_factory.mktemp("series"))
    return deploy(Wish(method="joint", seeds=0), made.root)
