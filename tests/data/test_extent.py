"""More of the data as the training part: nothing is lost, the test part keeps its samples, all of it is fitted to."""

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter

from mtl.config import Task
from mtl.config.common import Extent
from mtl.data.inputs.base import Input
from mtl.data.inputs.every import input_of
from mtl.data.inputs.extent import JOINED, trained_on
from mtl.data.loading.tasks import build_tasks
from mtl.types import SPLITS, Prepared, RowSet, SourceData, Split

ROWS = 60
EXTENTS: tuple[Extent, ...] = get_args(Extent)


def series() -> Prepared:
    values = torch.arange(ROWS, dtype=torch.float64)[:, None]
    return Prepared("s", values, ["a"], window=None, borders=(30, 42, 54), fold=None, folds=1)


def several() -> Prepared:
    segments = torch.tensor([[0, 15, 20, 25], [30, 45, 50, 60]])
    return replace(series(), borders=None, segments=segments, segment_names=["north", "south"])


def stored() -> Prepared:
    fold = torch.tensor([-1, 0, 1, 2, 3, 0, 1, 2, -1, 3, 0, 1])  # three folds; 3 always trains
    return replace(series(), window=5, borders=None, fold=fold, folds=3)


def rows() -> RowSet:
    drawn = torch.arange(ROWS) % 4
    values = torch.arange(ROWS, dtype=torch.float64)[:, None]
    y = {"y": torch.arange(ROWS, dtype=torch.float64)}
    return RowSet("s", values, ["a"], torch.where(drawn == 3, -1, drawn), 3, numbers=y)


def crossed() -> RowSet:
    return replace(rows(), fold=torch.arange(ROWS) % 4, folds=4, crossed=True)


SOURCES = {"series": series, "several": several, "stored": stored, "rows": rows, "crossed": crossed}


def parts(source: Input[SourceData], fold: int) -> dict[Split, set[int]]:
    return {split: set(mask.nonzero().squeeze(1).tolist()) for split, mask in source.masks(fold).items()}


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("name", SOURCES)
def test_parts_are_joined_and_nothing_else_moves(name: str, extent: Extent, fold: int) -> None:
    source = input_of(SOURCES[name]())
    fold %= source.data.folds
    before, after = parts(source, fold), parts(trained_on(source, extent, fold), fold)
    assert after["train"] == before["train"].union(*(before[part] for part in JOINED[extent]))
    for split in ("val", "test"):
        assert after[split] == (set() if split in JOINED[extent] else before[split])
    assert before == parts(source, fold), "the source itself stays as it was"


@pytest.mark.parametrize("name", SOURCES)
def test_the_fit_is_that_of_all_that_is_trained_on(name: str) -> None:
    source = input_of(SOURCES[name]())
    joined = trained_on(source, "train+val", 0)
    places = sorted(parts(joined, 0)["train"])
    values = source.data.values  # type: ignore[attr-defined]
    window = getattr(source.data, "window", None)
    used = values.reshape(-1, window)[places].reshape(-1) if window else values[places, 0]
    assert joined.fit(0).mean.item() == pytest.approx(used.mean().item(), abs=1e-12)


def of_tasks(source: SourceData, task: dict[str, Any], extent: Extent) -> dict[Split, list[int]]:
    made: Task = TypeAdapter(Task).validate_python({"kind": "forecast", "source": "s"} | task)
    data = build_tasks({"t": made}, {"s": source}, 0, extent)
    return {split: [n for pool in data.pools[split] for n in pool.samples.numbers.tolist()] for split in SPLITS}


@pytest.mark.parametrize("make", [series, several])
def test_windows_across_a_border_that_is_gone_are_trained_on(make: Any) -> None:
    """The forecast of the first validation rows was no training sample; now the windows go on without a break."""
    task = {"input_len": 4, "horizon": 2}
    alone, joined = of_tasks(make(), task, "train"), of_tasks(make(), task, "train+val")
    assert joined["test"] == alone["test"] and not joined["val"]
    assert set(alone["train"]) | set(alone["val"]) < set(joined["train"])
    everything = of_tasks(make(), task, "all")
    assert not everything["test"] and set(joined["train"]) | set(joined["test"]) < set(everything["train"])
