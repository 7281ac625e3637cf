"""results/losses.parquet and predictions.parquet: a row a test sample, task and run, written as a stream.

Rows stand in the order of the seeds, then of the runs, of their tasks and of the samples at their source. The same runs
always give the same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mtl.files import replaced

TRUTH = "truth"
"""In place of a stage: rows of predictions.parquet that hold what was to be predicted."""

LOSSES_SCHEMA = pa.schema(
    [
        ("stage", pa.string()),
        ("method", pa.string()),
        ("start", pa.string()),
        ("seed", pa.int64()),
        ("task", pa.string()),
        ("sample", pa.int64()),
        ("loss", pa.float32()),
        ("error", pa.float64()),
    ]
)
"""Losses of test samples: one row a run, task and sample.

`stage` and `method` are those of results/runs.parquet (`baseline` and `stl`, or `finetune` and a method), and `sample`
is the number of the sample at its source: the row at which a window begins, an image, a row. `loss` is the unweighted
training loss. The mean of `error` over the samples is the task's primary metric (MSE, MAE, log-loss, Brier score), or
1 less it (accuracy); it is null where the metric is no mean over samples.
"""

PREDICTIONS_SCHEMA = pa.schema(
    [
        ("stage", pa.string()),
        ("method", pa.string()),
        ("start", pa.string()),
        ("seed", pa.int64()),
        ("task", pa.string()),
        ("sample", pa.int64()),
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
