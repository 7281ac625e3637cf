"""Forecasts by formula against the same sums written out over gathered windows."""

import pytest
import torch
from torch import Tensor

from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.models.simple.forecasts import Channels, Level, RidgeForecast, level_weights
from mtl.simple.forecasts import Forecasts, _problems
from mtl.simple.moments import pool_moments
from mtl.simple.ridge import solve
from mtl.tasks.forms import RowsForm
from mtl.training.measure import predict
from mtl.types import Split
from tests.helpers.problems import forecast, series

LENGTH, TARGETS = 6, [2, 0]


def noise(rows: int = 400) -> TaskSet:
    """Three related channels, and two forecasts of which the longer one has fewer windows."""
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(rows, 3, generator=draw, dtype=torch.float64).cumsum(0) / 4
    values[:, 1] += values[:, 0].roll(2)
    tasks = {
        "near": forecast(input_len=LENGTH, horizon=2, targets=["c2", "c0"]),
        "far": forecast(input_len=LENGTH, horizon=5),
    }
    return build_tasks(dict(tasks), {"line": series(values, (250, 320, rows))}, 0)


def windows(data: TaskSet, task: str, split: Split) -> tuple[Tensor, Tensor]:
    """Windows [n, C, L] and what follows them [n, T, H], float64."""
    (pool,) = data.select([task], split)
    valid = pool.targets[task].valid
    places = torch.arange(len(pool)) if valid is None else valid.nonzero().squeeze(1)
    batch = pool.batch(places)
    return batch.x.double(), batch.target(task).double()


def by_hand(data: TaskSet, level: Level, channels: Channels, penalty: float) -> Tensor:
    """Validation predictions of the task `near`, from matrices of all windows."""
    weights = level_weights(level, LENGTH)
    x, y = windows(data, "near", "train")
    held, _ = windows(data, "near", "val")
    base, base_held = x @ weights, held @ weights
    x, y, held = x - base[..., None], y - base[:, TARGETS, None], held - base_held[..., None]

    def ridge(inputs: Tensor, outputs: Tensor) -> Tensor:
        gram = inputs.T @ inputs
        size = penalty * gram.diagonal().mean()
        return torch.linalg.solve(gram + size * torch.eye(len(gram), dtype=torch.float64), inputs.T @ outputs)

    match channels:
        case "one":
            weight = ridge(x[:, TARGETS].flatten(0, 1), y.flatten(0, 1))
            ahead = held[:, TARGETS] @ weight
        case "own":
            ahead = torch.stack([held[:, c] @ ridge(x[:, c], y[:, t]) for t, c in enumerate(TARGETS)], dim=1)
        case "all":
            ahead = (held.flatten(1) @ ridge(x.flatten(1), y.flatten(1))).unflatten(1, (2, 2))
    return ahead + base_held[:, TARGETS, None]


@pytest.mark.parametrize("level", ["last", "mean", "zero"])
@pytest.mark.parametrize("channels", ["one", "own", "all"])
def test_maps_from_moments_are_those_of_all_windows(level: Level, channels: Channels) -> None:
    data = noise()
    form = data.specs["near"].form
    assert isinstance(form, RowsForm)
    horizons = {"near": 2, "far": 5}
    train, val = (pool_moments(data.pools[split][0], horizons, joint=True)["near"] for split in ("train", "val"))
    problems = dict(_problems(train, val, form, level_weights(level, LENGTH)))[channels]
    weight = solve(problems[0], 0.01)
    network = RidgeForecast(form.targets, (3, LENGTH), 2, level, channels)
    network.load_state_dict({"weight": (weight if channels == "own" else weight[0]).float()})
    x, y = windows(data, "near", "val")
    wanted = by_hand(data, level, channels, 0.01)
    torch.testing.assert_close(network(x.float()).double(), wanted, rtol=0, atol=1e-5)
    assert problems[1].error(weight) == pytest.approx(float((wanted - y).square().mean()), rel=1e-9)


def test_moments_by_channel_are_those_over_all_channels_cut_apart() -> None:
    pool = noise().pools["train"][0]
    joint, own = (pool_moments(pool, {"far": 5}, joint=joint)["far"] for joint in (True, False))
    cut = joint.by_channel(3)
    torch.testing.assert_close(cut.inputs, own.inputs)
    torch.testing.assert_close(cut.cross, own.cross)


def test_a_planted_season_is_taken_for_the_period() -> None:
    draw = torch.Generator().manual_seed(1)
    shape = torch.randn(7, 1, generator=draw, dtype=torch.float64)
    values = shape.repeat(60, 1) + 0.1 * torch.randn(420, 1, generator=draw, dtype=torch.float64)
    task = forecast(input_len=16, horizon=9)
    data = build_tasks({"next": task}, {"line": series(values, (250, 320, 420))}, 0)
    spec = data.specs["next"]
    assert isinstance(spec.form, RowsForm)
    skipped: dict[str, str] = {}
    candidates = {c.model: c for c in Forecasts(SimpleConfig(), data).candidates(spec, spec.form, skipped)}
    assert candidates["seasonal"].about == "the last 7 rows, repeated (period found in the training part)"
    prediction, _ = predict(candidates["seasonal"].network, data.select(["next"], "test"))["next"]
    x, _ = windows(data, "next", "test")
    assert torch.equal(prediction[:, :, :7], x[:, :, -7:].float()) and torch.equal(
        prediction[:, :, 7:], prediction[:, :, :2]
    )
    last, _ = predict(candidates["persistence"].network, data.select(["next"], "test"))["next"]
    assert torch.equal(last, x[:, :, -1:].float().expand(-1, -1, 9))
    given = SimpleConfig(period=20)
    assert "seasonal" not in [c.model for c in Forecasts(given, data).candidates(spec, spec.form, skipped)]
    assert skipped == {"seasonal": "`simple.period` of 20 rows is longer than the window of 16"}


def test_a_map_from_all_channels_needs_windows_enough_and_its_absence_is_told() -> None:
    whole = build_tasks({"next": forecast(input_len=40, horizon=2)}, {"line": noise().sources["line"].data}, 0)
    spec = whole.specs["next"]
    assert isinstance(spec.form, RowsForm)
    skipped: dict[str, str] = {}
    (ridge,) = Forecasts(SimpleConfig(models=["ridge"]), whole).candidates(spec, spec.form, skipped)
    assert "from all channels" not in ridge.about
    assert skipped == {"ridge": "one map from all channels: 120 inputs are more than a 4th of 209 training windows"}


def test_ridge_finds_a_planted_autoregression() -> None:
    """x_t = A x_{t−1} + noise of variance 1: no forecast of the next row has a smaller error than the noise."""
    draw = torch.Generator().manual_seed(2)
    step = torch.tensor([[0.6, 0.5], [-0.4, 0.7]], dtype=torch.float64)
    rows = [torch.zeros(2, dtype=torch.float64)]
    for noise_ in torch.randn(3999, 2, generator=draw, dtype=torch.float64):
        rows.append(step @ rows[-1] + noise_)
    data = build_tasks(
        {"next": forecast(input_len=4, horizon=1)}, {"line": series(torch.stack(rows), (2400, 3200, 4000))}, 0
    )
    spec = data.specs["next"]
    assert isinstance(spec.form, RowsForm)
    *_, ridge = Forecasts(SimpleConfig(models=["ridge"]), data).candidates(spec, spec.form, {})
    prediction, target = predict(ridge.network, data.select(["next"], "test"))["next"]
    error = (prediction - target).double().square().mean(dim=(0, 2)) * data.fitted["line"].std.square()
    assert bool((error < 1.1).all()) and bool((error > 0.9).all())
    assert "one map from all channels" in ridge.about
