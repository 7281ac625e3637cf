"""Loaded models of quantiles beside other tasks, under every form of sharing: metrics are those of the run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.config import Config
from mtl.data.build import read_source
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.experiment import run_finetune
from mtl.experiment.objects import load_tasks
from mtl.paths import PREPARED
from mtl.results.record import Run
from mtl.tasks.answers import Classes, Numbers
from tests.experiment.conftest import configure
from tests.helpers.problems import waves

SEED = 3
FORMS: dict[str, dict[str, Any]] = {
    "hard": {"kind": "hard"},
    "separate": {"kind": "separate"},
    "soft": {"kind": "soft"},
    "cross_stitch": {"kind": "cross_stitch", "init": "lean"},
    "branched": {"kind": "branched", "groups": [["next", "phase"], ["up", "band"]], "shared_stages": 1},
}


def on_windows() -> Config:
    """Every form of sharing over a forecast, one with quantiles, a classification and a binary on one series."""
    at = {"source": "line", "input_len": 8}
    return configure(
        tasks={
            "next": {"kind": "forecast", "horizon": 4} | at,
            "band": {"kind": "forecast", "horizon": 4, "loss": {"quantiles": [0.1, 0.5, 0.9]}} | at,
            "phase": {"kind": "classification", "label": "phase"} | at,
            "up": {"kind": "binary", "label": "up"} | at,
        },
        train={"epochs": 1, "batch_size": 32, "lr": 3e-3, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {name: {"kind": "equal", "sharing": form} for name, form in FORMS.items()}},
    )


def on_rows() -> Config:
    """Two regressions, one of them with quantiles, on rows."""
    at = {"kind": "regression", "source": "own"}
    return configure(
        prepare={"sources": {"own": {"kind": "regressions", "rows": 300, "inputs": 4}}},
        tasks={
            "first": at | {"target": "first"},
            "second": at | {"target": "second", "loss": {"quantiles": [0.2, 0.5, 0.8]}},
        },
        encoder={"kind": "mlp", "sizes": [6]},
        train={"epochs": 1, "batch_size": 32, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {"hard": {"kind": "equal"}}},
    )  # fmt: skip


def on_images() -> Config:
    """Two labels of the embedded digits."""
    return configure(
        prepare={"sources": {"digits": {"kind": "digits", "train_images": 200}}},
        tasks={
            "digit": {"kind": "classification", "source": "digits", "label": "classes"},
            "even": {"kind": "binary", "source": "digits", "label": "even"},
        },
        encoder={"kind": "mlp", "sizes": [12]},
        train={"epochs": 1, "batch_size": 32, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={
            "methods": {"hard": {"kind": "equal"}, "stitched": {"kind": "equal", "sharing": FORMS["cross_stitch"]}}
        },
    )  # fmt: skip


class Trained:
    """The runs of a configuration, and what its test samples are in original units."""

    def __init__(self, config: Config, root: Path) -> None:
        self.config, self.root = config, root
        for name, source in config.prepare.sources.items():
            data = waves() if name == "line" else read_source(name, source)
            write_prepared(data, root / PREPARED / name, {})
        self.folders = {name: run_finetune(config, name, SEED, root) for name in config.finetune.methods}
        self.data: TaskSet = load_tasks(config, SEED, root)[0]

    def samples(self, task: str) -> np.ndarray:
        """Test samples of a task, as its source holds them."""
        (pool,) = self.data.select([task], "test")
        source: Any = self.data.sources[pool.source].data
        numbers = pool.samples.numbers
        if isinstance(pool.samples, Windows):
            cut = [source.values[start : start + pool.samples.input_len] for start in numbers.tolist()]
            return torch.stack(cut).numpy()
        raw = source.images if hasattr(source, "images") else source.values
        return np.asarray(raw[numbers])


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(on_windows(), tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module", params=["windows", "rows", "images"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    if request.param == "windows":
        found: Trained = request.getfixturevalue("windows")
        return found
    config = on_rows() if request.param == "rows" else on_images()
    return Trained(config, tmp_path_factory.mktemp(request.param))


def test_its_test_metrics_are_those_of_the_run(trained: Trained) -> None:
    for folder in trained.folders.values():
        model, run = mtl.load_model(folder), Run.read(folder / "run.json")
        for task, spec in model.tasks.items():
            x = trained.samples(task)
            (pool,) = trained.data.select([task], "test")
            target = pool.batch(torch.arange(len(pool))).target(task)
            whole = model.outputs(x, [task])[task]
            valid = pool.targets[task].valid
            kept = slice(None) if valid is None else valid  # the evaluation predicts all samples that tasks share
            assert spec.score(whole[kept], target[kept], detailed=True)[0] == run.test[task], (folder.name, task)
            torch.testing.assert_close(model.outputs(x, [task], batch_size=7)[task], whole, rtol=1e-5, atol=1e-5)


def test_answers_are_in_the_users_terms(windows: Trained) -> None:
    model = mtl.load_model(windows.folders["hard"])
    x = windows.samples("next")[:5]
    answers = model.predict(x)
    ahead, band, phase = answers["next"], answers["band"], answers["phase"]
    assert isinstance(ahead, Numbers) and ahead.values.shape == (5, 2, 4) and ahead.columns == ["c0", "c1"]
    assert isinstance(band, Numbers) and band.levels == (0.1, 0.5, 0.9) and band.quantiles is not None
    assert bool((np.diff(band.quantiles, axis=-1) >= 0).all())
    assert isinstance(phase, Classes) and phase.classes == ["k0", "k1", "k2"]
    np.testing.assert_allclose(phase.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert phase.predicted == [phase.classes[k] for k in phase.probabilities.argmax(axis=1)]
    frame = pd.DataFrame(x[0], columns=["c0", "c1"])
    np.testing.assert_allclose(model.predict(frame)["next"].values[0], ahead.values[0], rtol=1e-5)
