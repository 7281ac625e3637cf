"""Columns of a table beside inputs that are no rows of numbers, such as images: targets, groups, weights and parts.

S samples, a row of the table each. A kind of input whose data has `beside` asks these functions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float64, Int
from torch import Tensor

from mtl.config.inputs import BESIDE
from mtl.config.tasks import Task
from mtl.data.inputs.row_contract import crossed_problem, form_problems, value_problems
from mtl.data.inputs.row_targets import targets_of
from mtl.data.inputs.rows import RowsInput
from mtl.types import RowSet

PREFIX = "beside."
"""Begins the names of its arrays among those that are kept."""


def targets(beside: RowSet | None, tasks: Sequence[Task]) -> dict[str, Any]:
    """Fields `labels`, `classes` and `numbers` of a source whose columns some tasks learn, those of the columns alone.

    Args:
        beside: the columns.
        tasks: all that read the source.
    """
    if beside is None:
        return {"labels": {}, "classes": {}, "numbers": {}}
    named = {name for task in tasks for name in task.named}
    sorts = {name for task in tasks for name in task.sorts}
    labels, classes, numbers = targets_of(beside, named, sorts)
    return {"labels": labels, "classes": classes, "numbers": numbers}


def tensors(beside: RowSet | None) -> dict[str, Tensor]:
    """Arrays that are kept, by name."""
    if beside is None:
        return {}
    return {f"{PREFIX}{name}": tensor for name, tensor in RowsInput(beside).tensors().items() if name != "fold"}


def meta(beside: RowSet | None) -> dict[str, Any]:
    """Facts that are kept: empty without a table."""
    if beside is None:
        return {}
    return {BESIDE: RowsInput(beside).meta() | {"columns": beside.columns}}


def from_kept(meta: Mapping[str, Any], tensors: Mapping[str, Tensor], common: Mapping[str, Any]) -> RowSet | None:
    """The columns as they were kept; arguments as of `Input.from_kept`."""
    if BESIDE not in meta:
        return None
    own = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    shared = {"name": common["name"], "folds": common["folds"], "columns": meta[BESIDE]["columns"]}
    return RowsInput.from_kept(meta[BESIDE], own | {"fold": tensors["fold"]}, shared).data


def problems(beside: RowSet | None) -> list[str]:
    """Everything that breaks the contract of the columns, in whole sentences."""
    if beside is None:
        return []
    form = form_problems(beside)
    if form:
        return form
    parts = crossed_problem(beside) if beside.crossed else None
    return [*([] if parts is None else [parts]), *value_problems(beside)]


def groups(beside: RowSet | None) -> Int[Tensor, " S"] | None:
    """Group of each sample, where a table tells it."""
    return None if beside is None else beside.groups


def weights(beside: RowSet | None) -> Float64[Tensor, " S"] | None:
    """Weight of each sample, where a table tells it and they differ."""
    return None if beside is None else RowsInput(beside).weights


def units(beside: RowSet | None) -> dict[str, str]:
    """Column → unit in words, where a table tells it."""
    return {} if beside is None else beside.units
