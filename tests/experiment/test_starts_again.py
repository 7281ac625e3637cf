"""Linear starts of runs that are made again: the penalty that validation chose, and a fit to all that is trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl.config import Config
from mtl.config.common import Extent
from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint
from mtl.experiment.saved import build_network
from mtl.models.linear_map import ForecastMap, KernelMap, RowMap
from mtl.models.simple.scores import LinearScores
from mtl.simple.forecasts import Forecasts
from mtl.simple.linear import Setting
from mtl.simple.samples import SampleModels
from mtl.tasks.forms import LabelForm, NumberForm, RowsForm
from tests.experiment.test_kernel_start import KERNELS
from tests.experiment.test_kernel_start import config as kernel_config
from tests.experiment.test_linear_start import config as forecast_config
from tests.experiment.test_row_start import config as row_config
from tests.experiment.test_row_start import root as rows

__all__ = ["rows"]  # a fixture
EXTENTS: list[Extent] = ["train+val", "all"]


def before_and_again(settings: Config, root: Path, extent: Extent) -> tuple[TaskSet, TaskSet, Any, Any]:
    """Tasks as they are split and as they are joined, with the linear maps of the networks on both."""
    first, more = (load_tasks(settings, 3, root, part)[0] for part in ("train", extent))  # type: ignore[arg-type]
    recipe = joint(settings, "joint", 3)
    again = build_network(recipe, more, lambda: load_tasks(settings, 3, root)[0])
    return first, more, build_network(recipe, first).linear_maps, again.linear_maps


def targets_of(data: TaskSet, name: str) -> tuple[Tensor, Tensor]:
    """Every training sample of a task, and its target."""
    (pool,) = data.select([name], "train")
    target = pool.targets[name]
    places = torch.arange(len(pool)) if target.valid is None else target.valid.nonzero().squeeze(1)
    values = pool.batch(places).ahead[name] if target.values is None else target.values[places]
    return pool.samples.gather(places, 0)[0], values


def standardised(features: Tensor) -> tuple[Tensor, Tensor]:
    """Features of mean 0 and variance 1, and their deviations; constant ones are 0."""
    features = features.double()
    spread = features.std(dim=0, correction=0)
    spread = torch.where(spread > 1e-12, spread, torch.ones_like(spread))
    return (features - features.mean(dim=0)) / spread, spread


def ridge(features: Tensor, target: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights and bias of ridge regression from its normal equations, for features as they are."""
    x, spread = standardised(features)
    y = target.double() - target.double().mean(dim=0)
    grams = x.T @ x / len(x) + penalty * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(grams, x.T @ y / len(x)).T / spread
    return weight, target.double().mean(dim=0) - weight @ features.double().mean(dim=0)


@pytest.mark.parametrize("extent", EXTENTS)
def test_numbers_of_rows_are_ridge_on_all_that_is_trained_on(rows: Path, extent: Extent) -> None:
    first, more, _, again = before_and_again(row_config(), rows, extent)
    x, y = targets_of(more, "y")
    assert len(x) > len(targets_of(first, "y")[0])
    spec = first.specs["y"]
    assert isinstance(spec.form, NumberForm) and isinstance(again["y"], RowMap)
    _, setting = SampleModels(SimpleConfig(), first, 1).on_rows(spec, spec.form)
    weight, bias = ridge(again["y"].body.features(x), y[:, None], setting.penalty)
    scores = again["y"].body.scores
    torch.testing.assert_close(scores.weight, weight, atol=1e-8, rtol=1e-6)
    torch.testing.assert_close(scores.bias, bias, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("extent", EXTENTS)
def test_labels_of_rows_are_the_minimum_of_the_penalised_loss(rows: Path, extent: Extent) -> None:
    """At the minimum for the penalty that validation chose the gradient is 0, on all samples that are trained on."""
    first, more, before, again = before_and_again(row_config(), rows, extent)
    spec = first.specs["good"]
    assert isinstance(spec.form, LabelForm)
    _, setting = SampleModels(SimpleConfig(), first, 1).on_rows(spec, spec.form)

    def slope(scores: LinearScores, penalty: float) -> float:
        x, target = targets_of(more, "good")
        inside, spread = standardised(again["good"].body.features(x))
        weight = scores.weight[0] * spread
        logits = again["good"].body.features(x).double() @ scores.weight[0] + scores.bias
        off = logits.sigmoid() - target.double()
        return max(float((inside.T @ off / len(x) + penalty * weight).abs().max()), abs(float(off.mean())))

    assert slope(again["good"].body.scores, setting.penalty) < 1e-6
    assert slope(again["good"].body.scores, setting.penalty * 10) > 1e-4
    assert slope(before["good"].body.scores, setting.penalty) > 1e-4


@pytest.mark.parametrize(("channels", "level"), [("one", "last"), ("own", "mean"), ("all", "zero")])
def test_forecasts_are_ridge_on_all_windows(folder: Path, channels: Any, level: Any) -> None:
    first, more, _, again = before_and_again(forecast_config(channels, level), folder, "train+val")
    spec = first.specs["both"]
    assert isinstance(spec.form, RowsForm) and isinstance(again["both"], ForecastMap)
    _, setting = Forecasts(SimpleConfig(), first).linear_map(spec, spec.form, level, channels)
    x, y = (numbers.double() for numbers in targets_of(more, "both"))
    base = {"last": x[..., -1], "mean": x.mean(-1), "zero": torch.zeros_like(x[..., -1])}[level][..., None]
    x, y = x - base, y - base
    problems = {
        "one": lambda: [(x.flatten(0, 1), y.flatten(0, 1))],
        "own": lambda: [(x[:, c], y[:, c]) for c in range(x.shape[1])],
        "all": lambda: [(x.flatten(1), y.flatten(1))],
    }[channels]()
    solved = []
    for inputs, ahead in problems:
        grams = inputs.T @ inputs
        grams += setting.penalty * grams.diagonal().mean() * torch.eye(len(grams), dtype=torch.float64)
        solved.append(torch.linalg.solve(grams, inputs.T @ ahead))
    wanted = torch.stack(solved) if channels == "own" else solved[0]
    torch.testing.assert_close(again["both"].ridge.weight.double(), wanted, atol=2e-5, rtol=2e-5)


def test_labels_of_windows_keep_the_factor_of_their_logits(folder: Path) -> None:
    first, more, _, again = before_and_again(kernel_config(), folder, "train+val")
    spec = first.specs["phase"]
    assert isinstance(spec.form, LabelForm) and isinstance(again["phase"], KernelMap)
    _, setting = SampleModels(SimpleConfig(kernels=KERNELS), first, 1).on_kernels(spec, spec.form)
    assert setting.factor != 1
    x, target = targets_of(more, "phase")
    with torch.no_grad():
        features = again["phase"].body.features(x)
    signs = 2 * torch.nn.functional.one_hot(target.long(), spec.form.classes).double() - 1
    weight, bias = ridge(features, signs, setting.penalty)
    scores = again["phase"].body.scores
    torch.testing.assert_close(scores.weight, weight * setting.factor, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(scores.bias, bias * setting.factor, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [row_config, forecast_config, kernel_config], ids=["rows", "forecasts", "kernels"])
def test_the_same_data_give_the_same_bits(make: Callable[[], Config], rows: Path, folder: Path) -> None:
    _, _, before, again = before_and_again(make(), rows if make is row_config else folder, "train")
    assert before
    for name, linear in before.items():
        numbers = again[name].state_dict()
        assert all(torch.equal(numbers[key], value) for key, value in linear.state_dict().items())


def test_penalties_of_logistic_regression_are_those_that_were_tried(rows: Path) -> None:
    """More samples can afford fewer of them, so that the chosen one might not be there."""
    data, _ = load_tasks(row_config(), 3, rows, "all")
    spec = data.specs["good"]
    assert isinstance(spec.form, LabelForm)
    setting = Setting(3e-3, tried=(3e-2, 3e-3))
    _, taken = SampleModels(SimpleConfig(), data, 1, {"good": setting, "level": setting}).on_rows(spec, spec.form)
    assert taken == setting
