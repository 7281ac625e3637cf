"""Requests of the scoring server: bytes in, samples for a model out, or words on what is wrong with them.

n samples.
"""

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mtl.data.inputs.given import check_names
from mtl.data.pictures.decode import BrokenImageError, Form, decoded
from mtl.errors import UserError, shown
from mtl.serving.service import Column, Service

MOST_BYTES = 16 << 20
"""Size of a request."""
MOST_SAMPLES = 10_000
"""Samples of a request: more of them are a file for `mtl predict`."""
SPLIT, RECORDS, INPUTS, INSTANCES = "dataframe_split", "dataframe_records", "inputs", "instances"
FORMS = (SPLIT, RECORDS, INPUTS, INSTANCES)
JSON, CSV = "application/json", "text/csv"
MOST_NAMES = 5


def samples_of(body: bytes, content_type: str | None, service: Service) -> pd.DataFrame | np.ndarray:
    """The samples of a request in the form of MLflow's scoring server, checked as far as the model does not.

    Raises:
        UserError: says in which sample and column what was found, and what is allowed.
    """
    kind = (content_type or JSON).partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("the request should be UTF-8.") from None
    if kind == CSV and service.tabular:
        return _frame(*_of_csv(text), service)
    if kind != JSON:
        allowed = f"{JSON} or {CSV}" if service.tabular else JSON
        raise UserError(f"the content type should be {allowed}, found {shown(kind)}.")
    content = _json(text)
    return _frame(*_rows(content), service) if service.tabular else _array(content, service)


def notes_of(samples: pd.DataFrame | np.ndarray, service: Service) -> list[str]:
    """Sentences on categories that the model does not know."""
    notes: list[str] = []
    if not isinstance(samples, pd.DataFrame):
        return notes
    for column in service.columns:
        if column.kind == "text":
            cells = samples[column.name].dropna()
            strange = cells[~cells.isin(column.names)]
            if len(strange):
                told = ", ".join(map(repr, strange.unique()[:MOST_NAMES]))
                notes.append(
                    f"{column.name}: {len(strange):,} of {len(samples):,} samples hold categories that the model does "
                    f"not know, and takes for one unknown category: {told}."
                )
    return notes


def too_large(size: int | None) -> UserError:
    """The error for a request of too many bytes."""
    told = "more" if size is None else f"{size:,}"
    return UserError(
        f"the request should be at most {MOST_BYTES:,} bytes, found {told}: send fewer samples at once, or predict a "
        "file by `mtl predict`."
    )


def _json(text: str) -> tuple[str, Any]:
    """The form of a request, and its content."""
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"the request should be JSON, found something else{place}.") from None
    forms = [name for name in FORMS if isinstance(content, dict) and name in content]
    if len(forms) != 1:
        held = f"the keys {shown(list(content)[:MOST_NAMES])}" if isinstance(content, dict) else type(content).__name__
        raise UserError(f"the request should be a JSON object with one of {', '.join(FORMS)}, found {held}.")
    return forms[0], content[forms[0]]


def _rows(content: tuple[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Names of columns, and cells of each sample."""
    form, given = content
    if form == SPLIT:
        if not isinstance(given, dict) or not _is_list(given.get("columns")) or not _is_list(given.get("data")):
            raise UserError(f"`{SPLIT}` should hold `columns` and `data`, both lists.")
        names, rows = [str(name) for name in given["columns"]], given["data"]
        _check_count(len(rows))
        for number, row in enumerate(rows):
            if not _is_list(row) or len(row) != len(names):
                held = f"{len(row)}" if _is_list(row) else type(row).__name__
                raise UserError(f"sample {number} (counted from 0) should have {len(names)} cells, found {held}.")
        return names, rows
    if isinstance(given, Mapping):  # columns side by side
        columns = [value if _is_list(value) else [value] for value in given.values()]
        if len({len(column) for column in columns}) > 1:
            raise UserError(f"the columns of `{form}` should be equally long.")
        _check_count(len(columns[0]) if columns else 0)
        return [str(name) for name in given], [list(row) for row in zip(*columns, strict=True)]
    if not _is_list(given) or not all(isinstance(row, dict) for row in given):
        raise UserError(f"`{form}` should be a list of objects, each a sample with a value for each column.")
    _check_count(len(given))
    names = list(given[0]) if given else []
    for number, row in enumerate(given):
        if row.keys() != given[0].keys():
            odd = sorted(row.keys() ^ given[0].keys())
            raise UserError(
                f"sample {number} (counted from 0) should have the columns of the first, found others: "
                f"{shown(odd[0])}; what is not known is null."
            )
    return names, [[row[name] for name in names] for row in given]


def _of_csv(text: str) -> tuple[list[str], list[list[Any]]]:
    try:
        lines = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise UserError(f"the request should be CSV with commas, found something else ({error}).") from None
    names = lines[0] if lines else []
    _check_count(max(0, len(lines) - 1))
    for number, row in enumerate(lines[1:]):
        if len(row) != len(names):
            raise UserError(f"sample {number} (counted from 0) should have {len(names)} cells, found {len(row)}.")
    return names, [[cell.strip() or None for cell in row] for row in lines[1:]]


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]], service: Service) -> pd.DataFrame:
    columns = service.columns
    check_names(names, [column.name for column in columns])
    _check_count(len(rows))
    place = {name: number for number, name in enumerate(names)}
    return pd.DataFrame({
        column.name: _cells(column, [row[place[column.name]] for row in rows], service.pictured) for column in columns
    })  # fmt: skip


def _cells(column: Column, cells: list[Any], form: Form | None) -> Any:
    if column.kind == "image":
        assert form is not None
        return pd.Series([_image(column, place, cell, form) for place, cell in enumerate(cells)], dtype=object)
    if column.kind == "number":
        return np.array([_number(column, place, cell) for place, cell in enumerate(cells)], dtype=np.float64)
    if column.kind == "date":
        return pd.DatetimeIndex([_date(column, place, cell) for place, cell in enumerate(cells)])
    if column.kind == "words":
        return pd.Series([_words(column, place, cell) for place, cell in enumerate(cells)], dtype=object)
    return pd.Series([_text(column, place, cell) for place, cell in enumerate(cells)], dtype=object)


def _number(column: Column, place: int, cell: Any) -> float:
    if cell is None:
        return float("nan")
    try:
        if not isinstance(cell, bool):
            return float(cell)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _wrong(column, place, cell, "a number")


def _date(column: Column, place: int, cell: Any) -> pd.Timestamp | Any:
    if cell is None:
        return pd.NaT
    if isinstance(cell, str):
        try:
            stamp = pd.Timestamp(cell)
            return stamp.tz_localize(None) if stamp.tz is not None else stamp
        except (ValueError, OverflowError):
            pass
    raise _wrong(column, place, cell, "a date as 2024-05-31 or 2024-05-31T12:00:00")


def _text(column: Column, place: int, cell: Any) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, int | float):
        return str(cell)
    raise _wrong(column, place, cell, "a text")


def _words(column: Column, place: int, cell: Any) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    raise _wrong(column, place, cell, "a text")


def _image(column: Column, place: int, cell: Any, form: Form) -> np.ndarray:
    if not isinstance(cell, str):
        raise _wrong(column, place, cell, "an image file in base64")
    return _picture(cell, place, form, f", column {column.name!r}")


def _wrong(column: Column, place: int, cell: Any, wanted: str) -> UserError:
    missing = ", or null where it is missing" if column.may_lack else ""
    return UserError(
        f"sample {place} (counted from 0), column {column.name!r}: should be {wanted}{missing}, found {shown(cell)}."
    )


def _array(content: tuple[str, Any], service: Service) -> np.ndarray:
    form, given = content
    if form not in (INPUTS, INSTANCES) or not _is_list(given):
        raise UserError(f"the request should hold `{INPUTS}`, a list of samples of shape {list(service.shape)} each.")
    _check_count(len(given))
    if service.pictured is not None and all(isinstance(sample, str) for sample in given):
        return np.stack([_picture(text, place, service.pictured) for place, text in enumerate(given)])
    try:
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(
            f"`{form}` should be numbers in lists of equal length, samples × {' × '.join(map(str, service.shape))}; "
            "found lists of different lengths, or something else than numbers."
        ) from None
    if service.dtype.kind != "u":
        return array
    if array.size and not bool(((array >= 0) & (array <= 255) & (array == np.floor(array))).all()):
        raise UserError(f"`{form}` should be whole numbers from 0 to 255, the brightness of a pixel each.")
    return array.astype(np.uint8)


def in_base64(pixels: np.ndarray) -> str:
    """An image [C, Y, X] as a file in base64."""
    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _picture(text: str, place: int, form: Form, column: str = "") -> np.ndarray:
    """Pixels of an image file in base64."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        wanted = f"sample {place} (counted from 0){column} should be an image file in base64"
        raise UserError(f"{wanted}, found {shown(text[:40])}.")
    try:
        return decoded(io.BytesIO(content), form)
    except BrokenImageError as error:
        raise UserError(f"sample {place} (counted from 0){column}: the image {error}.") from None


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_SAMPLES:
        remedy = ": predict a file by `mtl predict`" if count else ""
        raise UserError(f"a request should hold from 1 to {MOST_SAMPLES:,} samples, found {count:,}{remedy}.")


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
