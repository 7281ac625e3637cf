"""Tasks that are asked of a model, and the form of the samples that they read."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue, TypeAdapter
from torch import Tensor

from mtl.config.inputs import SourceBase
from mtl.config.sources import Source
from mtl.data.inputs.mixed import FittedMixed
from mtl.data.inputs.row_fit import FittedRows
from mtl.errors import UserError, shown
from mtl.results.deployment import Origin
from mtl.serving.model import LoadedModel, Model
from mtl.serving.new_data.pictures import FOLDER, Files, Wanted
from mtl.serving.new_data.rows import RowForm
from mtl.tasks.base import TaskSpec

NUMBERS = 1 << 24
"""Numbers of the samples that are predicted together, about."""


def asked_tasks(model: Model, tasks: Sequence[str] | None, source: str | None) -> list[TaskSpec]:
    """The tasks that are wanted, all of one source.

    Args:
        model: finished.
        tasks: names; None: all that read the source.
        source: None: the only one.

    Raises:
        UserError: there is no such task or source, or there are several sources.
    """
    known = model.tasks
    unknown = [name for name in tasks or [] if name not in known]
    if unknown or tasks == []:
        odd = shown(unknown[0]) if unknown else "none"
        raise UserError(f"--tasks should name tasks of the model ({', '.join(known)}), found {odd}.")
    wanted = [spec for name, spec in known.items() if tasks is None or name in tasks]
    sources = list(dict.fromkeys(spec.source for spec in wanted))
    if source is not None and source not in sources:
        raise UserError(f"--source should be one of {', '.join(sources)}, found {shown(source)}.")
    if source is None and len(sources) > 1:
        told = "; ".join(
            f"{name} ({', '.join(spec.name for spec in wanted if spec.source == name)})" for name in sources
        )
        raise UserError(
            f"the model has tasks of several sources, {told}: say by --source which of them the data are like."
        )
    return [spec for spec in wanted if spec.source == (source or sources[0])]


def section_of(origin: Origin) -> SourceBase:
    """The section of params.yaml by which a source was read."""
    section: SourceBase = TypeAdapter(Source).validate_python(origin.section)
    return section


def given_shape(spec: TaskSpec) -> tuple[int, ...]:
    """Shape of a sample as a user gives it: rows of a window first, then channels."""
    return spec.shape[::-1] if spec.input.continues else spec.shape


def fits(spec: TaskSpec, shape: tuple[int, ...]) -> bool:
    """Says whether samples of this shape, as a user gives them, are those of a task."""
    return spec.input.tabular or given_shape(spec) == shape


def _members(model: Model, specs: Sequence[TaskSpec]) -> list[tuple[LoadedModel, str]]:
    """Each network that answers, with one of its tasks."""
    return [(member, spec.name) for spec in specs for member in model.members_of(spec.name)]


def row_form(
    model: Model, specs: Sequence[TaskSpec], origin: Origin | None, data: Path, changes: Mapping[str, JsonValue]
) -> tuple[RowForm, dict[str, JsonValue]]:
    """Columns of the rows that the members read which answer some tasks, and the options of the reader of a table.

    Args:
        model: finished.
        specs: the tasks.
        origin: the source that the model was trained on; None where it is not known.
        data: the table.
        changes: options that the user gives, the folder of image files that a column names among them.
    """
    layouts = [member.layout_of(task) for member, task in _members(model, specs)]
    columns, others = layouts[0].columns, dict(changes)
    if specs[0].input.texts:
        return RowForm(columns, {}, frozenset(), texts=tuple(columns)), others
    of_file = {} if origin is None or origin.section is None else origin.section
    named = of_file.get("file_column")
    name = named if isinstance(named, str) else None
    if specs[0].parts is None:
        fitted = [layout.fitted for layout in layouts if isinstance(layout.fitted, FittedRows)]
        return RowForm.of(columns, fitted, name), others
    fits = [layout.fitted.rows for layout in layouts if isinstance(layout.fitted, FittedMixed)]
    of_rows = [rows for rows in fits if rows is not None]
    count = len(of_rows[0].mean) + len(of_rows[0].names) if of_rows else 0
    form = RowForm.of(columns[:count], of_rows, name) if of_rows else RowForm([], {}, frozenset())
    form = replace(form, columns=columns)
    for part in specs[0].parts:
        if part.kind.texts:
            form = replace(form, texts=(columns[-1],))
        elif part.kind.pictured:
            shape = [number for number in part.shape if number is not None]
            wanted = Wanted.of(None if origin is None or origin.section is None else section_of(origin), shape)
            form = replace(form, image=Files.of(data, wanted, columns[count], others))
            others.pop(FOLDER, None)
    return form, others


def quiet_outputs(model: Model, samples: object, tasks: Sequence[str]) -> dict[str, Tensor]:
    """Outputs of a model as `Model.outputs` gives them, without its warnings: unknown categories are told of once,
    over all samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return model.outputs(samples, tasks)
