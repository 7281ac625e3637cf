"""What pydantic says of params.yaml, in the wording of `mtl.checks`: path, what was found, what is allowed."""

from typing import Any

from pydantic import ValidationError

from mtl.config.common import Section
from mtl.config.schema import Config
from mtl.errors import shown


def message_of(error: ValidationError, raw: Any, where: str) -> str:
    """The first problem, in the wording of `mtl.checks`; unknown keys first, since they explain missing ones."""
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    path = _path(first["loc"], raw)
    found = first.get("input")
    match first["type"]:
        case "extra_forbidden":
            allowed = _siblings(first["loc"])
            hint = f"; allowed here: {', '.join(allowed)}" if allowed else ""
            note = ""
            if first["loc"][-1] in ("lambda", "lam", "schedule") and "uncertainty" in first["loc"]:
                note = " Uncertainty weighting learns its weights, so it excludes λ and its schedule."
            return f"{where}: `{path}` is not a known key{hint}.{note}"
        case "missing":
            return f"{where}: `{path}` is missing."
        case "union_tag_invalid":
            context = first["ctx"]
            return f"{where}: `{path}.kind` should be one of {context['expected_tags']}, found {shown(context['tag'])}."
        case "union_tag_not_found":
            kinds = ", ".join(sorted({_tag(model) or "" for model in _models_at(first["loc"])} - {""}))
            return f"{where}: `{path}.kind` is missing; it should be one of {kinds}."
        case "model_attributes_type" | "model_type" | "dict_type" if not isinstance(found, dict):
            hint = f" such as {{kind: {found}}}" if isinstance(found, str) and found.isidentifier() else " (key: value)"
            return f"{where}: `{path}` should be a section{hint}, found {shown(found)}."
        case "value_error":
            return f"{where}: `{path}`: {first['ctx']['error']!s}."
        case "too_short":
            least = first["ctx"]["min_length"]
            items = "item" if least == 1 else "items"
            return f"{where}: `{path}` should have at least {least} {items}, found {shown(found)}."
        case _:
            text = first["msg"].replace("Input should be", "should be").replace("Input should", "should")
            text = text[0].lower() + text[1:]
            what = "a section" if isinstance(found, dict) else shown(found)
            return f"{where}: `{path}` {text}, found {what}."


def _path(location: tuple[int | str, ...], raw: Any) -> str:
    """Dotted path in the file: pydantic's location without the tags of discriminated unions."""
    parts: list[str] = []
    here = raw
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict):
            if part in here:
                here = here[part]
            elif not last or here.get("kind") == part:
                continue
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        elif not last:
            continue
        parts.append(str(part))
    return ".".join(parts) or "the file"


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """Keys allowed where an unknown one was found."""
    models = _models_at(location[:-1])
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _models_at(location: tuple[int | str, ...]) -> list[Any]:
    """The sections that may stand at a place."""
    models: list[Any] = [Config]
    for part in location:
        found: list[Any] = []
        for model in models:
            for field_name, field in model.model_fields.items():
                if part in (field_name, field.alias):
                    found.extend(_models_in(field.annotation))
        tagged = [m for m in (found or models) if _tag(m) == part]
        models = tagged or found or models
    return models


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _tag(model: Any) -> str | None:
    kind = model.model_fields.get("kind")
    return kind.annotation.__args__[0] if kind is not None else None
