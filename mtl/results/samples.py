"""results/losses.parquet and predictions.parquet: a row a test sample, task and run, written as a stream.

Rows stand in the order of the seeds, then of the runs, of their tasks and of the samples at their source. The same runs
always give the same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from mtl.files import replaced

TRUTH = "truth"
"""In place of a stage: rows of predictions.parquet that hold what was to be predicted."""

_WHOSE = [
    ("stage", pa.string()),
    ("method", pa.string()),
    ("start", pa.string()),
    ("seed", pa.int64()),
    ("task", pa.string()),
    ("sample", pa.int64()),
]
"""Columns that say which run a row belongs to, and which task and sample."""

LOSSES_SCHEMA = pa.schema(
    [
        *_WHOSE,
        ("loss", pa.float32()),
        ("error", pa.float64()),
        ("block", pa.int64()),
    ]
)
"""Losses of test samples: one row a run, task and sample.

`stage` and `method` are those of results/runs.parquet (`simple` and the name of a simple model, `baseline` and `stl`,
or `finetune` and a method), and `sample` is the number of the sample at its source: the row at which a window begins,
an image, a row. `loss` is the unweighted training loss. The mean of `error` over the samples is the task's primary
metric where lower is better (MSE, log-loss), and 1 less it where higher is (accuracy, AUC); for a metric that is no
mean of the samples' errors these are the pseudo-values of `mtl/tasks/sample_errors.py`. It is null for the calibration
error, and where the samples leave the metric undefined.
Models of the stage `specialise` are not among the runs: they serve tasks in groupings, which are compared by their
metrics alone; each predicts from its own folder (`mtl.load_model`).
`block` numbers the parts of the test samples that count as independent of each other: stretches of a series,
groups (people) where the source has some, else single samples.
"""

PREDICTIONS_SCHEMA = pa.schema(
    [
        *_WHOSE,
        ("label", pa.string()),
        ("values", pa.list_(pa.float32())),
    ]
)
"""Test predictions: one row a run, task and sample, after the truth, which is one row a task and sample (`stage` is
`truth`, `method` and `start` are empty, `seed` is null).

`label` is the name of the predicted (or true) class, null for numbers. `values` are numbers in original units, one list
a sample: the whole forecast channel by channel, each from the first step to the last; a regression's number; the
probabilities of a label's classes in their order (null for its truth). Of quantiles the median stands first, then those
of the other levels in the same way.
"""


@contextmanager
def table_stream(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A Parquet file that tables are appended to, each a group of rows of its own; it takes its place at the end."""
    with replaced(path) as fresh, pq.ParquetWriter(fresh, schema, compression="zstd") as writer:
        yield writer


class ErrorsOf(NamedTuple):
    """Names of the rows of losses.parquet that belong together."""

    stage: str
    method: str
    start: str
    task: str
    seed: int


@dataclass(frozen=True)
class BlockErrors:
    """Column `error` of one run and task, added up over the B blocks of its test samples."""

    blocks: Int[np.ndarray, " B"]
    """Numbers of the blocks, ascending."""
    sums: Float[np.ndarray, " B"]
    samples: Int[np.ndarray, " B"]
    """Number of samples in each block."""


def in_blocks(errors: Float[np.ndarray, " n"], block: Int[np.ndarray, " n"]) -> BlockErrors:
    """Errors of n samples, added up over their blocks."""
    blocks, place = np.unique(block, return_inverse=True)
    sums = np.bincount(place, weights=errors, minlength=len(blocks))
    return BlockErrors(blocks, sums, np.bincount(place, minlength=len(blocks)))


def read_block_errors(path: Path, task: str | None = None) -> dict[ErrorsOf, BlockErrors]:
    """Errors in losses.parquet, added up over blocks; without those that are null.

    One group of rows is in memory at a time. The same file always gives the same numbers.

    Args:
        path: the file.
        task: whose errors are read; None for those of all.
    """
    names = [*ErrorsOf._fields]
    parts: dict[ErrorsOf, list[tuple[np.ndarray, np.ndarray]]] = {}
    with pq.ParquetFile(path, read_dictionary=["stage", "method", "start", "task"]) as file:
        for number in range(file.num_row_groups):
            if task is not None and not _may_hold(file.metadata.row_group(number), task):
                continue
            table = file.read_row_group(number, columns=[*names, "error", "block"])
            if not len(table):
                continue
            error, block = (table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in ("error", "block"))
            ends = _ends(table, names)
            for begin, end in zip([0, *ends[:-1]], ends, strict=True):
                of = ErrorsOf(*(table[name][begin].as_py() for name in names))
                if task in (None, of.task):
                    parts.setdefault(of, []).append((error[begin:end], block[begin:end]))
    whole = {of: tuple(np.concatenate(several) for several in zip(*lists, strict=True)) for of, lists in parts.items()}
    return {of: in_blocks(error, block) for of, (error, block) in whole.items() if not np.isnan(error).any()}


def _may_hold(group: pq.RowGroupMetaData, task: str) -> bool:
    """Says whether a group of rows may hold some of a task, by the least and the greatest of its names."""
    statistics = group.column(LOSSES_SCHEMA.get_field_index("task")).statistics
    if statistics is None or not statistics.has_min_max:
        return bool(group.num_rows > 0)
    return bool(statistics.min <= task <= statistics.max)


def _ends(table: pa.Table, names: list[str]) -> list[int]:
    """Numbers of the rows after the last of each stretch with the same values in these columns."""
    changes = np.zeros(len(table) - 1, dtype=bool)
    for name in names:
        column = table[name].combine_chunks()
        codes = (column.indices if pa.types.is_dictionary(column.type) else column).to_numpy(zero_copy_only=False)
        changes |= codes[1:] != codes[:-1]
    return [*(changes.nonzero()[0] + 1).tolist(), len(table)]
