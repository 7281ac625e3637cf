"""Examples run: those in the docstrings of every public name, and the blocks of docs/python.md."""

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mtl
from mtl.api.result import Result
from tests.api.conftest import unchecked

PAGE = Path(__file__).parents[2] / "docs/python.md"
NAMES = sorted({*mtl.__all__} - {"__version__"}, key=lambda name: (name != "compare", name))
"""`compare` first: others use its result."""


@pytest.fixture(scope="module")
def names(frame: pd.DataFrame) -> dict[str, Any]:
    """Names that the examples share: what one leaves, the next may use."""
    return {"mtl": mtl, "frame": frame}


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_docstring(
    name: str, names: dict[str, Any], result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names.setdefault("result", result)
    text = unchecked(getattr(mtl, name)).__doc__
    example = doctest.DocTestParser().get_doctest(text, names, f"mtl.{name}", None, 0)
    assert example.examples, f"mtl.{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failed, _ = runner.run(example, out=said.append, clear_globs=False)
    names |= example.globs
    assert not failed, "".join(said)


def test_the_blocks_of_the_page_on_python(
    frame: pd.DataFrame, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order and in one namespace; a comparison is the one that all tests share. The block that defines a
    network is left out: its source would have to stand in a file, as in tests/api/test_own_code.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mtl, "compare", lambda *_, **__: result)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    drawn = np.random.default_rng(0)
    trunk, heads = nn.Linear(3, 4), [nn.Linear(4, 1), nn.Linear(4, 1)]
    names: dict[str, Any] = {
        "frame": frame,
        "new_frame": frame.head(9),
        "trunk": trunk,
        "price_head": heads[0],
        "sold_head": heads[1],
        "mse": nn.functional.mse_loss,
        "bce": nn.functional.binary_cross_entropy_with_logits,
        "batches": [(torch.randn(8, 3), torch.randn(8, 1), torch.ones(8, 1)) for _ in range(2)],
        "optimiser": torch.optim.SGD([*trunk.parameters(), *heads[0].parameters(), *heads[1].parameters()], lr=0.1),
        "said": {task: drawn.uniform(size=(3, 20)) for task in "abc"},
        "labels": {task: drawn.integers(0, 2, 20) for task in "abc"},
        "cosines": np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.1], [0.0, 0.1, 1.0]]),
    }
    run = [block for block in blocks if "encoder=" not in block]
    assert len(run) >= 6
    for block in run:
        exec(compile(block, str(PAGE), "exec"), names)
    assert mtl.open(tmp_path / "wine").verdicts.equals(result.verdicts) and set(names["weights"]) == {"price", "sold"}
    assert len(names["groups"].memberships) == 3 and set(names["targets"]) == {"quality", "good"}
