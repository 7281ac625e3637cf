"""`mtl init` for words that have tags: files of sentences, and columns of tag lists."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mtl.config.inputs import TOKENS
from mtl.config.tagging import TaggingTask
from mtl.config.text_encoder import TextEncoder
from tests.cli.init.test_init import made, refusal, source_of

SENTENCES = ["Ann B-per NOUN", "Lee I-per NOUN", "saw O VERB", "Rome B-loc NOUN", ""]
OTHERS = ["it O PRON", "ran O VERB", "", "in O ADP", "Oslo B-loc NOUN", ""]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of sentences, whose words have a name and a kind each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTL_ESTIMATE", "no")
    lines = [line.replace("Ann", f"Ann{n}") for n in range(40) for line in [*SENTENCES, *OTHERS]]
    Path("own.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_columns_of_a_file_of_sentences_are_tags(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = Path("own.conll")
    config = made(data=data, targets="name=column_2,column_3")
    source = source_of(config)
    assert source.inputs == {"words": "text"} and source.input == TOKENS
    assert source.tags == {"column_2": "bio", "column_3": "plain"} and source.texts.lower is False
    assert isinstance(config.encoder, TextEncoder)
    name, kind = config.tasks["name"], config.tasks["column_3"]
    assert isinstance(name, TaggingTask) and name.metric == "span_f1" and name.label == "column_2"
    assert isinstance(kind, TaggingTask) and kind.primary_metric == "accuracy"
    said = capsys.readouterr().out
    assert "name: tagging of column_2 (a tag for each word, 4 different; spans)." in said
    text = (here / "new/params.yaml").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 120


def test_names_of_columns_and_what_is_not_learnt(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["columns=[words, name, kind]"]
    config = made(data=Path("own.conll"), targets="kind", given=given)
    assert source_of(config).tags == {"kind": "plain"} and source_of(config).texts.lower is True
    assert "Tags that are not learnt: name." in capsys.readouterr().out


def test_broken_spans_are_repaired_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("own.conll").read_text(encoding="utf-8").replace("Rome B-loc", "Rome I-loc")
    Path("own.conll").write_text(text, encoding="utf-8")
    assert source_of(made(data=Path("own.conll"), targets="column_2")).tags == {"column_2": "bio_repaired"}
    assert "spans, of which some continue none" in capsys.readouterr().out


def test_lists_of_tags_in_a_table(here: Path) -> None:
    rows = [
        {"words": json.dumps(["Ann", "saw", f"r{n}"]), "pos": "N V N" if n % 2 else "N V X", "mood": "pq"[n % 2]}
        for n in range(60)
    ]
    pd.DataFrame(rows).to_csv("own.csv", index=False)
    config = made(targets="pos:tagging,mood", given=["inputs={words: text}"])
    source = source_of(config)
    assert source.tags == {"pos": "plain"} and source.text_column == "words" and source.ignore == []
    assert set(config.tasks) == {"pos", "mood"} and isinstance(config.tasks["pos"], TaggingTask)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("words", "`words` holds the words of own.conll: name one of the tags, column_2, column_3"),
        ("a=column_2==O", "asks for a rule, and `column_2` holds a tag for each word: write column_2"),
        ("column_2:binary", "should have the kind tagging, for own.conll holds a tag for each word, found 'binary'"),
        ("column_9", "should name columns of own.conll"),
    ],
)
def test_targets_that_no_sentence_has(here: Path, targets: str, message: str) -> None:
    assert message in refusal(data=Path("own.conll"), targets=targets)


def test_targets_are_asked_for_among_the_tags(here: Path) -> None:
    assert "It has column_2, column_3;" in refusal(data=Path("own.conll"))
