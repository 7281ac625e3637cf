"""One written report for all tests that only read it."""

from pathlib import Path

import pytest

from mtl.report.page import write_report
from mtl.report.words import Json
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json]:
    """(project folder, verdicts) of five tasks, four methods, five seeds, with hostile names of classes and columns."""
    root = tmp_path_factory.mktemp("project")
    config, verdicts = write_results(
        root,
        methods=("joint", "joint_high", "uncertainty", "forecast_first"),
        classes=("<script>alert(1)</script>", "a&b", '"quoted" --> $x^2$'),
        columns=("<img src=x onerror=alert(1)>", "flow $1$"),
        starts=True,
        simple=True,
    )
    verdicts["advice"] = 'Use </script><b onclick="x()">joint</b>.'
    verdicts["methods"][0]["label"] = "joint: <i>λ</i> = 0.2"
    write_report(config, typed(verdicts), root)
    return root, verdicts
