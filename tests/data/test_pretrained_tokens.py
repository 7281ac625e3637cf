"""Texts that are cut by the tokenizer of a pretrained network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mtl.config.table_source import TableSource
from mtl.config.texts import TextOptions
from mtl.data.build import read_source
from mtl.data.inputs.every import fitted, input_of
from mtl.data.inputs.pretrained import PretrainedVocabulary, most_tokens, sha256_of
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.inputs.vocabulary import BEGIN, FIRST
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.errors import DataError, UserError
from mtl.results.model import Scaler
from mtl.types import TextSet
from tests.helpers.tiny_networks import PLACES, SPECIAL, TINY, VOCABULARY, tokenizer, write_bert

CLS, SEP, UNKNOWN = (FIRST + SPECIAL.index(name) for name in ("[CLS]", "[SEP]", "[UNK]"))


def own(longest: int = 20) -> PretrainedVocabulary:
    return PretrainedVocabulary.of(str(TINY), longest)


def texts(cut: Any) -> list[list[int]]:
    return [cut.codes[a:b].tolist() for a, b in zip(cut.begins, cut.begins[1:], strict=False)]


def test_codes_are_the_networks_own_numbers_behind_those_of_ours() -> None:
    good, word = (FIRST + VOCABULARY.index(name) for name in ("good", "word"))
    one = FIRST + VOCABULARY.index("##1")
    assert texts(own().cut(["Good WORD1", "", "日"])) == [[CLS, good, word, one, SEP], [CLS, SEP], [CLS, UNKNOWN, SEP]]
    assert own().size == FIRST + len(VOCABULARY)


def test_longer_texts_keep_both_ends_and_are_counted() -> None:
    cut = own(longest=4).cut(["good good good", "good"])
    assert [len(text) for text in texts(cut)] == [4, 3] and cut.shortened == 1
    assert texts(cut)[0][-1] == SEP


def test_simple_models_read_the_words_of_codes() -> None:
    vocabulary = own()
    assert [vocabulary.words(text) for text in texts(vocabulary.cut(["Good word7", "bad  zz"]))] == [
        "good word7",
        "bad zz",
    ]
    assert len(vocabulary.tokens) == len(VOCABULARY)


@pytest.mark.parametrize(("kind", "spelt"), [("ByteLevel", "Ġgood"), ("Metaspace", "Ġgood")])
def test_words_of_other_tokenizers(tmp_path: Path, kind: str, spelt: str) -> None:
    content = tokenizer()
    name = "Ġgood" if kind == "ByteLevel" else "▁good"
    pieces = {"<unk>": 0, name: 1}
    content |= {
        "added_tokens": [], "post_processor": None, "normalizer": None, "decoder": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        if kind == "ByteLevel"
        else {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {"type": "WordLevel", "vocab": pieces, "unk_token": "<unk>"},
    }  # fmt: skip
    (write_bert(tmp_path) / "tokenizer.json").write_text(json.dumps(content))
    vocabulary = PretrainedVocabulary.of(str(tmp_path), 10)
    assert vocabulary.tokens[1] == spelt
    assert texts(vocabulary.cut(["good", ""])) == [[FIRST + 1], [BEGIN]]


def table(folder: Path, **options: Any) -> TextSet:
    frame = pd.DataFrame({
        "notes": [f"{'good' if n % 2 else 'bad'} word{n % 5}" * (1 + n % 3) for n in range(40)],
        "label": ["yes" if n % 2 else "no" for n in range(40)],
    })  # fmt: skip
    frame.to_csv(folder / "own.csv", index=False)
    section = {"kind": "table", "path": "own.csv", "inputs": {"notes": "text"}, "folds": 2}
    section |= {"texts": {"tokenizer": "network", "longest": 8}}
    data = read_source("own", TableSource.model_validate(section | options), folder)
    assert isinstance(data, TextSet)
    return data


def test_a_source_holds_the_codes_once_and_its_tokenizer_by_hash(tmp_path: Path) -> None:
    write_bert(tmp_path / "network")
    data = table(tmp_path)
    assert any("tokens are those of network; 26 of 40 texts are longer than 8 tokens" in note for note in data.notes)
    assert data.tokens[0] is data.tokens[1]
    write_prepared(data, tmp_path / "data/prepared/own", {})
    again = load_prepared("own", tmp_path / "data/prepared")
    assert isinstance(again, TextSet) and again.tokenizer == data.tokenizer
    assert np.array_equal(again.tokens[1].codes, data.tokens[0].codes)
    fit = input_of(again).fit(1)
    assert isinstance(fit, FittedTokens)
    plain = Scaler(**fit.plain())
    assert plain.columns == 1 and plain.problem() is None
    kept = fitted(input_of(again).kind, plain.plain())
    assert isinstance(kept, FittedTokens) and kept.vocabulary == fit.vocabulary
    meta = json.loads((tmp_path / "data/prepared/own/meta.json").read_text())
    assert meta["tokenizer"] == {"model": "network", "sha256": sha256_of(tmp_path / "network/tokenizer.json")}


def test_a_tokenizer_that_was_changed(tmp_path: Path) -> None:
    write_bert(tmp_path)
    vocabulary = PretrainedVocabulary.of(str(tmp_path), 10)
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer() | {"truncation": None}, indent=1))
    with pytest.raises(UserError, match=r"tokenizer.json is not the tokenizer that cut the texts before: put that"):
        vocabulary.cut(["good"])


def test_texts_beyond_what_the_network_takes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"`texts.longest` should be at most {PLACES}, which the network in"):
        own(longest=PLACES + 1)
    assert most_tokens(write_bert(tmp_path, model_type="roberta", pad_token_id=1)) == PLACES - 2


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    (write_bert(tmp_path) / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"should hold tokenizer.json, found none: `AutoTokenizer"):
        PretrainedVocabulary.of(str(tmp_path), 10)


def test_a_vocabulary_is_learnt_or_taken() -> None:
    with pytest.raises(ValidationError, match="lower, size should be left out beside `tokenizer`"):
        TextOptions(tokenizer="network", size=400, lower=False)
    taken = TextOptions(tokenizer="network")
    assert TextOptions.model_validate(taken.model_dump()) == taken
