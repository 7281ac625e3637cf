"""Simple models that are fitted once more: the same on the same samples, and on more of them with the same settings."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from mtl.config import Config, parse_config
from mtl.config.simple import SimpleConfig
from mtl.data.build import read_source
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.results.simple import SimpleFit, TreesFit
from mtl.simple.again import Before, fit_again
from mtl.simple.fit import Chosen, fit_simple
from mtl.training.measure import predict
from mtl.types import SourceData
from tests.helpers.deployable import text_settings, write_raw
from tests.helpers.problems import forecast, series, waves
from tests.helpers.tables import mixed, tasks

QUANTILES = {"quantiles": [0.1, 0.5, 0.9]}
ROWS = tasks(
    band={"kind": "regression", "target": "y", "loss": QUANTILES},
    few={"kind": "regression", "target": "y", "train_fraction": 0.5},
)
MODELS: dict[str, list[str]] = {
    "rows": ["mean", "ridge", "logistic", "boosting"],
    "texts": ["ngrams"],
    "windows": ["mean", "persistence", "seasonal", "ridge", "logistic", "boosting", "kernels"],
}


@cache
def texts() -> tuple[Config, SourceData]:
    """Reviews with their tasks."""
    config = parse_config(text_settings())
    with TemporaryDirectory() as folder:
        write_raw(Path(folder))
        return config, read_source("reviews", config.prepare.sources["reviews"], Path(folder))


def data_of(samples: str, extent: Any = "train") -> TaskSet:
    if samples == "texts":
        config, source = texts()
        return build_tasks(config.tasks, {"reviews": source}, 0, extent)
    if samples == "rows":
        return build_tasks(ROWS, {"table": mixed(400)}, 0, extent)
    ahead = {"near": forecast(horizon=2), "band": forecast(horizon=3, targets=["c0"], loss=QUANTILES)}
    labels = tasks("line", phase={"kind": "classification", "label": "phase", "input_len": 8})
    return build_tasks(ahead | {"phase": labels["phase"]}, {"line": waves(400, (240, 320, 400))}, 0, extent)


def fitted(samples: str, model: str) -> tuple[SimpleConfig, TaskSet, dict[str, Chosen]]:
    """Every task by one kind of model, or by its mean where the model is none of it."""
    config = SimpleConfig.model_validate({"models": [] if model == "mean" else [model], "kernels": 60})
    data = data_of(samples)
    return config, data, dict(fit_simple(config, data, 1))


def again(
    config: SimpleConfig, first: TaskSet, chosen: dict[str, Chosen], data: TaskSet
) -> Iterator[tuple[str, Any, SimpleFit]]:
    for name, before in chosen.items():
        network, fit = fit_again(config, data, name, Before(before.saved, before.network, lambda: first), 1)
        yield name, network, fit


CASES = [(samples, model) for samples, models in MODELS.items() for model in models]


@pytest.mark.parametrize(("samples", "model"), CASES)
def test_the_same_samples_give_the_same_model(samples: str, model: str) -> None:
    config, data, chosen = fitted(samples, model)
    assert model == "mean" or any(one.saved.model == model for one in chosen.values())
    for name, network, fit in again(config, data, chosen, data):
        before = chosen[name]
        assert fit == before.saved.fit or (isinstance(fit, TreesFit) and fit.rounds == before.saved.fit.rounds)  # type: ignore[union-attr]
        wanted, _ = predict(before.network, data.select([name], "test"))[name]
        answer, _ = predict(network, data.select([name], "test"))[name]
        torch.testing.assert_close(answer, wanted, rtol=0, atol=1e-5 if before.saved.model == "logistic" else 0)


@pytest.mark.parametrize(("samples", "model"), CASES)
def test_no_validation_part_is_needed_and_settings_stay(samples: str, model: str) -> None:
    config, first, chosen = fitted(samples, model)
    more = data_of(samples, "all")
    assert not more.pools["val"] and not more.pools["test"]
    for name, network, fit in again(config, first, chosen, more):
        for setting in ("kind", "penalty", "rounds", "period", "level", "channels"):
            assert getattr(fit, setting, None) == getattr(chosen[name].saved.fit, setting, None)
        before = chosen[name].network
        if network.spread is not None:
            assert before.spread is not None
            ours, theirs = (torch.tensor(data.specs[name].std).reshape(-1) for data in (more, first))  # type: ignore[attr-defined]
            torch.testing.assert_close(network.spread.errors * ours, before.spread.errors * theirs)
        if fit.kind not in ("persistence", "seasonal", "constant"):
            part = first.select([name], "train")
            assert not torch.equal(predict(network, part)[name][0], predict(before, part)[name][0])


def test_more_samples_bring_the_mean_of_all() -> None:
    """A planted step: the mean of the training part is 0, that of training and validation part 1 in original units."""
    values = torch.cat([torch.zeros(200), torch.full((100,), 3.0), torch.zeros(60)])[:, None]
    values = values + 0.01 * torch.randn(360, 1, generator=torch.Generator().manual_seed(0))
    config = SimpleConfig(models=[])
    plan = {"next": forecast(horizon=1)}
    first, more = (build_tasks(dict(plan), {"line": series(values, (200, 300, 360))}, 0, part)
                   for part in ("train", "train+val"))  # fmt: skip
    chosen = dict(fit_simple(config, first, 1))
    ((_, network, _),) = again(config, first, chosen, more)
    answer, _ = predict(network, more.select(["next"], "test"))["next"]
    assert more.specs["next"].original(answer).mean().item() == pytest.approx(1.0, abs=0.05)  # type: ignore[attr-defined]
