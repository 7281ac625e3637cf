"""Tasks as plain values, as a saved model holds them, and back: the kind beside the fields of its class."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mtl.config.inputs import INPUT_KINDS
from mtl.errors import UserError, shown
from mtl.tasks.base import ABSENT, TaskSpec
from mtl.tasks.every import KINDS

READERS: dict[str, TypeAdapter[TaskSpec]] = {kind.kind: TypeAdapter(kind) for kind in KINDS}
"""Kind → what reads one of its tasks."""


def plain(spec: TaskSpec) -> dict[str, Any]:
    """A task as JSON can hold it."""
    absent = {part.name for part in fields(spec) if part.metadata == ABSENT and vars(spec)[part.name] is None}
    named = {name: value for name, value in vars(spec).items() if name not in absent} | {"input": spec.input.name}
    content: dict[str, Any] = json.loads(json.dumps(named, allow_nan=False, default=asdict))
    return {"kind": spec.kind} | content


def from_plain(content: Mapping[str, Any], where: str) -> TaskSpec:
    """The task that `plain` wrote; no other key, no value of another type.

    Args:
        content: what was read.
        where: its place, to begin messages with.

    Raises:
        UserError: it is no task of a kind that is known, or cannot be one.
    """
    inputs = {kind.name: kind for kind in INPUT_KINDS}
    members = dict(content)
    kind, samples = members.pop("kind", None), members.get("input")
    if not isinstance(kind, str) or kind not in READERS:
        raise UserError(f"{where}: `kind` should be one of {', '.join(READERS)}, found {shown(kind)}")
    if not isinstance(samples, str) or samples not in inputs:
        raise UserError(f"{where}: `input` should be one of {', '.join(inputs)}, found {shown(samples)}")
    try:
        spec = READERS[kind].validate_json(json.dumps(members | {"input": asdict(inputs[samples])}))
    except ValidationError as error:
        first = min(error.errors(), key=lambda problem: problem["type"] != "unexpected_keyword_argument")
        path = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: `{path}`: {first['msg'].lower()}, found {shown(first['input'])}") from None
    spec = replace(spec, input=inputs[samples])
    problem = spec.problem()
    if problem is not None:
        raise UserError(f"{where}: {problem}")
    return spec
