"""Predictions for a file of new data, written as they are made.

n samples of a piece.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import JsonValue

from mtl.data.inputs.every import seen_of
from mtl.errors import UserError
from mtl.results.deployment import Origin
from mtl.serving.asked import NUMBERS, asked_tasks, fits, given_shape, quiet_outputs, row_form, section_of
from mtl.serving.deployed import DeployedModel
from mtl.serving.drift import Drift, Watch
from mtl.serving.every_row import every_row
from mtl.serving.model import Model
from mtl.serving.new_data import arrays, pictures, rows, series
from mtl.serving.new_data.options import rows_options, series_options
from mtl.serving.output import check_output, output
from mtl.serving.predictions import SAMPLE, Columns, long, parts, wide
from mtl.tasks.answers import Answer
from mtl.tasks.base import TaskSpec
from mtl.training.measure import CHUNK

ARRAYS = ".npz"
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """Predictions as they are asked for.

    Args:
        data: file of new data.
        out: file of predictions, .parquet or .csv; None: they stay in memory.
        tasks: None: all that read the source.
        source: of the model that the data are like; None: the only one.
        keep: columns of a table that the output repeats.
        changes: options of the reader that differ from those of training.
        array: name of the array of an .npz.
    """

    data: Path
    out: Path | None
    tasks: list[str] | None = None
    source: str | None = None
    keep: tuple[str, ...] = ()
    changes: Mapping[str, JsonValue] = field(default_factory=dict)
    array: str | None = None


@dataclass(frozen=True)
class Done:
    """Predictions that were written.

    Args:
        samples: rows, windows or images that were predicted.
        tasks: names.
        notes: sentences that a user should know.
        drift: the inputs, compared with those of training; None where these are not known.
    """

    samples: int
    tasks: list[str]
    notes: list[str]
    drift: Drift | None = None


def silent(samples: int) -> None:
    """Tells nobody how many samples were predicted."""


def predict_file(model: Model, request: Request, origins: Mapping[str, Origin], tell: Tell = silent) -> Done:
    """Writes predictions of a model for a file of new data, a row a sample, or a row a step ahead of forecasts.

    Args:
        model: finished.
        request: what is predicted, and where it is written.
        origins: source → how it was read in training, where that is known.
        tell: told after each piece how many samples were predicted.

    Raises:
        UserError: the data do not fit the model, or cannot be read; no output is left.
    """
    assert request.out is not None, "predictions are written"
    check_output(request.out)
    specs = asked_tasks(model, request.tasks, request.source)
    notes: list[str] = []
    origin = origins.get(specs[0].source)
    watch = Watch(None if origin is None else origin.inputs)
    made = _pieces(model, specs, request, origin, notes, watch)
    done = 0
    with output(request.out) as write:
        for count, piece in made:
            write(piece)
            done += count
            tell(done)
    return Done(done, [spec.name for spec in specs], notes, watch.drift())


def predictions(model: Model, request: Request, origins: Mapping[str, Origin]) -> tuple[pd.DataFrame, Done]:
    """Predictions of a model for a file of new data, and what `predict_file`, which writes them, returns; arguments
    and errors as there."""
    specs = asked_tasks(model, request.tasks, request.source)
    notes: list[str] = []
    origin = origins.get(specs[0].source)
    watch = Watch(None if origin is None else origin.inputs)
    made = list(_pieces(model, specs, request, origin, notes, watch))
    table = pd.concat([piece for _, piece in made], ignore_index=True)
    return table, Done(sum(count for count, _ in made), [spec.name for spec in specs], notes, watch.drift())


def origins_of(model: Model) -> dict[str, Origin]:
    """Source → how new data of it are read, as far as the model knows."""
    return dict(model.deployment.sources) if isinstance(model, DeployedModel) else {}


def _pieces(
    model: Model, specs: list[TaskSpec], request: Request, origin: Origin | None, notes: list[str], watch: Watch
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Number of samples and table of predictions of each piece."""
    kind = specs[0].input
    of_table = kind.tabular or (kind.pictured and not request.data.is_dir())
    if request.keep and (not of_table or request.data.suffix.lower() == ARRAYS):
        raise UserError("--keep is for columns of a table whose rows are samples.")
    if request.data.suffix.lower() == ARRAYS and not kind.mixed:
        return _of_arrays(model, specs, request, notes, watch)
    if kind.tabular:
        return _of_rows(model, specs, request, origin, notes, watch)
    if kind.pictured:
        return _of_pictures(model, specs, request, origin, notes, watch)
    if kind.continues and (origin is None or origin.section is None or section_of(origin).series):
        return _of_series(model, specs, request, origin, notes, watch)
    raise UserError(
        f"{request.data}: {kind.noun} of {specs[0].source} are given as an array `x` in an .npz, "
        f"[n, {', '.join(map(str, given_shape(specs[0])))}]."
    )


def _predicted(model: Model, samples: object, specs: Sequence[TaskSpec]) -> dict[str, Answer]:
    answers, known = quiet_outputs(model, samples, [spec.name for spec in specs]), model.tasks
    return {name: known[name].answer(output) for name, output in answers.items()}


def _of_rows(
    model: Model, specs: list[TaskSpec], request: Request, origin: Origin | None, notes: list[str], watch: Watch
) -> Iterator[tuple[int, pd.DataFrame]]:
    form, changes = row_form(model, specs, origin, request.data, request.changes)
    strange = rows.Strange()
    read = rows.pieces(rows_options(request.data, origin, changes), form, request.keep, strange, notes)
    for piece in rows.in_chunks(read, CHUNK):
        watch.add(seen_of(specs[0].input, piece.frame, form.columns), len(piece.frame))
        yield len(piece.frame), _rows_table(model, specs, piece)
    notes += strange.told()


def _rows_table(model: Model, specs: list[TaskSpec], piece: rows.Piece) -> pd.DataFrame:
    table = wide(parts(_predicted(model, piece.frame, specs)), len(piece.frame))
    return _beside({str(name): piece.kept[name].to_numpy() for name in piece.kept.columns}, table)


def _beside(first: Columns, table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns in front; those of the data that have a name of its own are called NAME_data."""
    if not first:
        return table
    named = {name if name not in table.columns else f"{name}_data": values for name, values in first.items()}
    return pd.concat([pd.DataFrame(named, index=table.index), table], axis=1)


def _of_pictures(
    model: Model, specs: list[TaskSpec], request: Request, origin: Origin | None, notes: list[str], watch: Watch
) -> Iterator[tuple[int, pd.DataFrame]]:
    section = None if origin is None or origin.section is None else section_of(origin)
    wanted = pictures.Wanted.of(section, specs[0].shape)
    for piece in pictures.pieces(request.data, origin, wanted, request.changes, request.keep, notes):
        count = len(piece.pixels)
        watch.add(seen_of(specs[0].input, piece.pixels, specs[0].columns), count)
        table = wide(parts(_predicted(model, piece.pixels, specs)), count)
        yield count, _beside({str(name): piece.kept[name].to_numpy() for name in piece.kept.columns}, table)


def _of_arrays(
    model: Model, specs: list[TaskSpec], request: Request, notes: list[str], watch: Watch
) -> Iterator[tuple[int, pd.DataFrame]]:
    if request.changes:
        raise UserError("--set is for tables; an .npz has no options.")
    values = arrays.samples(request.data, request.array, specs[0].columns)
    fitting = [spec for spec in specs if values.ndim > 1 and fits(spec, values.shape[1:])]
    if not fitting:
        fitting = specs[:1]  # whose own message tells what is wrong
    fitting = [spec for spec in fitting if spec.samples == fitting[0].samples]
    left = [spec.name for spec in specs if spec not in fitting]
    if left:
        notes.append(f"{', '.join(left)}: not predicted, for their samples have another shape")
    size = max(CHUNK, NUMBERS // max(1, prod(values.shape[1:])) // CHUNK * CHUNK) if values.ndim > 1 else CHUNK
    for begin in range(0, max(1, len(values) if values.ndim else 1), size):
        some = values[begin : begin + size] if values.ndim else values
        columns = parts(_predicted(model, some, fitting))
        count = len(some)
        watch.add(seen_of(fitting[0].input, some, fitting[0].columns), count)
        numbers = np.arange(begin, begin + count)
        if columns.ahead:
            table = long(columns, count)
            yield count, _beside({SAMPLE: np.repeat(numbers, len(table) // count)}, table)
        else:
            yield count, _beside({SAMPLE: numbers}, wide(columns, count))


def _of_series(
    model: Model, specs: list[TaskSpec], request: Request, origin: Origin | None, notes: list[str], watch: Watch
) -> Iterator[tuple[int, pd.DataFrame]]:
    options = series_options(request.data, origin, request.changes)
    at_steps = [spec for spec in specs if spec.at_steps]
    if at_steps:
        others = [spec.name for spec in specs if not spec.at_steps]
        if others:
            tagged = ", ".join(spec.name for spec in at_steps)
            notes.append(
                f"{', '.join(others)}: not predicted beside {tagged}, of which every row of the file has a class: name "
                "them by --tasks"
            )
        yield every_row(model, at_steps, options, origin, notes, watch)
        return
    ahead = max(spec.rows_ahead for spec in specs)
    wanted = series.Wanted(specs[0].columns, tuple(spec.input_len for spec in specs), ahead)
    read = series.ends(options, wanted, origin, notes)
    answers: dict[str, Answer] = {}
    for length, windows in read.windows.items():
        answers |= _predicted(model, windows, [spec for spec in specs if spec.input_len == length])
    watch.add(seen_of(specs[0].input, read.windows[max(read.windows)], specs[0].columns), len(read.names))
    columns, count = parts({spec.name: answers[spec.name] for spec in specs}), len(read.names)
    table = long(columns, count) if columns.ahead else wide(columns, count)
    first, steps = (1 if columns.ahead and not columns.now else 0), len(table) // count
    yield count, _beside(read.front(first, steps), table)
