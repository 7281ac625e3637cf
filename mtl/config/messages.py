"""Messages of pydantic about params.yaml, in the wording of `mtl.checks`: path, what was found, what is allowed."""

from typing import Any

from pydantic import ValidationError

from mtl.config.common import NAME_PATTERN, TARGET_PATTERN, Section
from mtl.config.schema import Config
from mtl.config.table_file import COMMENT_PATTERN, SEPARATOR_PATTERN
from mtl.errors import shown

FORMS = {
    NAME_PATTERN: "a name of small letters, digits and _, the first a letter",
    TARGET_PATTERN: "written as module:name",
    SEPARATOR_PATTERN: "1 to 8 ASCII characters other than a quotation mark, or whitespace",
    COMMENT_PATTERN: "one ASCII character that is no letter, digit, blank or quotation mark",
}
"""Pattern → the form that it describes, in words."""


def message_of(error: ValidationError, raw: Any, where: str) -> str:
    """The first problem, in the wording of `mtl.checks`; unknown keys first, since they explain missing ones."""
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    path = _path(first["loc"], raw)
    value = first.get("input")
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
            return f"{where}: `{path}.kind` is missing; it should be one of {', '.join(_kinds(first['loc']))}."
        case "model_attributes_type" | "model_type" | "dict_type" if not isinstance(value, dict):
            hint = f" such as {{kind: {value}}}" if isinstance(value, str) and value.isidentifier() else " (key: value)"
            return f"{where}: `{path}` should be a section{hint}, found {shown(value)}."
        case "value_error":
            return f"{where}: `{path}`: {first['ctx']['error']!s}."
        case "string_pattern_mismatch" if first["ctx"]["pattern"] in FORMS:
            form = FORMS[first["ctx"]["pattern"]]
            return f"{where}: `{path.removesuffix('.[key]')}` should be {form}, found {shown(value)}."
        case "too_short":
            least = first["ctx"]["min_length"]
            items = "item" if least == 1 else "items"
            return f"{where}: `{path}` should have at least {least} {items}, found {shown(value)}."
        case _:
            text = first["msg"].replace("Input should be", "should be").replace("Input should", "should")
            text = text[0].lower() + text[1:]
            what = "a section" if isinstance(value, dict) else shown(value)
            return f"{where}: `{path}` {text}, found {what}."


def _path(location: tuple[int | str, ...], raw: Any) -> str:
    """Dotted path in the file: pydantic's location without the tags of discriminated unions."""
    parts: list[str] = []
    here = raw
    for position, part in enumerate(location):
        if str(part).startswith("function-"):
            continue  # A member of a union that a validator wraps.
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


def _kinds(location: tuple[int | str, ...]) -> list[str]:
    """Kinds of the sections that may stand at a place, of which the last part is a key, also where it is called as a
    kind is."""
    models = _models_at(location[:-1])
    return sorted(tag for model in _fields(models, location[-1]) or models if (tag := _tag(model)) is not None)


def _models_at(location: tuple[int | str, ...]) -> list[Any]:
    """The sections that may stand at a place, whose parts are keys and kinds."""
    models: list[Any] = [Config]
    all_kinds = models
    for part in location:
        fields = _fields(models, part)
        all_kinds = fields or all_kinds
        # From all kinds anew: a name that a user gave may be a kind as well, and then stands before the true one.
        tagged = [model for model in all_kinds if _tag(model) == part]
        models = tagged or fields or models
    return models


def _fields(models: list[Any], key: int | str) -> list[Any]:
    """The sections that a key of some of the models may hold."""
    fields = [(name, field) for model in models for name, field in model.model_fields.items()]
    return [model for name, field in fields if key in (name, field.alias) for model in _models_in(field.annotation)]


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _tag(model: Any) -> str | None:
    kind = model.model_fields.get("kind")
    return kind.annotation.__args__[0] if kind is not None else None
