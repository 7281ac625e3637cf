"""The scaler sees training rows only; folds are even, disjoint and the seed's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from mtl.config.sources import ArraysSource, PythonSource, Source
from mtl.config.tasks import ClassificationTask
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.tasks import build_tasks
from mtl.data.sources.folds import group_folds, stratified_folds
from mtl.errors import DataError, UserError
from mtl.types import SPLITS, Prepared
from tests.helpers.data_files import array_parts, make_source


def series(values: torch.Tensor, borders: tuple[int, int, int]) -> Prepared:
    columns = [f"c{n}" for n in range(values.shape[1])]
    return Prepared("s", values, columns, window=None, borders=borders, fold=None, folds=1)


def windows(values: torch.Tensor, fold: list[int], window: int) -> Prepared:
    columns = [f"c{n}" for n in range(values.shape[1])]
    return Prepared("w", values, columns, window=window, borders=None, fold=torch.tensor(fold), folds=max(fold) + 1)


def test_known_answer() -> None:
    values = torch.tensor([[1.0, 5.0], [3.0, 5.0], [100.0, 6.0], [200.0, 7.0]], dtype=torch.float64)
    fitted = input_of(series(values, (2, 3, 4))).fit(0)
    mean, std = fitted.mean, fitted.std
    assert mean.tolist() == [2.0, 5.0]
    # Population deviation; a channel that never changes in train is divided by 1.
    assert std.tolist() == [1.0, 1.0]


def test_agrees_with_standard_scaler_and_ignores_other_rows() -> None:
    values = torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 40 + 7
    fitted = input_of(series(values, (120, 150, 200))).fit(0)
    mean, std = fitted.mean, fitted.std
    reference = StandardScaler().fit(values[:120].numpy())
    np.testing.assert_allclose(mean, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(std, reference.scale_, rtol=1e-12)
    changed = values.clone()
    changed[120:] = 1e9
    assert torch.equal(input_of(series(changed, (120, 150, 200))).fit(0).mean, mean)


def test_stored_windows_leave_out_test_and_the_held_out_fold() -> None:
    fold = [0, 1, 2, -1]
    values = torch.arange(8, dtype=torch.float64)[:, None]
    for held_out, expected in [(0, [2, 3, 4, 5]), (1, [0, 1, 4, 5]), (2, [0, 1, 2, 3])]:
        fitted = input_of(windows(values, fold, 2)).fit(held_out)
        mean, std = fitted.mean, fitted.std
        assert mean.item() == pytest.approx(np.mean(expected))
        assert std.item() == pytest.approx(np.std(expected))


def test_there_is_no_such_fold() -> None:
    with pytest.raises(UserError, match=r"`fold` should be from 0 to 0, found 1"):
        input_of(series(torch.zeros(4, 1, dtype=torch.float64), (2, 3, 4))).fit(1)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=5, max_size=20), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_groups_stay_whole_and_no_fold_is_empty(sizes: list[int], folds: int, seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 7, sizes))
    fold = group_folds(groups, folds, seed, "here")
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in set(groups.tolist()))
    counts = np.bincount(fold, minlength=folds)
    assert counts.min() > 0
    # The greedy rule: no fold is fuller than another by more than the largest group.
    assert counts.max() - counts.min() <= max(sizes)
    np.testing.assert_array_equal(fold, group_folds(groups, folds, seed, "here"))


@settings(max_examples=20, deadline=None)
@given(counts=st.lists(st.integers(4, 20), min_size=2, max_size=4), folds=st.integers(2, 4), seed=st.integers(0, 99))
def test_stratified_folds_spread_every_class(counts: list[int], folds: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [str(n) for n in range(len(counts))]
    fold = stratified_folds(labels, names, folds, seed, "here")
    for label in range(len(counts)):
        each = np.bincount(fold[labels == label], minlength=folds)
        assert each.min() >= 1 and each.max() - each.min() <= 1
    np.testing.assert_array_equal(fold, stratified_folds(labels, names, folds, seed, "here"))


def test_too_few_to_deal() -> None:
    with pytest.raises(DataError, match="3 folds need at least as many groups in train, found 2"):
        group_folds(np.array([1, 1, 2]), 3, 0, "here")
    with pytest.raises(DataError, match="class `b` has 1 training samples, too few for 2 folds; give it more"):
        stratified_folds(np.array([0, 0, 1]), ["a", "b"], 2, 0, "here")
    with pytest.raises(DataError, match="class `a` has 2 training samples, too few for 3 folds; lower `folds`"):
        stratified_folds(np.array([0, 0, 1, 1, 1]), ["a", "b"], 3, 0, "here")
    with pytest.raises(
        DataError, match=r"class `-1` has 0 training samples, .* no label .`missing_label: -1` of an .npz"
    ):
        stratified_folds(np.array([1, 1, 2, 2]), ["-1", "0", "1"], 2, 0, "here")


@pytest.mark.parametrize("seed", range(3))
def test_one_fold_is_the_first_of_five_parts_and_the_rest_always_trains(seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(11), 7))
    labels = np.random.default_rng(seed).permutation(np.repeat([0, 1, -1], [30, 20, 10]))
    for fixed, parts in (
        (group_folds(groups, 1, seed, "here"), group_folds(groups, 5, seed, "here")),
        (
            stratified_folds(labels, ["a", "b"], 1, seed, "here"),
            stratified_folds(labels, ["a", "b"], 5, seed, "here"),
        ),
    ):
        np.testing.assert_array_equal(fixed, (parts > 0).astype(int))
        assert 0.1 < np.mean(fixed == 0) < 0.3
    few = group_folds(np.array([4, 4, 9, 9, 9]), 1, seed, "here")
    assert sorted(set(few.tolist())) == [0, 1]


def test_too_few_for_a_fixed_validation_part() -> None:
    with pytest.raises(DataError, match="a validation part needs at least 2 groups in train, found 1"):
        group_folds(np.array([1, 1]), 1, 0, "here")
    message = "class `b` has 4 training samples, too few for 5 folds; the first of them is the validation part of"
    with pytest.raises(DataError, match=message):
        stratified_folds(np.array([0] * 6 + [1] * 4), ["a", "b"], 1, 0, "here")


@pytest.mark.parametrize("kind", ["har", "uea", "arrays", "digits", "python"])
def test_every_source_can_have_one_validation_part_for_all_seeds(kind: str, tmp_path: Path) -> None:
    """With two folds, seeds in turn would swap the parts."""
    if kind == "python":
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins/mtl_test_parts.py").write_text(
            "import torch\nfrom mtl.types import RowSet\n"
            "def read(name, path):\n"
            "    fold = torch.tensor([1, 1, 1, 1, 0, 0, -1, -1])\n"
            "    values = torch.arange(8, dtype=torch.float64)\n"
            "    labels = torch.arange(8) % 2\n"
            "    return RowSet(name, values[:, None], ['x'], fold, 1, {'odd': labels}, {'odd': ['no', 'yes']})\n"
        )
        source: Source = PythonSource(kind="python", target="mtl_test_parts:read")
    elif kind == "arrays":
        source = ArraysSource(kind="arrays", path="own.npz", folds=1)
        np.savez(tmp_path / "own.npz", **array_parts(train=30))
    else:
        source = make_source(kind, tmp_path)
        source = type(source).model_validate(source.model_dump() | {"folds": 1})
    data = read_source("own", source, tmp_path)
    assert data.fold is not None and data.folds == 1
    label = next(iter(data.labels))
    parsed = {"task": ClassificationTask(kind="classification", source="own", label=label)}
    parts = [[build_tasks(parsed, {"own": data}, seed).pools[split] for split in SPLITS] for seed in (0, 1, 2)]
    numbers = [[pools[0].samples.numbers.tolist() for pools in seed] for seed in parts]
    assert numbers[0] == numbers[1] == numbers[2]
    sizes = [len(part) for part in numbers[0]]
    assert sizes == [int((data.fold == number).sum()) for number in (1, 0, -1)] and min(sizes) > 0
