"""Missing cells of a series: what is filled, with what, and that no target, mean or measure ever counts it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.config import parse_config
from mtl.config.simple import SimpleConfig
from mtl.config.sources import RowBorders, SeriesSource
from mtl.data.build import read_source
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import TaskSet, build_tasks, unlabelled_pools
from mtl.errors import DataError
from mtl.simple.fit import fit_simple
from mtl.training.measure import measure
from mtl.types import Prepared

BORDERS = RowBorders(train=60, val=80, test=100)


def series(folder: Path, columns: dict[str, Any], **options: Any) -> Prepared:
    """Rows an hour apart unless the columns have a date."""
    hours = pd.date_range("2020-01-01", periods=len(next(iter(columns.values()))), freq="h")
    pd.DataFrame({"date": hours} | columns).to_csv(folder / "own.csv", index=False)
    options = {"borders": BORDERS, "on_missing": "interpolate"} | options
    source = SeriesSource(kind="series", path="own.csv", **options)
    return read_source("own", source, folder)  # type: ignore[return-value]


def walk(seed: int = 0, rows: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows).cumsum()


def tasks_of(prepared: Prepared, length: int = 4, horizon: int = 2, **more: Any) -> TaskSet:
    task = {"kind": "forecast", "source": "own", "input_len": length, "horizon": horizon} | more
    raw = {
        "prepare": {"sources": {"own": {"kind": "series", "path": "own.csv"}}},
        "tasks": {"ahead": task}, "encoder": {"kind": "linear", "input_len": length, "width": 16},
        "finetune": {"methods": {"all": {"kind": "uncertainty"}}},
    }  # fmt: skip
    return build_tasks(parse_config(raw).tasks, {"own": prepared}, 0)


def test_a_line_is_drawn_by_time_within_a_part_and_nothing_goes_beyond_what_is_known(tmp_path: Path) -> None:
    values = walk()
    values[[10, 58, 59, 60, 61, 79, 99]] = np.nan
    hours = np.arange(100.0)
    hours[11:] += 2  # The clock of the logger stood still for two hours after row 10.
    stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(hours, unit="h")
    prepared = series(tmp_path, {"date": stamps, "a": values})
    found = prepared.values[:, 0].numpy()
    assert found[10] == pytest.approx(values[9] + (values[11] - values[9]) / 4)
    assert np.flatnonzero(np.isnan(found)).tolist() == [58, 59, 60, 61, 79, 99]
    assert prepared.known is not None
    assert np.flatnonzero(~prepared.known[:, 0].numpy()).tolist() == [10, 58, 59, 60, 61, 79, 99]
    assert any(
        "a: 1 missing values are interpolated" in note and "(train 1, validation 0" in note for note in prepared.notes
    )
    assert any("a: 6 missing values before the first or after the last known one" in note for note in prepared.notes)


def test_repeating_stays_within_a_part(tmp_path: Path) -> None:
    values = walk()
    values[[0, 58, 59, 60, 61, 70, 99]] = np.nan
    found = series(tmp_path, {"a": values}, on_missing="ffill").values[:, 0].numpy()
    assert found[70] == values[69]
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 58, 59, 60, 61, 99], "not before nor beyond what is known"


@pytest.mark.parametrize(
    ("hole", "gap", "refused"),
    [(range(20, 25), 5, False), (range(20, 26), 5, True), (range(20, 26), "6h", False), (range(20, 26), "5h", True),
     (range(55, 66), 10, True), (range(95, 100), 4, True), (range(5), 4, True)],
)  # fmt: skip
def test_the_longest_hole(hole: range, gap: int | str, refused: bool, tmp_path: Path) -> None:
    values = walk()
    values[list(hole)] = np.nan
    if not refused:
        series(tmp_path, {"a": values}, max_gap=gap)
        return
    first, last = hole[0] + 2, hole[-1] + 2
    with pytest.raises(
        DataError, match=rf"line {first}, column `a`: .* up to own\.csv, line {last}, .*`max_gap` of {gap}"
    ):
        series(tmp_path, {"a": values}, max_gap=gap)


def test_a_part_without_a_value_and_a_span_without_time_are_refused(tmp_path: Path) -> None:
    values = walk()
    values[75:] = np.nan
    for how in ("interpolate", "ffill"):
        with pytest.raises(DataError, match=r"column `a`: should have a value in the test part"):
            series(tmp_path, {"a": values}, max_gap=1000, on_missing=how)
    values = walk()
    values[7] = np.nan
    with pytest.raises(DataError, match="`max_gap` of '6h' is a span of time, and the rows have no time stamps"):
        series(tmp_path, {"n": values}, date=None, values=["n"], max_gap="6h")
    with pytest.raises(ValueError, match="should be a number of rows or a span of time such as 6h"):
        SeriesSource(kind="series", path="own.csv", max_gap="soon")


def test_a_channel_that_stands_still_is_told(tmp_path: Path) -> None:
    dead, stuck, fine = walk(1), walk(2), walk(3)
    dead[60:80] = 3.0
    stuck[85:] = stuck[85]
    prepared = series(tmp_path, {"dead": dead, "stuck": stuck, "fine": fine})
    told = " ".join(prepared.notes)
    assert "dead: never changes in the validation part (3)" in told
    assert "stuck: never changes in its last 15 known values (from own.csv, line 87" in told
    assert "fine" not in told and prepared.known is None
    halfway = walk(4)
    halfway[82:94] = 3.0
    (note,) = series(tmp_path, {"halfway": halfway, "fine": fine}).notes
    assert note.startswith("halfway: stays the same for 12 known values of the test part (from own.csv, line 84")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 99), max_size=40, unique=True), st.sampled_from(["interpolate", "ffill"]), st.integers(0, 9)
)
def test_no_training_input_or_statistic_moves_with_later_rows(holes: list[int], how: str, seed: int) -> None:
    """Rows of validation and test are perturbed: scalers, training samples and their targets stay as they were."""
    import tempfile

    values = np.stack([walk(seed), walk(seed + 100)], axis=1)
    values[holes, 0] = np.nan
    other = values + np.where(np.arange(100)[:, None] >= 60, 1000.0, 0.0)
    sets = []
    with tempfile.TemporaryDirectory() as folder:
        for table in (values, other):
            try:
                sets.append(tasks_of(series(Path(folder), {"a": table[:, 0], "b": table[:, 1]}, on_missing=how)))
            except DataError:
                assert len(holes) > 5 and not sets
                return
    for name in ("mean", "std"):
        before, after = (vars(made.fitted["own"])[name] for made in sets)
        assert torch.equal(before, after)
    batches = [made.pools["train"][0].batch(torch.arange(len(made.pools["train"][0]))) for made in sets]
    assert torch.equal(batches[0].x, batches[1].x)
    targets = [batch.ahead["ahead"] for batch in batches]
    assert torch.equal(targets[0].nan_to_num(9e9), targets[1].nan_to_num(9e9))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 98), min_size=1, max_size=50, unique=True), st.integers(0, 9))
def test_no_input_holds_anything_from_behind_its_window(holes: list[int], seed: int) -> None:
    """Rows after a window are perturbed one window at a time: the window's input does not move, though a line is drawn
    to values that are known only later."""
    import tempfile

    values = walk(seed)
    values[holes] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = tasks_of(series(Path(folder), {"a": values}))
        except DataError:
            return
        pool = made.pools["train"][0]
        number = len(pool) // 2
        start = int(pool.samples.numbers[number])
        later = values + np.where(np.arange(100) >= start + 4, 50.0, 0.0)
        moved = tasks_of(series(Path(folder), {"a": later}))
    fitted = made.fitted["own"]
    mean, std = fitted.mean, fitted.std
    fitted = moved.fitted["own"]
    other, spread = fitted.mean, fitted.std
    x = pool.batch(torch.tensor([number])).x.double() * std + mean
    place = int((moved.pools["train"][0].samples.numbers == start).nonzero()[0])
    y = moved.pools["train"][0].batch(torch.tensor([place])).x.double() * spread + other
    torch.testing.assert_close(x, y, atol=1e-4, rtol=0)


def test_statistics_and_targets_know_measured_cells_alone(tmp_path: Path) -> None:
    values = walk()
    values[[5, 6, 30, 70, 90]] = np.nan
    prepared = series(tmp_path, {"a": values, "b": walk(1)})
    made = tasks_of(prepared)
    fitted = made.fitted["own"]
    mean, std = fitted.mean, fitted.std
    train = values[:60][~np.isnan(values[:60])]
    assert float(mean[0]) == pytest.approx(train.mean()) and float(std[0]) == pytest.approx(train.std())
    for split in ("train", "val", "test"):
        (pool,) = made.pools[split]
        batch = pool.batch(torch.arange(len(pool)))
        rows = pool.samples.numbers[:, None] + 4 + torch.arange(2)
        truth = (torch.from_numpy(values)[rows] - mean[0]) / std[0]
        assert torch.equal(batch.ahead["ahead"][:, 0].isnan(), truth.isnan())
        torch.testing.assert_close(batch.ahead["ahead"][:, 0], truth.float(), equal_nan=True)
        assert not batch.x.isnan().any() and not batch.ahead["ahead"][:, 1].isnan().any()


def test_windows_that_read_an_unfilled_cell_and_forecasts_of_filled_cells_alone_are_left_out(tmp_path: Path) -> None:
    values = walk()
    values[[20, 21, 59, 60]] = np.nan
    prepared = series(tmp_path, {"a": values})
    starts = {split: made[0].samples.numbers.tolist() for split, made in tasks_of(prepared).pools.items()}
    assert 16 not in starts["train"] and {15, 17} <= set(starts["train"])
    assert max(starts["train"]) == 54, "rows 58 and 59 are its target, of which 58 is known"
    assert min(starts["val"]) == 61, "row 60 was not filled"
    (pool,) = unlabelled_pools({"own": prepared}, 4, 0, "train")
    assert not any(17 <= start <= 21 for start in pool.samples.numbers.tolist()), "a pretraining would reconstruct them"


def test_flags_are_inputs_alone_and_all_of_it_is_kept(tmp_path: Path) -> None:
    values = walk()
    values[[20, 59, 70]] = np.nan
    prepared = series(tmp_path, {"a": values, "b": walk(1)}, flag_filled=True)
    assert prepared.columns == ["a", "b", "a filled"] and prepared.flags == ("a filled",)
    assert prepared.values[:, 2].nonzero().squeeze(1).tolist() == [20, 70]
    write_prepared(prepared, tmp_path / "own", {})
    kept = load_prepared("own", tmp_path)
    assert isinstance(kept, Prepared) and kept.known is not None and prepared.known is not None
    assert torch.equal(kept.known, prepared.known) and kept.flags == ("a filled",)
    made = tasks_of(kept)
    assert made.specs["ahead"].shape == (3, 4)
    (pool,) = made.pools["train"]
    assert pool.batch(torch.tensor([0])).ahead["ahead"].shape == (1, 2, 2)
    whole = series(tmp_path, {"a": walk(), "b": walk(1)}, flag_filled=True)
    write_prepared(whole, tmp_path / "own", {})
    assert whole.flags == () and b"known" not in (tmp_path / "own/arrays.safetensors").read_bytes()[:400]


def test_markers_that_are_kept_stay_bit_for_bit(tmp_path: Path) -> None:
    values = walk()
    values[[20, 21]] = -9999.0
    prepared = series(tmp_path, {"a": values}, missing_markers=[-9999], on_missing="keep_markers")
    assert prepared.known is None and prepared.values[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize("how", ["interpolate", "ffill"])
@pytest.mark.parametrize("missing", ["every second", "two of three", "drawn"])
def test_nothing_beats_the_mean_on_noise_however_much_is_filled(how: str, missing: str, tmp_path: Path) -> None:
    rows = 3000
    noise = np.random.default_rng(5).normal(size=(rows, 2))
    gone = {
        "every second": np.arange(rows) % 2 == 1, "two of three": np.arange(rows) % 3 > 0,
        "drawn": np.random.default_rng(6).random(rows) < 0.5,
    }[missing]  # fmt: skip
    noise[gone, 0] = np.nan
    columns = {"a": noise[:, 0], "b": noise[:, 1]}
    made = tasks_of(
        series(tmp_path, columns, on_missing=how, borders=RowBorders(train=2000, val=2500, test=3000)), 8, 3
    )
    for name, chosen in fit_simple(SimpleConfig(), made, 1):
        metrics, _ = measure(chosen.network, made.pools["test"], made.specs, detailed=True)
        assert metrics[name]["mse"] > 0.9 and all(value > 0.9 for value in chosen.choice.candidates.values())
