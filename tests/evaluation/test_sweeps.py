"""Sweeps of width and of labels: which runs belong to one curve."""

from typing import Any

import pytest

from mtl.evaluation.compare import compare
from mtl.paths import RunPath

from .simulated import make_config, make_runs

WIDTHS = (0.5, 1.0, 2.0)
SHARES = {"few": 0.05, "some": 0.2, "all": 1.0}


def test_a_curve_of_capacity_holds_what_differs_in_width_alone() -> None:
    methods: dict[str, Any] = {f"joint_{100 * width:g}": {"kind": "equal", "width": width} for width in WIDTHS}
    methods |= {"learned": {"kind": "uncertainty"}, "learned_half": {"kind": "uncertainty", "width": 0.5}}
    methods |= {"lone": {"kind": "equal", "sharing": {"kind": "separate"}}}
    config = make_config(baseline={"starts": [{"width": width} for width in WIDTHS]}, finetune={"methods": methods})
    found = compare(config, make_runs(config, lambda path, task: 0.5 + 0.01 * path.seed))
    assert [entry.task for entry in found.capacity] == list(config.tasks)
    stl, joint, learned = found.capacity[0].curves
    assert (stl.name, joint.name, learned.name) == (None, "joint", "learned")
    assert [point.parameters for point in stl.points] == [500, 1000, 2000]
    assert [point.parameters for point in joint.points] == [750, 1500, 3000]
    assert joint.methods == ["joint_50", "joint_100", "joint_200"]
    assert joint.points[0].mean == pytest.approx(0.52) and joint.points[0].low < 0.52
    # A method is compared with single-task models of its own width, in size as well.
    assert found.costs.parameters.stl_by_start["random-width0.5"]["short"] == 500
    assert {row.start for row in found.rows if row.method == "joint_50"} == {"random-width0.5"}


def test_one_width_is_no_sweep() -> None:
    config = make_config()
    found = compare(config, make_runs(config, lambda path, task: 0.5))
    assert found.capacity == [] and found.fractions == []


def test_a_curve_of_labels_holds_what_differs_in_the_task_alone() -> None:
    plant = {"source": "plant", "input_len": 48}
    tasks = {"ahead": {"kind": "forecast", "horizon": 6, **plant}, "coin": {"kind": "binary", "label": "coin", **plant}}
    tasks |= {name: {"kind": "binary", "label": "fault", "train_fraction": share, **plant}
              for name, share in SHARES.items()}  # fmt: skip
    methods = {f"with_{name}": {"kind": "equal", "tasks": ["ahead", name]} for name in SHARES}
    methods["learned"] = {"kind": "uncertainty", "tasks": ["ahead", "few"]}
    methods["to_few"] = {"kind": "equal", "tasks": ["ahead", "few"], "target": "few"}
    methods["mixed"] = {"kind": "equal"}
    config = make_config(tasks=tasks, finetune={"methods": methods})

    def value(path: RunPath, task: str) -> float:
        return 0.5 + 0.4 * SHARES.get(task, 0.0) + 0.1 * (path.stage == "finetune")

    (found,) = compare(config, make_runs(config, value)).fractions
    assert found.tasks == ["few", "some", "all"] and found.mixed == ["mixed"]
    curves = {curve.name: curve.points for curve in found.curves}
    assert list(curves) == [None, "with", "learned", "to_few"]
    assert [(point.share, point.mean) for point in curves[None]] == [
        (0.05, pytest.approx(0.52)), (0.2, pytest.approx(0.58)), (1.0, pytest.approx(0.9)),
    ]  # fmt: skip
    assert [point.mean for point in curves["with"]] == pytest.approx([0.62, 0.68, 1.0])
    assert [point.task for point in curves["to_few"]] == ["few"]
