"""How a file of new data is read: as the source that the model was trained on, but for what the user says otherwise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import JsonValue, ValidationError

from mtl.config.sources import SeriesSource
from mtl.config.table_file import TableFile
from mtl.errors import UserError, shown
from mtl.results.deployment import Origin

SHARED = tuple(TableFile.model_fields)
"""Options of every table."""
OF_SERIES = (
    "date", "date_format", "time_zone", "id", "on_missing", "max_gap", "on_duplicate", "on_unordered",
)  # fmt: skip
OF_ROWS = ("date_format", "exact_labels")


class NewRows(TableFile):
    """A table of new rows, of which the model names the columns."""

    new_data: ClassVar[bool] = True
    date_format: dict[str, str] = {}
    """Column of dates → form of its cells."""
    exact_labels: list[str] = []
    """Columns in which every spelling is a category of its own."""


def rows_options(data: Path, origin: Origin | None, changes: Mapping[str, JsonValue]) -> NewRows:
    """Options by which a table of new rows is read.

    Args:
        data: the file.
        origin: the source that the model was trained on; None where it is not known.
        changes: options that the user gives.

    Raises:
        UserError: an option is not known, or has a value that it cannot have.
    """
    section = _kept(origin, (*SHARED, *OF_ROWS), "table")
    if origin is not None and origin.date_forms:
        section["date_format"] = {**origin.date_forms, **section.get("date_format", {})}
    options = _made(NewRows, data, section, changes, (*SHARED, *OF_ROWS))
    assert isinstance(options, NewRows)
    return options


def series_options(data: Path, origin: Origin | None, changes: Mapping[str, JsonValue]) -> SeriesSource:
    """Options by which a table in time order is read; arguments and errors as in `rows_options`."""
    section = _kept(origin, (*SHARED, *OF_SERIES), "series")
    if not section:
        section = {"date": None}
    if origin is not None and section.get("date_format") is None and origin.date_forms:
        section["date_format"] = next(iter(origin.date_forms.values()))
    options = _made(SeriesSource, data, section | {"kind": "series"}, changes, (*SHARED, *OF_SERIES))
    assert isinstance(options, SeriesSource)
    return options


def _kept(origin: Origin | None, names: tuple[str, ...], kind: str) -> dict[str, Any]:
    """Options of the source, where it is of a kind that has them."""
    section = {} if origin is None or origin.section is None else origin.section
    return {name: section[name] for name in names if name in section} if section.get("kind") == kind else {}


def _made(
    options: type[TableFile], data: Path, section: dict[str, Any], changes: Mapping[str, JsonValue],
    allowed: tuple[str, ...],
) -> TableFile:  # fmt: skip
    for name in changes:
        if name not in allowed or name == "path":
            known = ", ".join(name for name in allowed if name != "path")
            raise UserError(f"--set should name an option of the reader ({known}), found {name!r}.")
    # A point is no mark between thousands unless the training file had such: one row alone could not tell.
    point = {"decimal": "."} if section.get("decimal") is None and section.get("thousands") is None else {}
    try:
        return options.model_validate({**section, **point, **changes, "path": str(data)})
    except ValidationError as error:
        first = error.errors()[0]
        told = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"].lower()
        name = ".".join(map(str, first["loc"]))
        value = f", found {shown(first['input'])}" if first["type"] != "value_error" else ""
        raise UserError(f"--set {name}: {told}{value}.") from None
