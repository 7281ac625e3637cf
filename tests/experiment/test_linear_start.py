"""Forecasts that start at ridge regression: the network before its first step predicts what the simple model does."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config
from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint, single_task
from mtl.experiment.saved import build_network, load_network
from mtl.models.multitask import MultiTaskModel
from mtl.results.history import History
from mtl.results.reading import HISTORY
from mtl.results.record import Run
from mtl.simple.forecasts import Forecasts
from mtl.tasks.forms import RowsForm
from mtl.training.measure import predict
from tests.experiment.conftest import configure

LINEAR = {"kind": "linear", "input_len": 8, "width": 16}


def config(channels: str = "one", level: str = "last", **changes: Any) -> Config:
    """Forecasts of both waves and of one of them, with a linear map, and a label beside them."""
    linear = {"channels": channels, "level": level}
    tasks: dict[str, Any] = {
        "both": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4, "linear": linear},
        "single": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 3, "targets": ["c1"],
                   "loss": {"quantiles": [0.1, 0.5, 0.9]}, "linear": linear},
        "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up"},
    }  # fmt: skip
    return configure(**({"tasks": tasks} | changes))


def built(config: Config, root: Path) -> tuple[MultiTaskModel, TaskSet]:
    data, _ = load_tasks(config, 3, root)
    return build_network(joint(config, "joint", 3), data).eval(), data


@pytest.mark.parametrize("encoder", [None, LINEAR], ids=["timedart", "linear"])
@pytest.mark.parametrize(("channels", "level"), [("one", "last"), ("own", "mean"), ("all", "zero")])
def test_before_the_first_step_a_forecast_is_that_of_ridge_regression(
    folder: Path, encoder: dict[str, Any] | None, channels: str, level: str
) -> None:
    model, data = built(config(channels, level, **({} if encoder is None else {"encoder": encoder})), folder)
    pools = data.select(["both", "single"], "val")
    predicted = predict(model, pools)
    for name in ("both", "single"):
        spec = data.specs[name]
        assert isinstance(spec.form, RowsForm)
        forecasts = Forecasts(SimpleConfig(), data)
        weight, _ = forecasts.linear_map(spec, spec.form, level, channels)  # type: ignore[arg-type]
        (pool,) = data.select([name], "val")
        valid = pool.targets[name].valid
        places = torch.arange(len(pool)) if valid is None else valid.nonzero().squeeze(1)
        x, _ = pool.samples.gather(places, 0)
        x = x.double()
        base = {"last": x[..., -1], "mean": x.mean(-1), "zero": torch.zeros_like(x[..., -1])}[level]
        inside = x - base[..., None]
        targets = list(spec.form.targets)
        if channels == "all":
            change = (inside.flatten(1) @ weight).unflatten(1, (len(targets), -1))
        else:
            change = torch.stack(
                [inside[:, c] @ (weight if channels == "one" else weight[i]) for i, c in enumerate(targets)], dim=1
            )
        expected = change + base[:, targets, None]
        if name == "single":  # every quantile starts from the same prediction
            expected = expected.repeat_interleave(3, dim=-1)
        torch.testing.assert_close(predicted[name][0].double(), expected, atol=2e-5, rtol=2e-5)


def test_the_map_is_kept_as_it_is_counted_and_loaded(root: Path) -> None:
    settings = config()
    before, _ = built(settings, root)
    folder = run_finetune(settings, "joint", 3, root)
    run = Run.read(folder / "run.json", "")
    network = load_network(joint(settings, "joint", 3), root)
    model = network.model
    assert isinstance(model, MultiTaskModel)
    for name, numbers in (("both", 8 * 4), ("single", 8 * 3)):
        assert torch.equal(model.linear_maps[name].ridge.weight, before.linear_maps[name].ridge.weight)
        head = sum(part.numel() for part in model.heads[name].parameters())
        assert run.parameters.heads[name] == head + numbers
    data, _ = load_tasks(settings, 3, root)
    for name in ("both", "single"):
        prediction, target = predict(model, data.select([name], "test"))[name]
        metrics, _ = data.specs[name].score(prediction, target, detailed=True)
        assert metrics == run.test[name]


def test_a_network_that_only_harms_leaves_the_forecast_of_ridge_regression(root: Path) -> None:
    """A learning rate that ruins the network: the untrained one, which predicts as ridge regression, is kept."""
    ruined = config(train={"epochs": 2, "batch_size": 16, "lr": 10.0, "schedule": "constant", "clip": None,
                           "gradient_probes": 1, "stopping": {"patience": None}})  # fmt: skip
    folder = run_baseline(ruined, "both", ruined.baseline.starts[0], 3, root)
    assert History.read(folder / HISTORY, "").best_epoch == 0
    data, _ = load_tasks(ruined, 3, root)
    start = build_network(single_task(ruined, "both", ruined.baseline.starts[0], 3), data).eval()
    kept = load_network(single_task(ruined, "both", ruined.baseline.starts[0], 3), root).model
    pools = data.select(["both"], "test")
    assert torch.equal(predict(kept, pools)["both"][0], predict(start, pools)["both"][0])


def test_a_map_from_all_channels_needs_windows_enough(folder: Path) -> None:
    settings = config("all")
    few = settings.model_copy(
        update={"tasks": {n: t.model_copy(update={"train_fraction": 0.05}) for n, t in settings.tasks.items()}}
    )
    data, _ = load_tasks(few, 3, folder)
    with pytest.raises(
        SettingError, match=r"tasks\.both\.linear\.channels` should be one or own for a window of 2 × 8"
    ):
        build_network(joint(few, "joint", 3), data)
