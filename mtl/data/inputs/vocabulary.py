"""Vocabularies of texts: byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) of the bytes of UTF-8.

Every byte is a token, so that no letter or emoji is unknown; the commonest pairs of neighbours inside a word are
further ones. The package `tokenizers` learns the pairs and cuts texts; its order of equally frequent pairs is the same
in every run, which is not so of its WordPiece. n texts, T tokens of all of them.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from mtl.config.texts import TextOptions
from mtl.errors import UserError

PADDING, BEGIN, FIRST = 0, 1, 2
"""Codes of a place behind the end of a text, of the token in front of every text, and of the first byte."""
PIECE = 4096
"""Texts that are cut together."""
AT_LEAST = 2
"""Times that a pair occurs in training texts, to become a token."""
BLANK = "Ġ"
"""Letter that stands for the blank in front of a word."""


def byte_letters() -> list[str]:
    """A printable letter for each byte, in the order of the bytes (Radford et al. 2019, as GPT-2 has them)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    of_byte = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [of_byte[byte] for byte in range(256)]


@dataclass(frozen=True)
class Cut:
    """Texts as codes.

    Args:
        codes: of all texts end to end.
        begins: place of the first code of each text, and the end of the last.
        shortened: texts of which not all was read.
        marks: `FIRST_MARK` at the first token of each word, `INSIDE_MARK` at its others; None where codes tell.
    """

    codes: Int32[np.ndarray, " T"]
    begins: Int64[np.ndarray, " n1"]
    shortened: int
    marks: UInt8[np.ndarray, " T"] | None = None


@dataclass(frozen=True)
class Vocabulary:
    """Rules that turn a text into codes.

    Args:
        merges: pairs of tokens that are joined, the commonest first, each with a blank between.
        lower: capital letters are read as small ones.
        longest: codes of a text, at most.
    """

    merges: tuple[str, ...]
    lower: bool
    longest: int

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens in the order of their codes, from `FIRST` on, in the letters of their bytes."""
        known = dict.fromkeys(byte_letters())
        for merge in self.merges:
            known[merge.replace(" ", "")] = None
        return list(known)

    @property
    def size(self) -> int:
        """Number of codes."""
        return FIRST + len(self.tokens)

    def plain(self) -> dict[str, Any]:
        """The rules as files hold them."""
        return {"merges": list(self.merges), "lower": self.lower, "longest": self.longest}

    def problem(self) -> str | None:
        """The reason why the pairs are none of a vocabulary, in words; None where they are."""
        known = set(byte_letters())
        for merge in self.merges:
            left, _, right = merge.partition(" ")
            if left not in known or right not in known:
                return f"`merges` should join tokens that are there, found {merge!r}"
            known.add(left + right)
        return None

    def cut(self, texts: Sequence[str]) -> Cut:
        """The texts as codes, `BEGIN` in front of each."""
        cutter, parts, counts, shortened = self._cutter, [], np.zeros(len(texts), dtype=np.int64), 0
        for begin in range(0, len(texts), PIECE):
            some = cutter.encode_batch_fast(list(texts[begin : begin + PIECE]), add_special_tokens=False)
            for place, encoded in enumerate(some, start=begin):
                ids = encoded.ids
                shortened += len(ids) >= self.longest
                kept = np.array(ids[: self.longest - 1], dtype=np.int32) + FIRST
                parts += [np.array([BEGIN], dtype=np.int32), kept]
                counts[place] = 1 + len(kept)
        codes = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
        return Cut(codes.astype(np.int32), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), shortened)

    def cut_words(self, texts: Sequence[str]) -> Cut:
        """Texts of words with one blank between as codes, so that every word has a token of its own."""
        return self.cut(texts)

    def words(self, codes: Sequence[int]) -> str:
        """The text that some codes stand for, as far as they are whole letters."""
        byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
        letters = "".join(self.tokens[code - FIRST] for code in codes if code >= FIRST)
        return bytes(byte_of[letter] for letter in letters).decode("utf-8", errors="ignore").strip()

    @cached_property
    def _cutter(self) -> Any:
        tokenizers = package()
        known = {token: number for number, token in enumerate(self.tokens)}
        pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in self.merges)]
        cutter = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=known, merges=pairs))
        return _prepared(cutter, self.lower)


def learn_vocabulary(texts: Sequence[str], options: TextOptions) -> Vocabulary:
    """The vocabulary of some texts.

    Args:
        texts: of training rows alone.
        options: of the source.

    Raises:
        UserError: the package `tokenizers` is missing.
    """
    tokenizers = package()
    learner = _prepared(tokenizers.Tokenizer(tokenizers.models.BPE()), options.lower)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=options.size - FIRST, min_frequency=AT_LEAST, initial_alphabet=byte_letters(), show_progress=False
    )
    learner.train_from_iterator(_some(texts), trainer)
    merges = tuple(_merges(learner))
    return Vocabulary(merges, options.lower, options.longest)


def _merges(learner: Any) -> Iterator[str]:

    for merge in json.loads(learner.to_str())["model"]["merges"]:
        yield merge if isinstance(merge, str) else " ".join(merge)


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(texts), PIECE):
        yield texts[begin : begin + PIECE]


def _prepared(cutter: Any, lower: bool) -> Any:
    """The cutter with its way from a text to words: blanks in a row are one, and words, numbers and signs are apart."""
    tokenizers = package()
    blanks = tokenizers.normalizers.Replace(tokenizers.Regex(r"\s+"), " ")
    steps = [tokenizers.normalizers.NFC(), blanks, tokenizers.normalizers.Strip()]
    steps += [tokenizers.normalizers.Lowercase()] if lower else []
    cutter.normalizer = tokenizers.normalizers.Sequence(steps)
    cutter.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    return cutter


def package() -> Any:
    """The package `tokenizers`.

    Raises:
        UserError: it is missing.
    """
    # Processes that work side by side have a core each.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import tokenizers
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise UserError(
            "texts need the package tokenizers, which is not installed: `pip install 'mtl[texts]'`, or leave the "
            "column of texts out of the inputs."
        ) from None
    return tokenizers
