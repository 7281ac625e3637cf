"""Small files that stand for much, and values at the edge of what numbers can say: bounded, exact, or refused."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mtl.config import ArraysSource, ForecastTask, SensorsSource, SeriesSource, UeaSource, parse_config
from mtl.data.build import read_source
from mtl.data.formats import archives, packing, parquet_table, reading
from mtl.data.formats.archives import Archive
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.errors import ConfigError, DataError
from mtl.types import Prepared
from tests.helpers.bad_arrays import header, npy, npz
from tests.helpers.cases import few_and_many, for_all, params
from tests.helpers.data_files import array_parts, series_text, ts_text, zip_bytes


def series(folder: Path, text: str, **options: Any) -> Prepared:
    (folder / "own.csv").write_text(text)
    return read_source("own", SeriesSource(kind="series", path="own.csv", **options), folder)


def test_a_gz_is_not_unpacked_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_BYTES", 1 << 20)
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(b"a\n" + b"0\n" * (1 << 20), mtime=0))
    with pytest.raises(DataError, match=r"own\.csv\.gz should be at most 1 MiB unpacked, found more"):
        read_source("own", SeriesSource(kind="series", path="own.csv.gz", date=None), tmp_path)


def test_a_table_that_shares_one_long_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet stores a text once, however many rows have it."""
    monkeypatch.setattr(parquet_table, "MAX_BYTES", 1 << 24)
    table = pa.table({"a": pa.array(np.arange(3000.0)), "text": pa.array(["x" * 10_000] * 3000).dictionary_encode()})
    pq.write_table(table, tmp_path / "own.parquet", store_schema=False)
    assert (tmp_path / "own.parquet").stat().st_size < 100_000
    with pytest.raises(DataError, match=r"own\.parquet should be at most 16 MiB unpacked, found more"):
        read_source("own", SeriesSource(kind="series", path="own.parquet", date=None), tmp_path)


def test_a_table_of_too_many_values_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_VALUES", 59)
    with pytest.raises(DataError, match=r"own\.csv should hold at most 59 values, found 60"):
        series(tmp_path, "a,b\n" + "1,2\n" * 30, date=None)
    pd.DataFrame({"a": range(30), "b": range(30)}).to_parquet(tmp_path / "own.parquet")
    with pytest.raises(DataError, match=r"own\.parquet should hold at most 59 values, found 60"):
        read_source("own", SeriesSource(kind="series", path="own.parquet", date=None), tmp_path)


def test_one_long_case_does_not_stretch_the_others_without_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_VALUES", 10_000)
    long = ",".join(["1"] * 1000)
    cases = [f"{n},{n}:{n},{n}:walk" for n in range(10)] + [f"{long}:{long}:rest"]
    for split in ("TRAIN", "TEST"):
        (tmp_path / f"Toy_{split}.ts").write_text(ts_text(cases, "@equalLength false\n"))
    with pytest.raises(
        DataError, match=r"Toy, with every case of 1000 values, should hold at most 10,000 values, found 44,000"
    ):
        read_source("toy", UeaSource(kind="uea", path="Toy", on_unequal_length="resample"), tmp_path)


def test_an_archive_is_judged_before_it_is_unpacked(tmp_path: Path) -> None:
    """600 MB of zeros: refused by what the archive says of itself, and not read when it says less."""
    data = bytearray(zip_bytes({"zeros": b"\0" * 1_000_000}))
    at = data.rindex((1_000_000).to_bytes(4, "little"))
    data[at : at + 4] = (archives.MAX_UNPACKED + 1).to_bytes(4, "little")
    with pytest.raises(
        DataError, match=r"at most 10,000 files and 512 MiB unpacked, found 1 files and 512 MiB: refused"
    ):
        Archive(bytes(data), "x.zip")
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DataError, match="zeros"):
        Archive(bytes(data), "x.zip").read("zeros")


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9, 2)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,)}",
        "(" * 5000,
    ],
)
@pytest.mark.parametrize("key", ["x_train", "y_train", "columns", "y_classes"])
def test_a_header_that_lies(key: str, text: str, tmp_path: Path) -> None:
    parts = {f"{k}.npy": npy(v) for k, v in array_parts().items()}
    (tmp_path / "own.npz").write_bytes(npz(parts | {f"{key}.npy": header(text)}))
    with pytest.raises(DataError, match=rf"own\.npz: {key}\.npy"):
        read_source("own", ArraysSource(kind="arrays", path="own.npz", folds=2), tmp_path)


def arrays(folder: Path, **changes: np.ndarray) -> Prepared:
    np.savez(folder / "own.npz", **(array_parts() | changes))  # type: ignore[arg-type]
    return read_source("own", ArraysSource(kind="arrays", path="own.npz", folds=2), folder)


def test_labels_beyond_int64_are_not_wrapped(tmp_path: Path) -> None:
    """2^64 - 1 would become -1: no label."""
    y = array_parts()["y_train"].astype(np.uint64)
    y[3] = np.iinfo(np.uint64).max
    with pytest.raises(DataError, match=r"`y_train` should hold numbers below 2\^63, found 18446744073709551615"):
        arrays(tmp_path, y_train=y)


@pytest.mark.parametrize("names", [np.array("a"), np.array([["a", "b", "c"]]), np.zeros(3, dtype="V4"), np.array([])])
@pytest.mark.parametrize("key", ["columns", "y_classes"])
def test_names_that_are_none(key: str, names: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"`{key}` should be 1 to 10,000 names, found"):
        arrays(tmp_path, **{key: names})


def test_no_label_at_all_in_train(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training sample has a label"):
        arrays(tmp_path, y_train=np.full(12, np.nan), y_test=np.full(4, np.nan))


def test_classes_keep_every_digit_and_one_order(tmp_path: Path) -> None:
    """`1` and `1.0` are one class unless spellings are exact, and no two numbers share a name."""
    names = ["1.0", "2", "1", "01", "1e0", "+1"]
    text = "a,c\n" + "".join(f"{n},{names[n % 6]}\n" for n in range(60))
    assert series(tmp_path, text, date=None, labels=["c"]).classes == {"c": ["1", "2"]}
    exact = series(tmp_path, text, date=None, labels=["c"], exact_labels=["c"])
    assert exact.classes == {"c": ["+1", "01", "1", "1.0", "1e0", "2"]}
    frame = pd.DataFrame({"a": np.arange(60.0), "c": [1000001.0, 1000002.0, 0.1] * 20})
    frame.to_parquet(tmp_path / "own.parquet")
    prepared = read_source("own", SeriesSource(kind="series", path="own.parquet", date=None, labels=["c"]), tmp_path)
    assert prepared.classes == {"c": ["0.1", "1000001", "1000002"]}


@pytest.mark.parametrize("year", [1, 1399, 1700, 2262, 2563, 9998])
def test_years_of_other_calendars(year: int, tmp_path: Path) -> None:
    text = "date,a\n" + "".join(f"{year:04d}-06-{1 + n:02d} 12:00:00,{n}\n" for n in range(20))
    assert series(tmp_path, text).values[:, 0].tolist() == list(range(20))
    swapped = text.replace(f"{year:04d}-06-05", f"{year:04d}-06-02")
    with pytest.raises(DataError, match=r"line 6, column `date`.*is before the row above"):
        series(tmp_path, swapped)


def test_gaps_are_told_in_the_right_unit(tmp_path: Path) -> None:
    text = "date,a\n" + "".join(f"2563-06-{1 + n + (n > 10):02d},{n}\n" for n in range(20))
    assert series(tmp_path, text).notes == [
        "date: 1 of 19 steps differ from the usual 1 days 00:00:00, the longest is 2 days 00:00:00; windows run "
        "across them."
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"date_format": "%Y%Q"}, "the time stamps cannot be read in the form"),
        ({"encoding": "undefined"}, "`encoding` should be one that Python knows, found 'undefined'"),
        ({"encoding": "a\0b"}, "`encoding` should be one that Python knows"),
        ({"encoding": "utf-16"}, "is not utf-16"),
    ],
)
def test_settings_that_fit_no_table(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        series(tmp_path, series_text(state=False), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("separator", ["\n", "\r", '"', "\0", "é", "", ',"', ",\n", "x" * 9])
def test_what_cannot_part_cells(separator: str) -> None:
    with pytest.raises(ConfigError, match=r"`prepare\.sources\.own\.separator`"):
        parse_config(params({"kind": "series", "path": "x.csv", "separator": separator}))


@pytest.mark.parametrize("end", ["", "\n\n", ",\n,\n", '""\n', "\r\n\r\n"])
def test_blank_lines_at_the_end_are_no_rows(end: str, tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{n},{-n}\n" for n in range(20)) + end
    assert series(tmp_path, text, date=None).rows == 20


@pytest.mark.parametrize(
    "text", ["\n" + "".join(f"{n}\n" for n in range(20)), "\na,b\n1,2\n2,1\n", "\r\n\r\na\r\n1\r\n"]
)
def test_a_blank_line_names_no_column(text: str, tmp_path: Path) -> None:
    """pandas would take the first row for the names."""
    with pytest.raises(DataError, match=r"own\.csv, line 1: should name the columns, found a blank line"):
        series(tmp_path, text, date=None)
    with pytest.raises(DataError, match=r"own\.csv is empty"):
        series(tmp_path, "\n\n", date=None)


def test_missing_values_at_the_end_are_not_cut_off(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{n},{-n}\n" for n in range(20)) + "NaN,null\n\n"
    with pytest.raises(DataError, match=r"line 22, column `a`: the value is missing"):
        series(tmp_path, text, date=None)
    filled = series(tmp_path, text, date=None, on_missing="ffill").values
    assert len(filled) == 21 and filled[-1].isnan().all(), "nothing is filled in behind the last known value"


def test_an_infinite_time_is_refused(tmp_path: Path) -> None:
    text = "date,a\n" + "".join(f"{n},{n}\n" for n in range(20))
    with pytest.raises(DataError, match=r"line 6, column `date`: should be a finite time stamp, found '1e400'"):
        series(tmp_path, text.replace("\n4,", "\n1e400,"))


def test_values_whose_squares_are_no_numbers(tmp_path: Path) -> None:
    text = series_text().replace(",5,", ",1e101,")
    with pytest.raises(DataError, match=r"row 5 \(counted from 0\), column `load`: should be at most 1e\+100 in size"):
        series(tmp_path, text, labels=["state"])


def test_values_far_outside_what_was_trained_on(tmp_path: Path) -> None:
    """Their z-scores would be infinite in float32."""
    prepared = series(tmp_path, series_text().replace(",19,", ",1e50,"), labels=["state"])
    with pytest.raises(DataError, match=r"column `load` should have values within 1e\+15 standard deviations"):
        write_prepared(prepared, tmp_path / "prepared/own", {})
    assert not (tmp_path / "prepared").exists()


def test_a_spread_too_small_to_be_squared(tmp_path: Path) -> None:
    prepared = series(tmp_path, "a\n" + "".join(f"{n}e-200\n" for n in range(20)), date=None)
    assert input_of(prepared).fit(0).std.tolist() == [1.0]


def test_a_constant_channel_has_z_scores_of_0(tmp_path: Path) -> None:
    """The mean of many equal numbers is not always that number."""
    value = 1e40 / 3
    prepared = series(tmp_path, "a,b\n" + "".join(f"{value!r},{n}\n" for n in range(30)), date=None, on_constant="keep")
    fitted = input_of(prepared).fit(0)
    mean, std = fitted.mean, fitted.std
    assert bool((((prepared.values - mean) / std)[:, 0] == 0).all())


@pytest.mark.parametrize("what", ["horizon", "input_len"])
@pytest.mark.parametrize("rows", [10**3, 10**12, 10**30])
def test_a_task_longer_than_its_source(rows: int, what: str, tmp_path: Path) -> None:
    prepared = series(tmp_path, series_text(60, state=False))
    task = ForecastTask.model_validate(
        {"kind": "forecast", "source": "own", "input_len": 4, "horizon": 2} | {what: rows}
    )
    with pytest.raises(DataError, match=r"tasks\.ahead: own has no (train|val|test) sample"):
        build_tasks({"ahead": task}, {"own": prepared}, 0)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "sha256": 3}', b"\xff", b"[" * 10_000]
)
def test_a_prepared_folder_that_is_none(content: bytes, tmp_path: Path) -> None:
    prepared = series(tmp_path, series_text(60, state=False))
    write_prepared(prepared, tmp_path / "own", {})
    (tmp_path / "own/meta.json").write_bytes(content)
    with pytest.raises(DataError, match="run `dvc repro prepare@own`"):
        load_prepared("own", tmp_path)


def check_sensors(section: dict[str, Any]) -> None:
    """Settings that are allowed give finite data with every part, or one message."""
    try:
        config = parse_config(params({"kind": "sensors"} | section)).prepare.sources["own"]
        assert isinstance(config, SensorsSource)
        prepared = read_source("own", config)
        write_prepared_nowhere(prepared)
    except (ConfigError, DataError) as error:
        assert "own" in str(error)
        return
    assert prepared.borders == config.borders
    assert bool(torch.isfinite(prepared.values).all())


def write_prepared_nowhere(prepared: Prepared) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_prepared(prepared, Path(folder) / "own", {})


@few_and_many(8, 60)
def test_sensors_at_the_edge(cases: int) -> None:
    from hypothesis import strategies as st

    edges: dict[str, list[Any]] = {
        "rows": [1, 50, 300, 10**6 + 1, 10**400], "stay": [5e-324, 1e-9, 0.5, 1 - 1e-16, 1.0], "contrast": [0, 1e-300,
        1e99, 1e308],
        "noise": [5e-324, 1e-200, 1e99, 1e308], "texture": [0, 1], "coupling": [0, 1], "relatedness": [0, 1],
        "fault_flip": [0, 0.5],
        "fault_labels": [1, 10**9], "max_horizon": [1, 10**30], "train": [5e-324, 0.5, 1 - 1e-16], "val": [5e-324, 0.2],
        "regimes": [2, 8], "channels": [1, 64], "side_channels": [1], "seed": [0, 2**31 - 1],
    }  # fmt: skip
    usual = {"rows": 300, "channels": 2, "side_channels": 1, "regimes": 2, "max_horizon": 4, "fault_labels": 50}
    pair = st.sampled_from([(key, value) for key, values in edges.items() for value in values])
    for_all(st.lists(pair, min_size=1, max_size=3).map(lambda found: usual | dict(found)), cases, check_sensors)


def test_an_npz_may_hold_what_it_does_not_need(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **(array_parts() | {"unused": np.zeros((0, 5)), "words": np.array(["a"])}))  # type: ignore[arg-type]
    (tmp_path / "own.npz").write_bytes(buffer.getvalue())
    assert read_source("own", ArraysSource(kind="arrays", path="own.npz", folds=2), tmp_path).rows == 48
