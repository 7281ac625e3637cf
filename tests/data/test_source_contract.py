"""Every kind of source keeps the contract of `Prepared` or `ImageSet`; a kind without a row here fails."""

import typing
from pathlib import Path

import pytest
import torch

from mtl.config.sources import Source
from mtl.data.build import read_source
from mtl.data.files.register import add
from mtl.data.files.verify import verify
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import describe_splits, load_prepared, write_prepared
from mtl.types import ImageSet, RowSet, SourceData
from tests.helpers.data_files import make_source
from tests.helpers.image_files import mnist_parts

# kind → rows or windows, columns, rows of a window, folds, labels
TABLE = {
    "sensors": (600, 4, None, 1, ["load_state", "fault", "coin"]),
    "series": (20, 2, None, 1, ["state"]),
    "har": (30, 9, 4, 4, ["activity"]),
    "uea": (14, 2, 3, 5, ["label"]),
    "arrays": (16, 2, 3, 3, ["label"]),
    "python": (12, 1, None, 1, ["odd"]),
}

# kind → rows, columns, folds, numeric targets
ROWS = {"regressions": (200, 3, 5, ["first", "second"]), "table": (60, 3, 4, [])}

# kind → images, channels, rows and columns of pixels, folds, labels
IMAGES = {
    "digits": (1797, 1, 8, 8, 5, ["classes"]),
    "mnist": (50, 1, 3, 4, 3, ["classes"]),
    "multi_mnist": (50, 1, 3, 4, 3, ["left", "right"]),
    "cifar10": (50, 3, 32, 32, 4, ["classes"]),
    "cifar100": (300, 3, 32, 32, 2, ["coarse", "classes"]),
}


def members() -> set[str]:
    union = typing.get_args(Source)[0]
    return {member.model_fields["kind"].annotation.__args__[0] for member in typing.get_args(union)}


def test_the_table_has_a_row_for_every_kind_of_source() -> None:
    assert set(TABLE) | set(IMAGES) | set(ROWS) == members()


@pytest.fixture(params=sorted([*TABLE, *IMAGES, *ROWS]))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Source, SourceData, Path]:
    source = make_source(request.param, tmp_path)
    return request.param, source, read_source("own", source, tmp_path), tmp_path


def same(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Says whether two tensors hold the same numbers, and NaN in the same places."""
    return torch.equal(before.isnan(), after.isnan()) and torch.equal(before.nan_to_num(), after.nan_to_num())


def test_sizes_and_names(case: tuple[str, Source, SourceData, Path]) -> None:
    kind, _, prepared, _ = case
    assert prepared.name == "own"
    if isinstance(prepared, ImageSet):
        *shape, folds, labels = IMAGES[kind]
        assert list(prepared.images.shape) == shape and prepared.images.dtype == torch.uint8
        assert (len(prepared.columns), prepared.folds, list(prepared.labels)) == (shape[1], folds, labels)
        return
    if isinstance(prepared, RowSet):
        *shape, folds, targets = ROWS[kind]
        assert list(prepared.values.shape) == shape
        assert (prepared.folds, list(prepared.numbers)) == (folds, targets)
        return
    size, columns, window, folds, labels = TABLE[kind]
    assert prepared.values.shape == (size * (window or 1), columns)
    assert (prepared.window, prepared.folds) == (window, folds)
    assert sorted(prepared.labels) == sorted(labels)


def test_parts_cover_everything_once_and_none_is_empty(case: tuple[str, Source, SourceData, Path]) -> None:
    prepared = case[2]
    for fold in range(prepared.folds):
        masks = input_of(prepared).masks(fold)
        assert all(mask.any() for mask in masks.values())
        assert int(sum(mask.int() for mask in masks.values()).max()) == 1
    if prepared.fold is not None:
        # Every training window is held out exactly once, no test window ever is.
        held_out = sum(input_of(prepared).masks(fold)["val"].int() for fold in range(prepared.folds))
        assert torch.equal(held_out, (prepared.fold >= 0).int())


def test_reading_again_gives_the_same(case: tuple[str, Source, SourceData, Path]) -> None:
    _, source, first, root = case
    again = read_source("own", source, root)
    if isinstance(first, ImageSet):
        assert torch.equal(first.images, again.images)
    else:
        assert same(first.values, again.values)
    assert first.fold is None or torch.equal(first.fold, again.fold)
    assert describe_splits(input_of(first)) == describe_splits(input_of(again))


def test_survives_the_store(case: tuple[str, Source, SourceData, Path]) -> None:
    _, _, prepared, root = case
    write_prepared(prepared, root / "prepared" / "own", {})
    back = load_prepared("own", root / "prepared")
    for name in vars(prepared):
        before, after = getattr(prepared, name), getattr(back, name)
        if isinstance(before, torch.Tensor):
            assert same(before, after), name
        elif name in ("labels", "oracle_labels", "numbers", "oracle_numbers"):
            assert list(before) == list(after)
            assert all(torch.equal(before[key], after[key]) for key in before)
        else:
            assert before == after, name


def test_a_registered_source_passes_its_manifest(case: tuple[str, Source, SourceData, Path]) -> None:
    kind, source, _, root = case
    files = {
        "series": ["own.csv"], "table": ["own.csv"], "har": ["har.zip"], "uea": ["Toy_TRAIN.ts"], "arrays": ["own.npz"],
        "mnist": ["mnist"], "multi_mnist": ["mnist"], "cifar10": ["own.tar.gz"], "cifar100": ["own.tar.gz"],
    }.get(kind, [])  # fmt: skip
    add("own", [root / "data" / "raw" / file for file in files], root)
    mnist = [f"mnist/{name}" for name in sorted(mnist_parts())]
    expected = {"uea": ["Toy_TEST.ts", "Toy_TRAIN.ts"], "mnist": mnist, "multi_mnist": mnist}.get(kind, files)
    assert sorted(verify("own", source, root)) == expected
