"""`mtl.compare`: its frames hold what the stages write, and the caller's process stays as it was."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api import compare as room
from mtl.api.compare import PROJECT
from mtl.api.folders import OwnFolder
from mtl.api.result import Result
from mtl.config import load_config, parse_config
from mtl.config.table_source import TableSource
from mtl.errors import UserError
from mtl.report.timings import whole_page
from mtl.results.verdicts import Verdicts
from tests.api.conftest import QUICK, ROWS, unchecked


def test_there_is_a_row_for_each_method_and_task(result: Result) -> None:
    table = result.verdicts
    assert list(zip(table.method, table.task, strict=True)) == [
        ("equal", "quality"), ("equal", "good"), ("upgrad", "quality"), ("upgrad", "good"),
    ]  # fmt: skip
    assert list(table.metric) == ["mse", "auc"] * 2 and set(table.verdict) == {"not known"}
    written = Verdicts.read(result.folder / "results/verdicts.json")
    row = written.rows_of("upgrad")[0]
    first = table[(table.method == "upgrad") & (table.task == "quality")].iloc[0]
    assert (first.stl, first.joint, first.change) == (row.stl.mean, row.joint.mean, row.change.mean)
    assert first.verdict_in_words == "not known: too few seeds" and first.simple_model == "ridge"


def test_simple_models_runs_and_predictions_are_frames(result: Result, frame: pd.DataFrame) -> None:
    assert list(result.simple.task) == ["quality", "good"] and set(result.simple.metric) == {"mse", "auc"}
    assert len(result.runs.seed.unique()) == 2
    truth = result.predictions.query("stage == 'truth' and task == 'quality'")
    assert len(truth) == ROWS // 5
    told = np.array([values[0] for values in truth["values"]])
    np.testing.assert_allclose(told, frame.quality.to_numpy()[truth["sample"]], rtol=1e-6)
    assert set(result.predictions.query("task == 'good' and stage == 'finetune'").label) <= {"yes", "no"}


def test_columns_have_the_types_of_mtl_init(result: Result) -> None:
    (source,) = result.config.prepare.sources.values()
    assert isinstance(source, TableSource) and source.inputs == {
        "acid": "number", "sugar (g)": "number", "ash": "number", "grape": "category", "organic": "boolean",
        "sold": "date",
    }  # fmt: skip
    assert source.ignore == ["number"]


def test_it_is_told_as_text_and_as_a_table_of_a_notebook(result: Result) -> None:
    text = str(result)
    assert "equal weights" in text and "Advice" in text and "mtl ui" not in text
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + 2 + 4 and "not known: too few seeds" in page and "<table>" in page
    assert "2 tasks, 2 methods" in repr(result)


@pytest.mark.thorough
def test_the_report_is_written_when_it_is_asked_for(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    page = result.report()
    assert page.is_file() and "quality" in page.read_text(encoding="utf-8")
    before, opened = page.stat().st_mtime_ns, []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert result.report(show=True) == page and page.stat().st_mtime_ns == before
    assert opened == [page.resolve().as_uri()]
    assert result.report(show=False) == page and result.report() == page and len(opened) == 1


@pytest.mark.parametrize(
    ("prompt", "screen", "opens"), [(True, ":0", True), (True, "", False), (False, ":0", False)],
    ids=["at a prompt", "without a screen", "in a script"],
)  # fmt: skip
def test_the_report_opens_where_somebody_looks(
    result: Result, monkeypatch: pytest.MonkeyPatch, prompt: bool, screen: str, opens: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if prompt:
        monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    page = result.report()
    assert opened == ([page.resolve().as_uri()] if opens else [])
    assert (whole_page(page) != page.read_text(encoding="utf-8")) == (page.parent / "timings.js").is_file()
    assert "<script src=" not in whole_page(page)


def test_torch_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUBLAS_WORKSPACE_CONFIG", "TORCHINDUCTOR_DETERMINISTIC"):
        monkeypatch.delenv(name, raising=False)
    kernels = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        torch.manual_seed(3)
        wanted = torch.rand(2)
        torch.manual_seed(3)
        x = np.random.default_rng(0).normal(size=(60, 3))
        made = mtl.compare((x, x.sum(axis=1)), {"y": "regression"}, **QUICK)
        assert torch.equal(torch.rand(2), wanted) and not torch.are_deterministic_algorithms_enabled()
        assert not {"CUBLAS_WORKSPACE_CONFIG", "TORCHINDUCTOR_DETERMINISTIC"}.intersection(os.environ)
    finally:
        torch.use_deterministic_algorithms(kernels)
    (source,) = made.config.prepare.sources.values()
    assert isinstance(source, TableSource) and source.inputs is not None and list(source.inputs) == ["x0", "x1", "x2"]
    folder = made.folder
    assert folder.is_dir()
    del made
    assert not folder.exists(), "a temporary folder goes with its result"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"targets": {"qualty": "regression"}}, "`targets` should name columns of"),
        ({"targets": {"quality": "binary"}}, "`targets`: 'quality' cannot be, for"),
        ({"targets": {"quality": "regresion"}}, "should have a kind among"),
        ({"targets": {"quality": 3}}, "`targets['quality']` should be a kind or settings of a task, found 3"),
        ({"targets": {"good": {"kind": "binary", "metrik": "auc"}}}, "`tasks.good.metrik` is not a known key"),
        ({"targets": {"dear": {"kind": "binary", "label": {"column": "cost", "above": 7}}}}, "should learn a column"),
        ({"targets": []}, "`targets` should be a mapping of columns to kinds of tasks"),
        ({"targets": ["quality", "quality"]}, "should name each column once"),
        ({"methods": ["eqal"]}, "`finetune.methods.eqal.kind` should be one of"),
        ({"methods": []}, "`methods` should name a method"),
        ({"methods": {"a": 1}}, "`methods['a']` should be a kind or settings of a method, found 1"),
        ({"seeds": 0}, "`seeds` should be their number"),
        ({"seeds": True}, "`seeds` should be their number"),
        ({"epochs": 0}, "`settings`: `train.epochs`"),
        ({"group": 3}, "`group` should be the name of a column, found 3"),
        ({"group": "grapes"}, "`group` should be a column of"),
        ({"group": "quality"}, "`group` should be a column that no task learns"),
        ({"encoder": "transfomer"}, "`settings`: `encoder.kind` should be one of"),
        ({"encoder": 3}, "`encoder` should be"),
        ({"settings": {"trian.epochs": 3}}, "`settings`: `trian` is not a known key"),
        ({"settings": {"train.epochs": 3}, "epochs": 2}, "the argument `epochs` says it"),
        ({"settings": {"train": 3}, "epochs": 2}, "`settings['train']` should be a section"),
        ({"settings": {"source": {"separatr": ";"}}}, "separatr"),
        ({"settings": {"train.lr": np}}, "`settings` should hold numbers, texts, lists and maps"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_told_before_anything_trains(
    arguments: dict[str, Any], told: str, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    make = OwnFolder.__init__

    def noted(self: OwnFolder) -> None:
        make(self)
        folders.append(self.path)

    def trains(*_: object) -> None:
        raise AssertionError("trains")

    monkeypatch.setattr(OwnFolder, "__init__", noted)
    monkeypatch.setattr("mtl.experiment.runs.fit", trains)
    with pytest.raises(UserError) as caught:
        unchecked(mtl.compare)(frame, **({"targets": {"quality": "regression"}, "methods": "equal"} | arguments))
    assert told in str(caught.value) and "--" not in str(caught.value)
    assert not any(folder.exists() for folder in folders)


def test_settings_reach_the_runs(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule, a metric, a group, a named method, a list of seeds and sections."""
    seen = []

    def stop(config: object, root: Path, tell: object) -> None:
        seen.append(load_config(root / "params.yaml"))
        raise UserError("enough")

    monkeypatch.setattr(room, "run_pipeline", stop)
    label = {"column": "quality", "at_least": 0.5}
    with pytest.raises(UserError, match="enough"):
        mtl.compare(
            frame.assign(maker=np.arange(ROWS) % 10),
            {"fine": {"kind": "binary", "label": label, "metric": "f1"}, "good": None},
            methods={"mine": {"kind": "uncertainty"}},
            seeds=[3, 5],
            epochs=7,
            group="maker",
            settings={"train.lr": 0.01, "train": {"batch_size": 16}, "source": {"rare": 2}},
        )
    (config,) = seen
    assert config.tasks["fine"].primary_metric == "f1" and list(config.tasks) == ["fine", "good"]
    assert list(config.finetune.methods) == ["mine"] and config.base.seeds == [3, 5]
    assert (config.train.lr, config.train.batch_size, config.train.epochs) == (0.01, 16, 7)
    (source,) = config.prepare.sources.values()
    assert source.rare == 2 and source.split.column == "maker" and "quality" not in source.inputs


def test_import_mtl_loads_no_torch() -> None:
    code = "import sys, mtl, mtl.config; assert callable(mtl.compare); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_its_project_is_whole(result: Result) -> None:
    assert result.folder.name == PROJECT
    names = {path.name for path in result.folder.iterdir()}
    assert names >= {"params.yaml", "dvc.yaml", "code.json", "README.md", "plugins", "data", "outputs", "results"}
    assert parse_config(load_config(result.folder / "params.yaml").model_dump(mode="json", by_alias=True))


def test_what_draws_and_what_groups_is_not_loaded_to_compare() -> None:
    """Each takes as long to load as some runs of a small table take."""
    code = (
        "import sys, mtl.api.pipeline, mtl.api.result\n"
        "heavy = {'matplotlib', 'sklearn', 'torch._dynamo'}.intersection(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
