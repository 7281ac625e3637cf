"""Written reports for all tests that only read them: drawing the figures of one takes seconds."""

from pathlib import Path

import pytest

from mtl.report.page import write_report
from mtl.report.words import Json
from tests.helpers.group_results import with_maps, write_maps_and_groups
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


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(project folder, page) of one method and two seeds, in a folder where other settings left their results."""
    root = tmp_path_factory.mktemp("plain")
    config, verdicts = write_results(root, methods=("joint",), seeds=2)
    (root / "report/figures").mkdir(parents=True)
    (root / "report/figures/forecast_removed.png").write_bytes(b"old")
    (root / "outputs/simple/near/seed-0").mkdir(parents=True)
    (root / "outputs/simple/near/seed-0/run.json").write_text("left by other settings")
    write_maps_and_groups(root, with_maps(config))
    return root, write_report(config, typed(verdicts), root).read_text(encoding="utf-8")
