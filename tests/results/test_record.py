"""Runs: what a reader asks them."""

import json
import math
from pathlib import Path

import pytest
import torch

from mtl.errors import UserError
from mtl.paths import RunPath
from mtl.results.numbers import SPLITS
from mtl.results.record import Pretraining, Run
from mtl.tasks.label_scores import label_metrics
from tests.helpers.records import pretraining_json, run_json


def test_a_run_knows_its_place() -> None:
    alone = Run.parse(run_json("baseline", "fault", 3, start="pretrained", init="pretrained"), "run.json")
    assert alone.path == RunPath("baseline", "fault", "pretrained", 3)
    assert alone.begun.label == "pretrained"
    joint = Run.parse(run_json("finetune", "joint", 1), "run.json")
    assert joint.path.folder == Path("outputs/finetune/joint/seed-1")
    choice = {"model": "ridge", "about": "", "candidates": {"persistence": 0.9, "ridge": 0.5}, "skipped": {}}
    simple = Run.parse(run_json("simple", "fault", 2, simple=choice), "run.json")
    assert simple.path == RunPath("simple", "fault", None, 2) and simple.path.target == "simple"
    assert simple.plain()["simple"] == choice and "simple" not in joint.plain()
    assert Pretraining.parse(pretraining_json(2), "run.json").path.folder == Path("outputs/pretrain/seed-2")


def test_a_metric_is_taken_from_the_part_that_is_asked_for() -> None:
    parts = {part: {"fault": {"accuracy": value}} for part, value in (("train", 0.9), ("val", 0.8), ("test", 0.7))}
    run = Run.parse(run_json() | parts, "run.json")
    assert [run.value("fault", "accuracy", part) for part in SPLITS] == [0.9, 0.8, 0.7]
    assert run.value("fault", "accuracy") == 0.7


@pytest.mark.parametrize(
    ("task", "metric", "message"),
    [
        ("fault", "mse", "seed-0/run.json holds no test mse of fault; run `mtl repro`"),
        ("wear", "loss", "seed-0/run.json holds no test loss of wear"),
        ("fault", "loss", "seed-0/run.json: test loss of fault is nan: the run diverged"),
    ],
)
def test_a_metric_that_says_nothing_is_an_error(task: str, metric: str, message: str) -> None:
    run = Run.parse(run_json(test={"fault": {"accuracy": 0.5, "loss": math.nan}}), "run.json")
    with pytest.raises(UserError, match=message):
        run.value(task, metric)


def test_a_metric_at_the_end_of_a_phase() -> None:
    phases = [{"tasks": ["fault"], "test": {"fault": {"accuracy": value}}} for value in (0.25, 0.75)]
    run = Run.parse(run_json(phases=phases), "run.json")
    assert [run.value_after(phase, "fault", "accuracy") for phase in (0, 1)] == [0.25, 0.75]
    with pytest.raises(UserError, match="holds no phase 3"):
        run.value_after(2, "fault", "accuracy")


def test_what_is_measured_of_a_label_is_what_a_run_holds() -> None:
    """Curves and reasons go through the file and come back as they were."""
    logits, labels = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1])
    _, curves = label_metrics(logits, labels, ["no", "yes"], detailed=True)
    _, reasons = label_metrics(logits, 0 * labels, ["no", "yes"], detailed=True)
    written = {"fault": curves, "wear": reasons}
    run = Run.parse(json.loads(json.dumps(run_json(detail=written))), "run.json")
    assert run.plain()["detail"] == written
    points = run.detail["fault"].operating_points
    assert points is not None and (points.positives, points.true_positives[-1]) == (2, 2)
    assert (run.detail["wear"].undefined or {})["auc"] == "all 4 samples are negative"


def test_tables_of_a_detail_by_their_form() -> None:
    tables = {"mse_by_horizon": [0.5, 1], "mse_by_channel": {"flow": 2.0, "heat": None}, "roc": [[0.0], [1.0]]}
    detail = Run.parse(run_json(detail={"fault": tables}), "run.json").detail["fault"]
    assert detail.tables == tables
    assert detail.row("mse_by_horizon") == [0.5, 1.0]
    assert detail.row("mae_by_horizon") == [] and detail.row("mse_by_channel") == []
    assert detail.by_name("mse_by_channel") == {"flow": 2.0}
    assert detail.by_name("mse_by_horizon") == {}
    assert detail.classes is None and detail.confusion is None
