"""Long tables: each series of an `id` column is a series of its own, which no window, border or block leaves."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks, unlabelled_pools
from mtl.errors import DataError
from mtl.types import SPLITS, Prepared
from tests.helpers.problems import classification, forecast

LENGTHS = {"north": 60, "south": 45, "east": 100}
STORES = list(LENGTHS)


def long_table(form: str = "%Y-%m-%d") -> pd.DataFrame:
    """Row r of store s sells 1000·s + r, so every value tells whose it is; all begin on the same day."""
    parts = [
        pd.DataFrame(
            {
                "date": pd.date_range("2020-01-01", periods=count).strftime(form),
                "store": store,
                "sales": 1000 * number + np.arange(count),
                "open": np.where(np.arange(count) % 3 == 0, "no", "yes"),
            }
        )
        for number, (store, count) in enumerate(LENGTHS.items())
    ]
    return pd.concat(parts, ignore_index=True)


def in_turn(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, day by day."""
    return frame.sort_values("date", kind="stable", ignore_index=True)


def read(frame: pd.DataFrame, folder: Path, **options: Any) -> Prepared:
    frame.to_csv(folder / "long.csv", index=False)
    prepared = read_source("line", SeriesSource(kind="series", path="long.csv", **options), folder)
    assert isinstance(prepared, Prepared)
    return prepared


@pytest.fixture(scope="module", params=["below", "in turn"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    frame = long_table() if request.param == "below" else in_turn(long_table())
    return read(frame, tmp_path_factory.mktemp("long"), id="store", labels=["open"])


def test_each_series_has_its_rows_in_order_and_borders_of_its_own(prepared: Prepared) -> None:
    assert (prepared.columns, prepared.segment_names, prepared.borders) == (["sales"], STORES, None)
    assert input_of(prepared).describe() == "rows of 3 series × 1 columns"
    assert prepared.segments is not None
    # 70 % train and 20 % test of each, rounded down.
    assert prepared.segments.tolist() == [[0, 42, 48, 60], [60, 91, 96, 105], [105, 175, 185, 205]]
    sold = [1000 * number + row for number, count in enumerate(LENGTHS.values()) for row in range(count)]
    assert prepared.values[:, 0].tolist() == sold
    assert prepared.labels["open"].tolist() == [int(value % 1000 % 3 != 0) for value in sold]


@pytest.mark.parametrize(("length", "horizon"), [(1, 1), (8, 4), (12, 5), (5, 9)])
def test_no_window_crosses_and_every_part_holds_its_own_rows(length: int, horizon: int, prepared: Prepared) -> None:
    task = forecast(input_len=length, horizon=horizon)
    data = build_tasks({"next": task}, {"line": prepared}, seed=0)
    fitted = data.fitted["line"]
    mean, std = fitted.mean, fitted.std
    ends = {0: (42, 48, 60), 1: (31, 36, 45), 2: (70, 80, 100)}
    for split, (begin, stop) in zip(SPLITS, ((None, 0), (0, 1), (1, 2)), strict=True):
        (pool,) = data.pools[split]
        x, ahead = pool.samples.gather(torch.arange(len(pool)), horizon)
        assert ahead is not None
        values = (torch.cat([x, ahead], dim=2)[:, 0].double() * std[0] + mean[0]).round().long()
        store, row = values // 1000, values % 1000
        assert bool((store == store[:, :1]).all()) and bool((row.diff(dim=1) == 1).all())
        expected = 0
        for number, borders in ends.items():
            targets = row[store[:, 0] == number][:, length:]
            first = 0 if begin is None else borders[begin]
            assert bool((targets >= first).all()) and bool((targets < borders[stop]).all())
            expected += max(0, borders[stop] - horizon - max(first, length) + 1)
        assert len(pool) == expected


def test_windows_without_targets_stay_within_their_part(prepared: Prepared) -> None:
    (pool,) = unlabelled_pools({"line": prepared}, 6, 0, "val")
    assert pool.samples.numbers.tolist() == [42, *range(175, 180)]  # The part of `south` has five rows.


def test_windows_of_labels_stay_within_their_series(prepared: Prepared) -> None:
    data = build_tasks({"open": classification(label="open", input_len=7)}, {"line": prepared}, seed=0)
    (pool,) = data.pools["test"]
    last = pool.samples.numbers + 6
    assert last.tolist() == [*range(48, 60), *range(96, 105), *range(185, 205)]


def test_the_latest_share_is_that_of_each_series(prepared: Prepared) -> None:
    data = build_tasks({"next": forecast(train_fraction=0.5)}, {"line": prepared}, seed=0)
    starts = data.pools["train"][0].samples.numbers
    # 31, 20 and 59 training windows of 8 + 4 rows.
    assert starts.tolist() == [*range(15, 31), *range(70, 80), *range(105 + 29, 105 + 59)]


def test_blocks_are_of_one_series(prepared: Prepared) -> None:
    source = input_of(prepared)
    numbers = source.numbers_of("test", 0, 2, 1)
    blocks = source.blocks(numbers, 2, 1)
    series = torch.searchsorted(torch.tensor([60, 105]), numbers, right=True)
    for block in blocks.unique():
        assert len(series[blocks == block].unique()) == 1
    assert blocks.unique().tolist() == list(range(len(blocks.unique()))) and len(blocks.unique()) > 3


def test_scalers_see_the_training_rows_of_every_series(prepared: Prepared) -> None:
    data = build_tasks({"next": forecast()}, {"line": prepared}, seed=0)
    train = torch.cat([prepared.values[:42, 0], prepared.values[60:91, 0], prepared.values[105:175, 0]])
    assert data.fitted["line"].mean.item() == pytest.approx(train.mean().item())
    assert data.fitted["line"].std.item() == pytest.approx(train.std(unbiased=False).item())


def test_it_is_kept_and_loaded_as_it_was(prepared: Prepared, tmp_path: Path) -> None:
    write_prepared(prepared, tmp_path / "line", {})
    loaded = load_prepared("line", tmp_path)
    assert isinstance(loaded, Prepared)
    assert loaded.segments is not None and prepared.segments is not None
    assert torch.equal(loaded.segments, prepared.segments) and loaded.segment_names == STORES
    assert torch.equal(loaded.values, prepared.values)


@pytest.mark.parametrize("arranged", [long_table, lambda: in_turn(long_table())])
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"])
@pytest.mark.parametrize("numeric", [True, False])
def test_a_long_table_without_id_is_told_to_name_it(arranged: Any, form: str, numeric: bool, tmp_path: Path) -> None:
    frame = arranged()
    frame["date"] = pd.to_datetime(frame["date"]).dt.strftime(form)
    if numeric:
        frame["store"] = frame["store"].map({store: n for n, store in enumerate(STORES, 7)})
    with pytest.raises(
        DataError, match=r"long\.csv, line \d+, column `date`: .*each value of `store`: `id: store`"
    ) as told:
        read(frame, tmp_path, labels=["open"])
    assert "on_duplicate" not in str(told.value) and "on_unordered" not in str(told.value)
    assert read(frame, tmp_path, labels=["open"], id="store").segments is not None


def test_two_columns_may_tell_series_apart(tmp_path: Path) -> None:
    frame = pd.concat(
        [long_table().query("store != 'south'").assign(item=item) for item in ("milk", "bread")], ignore_index=True
    )
    frame = in_turn(frame)
    with pytest.raises(DataError, match=r"`store` and `item`: `id: \[store, item\]`"):
        read(frame, tmp_path, labels=["open"])
    prepared = read(frame, tmp_path, id=["store", "item"], labels=["open"])
    assert prepared.segment_names == ["north, milk", "east, milk", "north, bread", "east, bread"]
    assert prepared.values[:60, 0].tolist() == prepared.values[160:220, 0].tolist() == list(range(60))


@pytest.mark.parametrize("stores", [["a"], ["a", "b"]])
def test_a_column_of_hours_is_a_part_of_the_stamp(stores: list[str], tmp_path: Path) -> None:
    hours = pd.date_range("2020-01-01", periods=240, freq="h")
    parts = [
        pd.DataFrame(
            {
                "date": hours.strftime("%Y/%m/%d"),
                "at": hours.strftime("%H:%M"),
                "store": store,
                "load": np.arange(240) ** 2 % 37,
            }
        )
        for store in stores
    ]
    frame = in_turn(pd.concat(parts, ignore_index=True))
    if len(stores) == 1:
        frame = frame.drop(columns="store")
    for name, column in (("at", frame["at"]), ("hour", frame["at"].str[:2].astype(int))):
        named = frame.drop(columns="at").assign(**{name: column})
        with pytest.raises(DataError, match=rf"tells the time of the day: `date: \[date, {name}\]`"):
            read(named, tmp_path)
        series = {"id": "store"} if len(stores) > 1 else {}
        prepared = read(named, tmp_path, date=["date", name], **series)
        assert prepared.values[:240, 0].tolist() == list(np.arange(240) ** 2 % 37)


def test_hours_of_twelve_without_their_half_of_the_day(tmp_path: Path) -> None:
    hours = pd.date_range("2020-01-01", periods=240, freq="h")
    frame = pd.DataFrame({"date": hours.strftime("%Y-%m-%d %I:%M"), "load": np.arange(240.0) ** 2})
    with pytest.raises(DataError, match=r"line 3, .* hours go from 1 to 12: the file should tell AM from PM") as told:
        read(frame, tmp_path)
    assert "on_unordered" not in str(told.value)


def test_series_below_each_other_that_share_no_stamp(tmp_path: Path) -> None:
    """The second store closed before the first one opened."""
    frame = long_table().query("store != 'east'")
    frame.loc[frame["store"] == "south", "date"] = pd.date_range("2018-01-01", periods=45).strftime("%Y-%m-%d")
    with pytest.raises(DataError, match="`id: store`"):
        read(frame, tmp_path, labels=["open"])


def test_series_in_turn_that_share_few_stamps(tmp_path: Path) -> None:
    """The second site began forty hours before the first one ended."""
    parts = [
        pd.DataFrame({"date": pd.date_range(first, periods=count, freq="h").astype(str), "site": site})
        for site, first, count in (("p", "2019-01-01", 1000), ("q", "2019-02-10 00:00", 500))
    ]
    frame = in_turn(pd.concat(parts, ignore_index=True).assign(load=np.arange(1500) ** 2 % 97))
    with pytest.raises(DataError, match="`id: site`"):
        read(frame, tmp_path)
    assert read(frame, tmp_path, id="site").segment_names == ["p", "q"]


def test_order_and_duplicates_are_those_of_a_series(tmp_path: Path) -> None:
    frame = long_table()
    expected = read(frame, tmp_path, id="store", labels=["open"])
    shuffled = frame.sample(frac=1, random_state=0, ignore_index=True)
    with pytest.raises(DataError, match=r"is before the row above .*`on_unordered` may be sort"):
        read(shuffled, tmp_path, id="store", labels=["open"])
    back = read(shuffled, tmp_path, id="store", labels=["open"], on_unordered="sort")
    sold = {
        name: back.values[first:end, 0].tolist()
        for name, (first, *_, end) in zip(back.segment_names, back.segments.tolist(), strict=True)
    }
    assert sold["south"] == expected.values[60:105, 0].tolist() and sold["east"] == expected.values[105:, 0].tolist()
    twice = pd.concat([frame[:10], frame[9:]], ignore_index=True)
    with pytest.raises(DataError, match=r"line 12, column `date`: 2020-01-10 is there twice; `on_duplicate`"):
        read(twice, tmp_path, id="store", labels=["open"])
    merged = read(twice, tmp_path, id="store", labels=["open"], on_duplicate="first")
    assert torch.equal(merged.values, expected.values) and torch.equal(merged.segments, expected.segments)


def test_refusals(tmp_path: Path) -> None:
    frame = long_table()
    with pytest.raises(DataError, match=r"there is no column `shop`; .*`id` of the source"):
        read(frame, tmp_path, id="shop", labels=["open"])
    with pytest.raises(DataError, match=r"too few rows of store 'south': 3 cannot be cut .* leave its rows out"):
        read(frame[:63], tmp_path, id="store", labels=["open"])
    frame.loc[4, "store"] = None
    with pytest.raises(DataError, match=r"line 6, column `store`: the cell is empty"):
        read(frame, tmp_path, id="store", labels=["open"])


def test_a_label_that_parts_one_repeated_row_is_no_id(tmp_path: Path) -> None:
    rows = [f"2020-01-{1 + n:02d},{n % 2},{n}" for n in range(20)]
    text = "\n".join(["date,state,x", *rows[:5], "2020-01-05,1,9", *rows[5:]]) + "\n"
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(DataError, match="`on_duplicate` may be"):
        read_source("own", SeriesSource(kind="series", path="own.csv", labels=["state"]), tmp_path)
