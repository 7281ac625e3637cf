"""The store: whole or not at all, and what the meta tells; tests/test_same_bytes.py compares its bytes."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import torch

from mtl.data.build import read_source
from mtl.data.loading import store
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.errors import DataError
from tests.helpers.data_files import make_source


def test_meta_of_stored_windows(tmp_path: Path) -> None:
    prepared = read_source("har", make_source("har", tmp_path), tmp_path)
    write_prepared(prepared, tmp_path / "out" / "har", {"har.zip": "abc"})
    meta = json.loads((tmp_path / "out" / "har" / "meta.json").read_text())
    assert meta["source_files"] == {"har.zip": "abc"}
    assert (meta["window"], meta["folds"], meta["borders"], meta["rows"]) == (4, 4, None, 120)
    first = meta["splits"][0]
    assert first["count"] == {"train": 18, "val": 6, "test": 6, "unused": 0}
    assert first["classes"]["activity"]["test"] == {"WALKING": 2, "SITTING": 2, "LAYING": 2, "": 0}
    assert prepared.fold is not None
    train = prepared.values.reshape(30, 4, 9)[(prepared.fold > 0)].reshape(-1, 9)
    assert first["scaler"]["mean"] == pytest.approx(train.mean(0).tolist(), abs=1e-12)
    assert first["scaler"]["std"] == pytest.approx(train.std(0, unbiased=False).tolist(), abs=1e-12)


def test_meta_of_a_series_counts_missing_labels_and_unused_rows(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("x,y\n" + "".join(f"{n},{['a', 'b', ''][n % 3]}\n" for n in range(30)))
    from mtl.config.sources import RowBorders, SeriesSource

    source = SeriesSource(
        kind="series", path="s.csv", date=None, labels=["y"], borders=RowBorders(train=9, val=12, test=18)
    )
    write_prepared(read_source("s", source, tmp_path), tmp_path / "out" / "s", {})
    meta = json.loads((tmp_path / "out" / "s" / "meta.json").read_text())
    assert meta["splits"][0]["count"] == {"train": 9, "val": 3, "test": 6, "unused": 12}
    assert meta["splits"][0]["classes"]["y"]["val"] == {"a": 1, "b": 1, "": 1}
    assert meta["borders"] == [9, 12, 18]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    root = tmp_path / "prepared"
    write_prepared(read_source("own", make_source("series", tmp_path), tmp_path), root / "own", {})
    return root


def test_writing_again_replaces_all_and_leaves_nothing_beside(stored: Path, tmp_path: Path) -> None:
    (stored / "own" / "stale.txt").write_text("old")
    write_prepared(read_source("own", make_source("arrays", tmp_path), tmp_path), stored / "own", {})
    assert sorted(path.name for path in stored.rglob("*")) == ["arrays.safetensors", "meta.json", "own"]
    assert load_prepared("own", stored).window == 3


def test_a_failed_write_leaves_the_old_one(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_prepared("own", stored)
    monkeypatch.setattr(store, "META", "no-such-folder/meta.json")
    with pytest.raises(DataError, match="cannot be written"):
        write_prepared(read_source("own", make_source("arrays", tmp_path), tmp_path), stored / "own", {})
    monkeypatch.undo()
    assert torch.equal(load_prepared("own", stored).values, before.values)
    assert [path.name for path in stored.iterdir()] == ["own"]


def test_loading_says_what_to_run(stored: Path) -> None:
    with pytest.raises(DataError, match=r"gone/meta\.json is missing: run `dvc repro prepare@gone`"):
        load_prepared("gone", stored)
    shutil.copytree(stored / "own", stored / "damaged")
    arrays = stored / "damaged" / "arrays.safetensors"
    data = bytearray(arrays.read_bytes())
    data[-1] ^= 1
    arrays.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"is damaged.*run `dvc repro prepare@damaged`"):
        load_prepared("damaged", stored)
    arrays.unlink()
    with pytest.raises(DataError, match=r"arrays\.safetensors is missing"):
        load_prepared("damaged", stored)
    (stored / "damaged" / "meta.json").write_text("{")
    with pytest.raises(DataError, match="is not valid JSON"):
        load_prepared("damaged", stored)
    (stored / "damaged" / "meta.json").write_text('{"format": 0}')
    with pytest.raises(DataError, match="another version"):
        load_prepared("damaged", stored)


def test_a_file_is_read_once_and_again_when_it_has_changed(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the change keeps its size and its time of modification."""
    monkeypatch.setattr(store, "SETTLED", -1.0)
    monkeypatch.setattr(store, "_hashed", {})
    load_prepared("own", stored)
    assert len(store._hashed) == 1
    key = next(iter(store._hashed))
    store._hashed[key] = "0" * 64
    with pytest.raises(DataError, match="is damaged"):
        load_prepared("own", stored)  # what was found once is believed
    arrays = stored / "own" / "arrays.safetensors"
    data, times = bytearray(arrays.read_bytes()), arrays.stat()
    time.sleep(0.02)
    data[-1] ^= 1
    arrays.write_bytes(data)
    os.utime(arrays, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match="is damaged"):
        load_prepared("own", stored)
    data[-1] ^= 1
    time.sleep(0.02)
    arrays.write_bytes(data)
    load_prepared("own", stored)
