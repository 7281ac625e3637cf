"""The public data sets, from a mirror: known row counts, borders, scaler, people."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config.sources import HarSource, RowBorders, SeriesSource, UeaSource
from mtl.data.build import read_source
from mtl.data.download import get, verify
from mtl.data.scaling import fit_scaler
from mtl.data.store import describe_splits

pytestmark = pytest.mark.real_data


@pytest.fixture
def root(project: Path, mirror: Path, tmp_path: Path) -> Path:
    """A project folder with the committed manifests and no data."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    for path in (project / "data" / "raw").glob("*.json"):
        shutil.copy(path, tmp_path / "data" / "raw")
    return tmp_path


def test_etth1(root: Path, mirror: Path) -> None:
    get(["etth1"], root, mirror)
    borders = RowBorders(train=8640, val=11520, test=14400)
    source = SeriesSource(kind="series", path="data/raw/ETTh1.csv", borders=borders)
    verify("etth1", source, root)
    prepared = read_source("etth1", source, root)
    assert prepared.values.shape == (17420, 7)
    assert prepared.columns == ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    assert prepared.borders == (8640, 11520, 14400)
    mean, std = fit_scaler(prepared, 0)
    reference = pd.read_csv(mirror / "ETTh1.csv").iloc[:8640, 1:]
    np.testing.assert_allclose(mean, reference.mean(), rtol=1e-12)
    np.testing.assert_allclose(std, reference.std(ddof=0), rtol=1e-12)


def test_ettm1_holds_etth1(root: Path, mirror: Path) -> None:
    get(["etth1", "ettm1"], root, mirror)
    borders = RowBorders(train=34560, val=46080, test=57600)
    quarter = read_source("m", SeriesSource(kind="series", path="data/raw/ETTm1.csv", borders=borders), root)
    hourly = read_source("h", SeriesSource(kind="series", path="data/raw/ETTh1.csv"), root)
    assert quarter.rows == 69680
    assert torch.allclose(quarter.values[::4], hourly.values, rtol=0, atol=1e-13)


def test_weather(root: Path, mirror: Path) -> None:
    get(["weather"], root, mirror)
    source = SeriesSource(
        kind="series",
        path="data/raw/weather.csv",
        encoding="latin-1",
        missing_markers=[-9999],
        on_missing="keep_markers",
        on_duplicate="keep",
    )
    prepared = read_source("weather", source, root)
    assert describe_splits(prepared)[0]["count"] == {"train": 36887, "val": 5270, "test": 10539, "unused": 0}
    assert len(prepared.columns) == 21
    assert "date: 1 rows repeat a time stamp (first: 2020-05-12 06:00:00), keep." in prepared.notes
    assert int((prepared.values == -9999).sum()) == 1 + 30 + 50
    filled = read_source("weather", source.model_copy(update={"on_missing": "interpolate"}), root)
    assert int((filled.values == -9999).sum()) == 0


def test_har(root: Path, mirror: Path) -> None:
    get(["har"], root, mirror)
    source = HarSource(kind="har")
    verify("har", source, root)
    prepared = read_source("har", source, root)
    assert prepared.values.shape == ((7352 + 2947) * 128, 9)
    assert prepared.fold is not None and prepared.groups is not None
    labels, test = prepared.labels["activity"], prepared.fold == -1
    assert torch.bincount(labels[~test]).tolist() == [1226, 1073, 986, 1286, 1374, 1407]
    assert torch.bincount(labels[test]).tolist() == [496, 471, 420, 491, 532, 537]
    assert prepared.groups[test].unique().tolist() == [2, 4, 9, 10, 12, 13, 18, 20, 24]
    # The first values that descriptions of the set quote.
    assert prepared.values[0, 0].item() == pytest.approx(1.808515e-04, rel=1e-6)
    assert prepared.values[0, 6].item() == pytest.approx(1.012817, rel=1e-6)
    sizes = torch.bincount(prepared.fold[~test])
    assert sizes.sum().item() == 7352 and sizes.max() - sizes.min() < 409


def test_basicmotions(root: Path, mirror: Path) -> None:
    get(["basicmotions"], root, mirror)
    source = UeaSource(kind="uea", path="data/raw/BasicMotions")
    verify("basicmotions", source, root)
    prepared = read_source("basicmotions", source, root)
    assert (prepared.window, prepared.values.shape) == (100, (8000, 6))
    assert prepared.classes == {"label": ["Standing", "Running", "Walking", "Badminton"]}
    counts = describe_splits(prepared)[0]["classes"]["label"]
    assert set(counts["train"].values()) == {8, 0} and set(counts["val"].values()) == {2, 0}
