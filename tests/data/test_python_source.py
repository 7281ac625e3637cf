"""`kind: python`: a user's own source; whatever it does wrong ends in one message."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mtl.config.sources import PythonSource
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import describe_splits
from mtl.errors import DataError
from mtl.types import Prepared, RowSet
from tests.helpers.data_files import PLUGIN


def read(folder: Path, code: str, name: str = "make", **options: Any) -> Prepared:
    module = "plugin_" + re.sub(r"\W", "_", folder.name)
    (folder / "plugins").mkdir()
    (folder / "plugins" / f"{module}.py").write_text(code)
    path = options.pop("path", None)
    return read_source(
        "own", PythonSource(kind="python", target=f"{module}:{name}", path=path, options=options), folder
    )


def test_options_and_file_reach_the_callable(tmp_path: Path) -> None:
    (tmp_path / "hint.txt").write_text("read me")
    prepared = read(tmp_path, PLUGIN, rows=15, path="hint.txt")
    assert (prepared.name, prepared.rows, prepared.notes) == ("own", 15, ["read me"])


def test_the_import_path_is_left_as_it_was(tmp_path: Path) -> None:
    before = list(sys.path)
    read(tmp_path, PLUGIN)
    assert sys.path == before


def test_modules_import_each_other(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "shared_by_plugins").mkdir(parents=True)
    (tmp_path / "plugins" / "shared_by_plugins" / "__init__.py").write_text("")
    (tmp_path / "plugins" / "shared_by_plugins" / "inner.py").write_text(PLUGIN)
    (tmp_path / "plugins" / "outer_plugin.py").write_text("from shared_by_plugins.inner import make as build\n")
    for target in ("outer_plugin:build", "shared_by_plugins.inner:make"):
        assert read_source("own", PythonSource(kind="python", target=target), tmp_path).rows == 12


HEIGHTS = """    parts["numbers"] = {"height": torch.arange(rows, dtype=torch.float64) / 2}
    parts["numbers"]["height"][2] = float("nan")
    parts["units"] = {"height": "mm"}
"""


def test_numeric_targets_of_a_plugin(tmp_path: Path) -> None:
    prepared = read(tmp_path, PLUGIN.replace("    return Prepared", HEIGHTS + "    return Prepared"))
    assert prepared.numbers["height"][[0, 1, 3]].tolist() == [0, 0.5, 1.5] and prepared.numbers["height"][2].isnan()
    facts = describe_splits(input_of(prepared))[0]["numbers"]["height"]
    assert facts["train"] == {"known": 5, "missing": 1, "mean": 1.3}
    assert (facts["val"]["known"], facts["test"]["mean"]) == (3, 5.0)


ROWS = """
import torch
from mtl.types import RowSet

def make(name, path):
    number = torch.arange(9, dtype=torch.float64)
    return RowSet(name=name, values=number[:, None] ** 2, columns=["square"], fold=torch.arange(9) % 3 - 1, folds=2,
                  numbers={"root": number}, units={"root": "m"})
"""


def test_numeric_targets_of_rows(tmp_path: Path) -> None:
    found = read_rows(tmp_path)
    assert found.numbers["root"].tolist() == list(range(9))
    assert describe_splits(input_of(found))[1]["numbers"]["root"]["train"] == {"known": 3, "missing": 0, "mean": 4.0}


def read_rows(folder: Path) -> RowSet:
    (folder / "plugins").mkdir()
    module = "rows_" + re.sub(r"\W", "_", folder.name)
    (folder / "plugins" / f"{module}.py").write_text(ROWS)
    found = read_source("own", PythonSource(kind="python", target=f"{module}:make"), folder)
    assert isinstance(found, RowSet)
    return found


def broken(change: str) -> str:
    """The plugin with one thing changed after its parts are made."""
    return PLUGIN.replace("    return Prepared", f"    {change}\n    return Prepared")


BAD = [
    (
        "def make(name, path):\n    return 3\n",
        r":make: should return an mtl\.types\.Prepared, an mtl\.types\.ImageSet or .*RowSet, found int",
    ),
    ("def make(name, path):\n    return 1 / 0\n", r"failed: ZeroDivisionError: .* \(line 2 of plugin_"),
    ("def make(name):\n    return 3\n", r":make takes \(name\): too many positional arguments"),
    ("def other(name, path):\n    pass\n", r"has no function or class `make`"),
    ("make = 3\n", r"has no function or class `make`"),
    ("import not_a_module_at_all\n", r"ModuleNotFoundError: No module named 'not_a_module_at_all' \(line 1 of"),
    ("def make(:\n", r"SyntaxError"),
    (broken("parts['values'] = parts['values'].float()"), r"`values` should be a float64 tensor.*found torch\.float32"),
    (
        broken("parts['values'] = parts['values'][:, 0]"),
        r"`values` should be a float64 tensor.*found torch.float64 \[12\]",
    ),
    (broken("parts['values'] = [1.0]"), r"`values` should be a float64 tensor.*found list"),
    (broken("parts['values'][4, 0] = float('nan')"), r"row 4 \(counted from 0\), column `count`: .*found nan"),
    (broken("parts['columns'] = ['a', 'b']"), r"`columns` should be 1 different names"),
    (broken("parts['borders'] = (6, 6, 12)"), r"too few rows: .* found train 6, validation 0, test 6"),
    (broken("parts['borders'] = (6, 9, 13)"), r"too few rows"),
    (broken("parts['borders'] = None"), r"should have `borders`"),
    (broken("parts['folds'] = 2"), r"a series .* should have no `fold`, and `folds` 1"),
    (broken("parts['labels']['odd'][3] = 2"), r"label `odd`, row 3 .*from 0 to 1, or -1 for none, found 2"),
    (broken("parts['labels']['odd'][3] = -2"), r"label `odd`, row 3 .*found -2"),
    (
        broken("parts['labels']['odd'] = torch.zeros(5, dtype=torch.int64)"),
        r"`odd` should be an int64 tensor .* 12 rows",
    ),
    (broken("parts['labels']['odd'] = torch.zeros(12)"), r"`odd` should be an int64 tensor"),
    (broken("parts['labels']['odd'][:6] = 0"), r"class `odd` is missing from the training part"),
    (broken("parts['classes'] = {}"), r"`labels` and `classes` should have the same names"),
    (broken("parts['classes']['odd'] = ['same', 'same']"), r"at least two classes with different names"),
    (broken("parts['window'] = 5; parts['borders'] = None"), r"whole windows of 5 rows, found 12 rows"),
    (broken("parts['window'] = 4"), r"`borders` should be None"),
    (broken("parts.update(window=4, borders=None)"), r"`fold` should be an int64 tensor .* 3 windows"),
    (
        broken("parts.update(window=4, borders=None, folds=2, labels={}, classes={}, fold=torch.tensor([0, 3, -1]))"),
        r"`fold` of window 1 should be -1 \(test\), 0 to 1, or 2 \(always trained on\), found 3",
    ),
    (
        broken("parts.update(window=4, borders=None, folds=2, labels={}, classes={}, fold=torch.tensor([0, 0, -1]))"),
        r"fold 1 of 2 is empty",
    ),
    (
        broken("parts.update(window=4, borders=None, folds=2, labels={}, classes={}, fold=torch.tensor([0, 1, 1]))"),
        r"the test part is empty",
    ),
    (
        broken("parts['numbers'] = {'height': torch.zeros(12)}"),
        r"target `height` should be a float64 tensor with one number for each of the 12 rows",
    ),
    (
        broken("parts['numbers'] = {'height': torch.tensor([1.0, float('inf')] * 6, dtype=torch.float64)}"),
        r"target `height`, row 1 \(counted from 0\): should be at most 1e\+100 in size, or NaN for none, found inf",
    ),
    (
        broken("parts['numbers'] = {'count': parts['values'][:, 0]}"),
        r"target `count` has the name of an input: nothing could be learnt but to copy it",
    ),
    (broken("parts['numbers'] = {'odd': parts['values'][:, 0]}"), r"target `odd` has the name of a label"),
    (
        broken("parts['numbers'] = {'height': torch.ones(12, dtype=torch.float64)}"),
        r"target `height`: the training part should have at least two different values, found 6, all 1: choose "
        r"other `borders`, or leave the target out",
    ),
    (broken("parts['oracle_forecast'] = torch.zeros(2, 3, 4)"), r"`oracle_forecast` should be n × H × 1"),
    (broken("parts['oracle_labels'] = {'x': torch.zeros(2, 2)}"), r"`oracle_labels` should name labels"),
    (broken("parts['oracle_labels'] = {'odd': torch.zeros(2, 3)}"), r"`oracle_labels` of `odd` should be n × 2"),
]


@pytest.mark.parametrize(("code", "message"), BAD)
def test_refusals_say_what_is_wrong(code: str, message: str, tmp_path: Path) -> None:
    # The contract must hold without the run-time shape checks of the tests: a user's run has none.
    code = code.replace("return Prepared(**parts)", "return unchecked(parts)") + UNCHECKED
    with pytest.raises(DataError, match=message):
        read(tmp_path, code)


UNCHECKED = '''

def unchecked(parts):
    """A Prepared whose fields are set one by one, as nothing checks their shapes outside of tests."""
    made = object.__new__(Prepared)
    usual = dict(labels={}, classes={}, groups=None, units={}, oracle_forecast=None, oracle_from=0,
                 oracle_labels={}, oracle_numbers={}, numbers={}, notes=[])
    made.__dict__.update(usual | parts)
    return made
'''


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    code = broken(
        "parts['values'][3, 0] = float('nan'); parts['labels']['odd'][3] = 2; parts['labels']['even'] = torch.zeros(5);"
        " parts['classes']['even'] = ['a', 'b']; parts['borders'] = (6, 6, 12)"
    )
    code = code.replace("return Prepared(**parts)", "return unchecked(parts)") + UNCHECKED
    with pytest.raises(DataError, match=r":make breaks 4 points of the contract of its data: \(1\)") as caught:
        read(tmp_path, code)
    for number, point in enumerate(
        ["row 3 .* finite number", "too few rows", "label `odd`, row 3", "label `even` should"]
    ):
        assert caught.match(rf"\({number + 1}\) {point}"), str(caught.value)


def test_a_name_that_python_already_has(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "json.py").write_text(PLUGIN)
    with pytest.raises(DataError, match=r"`json` is a module outside plugins/; give yours another name"):
        read_source("own", PythonSource(kind="python", target="json:loads"), tmp_path)


def test_no_plugins_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder plugins/"):
        read_source("own", PythonSource(kind="python", target="mine:make"), tmp_path)
