"""Two planted regressions in networks that share one number a row: what is reached is what is known, and no more."""

from pathlib import Path

import pytest

from mtl.config import Config, RegressionsSource
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.sources.regressions import equal_turn, excess, front
from mtl.experiment import run_baseline, run_finetune
from mtl.paths import PREPARED
from mtl.results.record import Run
from tests.experiment.conftest import configure

SEED = 3


def settings(**changes: object) -> Config:
    """Ten inputs, two targets, one number between them."""
    return configure(
        prepare={"sources": {"own": {"kind": "regressions", "rows": 4000} | changes}},
        tasks={name: {"kind": "regression", "source": "own", "target": name} for name in ("first", "second")},
        encoder={"kind": "mlp", "sizes": [5, 1], "activation": "identity"},
        train={"epochs": 8, "batch_size": 64, "lr": 0.02, "weight_decay": 0.0, "schedule": "cosine", "clip": None,
               "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {"equal": {"kind": "equal"}, "upgrad": {"kind": "upgrad", "features": "features"}}},
    )  # fmt: skip


def source_of(config: Config) -> RegressionsSource:
    source = config.prepare.sources["own"]
    assert isinstance(source, RegressionsSource)
    return source


def trained(config: Config, root: Path) -> dict[str, Run]:
    """The single-task runs and the joint ones."""
    write_prepared(read_source("own", source_of(config)), root / PREPARED / "own", {})
    folders = {name: run_baseline(config, name, config.baseline.starts[0], SEED, root) for name in config.tasks}
    folders |= {name: run_finetune(config, name, SEED, root) for name in config.finetune.methods}
    return {name: Run.read(folder / "run.json") for name, folder in folders.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return trained(settings(), tmp_path_factory.mktemp("planted"))


def test_alone_each_task_reaches_its_optimum(runs: dict[str, Run]) -> None:
    for name in ("first", "second"):
        # On 1,200 test rows the best predictor of all rows may be beaten by a hair.
        assert runs[name].test[name]["mse"] == pytest.approx(runs[name].optimum[name]["mse"], rel=0.03)


@pytest.mark.parametrize("method", ["equal", "upgrad"])
def test_together_they_reach_the_front_and_not_more(runs: dict[str, Run], method: str) -> None:
    test = runs[method].test
    assert -0.03 < excess(source_of(settings()), (test["first"]["mse"], test["second"]["mse"])) < 0.03


def test_equal_weights_end_where_the_sum_is_least(runs: dict[str, Run]) -> None:
    source = source_of(settings())
    test = runs["equal"].test
    reached = (test["first"]["mse"], test["second"]["mse"])
    assert reached == pytest.approx(front(source, equal_turn(source)), abs=0.03)


def test_what_is_noise_is_not_learnt(tmp_path: Path) -> None:
    """The example of Jacobian descent as others publish it has noise for targets: nothing beats their mean."""
    for run in trained(settings(signal=[0.0, 0.0], rows=1000), tmp_path).values():
        for task, metrics in run.test.items():
            best = run.optimum[task]["mse"]
            assert metrics["mse"] >= best * 0.999 and metrics["r2"] < 0.02
