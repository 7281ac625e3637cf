"""Exported files answer as the model does in the runtimes that load them; a wrong file is never written."""

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

import mtl
from mtl.cli.export import Wish as ExportWish
from mtl.cli.export import export
from mtl.data.inputs.base import Layout
from mtl.data.inputs.normal import normal_quantile
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.traced_every import traced
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.paths import RunPath
from mtl.serving.export.check import check, expected
from mtl.serving.export.graph import graph_of
from mtl.serving.service import Service
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import series_settings, train
from tests.serving.conftest import Project

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(plant: Project) -> Path:
    return plant.root / RunPath("finetune", "joint", None, 0).folder


def by_command(*arguments: str) -> str:
    """Output of `mtl export` in a process of its own: the checks of types that tests add cannot be traced."""
    command = [sys.executable, "-m", "mtl.cli", "export", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT).stdout


@pytest.mark.thorough
def test_a_mixture_is_one_onnx_file_that_reads_names(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "flats.onnx"
    by_command("--to", "onnx", "--model", str(rows), "-o", str(out))
    import onnxruntime

    told = json.loads((tmp_path / "flats.onnx.json").read_text(encoding="utf-8"))
    assert told["format"]["opset"] == 20 and told["checked"]["samples_at_once"] == [1, 3, 257, 1000]
    frame = flats_frame(300, seed=5)
    frame.loc[0, "town"], frame.loc[1, "town"], frame.loc[2, "size (m2)"] = "Paris", None, np.nan
    sold = pd.to_datetime(frame.pop("sold"), format="%d.%m.%Y")
    frame = frame.assign(**{
        "sold (days)": (sold - pd.Timestamp("2000-01-01")) / pd.Timedelta("1D"), "sold (month)": sold.dt.month,
        "sold (day of the month)": sold.dt.day, "sold (day of the week)": sold.dt.day_of_week,
    })  # fmt: skip
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    numbers, categories = (told["inputs"][name]["columns"] for name in ("numbers", "categories"))
    feeds = {
        "numbers": frame[numbers].to_numpy(np.float64),
        "categories": frame[categories].astype(object).fillna("").to_numpy(),
    }
    got = dict(zip(told["outputs"], session.run(list(told["outputs"]), feeds), strict=True))
    whole = frame.drop(index=2)
    with pytest.warns(UserWarning, match="Paris"):
        right = mtl.load_model(rows).predict(whole[[*numbers, *categories]])
    kept = np.arange(300) != 2
    rent, band, dear = (np.asarray(right["rent"].values), right["band"], right["dear"])  # type: ignore[union-attr]
    assert_allclose(got["rent"][kept], rent, rtol=1e-5)
    assert_allclose(got["band:quantiles"][kept], band.quantiles, rtol=1e-5)  # type: ignore[union-attr]
    assert_allclose(got["dear:probabilities"][kept], dear.probabilities, atol=1e-5)  # type: ignore[union-attr]
    assert got["dear"][kept].tolist() == dear.predicted  # type: ignore[union-attr]
    assert np.isnan(got["rent"][2]) and np.isnan(got["band"][2]) and got["dear"][2] == ""
    assert b"/work" not in out.read_bytes() and b"site-packages" not in out.read_bytes()


@pytest.mark.thorough
def test_a_program_runs_with_torch_alone_and_holds_no_pickle(run: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "plant.pt2", tmp_path / "again.pt2"
    for file in (out, again):
        by_command("--to", "torch", "--model", str(run), "-o", str(file))
    assert out.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(out) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert not content.startswith((b"PK", b"\x80")) or "/weights/" in name, name
            assert b"stack_trace" not in content
    model = mtl.load_model(run)
    windows = 50 + 10 * np.random.default_rng(0).normal(size=(300, 24, len(model.tasks["next"].columns)))
    np.save(tmp_path / "windows.npy", windows)
    code = (
        "import sys, numpy, torch\n"
        "program = torch.export.load('plant.pt2').module()\n"
        "outputs = program(torch.from_numpy(numpy.load('windows.npy')))\n"
        "numpy.savez('outputs.npz', *[output.numpy() for output in outputs])\n"
        "assert 'mtl' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)
    right: dict[str, Any] = dict(model.predict(windows))
    told = json.loads((tmp_path / "plant.pt2.json").read_text(encoding="utf-8"))
    with np.load(tmp_path / "outputs.npz") as outputs:
        order = sorted(told["outputs"], key=lambda name: told["outputs"][name]["place"])
        got = dict(zip(order, outputs.values(), strict=True))
    assert_allclose(got["next"], right["next"].values, rtol=1e-5)
    assert_allclose(got["later:quantiles"], right["later"].quantiles, rtol=1e-5)
    assert [right["alarm"].classes[number] for number in got["alarm"]] == right["alarm"].predicted


@pytest.mark.thorough
def test_a_folder_of_mlflow_answers_in_a_fresh_process_without_pickle(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "flats"
    by_command("--to", "mlflow", "--model", str(rows), "-o", str(out))
    assert not [file for file in out.rglob("*") if file.suffix in (".pkl", ".pickle", ".pt", ".pth")]
    described = (out / "MLmodel").read_text(encoding="utf-8")
    assert str(tmp_path) not in described and str(PROJECT) not in described and str(rows.parent) not in described
    pinned = (out / "requirements.txt").read_text(encoding="utf-8").split()
    assert (
        all(re.fullmatch(r"[A-Za-z.]+==[0-9.]+", line) for line in pinned) and f"mlflow=={version('mlflow')}" in pinned
    )
    frame = flats_frame(300, seed=5).drop(columns=["rent", "dear"])
    frame = frame.assign(sold=pd.to_datetime(frame["sold"], format="%d.%m.%Y"))
    frame.to_parquet(tmp_path / "new.parquet")
    code = (
        "import mlflow, pandas, sys\n"
        "model = mlflow.pyfunc.load_model('flats')\n"
        "model.predict(pandas.read_parquet('new.parquet')).to_parquet('answers.parquet')\n"
        "assert sys.modules['mtl'].__file__.startswith(sys.argv[1]), sys.modules['mtl'].__file__\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", code, str(out / "code")], cwd=tmp_path, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    right = Service(mtl.load_model(rows)).predict(frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "answers.parquet"), right)


@pytest.mark.thorough
@pytest.mark.parametrize("encoder", [
    {"kind": "timedart", "patch_len": 4, "d_model": 16, "heads": 2, "d_ff": 16, "layers": 1, "attention": "causal"},
    {"kind": "rocket", "kernels": 8, "dilations": [1, 2], "kernel_len": 5, "width": 8, "layers": 1},
    {"kind": "linear", "input_len": 24, "width": 16},
])  # fmt: skip
def test_no_encoder_remembers_the_number_of_samples(encoder: dict[str, Any], tmp_path: Path) -> None:
    settings = series_settings() | {"encoder": encoder}
    settings["base"]["seeds"] = [0]
    settings["train"]["epochs"] = 1
    config = train(settings | {"simple": {"models": []}}, tmp_path)
    run_finetune(config, "joint", 0, tmp_path)
    folder = tmp_path / RunPath("finetune", "joint", None, 0).folder
    told = by_command("--to", "torch", "--model", str(folder), "-o", str(tmp_path / "run.pt2"))
    assert "at 1, 3, 257, 1000 samples at once" in told and (tmp_path / "run.pt2").exists()


def test_a_wrong_export_is_refused(run: Path) -> None:
    model = mtl.load_model(run)
    graph = graph_of(model, ["next"])

    def wrong_above_256(samples: dict[str, torch.Tensor]) -> list[np.ndarray]:
        parts = [part.numpy().copy() for part in graph(*samples.values())]
        parts[0][256:] += 0.1
        return parts

    with pytest.raises(UserError, match=r"next differs from the model by 0\.00\d+ with 257 samples at once"):
        check(model, graph, wrong_above_256, "onnxruntime")

    def hides_what_is_missing(samples: dict[str, torch.Tensor]) -> list[np.ndarray]:
        return [part.nan_to_num().numpy() for part in graph(*samples.values())]

    with pytest.raises(UserError, match="hides that a sample lacks a number"):
        check(model, graph, hides_what_is_missing, "onnxruntime")


def test_the_graph_answers_as_the_model_does(rows: Path) -> None:
    model = mtl.load_model(rows)
    graph = graph_of(model, None)
    samples = graph.first.draw(300, torch.Generator().manual_seed(3))
    for right, got in zip(expected(model, graph, samples), graph(*samples.values()), strict=True):
        assert_allclose(got.numpy(), right, rtol=1e-6, atol=1e-6)


def test_ranks_are_those_of_the_training_rows() -> None:
    draw = np.random.default_rng(0)
    values = torch.from_numpy(np.stack([draw.normal(size=400).round(1), draw.integers(0, 3, 400)], axis=1)).double()
    quantiles = torch.from_numpy(np.quantile(values.numpy(), np.linspace(0, 1, 50), axis=0))
    fitted = FittedRows(values.mean(0), values.std(0), values.median(0).values, (), quantiles)
    (module,) = traced(mtl_rows(), [Layout("rows", (2,), ["a", "b"], fitted)])
    asked = torch.cat([values, torch.tensor([[-9.0, -1.0], [9.0, 5.0], [0.05, 0.5]]).double()])
    seen, usable = module(asked)
    assert bool(usable.all())
    assert_allclose(seen.numpy(), fitted.encoded(asked, None).numpy(), atol=1e-6)


def mtl_rows() -> Any:
    from mtl.config.inputs import ROWS

    return ROWS


def test_the_normal_quantile_is_that_of_torch() -> None:
    shares = torch.cat([torch.rand(5000, dtype=torch.float64), torch.tensor([1e-12, 1e-7, 0.5, 1 - 1e-7]).double()])
    assert_allclose(normal_quantile(shares).numpy(), torch.special.ndtri(shares).numpy(), rtol=1e-12, atol=1e-14)


def test_a_missing_package_is_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs the package onnxruntime.*mtl\[export\]"):
        export(ExportWish("onnx", run, tmp_path / "plant.onnx"))
    assert not list(tmp_path.iterdir())


def test_wishes_that_cannot_be_met_are_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"-o should end in \.pt2, found 'plant\.onnx'"):
        export(ExportWish("torch", run, tmp_path / "plant.onnx"))
    with pytest.raises(UserError, match="--to should be one of"):
        export(ExportWish("tflite", run))
    with pytest.raises(UserError, match=r"name tasks of the model \(next, later, alarm\)"):
        export(ExportWish("torch", run, tmp_path / "plant.pt2", ["never"]))
    assert not list(tmp_path.iterdir())
