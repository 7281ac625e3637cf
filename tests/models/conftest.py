"""Every test of this room runs in a project folder of its own that holds one plugin."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.models.cases import write_plugin


@pytest.fixture(autouse=True)
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = set(sys.modules)
    write_plugin(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("mtl_test_"):
            del sys.modules[name]
