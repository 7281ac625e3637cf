"""Times: collected where they were measured, summed only when whole, never invented."""

import json
from pathlib import Path

import pytest

from mtl.report.timings import Timings, collect_timings, method_costs, write_timings_js
from tests.helpers.records import timing_json
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed


def test_costs_set_a_method_beside_the_sum_of_its_single_models(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path, methods=("joint",), seeds=2)[1]
    for task, seconds in zip(("near", "far", "fault", "load_state", "coin"), (1, 2, 3, 4, 5), strict=True):
        for seed in (0, 1):
            path = tmp_path / "timings" / "baseline" / task / "random" / f"seed-{seed}.json"
            path.write_text(json.dumps(timing_json(float(seconds + seed))), encoding="utf-8")
    cost = method_costs(typed(verdicts), collect_timings(tmp_path))["joint"]
    assert cost["train_stl"] == pytest.approx(15 + 5 * 0.5)
    assert (cost["latency"], cost["latency_stl"]) == (1.1, pytest.approx(4.0))
    assert cost["parameters_stl"] == verdicts["costs"]["parameters"]["stl_total"]


def test_half_a_sum_is_no_sum(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path, methods=("joint",), seeds=1)[1]
    (tmp_path / "timings" / "baseline" / "coin" / "random" / "seed-0.json").unlink()
    (tmp_path / "timings" / "latency.json").write_text("not JSON", encoding="utf-8")
    cost = method_costs(typed(verdicts), collect_timings(tmp_path))["joint"]
    assert cost["train_stl"] is None and cost["latency"] is None
    assert cost["train"] is not None


def test_nothing_measured_is_none(tmp_path: Path) -> None:
    assert collect_timings(tmp_path) == Timings({}, None)


def test_the_script_holds_what_the_page_asks_for(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path, methods=("joint",), seeds=1)[1]
    text = write_timings_js(tmp_path).read_text(encoding="utf-8")
    content = json.loads(text.removeprefix("window.TIMINGS = ").removesuffix(";\n"))
    assert content["methods"] == method_costs(typed(verdicts), collect_timings(tmp_path))
    assert content["batch"] == 64
    assert "finetune/joint/seed-0" in content["runs"]
