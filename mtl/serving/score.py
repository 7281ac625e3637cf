"""Predictions of a model for new samples whose targets are known, side by side with these.

n samples of a task.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import JsonValue, TypeAdapter
from torch import Tensor

from mtl.config import Task
from mtl.config.inputs import SourceBase
from mtl.data.inputs.every import seen_of
from mtl.errors import DataError, UserError
from mtl.results.deployment import Origin
from mtl.serving.asked import NUMBERS, asked_tasks, fits, given_shape, quiet_outputs, row_form, section_of
from mtl.serving.copies import Copies
from mtl.serving.drift import Drift, Watch
from mtl.serving.known import Known
from mtl.serving.model import Model
from mtl.serving.new_data import arrays, pictures, rows
from mtl.serving.new_data.beside import GROUP, Beside
from mtl.serving.new_data.options import rows_options, series_options
from mtl.serving.new_data.targets import Target
from mtl.serving.new_data.windows import labelled_rows
from mtl.serving.predict import ARRAYS, Tell, silent
from mtl.tasks.base import TaskSpec, known
from mtl.training.measure import CHUNK, as_long
from mtl.types import NO_LABEL

GROUPS = "groups"
"""Array of an .npz that tells whose each sample is."""


@dataclass(frozen=True)
class Labelled:
    """New samples as they are asked for; fields as of `mtl.serving.predict.Request`."""

    data: Path
    tasks: list[str] | None = None
    source: str | None = None
    changes: Mapping[str, JsonValue] = field(default_factory=dict)
    array: str | None = None


@dataclass(frozen=True)
class Answers:
    """A model on a file: the tasks whose targets it holds, notes for a user, drift, what blocks are in words, and the
    samples that are copies of what it was trained on."""

    tasks: dict[str, Known]
    notes: list[str]
    drift: Drift | None
    unit: str
    copies: Copies


@dataclass
class _Parts:
    """Outputs and targets of a task, piece after piece."""

    outputs: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    blocks: list[np.ndarray] = field(default_factory=list)

    def known(self, of: Target) -> Known:
        """All pieces as one, without samples that have no target."""
        output, target = torch.cat(as_long(self.outputs)), torch.cat(_as_wide(self.targets))
        blocks = np.concatenate(self.blocks)
        have = _have(target)
        numbers = have.nonzero().squeeze(1).numpy()
        missing = len(target) - len(numbers)
        return Known(of.spec, numbers, output[have], target[have], blocks[numbers], missing, of.section.metrics)


def _as_wide(parts: Sequence[Tensor]) -> list[Tensor]:
    """Classes at positions of pieces, of which each is as wide as its longest sample: all as wide as the longest of
    all. Others as they are."""
    widest = max(part.shape[-1] for part in parts)
    pad = torch.nn.functional.pad
    return [pad(part, (0, widest - part.shape[1]), value=NO_LABEL) if part.ndim == 2 else part for part in parts]


def _have(target: Tensor) -> Tensor:
    """Mask of the samples of which at least one number, or the class, is known."""
    if target.ndim == 1 or not target.is_floating_point():
        return known(target)
    return ~target.isnan().flatten(1).all(dim=1)


def answers_of(
    model: Model, asked: Labelled, origins: Mapping[str, Origin], sections: Mapping[str, JsonValue], folder: Path,
    tell: Tell = silent,
) -> Answers:  # fmt: skip
    """Predictions of a model for a file of new samples, with their targets.

    Args:
        model: finished.
        asked: the samples.
        origins: source → how it was read in training, where that is known.
        sections: task → section of params.yaml.
        folder: that the model was loaded from.
        tell: told after each piece how many samples were predicted.

    Raises:
        UserError: the file holds no target, the data do not fit the model, or it is not known how targets are read.
    """
    specs, notes = asked_tasks(model, asked.tasks, asked.source), list[str]()
    lacking = [spec.name for spec in specs if sections.get(spec.name) is None]
    if lacking:
        raise UserError(
            f"how the targets of {', '.join(lacking)} are read is not known: deploy the model again with `mtl deploy`, "
            "or run this in the folder of its project."
        )
    origin = origins.get(specs[0].source)
    tasks: TypeAdapter[Task] = TypeAdapter(Task)
    targets = [Target.of(s, tasks.validate_python(sections[s.name]), _fallback(origin)) for s in specs]
    watch = Watch(None if origin is None else origin.inputs)
    longest = max(specs, key=lambda spec: spec.input_len)
    copies = Copies.of(model, longest, folder)
    job = _Job(model, specs, targets, asked, origin, notes, watch, copies, tell)
    kind = specs[0].input
    if asked.data.suffix.lower() == ARRAYS and not kind.mixed:
        tasks_known, unit = _of_arrays(job)
    elif kind.tabular:
        tasks_known, unit = _of_rows(job)
    elif kind.pictured:
        tasks_known, unit = _of_pictures(job)
    elif kind.continues and (origin is None or origin.section is None or section_of(origin).series):
        tasks_known, unit = _of_series(job)
    else:
        raise UserError(
            f"{asked.data}: {kind.noun} of {specs[0].source} are given as an array `x` in an .npz, "
            f"[n, {', '.join(map(str, given_shape(specs[0])))}], with an array for each target."
        )
    empty = [name for name, answer in tasks_known.items() if not len(answer.samples)]
    if len(empty) == len(tasks_known):
        raise DataError(f"{asked.data}: no sample has a target of {', '.join(empty)}: `mtl predict` needs none.")
    notes += [f"{name}: not scored, for no sample has a target" for name in empty]
    for name, answer in tasks_known.items():
        count = len(answer.samples)
        if answer.missing and count:
            of = f"{answer.missing:,} of {answer.missing + count:,} samples"
            notes.append(f"{name}: {of} have no target, and are left out")
    notes += [note for note in (target.note() for target in targets) if note is not None]
    return Answers({n: a for n, a in tasks_known.items() if n not in empty}, notes, watch.drift(), unit, copies)


@dataclass(frozen=True)
class _Job:
    """Arguments of `answers_of`, checked, and what is gathered on the way."""

    model: Model
    specs: list[TaskSpec]
    targets: list[Target]
    asked: Labelled
    origin: Origin | None
    notes: list[str]
    watch: Watch
    copies: Copies
    tell: Tell


def _fallback(origin: Origin | None) -> str:
    """Column of a rule that names none: the only label of the source, or `classes`."""
    section = {} if origin is None or origin.section is None else origin.section
    labels = section.get("labels")
    return str(labels[0]) if isinstance(labels, list) and len(labels) == 1 else "classes"


def _of_rows(job: _Job) -> tuple[dict[str, Known], str]:
    form, changes = row_form(job.model, job.specs, job.origin, job.asked.data, job.asked.changes)
    options, strange = rows_options(job.asked.data, job.origin, changes), rows.Strange()
    beside = Beside(job.targets, options, _section(job.origin), job.notes)
    read = rows.in_chunks(rows.pieces(options, form, (), strange, job.notes, beside), CHUNK)
    answers = _by_piece(job, ((piece.frame, piece.kept) for piece in read), form.columns, beside.held)
    job.notes.extend(strange.told())
    return answers, f"values of `{beside.group}`" if beside.groups else "rows"


def _of_pictures(job: _Job) -> tuple[dict[str, Known], str]:
    if job.asked.data.is_dir():
        raise DataError(f"{job.asked.data}: should be a table with a column of targets, found a folder of images.")
    wanted = pictures.Wanted.of(_section(job.origin), job.specs[0].shape)
    options = rows_options(
        job.asked.data, job.origin, {name: v for name, v in job.asked.changes.items() if name != pictures.FOLDER}
    )
    beside = Beside(job.targets, options, _section(job.origin), job.notes)
    read = pictures.pieces(job.asked.data, job.origin, wanted, job.asked.changes, (), job.notes, beside)
    pieces = ((piece.pixels, piece.kept) for piece in read)
    answers = _by_piece(job, pieces, job.specs[0].columns, beside.held)
    return answers, f"values of `{beside.group}`" if beside.groups else "images"


def _section(origin: Origin | None) -> SourceBase | None:
    """The section by which a source was read in training; None where it is not known."""
    return None if origin is None or origin.section is None else section_of(origin)


def _by_piece(
    job: _Job, pieces: Iterator[tuple[Any, pd.DataFrame]], columns: list[str], held: list[Target]
) -> dict[str, Known]:
    """Answers and targets of samples that are read a piece at a time.

    Args:
        job: what is asked.
        pieces: samples, and the targets and groups beside them.
        columns: names of the inputs.
        held: targets that the data hold; filled with the first piece.
    """
    parts: dict[str, _Parts] = {}
    done = 0
    for samples, kept in pieces:
        count = len(samples)
        job.watch.add(seen_of(job.specs[0].input, samples, columns), count)
        job.copies.add(job.specs[0], samples, np.arange(done, done + count))
        outputs = quiet_outputs(job.model, samples, [target.spec.name for target in held])
        single = np.arange(done, done + count)
        blocks = kept[GROUP].to_numpy().astype(np.int64) if GROUP in kept else single
        for target in held:
            of_task = parts.setdefault(target.spec.name, _Parts())
            of_task.outputs.append(outputs[target.spec.name])
            column = kept[target.spec.name].to_numpy()
            encoded = target.encoded_words(column) if target.spec.at_positions else target.encoded(column)
            of_task.targets.append(encoded)
            of_task.blocks.append(blocks)
        done += count
        job.tell(done)
    return {target.spec.name: parts[target.spec.name].known(target) for target in held}


def _of_series(job: _Job) -> tuple[dict[str, Known], str]:
    options = series_options(job.asked.data, job.origin, job.asked.changes)
    read = labelled_rows(options, job.specs, job.targets, job.origin, job.notes)
    answers: dict[str, Known] = {}
    lengths: dict[tuple[int, bool], list[Target]] = {}
    for target in read.targets:
        lengths.setdefault((target.spec.input_len, target.spec.at_steps), []).append(target)
    longest = max(lengths, key=lambda of: (of[0], not of[1]))
    done = 0
    for (length, at_steps), targets in lengths.items():
        starts = read.tiles(length).starts if at_steps else read.starts(length)
        size = max(CHUNK, NUMBERS // (length * len(job.specs[0].columns)) // CHUNK * CHUNK)
        outputs: dict[str, list[Tensor]] = {target.spec.name: [] for target in targets}
        for some in torch.split(starts, size):
            windows = read.windows(some, length)
            if (length, at_steps) == longest:
                job.watch.add(seen_of(job.specs[0].input, windows, job.specs[0].columns), len(windows))
                job.copies.add(targets[0].spec, windows, (some + length - 1).numpy())
            for name, output in quiet_outputs(job.model, windows, list(outputs)).items():
                outputs[name].append(output)
            done += len(windows)
            job.tell(done)
        for target in targets:
            name, able = target.spec.name, read.with_target(target, length)
            output = torch.cat(outputs[name])[torch.isin(starts, able, assume_unique=True)]
            values = read.target(target, able, length)
            have = _have(values)
            kept = able[have]
            blocks = read.blocks(target, kept, length) if len(kept) else kept.numpy()
            last = (kept + length - 1).numpy()
            gone, judged = len(able) - len(kept), target.section.metrics
            answers[name] = Known(target.spec, last, output[have], values[have], blocks, gone, judged)
    return {target.spec.name: answers[target.spec.name] for target in read.targets}, "stretches of rows"


def _of_arrays(job: _Job) -> tuple[dict[str, Known], str]:
    asked, specs = job.asked, job.specs
    if asked.changes:
        raise UserError("--set is for tables; an .npz has no options.")
    tagged = ", ".join(spec.name for spec in specs if spec.at_positions)
    if tagged:
        raise UserError(
            f"{asked.data}: {tagged}: classes of words or rows are scored on a table: give one, or name other tasks by "
            "--tasks."
        )
    held = arrays.arrays_of(asked.data)
    values = arrays.samples_of(held, asked.data, asked.array, specs[0].columns)
    fitting = [target for target in job.targets if values.ndim > 1 and fits(target.spec, values.shape[1:])]
    fitting = [t for t in fitting or job.targets[:1] if t.spec.samples == (fitting or job.targets)[0].spec.samples]
    left = [target.spec.name for target in job.targets if target not in fitting]
    if left:
        job.notes.append(f"{', '.join(left)}: not scored, for their samples have another shape")
    named = {target.spec.name: _array_of(target, held, len(fitting) == 1) for target in fitting}
    kept = [target for target in fitting if named[target.spec.name] is not None]
    if not kept:
        wanted = ", ".join(f"`{target.spec.name}`" for target in fitting)
        told = ", ".join(sorted(held))
        raise DataError(
            f"{asked.data}: should hold at least one target to score by: an array {wanted}; found: {told}. "
            "`mtl predict` needs no targets."
        )
    targets = {t.spec.name: _encoded(t, held, str(named[t.spec.name]), asked.data, len(values)) for t in kept}
    blocks = np.arange(len(values))
    if GROUPS in held:
        blocks = np.unique(held[GROUPS], return_inverse=True)[1]
    parts = {target.spec.name: _Parts([], [targets[target.spec.name]], [blocks]) for target in kept}
    done = 0
    for some in _pieces(values):
        job.watch.add(seen_of(specs[0].input, some, specs[0].columns), len(some))
        job.copies.add(kept[0].spec, some, np.arange(done, done + len(some)))
        done += len(some)
        for name, output in quiet_outputs(job.model, some, list(parts)).items():
            parts[name].outputs.append(output)
        job.tell(done)
    return {t.spec.name: parts[t.spec.name].known(t) for t in kept}, GROUPS if GROUPS in held else "samples"


def _pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    size = max(CHUNK, NUMBERS // max(1, prod(values.shape[1:])) // CHUNK * CHUNK) if values.ndim > 1 else CHUNK
    for begin in range(0, max(1, len(values) if values.ndim else 1), size):
        yield values[begin : begin + size] if values.ndim else values


def _array_of(target: Target, held: Mapping[str, np.ndarray], only: bool) -> str | None:
    """Name of the array that holds a target: that of its task, of its column, or `y` where there is one task."""
    names = [target.spec.name, *([] if target.follows or target.drawn else [target.column]), *(["y"] if only else [])]
    return next((name for name in names if name in held), None)


def _encoded(target: Target, held: Mapping[str, np.ndarray], name: str, data: Path, count: int) -> Tensor:
    array, where = held[name], f"{data}, `{name}`"
    if len(array) != count:
        raise DataError(f"{where}: should have a target for each of the {count} samples, found {len(array)}.")
    if not target.follows:
        return target.encoded(target.of_array(array, where, made=name == target.spec.name))
    wanted = target.section.followed(target.spec.columns)
    shape = (count, target.spec.rows_ahead, len(wanted))
    if array.shape == shape[:2] and len(wanted) == 1:
        array = array[:, :, None]
    if array.shape != shape or array.dtype.kind not in "uif":
        raise DataError(
            f"{where}: should hold the rows that follow, numbers of the shape [n, {shape[1]}, {shape[2]}] (rows, then "
            f"{', '.join(wanted)}), found {array.dtype} {list(array.shape)}."
        )
    return target.spec.encode(torch.from_numpy(np.ascontiguousarray(array.transpose(0, 2, 1).astype(np.float64))))
