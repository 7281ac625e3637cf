"""The public data sets, from a mirror: known row counts, borders, scaler, people, pixels."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config.images import BuiltIn
from mtl.config.sources import (
    Cifar10Source,
    Cifar100Source,
    HarSource,
    MnistSource,
    RowBorders,
    SeriesSource,
    UeaSource,
)
from mtl.data.build import read_source
from mtl.data.files.download import get
from mtl.data.files.verify import verify
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import describe_splits
from mtl.types import ImageSet, SourceData

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
    fitted = input_of(prepared).fit(0)
    mean, std = fitted.mean, fitted.std
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
    assert describe_splits(input_of(prepared))[0]["count"] == {"train": 36887, "val": 5270, "test": 10539, "unused": 0}
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
    counts = describe_splits(input_of(prepared))[0]["classes"]["label"]
    assert set(counts["train"].values()) == {8, 0} and set(counts["val"].values()) == {2, 0}


def test_covid3month(root: Path, mirror: Path) -> None:
    needs(mirror, "Covid3Month_TRAIN.ts")
    get(["covid3month"], root, mirror)
    source = UeaSource(kind="uea", path="data/raw/Covid3Month")
    verify("covid3month", source, root)
    prepared = read_source("covid3month", source, root)
    assert (prepared.window, prepared.values.shape, prepared.labels) == (84, (201 * 84, 1), {})
    assert prepared.fold is not None
    target, test = prepared.numbers["target"], prepared.fold == -1
    assert (int(test.sum()), int(target.isnan().sum())) == (61, 0)
    assert float(target[~test].mean()) == pytest.approx(0.037, abs=5e-4) and float(target[test].max()) < 0.1825
    # The error of the training mean, worked out beside this project.
    assert float((target[test] - target[~test].mean()).square().mean().sqrt()) == pytest.approx(0.0447, abs=5e-5)


def pixels_sha256(source: ImageSet, first: int, count: int) -> str:
    """Hash of `count` images as rows of pixels, each with its three colours beside each other."""
    chosen = source.images[first : first + count].permute(0, 2, 3, 1).contiguous()
    return hashlib.sha256(chosen.numpy().tobytes()).hexdigest()


def needs(mirror: Path, name: str) -> None:
    """Skips where the mirror was made without the (large) sets of images."""
    if not (mirror / name).is_file():
        pytest.skip(f"the mirror has no {name}")


def as_known(source: BuiltIn, found: SourceData) -> None:
    """Checks that the files of a set hold what `mtl validate` takes for known of it."""
    known = source.known
    assert isinstance(found, ImageSet) and found.images.shape[1:] == known.shape
    assert known.names == {label: tuple(names) for label, names in found.classes.items()}
    assert known.train_size is not None and int((found.fold >= 0).sum()) <= known.train_size


def test_mnist(root: Path, mirror: Path) -> None:
    needs(mirror, "train-images-idx3-ubyte.gz")
    get(["mnist"], root, mirror)
    source = MnistSource(kind="mnist")
    verify("mnist", source, root)
    found = read_source("mnist", source, root)
    as_known(source, found)
    assert isinstance(found, ImageSet)
    labels, test = found.labels["classes"], found.fold == -1
    assert list(found.images.shape) == [70_000, 1, 28, 28] and int(test.sum()) == 10_000
    assert torch.bincount(labels[~test]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(labels[test]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    # The mean and deviation that everybody uses are those of the whole training part.
    pixels = found.images[~test].double() / 255
    assert pixels.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3081, abs=5e-5)


CIFAR10_PIXELS = [
    "a777917b42bf49a60916b0919b7c33ef4e8a1ddb4b6a3365b6d1da58aedd0486",
    "9f03a47b1ad3fc7ca4f14963627eb761f59db1c87d5e859610deafc1a86fa648",
    "87c0227d456b8832996c9c8d37fa4f33e85d75d4893b244ae90ec9a4b7078c90",
]
CIFAR100_PIXELS = [
    "2af5014ff4c135c0f5568dc98ea19ac1af880ab75edd1a4354b7cc0705780069",
    "a3a6394ae56432573f5c54a01f8eb80263cd2239726890761255153ee6308e4e",
    "306e0bd4e11706510566809409206d5bd89279f910d8ea86ba590d854c9c3e24",
    "46beefec8c6a1de1fe68454961f043da8297c93985034e28b66210c04c58631e",
    "f8a8a1b398279d052eb8be4e7d730e666c6ab944e193cf8164a94aeef55bd9d1",
    "a984eb35a73c4a42ac3ff8c43608a7be009695a30edbd97483dd360980149e99",
]
"""Hash of every ten thousand images of the repacked archives, training images first."""


@pytest.mark.slow
def test_cifar10(root: Path, mirror: Path) -> None:
    needs(mirror, "cifar-10-binary.tar.gz")
    get(["cifar10"], root, mirror)
    source = Cifar10Source(kind="cifar10")
    verify("cifar10", source, root)
    found = read_source("cifar10", source, root)
    as_known(source, found)
    assert isinstance(found, ImageSet)
    assert list(found.images.shape) == [30_000, 3, 32, 32]
    assert [pixels_sha256(found, first, 10_000) for first in range(0, 30_000, 10_000)] == CIFAR10_PIXELS
    assert found.classes["classes"][0] == "airplane" and found.classes["classes"][-1] == "truck"
    assert torch.bincount(found.labels["classes"]).tolist() == [3000] * 10
    assert found.notes == ["2 of the 5 training batches are there: 20,000 training images."]


@pytest.mark.slow
def test_cifar100(root: Path, mirror: Path) -> None:
    needs(mirror, "cifar-100-binary.tar.gz")
    get(["cifar100"], root, mirror)
    source = Cifar100Source(kind="cifar100")
    verify("cifar100", source, root)
    found = read_source("cifar100", source, root)
    as_known(source, found)
    assert isinstance(found, ImageSet)
    assert list(found.images.shape) == [60_000, 3, 32, 32]
    assert [pixels_sha256(found, first, 10_000) for first in range(0, 60_000, 10_000)] == CIFAR100_PIXELS
    assert torch.bincount(found.labels["classes"]).tolist() == [600] * 100
    fine, coarse = found.classes["classes"], found.classes["coarse"]
    pairs = set(zip(found.labels["classes"].tolist(), found.labels["coarse"].tolist(), strict=True))
    people = {fine[f] for f, c in pairs if coarse[c] == "people"}
    assert len(pairs) == 100 and people == {"baby", "boy", "girl", "man", "woman"}
    for fold in range(found.folds):
        assert set(torch.bincount(found.labels["classes"][found.fold == fold]).tolist()) == {100}
