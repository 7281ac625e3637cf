"""Runs of tasks of quantiles: targets whose spread depends on the input, some of them missing, and forecasts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl.config import Config
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.recipe import joint
from mtl.experiment.saved import load_network
from mtl.paths import PREPARED
from mtl.results.examples import Examples
from mtl.results.record import Run
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.tasks.quantiles import crps
from mtl.training.measure import predict
from mtl.types import RowSet
from tests.experiment.conftest import configure

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
NORMAL = torch.tensor([-1.644854, -0.674490, 0.0, 0.674490, 1.644854], dtype=torch.float64)
"""Quantiles of the standard normal distribution at these levels."""


def spread(x: Tensor) -> Tensor:
    """Standard deviation of the first target."""
    return 0.3 + x[:, 1].abs()


def planted() -> RowSet:
    """`first` is 2·x₀ + (0.3 + |x₁|)·noise, `second` is x₁ itself; a tenth of each is missing."""
    generator = torch.Generator().manual_seed(1)
    x, noise, lost = (torch.randn(8000, 2, dtype=torch.float64, generator=generator) for _ in range(3))
    values = {"first": 2 * x[:, 0] + spread(x) * noise[:, 0], "second": x[:, 1] + 0.1 * noise[:, 1]}
    numbers = {
        name: torch.where(lost[:, column] > 1.28, torch.nan, value)
        for column, (name, value) in enumerate(values.items())
    }
    return RowSet("own", x, ["a", "b"], torch.arange(8000) % 4 - 1, 3, numbers=numbers)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config, Run]:
    root = tmp_path_factory.mktemp("quantiles")
    config = configure(
        prepare={"sources": {"own": {"kind": "regressions", "rows": 8000}}},
        tasks={
            "wide": {"kind": "regression", "source": "own", "target": "first", "loss": {"quantiles": LEVELS}},
            "plain": {"kind": "regression", "source": "own", "target": "second", "loss": "huber"},
        },
        encoder={"kind": "mlp", "sizes": [32]},
        train={"epochs": 12, "batch_size": 64, "lr": 0.01, "weight_decay": 0.0, "schedule": "cosine", "clip": None,
               "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {"both": {"kind": "uncertainty"}}},
    )  # fmt: skip
    write_prepared(planted(), root / PREPARED / "own", {})
    return root, config, Run.read(run_finetune(config, "both", 3, root) / "run.json")


def test_intervals_hold_their_share(trained: tuple[Path, Config, Run]) -> None:
    _, _, run = trained
    intervals = run.detail["wide"].intervals
    assert intervals is not None and intervals.share == pytest.approx([0.9, 0.5])
    assert intervals.coverage == pytest.approx([0.9, 0.5], abs=0.04)
    assert run.test["wide"]["coverage"] == intervals.coverage[0]
    assert run.test["plain"]["mse"] < 0.05 and run.optimum == {}


def test_quantiles_follow_the_input_to_the_score_of_the_true_ones(trained: tuple[Path, Config, Run]) -> None:
    root, config, run = trained
    source = planted()
    data = build_tasks(config.tasks, {"own": source}, 3)
    (pool,) = data.select(["wide"], "test")
    network = load_network(joint(config, "both", 3), root)
    spec = data.specs["wide"]
    assert isinstance(spec, QuantileRegression)
    prediction, target = predict(network.model, data.select(["wide", *network.specs], "test"))["wide"]
    assert not target.isnan().any() and len(target) < len(pool)
    batch = pool.batch(torch.arange(len(pool)))
    assert batch.valid is not None
    numbers = pool.samples.numbers[batch.valid[:, 0]]
    x = source.values[numbers]
    true = (2 * x[:, :1] + spread(x)[:, None] * NORMAL - spec.mean) / spec.std
    best = crps(true, target.double(), torch.tensor(LEVELS, dtype=torch.float64)).mean().item()
    assert best < run.test["wide"]["crps"] < 1.05 * best
    ordered = prediction.sort(dim=1).values
    inside = (ordered[:, 0] <= target) & (target <= ordered[:, -1])
    for chosen in (x[:, 1].abs() < 0.4, x[:, 1].abs() > 1.2):  # one width for all would hold 100 % and 70 %
        assert inside[chosen].double().mean().item() == pytest.approx(0.9, abs=0.06)


def test_a_predictor_without_input_is_measured_by_the_quantiles_of_its_targets(
    trained: tuple[Path, Config, Run],
) -> None:
    guess = trained[2].guess
    assert guess is not None
    assert guess["wide"]["coverage"] == pytest.approx(0.9, abs=0.03)
    assert trained[2].test["wide"]["crps"] < 0.6 * guess["wide"]["crps"]


def test_a_forecast_of_quantiles_beside_labels(root: Path) -> None:
    tasks = {
        "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4,
                 "loss": {"quantiles": [0.1, 0.5, 0.9]}},
        "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up"},
    }  # fmt: skip
    config = configure(
        tasks=tasks,
        finetune={"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "datamap": {"record": "evaluation"}}}},
    )  # fmt: skip
    folder = run_finetune(config, "joint", 3, root)
    run = Run.read(folder / "run.json")
    assert run.test["next"].keys() >= {"crps", "mse", "mae", "coverage"}
    assert len(run.detail["next"].row("crps_by_horizon")) == 4
    example = Examples.read(folder / "examples.json").by_task["next"]
    assert example.levels == [0.1, 0.5, 0.9]
    for window in example.windows:
        quantiles = np.asarray(window.quantiles)
        assert quantiles.shape == (3, 2, 4) and (np.diff(quantiles, axis=0) >= 0).all()
        assert np.array_equal(quantiles[1], np.asarray(window.prediction))
    alone = Run.read(run_baseline(config, "next", config.baseline.starts[0], 3, root) / "run.json")
    assert alone.test["next"]["crps"] > 0
