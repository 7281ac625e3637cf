"""`mtl init` for a column of texts: the input where no other column is left, and told of where one is."""

from pathlib import Path

import pandas as pd
import pytest

from mtl.config.inputs import TOKENS
from mtl.config.table_source import TableSource
from mtl.config.text_encoder import TextEncoder
from mtl.config.texts import TextOptions
from mtl.project.places import TEMPLATE
from mtl.setup.overlay import load_text
from tests.cli.init.test_init import made, refusal, source_of


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Texts, a label, a number, a column that names rows, and a second column of texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTL_ESTIMATE", "no")
    rows = range(120)
    frame = pd.DataFrame({
        "row": rows, "note": [f"we {'liked' if n % 3 else 'hated'} all of it {n} times 😀" for n in rows],
        "mood": ["up" if n % 3 else "down" for n in rows], "stars": [n % 5 + 0.5 for n in rows],
    })  # fmt: skip
    frame.to_csv("own.csv", index=False)
    return tmp_path


def test_texts_are_the_input_where_nothing_else_is_left(reviews: Path) -> None:
    config = made(targets="mood,good=stars>=3,stars")
    source = source_of(config)
    assert source.inputs == {"note": "text"} and source.input == TOKENS and source.ignore == ["row"]
    assert source.types == {"mood": "category", "stars": "number"}
    assert isinstance(config.encoder, TextEncoder)
    text = (reviews / "new/params.yaml").read_text(encoding="utf-8")
    assert "linear" not in text[text.index("tasks:") : text.index("# The network")]
    assert max(map(len, text.splitlines())) <= 120


def test_other_columns_are_the_input_where_they_are_and_the_way_to_texts_is_told(reviews: Path) -> None:
    config = made(targets="mood")
    assert source_of(config).inputs == {"stars": "number"}
    text = (reviews / "new/params.yaml").read_text(encoding="utf-8")
    assert "- note" in text and '`inputs: {"note": text}` learns from it alone' in text
    chosen = made("other", targets="mood", given=["inputs={note: text}"])
    assert source_of(chosen).text_column == "note" and isinstance(chosen.encoder, TextEncoder)


def test_several_columns_of_texts_are_asked_about(reviews: Path) -> None:
    frame = pd.read_csv("own.csv").assign(more=lambda rows: [f"and {n} more words of it here" for n in rows["row"]])
    frame.to_csv("own.csv", index=False)
    told = refusal(targets="mood,stars")
    assert "several columns of own.csv hold texts" in told and "--option 'inputs={note: text}'" in told


def test_the_template_names_every_setting() -> None:
    sections = load_text((TEMPLATE / "own/texts.yaml").read_text(encoding="utf-8"), "texts")
    source = sections["prepare"]["sources"]["SOURCE"]
    assert set(source["texts"]) == set(TextOptions.model_fields)
    assert set(sections["encoder"]) == set(TextEncoder.model_fields)
    assert set(source) <= set(TableSource.model_fields)
