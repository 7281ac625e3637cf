"""Label metrics, the published protocol, and tasks that have no single-task model: known answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from mtl.config import Config
from mtl.errors import UserError
from mtl.evaluation.compare import compare
from mtl.evaluation.runs import read_runs
from mtl.evaluation.tables import learning_curves, metrics_summary, runs_table
from mtl.paths import RunPath, run_paths
from mtl.results.label_scores import LabelScores
from mtl.results.record import Run
from tests.helpers.records import Json, epoch_json, history

from .simulated import make_config, make_runs, write_runs
from .test_compare import planted

ONE = {"tasks": ["fault"]}


def labels_config(**sections: Any) -> Config:
    """Two labels of one source, two methods."""
    label = {"kind": "binary", "source": "plant", "input_len": 48}
    both = {"even": {**label, "label": "fault"}, "odd": {**label, "label": "coin"}}
    methods = {"hard": {"kind": "equal"}, "stitched": {"kind": "equal", "sharing": {"kind": "cross_stitch"}}}
    return make_config(**({"tasks": both, "finetune": {"methods": methods}} | sections))


def accuracy(path: RunPath, task: str) -> float:
    level = {"even": 0.9, "odd": 0.8, "hard": 0.02, "stitched": 0.04}
    return level[task] + level.get(str(path.name), 0.0) * (path.stage == "finetune") + 0.001 * path.seed


def test_average_accuracy_is_over_tasks_seed_by_seed() -> None:
    scores = compare(labels_config(), make_runs(labels_config(), accuracy)).labels
    hard = scores.averages[0]
    values = [0.87 + 0.001 * seed for seed in range(5)]
    low, high = stats.t.interval(0.95, 4, 0.872, stats.sem(values))
    assert (hard.method, hard.tasks) == ("hard", ["even", "odd"])
    assert hard.joint.plain() == {"mean": pytest.approx(0.872), "low": pytest.approx(low), "high": pytest.approx(high),
                             "values": pytest.approx(values)}  # fmt: skip
    assert hard.stl is not None and hard.stl.mean == pytest.approx(0.852)
    assert hard.metric == "accuracy"


@pytest.mark.parametrize(
    ("kinds", "metric", "mean"),
    [(("balanced", "balanced"), "balanced_accuracy", 0.872), (("balanced", "none"), "accuracy", (0.5 + 0.822) / 2)],
)
def test_the_average_is_of_the_metric_that_all_are_judged_by(kinds: tuple[str, str], metric: str, mean: float) -> None:
    plain = labels_config().model_dump(mode="json", by_alias=True)["tasks"]
    tasks = {name: task | {"class_weights": kind} for (name, task), kind in zip(plain.items(), kinds, strict=True)}
    config = labels_config(tasks=tasks)
    hard = compare(config, make_runs(config, accuracy)).labels.averages[0]
    assert hard.metric == metric
    assert hard.joint.mean == pytest.approx(mean)


def test_every_metric_of_single_models_and_of_methods() -> None:
    entries = compare(labels_config(), make_runs(labels_config(), accuracy)).labels.entries
    assert [(entry.method, entry.start) for entry in entries] == [
        (None, "random"), ("hard", "random"), ("stitched", "random"),
    ]  # fmt: skip
    odd = entries[2].tasks["odd"]
    assert odd["accuracy"].mean == pytest.approx(0.842) and odd["macro_f1"].mean == 0.25
    assert odd["balanced_accuracy"].low == 0.5


def test_a_metric_that_some_seed_cannot_give_is_left_out() -> None:
    """The single-task models lack it for one seed; the method has it for every seed."""
    runs = make_runs(labels_config(), accuracy)
    for run in runs:
        if run.stage == "finetune" or run.seed != 2:
            run.test.get("odd", {})["auc"] = 0.75
    entries = compare(labels_config(), runs).labels.entries
    assert "auc" not in entries[0].tasks["odd"]
    assert entries[1].tasks["odd"]["auc"].mean == 0.75


def test_a_comparison_of_forecasts_alone_has_no_label_scores() -> None:
    forecasts = {"ahead": {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6}}
    config = make_config(tasks=forecasts, finetune={"methods": {"joint": {"kind": "equal"}}})
    found = compare(config, make_runs(config, lambda path, task: 0.5))
    assert found.labels == LabelScores(entries=[], averages=[])


def watched(run: Run, **changes: Any) -> list[Json]:
    """Three epochs; even is best in the second, odd in the third; their mean is best in the third."""
    curves = {"even": [0.5, 0.9, 0.8], "odd": [0.5, 0.6, 0.8]}
    above = 0.1 * (run.path.name == "stitched") + 0.01 * run.path.seed
    tests = [{task: {"accuracy": curves[task][n] + above} for task in run.tasks} for n in range(3)]
    return [epoch_json(number, test=test, **changes) for number, test in enumerate(tests, start=1)]


def test_published_protocol_picks_the_best_epoch_on_the_test_part() -> None:
    config = labels_config(train={"watch_test": True})
    runs = make_runs(config, accuracy)
    found = compare(config, runs, [(run, history(*watched(run))) for run in runs]).published
    assert found is not None
    stl, hard, stitched = found.entries
    assert stl.best.mean == pytest.approx((0.9 + 0.8) / 2 + 0.02), "each model at its own best epoch"
    assert hard.best.mean == pytest.approx(0.8 + 0.02), "one epoch for both tasks"
    assert hard.by_task["even"].best.mean == pytest.approx(0.9 + 0.02)
    assert hard.honest.mean == pytest.approx(0.872)
    pairs = {(p.first.method, p.second.method): p for p in found.pairs}
    assert list(pairs) == [(None, "hard"), (None, "stitched"), ("hard", "stitched")]
    assert pairs["hard", "stitched"].best.mean == pytest.approx(0.1)
    assert pairs[None, "hard"].honest.mean == pytest.approx(0.02)
    assert stitched.best.values == pytest.approx([0.9, 0.91, 0.92, 0.93, 0.94])


def test_the_phase_of_a_target_counts_alone() -> None:
    method = {"kind": "equal", "target": "odd"}
    config = labels_config(train={"watch_test": True}, finetune={"methods": {"hard": method}})
    runs = make_runs(config, accuracy)
    together = epoch_json(phase=1, test={task: {"accuracy": 1.0} for task in ("even", "odd")})
    histories = [
        (run, history(*watched(run)) if run.stage == "baseline" else history(together, *watched(run, phase=2)))
        for run in runs
    ]
    verdicts = compare(config, runs, histories)
    assert [(row.method, row.task) for row in verdicts.rows] == [("hard", "odd")]
    assert verdicts.methods[0].tasks == ["odd"] and verdicts.methods[0].trained == ["even", "odd"]
    assert verdicts.published is not None
    assert verdicts.published.entries[1].best.values[0] == 0.8
    # Of its network, the head of the other task is not kept.
    assert verdicts.costs.parameters.methods["hard"] == 1500 - 10
    assert verdicts.advice.startswith("Joint training before odd's own (hard, two budgets) helped odd (+")


def test_labels_that_no_phase_trains_together_count_at_their_own_best_epoch() -> None:
    method = {"kind": "sequential", "order": ["even", "odd"]}
    config = labels_config(train={"watch_test": True}, finetune={"methods": {"turns": method}})
    runs = make_runs(config, accuracy)
    phases = [epoch_json(number, phase=phase, test={task: {"accuracy": value}})
              for phase, task in ((1, "even"), (2, "odd"))
              for number, value in ((1, 0.5), (2, 0.75 + phase / 10), (3, 0.6))]  # fmt: skip
    histories = [(run, history(*(watched(run) if run.stage == "baseline" else phases))) for run in runs]
    found = compare(config, runs, histories).published
    assert found is not None
    turns = found.entries[1]
    assert (turns.by_task["even"].best.mean, turns.by_task["odd"].best.mean) == pytest.approx((0.85, 0.95))
    assert turns.best.mean == pytest.approx(0.9)


def test_a_history_without_test_metrics_names_the_stage() -> None:
    config = labels_config(train={"watch_test": True})
    runs = make_runs(config, accuracy)
    with pytest.raises(
        UserError, match=r"even/random/seed-0/history.json holds no test metrics; run `mtl repro baseline@even --f"
    ):
        compare(config, runs, [(run, history(epoch_json())) for run in runs])
    assert compare(labels_config(), runs).published is None


def test_watched_test_metrics_are_curves_too() -> None:
    run = make_runs(labels_config(), accuracy)[0]
    table = learning_curves([(run, history(epoch_json(test={"even": {"accuracy": 0.7}})))]).query("split == 'test'")
    assert table[["task", "split", "metric", "value"]].values.tolist() == [["even", "test", "accuracy", 0.7]]


def test_tasks_without_single_models_have_metrics_and_no_verdict(tmp_path: Path) -> None:
    config = make_config(baseline=ONE)
    assert [p.name for p in run_paths(config) if p.stage == "baseline"] == ["fault"] * 5
    write_runs(make_runs(config, planted({("joint", "fault"): 0.2}, 0.005)), tmp_path)
    (tmp_path / "outputs/baseline/short").mkdir(parents=True)
    (tmp_path / "outputs/baseline/short/left_out.json").write_text('{"left_out": true}')
    runs = read_runs(config, tmp_path)
    verdicts = compare(config, runs)
    assert {(row.method, row.task) for row in verdicts.rows} == {("joint", "fault"), ("learned", "fault")}
    assert [row.task for row in verdicts.unpaired] == ["short", "long", "coin"] * 2
    assert verdicts.unpaired[0].joint.mean == pytest.approx(0.5, abs=0.02)
    assert {task.name: task.alone for task in verdicts.tasks} == {
        "short": False, "long": False, "fault": True, "coin": False,
    }  # fmt: skip
    coin = verdicts.tasks[3]
    assert (coin.classes, coin.train_size, coin.optimum) == (["no", "yes"], 100, None)
    assert verdicts.methods[0].delta_m.mean == pytest.approx(20, abs=1.5)
    assert "1,500 parameters for 4 tasks" in verdicts.advice
    assert verdicts.labels.averages[0].stl is None, "half the tasks are no fair average"
    assert set(metrics_summary(config, runs).by_method["stl"]) == {"fault"}
    assert set(runs_table(runs).query("method == 'stl'")["task"]) == {"fault"}
    json.dumps(verdicts.plain(), allow_nan=False)


def test_a_task_that_nothing_is_judged_by_is_listed_without_numbers() -> None:
    method = {"kind": "equal", "target": "fault"}
    config = make_config(baseline=ONE, finetune={"methods": {"to_fault": method}})
    verdicts = compare(config, make_runs(config, planted({}, 0.01)))
    assert verdicts.tasks[0].train_size is None and verdicts.unpaired == []
    assert verdicts.advice == (
        "Train separately: joint training before a task's own helped no target beyond what chance would give."
    )
