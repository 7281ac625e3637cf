"""Networks of rows with categories and missing numbers: trained, saved, and loaded on the frame of a user."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.data.loading.store import write_prepared
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.experiment.objects import load_tasks
from mtl.models.cells import Piecewise
from mtl.models.tabular import Tabular
from mtl.paths import PREPARED
from tests.experiment.conftest import configure
from tests.helpers.tables import mixed

SEED = 3
TABULAR = {"kind": "tabular", "width": 16, "members": 2, "layers": 1}
ENCODERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tabular": (TABULAR, {"kind": "hard"}),
    "tabular-stitched": (TABULAR | {"numbers": "piecewise", "bins": 4}, {"kind": "cross_stitch"}),
    "mlp": ({"kind": "mlp", "sizes": [16, 8]}, {"kind": "separate"}),
}


@pytest.fixture(scope="module", autouse=True)
def _leave_torch_as_it_was() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_prepared(mixed(480, weights=torch.rand(480, dtype=torch.float64) + 0.5), folder / PREPARED / "table", {})
    return folder


@pytest.fixture(scope="module", params=ENCODERS)
def run(request: pytest.FixtureRequest, root: Path) -> tuple[Path, Any]:
    """Folder of a finished run, and its configuration."""
    encoder, sharing = ENCODERS[request.param]
    config = configure(
        base={"seeds": [SEED], "device": "cpu", "threads": 1},
        prepare={"sources": {"table": {"kind": "python", "target": "own:data"}}},
        tasks={
            "y": {"kind": "regression", "source": "table", "target": "y"},
            "good": {"kind": "binary", "source": "table", "label": "good", "loss": "focal"},
            "shape": {"kind": "classification", "source": "table", "label": "shape"},
        },
        encoder=encoder,
        train={"epochs": 8, "batch_size": 32, "lr": 1e-2, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {"joint": {"kind": "equal", "sharing": sharing}}},
    )
    return run_finetune(config, "joint", SEED, root, out=root / request.param), config


def frame(numbers: torch.Tensor) -> pd.DataFrame:
    """Rows of the table as a user has them."""
    data = mixed(480)
    assert data.categories is not None
    colours = [data.vocabularies["colour"][code] for code in data.categories[numbers, 0].tolist()]
    values = {name: data.values[numbers, place].numpy() for place, name in enumerate(data.columns)}
    return pd.DataFrame({"colour": colours} | values)


def test_the_test_metrics_come_back_from_a_frame(run: tuple[Path, Any], root: Path) -> None:
    folder, config = run
    judged = json.loads((folder / "run.json").read_text())["test"]
    model, (data, _) = mtl.load_model(folder), load_tasks(config, SEED, root)
    seen = []
    for pool in data.pools["test"]:
        found = model.outputs(frame(pool.samples.numbers), pool.tasks)
        batch = pool.batch(torch.arange(len(pool)))
        for place, name in enumerate(pool.tasks):
            there = slice(None) if batch.valid is None else batch.valid[:, place]
            metrics, _ = model.tasks[name].score(found[name][there], batch.target(name)[there], detailed=True)
            assert metrics == judged[name]
            seen.append(name)
    assert set(seen) == {"y", "good", "shape"}
    assert judged["y"]["mse"] < 0.4 and judged["good"]["accuracy"] > 0.8, "categories and numbers were read"


def test_what_training_does_not_know_gives_finite_predictions(run: tuple[Path, Any]) -> None:
    model = mtl.load_model(run[0])
    rows = frame(torch.arange(6))
    assert bool(rows["b"].isna().any()) and model.tasks["y"].columns == ["a", "b", "c", "colour"]
    rows["colour"] = ["mauve", None, "red", "blue", "green", "mauve"]
    with pytest.warns(UserWarning, match=r"'colour' holds categories in 2 of 6 rows"):
        found = model.predict(rows)
    assert np.isfinite(found["y"].values).all() and np.isfinite(found["good"].probabilities).all()
    assert found["y"].values[0] != found["y"].values[2]
    with pytest.raises(UserError, match="'b' missing"):
        model.predict(rows.drop(columns="b"))


def test_pieces_lie_between_quantiles_of_training_rows_alone(root: Path, run: tuple[Path, Any]) -> None:
    """Every column of a run has the same ones: rows of validation and test have no part in them."""
    folder, config = run
    network = mtl.load_model(folder).network.model
    encoders = [part for part in network.modules() if isinstance(part, Tabular)]
    data, _ = load_tasks(config, SEED, root)
    numbers = torch.cat([pool.samples.numbers for pool in data.pools["train"]]).unique()
    x = data.pools["train"][0].samples.encoded[numbers][:, :3]  # type: ignore[attr-defined]
    for encoder in encoders:
        embedding = encoder.embedding.cells.embedding
        if isinstance(embedding, Piecewise):
            for edges, column in zip(embedding.edges, x.T, strict=True):
                ends = torch.tensor([0.0, 1.0])  # of the distinct values, between them the median of all
                all_rows = torch.quantile(column, torch.tensor([0.0, 0.5, 1.0]))
                wanted = torch.cat([all_rows, torch.quantile(column.unique(), ends)]).sort().values
                torch.testing.assert_close(edges, wanted)
