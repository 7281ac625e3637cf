"""Texts of a table: vocabularies of the training rows of a fold, codes end to end, batches as long as their longest."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config import ClassificationTask
from mtl.config.inputs import MIXED, ROWS, TOKENS
from mtl.config.table_source import TableSource
from mtl.config.texts import TextOptions
from mtl.data.build import read_source
from mtl.data.inputs.base import Layout
from mtl.data.inputs.tokens import FittedTokens, TextSamples, TokensInput, texts_of
from mtl.data.inputs.vocabulary import BEGIN, FIRST, PADDING, Vocabulary, learn_vocabulary
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.errors import DataError
from mtl.types import TextSet

WORDS = [
    "the cat sat on the mat",
    "The dog, the dog!",
    "ÜBER überall",
    "love it 😀😀",
    "日本語",
    "",
    "don't #tag @user",
]


def vocabulary(texts: list[str] = WORDS, **options: Any) -> Vocabulary:
    return learn_vocabulary(texts, TextOptions(**({"size": 300} | options)))


def back(own: Vocabulary, texts: list[str]) -> list[str]:
    """The texts after they were cut into tokens and put together again."""
    cut = own.cut(texts)
    return [own.words(cut.codes[a:b].tolist()) for a, b in zip(cut.begins, cut.begins[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("The Cat", "the cat"),
        ("  two   blanks\t\nand lines ", "two blanks and lines"),
        ("", ""),
        (" \n ", ""),
        ("never seen: жук 🦔 ﷽", "never seen: жук 🦔 ﷽"),
        ("e\u0301", "é"),
        ("[PAD] [UNK] </s>", "[pad] [unk] </s>"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    ],
)
def test_any_text_is_read_whole(text: str, read: str) -> None:
    assert back(vocabulary(), [text]) == [read]


def test_capital_letters_by_option() -> None:
    assert back(vocabulary(lower=False), ["The Cat"]) == ["The Cat"]


def test_every_text_begins_with_a_token_of_its_own_and_no_other_is_padding() -> None:
    cut = vocabulary().cut(WORDS)
    assert (cut.codes[cut.begins[:-1]] == BEGIN).all()
    others = np.delete(cut.codes, cut.begins[:-1])
    assert others.min() >= FIRST > PADDING
    assert np.diff(cut.begins)[WORDS.index("")] == 1


def test_longer_texts_are_cut_and_counted() -> None:
    own = vocabulary(longest=4)
    cut = own.cut(["日本語 日本語", "cat", ""])
    assert np.diff(cut.begins).max() == 4
    assert cut.shortened == 1
    assert vocabulary(longest=200).cut(["cat"]).shortened == 0


def test_frequent_pairs_are_joined_up_to_the_size() -> None:
    own = vocabulary(["aaab aaab aaab"], size=300)
    assert own.merges[0] == "a a"
    assert own.size == FIRST + 256 + 4
    assert len(own.cut(["aaab"]).codes) == 2


def test_a_vocabulary_is_the_same_each_time() -> None:
    texts = [" ".join(chr(97 + (7 * n * n + k * k) % 26) * (1 + k % 3) for k in range(9)) for n in range(400)]
    assert vocabulary(texts, size=600) == vocabulary(texts, size=600)


@pytest.mark.parametrize("merges", [("a",), ("ab c",), ("a b", "ab cd")])
def test_pairs_of_tokens_that_are_not_there_are_none(merges: tuple[str, ...]) -> None:
    assert "should join tokens" in str(Vocabulary(merges, True, 10).problem())


def table(count: int = 40) -> pd.DataFrame:
    notes = [f"{'good' if n % 2 else 'bad'} word{n % 5} 😀" * (1 + n % 3) for n in range(count)]
    return pd.DataFrame(
        {"notes": notes, "label": ["yes" if n % 2 else "no" for n in range(count)], "score": range(count)}
    )


def read(folder: Path, frame: pd.DataFrame, **options: Any) -> TextSet:
    frame.to_csv(folder / "own.csv", index=False)
    section = {"kind": "table", "path": "own.csv", "inputs": {"notes": "text"}, "folds": 2, "texts": {"size": 300}}
    data = read_source("own", TableSource.model_validate(section | options), folder)
    assert isinstance(data, TextSet)
    return data


LABEL = ClassificationTask(kind="classification", source="own", label="label")


def test_a_table_of_texts(tmp_path: Path) -> None:
    data = read(tmp_path, table())
    assert (data.text, data.columns, data.category_columns, data.folds) == ("notes", ["score"], ["label"], 2)
    source = TokensInput(data).for_tasks([LABEL])
    assert source.columns == ["notes"] and source.held.kind == TOKENS
    assert list(source.data.labels) == ["label"] and source.data.classes == {"label": ["no", "yes"]}
    assert source.describe() == "texts of at most 128 tokens"
    assert [note for note in data.notes if "tokens are learnt" in note]
    ((name, letters),) = source.seen(0)
    assert name == "notes (characters)" and isinstance(letters, np.ndarray) and letters.min() >= 10


def test_a_fold_learns_its_vocabulary_on_its_training_rows_alone(tmp_path: Path) -> None:
    frame = table()
    plain = read(tmp_path, frame)
    for fold in range(2):
        marked = frame.copy()
        outside = ~TokensInput(plain).masks(fold)["train"].numpy()
        marked.loc[outside, "notes"] = [f"zebra{n} zebra zebra" for n in range(int(outside.sum()))]
        changed = read(tmp_path, marked)
        assert torch.equal(changed.fold, plain.fold)
        assert changed.tokens[fold].merges == plain.tokens[fold].merges
        assert changed.tokens[1 - fold].merges != plain.tokens[1 - fold].merges


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    data = read(tmp_path, table())
    write_prepared(data, tmp_path / "own", {})
    again = load_prepared("own", tmp_path)
    assert isinstance(again, TextSet)
    for before, after in zip(data.tokens, again.tokens, strict=True):
        assert torch.equal(before.codes, after.codes) and torch.equal(before.begins, after.begins)
        assert before.merges == after.merges
    assert (again.text, again.lower, again.longest) == ("notes", True, 128)
    assert data.letters is not None and again.letters is not None and torch.equal(data.letters, again.letters)


def test_a_batch_is_as_long_as_its_longest_text(tmp_path: Path) -> None:
    source = TokensInput(read(tmp_path, table()))
    fitted = source.fit(0)
    assert isinstance(fitted, FittedTokens)
    samples = source.sampler(fitted, 0)(torch.tensor([0, 5, 2, 8]), 0)
    assert isinstance(samples, TextSamples)
    for index in (torch.tensor([0]), torch.tensor([1, 3, 0]), torch.arange(4)):
        x, following = samples.gather(index, 0)
        assert following is None and x.shape == (len(index), int(samples.lengths[index].max()))
        for row, place in zip(x, index.tolist(), strict=True):
            number, count = int(samples.numbers[place]), int(samples.lengths[place])
            begin = int(source.data.tokens[0].begins[number])
            assert row[:count].tolist() == source.data.tokens[0].codes[begin : begin + count].tolist()
            assert (row[count:] == PADDING).all()


def test_texts_that_a_user_gives_are_cut_as_those_of_the_table(tmp_path: Path) -> None:
    frame = table()
    source = TokensInput(read(tmp_path, frame))
    fitted = source.fit(1)
    own = source.sampler(fitted, 0)(torch.arange(len(frame)), 0).gather(torch.arange(len(frame)), 0)[0]
    layout = Layout("own", (1,), ["notes"], FittedTokens.from_plain(fitted.plain()))
    for values in (frame[["notes"]], frame["notes"].tolist(), frame["notes"], frame["notes"].to_numpy()):
        given = TokensInput.given(values, layout, 0)
        assert torch.equal(given.gather(torch.arange(len(given)), 0)[0], own)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("one text", r"`\[text\]` makes a batch of one"),
        ([], "at least one"),
        (["a", 3], "sample 1 .* should be a text, found int"),
        (pd.DataFrame({"other": ["a"]}), "'notes' missing"),
        (3.0, "a list of texts"),
    ],
)
def test_what_is_no_text_is_refused(values: object, told: str) -> None:
    layout = Layout("own", (1,), ["notes"], FittedTokens.of(vocabulary()))
    with pytest.raises(DataError, match=told):
        TokensInput.given(values, layout, 0)


def test_missing_texts_are_empty() -> None:
    assert texts_of(["a", None, float("nan"), pd.NA], "notes") == ["a", "", "", ""]


def test_empty_and_missing_cells_are_texts_without_words(tmp_path: Path) -> None:
    frame = table()
    frame.loc[3, "notes"], frame.loc[4, "notes"], frame.loc[6, "notes"] = "", "  ", "n/a"
    data = read(tmp_path, frame, missing=["n/a"])
    assert "notes: 3 of 40 texts are empty; they are read as texts of no word." in data.notes
    begins = data.tokens[0].begins
    assert (begins[[4, 5, 7]] - begins[[3, 4, 6]]).tolist() == [1, 1, 1]
    usual = read(tmp_path, frame)
    assert "notes: 2 of 40 texts are empty; they are read as texts of no word." in usual.notes


def test_copies_of_a_text_are_told(tmp_path: Path) -> None:
    frame = table()
    frame.loc[20:, :] = frame.loc[:19, :].to_numpy()
    assert any("have a copy among" in note for note in read(tmp_path, frame).notes)


def test_cut_texts_are_told(tmp_path: Path) -> None:
    data = read(tmp_path, table(), texts={"size": 300, "longest": 3})
    assert any("40 of 40 texts are longer than 3 tokens and are cut" in note for note in data.notes)


def test_the_kind_of_input_follows_the_column() -> None:
    texts = TableSource.model_validate({"kind": "table", "path": "own.csv", "inputs": {"notes": "text"}})
    listed = {"kind": "table", "path": "own.csv", "inputs": ["notes"], "types": {"notes": "text"}}
    rows = TableSource.model_validate({"kind": "table", "path": "own.csv"})
    assert (texts.input, TableSource.model_validate(listed).input, rows.input) == (TOKENS, TOKENS, ROWS)


@pytest.mark.parametrize(
    "options", [{"inputs": {"notes": "text", "dose": "number"}}, {"also": ["b.csv"], "file_column": "file"}]
)
def test_a_text_beside_other_inputs_is_a_mixture(options: dict[str, Any]) -> None:
    section = {"kind": "table", "path": "own.csv", "inputs": {"notes": "text"}}
    assert TableSource.model_validate(section | options).input == MIXED


def test_a_text_that_nobody_named_is_refused_with_the_way(tmp_path: Path) -> None:
    frame = table()
    frame["notes"] = [f"some words of row {n} here" for n in range(len(frame))]
    with pytest.raises(DataError, match=r'`inputs: \{"notes": text\}` learns from it alone'):
        read(tmp_path, frame, inputs=None)


def test_a_table_without_anything_to_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns besides the texts"):
        read(tmp_path, table()[["notes"]])


def test_texts_that_never_change_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="should have texts that differ"):
        read(tmp_path, table().assign(notes="the same"))
