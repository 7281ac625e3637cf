"""Every benchmark runs from its command line to its table, at sizes that take a second: what no one runs falls apart.

Nothing is said of how fast anything is.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import (
    advice,
    balancing,
    beyond_memory,
    cluster,
    compare,
    coverage,
    datamaps,
    device,
    epoch,
    fan_out,
    first_step,
    groups,
    histories,
    images,
    jobs,
    methods,
    pictures,
    pipeline,
    pretrain_parallel,
    profile_step,
    regressions,
    serving,
    simple,
    stamps,
    step,
    study,
    table_growth,
    tables,
    tweeteval,
    variance,
)
from benchmarks.command import finish, parser
from benchmarks.machine import Result
from mtl.config import load_config, parse_config
from mtl.errors import EXIT_CODE, UserError
from mtl.results.statistics import Interval
from mtl.setup.presets import render
from mtl.stages.prepare import prepare

Main = Callable[[Sequence[str] | None], int]
MAINS: dict[str, Main] = {
    "advice": advice.main, "balancing": balancing.main, "beyond_memory": beyond_memory.main,
    "cluster": cluster.main, "compare": compare.main, "coverage": coverage.main,
    "datamaps": datamaps.main,
    "device": device.main, "epoch": epoch.main, "fan_out": fan_out.main, "first_step": first_step.main,
    "groups": groups.main,
    "images": images.main, "jobs": jobs.main, "methods": methods.main,
    "pictures": pictures.main, "pipeline": pipeline.main,
    "pretrain_parallel": pretrain_parallel.main, "profile_step": profile_step.main,
    "regressions": regressions.main, "serving": serving.main, "simple": simple.main, "stamps": stamps.main,
    "step": step.main, "study": study.main, "table_growth": table_growth.main, "tables": tables.main,
    "tweeteval": tweeteval.main, "variance": variance.main,
}  # fmt: skip
SHARED = {"__init__", "command", "histories", "loop", "machine", "project", "reference_timedart"}
"""Modules without a command."""
CHILDREN = {"first_step", "jobs"}
"""Commands that other benchmarks start; they write no table."""
PROJECT = Path(__file__).resolve().parents[2]
Rows = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Benchmarks choose threads and kernels for the process that they have to themselves."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def run(name: str, out: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Rows:
    """Runs a benchmark to its end; the rows of its JSON, which are those of its table."""
    assert MAINS[name](["--out", str(out), *arguments]) == 0
    return read(out / f"{name}.json", name, capsys.readouterr().out)


def read(path: Path, name: str, printed: str) -> Rows:
    """The rows that a benchmark wrote; they are those that it printed, and hold numbers."""
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["machine"]["cores"] >= 1 and content["machine"]["torch"] == torch.__version__
    rows: Rows = {row["name"]: row for row in content["results"]}
    table = printed.partition(f"| {name} | measured |")[2].splitlines()[2:]
    shown = [line.split(" | ")[0].removeprefix("| ") for line in table if line.startswith("| ")]
    assert shown == [row["name"] for row in content["results"]] == list(rows)
    assert [row for row in rows.values() if not math.isfinite(row["value"])] == []
    return rows


def positive(rows: Rows) -> bool:
    """True when every number is above 0."""
    return all(row["value"] > 0 for row in rows.values())


def prepared(folder: Path, preset: str, source: str) -> None:
    """A project with the preset's params.yaml and its one source."""
    (folder / "presets").symlink_to(PROJECT / "presets")
    (folder / "data/raw").mkdir(parents=True)
    manifest = f"data/raw/{source}.json"
    (folder / manifest).write_bytes((PROJECT / manifest).read_bytes())
    (folder / "params.yaml").write_text(render(preset, folder), encoding="utf-8")
    prepare(load_config(folder / "params.yaml").prepare.sources, source, folder)


def test_every_module_has_a_command_or_is_shared(project: Path) -> None:
    assert {path.stem for path in (project / "benchmarks").glob("*.py")} == set(MAINS) | SHARED


@pytest.mark.parametrize("name", MAINS)
def test_help_is_the_docstring(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        MAINS[name](["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert shown.startswith(f"usage: python -m benchmarks.{name}")
    assert (sys.modules[f"benchmarks.{name}"].__doc__ or "?").strip().splitlines()[0] in shown
    assert ("--strict" in shown and "--out" in shown) == (name not in CHILDREN)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("advice", ["--seeds", "1"]), ("balancing", ["--tasks", "0"]), ("cluster", ["--workers", "0"]),
        ("coverage", ["--rows", "159"]),
        ("datamaps", ["--images", "100"]),
        ("device", ["--rounds", "none"]), ("epoch", ["--doublings", "0"]), ("fan_out", ["--tasks", "1"]),
        ("first_step", []),
        ("images", ["--images", "127"]), ("jobs", ["-1"]), ("methods", ["--rounds", "0"]),
        ("pipeline", ["--rounds", "1.5"]), ("profile_step", ["--rounds", "1"]), ("simple", ["unheard_of"]),
        ("step", ["--memory", "theirs"]),
        ("study", ["--trials", "0"]), ("variance", ["--repetitions", "1"]),
    ],
)  # fmt: skip
def test_a_wrong_option_ends_with_exit_code_2(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        MAINS[name](arguments)
    assert end.value.code == EXIT_CODE
    assert f"python -m benchmarks.{name}: error: " in capsys.readouterr().err


@pytest.mark.thorough
def test_a_mistake_of_the_user_is_one_message(project: Path, tmp_path: Path) -> None:
    """As a command: in a folder without params.yaml."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.methods"], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(project)})  # fmt: skip
    assert done.returncode == EXIT_CODE and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "params.yaml" in done.stderr


@pytest.mark.parametrize(("limit", "missed"), [(None, False), (1.0, False), (0.5, True)])
def test_a_missed_limit_is_an_error_only_when_asked(limit: float | None, missed: bool, tmp_path: Path) -> None:
    results = [Result("one", 0.7, "s", limit), Result("two", 3.0, "×", 2.0, at_least=True)]
    for strict in ([], ["--strict"]):
        options = parser("device", "Made up.").parse_args(["--out", str(tmp_path), *strict])
        assert finish(options, results, {"more": 3}) == (1 if missed and strict else 0)
    written = json.loads((tmp_path / "device.json").read_text(encoding="utf-8"))
    assert written["more"] == 3 and [row["met"] for row in written["results"]] == [
        None if limit is None else not missed,
        True,
    ]


@pytest.mark.slow
def test_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("step", tmp_path, capsys, "--rounds", "1", "1", "--windows", "1")
    kinds = [f"{kind}, patch {patch}" for kind in ("pretrain", "finetune") for patch in (2, 8)]
    columns = ["published form", "ours", "times as fast", "with 4 heads of width 8"]
    assert set(rows) == {f"{kind}: {column}" for kind in kinds for column in columns} | {
        f"{kind}: with dropout on attention weights" for kind in kinds if kind.endswith("8")
    } | {f"peak memory, pretrain, patch 2: {who}" for who in ("published form", "ours")}  # fmt: skip
    assert positive(rows)


@pytest.mark.thorough
def test_profile_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--rounds", "1", "1", "--patch-lens", "8", "--windows", "1", "--joint-windows", "2"]
    rows = run("profile_step", tmp_path, capsys, *sizes)
    assert positive(rows)
    assert sum(row["unit"] == "GFLOP/s" for row in rows.values()) == 2 and "copy of 256 MB, read and written" in rows
    for name in ("pretrain, patch 8", "joint step of etth1-har"):
        of_step = {row.removeprefix(f"{name}: ") for row in rows if row.startswith(name)}
        assert of_step >= {"a step", "products' operations", "bytes of all kernels", "matrix products of layers",
                           "optimiser and clipping", "everything else (Python, autograd, views)"}  # fmt: skip
        shares = [row["value"] for key, row in rows.items() if key.startswith(name) and row["unit"] == "%"
                  and "of all these" not in key]  # fmt: skip
        assert 95 < sum(shares) < 100.001


def test_simple(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the simple models stand the values of a project in which the preset was run."""
    rows_of = [{"task": "fault", "method": "joint", "stl": {"mean": 0.25}, "joint": {"mean": 0.75}}]
    results = tmp_path / "smoke/results"
    results.mkdir(parents=True)
    (results / "verdicts.json").write_text(json.dumps({"rows": rows_of}))
    rows = run("simple", tmp_path, capsys, "smoke", "weather", "--seeds", "1", "--results", str(tmp_path),
               "--raw", str(tmp_path))  # fmt: skip
    assert set(rows) == {f"smoke: {task}" for task in ("next_6h", "fault", "load_state")}, "no file of the weather"
    assert positive(rows) and rows["smoke: fault"]["note"].endswith("CPU s; STL 0.25, joint 0.75")


@pytest.mark.slow
def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keeps what was trained and does not train it again; leaves out a table without its file."""
    (tmp_path / "data/raw").mkdir(parents=True)
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((60, 3))
    targets = inputs @ generator.standard_normal((3, 3)) + 0.1 * generator.standard_normal((60, 3))
    head = "@relation jura\n" + "".join(f"@attribute {name} numeric\n" for name in ("a", "b", "c", "Cd", "Co", "Cu"))
    cells = "\n".join(",".join(f"{cell:.6f}" for cell in row) for row in np.concatenate([inputs, targets], axis=1))
    (tmp_path / "data/raw/jura.arff").write_text(f"{head}@data\n{cells}\n")
    given = ("jura", "wq", "--seeds", "2", "--epochs", "2", "--raw", str(tmp_path), "--folder", str(tmp_path / "runs"))
    rows = run("tables", tmp_path, capsys, *given)
    assert rows["jura: simple: aRRMSE"]["value"] < 0.6, "the targets are linear"
    assert rows["jura: alone: aRRMSE"]["note"].endswith("published 0.5874")
    changes = {f"jura: {arm}: change against {simple}" for arm in ("alone", "joint") for simple in ("simple", "trees")}
    assert {name for name in rows if "change" in name} == changes
    assert rows["jura: trees: aRRMSE"]["value"] > rows["jura: simple: aRRMSE"]["value"], "ridge regression is better"
    seconds = tmp_path / "runs/jura/cpu_seconds.json"
    before = seconds.read_bytes()
    assert run("tables", tmp_path, capsys, *given) == rows
    assert seconds.read_bytes() == before


@pytest.mark.slow
def test_table_growth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("table_growth", tmp_path, capsys, "--rows", "300", "--columns", "10", "--targets", "2")
    assert {name.removeprefix("300 rows, 10 columns, 2 targets: ") for name in rows} == {
        "file", "prepare", "its memory", "an epoch"
    }  # fmt: skip
    assert all(row["value"] >= 0 for row in rows.values())


def test_table_growth_leaves_out_what_the_disk_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = {"file": 2.0, "prepare": 0.5, "memory": 9.0, "epoch": 0.3}
    monkeypatch.setattr(table_growth, "in_a_process", lambda case, trains, until=0.0: cost)
    given = ["--rows", "300", "100000", "--columns", "10", "--targets", "2", "--formats", "csv", "feather"]
    table_growth.main([*given, "--disk", "5", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "| feather | 300 | 10 | 2 | 2.0 | 0.50 | 0 | 0.0 | 0.30 | 1000.0 |" in printed
    assert "Left out by --disk 5" in printed
    left = ["100,000 rows, 10 columns, 2 targets", "100,000 rows, 10 columns, 2 targets, feather"]
    assert json.loads((tmp_path / "table_growth.json").read_text())["left_out"] == left


def test_table_growth_trains_on_few_rows_and_stops_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def ended(command: list[str], timeout: float | None, **others: object) -> subprocess.CompletedProcess[str]:
        begun.append((command[5], command[9], timeout))
        if command[5] == "3000":
            raise subprocess.TimeoutExpired(command, 1)
        cost = {"file": 2.0, "prepare": 0.5, "memory": 9.0} | ({"epoch": 0.3} if command[9] == "1" else {})
        return subprocess.CompletedProcess(command, 0, f"{json.dumps(cost)}\n")

    monkeypatch.setattr(table_growth.subprocess, "run", ended)
    given = ["--rows", "300", "400", "3000", "--columns", "10", "--targets", "2", "--epoch-rows", "300"]
    table_growth.main([*given, "--minutes", "2", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "| csv | 300 | 10 | 2 | 2.0 | 0.50 | 0 | 0.0 | 0.30 | 1000.0 |" in printed
    assert "| csv | 400 | 10 | 2 | 2.0 | 0.50 | 0 | 0.0 | – | – |" in printed
    assert "or --minutes 2: 3,000 rows, 10 columns, 2 targets." in printed
    assert [case[:2] for case in begun] == [("200", "0"), ("300", "1"), ("400", "0"), ("3000", "0")]
    assert begun[0][2] is None and all(0 < case[2] <= 120 for case in begun[1:])


def test_table_growth_writes_the_same_rows_in_every_format(tmp_path: Path) -> None:
    frames = []
    for name, reader in zip(table_growth.FORMATS, (pd.read_csv, pd.read_csv, pd.read_parquet, pd.read_feather),
                            strict=True):  # fmt: skip
        path = tmp_path / f"t.{name}"
        table_growth.write_table(table_growth.Case(50, 12, 2, name), path)
        frames.append(reader(path))
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])
    assert frames[0].shape == (50, 14)


@pytest.mark.slow
def test_beyond_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--gb", "0.001", "--columns", "12", "--rounds", "1", "--samples", "2000")
    rows = run("beyond_memory", tmp_path, capsys, *given)
    assert positive(rows) and {name for name in rows if "of the speed" in name} == {
        f"from the file, {way}: of the speed in memory, by {unit}"
        for way in ("exact", "blocks", "exact, from the disk", "blocks, from the disk")
        for unit in ("clock", "computing")
    }


@pytest.mark.slow
def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("compare", tmp_path, capsys, "--rows", "60", "--epochs", "1", "--seeds", "1", "--repeats", "1")
    assert rows["a comparison"]["value"] == pytest.approx(4 * rows["a run"]["value"])


def test_bytes_of_a_kernel_are_those_that_it_touches() -> None:
    """A gather of 3 rows from 1,000 reads 3; a product reads both factors."""
    source, index = torch.randn(1000, 50), torch.tensor([7, 3, 999])
    left, right = torch.randn(20, 30), torch.randn(30, 40)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        source.index_select(0, index)
        left @ right
    events = seen.key_averages(group_by_input_shape=True)
    touched = {event.key: profile_step.bytes_of(event) for event in events}
    assert touched["aten::index_select"] == 4 * 2 * 3 * 50
    assert touched["aten::mm"] == 4 * (20 * 30 + 30 * 40 + 30 * 40)
    assert touched["aten::matmul"] == 0, "its kernel is counted"


@pytest.mark.slow
def test_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("epoch", tmp_path, capsys, "--preset", "smoke", "--doublings", "1", "--no-jobs")
    exponents = {name for name in rows if "exponent" in name}
    assert len(exponents) == 8
    assert positive({name: row for name, row in rows.items() if name not in exponents})
    assert [name for name in rows if not name.startswith(("smoke, joint: ", "growth with "))] == []
    assert {name.removeprefix("smoke, joint: ") for name in rows if name.startswith("smoke")} >= {
        "an epoch with its validation", "loading, plan included", "16 windows of 336+96 rows: ours",
        "tracking: what training waits for",
    }  # fmt: skip


@pytest.mark.thorough
def test_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("device", tmp_path, capsys, "--rounds", "1", "--windows", "1")
    assert positive(rows)
    assert rows["cpu, 1 thread: times as fast as one CPU thread"]["value"] == 1
    assert len(rows) == 2 * (1 + (os.cpu_count() != 1) + torch.cuda.is_available())


@pytest.mark.slow
def test_methods(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path, "digits-balancing", "digits")
    monkeypatch.chdir(tmp_path)
    rows = run("methods", tmp_path / "out", capsys, "--rounds", "1")
    assert positive(rows)
    assert [name.partition(" (")[0] for name in rows] == list(load_config().finetune.methods)


def test_methods_that_have_no_joint_step_or_no_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first are left out, and it is said; the second are a mistake, after which nothing is written."""
    prepared(tmp_path, "smoke", "sensors")
    monkeypatch.chdir(tmp_path)
    arguments = ["--rounds", "1", "--out", "out"]
    with pytest.raises(UserError, match="is missing; run `dvc repro pretrain`"):
        methods.main(arguments)
    assert not Path("out").exists()
    text = Path("params.yaml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("    joint_pretrained:")]
    Path("params.yaml").write_text("\n".join(kept), encoding="utf-8")
    capsys.readouterr()
    assert methods.main(arguments) == 0
    printed = capsys.readouterr().out
    rows = read(Path("out/methods.json"), "methods", printed)
    assert [name.partition(" (")[0] for name in rows] == ["joint", "uncertainty"]
    assert "sequential is left out: " in printed


def test_balancing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("balancing", tmp_path, capsys, "--rounds", "1", "--tasks", "2", "--no-memory")
    assert positive(rows)
    assert set(rows) == {
        f"K = 2: {name}"
        for name in [
            *balancing.WEIGHTING, *(f"{kind}, on features" for kind in balancing.AGGREGATION), "gradnorm",
            *(f"{kind}, {form}" for kind in balancing.TORCHJD
              for form in ("exact", "torchjd", "exact, to torchjd's own")),
        ]
    }  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "uncertainty", "mgda, on features", "upgrad, exact", "upgrad, torchjd"])
def test_memory_of_a_balanced_step(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks that the benchmark's child process prints a number."""
    assert balancing.main(["--memory", name, "--tasks", "3"]) == 0
    assert float(capsys.readouterr().out) >= 0


def test_memory_of_no_method() -> None:
    with pytest.raises(UserError, match=r"`--memory` should be one of plain, fixed, .*, found 'best'"):
        balancing.main(["--memory", "best"])


def test_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("images", tmp_path, capsys, "--rounds", "1", "--images", "256")
    assert positive(rows) and len(rows) == 10
    assert {"ours against it", "100 binary heads against one", "100 regressions against one"} <= set(rows)


def test_datamaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("datamaps", tmp_path, capsys, "--rounds", "1", "--images", "400")
    assert positive(rows) and len(rows) == 6
    assert {"`training` map, share of an epoch", "`evaluation` map, share of an epoch"} <= set(rows)


@pytest.mark.slow
def test_coverage(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and sums are read again the second time; the same numbers come out."""
    sizes = ["--networks", "2", "--histories", "3", "--rows", "160", "--draws", "4", "--work", str(tmp_path / "work")]
    rows = run("coverage", tmp_path, capsys, *sizes)
    assert len(rows) == 18
    shares = [row["value"] for name, row in rows.items() if "covered" in name or "share" in name]
    assert len(shares) == 12 and all(0 <= share <= 100 for share in shares)
    for name in ("run_baseline", "run_finetune", "measure", "read_source"):
        monkeypatch.setattr(histories, name, None)
    assert run("coverage", tmp_path, capsys, *sizes) == rows


@pytest.mark.slow
def test_variance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("variance", tmp_path, capsys, "--repetitions", "200")
    assert len(rows) == 16 and all(0 <= row["value"] <= 100 for row in rows.values())
    assert rows["test data lead: seeds alone"]["value"] < 60 < rows["test data lead: crossed components"]["value"]
    assert rows["156 blocks of 64 rows"]["value"] < rows["16 blocks of 625 rows"]["value"]


def test_stamps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("stamps", tmp_path, capsys, "--rows", "300", "--rounds", "1")
    assert len(rows) == 15 and positive(rows)


def test_coverage_of_intervals_by_hand() -> None:
    """The truth 1 lies in both intervals of one history, and in one of two of the other: 75 %, ± 1.96 · 25 %."""
    there, beside = (Interval(mean=0.0, low=low, high=3.0, n=5) for low in (0.5, 2.0))
    result = coverage.coverage([[there, there], [there, beside]], 1.0)
    assert (result.mean, result.high) == (75.0, pytest.approx(75 + 1.96 * 25))


@pytest.mark.slow
def test_balancing_with_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("balancing", tmp_path, capsys, "--rounds", "1", "--tasks", "2")
    assert positive(rows) and "K = 2: plain step, peak memory" in rows
    assert " MB, " in rows["K = 2: upgrad, exact"]["note"]


@pytest.mark.slow
def test_epoch_with_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On what is prepared here, or `sensors`."""
    rows = run("epoch", tmp_path, capsys, "--doublings", "1", "--jobs-preset", "smoke")
    assert positive({name: row for name, row in rows.items() if "exponent" not in name})
    assert {"4 runs of smoke, one at a time", "4 runs of smoke, two at a time", "two jobs against one"} <= set(rows)


@pytest.mark.slow
def test_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("pipeline", tmp_path, capsys, "--preset", "smoke", "--rounds", "1")
    assert positive(rows)
    stages = ["prepare sensors", "pretrain", "baseline", "finetune", "evaluate"]
    assert {f"peak memory of {stage}" for stage in stages} <= set(rows)
    kinds = ("pretrain", "baseline", "finetune")
    assert {f"{kind}: from its start to the end of the first step" for kind in kinds} <= set(rows)
    assert {"`dvc repro` with nothing to do", "`mtl repro` with nothing to do", "`mtl --help`"} <= set(rows)


@pytest.mark.slow
def test_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("cluster", tmp_path, capsys, "--workers", "4", "--runs", "12", "--seconds", "0.1")
    assert positive(rows) and "12 runs of 0.1 s on 4 workers: scheduler" in rows


@pytest.mark.slow
def test_fan_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("fan_out", tmp_path, capsys, "--tasks", "12", "--preset", "smoke", "--rounds", "1")
    assert positive({name: row for name, row in rows.items() if "epoch" not in name and "overhead" not in name})
    assert "12 tasks on digits, two trained alone: from nothing to verdicts" in rows and "smoke: overhead" in rows


def test_sets_of_digits_are_distinct_tasks() -> None:
    config = parse_config(fan_out.many_tasks(1000))
    labels = [task.model_dump_json() for task in config.tasks.values()]
    assert len(labels) == len(set(labels)) == 1000 and len(config.baseline_tasks) == 2


@pytest.mark.slow
def test_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("study", tmp_path, capsys, "--preset", "smoke", "--trials", "2")
    assert positive(rows) and len(rows) == 3


@pytest.mark.slow
def test_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its rows count mistakes, so 0 is as good a number as any."""
    rows = run("advice", tmp_path, capsys, "--plants", "1", "--seeds", "2")
    assert len(rows) == 8 and all(0 <= row["value"] <= 1 for row in rows.values())
    content = json.loads((tmp_path / "advice.json").read_text(encoding="utf-8"))
    assert [(one["relatedness"], one["plant"]) for one in content["advised"]] == [(0, 0), (0, 5), (1, 0), (1, 5)]


@pytest.mark.slow
def test_pretrain_parallel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--processes", "2", "--batch", "8", "--steps", "2", "--turns", "1"]
    rows = run("pretrain_parallel", tmp_path, capsys, *sizes)
    assert positive(rows) and len(rows) == 3


def test_groups_are_held_against_the_published_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = sorted(groups.MACHINES | groups.ANIMALS)
    machines = [int(name in groups.MACHINES) for name in tasks]
    assert groups.likeness(tasks, machines, 2) == 1.0
    assert groups.likeness(tasks, [0] * len(tasks), 2) == 0.0
    assert groups.likeness(["zero", "even"], [0, 1], 2) is None, "tasks of another set"
    people = sorted(groups.TOGETHER["people"])
    assert groups.most_together(people, [0, 0, 1, 0, 2], groups.TOGETHER["people"]) == 3
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(render("smoke", PROJECT), encoding="utf-8")
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("  source: joint\n", "  source: null\n"), encoding="utf-8")
    with pytest.raises(UserError, match=r"`cluster\.source` should name a method"):
        groups.main([])


@pytest.mark.slow
def test_regressions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("regressions", tmp_path, capsys, "--seeds", "1")
    assert {"alone: first", "equal: second", "upgrad: above the front", "wide: first"} <= set(rows)
    assert rows["equal: above the front"]["value"] < 0.05 < rows["equal: first"]["value"]


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("pictures", tmp_path, capsys, "--images", "40", "--rounds", "1")
    assert rows["prepare / loop"]["value"] > 0 and rows["memory"]["unit"] == "MB"
