"""Rows of a table: fitted to training rows alone, encoded as the layout says, targets taken out, frames of users."""

import re
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.inputs.base import Layout
from mtl.data.inputs.every import check_prepared, input_of
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.rows import RowsInput
from mtl.data.loading.remarks import remarks
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.errors import DataError
from mtl.types import RowSet
from tests.helpers.tables import COLOURS, mixed, tasks


def encoded(data: RowSet, fold: int = 0) -> torch.Tensor:
    """All rows as networks see them."""
    source = input_of(data)
    fitted = source.fit(fold)
    everything = torch.arange(source.size)
    return source.sampler(fitted, 0)(everything, 0).gather(everything, 0)[0]


def test_a_row_is_numbers_flags_and_codes() -> None:
    """Known answers, cell by cell."""
    nan = torch.nan
    data = RowSet(
        "t", torch.tensor([[1.0, nan], [3.0, 4.0], [5.0, 8.0], [7.0, nan], [9.0, 6.0]], dtype=torch.float64),
        ["a", "b"], torch.tensor([1, 1, 1, 0, -1]), 1,
        categories=torch.tensor([[0], [2], [0], [1], [-1]], dtype=torch.int32), category_columns=["c"],
        vocabularies={"c": ["x", "y", "z"]},
    )  # fmt: skip
    fitted = input_of(data).fit(0)
    assert isinstance(fitted, FittedRows)
    assert (fitted.flags, fitted.names, fitted.missing) == ((1,), (("x", "z"),), (False,))
    assert fitted.medians.tolist() == [3.0, 4.0], "the lower of two middle values"
    (a, b), (sa, sb) = fitted.mean.tolist(), fitted.std.tolist()
    assert (a, b, sb) == (3.0, 6.0, 2.0) and sa == pytest.approx((8 / 3) ** 0.5)
    wanted = [[-2 / sa, -1, 1, 2], [0, -1, 0, 3], [2 / sa, 1, 0, 2], [4 / sa, -1, 1, 0], [6 / sa, 0, 0, 0]]
    torch.testing.assert_close(encoded(data), torch.tensor(wanted))


def test_rows_of_numbers_alone_are_their_z_scores() -> None:
    rows = replace(mixed(), categories=None, category_columns=[], vocabularies={})
    rows = replace(rows, values=rows.values.nan_to_num(3.0))
    train = rows.values[rows.fold > 0]
    wanted = ((rows.values - train.mean(dim=0)) / train.std(dim=0, unbiased=False)).float()
    assert torch.equal(encoded(rows), wanted) and input_of(rows).layout(input_of(rows).fit(0)) is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), fold=st.integers(0, 2), scaling=st.sampled_from(["zscore", "quantile"]))
def test_no_other_row_moves_what_is_fitted(seed: int, fold: int, scaling: Any) -> None:
    """Rows of validation and test are changed in every column: the fit and every training row stay as they were."""
    data = mixed(seed=seed, scaling=scaling, rare=5)
    train = input_of(data).masks(fold)["train"]
    values, codes = data.values.clone(), data.categories
    assert codes is not None
    codes = codes.clone()
    values[~train] = 1e6 * torch.randn(values[~train].shape, dtype=torch.float64)
    codes[~train] = torch.randint(-1, 2, codes[~train].shape, dtype=torch.int32)
    other = replace(data, values=values, categories=codes)
    before, after = (input_of(rows).fit(fold) for rows in (data, other))
    assert before.plain() == after.plain()
    assert torch.equal(encoded(data, fold)[train], encoded(other, fold)[train])


def test_names_of_categories_mean_nothing() -> None:
    """Other names in another order: other codes, but the same rows share one, and the fit knows as many."""
    data = mixed()
    assert data.categories is not None
    names = {"blue": "z", "green": "y", "red": "b", "violet": "a"}
    other = sorted(names.values())
    table = torch.tensor([*(other.index(names[name]) for name in COLOURS), -1], dtype=torch.int32)
    codes = data.categories.clone()
    codes[:, 0] = table[codes[:, 0].long()]
    renamed = replace(data, categories=codes, vocabularies=data.vocabularies | {"colour": other})
    first, second = encoded(data)[:, -2], encoded(renamed)[:, -2]
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 3


def test_rare_names_are_one_unknown_category() -> None:
    data = mixed(rare=30)
    assert data.categories is not None
    codes = data.categories.clone()
    codes[:20, 0] = 3
    data = replace(data, categories=codes)
    fitted = input_of(data).fit(0)
    assert isinstance(fitted, FittedRows) and fitted.names[0] == ("blue", "green", "red")
    assert (encoded(data)[:20, -2] == 0).all()
    common = input_of(replace(data, rare=1)).fit(0)
    assert isinstance(common, FittedRows) and common.names[0] == ("blue", "green", "red", "violet")


def test_quantiles_are_those_of_scikit_learn() -> None:
    """The normal quantile of a rank among training rows, of heavy tails; a value that a third of the rows has stands in
    the middle of their ranks, at the ends too, where scikit-learn puts it at −5.2."""
    draw = np.random.default_rng(0)
    values = np.stack([draw.standard_cauchy(900), np.arange(900) // 3 % 3], axis=1)
    data = RowSet("t", torch.from_numpy(values), ["a", "b"], torch.arange(900) % 3 - 1, 2, scaling="quantile")
    train = (data.fold == 1).numpy()
    reference = QuantileTransformer(n_quantiles=256, output_distribution="normal").fit(values[train, :1])
    found = encoded(data)
    np.testing.assert_allclose(found[:, 0], reference.transform(values[:, :1])[:, 0], atol=2e-4)
    thirds = [NormalDist().inv_cdf(share) for share in (1 / 6, 1 / 2, 5 / 6)]
    np.testing.assert_allclose(found[:9:3, 1], thirds, atol=0.01)


def test_targets_are_no_inputs() -> None:
    """Columns that tasks name become targets, whichever of them are trained."""
    chosen = tasks(shape={"kind": "binary", "label": "shape"}, c={"kind": "regression", "target": "c"})
    data = mixed()
    made = build_tasks(chosen, {"table": data}, 0)
    source = made.sources["table"]
    assert source.columns == ["a", "b", "colour"] and isinstance(source, RowsInput)
    assert made.specs["shape"].columns == ["a", "b", "colour"] and made.specs["shape"].shape == (4,)
    assert torch.equal(source.data.numbers["c"], data.values[:, 2])
    assert data.categories is not None
    assert torch.equal(source.data.labels["shape"], data.categories[:, 1].long())
    assert data.columns == ["a", "b", "c"], "what was prepared stays as it is"
    with pytest.raises(DataError, match="no input is left"):
        input_of(data).for_tasks(list(tasks(**{
            name: {"kind": "regression", "target": name} for name in ("a", "b", "c", "colour", "shape")
        }).values()))  # fmt: skip


def test_weights_reach_the_batches_of_training() -> None:
    weights = torch.arange(240, dtype=torch.float64)
    made = build_tasks(tasks(), {"table": mixed(weights=weights)}, 0)
    (pool,) = made.pools["train"]
    batch = pool.batch(torch.tensor([3, 0]))
    assert batch.weights is not None
    assert batch.weights.tolist() == [float(number) for number in pool.samples.numbers[[3, 0]]]
    equal = build_tasks(tasks(), {"table": mixed(weights=torch.full((240,), 7.0, dtype=torch.float64))}, 0)
    assert equal.pools["train"][0].weights is None


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    data = mixed(
        weights=torch.rand(240, dtype=torch.float64), groups=torch.arange(240) % 2, group_names=["x", "y"], rare=2,
        scaling="quantile",
    )  # fmt: skip
    write_prepared(data, tmp_path / "table", {})
    again = load_prepared("table", tmp_path)
    for name, value in vars(data).items():
        found = vars(again)[name]
        assert torch.equal(found.nan_to_num(-9), value.nan_to_num(-9)) if torch.is_tensor(value) and (
            value.is_floating_point()
        ) else (torch.equal(found, value) if torch.is_tensor(value) else True), name  # fmt: skip
    assert isinstance(again, RowSet)
    assert (again.vocabularies, again.group_names, again.rare, again.scaling) == (
        data.vocabularies, ["x", "y"], 2, "quantile",
    )  # fmt: skip
    fitted = input_of(data).fit(1)
    assert FittedRows.from_plain(fitted.plain()).plain() == fitted.plain()


def test_categories_that_training_lacks_are_told() -> None:
    data = mixed()
    assert data.categories is not None
    codes = data.categories.clone()
    codes[data.fold == -1, 0] = 3
    (told,) = remarks(input_of(replace(data, categories=codes)))
    assert told == "table: no training row has some categories of colour (violet; 60 test rows): seen as unknown."


def test_a_table_says_how_its_cells_are_seen(tmp_path: Path) -> None:
    """`numbers` and `rare` of the section reach the fit: ranks instead of z-scores, and one town for all rare ones."""
    towns = ["Ulm", "Jena", "Bonn"]
    lines = [f"{2**number},{towns[number % 2] if number % 15 else 'Bonn'},{number % 7}" for number in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(["size,town,score", *lines]) + "\n")
    source = TableSource(kind="table", path="own.csv", numbers="quantile", rare=5)
    data = read_source("own", source, tmp_path)
    fitted = input_of(data).fit(0)
    assert isinstance(fitted, FittedRows) and fitted.names == (("Jena", "Ulm"),)
    assert isinstance(data, RowSet) and encoded(data)[:, 0].abs().max() < 5.3


BAD: list[tuple[dict[str, Any], str]] = [
    ({"values": torch.full((240, 3), torch.inf, dtype=torch.float64)}, r"finite number.*or NaN where it is missing"),
    ({"categories": torch.zeros(240, 3, dtype=torch.int32)}, r"`categories` should be an int32 tensor"),
    ({"categories": torch.full((240, 2), 9, dtype=torch.int32)}, r"one of its 4 categories.*found 9"),
    ({"categories": None}, r"should hold a column for each of \['colour', 'shape'\]"),
    ({"category_columns": ["colour", "a"]}, r"none of them in `columns`"),
    ({"vocabularies": {"colour": COLOURS}}, r"`vocabularies` should have the names"),
    ({"vocabularies": {"colour": ["red"] * 4, "shape": ["round", "square"]}}, r"different names"),
    ({"weights": torch.full((240,), -1.0, dtype=torch.float64)}, r"weight should be a number from 0 on"),
    ({"weights": torch.zeros(240, dtype=torch.float64)}, r"should not all be 0 in the training rows"),
    ({"groups": torch.arange(240)}, r"numbers of the 0 `group_names`"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_what_breaks_the_contract_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_prepared(replace(mixed(), **changes), "own:rows")


def layout(data: RowSet) -> Layout:
    source = input_of(data)
    fitted = source.fit(0)
    return Layout("table", source.shape(0, fitted), source.columns, fitted)


def frame(data: RowSet) -> pd.DataFrame:
    """The rows as a user has them, with the columns in another order."""
    assert data.categories is not None
    columns: dict[str, Any] = {
        name: [None if code < 0 else data.vocabularies[name][code] for code in data.categories[:, place].tolist()]
        for place, name in enumerate(data.category_columns)
    }
    return pd.DataFrame(columns | {name: data.values[:, place] for place, name in enumerate(data.columns)})


def test_a_frame_of_a_user_is_encoded_as_the_source_is() -> None:
    data = mixed()
    given_rows = RowsInput.given(frame(data), layout(data), 0)
    assert torch.equal(given_rows.gather(torch.arange(240), 0)[0], encoded(data))
    as_category = frame(data).astype({"colour": "category", "b": "Float64"})
    assert torch.equal(RowsInput.given(as_category, layout(data), 0).encoded, encoded(data))


def test_unknown_categories_of_a_user_are_counted() -> None:
    data = mixed()
    rows = frame(data).head(4)
    rows.loc[1, "colour"] = "mauve"
    with pytest.warns(UserWarning, match=r"'colour' holds categories in 1 of 4 rows.*unknown category: 'mauve'"):
        found = RowsInput.given(rows, layout(data), 0).encoded
    assert found[1, -2] == 0 and bool(found.isfinite().all())


def test_whole_numbers_with_gaps_are_the_categories_that_a_table_has() -> None:
    data = replace(mixed(), vocabularies={"colour": ["1", "2", "3", "4"], "shape": ["round", "square"]})
    rows = frame(data)
    rows["colour"] = rows["colour"].astype(float)
    assert torch.equal(RowsInput.given(rows, layout(data), 0).encoded, encoded(data))


FRAMES: list[tuple[Any, str]] = [
    (lambda rows: rows.drop(columns="shape"), r"'shape' missing"),
    (lambda rows: rows.assign(y=1.0), r"'y' not known; `frame\["),
    (lambda rows: rows.assign(a="x"), r"column 'a' should hold numbers"),
    (lambda rows: rows.assign(a=np.nan), r"column 'a': should be a finite number.*fill what is missing"),
    (lambda rows: rows.head(0), r"at least one, found none"),
    (lambda rows: np.zeros((2, 5)), re.escape("a pandas frame with the columns")),
]


@pytest.mark.parametrize(("change", "message"), FRAMES)
def test_frames_that_do_not_fit_are_refused(change: Any, message: str) -> None:
    data = mixed()
    with pytest.raises(DataError, match=message):
        RowsInput.given(change(frame(data)), layout(data), 0)
