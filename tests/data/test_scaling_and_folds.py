"""The scaler sees training rows only; folds are even, disjoint and the seed's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from mtl.data.inputs.every import input_of
from mtl.data.sources.folds import group_folds, stratified_folds
from mtl.errors import DataError, UserError
from mtl.types import Prepared


def series(values: torch.Tensor, borders: tuple[int, int, int]) -> Prepared:
    columns = [f"c{n}" for n in range(values.shape[1])]
    return Prepared("s", values, columns, window=None, borders=borders, fold=None, folds=1)


def windows(values: torch.Tensor, fold: list[int], window: int) -> Prepared:
    columns = [f"c{n}" for n in range(values.shape[1])]
    return Prepared("w", values, columns, window=window, borders=None, fold=torch.tensor(fold), folds=max(fold) + 1)


def test_known_answer() -> None:
    values = torch.tensor([[1.0, 5.0], [3.0, 5.0], [100.0, 6.0], [200.0, 7.0]], dtype=torch.float64)
    mean, std = input_of(series(values, (2, 3, 4))).fit(0)
    assert mean.tolist() == [2.0, 5.0]
    # Population deviation; a channel that never changes in train is divided by 1.
    assert std.tolist() == [1.0, 1.0]


def test_agrees_with_standard_scaler_and_ignores_other_rows() -> None:
    values = torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 40 + 7
    mean, std = input_of(series(values, (120, 150, 200))).fit(0)
    reference = StandardScaler().fit(values[:120].numpy())
    np.testing.assert_allclose(mean, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(std, reference.scale_, rtol=1e-12)
    changed = values.clone()
    changed[120:] = 1e9
    assert torch.equal(input_of(series(changed, (120, 150, 200))).fit(0)[0], mean)


def test_stored_windows_leave_out_test_and_the_held_out_fold() -> None:
    fold = [0, 1, 2, -1]
    values = torch.arange(8, dtype=torch.float64)[:, None]
    for held_out, expected in [(0, [2, 3, 4, 5]), (1, [0, 1, 4, 5]), (2, [0, 1, 2, 3])]:
        mean, std = input_of(windows(values, fold, 2)).fit(held_out)
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
    with pytest.raises(DataError, match="class `b` has 1 training samples, too few for 2 folds"):
        stratified_folds(np.array([0, 0, 1]), ["a", "b"], 2, 0, "here")
