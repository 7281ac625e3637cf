"""The whole pipeline from nothing: what it writes, that all of it tells the same story, and what `mtl repro` adds."""

import html
import math
import re
import sys
from collections import Counter
from statistics import fmean

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mtl.cli.main import main
from tests.e2e.conftest import Finished
from tests.e2e.project import METHODS, SEEDS, STARTS, TASKS, Json, Project

SIMPLE = [f"simple/{task}/seed-{seed}" for task in TASKS for seed in SEEDS]
RUNS = [
    *(f"baseline/{task}/{start}/seed-{seed}" for task in TASKS for start in STARTS for seed in SEEDS),
    *(f"finetune/{method}/seed-{seed}" for method in METHODS for seed in SEEDS),
]
PRIMARY = {"ahead": "mse", "fault": "accuracy"}


def metrics_of(computed: Project, run: str) -> Json:
    found: Json = computed.json(f"outputs/{run}/run.json")["test"]
    return found


@pytest.fixture(scope="module")
def verdicts(computed: Project) -> Json:
    found: Json = computed.json("results/verdicts.json")
    return found


@pytest.fixture(scope="module")
def page(computed: Project) -> str:
    return (computed.root / "report/report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def mlflow_runs(finished: Finished) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{finished.project.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mtl")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def assert_shows_the_verdicts(table: str) -> None:
    """A row for each task and method, a line for each method, the advice, and where the report is."""
    for task in TASKS:
        assert len(re.findall(rf"^  {task} .* not known(: too few seeds)?( †)?$", table, re.MULTILINE)) == len(
            METHODS
        ), table
    for method in METHODS:
        assert re.search(rf"^{method}  .*Δm [−+]", table, re.MULTILINE)
    said = " ".join(table[table.index("\nAdvice  ") :].split())
    assert said.startswith("Advice By 2 seeds, too few to be sure, the networks lose to ridge by ")
    assert re.search(r"^Report  report/report\.html$", table, re.MULTILINE)


def test_the_verdicts_are_shown(
    computed: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(computed.root)
    monkeypatch.setattr(sys, "argv", ["mtl", "show"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert_shows_the_verdicts(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.thorough
def test_repro_ends_well_and_ends_with_the_verdicts(finished: Finished) -> None:
    done = finished.first
    assert done.code == 0, done.out + done.err
    assert done.ran == [
        "prepare@sensors", "index", "simple", "pretrain", "baseline", "reference", "finetune", "cluster", "specialise",
        "evaluate",
    ]  # fmt: skip
    assert_shows_the_verdicts(done.out[done.out.index("change % ± 95 %") :])
    assert "Traceback" not in done.out + done.err


@pytest.mark.slow
@pytest.mark.thorough
def test_repro_writes_the_same_bytes_as_the_stages_by_themselves(finished: Finished, computed: Project) -> None:
    assert finished.project.results() == computed.results()


@pytest.mark.slow
@pytest.mark.thorough
def test_a_second_run_computes_nothing_and_says_the_same(finished: Finished) -> None:
    done = finished.again
    assert done.code == 0, done.out + done.err
    assert done.ran == []
    assert "new runs" not in done.out
    before, now = (text[text.index("change % ± 95 %") :] for text in (finished.first.out, done.out))
    assert now == before


def test_every_run_left_its_files(computed: Project) -> None:
    here = computed.root
    for run in [*SIMPLE, *RUNS]:
        names = sorted(path.name for path in (here / "outputs" / run).iterdir() if path.name != "key.json")
        assert names == ["examples.json", "history.json", "model.json", "run.json", "weights.safetensors"], run
        assert (here / "outputs" / run / "key.json").exists() == (run in RUNS), "simple models are always made anew"
    for seed in SEEDS:
        names = sorted(path.name for path in (here / f"outputs/pretrain/seed-{seed}").iterdir())
        assert names == ["history.json", "run.json", "weights.safetensors"]
    timed = {path.relative_to(here / "timings").with_suffix("").as_posix() for path in here.glob("timings/**/*.json")}
    assert timed == {*SIMPLE, *RUNS, *(f"pretrain/seed-{seed}" for seed in SEEDS), "latency"}
    assert not list((here / ".mtl/state").iterdir()), "states of runs that have ended"
    assert not list(here.glob("outputs/**/.*")), "temporary folders"


def test_forecasts_to_look_at_are_those_of_the_first_seed(computed: Project) -> None:
    first = computed.json("outputs/finetune/joint/seed-0/examples.json")
    assert list(first) == ["ahead"]
    window = first["ahead"]["windows"][0]
    assert [len(row) for row in window["input"]] == [24] * 3
    assert [len(row) for row in window["prediction"]] == [len(row) for row in window["truth"]] == [6] * 3
    assert computed.json("outputs/finetune/joint/seed-1/examples.json") == {}


def test_verdicts_are_means_of_the_runs(computed: Project, verdicts: Json) -> None:
    assert {(row["method"], row["task"]) for row in verdicts["rows"]} == {(m, t) for m in METHODS for t in TASKS}
    for row in verdicts["rows"]:
        task, start = row["task"], METHODS[row["method"]]
        assert (row["start"], row["metric"]) == (start, PRIMARY[task])
        folders = {"stl": f"baseline/{task}/{start}", "joint": f"finetune/{row['method']}"}
        for side, folder in folders.items():
            values = [metrics_of(computed, f"{folder}/seed-{seed}")[task][row["metric"]] for seed in SEEDS]
            assert row[side]["values"] == values
            assert row[side]["mean"] == pytest.approx(fmean(values), rel=1e-12)
        better = -1 if PRIMARY[task] == "mse" else 1
        pairs = zip(row["stl"]["values"], row["joint"]["values"], strict=True)
        change = fmean(better * 100 * (joint - single) / single for single, joint in pairs)
        assert math.copysign(1, row["change"]["mean"]) == math.copysign(1, change)
        assert row["change"]["n"] == len(SEEDS)


def test_metrics_and_the_long_table_hold_the_same_numbers(computed: Project) -> None:
    metrics = computed.json("results/metrics.json")
    assert set(metrics) == {"simple", "stl", "stl_pretrained", *METHODS}
    table = pd.read_parquet(computed.root / "results/runs.parquet")
    table = table[(table["split"] == "test") & (table["at"] == "")]
    seen = 0
    for run in [*SIMPLE, *RUNS]:
        stage, name, *_ = run.split("/")
        if stage == "simple":
            start, name = "", computed.json(f"outputs/{run}/run.json")["simple"]["model"]
        else:
            start = run.split("/")[2] if stage == "baseline" else METHODS[name]
        for task, values in metrics_of(computed, run).items():
            for metric, value in values.items():
                method = "stl" if stage == "baseline" else name
                row = table[
                    (table["method"] == method) & (table["task"] == task) & (table["start"] == start)
                    & (table["seed"] == int(run[-1])) & (table["metric"] == metric)
                ]  # fmt: skip
                assert row["value"].tolist() == [value]
                seen += 1
    assert seen == len(table)
    for name, by_task in metrics.items():
        if name == "simple":
            rows = table[table["stage"] == "simple"]
        elif name.startswith("stl"):
            rows = table[(table["method"] == "stl") & (table["start"] == (name.partition("_")[2] or "random"))]
        else:
            rows = table[table["method"] == name]
        for task, values in by_task.items():
            for metric, value in values.items():
                chosen = rows[(rows["task"] == task) & (rows["metric"] == metric)]["value"]
                assert value == pytest.approx(chosen.mean(), rel=1e-12)


def test_learning_curves_hold_every_epoch(computed: Project) -> None:
    curves = pd.read_csv(computed.root / "results/learning_curves.csv")
    assert set(curves["stage"]) == {"pretrain", "baseline", "finetune"}
    for run in RUNS:
        stage, name, *_ = run.split("/")
        history = computed.json(f"outputs/{run}/history.json")
        method, task = ("stl", name) if stage == "baseline" else (name, "ahead")
        start = run.split("/")[2] if stage == "baseline" else METHODS[name]
        rows = curves[
            (curves["method"] == method) & (curves["start"] == start) & (curves["seed"] == int(run[-1]))
            & (curves["metric"] == "score")
        ]  # fmt: skip
        if stage == "finetune":
            assert rows["value"].tolist() == [epoch["score"] for epoch in history["epochs"]]
        else:
            assert history["epochs"][0]["score"] in rows["value"].tolist(), task


def test_the_report_is_one_offline_page_with_every_section(computed: Project, page: str, verdicts: Json) -> None:
    asked = ["verdicts", "costs", "starts", "forgetting", "simple", "curves", "weights", "forecasts", "confusion",
             "thresholds", "gaps", "gradients", "evidence", "settings", "reading"]  # fmt: skip
    assert re.findall(r'<a href="#(\w+)"', page) == asked
    for section in asked:
        assert len(re.findall(rf'id="{section}"', page)) == 1, section
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page), "something would be fetched"
    assert re.findall(r'<script[^>]*src="([^"]*)"', page) == ["timings.js"]
    assert 'class="absent"' not in page, "every figure can be drawn from these runs"
    figures = {path.stem for path in (computed.root / "report/figures").glob("*.png")}
    assert figures == set(re.findall(r'id="figure-(\w+)"', page))
    for sentence in re.split(r"(?<=\.) (?=[A-Z])", verdicts["advice"]):
        assert html.escape(sentence, quote=False) in page
    for row in verdicts["rows"]:
        if row["metric"] == "mse":
            assert f"{row['joint']['mean']:.3f}" in page


@pytest.mark.slow
@pytest.mark.thorough
def test_mlflow_holds_every_run_once_and_a_summary_of_each_method(mlflow_runs: list[Run], verdicts: Json) -> None:
    stages = Counter(run.data.tags["stage"] for run in mlflow_runs)
    assert stages == {"pipeline": 1, "simple": 4, "pretrain": 2, "baseline": 8, "finetune": 4, "summary": 5}
    assert {run.info.status for run in mlflow_runs} == {"FINISHED"}
    names = {stage: {r.info.run_name for r in mlflow_runs if r.data.tags["stage"] == stage} for stage in stages}
    assert names["simple"] == {f"s{seed} simple {task}" for task in TASKS for seed in SEEDS}
    assert names["pretrain"] == {"s0 pretraining", "s1 pretraining"}
    assert names["baseline"] >= {"s0 stl ahead", "s1 stl ahead pretrained", "s1 stl fault"}
    assert names["finetune"] == {f"s{seed} {method}" for method in METHODS for seed in SEEDS}
    assert names["summary"] == {f"mean {name}" for name in ("simple", "stl", "stl pretrained", *METHODS)}
    parent = next(run for run in mlflow_runs if run.data.tags["stage"] == "pipeline")
    for run in mlflow_runs:
        assert run is parent or run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    means = {(r.data.tags["method"], r.data.tags["start"]): r for r in mlflow_runs if r.data.tags["stage"] == "summary"}
    for row in verdicts["rows"]:
        key = f"test/{row['task']}/{row['metric']}"
        single, joint = means["stl", row["start"]].data.metrics, means[row["method"], row["start"]].data.metrics
        assert single[key] == pytest.approx(row["stl"]["mean"], rel=1e-12)
        assert joint[key] == pytest.approx(row["joint"]["mean"], rel=1e-12)
        assert joint[f"delta/{row['task']}"] == pytest.approx(row["change"]["mean"], rel=1e-12)


@pytest.mark.slow
@pytest.mark.thorough
def test_nothing_but_settings_and_the_lock_file_is_left_for_git(finished: Finished) -> None:
    changed = finished.project.run("git", "diff", "--name-only", "HEAD~1").well().out.split()
    assert changed == ["dvc.lock"]
