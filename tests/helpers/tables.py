"""Rows of a table with numbers, categories, missing cells and targets that follow from them."""

from dataclasses import replace
from typing import Any

import torch
from pydantic import TypeAdapter

from mtl.config import Task
from mtl.types import RowSet

COLOURS = ["blue", "green", "red", "violet"]
SHAPES = ["round", "square"]


def mixed(count: int = 240, seed: int = 0, folds: int = 3, **changes: Any) -> RowSet:
    """Rows of three numbers, of which `b` has gaps, and two categories, of which `shape` has; `y` is a number and
    `good` a label that both follow from them."""
    draw = torch.Generator().manual_seed(seed)
    values = 10 + 3 * torch.randn(count, 3, generator=draw, dtype=torch.float64)
    colour = torch.randint(0, 3, (count,), generator=draw, dtype=torch.int32)
    shape = torch.randint(0, 2, (count,), generator=draw, dtype=torch.int32)
    y = values[:, 0] + 4 * (colour == 2) - 2 * (shape == 1) + 0.3 * torch.randn(count, generator=draw)
    values[::5, 1] = torch.nan
    shape[::7] = -1
    fold = torch.arange(count) % (folds + 1) - 1
    rows = RowSet(
        name="table", values=values, columns=["a", "b", "c"], fold=fold, folds=folds,
        labels={"good": (y > 11).long()}, classes={"good": ["no", "yes"]}, numbers={"y": y},
        categories=torch.stack([colour, shape], dim=1), category_columns=["colour", "shape"],
        vocabularies={"colour": COLOURS, "shape": SHAPES},
    )  # fmt: skip
    return replace(rows, **changes)


def tasks(source: str = "table", **more: dict[str, Any]) -> dict[str, Task]:
    """A regression of `y`, a binary task of `good`, and others."""
    sections = {
        "y": {"kind": "regression", "source": source, "target": "y"},
        "good": {"kind": "binary", "source": source, "label": "good"},
    } | {name: {"source": source} | section for name, section in more.items()}
    return TypeAdapter(dict[str, Task]).validate_python(sections)
