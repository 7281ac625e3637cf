"""Tags of words: files of sentences, columns of tag lists, and what keeps both from being read."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError

from mtl.config import Task
from mtl.config.inputs import IMAGES, ROWS, TOKENS
from mtl.config.table_file import TableFile
from mtl.config.table_source import TableSource
from mtl.config.tagging import TaggingTask
from mtl.config.tasks import ClassificationTask
from mtl.data.build import read_source
from mtl.data.columns.infer import column_facts
from mtl.data.columns.section import table_section
from mtl.data.formats.tables import read_table
from mtl.data.inputs.base import Layout
from mtl.data.inputs.tokens import FittedTokens, TokensInput
from mtl.data.inputs.words import first_of_words, joined, words_in
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.errors import DataError, SettingError
from mtl.types import NO_LABEL, TextSet

UNIVERSAL = """# newdoc id = one
# text = Don't go
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tgone\tgo\tVERB\tVB\t_\t_\t_\t_\t_

# text = 1 000 cats
1\t1 000\t1000\tNUM\tCD\t_\t2\tnummod\t_\t_
2\tcats\tcat\tNOUN\tNNS\t_\t0\troot\t_\t_

"""
PLAIN = "-DOCSTART- O\n\nAnn B-per\nLee I-per\nsaw O\nRome B-loc\n\t\n#tag\tO\nhi\tO\n\n\nBo B-per\n\n"


def table(root: Path, text: str, tags: dict[str, str], name: str = "own.conll", **options: Any) -> TextSet:
    """The texts of a file, a third of them for tests."""
    (root / name).write_text(text, encoding="utf-8")
    settings = {"kind": "table", "path": name, "inputs": {"words": "text"}, "tags": tags, "folds": 1,
                "split": {"kind": "time", "test": 1}, "texts": {"size": 300}} | options  # fmt: skip
    made = read_source("own", TableSource.model_validate(settings), root)
    assert isinstance(made, TextSet)
    return made


def rows(data: TextSet, name: str) -> list[list[str]]:
    """Tags of each text by name."""
    names = [*data.tag_names[name], ""]
    return [[names[number] for number in row if number != NO_LABEL] for row in data.tags_side_by_side(name).tolist()]


def text_of(data: TextSet, row: int) -> str:
    source = TokensInput(data)
    fitted = source.fit(0)
    assert isinstance(fitted, FittedTokens)
    begin, end = data.tokens[0].begins[row : row + 2].tolist()
    return fitted.vocabulary.words(data.tokens[0].codes[begin:end].tolist())


def test_words_of_conll_u_without_joined_and_empty_ones(tmp_path: Path) -> None:
    data = table(tmp_path, UNIVERSAL * 3, {"upos": "plain", "deprel": "plain"}, "own.conllu")
    assert rows(data, "upos")[:2] == [["AUX", "PART", "VERB"], ["NUM", "NOUN"]]
    assert rows(data, "deprel")[1] == ["nummod", "root"]
    assert [text_of(data, row) for row in (0, 1)] == ["do n't go", "1000 cats"]
    assert data.columns == data.category_columns == []


def test_words_and_tags_parted_by_blanks_or_tabs(tmp_path: Path) -> None:
    data = table(tmp_path, PLAIN * 2, {"column_2": "bio"})
    assert rows(data, "column_2")[:3] == [["B-per", "I-per", "O", "B-loc"], ["O", "O"], ["B-per"]]
    named = table(tmp_path, PLAIN * 2, {"name": "bio"}, columns=["words", "name"])
    assert rows(named, "name") == rows(data, "column_2")


def test_a_tag_stands_at_the_first_token_of_its_word(tmp_path: Path) -> None:
    data = table(tmp_path, PLAIN * 2, {"column_2": "bio"})
    source = TokensInput(data)
    samples = source.sampler(source.fit(0), 0)(torch.arange(6), 0)
    x, _ = samples.gather(torch.arange(6), 0)
    assert first_of_words(x).sum(dim=1).tolist() == [len(row) for row in rows(data, "column_2")]
    assert not bool(first_of_words(x)[:, 0].any())
    frame = pd.DataFrame({"words": ["Ann Lee saw Rome", "#tag hi"]})
    given, _ = TokensInput.given(frame, Layout("own", (1,), ["words"], source.fit(0)), 0).gather(torch.arange(2), 0)
    assert torch.equal(given, x[:2, : given.shape[1]])


def test_tags_are_kept_and_read_again(tmp_path: Path) -> None:
    data = table(tmp_path, PLAIN * 2, {"column_2": "bio"})
    write_prepared(data, tmp_path / "own", {})
    read = load_prepared("own", tmp_path)
    assert isinstance(read, TextSet) and rows(read, "column_2") == rows(data, "column_2")
    assert TokensInput(read).held.tags == {"column_2": ["B-loc", "B-per", "I-per", "O"]}


def test_lists_of_a_table_stand_with_blanks_or_as_json(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "words": ["a b", '["c", "d e", "f"]', "NA", "a"], "kind": ["X Y", '["X", "_", "Y"]', "Y", None],
        "part": ["train", "train", "val", "test"], "mood": list("pqpq"),
    })  # fmt: skip
    split = {"kind": "column", "column": "part"}
    data = table(tmp_path, frame.to_csv(index=False), {"kind": "plain"}, "own.csv", split=split)
    assert rows(data, "kind") == [["X", "Y"], ["X", "Y"], ["Y"], []]
    assert data.words is not None and data.words.tolist() == [0, 2, 5, 6, 7]
    assert text_of(data, 1) == "c de f" and text_of(data, 2) == "na"


def test_sets_of_files_are_one_table_with_parts(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("train.x", "dev.x", "test.x"):
        (folder / name).write_text(PLAIN, encoding="utf-8")
    for name in ("a.conllu", "b.conllu"):
        (folder / name).write_text(UNIVERSAL * 4, encoding="utf-8")
    sets = {
        "names": {"files": {"train": "train.x", "val": "dev.x", "test": "test.x"}, "columns": ["words", "name"]},
        "kinds": {"files": {"train": "a.conllu", "test": "b.conllu"}, "val_every": 2},
    }
    settings = {"kind": "table", "path": "raw", "inputs": {"words": "text"}, "conll": {"sets": sets},
                "split": {"kind": "column", "column": "part"}, "tags": {"name": "bio", "upos": "plain"}}  # fmt: skip
    data = read_source("own", TableSource.model_validate(settings), tmp_path)
    assert isinstance(data, TextSet)
    # Sets are three sentences in each file, then two documents of two sentences of which every second is held out.
    assert data.fold.tolist() == [1] * 3 + [0] * 3 + [-1] * 3 + [1, 1, 0, 0] * 2 + [-1] * 8
    assert [bool(row) for row in rows(data, "name")] == [True] * 9 + [False] * 16
    assert [bool(row) for row in rows(data, "upos")] == [False] * 9 + [True] * 16
    tasks: dict[str, Task] = {name: TaggingTask(kind="tagging", source="own", label=name) for name in ("name", "upos")}
    made = build_tasks(tasks, {"own": data}, 0)
    assert made.train_sizes() == {"name": 3, "upos": 4}


@pytest.mark.parametrize(
    ("text", "tags", "message"),
    [
        ("a X\nb\n", {"column_2": "plain"}, r"own\.conll, line 2: should hold 2 cells \(words, column_2\), found 1"),
        (
            "a B-x\nb X\n",
            {"column_2": "bio"},
            r"line 1, column `column_2`: word 2 should have the tag O, B",
        ),
        (
            "a O\nb I-x\n",
            {"column_2": "bio"},
            r"line 1, .*: word 2 has the tag I-x behind O.*bio_repair",
        ),
        ("a B-y\nb I-x\n", {"column_2": "bio"}, "has the tag I-x behind B-y"),
        ("a O\n\nb I-x\n", {"column_2": "bio"}, r"own\.conll, line 3, .*I-x at the begin of a text"),
        ("a X\n\nb X\n", {"column_2": "plain"}, "should hold 2 to 1,000 different tags, found 1, such as 'X'"),
        ("a X\n\nb Y\n", {"pos": "plain"}, r"no column `pos`; found: words, column_2.*`tags`"),
        ("\n\n", {"column_2": "plain"}, "should hold sentences, a word a line, found none"),
    ],
)
def test_bad_files_of_sentences(text: str, tags: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, text, tags)


def test_broken_spans_are_repaired_by_option(tmp_path: Path) -> None:
    data = table(tmp_path, "a O\nb I-x\nc I-x\n\nd I-x\ne O\n\nf O\n\n", {"column_2": "bio_repaired"})
    assert rows(data, "column_2") == [["O", "B-x", "I-x"], ["B-x", "O"], ["O"]]
    assert any("column_2: 2 tags `I-…` continued no span" in note for note in data.notes)


def test_tags_should_be_as_many_as_words(tmp_path: Path) -> None:
    text = "words,kind\na b,X Y\na b c,X Y\na,X\n"
    with pytest.raises(DataError, match=r"own\.csv, line 3, column `kind`: should hold a tag for each of the 3 .*2"):
        table(tmp_path, text, {"kind": "plain"}, "own.csv")


def test_a_file_of_sentences_is_shown_with_its_words_and_tags(tmp_path: Path) -> None:
    (tmp_path / "own.conllu").write_text(UNIVERSAL * 3, encoding="utf-8")
    facts = column_facts(read_table(TableFile(path="own.conllu"), tmp_path))
    section = table_section("own", "data/raw/own.conllu", {}, facts)
    source = yaml.safe_load(section)["prepare"]["sources"]["own"]
    assert source["inputs"] == {"words": "text"} and source["tags"] == {"upos": "plain"}
    assert TableSource.model_validate(source).tagged == ["upos"]
    assert "tags: lemma, upos, xpos" in section


def test_images_and_rows_have_neither_words_nor_steps() -> None:
    task = TaggingTask(kind="tagging", source="own", label="pos")
    for kind in (IMAGES, ROWS):
        with pytest.raises(SettingError, match=r"t\.kind` is for the words of texts and the rows of series, and own"):
            task.check_input("t", "own", kind)
    task.check_input("t", "own", TOKENS)


def test_words_behind_the_longest_text_are_counted(tmp_path: Path) -> None:
    text = "".join(f"w{number} {'XY'[number % 2]}\n" for number in range(40)) + "\n"
    data = table(tmp_path, f"{text}a X\n\n{text}", {"column_2": "plain"}, texts={"size": 300, "longest": 10})
    assert any("words stand behind the 10 tokens and have no tag" in note for note in data.notes)
    assert data.tags_side_by_side("column_2").shape == (3, 9)


def test_a_tag_that_is_in_no_training_text(tmp_path: Path) -> None:
    data = table(tmp_path, "a X\nb Y\n\nc X\nb Y\n\nd X\n\ne Z\n\n", {"column_2": "plain"})
    tasks: dict[str, Task] = {"t": TaggingTask(kind="tagging", source="own", label="column_2")}
    with pytest.raises(DataError, match=r"tasks\.t: no training sample has the tag 'Z'"):
        build_tasks(tasks, {"own": data}, 0)


def test_what_a_tagging_may_name(tmp_path: Path) -> None:
    data = table(tmp_path, PLAIN * 3, {"column_2": "bio"})
    task = TaggingTask(kind="tagging", source="own", label="pos")
    with pytest.raises(SettingError, match=r"tasks\.t\.label` should be one of the tags column_2 of own, found 'pos'"):
        build_tasks({"t": task}, {"own": data}, 0)
    label = ClassificationTask(kind="classification", source="own", label="column_2")
    with pytest.raises(SettingError, match=r"tasks\.t\.label"):
        build_tasks({"t": label}, {"own": data}, 0)
    plain = table(tmp_path, "a X\nb Y\n\n" * 3 + "c X\nb Y\n\na Y\n\n", {"column_2": "plain"})
    spans = TaggingTask(kind="tagging", source="own", label="column_2", metric="span_f1")
    with pytest.raises(SettingError, match=r"tasks\.t\.metric` should be accuracy, .*name no spans"):
        build_tasks({"t": spans}, {"own": plain}, 0)


def test_settings_that_do_not_fit() -> None:
    base = {"kind": "table", "path": "x.csv"}
    for more, message in (
        ({"tags": {"t": "plain"}}, "alone beside `tags`"),
        ({"inputs": {"w": "text"}, "tags": {"w": "plain"}}, "should name no column of `inputs`"),
        ({"inputs": {"w": "text"}, "tags": {"t": "bioes"}}, "plain"),
        ({"conll": {"sets": {"a": {"files": {"train": "../x"}}}}}, "should lie below path"),
        ({"conll": {"sets": {"a": {"files": {"val": "x"}, "val_every": 5}}}}, "val_every should stand beside"),
    ):
        with pytest.raises(ValidationError, match=message):
            TableSource.model_validate(base | more)


def test_words_of_odd_signs_stay_as_many() -> None:
    assert joined(["a\u00a0b", "\u2003", "c"]) == "ab \ufffd c"
    assert words_in(' ["a", 1] ') == ["a", "1"] and words_in("[a b") == ["[a", "b"]
    with pytest.raises(ValueError, match="list of words"):
        words_in('[["a"]]')
