"""Fixtures of tests that train on the source `line`: a project folder that holds it prepared, made once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mtl.data.loading.store import write_prepared
from mtl.paths import PREPARED
from tests.helpers.problems import waves


@pytest.fixture(scope="module", autouse=True)
def leave_torch_as_it_was() -> Iterator[None]:
    """Runs ask for deterministic kernels, for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with the prepared source `line`: two waves and two labels that they give away."""
    root = tmp_path_factory.mktemp("waves")
    write_prepared(waves(), root / PREPARED / "line", {})
    return root


@pytest.fixture
def root(folder: Path, tmp_path: Path) -> Path:
    """The same source in a folder of the test's own."""
    (tmp_path / "data").symlink_to(folder / "data")
    return tmp_path


__all__ = ["folder", "leave_torch_as_it_was", "root"]
