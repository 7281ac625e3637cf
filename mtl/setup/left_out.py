"""Sentences on the columns that the tasks of a new project do not read, and on how they are brought in."""

from collections.abc import Collection, Mapping
from typing import Any

from mtl.config.names import some_names
from mtl.config.table_source import ONCE
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.section import is_input, yaml_value
from mtl.setup.images import ignored
from mtl.setup.spelling import quoted
from mtl.setup.table import Own

MOST = 6
"""Inputs that an example of an option names."""


def left_out(own: Own, section: Mapping[str, Any], told: Collection[str]) -> list[str]:
    """A sentence on each column of images or texts that is no input, and one on all other columns that are none.

    Args:
        own: the table.
        section: of its source, as params.yaml has it.
        told: columns of which another sentence says so.
    """
    names = [name for name in _unread(own, section) if name not in told]
    left = [fact for fact in own.facts if fact.name in names and not fact.doubts]
    apart = [fact for fact in left if fact.kind in ONCE and fact.name not in ignored(own)]
    others = [fact for fact in left if fact not in apart]
    said = [_of_once(fact, section) for fact in apart]
    if others:
        said.append(f"No inputs: {some_names([quoted(fact.name) for fact in others])}; {_why(own, section, others)}.")
    return said


def _unread(own: Own, section: Mapping[str, Any]) -> Collection[str]:
    """Columns that are neither inputs nor anything else of the source."""
    if not _steps(section):
        return [str(name) for name in section["ignore"] or []]
    stamps = [section["date"]] if isinstance(section["date"], str) else list(section["date"] or [])
    values = own.columns if section["values"] is None else section["values"]
    named = {*stamps, section["id"], *section["labels"], *section["targets"], *values}
    return [name for name in own.columns if name not in named]


def _steps(section: Mapping[str, Any]) -> bool:
    """Says whether a source is a series."""
    return "values" in section


def _why(own: Own, section: Mapping[str, Any], left: Collection[ColumnFacts]) -> str:
    """A clause on columns that are no inputs."""
    if _steps(section):
        return "those of a series are numbers, which `values` of params.yaml names"
    kinds = list(section["inputs"].values())
    if kinds == ["image"] and any(is_input(fact) and fact.name not in ignored(own) for fact in left):
        return "--option 'inputs={NAME: TYPE}' names all inputs, with image as the type of the image files"
    return "params.yaml says why, beside `ignore`"


def _of_once(fact: ColumnFacts, section: Mapping[str, Any]) -> str:
    """A sentence on a column of images or texts that is no input."""
    said = f"{quoted(fact.name)} holds {fact.kind}s and is no input"
    if _steps(section):
        return f"{said}: those of a series are numbers."
    inputs = section["inputs"]
    if fact.kind in inputs.values():
        return f"{said}: a network reads one column of {fact.kind}s."
    alone = f"{yaml_value(fact.name)}: {fact.kind}"
    shown = [f"{yaml_value(name)}: {kind}" for name, kind in list(inputs.items())[:MOST]]
    more = f" and the other {len(inputs) - MOST} inputs beside them" if len(inputs) > MOST else ""
    return (
        f"{said}: --option 'inputs={{{alone}}}' learns from it alone, and --option "
        f"'inputs={{{', '.join([*shown, alone])}}}'{more} from both."
    )
