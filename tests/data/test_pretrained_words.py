"""Words that have tags, cut by the tokenizer of a pretrained network: every word keeps its place and its tag."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tokenizers import Tokenizer
from torch import Tensor

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.inputs.base import Layout
from mtl.data.inputs.pretrained import PretrainedVocabulary
from mtl.data.inputs.tokens import FittedTokens, TokensInput
from mtl.data.inputs.vocabulary import BEGIN, FIRST, Cut
from mtl.data.inputs.words import first_of_words, inside_of_words, joined
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.errors import DataError
from mtl.types import NO_LABEL, TextSet
from tests.helpers.tiny_networks import SPECIAL, TINY, VOCABULARY, tokenizer, write_bert

CLS, SEP, UNKNOWN = (FIRST + SPECIAL.index(name) for name in ("[CLS]", "[SEP]", "[UNK]"))
NO_SIGN = "\u200b"
"""A blank without width, which BERT's tokenizers leave out."""
letters = some.sampled_from([*"abgodwr1'-.Eé日", NO_SIGN, "\ufffd", "🙂"])
words = some.lists(some.text(letters, min_size=1, max_size=6), max_size=8)


def own(longest: int = 40, folder: Path = TINY) -> PretrainedVocabulary:
    return PretrainedVocabulary.of(str(folder), longest)


def places(cut: Cut, text: int = 0) -> tuple[list[int], list[int]]:
    """Codes and marks of a text."""
    assert cut.marks is not None
    begin, end = cut.begins[text : text + 2].tolist()
    return cut.codes[begin:end].tolist(), cut.marks[begin:end].tolist()


def test_the_first_piece_of_a_word_is_marked_and_so_are_its_others() -> None:
    good, word = (FIRST + VOCABULARY.index(name) for name in ("good", "word"))
    ones = FIRST + VOCABULARY.index("##1")
    cut = own().cut_words(["Good WORD11 日", ""])
    assert places(cut) == ([CLS, good, word, ones, ones, UNKNOWN, SEP], [0, 2, 2, 1, 1, 2, 0])
    assert places(cut, 1) == ([CLS, SEP], [0, 0])


def test_pieces_of_signs_belong_to_their_word() -> None:
    codes, marks = places(own().cut_words(["word-word good"]))
    assert len(codes) == 6 and marks == [0, 2, 1, 1, 2, 0]


@given(words)
@settings(max_examples=60, deadline=None)
def test_places_are_those_of_the_tokenizers_own_words(text: list[str]) -> None:
    oracle = Tokenizer.from_file(str(TINY / "tokenizer.json")).encode(text, is_pretokenized=True)
    codes, marks = places(own(60).cut_words([joined(text)]))
    assert sum(mark == 2 for mark in marks) == len(text)
    read = [number for number in oracle.word_ids if number is not None]
    if len(set(read)) == len(text):  # no word is of left out signs alone
        assert [code - FIRST for code in codes] == oracle.ids
        numbers = torch.tensor(marks).eq(2).cumsum(0).sub(1).tolist()
        assert [n if mark else None for n, mark in zip(numbers, marks, strict=True)] == oracle.word_ids
    else:
        assert codes.count(UNKNOWN) >= len(text) - len(set(read))


@given(words, some.integers(3, 9))
@settings(max_examples=60, deadline=None)
def test_a_longer_text_keeps_its_first_words(text: list[str], longest: int) -> None:
    whole, cut = own(60).cut_words([joined(text)]), own(longest).cut_words([joined(text)])
    (codes, marks), (short, short_marks) = places(whole), places(cut)
    assert len(short) <= longest and cut.shortened == (len(codes) > longest)
    assert short[:-1] == codes[: len(short) - 1] and short_marks[:-1] == marks[: len(short) - 1]


def test_a_word_of_signs_that_are_left_out_stays_a_word() -> None:
    assert places(own().cut_words([joined(["good", NO_SIGN, "bad"])]))[0][2] == UNKNOWN
    assert places(own().cut_words([joined([" ", "bad"])]))[1] == [0, 2, 2, 0]


def test_a_word_that_no_token_stands_for(tmp_path: Path) -> None:
    content = tokenizer()
    content["model"] |= {"unk_token": NO_SIGN}
    (write_bert(tmp_path) / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"text 1 \(counted from 0\): the tokenizer of .* leaves out the whole word"):
        own(folder=tmp_path).cut_words(["good", f"bad {NO_SIGN}"])


def test_words_of_bytes_have_the_blank_in_front_of_them(tmp_path: Path) -> None:
    content = tokenizer()
    names = {"Ġgood": 0, "Ġbad": 1, "ly": 2, "good": 3, "<unk>": 4}
    content |= {
        "added_tokens": [], "post_processor": None, "normalizer": None, "decoder": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "WordLevel", "vocab": names, "unk_token": "<unk>"},
    }  # fmt: skip
    (write_bert(tmp_path) / "tokenizer.json").write_text(json.dumps(content))
    cut = own(folder=tmp_path).cut_words(["good bad", ""])
    assert places(cut) == ([FIRST, FIRST + 1], [2, 2]) and places(cut, 1) == ([BEGIN], [0])


def table(root: Path, **options: Any) -> TextSet:
    """Sentences with a list of tags and a label beside it."""
    write_bert(root / "network")
    rows = [
        {"words": "good word7 x", "pos": "A N X", "mood": "up", "part": "train"},
        {"words": '["bad", "word 1 1", "\\u200b"]', "pos": '["A", "N", "X"]', "mood": "down", "part": "train"},
        {"words": "good bad word1 good", "pos": "A A _ A", "mood": "up", "part": "val"},
        {"words": "word", "pos": "", "mood": "down", "part": "test"},
    ]
    pd.DataFrame(rows).to_csv(root / "own.csv", index=False)
    section: dict[str, Any] = {
        "kind": "table", "path": "own.csv", "inputs": {"words": "text"}, "tags": {"pos": "plain"},
        "split": {"kind": "column", "column": "part"}, "texts": {"tokenizer": "network", "longest": 16},
    }  # fmt: skip
    made = read_source("own", TableSource.model_validate(section | options), root)
    assert isinstance(made, TextSet)
    return made


def batch(data: TextSet) -> tuple[Tensor, FittedTokens]:
    source = TokensInput(data)
    fitted = source.fit(0)
    assert isinstance(fitted, FittedTokens)
    return source.sampler(fitted, 0)(torch.arange(4), 0).gather(torch.arange(4), 0)[0], fitted


def test_tags_stand_at_the_words_of_a_batch(tmp_path: Path) -> None:
    data = table(tmp_path)
    x, _ = batch(data)
    assert data.words is not None
    assert first_of_words(x).sum(dim=1).tolist() == data.words.diff().tolist() == [3, 3, 4, 1]
    assert inside_of_words(x).sum(dim=1).tolist() == [1, 2, 1, 0]
    assert data.tags_side_by_side("pos").ne(NO_LABEL).sum(dim=1).tolist() == [3, 3, 3, 0]


def test_marks_are_kept_and_those_of_new_texts_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = table(tmp_path)
    write_prepared(data, tmp_path / "data/prepared/own", {})
    read = load_prepared("own", tmp_path / "data/prepared")
    assert isinstance(read, TextSet)
    x, fitted = batch(read)
    assert torch.equal(x, batch(data)[0])
    kept = FittedTokens.from_plain(fitted.plain())
    assert kept.words and kept.vocabulary == fitted.vocabulary
    new = TokensInput.given(["good word7 x", '["bad", "word 1 1", "\\u200b"]'], Layout("own", (1,), ["words"], kept), 0)
    given_, _ = new.gather(torch.arange(2), 0)
    assert torch.equal(given_, x[:2, : given_.shape[1]])


def test_words_behind_the_longest_text_are_counted(tmp_path: Path) -> None:
    data = table(tmp_path, texts={"tokenizer": "network", "longest": 5})
    (told,) = (note for note in data.notes if "tokens are those of network" in note)
    assert "3 of 11 words stand behind the 5 tokens and have no tag; 3 of 4 texts are longer than 5 tokens" in told
