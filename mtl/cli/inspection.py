"""`mtl data inspect`: what the columns of a file hold, and the section of params.yaml that reads it so."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mtl.cli.column_tables import as_json, print_columns
from mtl.config import load_config
from mtl.config.inputs import SourceBase
from mtl.config.load import PARAMS
from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.data.columns.infer import column_facts
from mtl.data.columns.inspection import inspect_file
from mtl.data.columns.section import source_name, table_section
from mtl.data.files.manifest import RAW
from mtl.data.formats.line_files import line_table
from mtl.data.formats.tables import read_table
from mtl.errors import ConfigError, DataError, OptionValue, shown

TEXTS = ("encoding", "separator", "decimal", "thousands", "comment", "sheet")
"""Options whose value is a text, whatever it looks like."""
OPTIONS = (*TEXTS, "skip_rows", "skip_footer", "columns", "units_row", "missing", "missing_markers")
ESCAPES = {"\\t": "\t", "tab": "\t"}


def inspect(target: str, separator: str | None, given: list[str], plain_json: bool, root: Path) -> None:
    """Prints the columns of a file, or of a source that params.yaml describes.

    Args:
        target: path of the file, or name of the source.
        separator: of the file.
        given: options of the reader, each `name=value` with a value as params.yaml has it.
        plain_json: print JSON.
        root: folder of the project.

    Raises:
        UserError: neither a file nor a source, an option that there is not, a file that cannot be read.
    """
    options = parse_options(given) | ({} if separator is None else {"separator": ESCAPES.get(separator, separator)})
    if Path(target).exists() or not _is_source(target, root):
        _file(Path(target), options, plain_json, root)
    elif options:
        raise ConfigError(f"`{target}` is a source of {PARAMS}, which holds its options: leave `--option` out.")
    else:
        _source(target, plain_json, root)


def parse_options(given: Sequence[str], known: Sequence[str] = OPTIONS) -> dict[str, OptionValue]:
    """Options from `name=value`.

    Args:
        given: each an option.
        known: names of the options that there are; those of the reader if none are given.

    Raises:
        ConfigError: no name, one that there is not, or a value that is no YAML.
    """
    import yaml

    options: dict[str, OptionValue] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or name not in known:
            raise ConfigError(f"--option should be NAME=VALUE, NAME one of {', '.join(known)}; found {shown(text)}.")
        if name in TEXTS or value.startswith("%"):  # a form of dates, which no YAML begins like
            options[name] = ESCAPES.get(value, value)
            continue
        try:
            options[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            message = f"--option {name} should have a value as params.yaml has it, found {shown(value)}."
            raise ConfigError(message) from None
    return options


def _is_source(target: str, root: Path) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]*", target) is not None and (root / PARAMS).exists()


def _file(path: Path, options: dict[str, OptionValue], plain_json: bool, root: Path) -> None:
    seen = inspect_file(path, options)
    name = source_name(path.name.split(".")[0])
    inside = (root / PARAMS).exists() and not path.is_absolute() and ".." not in path.parts and (root / path).exists()
    place = path.as_posix() if inside else (RAW / path.name).as_posix()
    section = table_section(name, place, seen.options, seen.facts)
    if plain_json:
        _print_json(as_json(seen.facts, len(seen.table.frame), seen.options, seen.notes) | {"section": section})
        return
    console = Console(highlight=False)
    print_columns(seen.facts, len(seen.table.frame), seen.notes, console)
    console.print("\nFor params.yaml, where a column that a task learns is taken out of the inputs by itself:\n")
    print(section, end="")
    if not inside:
        print(f"\nNext: mtl data add {name} {path}")


def _source(name: str, plain_json: bool, root: Path) -> None:
    config = load_config(root / PARAMS)
    source: SourceBase | None = config.prepare.sources.get(name)
    if source is None:
        known = ", ".join(config.prepare.sources)
        raise ConfigError(f"{name} is neither a file nor a source of {PARAMS}; sources: {known}.")
    if isinstance(source, TableSource):
        table = read_table(source, root) if source.lines is None else line_table(source, root)
        facts = column_facts(table, source.declared, source.date_format, source.exact_labels)
    elif isinstance(source, SeriesSource):
        table = read_table(source, root)
        facts = column_facts(table, exact=source.exact_labels)
    else:
        raise DataError(f"{name} should be a source of `kind: table` or `series`, which have columns.")
    if plain_json:
        _print_json(as_json(facts, len(table.frame), {}, table.notes))
    else:
        print_columns(facts, len(table.frame), table.notes, Console(highlight=False))


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False))
