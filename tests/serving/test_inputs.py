"""Inputs that matter, as the card of a deployment shows them: those of the model that answers, whichever it is."""

from pathlib import Path

import pytest

from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.config import load_config
from mtl.experiment.importance import write_importance
from mtl.results.deployment import CARD, Deployment
from tests.helpers.deployable import set_evaluate, write_verdicts
from tests.serving.conftest import Project


@pytest.fixture(scope="module")
def measured(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A joint, a single-task and a simple model to deploy, with what each loses without an input."""
    made = flats.copy(tmp_path_factory.mktemp("measured"))
    write_verdicts(made.root, made.config, {"rent": "HELPED", "dear": "HURT", "band": "simple"})
    set_evaluate(made.root, importance=1)
    write_importance(load_config(made.root / "params.yaml"), made.root)
    return made


def shown(folder: Path) -> list[list[str]]:
    """Rows of the table of inputs."""
    text = (folder / CARD).read_text(encoding="utf-8").split("## Inputs that matter\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_a_mixture_tells_what_each_answer_loses_and_single_task_training_beside_it(measured: Project) -> None:
    folder = deploy(Wish(), measured.root)
    kept = Deployment.of_folder(folder)
    assert [kept.tasks[name].how for name in ("rent", "dear", "band")] == ["joint", "single-task", "simple"]
    head, *rows = shown(folder)
    assert head == ["task", "metric", "input", "lost here", "lost by single-task training"]
    assert all(len(row) == len(head) for row in rows)
    for task in ("rent", "band"):
        first = kept.tasks[task].inputs[0]
        assert first.name == "size (m2)" and first.alone is not None and (first.here.mean or 0.0) > 0
        assert first.alone != first.here
    assert {row[4] for row in rows if row[0] == "dear"} == {"that is the model here"}
    assert not any(row[4] == "–" for row in rows)


def test_single_task_models_have_no_column_beside_themselves(measured: Project) -> None:
    head, *rows = shown(deploy(Wish(method="stl"), measured.root))
    assert head == ["task", "metric", "input", "lost here"] and rows
    assert all(len(row) == len(head) for row in rows)
