"""Results of finished runs on every test sample: losses, predictions, and metrics of parts of the samples.

A run's network is loaded again and passes its test part once, as it did when the run measured it: the same numbers on
the same device. One run's predictions are in memory at a time.

n samples of a task's test part.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config import Config
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import load_tasks
from mtl.experiment.predicted import Predicted, numbers_of, predicted
from mtl.experiment.recipe import Recipe, joint, simple, single_task
from mtl.experiment.slices import Slicer
from mtl.models.kept_features import keeping
from mtl.paths import LOSSES, PREDICTIONS, SLICES
from mtl.results.samples import LOSSES_SCHEMA, PREDICTIONS_SCHEMA, TRUTH, table_stream
from mtl.seeding import make_deterministic, stable_seed
from mtl.tasks.base import TaskSpec

NUMBERS = 2**22
"""Predicted numbers in a group of rows: what is copied at once, 16 MiB."""


def write_samples(config: Config, root: Path = Path()) -> None:
    """Writes results/losses.parquet, predictions.parquet and slices.json of the runs that the config names.

    Without `evaluate.predictions` the second file holds no row; without `evaluate.slices` the third no part.

    Args:
        config: the whole configuration.
        root: folder of the project.

    Raises:
        UserError: a run is not finished.
    """
    make_deterministic(stable_seed(config.base.seeds[0], "evaluate"), config.base.threads)
    slicer = Slicer(config.evaluate.slices, config.base.seeds[0])
    told: set[tuple[str, int]] = set()
    with ExitStack() as opened:
        opened.enter_context(keeping(root if config.train.augment is None else None))
        losses = opened.enter_context(table_stream(root / LOSSES, LOSSES_SCHEMA))
        predictions = opened.enter_context(table_stream(root / PREDICTIONS, PREDICTIONS_SCHEMA))
        for seed in config.base.seeds:
            data, _ = load_tasks(config, seed, root)
            if config.evaluate.predictions:
                _write_truth(predictions, data, told)
            for recipe in _recipes(config, seed):
                for task in predicted(recipe, data, root):
                    losses.write_table(_losses(task, data))
                    if config.evaluate.predictions:
                        _write_predictions(predictions, task)
                    slicer.add(data, task)
    slicer.result().write(root / SLICES)


def _recipes(config: Config, seed: int) -> Iterator[Recipe]:
    """The runs of a seed, in the order of the files in which they are listed."""
    if config.simple.enabled:
        for task in config.tasks:
            yield simple(config, task, seed)
    for task in config.baseline_tasks:
        for start in config.baseline.starts:
            yield single_task(config, task, start, seed)
    for method in config.finetune.methods:
        yield joint(config, method, seed)


def _losses(task: Predicted, data: TaskSet) -> pa.Table:
    """[n] rows of losses.parquet."""
    spec, count = task.spec, len(task.numbers)
    loss = spec.sample_losses(task.prediction, task.target).float().numpy()
    error = spec.judged_errors(task.prediction, task.target)
    block = data.sources[spec.source].blocks(task.numbers, spec.input_len, spec.rows_ahead)
    named = _named(task.stage, task.method, task.start, task.seed, spec.name, count)
    missing = pa.nulls(count, pa.float64())
    columns = [*named, task.numbers.numpy(), loss, missing if error is None else error.numpy(), block.numpy()]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=LOSSES_SCHEMA)


def _write_truth(writer: pq.ParquetWriter, data: TaskSet, told: set[tuple[str, int]]) -> None:
    """The truth of every task on test samples whose truth is not there yet; seeds have the same ones, but for
    cross-validation.

    Args:
        writer: of predictions.parquet.
        data: of one seed.
        told: source and test fold of what was written; takes what is written now.
    """
    pools = data.select(list(data.specs), "test")
    numbers = numbers_of(pools)
    part = {name: (name, data.fold[name] if source.crossed else 0) for name, source in data.sources.items()}
    for pool in pools:
        if part[pool.source] not in told:
            for name in pool.tasks:
                _write_pool_truth(writer, data.specs[name], pool, numbers[name])
    told |= set(part.values())


def _write_pool_truth(writer: pq.ParquetWriter, spec: TaskSpec, pool: Pool, numbers: Int[Tensor, " n"]) -> None:
    """The truth of one task of a pool, a group of rows at a time."""
    valid = pool.targets[spec.name].valid
    places = torch.arange(len(pool)) if valid is None else valid.nonzero().squeeze(1)
    only = pool.only([spec.name])
    assert only is not None
    done = 0
    for index in torch.split(places, _rows(spec)):
        truth = spec.truth(only.batch(index).target(spec.name))
        named = _named(TRUTH, "", "", None, spec.name, len(index))
        columns = [*named, numbers[done : done + len(index)].numpy(), *_shown(truth, len(index))]
        writer.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], schema=PREDICTIONS_SCHEMA))
        done += len(index)


def _write_predictions(writer: pq.ParquetWriter, task: Predicted) -> None:
    """The predictions of one task by a run, a group of rows at a time."""
    for index in torch.split(torch.arange(len(task.numbers)), _rows(task.spec)):
        shown = task.spec.present(task.prediction[index])
        texts = [column for column in shown.values() if isinstance(column, list)]
        numbers = [column.reshape(len(index), -1) for column in shown.values() if not isinstance(column, list)]
        _, values = _shown(torch.cat(numbers, dim=1), len(index))
        label = texts[0] if texts else pa.nulls(len(index), pa.string())
        named = _named(task.stage, task.method, task.start, task.seed, task.spec.name, len(index))
        columns = [*named, task.numbers[index].numpy(), label, values]
        writer.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], schema=PREDICTIONS_SCHEMA))


def _rows(spec: TaskSpec) -> int:
    """Rows of a task in a group."""
    return max(1, NUMBERS // (spec.outputs * max(1, len(spec.columns))))


def _named(stage: str, method: str, start: str, seed: int | None, task: str, count: int) -> list[pa.Array]:
    """The columns that say whose the rows are."""
    types = [field.type for field in LOSSES_SCHEMA][:5]
    values = (stage, method, start, seed, task)
    return [pa.array([value] * count, kind) for value, kind in zip(values, types, strict=True)]


def _shown(values: Float[Tensor, "n *_"] | list[str], count: int) -> tuple[pa.Array, pa.Array]:
    """The columns `label` and `values`, of which one is null."""
    if isinstance(values, list):
        return pa.array(values, pa.string()), pa.nulls(count, PREDICTIONS_SCHEMA.field("values").type)
    flat = values.reshape(count, -1).float().contiguous()
    ends = torch.arange(0, flat.numel() + 1, flat.shape[1], dtype=torch.int32)
    lists = pa.ListArray.from_arrays(pa.array(ends.numpy()), pa.array(flat.reshape(-1).numpy()))
    return pa.nulls(count, pa.string()), lists
