"""Windows of which every row of a part of a series is answered by one, and the classes at their rows."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mtl.config import Task
from mtl.config.inputs import IMAGES, Held
from mtl.config.tagging import TaggingTask
from mtl.data.inputs.every import input_of
from mtl.data.inputs.stretches import Stretch
from mtl.data.inputs.tiles import answered
from mtl.data.inputs.tiling import tiles_of
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.errors import DataError, SettingError
from mtl.types import NO_LABEL, SPLITS, Prepared, Split
from tests.helpers.problems import binary, counting, series, stored

BORDERS = (60, 90, 120)


def tagging(**changes: object) -> TaggingTask:
    return TaggingTask.model_validate({"kind": "tagging", "source": "line", "label": "state", "input_len": 8} | changes)


def line(label: Tensor | None = None) -> Prepared:
    return series(counting(120), BORDERS, {"state": torch.arange(120) % 3 if label is None else label})


def cuts() -> Prepared:
    return stored(4, 8, torch.tensor([0, 1, 0, -1]), {"state": torch.tensor([0, 1, 0, 1])})


def build(source: Prepared, seed: int = 0, **tasks: Task) -> TaskSet:
    named = {name: task.model_copy(update={"source": source.name}) for name, task in tasks.items()}
    return build_tasks(named, {source.name: source}, seed)


def counted(data: TaskSet, task: str, split: Split) -> Tensor:
    """Row of every class that counts in a part."""
    (pool,) = data.select([task], split)
    places = pool.samples.numbers[:, None] + torch.arange(data.specs[task].input_len)
    return places[pool.positions[task] != NO_LABEL]


@pytest.mark.parametrize("length", [1, 2, 3, 8, 17])
def test_every_row_of_a_part_is_answered_once(length: int) -> None:
    for first, begin, stop in ((0, 0, 40), (0, 25, 41), (5, 22, 23), (3, 4, 60), (0, 13, 31)):
        tiles = tiles_of([Stretch(first, begin, stop)], length, None)
        rows = tiles.starts[:, None] + torch.arange(length)
        assert rows[tiles.counts(tiles.starts, length)].tolist() == list(range(begin, stop))
        assert int(tiles.starts.min()) >= first and int(rows.max()) == stop - 1 and tiles.rows == stop - begin
        # But for the first rows of a series, a row is answered with at least half of a window before it.
        seen = (tiles.begins - tiles.starts)[tiles.starts > first]
        assert seen.numel() == 0 or int(seen.min()) >= length - answered(length)


def test_rows_that_cannot_be_read_part_a_series() -> None:
    unread = torch.zeros(50, dtype=torch.bool)
    unread[[10, 14, 30]] = True
    tiles = tiles_of([Stretch(0, 6, 50)], 6, unread)
    rows = (tiles.starts[:, None] + torch.arange(6))[tiles.counts(tiles.starts, 6)]
    assert rows.tolist() == [*range(6, 10), *range(15, 30), *range(31, 50)]
    assert not unread[tiles.starts[:, None] + torch.arange(6)].any()
    assert tiles_of([Stretch(0, 0, 5)], 6, None).rows == 0


def test_every_row_counts_once_in_validation_and_test_and_often_in_training() -> None:
    data = build(line(), t=tagging())
    assert counted(data, "t", "val").tolist() == list(range(60, 90))
    assert counted(data, "t", "test").tolist() == list(range(90, 120))
    (pool,) = data.select(["t"], "train")
    assert pool.samples.numbers.tolist() == list(range(60 - 8 + 1))
    batch = pool.batch(torch.tensor([0, 7]))
    assert batch.target("t").tolist() == [[row % 3 for row in range(begin, begin + 8)] for begin in (0, 7)]


def test_missing_classes_count_nowhere() -> None:
    label = torch.arange(120) % 2
    label[::5] = NO_LABEL
    label[92:110] = NO_LABEL
    data = build(line(label), t=tagging())
    assert counted(data, "t", "test").tolist() == [row for row in range(90, 120) if label[row] != NO_LABEL]
    assert 3 not in {*counted(data, "t", "train").tolist()} & {0, 5, 10}
    (pool,) = data.select(["t"], "test")
    assert bool((pool.positions["t"] != NO_LABEL).any(dim=1).all()), "a window without any class is no sample"


def test_windows_of_a_label_and_of_tags_are_trained_together() -> None:
    label = torch.arange(120) % 2
    data = build(line(label), t=tagging(), c=binary(label="state", input_len=8))
    assert [pool.tasks for pool in data.pools["train"]] == [("t", "c")]
    assert {pool.tasks for pool in data.pools["test"]} == {("t",), ("c",)}
    alone = build(line(label), t=tagging())
    for split in SPLITS:
        assert torch.equal(counted(data, "t", split), counted(alone, "t", split))


def test_whole_series_stay_whole() -> None:
    source = line()
    segments = torch.tensor([[0, 0, 0, 30], [30, 0, 0, 70], [70, 0, 0, 95], [95, 0, 0, 120]])
    whole = Prepared(
        name="line", values=source.values, columns=source.columns, window=None, borders=None,
        fold=torch.tensor([0, -1, 1, -1]), folds=2, labels=source.labels, classes=source.classes, segments=segments,
        segment_names=["a", "b", "c", "d"],
    )  # fmt: skip
    data = build(whole, t=tagging())
    assert counted(data, "t", "test").tolist() == [*range(30, 70), *range(95, 120)]
    assert counted(data, "t", "val").tolist() == list(range(30))
    for split in SPLITS:
        (pool,) = data.select(["t"], split)
        owner = torch.searchsorted(segments[:, 0].contiguous(), pool.samples.numbers, right=True)
        last = torch.searchsorted(segments[:, 0].contiguous(), pool.samples.numbers + 7, right=True)
        assert torch.equal(owner, last), "no window crosses from one series into the next"
    with pytest.raises(SettingError, match=r"tasks\.t\.input_len` should be at most 25, the rows of the series c of"):
        build(whole, t=tagging(input_len=26))


def test_bad_settings_have_a_remedy() -> None:
    with pytest.raises(SettingError, match=r"tasks\.t\.label` should be one of the tags state of line, found 'x'"):
        build(line(), t=tagging(label="x"))
    with pytest.raises(SettingError, match=r"tasks\.t\.input_len` should be at most 90, the rows of the series of l"):
        build(line(), t=tagging(input_len=91))
    with pytest.raises(SettingError, match=r"tasks\.t\.metric` should be accuracy, .* has 3 classes .* found 'f1'"):
        build(line(), t=tagging(metric="f1"))
    with pytest.raises(SettingError, match=r"tasks\.t\.f1_over` should be among k0, k1, k2, found 'x'"):
        build(line(), t=tagging(metric="macro_f1", f1_over=["k0", "x"]))
    with pytest.raises(SettingError, match=r"should name a class of every row, and cuts has none: .* stored windows"):
        build(cuts(), t=tagging(input_len=None))
    with pytest.raises(SettingError, match=r"tasks\.t\.kind` is for the words of texts and the rows of series, and s"):
        tagging().learns("t", Held("s", IMAGES, [], {}))
    with pytest.raises(ValidationError, match="f1_over should stand beside"):
        tagging(f1_over=["0", "1"])
    late = torch.zeros(120, dtype=torch.int64)
    late[100:] = 1
    with pytest.raises(DataError, match=r"tasks\.t: no training sample has the tag 'k1'"):
        build(line(late), t=tagging())
    early = torch.zeros(120, dtype=torch.int64)
    early[:70:2] = 1
    with pytest.raises(
        SettingError, match=r"test part of line, where all 30 .*: found 'average_precision'. accuracy h"
    ):
        build(line(early), t=tagging(metric="average_precision"))


def test_labels_of_a_series_are_tags_of_its_rows() -> None:
    assert input_of(line()).held.tags == {"state": ["k0", "k1", "k2"]}
    assert input_of(cuts()).held.tags == {}
