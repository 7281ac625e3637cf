"""Folders of texts and classes, a line each: line n of both files is one row of one table."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from mtl.cli.inspection import inspect
from mtl.config import ClassificationTask
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.inputs.tokens import TokensInput
from mtl.errors import DataError
from mtl.types import NO_LABEL, TextSet

SETS = {"mood": "mood", "stance_a": "stance/a"}
PARTS = {"train": 12, "val": 4, "test": 6}


def write(root: Path, changes: dict[str, str] | None = None) -> None:
    """Two sets of texts, with names of classes in the folder of one and above the folder of the other."""
    for folder in SETS.values():
        place = root / "raw" / folder
        place.mkdir(parents=True, exist_ok=True)
        for part, count in PARTS.items():
            texts = [f"{folder} {part} text {n} 😀" for n in range(count)]
            texts[2] = ""  # an empty line is a text
            texts[1] = "a\u2028line that\x0bgoes on\x85"
            (place / f"{part}_text.txt").write_bytes("\n".join([*texts, ""]).encode())
            labels = [str(n % 2) for n in range(count)]
            labels[3] = ""
            (place / f"{part}_labels.txt").write_bytes("\n".join([*labels, ""]).encode())
    (root / "raw/mood/mapping.txt").write_text("0\tcalm\n1\tangry")
    (root / "raw/stance/mapping.txt").write_text("0\tagainst\n1\tfavor\n")
    for path, text in (changes or {}).items():
        (root / "raw" / path).write_bytes(text.encode())


def section(**options: Any) -> TableSource:
    lines = {"sets": SETS} | options
    split = {"kind": "column", "column": "part"}
    raw = {"kind": "table", "path": "raw", "inputs": {"text": "text"}, "lines": lines, "split": split}
    return TableSource.model_validate(raw | {"texts": {"size": 300}})


def read(root: Path, **options: Any) -> TextSet:
    data = read_source("own", section(**options), root)
    assert isinstance(data, TextSet)
    return data


def task(label: str) -> ClassificationTask:
    return ClassificationTask(kind="classification", source="own", label=label)


def test_sets_are_one_table_whose_tasks_have_rows_of_their_own(tmp_path: Path) -> None:
    write(tmp_path)
    data = read(tmp_path)
    count = sum(PARTS.values())
    assert (data.text, data.folds, len(data.fold)) == ("text", 1, 2 * count)
    source = TokensInput(data).for_tasks([task("mood"), task("stance_a")]).data
    assert source.classes == {"mood": ["angry", "calm"], "stance_a": ["against", "favor"]}
    mood, stance = (source.labels[label] != NO_LABEL for label in source.classes)
    assert mood.sum() == stance.sum() == count - len(PARTS)
    assert not (mood & stance).any() and mood[:count].sum() == mood.sum()
    parts = {name: int(mask.sum()) for name, mask in TokensInput(data).masks(0).items()}
    assert parts == {name: 2 * number for name, number in PARTS.items()}
    begins = data.tokens[0].begins
    assert int(begins[3] - begins[2]) == 1 and "6 of 44 texts are empty" in " ".join(data.notes)


def test_files_are_those_of_every_set_and_part() -> None:
    assert len(section().files) == 2 * 2 * len(PARTS)
    assert "raw/stance/a/val_labels.txt" in section().files


def test_classes_that_are_named_as_they_stand(tmp_path: Path) -> None:
    write(tmp_path)
    data = TokensInput(read(tmp_path, names=None)).for_tasks([task("mood")]).data
    assert data.classes["mood"] == ["0", "1"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mood/val_labels.txt": "1\n0\n"}, r"a line for each of the 4 texts of raw/mood/val_text.txt, found 2"),
        ({"mood/val_labels.txt": "1\n0\n7\n1\n"}, r"line 3: should be one of 0 \(calm\), 1 \(angry\), found '7'"),
        ({"mood/mapping.txt": "0 calm\n"}, r"mapping.txt, line 1: should be a class, a tab and its name"),
        ({"mood/mapping.txt": "0\ta\n0\tb\n"}, r"mapping.txt, line 2"),
    ],
)
def test_lines_that_do_not_belong_together_are_refused(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    write(tmp_path, changes)
    with pytest.raises(DataError, match=told):
        read(tmp_path)


def test_a_setting_that_names_no_column_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    raw = section().model_dump(exclude_unset=True) | {"weight": "sureness"}
    with pytest.raises(DataError, match=r"there is no column `sureness`; found: text, part, mood, stance_a\. `weight`"):
        read_source("own", TableSource.model_validate(raw), tmp_path)


def test_files_that_are_missing_or_of_another_encoding_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "raw/mood/test_text.txt").write_bytes(b"\xff\n" * 6)
    with pytest.raises(DataError, match=r"raw/mood/test_text.txt is not utf-8 \(byte 0\)"):
        read(tmp_path)
    (tmp_path / "raw/mood/test_text.txt").unlink()
    with pytest.raises(DataError, match=r"raw/mood/test_text.txt is missing"):
        read(tmp_path)
    write(tmp_path)
    (tmp_path / "raw/stance/mapping.txt").unlink()
    with pytest.raises(DataError, match=r"raw/stance/a/mapping.txt is missing: let `lines.names` be null"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"texts": "text.txt"}, r"should hold \{part\}"),
        ({"sets": {"text": "mood"}}, "different names, found 'text' twice"),
        ({"parts": ["train", "train"]}, "parts should be different"),
        ({"sets": {"mood": "../mood"}}, "folders below path"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        section(**options)


def test_their_columns_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    settings = {
        "prepare": {"sources": {"own": section().model_dump(mode="json", exclude_unset=True)}},
        "tasks": {"mood": {"kind": "classification", "source": "own", "label": "mood"}},
        "encoder": {"kind": "text"},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    inspect("own", None, [], True, tmp_path)
    told = {column["name"]: column["type"] for column in json.loads(capsys.readouterr().out)["columns"]}
    assert told == {"text": "text", "part": "category", "mood": "category", "stance_a": "category"}
