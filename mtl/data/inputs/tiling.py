"""Windows over the rows of a part of a series, laid so that each row is answered by one (`mtl.data.inputs.tiles`).

L rows of a window, R rows of a source.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool
from torch import Tensor

from mtl.data.inputs.stretches import Stretch, segments_of
from mtl.data.inputs.tiles import Tiles, answered
from mtl.errors import SettingError
from mtl.types import Prepared


def tiles_of(parts: Sequence[Stretch], length: int, unread: Bool[Tensor, " R"] | None) -> Tiles:
    """The windows of some stretches.

    Args:
        parts: in the order of their rows. Windows may begin before a stretch, though never before its series.
        length: L. A run of fewer rows that can be read is not answered.
        unread: rows that no window may hold; None: there are none.
    """
    laid = [
        _of_run(run, length)
        for part in parts
        for run in (_runs(part, unread) if unread is not None else [part])
        if run.stop - run.first >= length
    ]
    whole = [torch.cat(column) if column else torch.empty(0, dtype=torch.int64) for column in zip(*laid, strict=True)]
    return Tiles(*(whole or [torch.empty(0, dtype=torch.int64)] * 3))


def _of_run(run: Stretch, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """First rows of the windows of rows that can all be read, and the rows that each answers."""
    step, last = answered(length), run.stop - length
    first = min(max(run.first, run.begin - (length - step)), last)
    starts = torch.arange(first, last + 1, step)
    if int(starts[-1]) < last:
        starts = torch.cat([starts, torch.tensor([last])])
    ends = starts + length
    return starts, torch.cat([torch.tensor([run.begin]), ends[:-1]]), ends


def _runs(part: Stretch, unread: Bool[Tensor, " R"]) -> Iterator[Stretch]:
    """Rows of a stretch between those that cannot be read; each run is a series of its own."""
    holes = unread[part.first : part.stop].nonzero().squeeze(1) + part.first
    borders = [part.first - 1, *holes.tolist(), part.stop]
    for before, stop in pairwise(borders):
        first = before + 1
        begin = max(first, part.begin)
        if begin < stop:
            yield Stretch(first, begin, stop)


def check_shortest(name: str, length: int, data: Prepared) -> None:
    """Checks that the windows of a task `name` fit into every series, so that every row can be answered.

    Raises:
        SettingError: a series, or its rows up to the end of validation, are shorter.
    """
    ends = segments_of(data)
    rows = ends[:, 3 if data.fold is not None else 2] - ends[:, 0]
    shortest = int(rows.argmin())
    if length <= int(rows[shortest]):
        return
    whose = f"series {data.segment_names[shortest]}" if data.segments is not None else "series"
    part = "" if data.fold is not None else " up to the end of its validation part"
    raise SettingError(
        f"tasks.{name}.input_len",
        f"should be at most {int(rows[shortest])}, the rows of the {whose} of {data.name}{part}, so that each of its "
        f"rows can have a tag, found {length}; or leave series out that are shorter.",
    )
