"""Series that are held out whole, and series of several files: parts, folds, windows and scales, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config.sources import SeriesSource
from mtl.data.inputs.every import input_of
from mtl.data.inputs.extent import trained_on
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.sources.series import read
from mtl.errors import DataError
from mtl.types import Prepared

NAMES = ["east", "north", "south", "west", "centre", "harbour"]
ROWS = [30, 40, 30, 50, 30, 20]


def frames() -> dict[str, pd.DataFrame]:
    """Series of the lengths ROWS whose values tell the series: 1,000 times its number, and the row."""
    return {
        name: pd.DataFrame(
            {
                "date": pd.date_range("2024-01-01", periods=rows, freq="h").astype(str),
                "flow": 1000.0 * number + np.arange(rows),
                "heat": np.random.default_rng(number).normal(size=rows),
                "fault": np.where(np.arange(rows) % 3 == 0, "yes", "no"),
            }
        )
        for number, (name, rows) in enumerate(zip(NAMES, ROWS, strict=True))
    }


def section(**changes: Any) -> SeriesSource:
    """The section of a source whose series are held out whole."""
    base: dict[str, Any] = {
        "kind": "series",
        "path": "east.csv",
        "labels": ["fault"],
        "values": ["flow", "heat"],
        "borders": {"test_series": 0.3},
    }
    return SeriesSource.model_validate(base | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each series, and `all.csv` with all of them and a column that names them."""
    made = tmp_path_factory.mktemp("series")
    for name, frame in frames().items():
        frame.to_csv(made / f"{name}.csv", index=False)
    pd.concat([frame.assign(site=name) for name, frame in frames().items()]).to_csv(made / "all.csv", index=False)
    return made


@pytest.fixture(scope="module")
def whole(folder: Path) -> Prepared:
    config = section(path="all.csv", id="site", borders={"test_series": 0.3, "folds": 3, "split_seed": 1})
    return read(config, "sites", folder)


def test_every_series_lies_in_one_part_and_is_validated_on_once(whole: Prepared) -> None:
    assert whole.fold is not None and whole.segments is not None and whole.folds == 3
    owner = torch.repeat_interleave(torch.arange(len(ROWS)), torch.tensor(ROWS))
    times = torch.zeros(len(ROWS), dtype=torch.int64)
    for fold in range(3):
        masks = input_of(whole).masks(fold)
        assert bool((torch.stack([mask.long() for mask in masks.values()]).sum(dim=0) == 1).all())
        members = {part: set(owner[mask].tolist()) for part, mask in masks.items()}
        assert not members["train"] & members["val"] and not (members["train"] | members["val"]) & members["test"]
        assert members["test"] == {number for number, of in enumerate(whole.fold.tolist()) if of == -1}
        times[sorted(members["val"])] += 1
    assert times.tolist() == [int(of != -1) for of in whole.fold.tolist()]
    test_rows = sum(rows for rows, of in zip(ROWS, whole.fold.tolist(), strict=True) if of == -1)
    assert 30 <= test_rows <= 90  # 0.3 of 200, off by less than the largest series


def test_windows_stay_in_their_series_and_scales_come_from_training_series(whole: Prepared) -> None:
    source = input_of(whole)
    fitted = source.fit(0)
    train = source.masks(0)["train"]
    assert torch.allclose(fitted.mean, whole.values[train].mean(dim=0))
    gather = source.sampler(fitted, 2)
    for part in ("train", "val", "test"):
        numbers = source.numbers_of(part, 0, 5, 2)
        x, ahead = gather(numbers, 5).gather(torch.arange(len(numbers)), 2)
        assert ahead is not None
        flow = torch.cat([x[:, 0], ahead[:, 0]], dim=1).double() * fitted.std[0] + fitted.mean[0]
        assert torch.allclose(flow.diff(dim=1), torch.ones(len(flow), 6, dtype=torch.float64), atol=1e-3)
        inside = source.masks(0)[part]
        assert bool(inside[numbers].all()) and bool(inside[numbers + 6].all())
        lengths = [rows - 6 for rows, of in zip(ROWS, _parts(whole, 0), strict=True) if of == part]
        assert len(numbers) == sum(lengths)


def _parts(prepared: Prepared, fold: int) -> list[str]:
    assert prepared.fold is not None
    return [{-1: "test", fold: "val"}.get(of, "train") for of in prepared.fold.tolist()]


def test_blocks_of_errors_are_of_one_series_each(whole: Prepared) -> None:
    source = input_of(whole)
    numbers = source.numbers_of("test", 0, 5, 0)
    owner = torch.repeat_interleave(torch.arange(len(ROWS)), torch.tensor(ROWS))[numbers]
    blocks = source.blocks(numbers, 5, 0)
    assert all(len(set(owner[blocks == block].tolist())) == 1 for block in set(blocks.tolist()))


def test_what_is_refitted_takes_in_the_held_out_series(whole: Prepared) -> None:
    more = trained_on(input_of(whole), "train+val", 1)
    parts = {part: int(mask.sum()) for part, mask in input_of(whole).masks(1).items()}
    again = {part: int(mask.sum()) for part, mask in more.masks(1).items()}
    assert again == {"train": parts["train"] + parts["val"], "val": 0, "test": parts["test"]}
    assert int(trained_on(input_of(whole), "all", 1).masks(1)["train"].sum()) == sum(ROWS)


def test_it_is_kept_as_it_was_read(whole: Prepared, tmp_path: Path) -> None:
    write_prepared(whole, tmp_path / "sites", {})
    again = input_of(load_prepared("sites", tmp_path))
    assert again.problems() == [] and input_of(whole).problems() == []
    for fold in range(3):
        for part, mask in input_of(whole).masks(fold).items():
            assert torch.equal(mask, again.masks(fold)[part])


def test_one_fold_holds_out_a_fifth_of_the_series_for_every_seed(folder: Path) -> None:
    config = section(path="all.csv", id="site", borders={"test_series": 0.2, "folds": 1})
    prepared = read(config, "sites", folder)
    assert prepared.folds == 1 and prepared.fold is not None and set(prepared.fold.tolist()) == {-1, 0, 1}


def test_files_are_series_of_their_own(folder: Path, whole: Prepared) -> None:
    also = [f"{name}.csv" for name in NAMES[1:]]
    borders = {"test_series": 0.3, "folds": 3, "split_seed": 1}
    several = read(section(also=also, file_column="site", borders=borders), "sites", folder)
    assert several.segment_names == NAMES and several.columns == ["flow", "heat"]
    assert torch.equal(several.values, whole.values) and torch.equal(several.labels["fault"], whole.labels["fault"])
    assert several.fold is not None and whole.fold is not None and torch.equal(several.fold, whole.fold)


def test_files_may_be_pieces_of_one_series(tmp_path: Path) -> None:
    frame = frames()["west"]
    frame[:20].to_csv(tmp_path / "2023.csv", index=False)
    frame[20:].to_csv(tmp_path / "2024.csv", index=False)
    frame.to_csv(tmp_path / "both.csv", index=False)
    parts = {"train": 0.6, "test": 0.2}
    pieces = read(section(path="2023.csv", also=["2024.csv"], borders=parts), "west", tmp_path)
    once = read(section(path="both.csv", borders=parts), "west", tmp_path)
    assert torch.equal(pieces.values, once.values) and pieces.borders == once.borders and pieces.segments is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "`id` or `file_column` should tell them apart"),
        ({"file_column": "site"}, "file_column should be left out where `also` names no file"),
        ({"also": ["east.csv"], "id": "site"}, "path and also should name each file once, found 'east.csv'"),
    ],
)
def test_a_section_that_contradicts_itself_is_one_message(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        section(**changes)


def test_too_few_series_are_one_message(folder: Path) -> None:
    config = section(also=["north.csv"], file_column="site")
    with pytest.raises(
        DataError, match=r"too few series for whole ones in each part: 2 by `site`.*fewer `borders\.folds`"
    ):
        read(config, "sites", folder)


def test_a_file_of_other_columns_is_named(folder: Path, tmp_path: Path) -> None:
    frames()["east"].to_csv(tmp_path / "east.csv", index=False)
    frames()["west"].drop(columns="heat").to_csv(tmp_path / "west.csv", index=False)
    with pytest.raises(DataError, match=r"west.csv: should have the columns of east.csv, found no `heat`"):
        read(section(also=["west.csv"], file_column="site", values=None), "sites", tmp_path)
