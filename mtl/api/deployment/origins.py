"""Sources of a project as a deployment keeps them: how new data of them are read, and where the old ones came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config import Config
from mtl.config.date_format import date_format_problem
from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.data.files.digest import file_sha256
from mtl.data.files.manifest import RAW, read_manifest
from mtl.data.formats.tables import read_table
from mtl.data.inputs.base import Input
from mtl.data.inputs.date_parts import dates_behind
from mtl.data.timeline.long_tables import series_of_rows
from mtl.data.timeline.order import order_in_time
from mtl.data.timeline.stamps import column_stamps
from mtl.errors import DataError
from mtl.results.deployment import Origin
from mtl.serving.drift import trained_inputs
from mtl.types import SourceData


def origins(config: Config, sources: Mapping[str, Input[SourceData]], seed: int, root: Path) -> dict[str, Origin]:
    """Source → what a deployment keeps of it.

    Args:
        config: the whole configuration.
        sources: the prepared ones that deployed tasks read.
        seed: of the first member; inputs of its training part are what new ones are compared with.
        root: folder of the project.
    """
    return {name: _origin(config, name, source, seed, root) for name, source in sources.items()}


def _origin(config: Config, name: str, source: Input[SourceData], seed: int, root: Path) -> Origin:
    section, manifest = config.prepare.sources[name], read_manifest(name, root)
    forms, step = _times(section, source.columns, root)
    files = {} if manifest is None else {file: entry.sha256[0] for file, entry in manifest.files.items()}
    return Origin(
        kind=source.kind.name,
        section=section.model_dump(mode="json", exclude_unset=True),
        date_forms=forms,
        step=step,
        rows=f"{source.size:,} {source.describe()}",
        title="" if manifest is None else manifest.title,
        licence="" if manifest is None else manifest.licence,
        files={file: _hash(root / RAW / file, known) for file, known in files.items()},
        inputs=trained_inputs(source.seen(seed % source.data.folds), seed),
    )


def _hash(file: Path, known: str) -> str:
    """Hash of a raw file; the first that its manifest accepts where it is not there."""
    try:
        return file_sha256(file)
    except DataError:
        return known


def _times(section: object, columns: Sequence[str], root: Path) -> tuple[dict[str, str], str | None]:
    """Column of dates → the form that its file proved, and the usual step of a series; empty where the file is not
    there any more."""
    try:
        match section:
            case SeriesSource() if section.date_column is not None:
                return _of_series(section, root)
            case TableSource():
                return _of_table(section, columns, root), None
    except DataError:  # of a file that has changed or is gone: new data then have to prove their form themselves
        pass
    return {}, None


def _of_series(section: SeriesSource, root: Path) -> tuple[dict[str, str], str | None]:
    table, column = read_table(section, root), str(section.date_column)
    groups, _ = series_of_rows(table, section, [])
    stamps = column_stamps(table, column, section.date_format, groups, [])
    timeline = order_in_time(table, section, [])
    steps = timeline.steps[timeline.steps > 0]
    usual, times = np.unique(steps, return_counts=True)
    if not len(usual):
        return _named(column, stamps.form), None
    step = usual[times.argmax()]
    return _named(column, stamps.form), f"{step:g}" if stamps.unit is None else str(
        pd.Timedelta(int(step), unit=stamps.unit)
    )


def _of_table(section: TableSource, columns: Sequence[str], root: Path) -> dict[str, str]:
    dates = [name for name in dict.fromkeys(dates_behind(columns, []).values()) if name not in section.date_format]
    if not dates:
        return {}
    table = read_table(section, root)
    forms: dict[str, str] = {}
    for column in dates:
        cells = table.frame[column] if column in table.frame.columns else None
        if cells is not None and not pd.api.types.is_datetime64_any_dtype(cells):
            known = np.flatnonzero(cells.notna().to_numpy())
            forms |= _named(column, column_stamps(table.take(known), column, None, None, []).form)
    return forms


def _named(column: str, form: str | None) -> dict[str, str]:
    return {} if form is None or date_format_problem(form) is not None else {column: form}
