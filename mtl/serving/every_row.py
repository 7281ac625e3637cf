"""Classes at every row of a file in time order: a row of the output for each row of the file.

R rows, n windows of L rows, k classes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from mtl.config.sources import SeriesSource
from mtl.data.inputs.every import seen_of
from mtl.results.deployment import Origin
from mtl.serving.asked import NUMBERS, quiet_outputs
from mtl.serving.drift import Watch
from mtl.serving.model import Model
from mtl.serving.new_data.series import front_of_rows, rows_of
from mtl.serving.new_data.windows import InTime, in_time
from mtl.serving.predictions import Columns
from mtl.tasks.answers import Tags
from mtl.tasks.base import TaskSpec
from mtl.training.measure import CHUNK


def every_row(
    model: Model, specs: Sequence[TaskSpec], options: SeriesSource, origin: Origin | None, notes: list[str],
    watch: Watch,
) -> tuple[int, pd.DataFrame]:  # fmt: skip
    """Number of rows, and their table: series and time stamp, the class that each task says, and the probability of
    each class. Every row is answered by the window that answers it in the evaluation, too; a row that no window can
    answer has none.

    Args:
        model: finished.
        specs: tasks of a class at every row, all of one source.
        options: of the file.
        origin: the source that the model was trained on, where it is known.
        notes: takes sentences that a user should know.
        watch: takes the inputs.

    Raises:
        DataError: the file does not fit the model.
    """
    rows = in_time(rows_of(options, specs[0].columns, notes), options, specs, origin, notes)
    columns: Columns = {}
    longest = max(spec.input_len for spec in specs)
    for length in sorted({spec.input_len for spec in specs}):
        alike = [spec for spec in specs if spec.input_len == length]
        columns |= _of_length(model, alike, length, rows, watch if length == longest else None)
    table = pd.DataFrame({name: columns[name] for spec in specs for name in _names(spec)})
    untold = int(table[specs[0].name].isna().sum())
    if untold:
        notes.append(
            f"{untold:,} rows have no class, for fewer than {specs[0].input_len} rows with all inputs stand together "
            "there"
        )
    front = pd.DataFrame(front_of_rows(rows.timeline, options), index=table.index)
    return len(table), pd.concat([front, table], axis=1)


def _names(spec: TaskSpec) -> list[str]:
    """Columns of a task, named as those of a class of a sample."""
    return [spec.name, *(f"{spec.name}_p:{name}" for name in spec.class_names)]


def _of_length(model: Model, specs: Sequence[TaskSpec], length: int, rows: InTime, watch: Watch | None) -> Columns:
    tiles, count = rows.tiles(length), len(rows.values)
    columns: Columns = {}
    for spec in specs:
        said, *chances = _names(spec)
        columns[said] = np.full(count, None, dtype=object)
        columns |= {name: np.full(count, np.nan, dtype=np.float32) for name in chances}
    size = max(CHUNK, NUMBERS // (length * len(specs[0].columns)) // CHUNK * CHUNK)
    for starts in torch.split(tiles.starts, size):
        windows = rows.windows(starts, length)
        if watch is not None:
            watch.add(seen_of(specs[0].input, windows, specs[0].columns), len(windows))
        outputs = quiet_outputs(model, windows, [spec.name for spec in specs])
        counts = tiles.counts(starts, length)
        at = (starts[:, None] + torch.arange(length))[counts].numpy()
        for spec in specs:
            answer = spec.answer(outputs[spec.name][counts][None])
            assert isinstance(answer, Tags)
            said, *chances = _names(spec)
            columns[said][at] = np.array(answer.predicted[0], dtype=object)
            for place, name in enumerate(chances):
                columns[name][at] = answer.probabilities[0][:, place]
    return columns
