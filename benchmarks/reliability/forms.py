"""Every kind of source in the forms that its files come in: small whole projects, for damage to be done to them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tests.helpers.data_files import make_source, series_text, table_text
from tests.helpers.pictures import colours_table

Json = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """A kind of source with its files.

    Args:
        kind: of the source.
        section: its settings, as YAML holds them.
        tasks: tasks that fit it.
        add: what `mtl data add` is given, relative to the project's folder.
    """

    kind: str
    section: Json
    tasks: Json
    add: tuple[str, ...]


AHEAD = {"ahead": {"kind": "forecast", "source": "own", "input_len": 2, "horizon": 1}}
SCORE = {"score": {"kind": "regression", "source": "own", "target": "score"}}
TOSS = {"toss": {"kind": "binary", "source": "own", "label": {"coin": 0}}}
MOOD = {"mood": {"kind": "classification", "source": "own", "label": "mood"}}
LABEL = {"label": {"kind": "classification", "source": "own", "label": "label"}}
TAGS = {"tag": {"kind": "tagging", "source": "own", "label": "column_2"}}
ACTIVITY = {"activity": {"kind": "classification", "source": "own", "label": "activity"}}
TASKS: dict[str, Json] = {
    "har": ACTIVITY, "uea": LABEL, "arrays": LABEL, "series": AHEAD, "table": SCORE, "sensors": AHEAD, "python": AHEAD,
}  # fmt: skip
PLAIN = "-DOCSTART- O\n\nAnn B-per\nLee I-per\nsaw O\nRome B-loc\n\t\n#tag\tO\nhi\tO\n\n\nBo B-per\n\n"


def _made(kind: str) -> Callable[[Path], Form]:
    """A kind whose files tests/helpers makes."""

    def make(root: Path) -> Form:
        source = make_source(kind, root)
        section = source.model_dump(mode="json", exclude_unset=True)
        tasks = TASKS.get(kind, TOSS)
        if kind == "regressions":
            tasks = {"y": {"kind": "regression", "source": "own", "target": "first"}}
        return Form(kind, section, tasks, tuple(source.to_add))

    return make


def _frame(text: str, ending: str, kind: str, tasks: Json, **options: Any) -> Callable[[Path], Form]:
    """A table in another format than text."""

    def make(root: Path) -> Form:
        path = f"data/raw/own.{ending}"
        frame = pd.read_csv(io.StringIO(text))
        (root / "data/raw").mkdir(parents=True)
        match ending:
            case "parquet":
                frame.to_parquet(root / path)
            case "feather":
                frame.to_feather(root / path)
            case "xlsx":
                frame.to_excel(root / path, index=False)
            case _:
                (root / path).write_text(arff(frame), encoding="utf-8")
        return Form(kind, {"kind": kind, "path": path} | options, tasks, (path,))

    return make


def arff(frame: pd.DataFrame) -> str:
    """A table in Weka's format: columns of texts are nominal."""
    lines = ["@relation own"]
    for name in frame:
        values = sorted({str(cell) for cell in frame[name].dropna()})
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        lines.append(f"@attribute {name} " + ("numeric" if numeric else "{" + ", ".join(values) + "}"))
    rows = [",".join("?" if pd.isna(cell) else str(cell) for cell in row) for row in frame.itertuples(index=False)]
    return "\n".join([*lines, "@data", *rows, ""])


def _texts(root: Path) -> Form:
    lines = ["note,mood,score"]
    for row in range(40):
        word, mood = [("fine", "good"), ("awful", "bad"), ('so, "so"', "mixed")][row % 3]
        note = f"{word} number {row} of {row % 7} 😀".replace('"', '""')
        lines.append(f'"{note}",{mood},{row % 9}.5')
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/own.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    section = {"kind": "table", "path": "data/raw/own.csv", "inputs": {"note": "text"}, "folds": 2,
               "texts": {"size": 300, "longest": 16}}  # fmt: skip
    return Form("table", section, MOOD, ("data/raw/own.csv",))


def _tagged(root: Path) -> Form:
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/own.conll").write_text(PLAIN * 6, encoding="utf-8")
    section = {"kind": "table", "path": "data/raw/own.conll", "inputs": {"words": "text"}, "tags": {"column_2": "bio"},
               "folds": 1, "split": {"kind": "time", "test": 4}, "texts": {"size": 300}}  # fmt: skip
    return Form("table", section, TAGS, ("data/raw/own.conll",))


def _lines(root: Path) -> Form:
    folder = root / "data/raw/own/mood"
    folder.mkdir(parents=True)
    for part, count in {"train": 12, "val": 6, "test": 6}.items():
        (folder / f"{part}_text.txt").write_text("".join(f"{part} text {n}\n" for n in range(count)))
        (folder / f"{part}_labels.txt").write_text("".join(f"{n % 2}\n" for n in range(count)))
    (folder / "mapping.txt").write_text("0\tcalm\n1\tangry")
    section = {"kind": "table", "path": "data/raw/own", "inputs": {"text": "text"}, "lines": {"sets": {"mood": "mood"}},
               "split": {"kind": "column", "column": "part"}, "texts": {"size": 300}}  # fmt: skip
    return Form("table", section, MOOD, ("data/raw/own",))


def _photos(root: Path) -> Form:
    (root / "data/raw/own").mkdir(parents=True)
    colours_table(root / "data/raw/own")
    section = {"kind": "table", "path": "data/raw/own/labels.csv", "inputs": {"photo": "image"}, "folds": 3,
               "images": {"folder": "data/raw/own/photos", "size": [8, 8]},
               "split": {"kind": "group", "column": "site"}}  # fmt: skip
    tasks = {"colour": {"kind": "classification", "source": "own", "label": "colour"}}
    return Form("table", section, tasks, ("data/raw/own",))


SERIES = {"labels": ["state"]}
FORMS: dict[str, list[Callable[[Path], Form]]] = {
    "series": [
        _made("series"), _frame(series_text(), "parquet", "series", AHEAD, **SERIES),
        _frame(series_text(), "xlsx", "series", AHEAD, **SERIES),
        _frame(series_text(), "feather", "series", AHEAD, **SERIES),
    ],
    "table": [
        _made("table"), _frame(table_text(), "parquet", "table", SCORE, folds=4),
        _frame(table_text(), "xlsx", "table", SCORE, folds=4), _frame(table_text(), "arff", "table", SCORE, folds=4),
        _frame(table_text(), "feather", "table", SCORE, folds=4), _texts, _tagged, _lines, _photos,
    ],
} | {
    kind: [_made(kind)]
    for kind in ("har", "uea", "arrays", "mnist", "multi_mnist", "cifar10", "cifar100", "digits", "sensors",
                 "regressions", "python")
}  # fmt: skip
"""Kind of source → its forms; try n takes form n mod their number."""
