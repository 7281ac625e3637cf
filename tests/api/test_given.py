"""Forms of data: each becomes the frame that it means, and what cannot be a table is told in a sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.api.given import file_of, frame_of
from mtl.errors import UserError

X = np.arange(12.0).reshape(4, 3)
Y = np.arange(8.0).reshape(4, 2)


class Polars:
    """Something that turns into a frame."""

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame({"a": [1, 2]})


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (X, ["x0", "x1", "x2"]),
        (torch.from_numpy(X).requires_grad_(), ["x0", "x1", "x2"]),
        ((X, Y), ["x0", "x1", "x2", "q", "g"]),
        ((torch.from_numpy(X), [Y[:, 0], Y[:, 1]]), ["x0", "x1", "x2", "q", "g"]),
        ((X, {"g": Y[:, 1], "q": Y[:, 0]}), ["x0", "x1", "x2", "g", "q"]),
        ((pd.DataFrame(X, columns=["a", "b", "c"]), Y), ["a", "b", "c", "q", "g"]),
        ({"x": X, "town": np.array(list("abca")), "q": Y[:, 0]}, ["x0", "x1", "x2", "town", "q"]),
        (pd.DataFrame(X), ["0", "1", "2"]),
        (pd.DataFrame(X).set_index(pd.Index(list("abcd"))), ["0", "1", "2"]),
        (pd.DataFrame(X).set_index(pd.Index(list("abcd"), name="who")), ["who", "0", "1", "2"]),
        (pd.DataFrame(X).set_index(pd.date_range("2024", periods=4)), ["time", "0", "1", "2"]),
        (Polars(), ["a"]),
    ],
)  # fmt: skip
def test_data_become_columns(data: object, columns: list[str]) -> None:
    frame = frame_of(data, ["q", "g"])
    assert list(frame.columns) == columns and isinstance(frame.index, pd.RangeIndex)


def test_cells_are_those_that_were_given(tmp_path: Path) -> None:
    frame = frame_of((X, Y), ["q", "g"])
    np.testing.assert_array_equal(frame.to_numpy(), np.hstack([X, Y]))
    given = pd.DataFrame({"town": pd.Categorical(["a", "b"]), "n": pd.array([1, None], "Int64"), "b": [True, False]})
    pd.testing.assert_frame_equal(pd.read_parquet(file_of(given, tmp_path)), given)
    file = tmp_path / "own.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    assert file_of(str(file), tmp_path) == file


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (3, "`data` should be a pandas frame, a file of a table, an array [n, F]"),
        ("no.csv", "names a file that is not there"),
        (np.zeros((4, 3, 2)), "[4, 3, 2]; windows and images are read by a project"),
        (np.zeros(4), "should have the shape [n, F], rows and columns, found [4]"),
        ((X, np.zeros((4, 3))), "a column for each of the 2 targets (q, g), found the shape [4, 3]"),
        ((X, Y[:2]), "as many rows, found x 4, q 2, g 2"),
        ((X, "y"), "`data[1]` should be an array of numpy or torch, found str"),
        ((pd.DataFrame({"q": [1.0]}), {"q": np.ones(1)}), "'q' is among the inputs and the targets"),
        ({"x": X, "x1": Y[:, 0]}, "two arrays would make a column 'x1'"),
        ({"a": object()}, "`data['a']` should be an array of numpy or torch, found object"),
        ({"a": np.zeros(2, complex)}, "real numbers or names, found complex128"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "found 'a' twice"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels of names"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")), "its index is named 'a' as one of its columns is"),
        (pd.DataFrame({"a": [1, "b"]}), "column 'a' should hold cells of one type, found object with int, str"),
        (pd.DataFrame({"a": []}), "found 0 rows of 1 columns"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told(data: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        file_of(data, tmp_path, ["q", "g"])
    assert told in str(caught.value)
