"""The embedded source: the optimum against brute force and Monte Carlo, the labels' definition, determinism."""

import json
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mtl.config.sensors import SensorsSource
from mtl.data.sources.markov_var import MarkovVar, filter_regimes, forecast, simulate
from mtl.data.sources.sensors import build_chain, read, transitions
from mtl.types import NO_LABEL, Prepared


def config(**changes: object) -> SensorsSource:
    return SensorsSource.model_validate({"kind": "sensors", "seed": 11} | changes)


def prepare(**changes: object) -> Prepared:
    """The plant of these settings, drawn once for all tests that ask for the same: they only read it."""
    return _prepared(json.dumps(changes, sort_keys=True))


@cache
def _prepared(changes: str) -> Prepared:
    return drawn_anew(**json.loads(changes))


def drawn_anew(**changes: object) -> Prepared:
    """The same, drawn for the caller alone."""
    return read(config(**changes), "hall", Path("."))


def normal_density(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    return float(np.prod(np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))))


def enumerate_paths(model: MarkovVar, values: np.ndarray) -> np.ndarray:
    """p(z_T | x_0 … x_T) by summing the joint density over every path of regimes."""
    rows, regimes = len(values), len(model.initial)
    total = np.zeros(regimes)
    for path in product(range(regimes), repeat=rows):
        density, before = 1.0, model.start
        for t, z in enumerate(path):
            density *= model.initial[z] if t == 0 else model.transition[path[t - 1], z]
            density *= normal_density(values[t], model.dynamics[z] @ before + model.intercept[z], model.noise[z])
            before = values[t]
        total[path[-1]] += density
    return total / total.sum()


def continue_paths(
    model: MarkovVar, last: np.ndarray, p: np.ndarray, horizon: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean [H, C] of simulated continuations of one filtered state, and its standard error [H, C]."""
    generator = np.random.default_rng(0)
    z = generator.choice(len(p), size=draws, p=p)
    x = np.tile(last, (draws, 1))
    means, errors = [], []
    for _ in range(horizon):
        u = generator.random(draws)
        z = (u[:, None] > np.cumsum(model.transition, axis=1)[z]).sum(axis=1).clip(max=len(p) - 1)
        x = np.einsum("ncd,nd->nc", model.dynamics[z], x) + model.intercept[z]
        x += model.noise[z] * generator.standard_normal(x.shape)
        means.append(x.mean(axis=0))
        errors.append(x.std(axis=0) / np.sqrt(draws))
    return np.stack(means), np.stack(errors)


def truth_and_optimum(prepared: Prepared, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and P(label | past) of the rows from `oracle_from` on whose label is known."""
    probability = prepared.oracle_labels[label].numpy()
    truth = prepared.labels[label].numpy()[prepared.oracle_from :]
    known = truth != NO_LABEL
    return truth[known], probability[known]


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """In nats, from the table of joint counts."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1 / len(a))
    independent = np.outer(table.sum(axis=1), table.sum(axis=0))
    seen = table > 0
    return float((table[seen] * np.log(table[seen] / independent[seen])).sum())


def regimes_of(settings: SensorsSource) -> list[np.ndarray]:
    """Both chains' true regimes, drawn again from the streams that `read` uses."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(6)]
    counts = (settings.channels, settings.side_channels)
    return [
        simulate(build_chain(settings, count, shift), settings.rows, stream)[1]
        for shift, (count, stream) in enumerate(zip(counts, streams[:2], strict=True))
    ]


@pytest.mark.parametrize("regimes", [2, 3])
def test_filter_equals_enumeration_of_all_paths(regimes: int) -> None:
    model = build_chain(config(regimes=regimes, stay=0.7), channels=2, shift=0)
    values, _ = simulate(model, 6, np.random.default_rng(3))
    filtered = filter_regimes(model, values)
    for t in range(6):
        np.testing.assert_allclose(filtered[t], enumerate_paths(model, values[: t + 1]), rtol=1e-10)


def test_filter_survives_rows_that_every_regime_finds_impossible() -> None:
    model = build_chain(config(), channels=3, shift=0)
    values = np.array([[0.0, 0.0, 0.0], [1e3, -1e3, 1e3], [0.0, 0.0, 0.0]])
    filtered = filter_regimes(model, values)
    assert np.isfinite(filtered).all()
    np.testing.assert_allclose(filtered.sum(axis=1), 1)


def test_mean_forecast_equals_monte_carlo() -> None:
    model = build_chain(config(stay=0.9), channels=3, shift=0)
    values, _ = simulate(model, 50, np.random.default_rng(5))
    # An undecided state, in which the regimes' own forecasts differ, tests the mixture; the filtered one the rest.
    for p in (filter_regimes(model, values)[-1], np.array([0.1, 0.4, 0.3, 0.2])):
        exact = forecast(model, values[-1:], p[None], 12)[0]
        mean, error = continue_paths(model, values[-1], p, 12, draws=40_000)
        assert (np.abs(exact - mean) < 4.5 * error).all()


def test_mean_forecast_of_one_regime_is_the_autoregression() -> None:
    model = build_chain(config(), channels=2, shift=0)
    frozen = MarkovVar(np.eye(4), model.dynamics, model.intercept, model.noise, model.initial, model.start)
    x = expected = np.array([0.3, -2.0])
    result = forecast(frozen, x[None], np.eye(4)[[2]], 5)[0]
    for h in range(5):
        expected = model.dynamics[2] @ expected + model.intercept[2]
        np.testing.assert_allclose(result[h], expected)


def test_optimal_forecast_beats_climatology_and_persistence_and_leaves_no_trace_of_the_past() -> None:
    prepared = prepare(rows=20_000)
    a, b, c = prepared.borders or (0, 0, 0)
    assert prepared.oracle_forecast is not None
    values, optimum = prepared.values.numpy(), prepared.oracle_forecast.numpy()
    scale = values[:a].std(axis=0)
    rows = np.arange(b - 1, c - 12)
    truth = np.stack([values[rows + h] for h in range(1, 13)], axis=1)

    def mse(prediction: np.ndarray) -> float:
        return float((((prediction - truth) / scale) ** 2).mean())

    best = mse(optimum[: len(rows), :12])
    assert best < 0.8 * mse(values[:a].mean(axis=0))
    assert best < 0.8 * mse(values[rows][:, None])
    assert 0.4 < best < 0.7
    # The errors of the best one-step forecast are uncorrelated with everything known at row t (and with themselves);
    # with rows misplaced by one, in either direction, they would not be.
    error = (truth[:, 0] - optimum[: len(rows), 0]) / scale
    for known in (values[rows] / scale, values[rows - 1] / scale, np.roll(error, 1, axis=0)):
        moments = error[:, :, None] * (known - known.mean(axis=0))[:, None, :]
        standard_error = moments.std(axis=0) / np.sqrt(len(rows))
        assert (np.abs(moments.mean(axis=0)) < 4.5 * standard_error).all()


def test_optimum_covers_every_last_input_row_of_the_test_part() -> None:
    prepared = prepare(max_horizon=7)
    assert prepared.borders == (2400, 3200, 4000)
    assert prepared.oracle_from == 3199
    assert prepared.oracle_forecast is not None
    assert tuple(prepared.oracle_forecast.shape) == (801, 7, 4)
    assert {k: tuple(v.shape) for k, v in prepared.oracle_labels.items()} == {
        "load_state": (801, 4), "fault": (801, 2), "coin": (801, 2),
    }  # fmt: skip
    for probability in prepared.oracle_labels.values():
        torch.testing.assert_close(probability.sum(dim=1), torch.ones(801, dtype=torch.float64))


GROUPED = {"groups": {"count": 2, "tasks": 2}, "wear": True, "relatedness": 0.5}


@pytest.mark.parametrize("changes", [{}, GROUPED])
def test_a_longer_test_part_leaves_every_row_before_it_as_it_is(changes: dict[str, object]) -> None:
    short, long = prepare(**changes), prepare(test_rows=1700, **changes)
    assert (short.borders, long.borders) == ((2400, 3200, 4000), (2400, 3200, 4900))
    assert torch.equal(long.values[:4000], short.values)
    for before, after in ((short.labels, long.labels), (short.numbers, long.numbers)):
        assert before.keys() == after.keys()
        for name in before:
            torch.testing.assert_close(after[name][:4000], before[name], rtol=0, atol=0, equal_nan=True)
            assert len(after[name]) == 4900
    first, later = short.oracle_forecast, long.oracle_forecast
    assert first is not None and later is not None and len(later) == 1701
    torch.testing.assert_close(later[:801], first, rtol=1e-12, atol=1e-12)
    for known, more in ((short.oracle_labels, long.oracle_labels), (short.oracle_numbers, long.oracle_numbers)):
        for name in known:
            torch.testing.assert_close(more[name][:801], known[name], rtol=1e-12, atol=1e-12)
    assert (long.labels["fault"][3200:] != NO_LABEL).all()


@pytest.mark.thorough
def test_a_longer_test_part_goes_on_where_the_history_ends() -> None:
    """The best forecast of one row ahead errs across the seam as elsewhere, and the rows behind it are new."""
    prepared = prepare(test_rows=60_800)
    assert prepared.oracle_forecast is not None
    values = prepared.values.numpy()
    error = values[3200:] - prepared.oracle_forecast[:-1, 0].numpy()
    seam = 4000 - 3200
    assert (np.abs(error[seam]) < 5 * error.std(axis=0)).all()
    np.testing.assert_allclose(error[seam + 1 :].std(axis=0), error.std(axis=0), rtol=0.02)
    assert abs(np.corrcoef(values[4000:8000, 0], values[:4000, 0])[0, 1]) < 0.3
    for label in ("load_state", "fault"):
        truth, probability = truth_and_optimum(prepared, label)
        hit, expected = probability.argmax(axis=1) == truth, probability.max(axis=1)
        blocks = (hit - expected)[: len(hit) // 100 * 100].reshape(-1, 100).mean(axis=1)
        assert abs(blocks.mean()) < 4.5 * blocks.std() / np.sqrt(len(blocks)), label


def test_a_test_part_shorter_than_what_is_left_of_the_rows_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"test_rows should be at least 800, the rows that train and val leave"):
        config(test_rows=799)


LONG_PLANTS = [(1.0, 4), (0.4, 3), (0.0, 4)]
"""Relatedness and regimes of the plants whose optima are held against what happens."""


@pytest.mark.thorough
@pytest.mark.parametrize(("relatedness", "regimes"), LONG_PLANTS)
def test_label_probabilities_are_calibrated_and_give_the_realised_accuracy(relatedness: float, regimes: int) -> None:
    # Wear changes no label, the horizon no optimum of one: the same plant as that of the optimum of wear.
    prepared = prepare(rows=60_000, relatedness=relatedness, regimes=regimes, wear=True, max_horizon=2)
    for label in ("load_state", "fault", "coin"):
        truth, probability = truth_and_optimum(prepared, label)
        hit = probability.argmax(axis=1) == truth
        expected = probability.max(axis=1)
        # Labels are not observed, so that neighbouring rows miss together: the error is that of blocks of 100 rows.
        blocks = (hit - expected)[: len(hit) // 100 * 100].reshape(-1, 100).mean(axis=1)
        assert abs(blocks.mean()) < 4.5 * blocks.std() / np.sqrt(len(blocks)), label
        if label != "coin":
            for low in (0.1, 0.3, 0.5, 0.7):
                some = (probability[:, 1] >= low) & (probability[:, 1] < low + 0.2)
                if some.sum() > 500:
                    assert abs((truth[some] == 1).mean() - probability[some, 1].mean()) < 0.06, (label, low)


def test_optimum_of_the_default_leaves_room_above_and_below() -> None:
    prepared = prepare(rows=20_000)
    accuracy = {}
    for label in prepared.labels:
        truth, probability = truth_and_optimum(prepared, label)
        accuracy[label] = (probability.argmax(axis=1) == truth).mean()
    assert 0.94 < accuracy["load_state"] < 0.985
    assert 0.93 < accuracy["fault"] < 0.97
    assert abs(accuracy["coin"] - 0.5) < 0.03


def test_coin_is_fair_and_its_optimum_is_a_half() -> None:
    prepared = prepare(rows=20_000)
    assert (prepared.oracle_labels["coin"] == 0.5).all()
    assert abs(prepared.labels["coin"].double().mean().item() - 0.5) < 4.5 * 0.5 / np.sqrt(20_000)


def test_being_told_the_regime_beats_the_filter() -> None:
    settings = config(rows=20_000, fault_flip=0.0)
    prepared = read(settings, "hall", Path("."))
    truth, probability = truth_and_optimum(prepared, "load_state")
    np.testing.assert_array_equal(truth, regimes_of(settings)[0][prepared.oracle_from :])
    assert (probability.argmax(axis=1) == truth).mean() < 0.99
    # The same holds for forecasts, which is why an oracle that is told z is not the optimum.
    model = build_chain(settings, 3, 0)
    values, z = simulate(model, 20_000, np.random.default_rng(1))
    told = forecast(model, values[:-1], np.eye(4)[z[:-1]], 1)[:, 0]
    found = forecast(model, values[:-1], filter_regimes(model, values)[:-1], 1)[:, 0]
    assert ((told - values[1:]) ** 2).mean() < ((found - values[1:]) ** 2).mean()


@pytest.mark.thorough
@pytest.mark.parametrize(("relatedness", "related", "unrelated"), [(1.0, 0, 1), (0.0, 1, 0)])
def test_relatedness_moves_the_information_from_one_chain_to_the_other(
    relatedness: float, related: int, unrelated: int
) -> None:
    # A short stay makes many independent visits, so that the estimate of no information is near zero.
    settings = config(rows=40_000, relatedness=relatedness, stay=0.5, fault_flip=0.0, fault_labels=20_000)
    prepared = read(settings, "hall", Path("."))
    regimes = regimes_of(settings)
    for label, entropy in (("load_state", np.log(4)), ("fault", np.log(2))):
        y = prepared.labels[label].numpy()
        known = y != NO_LABEL
        assert mutual_information(y[known], regimes[related][known]) > 0.98 * entropy
        assert mutual_information(y[known], regimes[unrelated][known]) < 1e-3


@pytest.mark.parametrize(("relatedness", "kept"), [(1.0, "side_channels"), (0.0, "channels")])
def test_label_optimum_ignores_the_unrelated_chain(relatedness: float, kept: str) -> None:
    """Another number of channels of the unrelated chain is another chain; labels and their optimum stay as they are."""
    one = prepare(relatedness=relatedness)
    other = prepare(relatedness=relatedness, **{kept: 2})
    assert one.values.shape != other.values.shape
    for label in one.labels:
        assert torch.equal(one.labels[label], other.labels[label])
        assert torch.equal(one.oracle_labels[label], other.oracle_labels[label])


def test_relatedness_mixes_the_two_filters_and_leaves_the_channels_alone() -> None:
    ends, middle = [prepare(relatedness=r) for r in (0.0, 1.0)], prepare(relatedness=0.25)
    expected = 0.75 * ends[0].oracle_labels["load_state"] + 0.25 * ends[1].oracle_labels["load_state"]
    torch.testing.assert_close(middle.oracle_labels["load_state"], expected)
    assert torch.equal(middle.values, ends[0].values)
    assert torch.equal(middle.values, ends[1].values)


def test_same_seed_same_bytes_and_another_seed_another_series() -> None:
    one, same, other = prepare(), drawn_anew(), prepare(seed=12)
    assert one.values.numpy().tobytes() == same.values.numpy().tobytes()
    assert one.oracle_forecast is not None
    assert same.oracle_forecast is not None
    assert one.oracle_forecast.numpy().tobytes() == same.oracle_forecast.numpy().tobytes()
    for label in one.labels:
        assert one.labels[label].numpy().tobytes() == same.labels[label].numpy().tobytes()
        assert not torch.equal(one.labels[label], other.labels[label])
    assert not torch.equal(one.values, other.values)


def test_fault_is_rare_to_know_but_not_rare() -> None:
    few, more = prepare().labels["fault"], prepare(fault_labels=300).labels["fault"]
    known = few != NO_LABEL
    assert (known[:2400].sum(), known[2400:3200].sum(), known[3200:].sum()) == (200, 200, 800)
    assert not known[:128].any(), "windows of 128 rows should find their past"
    assert torch.equal(few[:3200][known[:3200]], more[:3200][known[:3200]]), "more labels should keep the fewer"
    full = prepare(fault_labels=2400).labels["fault"]
    assert ((full != NO_LABEL)[:2400].sum(), (full != NO_LABEL)[2400:].sum()) == (2400, 1600)
    assert 0.25 < full.double().mean() < 0.75
    assert set(few.unique().tolist()) == {NO_LABEL, 0, 1}


def test_fault_flip_bounds_the_optimum() -> None:
    assert prepare(fault_flip=0.1).oracle_labels["fault"].max() <= 0.9
    torch.testing.assert_close(prepare(fault_flip=0.5).oracle_labels["fault"], prepare().oracle_labels["coin"])


def test_columns_units_and_classes_read_like_a_machine_hall() -> None:
    prepared = prepare(channels=6, side_channels=2)
    assert prepared.columns == [
        "vibration", "temperature", "flow", "current", "pressure", "vibration_2", "air_pressure", "humidity",
    ]  # fmt: skip
    assert prepared.units["temperature"] == "°C"
    assert prepared.units.keys() == set(prepared.columns)
    assert prepared.classes["fault"] == ["sound", "fault"]
    assert len(prepared.classes["load_state"]) == 4
    assert (prepared.values > 0).all(), "no channel here can be negative"


def planted(**groups: float) -> Prepared:
    return prepare(rows=20_000, stay=0.8, max_horizon=2, fault_labels=500, groups={"count": 2, "tasks": 2} | groups)


@pytest.mark.thorough
def test_planted_labels_share_what_their_group_says() -> None:
    """In nats per row, against the chains' regimes seen through the labels of other settings."""
    own = planted(within=1.0).labels
    assert torch.equal(own["group1_1"], own["group1_2"])  # both say nothing but whether the group's regime is odd
    assert mutual_information(own["group1_1"].numpy(), own["group2_1"].numpy()) < 1e-3
    common = planted(within=1.0, between=1.0).labels
    assert torch.equal(common["group1_1"], common["group2_2"])
    odd = common["load_state"].numpy() % 2  # relatedness is 1: the regime of chain 1
    np.testing.assert_array_equal(common["group1_1"].numpy(), odd)
    some = planted(within=0.8, between=0.25).labels
    same = (some["group1_1"] == own["group1_1"]).double().mean()
    # Its group's regime with probability 0.75 · 0.8; else chain 1 or a coin, right half of the time.
    assert float(same) == pytest.approx(0.6 + 0.4 / 2, abs=0.02)
    assert float((some["group1_1"] == torch.from_numpy(odd)).double().mean()) == pytest.approx(
        0.25 + 0.75 / 2, abs=0.02
    )


@pytest.mark.parametrize("groups", [{"within": 1.0}, {"within": 0.7, "between": 0.4}, {"within": 0.0}])
def test_the_optimum_of_planted_labels_is_calibrated(groups: dict[str, float]) -> None:
    prepared = planted(**groups)
    for label in ("group1_1", "group2_2"):
        truth, probability = truth_and_optimum(prepared, label)
        p = probability[:, 1]
        np.testing.assert_allclose(probability.sum(axis=1), 1)
        # Truth less probability has mean 0 and variance p(1 − p) in every row, whatever came before.
        for rows in (p >= 0, p > 0.6, p < 0.4):
            error = (truth - p)[rows].sum()
            assert abs(error) <= 4 * np.sqrt((p * (1 - p))[rows].sum()) + 1e-9, (label, error)
    assert (p.max() > 0.95) == (groups["within"] == 1) and (p.max() == 0.5) == (groups["within"] == 0)


def test_planting_groups_leaves_the_rest_of_the_source_as_it_is() -> None:
    plain, more = prepare(), prepare(groups={"count": 2, "tasks": 1, "channels": 2})
    assert more.columns == [*plain.columns, "group1_vibration", "group1_temperature", "group2_vibration",
                            "group2_temperature"]  # fmt: skip
    assert torch.equal(more.values[:, : len(plain.columns)], plain.values)
    assert more.oracle_forecast is not None and more.oracle_forecast.shape[2] == 8
    for label in plain.labels:
        assert torch.equal(more.labels[label], plain.labels[label])
        assert torch.equal(more.oracle_labels[label], plain.oracle_labels[label])
    assert set(more.labels) - set(plain.labels) == {"group1_1", "group2_1"}
    assert more.classes["group2_1"] == ["even regime", "odd regime"]


@pytest.mark.parametrize(("relatedness", "regimes"), LONG_PLANTS)
def test_the_optimum_of_wear_is_the_mean_given_the_past(relatedness: float, regimes: int) -> None:
    prepared = prepare(rows=60_000, relatedness=relatedness, regimes=regimes, wear=True, max_horizon=2)
    best = prepared.oracle_numbers["wear"].numpy()
    error = prepared.numbers["wear"].numpy()[prepared.oracle_from :] - best
    chance = prepared.oracle_labels["load_state"].numpy()
    levels = 80 + 20 * np.linspace(-1, 1, regimes)
    np.testing.assert_allclose(best, chance @ levels)
    # Regimes are not observed, so that neighbouring rows err together: the error of a mean is that of blocks of rows.
    spread = chance @ levels**2 - best**2 + 10**2
    for rows in (best > -np.inf, best < 75, best > 85):
        for excess, scale in ((error, 20), (error**2 - spread, 20**2)):
            known = np.where(rows & ~np.isnan(error), excess, 0)
            blocks = known[: len(known) // 200 * 200].reshape(-1, 200).sum(axis=1)
            assert abs(blocks.mean()) < 4.5 * blocks.std() / np.sqrt(len(blocks)), excess
            assert blocks.std() / np.sqrt(len(blocks)) < 200 * scale / 50, "the test could tell a wrong optimum"


def test_wear_is_drawn_by_itself_and_a_tenth_of_it_is_missing() -> None:
    plain, more = prepare(), prepare(wear=True)
    assert plain.numbers == plain.oracle_numbers == {} and set(more.units) - set(plain.units) == {"wear"}
    assert torch.equal(plain.values, more.values)
    for label in plain.labels:
        assert torch.equal(plain.labels[label], more.labels[label])
    wear = more.numbers["wear"]
    assert torch.equal(wear.nan_to_num(), drawn_anew(wear=True).numbers["wear"].nan_to_num())
    assert torch.equal(
        prepare(wear=True, groups={"count": 2, "tasks": 1}).numbers["wear"].nan_to_num(), wear.nan_to_num()
    )
    assert float(wear.isnan().double().mean()) == pytest.approx(0.1, abs=4.5 * np.sqrt(0.09 / 4000))
    truth = regimes_of(config())[0]
    for regime, level in enumerate(80 + 20 * np.linspace(-1, 1, 4)):
        mine = wear.numpy()[truth == regime]
        mine = mine[~np.isnan(mine)]
        assert abs(mine.mean() - level) < 4.5 * 10 / np.sqrt(len(mine)) and mine.std() == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("regimes", [2, 3, 8])
def test_chain_is_stochastic_uniform_and_stable(regimes: int) -> None:
    matrix = transitions(regimes, 0.9)
    np.testing.assert_allclose(matrix.sum(axis=0), 1)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(matrix), 0.9)
    model = build_chain(config(regimes=regimes, coupling=1.0, texture=1.0), channels=64, shift=1)
    assert (np.linalg.norm(model.dynamics, ord=2, axis=(1, 2)) <= 0.97 + 1e-12).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": 0.8, "val": 0.2}, "train \\+ val should leave a share"),
        ({"rows": 100}, "rows should give each part at least max_horizon = 24"),
        ({"fault_labels": 2401}, "fault_labels should be at most the 2400 rows"),
        ({"fault_flip": 0.6}, "less than or equal to 0.5"),
        ({"relatedness": 1.5}, "less than or equal to 1"),
        ({"groups": {"count": 1}}, "greater than or equal to 2"),
        ({"groups": {"within": 1.2}}, "less than or equal to 1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**changes)
