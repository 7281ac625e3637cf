"""Functions and classes as encoders: their source becomes a module that stands alone, and what cannot is told."""

import functools
import linecache
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mtl
from mtl.api.own_code import own_code
from mtl.errors import UserError
from tests.api.conftest import QUICK

WIDE = 4
SIZES: dict[str, Any] = {"hidden": [WIDE, 6], "scale": math.inf}
NETWORK = nn.Linear(2, 2)
CALLS: dict[str, Any] = {"hidden": [WIDE, 6]}


def doubled(values: Tensor) -> Tensor:
    return 2 * F.relu(values)


class Base(nn.Module):
    """A part of the network."""

    def __init__(self, width: int = WIDE) -> None:
        super().__init__()
        self.first = nn.LazyLinear(width)


class Net(Base):
    """Uses its base, a function, constants, and packages under other names."""

    def __init__(self, width: int = WIDE, log: str = "") -> None:
        super().__init__(width)
        self.second = nn.Linear(width, CALLS["hidden"][1])
        if log:
            with open(log, "a") as file:
                file.write(f"{torch.initial_seed()}\n")

    def forward(self, rows: Tensor) -> Tensor:
        return self.second(doubled(self.first(rows)) * np.float64(1).item() * math.pi)


def build() -> nn.Module:
    return Net(width=WIDE + 1)


def infinite() -> nn.Module:
    return nn.Linear(2, int(SIZES["scale"]))


def finished() -> nn.Module:
    return NETWORK


def unknown() -> nn.Module:
    return nothing_of_that_name  # type: ignore[name-defined]


def inside(width: int) -> Callable[[], nn.Module]:
    def net() -> nn.Module:
        return nn.Linear(2, width)

    return net


@pytest.mark.parametrize("encoder", [Net, build, functools.partial(Net, width=5), nn.Identity])
def test_a_module_stands_alone(encoder: Callable[..., nn.Module], tmp_path: Path) -> None:
    """All that it uses is in it: with nothing else around, it builds the same network."""
    code = own_code(encoder)
    names: dict[str, Any] = {"__name__": "own_encoder"}
    exec(compile(code.text, "own_encoder.py", "exec"), names)
    rows = torch.randn(3, 2)
    torch.manual_seed(0)
    wanted = encoder()(rows)
    torch.manual_seed(0)
    made = names[code.section["target"].partition(":")[2]](**code.section["options"])(rows)
    assert torch.equal(made, wanted)


@pytest.mark.parametrize(
    ("encoder", "told"),
    [
        (nn.Linear(2, 2), "found a finished Linear: every run needs a network of its own"),
        (Net(), "Give the class, or `def build(): return Net(…)`"),
        (lambda: nn.Linear(2, 2), "should have a name: write `def build()"),
        (inside(3), "`net` uses `width` of the function that it stands in"),
        (finished, "uses `NETWORK`, Linear("),
        (infinite, "uses `SIZES`"),
        (unknown, "uses `nothing_of_that_name`, which is not defined"),
        (functools.partial(Net, 5), "give its values by name"),
        (functools.partial(Net, width=NETWORK), "`width` should be a number, a text, a list or a map"),
        (3, "or a function or class that builds an nn.Module, found 3"),
    ],
)
def test_what_lives_in_the_session_alone_is_told(encoder: object, told: str) -> None:
    with pytest.raises(UserError) as caught:
        mtl.compare(pd.DataFrame({"a": [1.0]}), {"a": "regression"}, encoder=encoder)
    assert told in str(caught.value)


def test_it_is_built_for_every_run_after_its_seed_is_set(tmp_path: Path) -> None:
    log = tmp_path / "log"
    x = np.random.default_rng(0).normal(size=(60, 3))
    data = {"x": x, "y": x.sum(axis=1), "z": x[:, 0] ** 2}
    encoder = functools.partial(Net, log=str(log))
    result = mtl.compare(data, {"y": "regression", "z": "regression"}, **QUICK | {"encoder": encoder})
    seeds = log.read_text(encoding="utf-8").split()
    assert len(set(seeds)) == 2, "a joint run starts with the weights of its single-task runs"
    assert len(seeds) == 2 * 6, "two tasks alone and both together, two seeds; and once more to predict the test rows"
    answers = result.model("equal").predict(x)
    opened = mtl.open(result.save(tmp_path / "own"))
    pd.testing.assert_frame_equal(opened.model("equal").predict(x), answers)
    # Another encoder of the same name in the same process is another module.
    other = mtl.compare(data, {"y": "regression"}, **QUICK | {"encoder": build})
    assert "def build" in (other.folder / "plugins/own_encoder.py").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(result.model("equal").predict(x), answers)


CELL = '''
from torch import nn

WIDTH = 8


class Cell(nn.Module):
    """A network."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.LazyLinear(WIDTH)

    def forward(self, rows):
        return self.layers(rows)
'''


def test_a_class_of_a_notebook_has_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is compiled under a name of its own, whose lines are known, in a module without a file."""
    module = ModuleType("session")
    monkeypatch.setitem(sys.modules, "session", module)
    monkeypatch.setitem(linecache.cache, "<cell>", (len(CELL), None, CELL.splitlines(keepends=True), "<cell>"))
    exec(compile(CELL, "<cell>", "exec"), vars(module))
    text = own_code(module.Cell).text
    assert "class Cell(nn.Module):" in text and "WIDTH = 8" in text and "import torch.nn as nn" in text
    monkeypatch.delitem(linecache.cache, "<cell>")
    with pytest.raises(UserError, match="the source of `Cell` is not known"):
        own_code(module.Cell)
