"""The page on params.yaml: a table for every section, made from the models of `mtl.config` and their docstrings."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from sphinx.application import Sphinx

from mtl.config import Config
from mtl.config.common import Section, tag

PAGE, PLACE = "reference/params", "<!-- settings -->"
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null",
         "object": "mapping"}  # fmt: skip
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
HUGE = 2**31
"""Limit of seeds, which says nothing to a reader."""
Schema = dict[str, Any]


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Puts the tables into the page on params.yaml."""
    if docname == PAGE:
        source[0] = source[0].replace(PLACE, "\n".join(_lines()))


def _lines() -> Iterator[str]:
    """Markdown: a heading for each key of params.yaml, and below it one for each section that may stand there."""
    shown: set[type[Section]] = set()
    schema = Config.model_json_schema()
    for key, field in Config.model_fields.items():
        yield f"## `{key}`\n"
        for model in _models(field.annotation, field.metadata):
            for part in [*reversed(_bases(model)), model]:
                if part not in shown:
                    shown.add(part)
                    yield from _table(part, schema["$defs"])


def _models(*types: Any) -> list[type[Section]]:
    """Sections that may stand where a type is asked for, with those inside of them, in the order of the code."""
    reached: list[type[Section]] = []
    waiting = list(types)
    while waiting:
        given = waiting.pop(0)
        if isinstance(given, type) and issubclass(given, Section):
            if given not in reached:
                reached.append(given)
                for field in given.model_fields.values():
                    waiting += [field.annotation, *field.metadata]
        elif isinstance(given, list | tuple):
            waiting += given
        else:
            waiting += get_args(given)
    return reached


def _bases(model: type[Section]) -> list[type[Section]]:
    """Sections from which one takes settings, the nearest first."""
    return [base for base in model.__mro__[1:] if issubclass(base, Section) and base is not Section and _own(base)]


def _own(model: type[Section]) -> list[str]:
    """Settings that a section names itself."""
    return [name for name in model.model_fields if name in inspect.get_annotations(model)]


def _table(model: type[Section], schemas: Schema) -> Iterator[str]:
    kinds = "kind" in _own(model)
    yield f"({_anchor(model)})="
    yield f"### `kind: {tag(model)}`\n" if kinds else f"### {_called(model)}\n"
    yield f"{_prose(model.__doc__ or '')}\n"
    bases = _bases(model)
    if bases:
        yield f"Also the settings of {', '.join(f'[{_called(base)}](#{_anchor(base)})' for base in bases)}.\n"
    names = [name for name in _own(model) if name != "kind"]
    if not names:
        return
    known = schemas.get(model.__name__) or model.model_json_schema()
    said = _said(model)
    yield "| setting | values | default | |"
    yield "|---|---|---|---|"
    for name in names:
        field = model.model_fields[name]
        key = field.alias or name
        values = _cell(_words(known["properties"].get(key, {}), schemas))
        default = "required" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        yield f"| `{key}` | {values} | {_cell(default)} | {_cell(_prose(said.get(name, '')))} |"
    yield ""


def _said(model: type[Section]) -> dict[str, str]:
    """Setting → its docstring, the text below it in the code."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(node, ast.ClassDef)
    told = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            told[ast.unparse(field.target)] = str(text.value.value)
    return told


def _words(schema: Schema, schemas: Schema) -> str:
    """Values that a schema allows, as a reader says them."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_spaced(name)}](#settings-{name.lower()})" if _is_section(schemas.get(name, {})) else name
    for several in ("anyOf", "oneOf"):
        if several in schema:
            words = [_words(each, schemas) for each in schema[several]]
            return ", ".join(dict.fromkeys(words[:-1])) + (" or " if len(words) > 1 else "") + words[-1]
    if "enum" in schema or "const" in schema:
        return " \\| ".join(f"`{_default(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        each = _words(schema.get("items", {}), schemas) or "values"
        return f"list of {each.replace('whole number', 'whole numbers')}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of names to {_words(schema['additionalProperties'], schemas)}"
    bounds = [f"{sign} {schema[key]:g}" for key, sign in BOUNDS.items() if key in schema and schema[key] != HUGE]
    return " ".join([TYPES.get(schema.get("type", ""), ""), ", ".join(bounds)]).strip()


def _is_section(schema: Schema) -> bool:
    return schema.get("type") == "object" and "properties" in schema


def _default(value: Any) -> str:
    """A value as params.yaml has it."""
    if isinstance(value, Section):
        return (
            str(value.model_dump(exclude_defaults=True, by_alias=True))
            if not hasattr(value, "kind")
            else tag(type(value))
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_default, value))}]"
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))


def _called(model: type[Section]) -> str:
    return _spaced(model.__name__)


def _spaced(name: str) -> str:
    """A class's name in words: `SoftSharing` is `Soft sharing`, `TrainConfig` is `Train`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("Config")).capitalize()


def _anchor(model: type[Section]) -> str:
    return f"settings-{model.__name__.lower()}"


def _prose(text: str) -> str:
    """A docstring in one line."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    """A text that may stand in a cell of a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)
