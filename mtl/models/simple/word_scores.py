"""Scores of the words of texts by what they look like: the word, its begin and end, its shape, and its neighbours.

Words are read from the codes of their tokens, as networks see them. A feature is a column of a sparse matrix, found by
a hash of its name (Weinberger et al. 2009, arXiv 0902.2206), so that no list of features has to be kept.

B texts, N places, w words of all texts, P columns, k classes.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mtl.data.inputs.vocabulary import FIRST, byte_letters
from mtl.data.inputs.words import first_of_words
from mtl.models.heads import at_positions
from mtl.models.simple.ngrams import unpacked
from mtl.results.simple import WordFit

COLUMNS = 1 << 16
"""P, a power of 2."""
LETTERS = 4
"""Letters of the longest begin and end of a word."""
NEAR = (-2, -1, 1, 2)
"""Neighbours that are looked at."""
OUTSIDE = "\n"
"""Stands for a neighbour before the begin or behind the end of a text."""
RUNS = ((re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\d+"), "0"))


class WordScores(nn.Module):
    """k numbers of each word, each a weighted sum of its features.

    Args:
        fit: sizes.
        classes: k.
    """

    def __init__(self, fit: WordFit, classes: int) -> None:
        super().__init__()
        self.register_buffer("tokens", torch.zeros(fit.token_bytes, dtype=torch.uint8))
        self.register_buffer("weight", torch.zeros(classes, COLUMNS))
        self.register_buffer("bias", torch.zeros(classes))
        self.tokens: UInt8[Tensor, " _"]
        self.weight: Float[Tensor, "k P"]
        self.bias: Float[Tensor, " k"]

    @cached_property
    def _tokens(self) -> list[str]:
        return unpacked(self.tokens)

    def forward(self, x: Float[Tensor, "B N"]) -> Float[Tensor, "B N k"]:
        matrix = features_of(words_of(x, self._tokens))
        numbers = torch.from_numpy(np.asarray(matrix @ self.weight.cpu().numpy().T)) + self.bias.cpu()
        firsts = first_of_words(x)
        whole = numbers.new_zeros(*x.shape, len(self.bias))
        whole[firsts.cpu()] = numbers
        return at_positions(whole.to(x.device), firsts)


def words_of(x: Float[Tensor, "B N"], tokens: Sequence[str]) -> list[list[str]]:
    """Words of each text, as far as they are whole letters.

    Args:
        x: codes, of which those that begin a word are marked.
        tokens: in the order of their codes, in the letters of their bytes.
    """
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    pieces = [b""] * FIRST + [bytes(byte_of[letter] for letter in token) for token in tokens]
    texts: list[list[str]] = []
    for row, firsts in zip(x.long().tolist(), first_of_words(x).tolist(), strict=True):
        begins = [place for place, first in enumerate(firsts) if first]
        ends = [*begins[1:], len(row)]
        joined = (b"".join(pieces[code] for code in row[a:b]) for a, b in zip(begins, ends, strict=False))
        texts.append([word.decode("utf-8", errors="ignore").strip() for word in joined])
    return texts


def features_of(texts: Sequence[Sequence[str]]) -> Any:
    """Sparse float32 [w, P]: how often a word has a feature, of the words of all texts in their order."""
    from scipy import sparse

    columns: list[int] = []
    ends = [0]
    known: dict[str, int] = {}
    for words in texts:
        for names in _features(words):
            for name in names:
                if name not in known:
                    known[name] = zlib.crc32(name.encode()) & (COLUMNS - 1)
                columns.append(known[name])
            ends.append(len(columns))
    ones = np.ones(len(columns), dtype=np.float32)
    shape = len(ends) - 1, COLUMNS
    return sparse.csr_matrix((ones, np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32)), shape=shape)


def _features(words: Sequence[str]) -> Iterator[list[str]]:
    """Names of the features of each word of a text."""
    small, shapes = [word.lower() for word in words], [_shape(word) for word in words]
    for place, word in enumerate(words):
        low = small[place]
        names = ["", f"w {word}", f"l {low}", f"s {shapes[place]}", f"n {min(len(word), 8)}"]
        names += [f"< {low[:count]}" for count in range(1, LETTERS + 1)]
        names += [f"> {low[-count:]}" for count in range(1, LETTERS + 1)]
        for step in NEAR:
            at = place + step
            inside = 0 <= at < len(words)
            names.append(f"{step} {small[at] if inside else OUTSIDE}")
            names.append(f"{step}s {shapes[at] if inside else OUTSIDE}")
        names.append(f"b {small[place - 1] if place else OUTSIDE} {low}")
        yield names


def _shape(word: str) -> str:
    """The word with one sign for a run of capital letters, of small ones, and of digits: `Aa-0` for `Ab-12`."""
    capital = "".join("A" if letter.isupper() else letter for letter in word)
    shape = re.sub("A+", "\0", capital)
    for run, sign in RUNS:
        shape = run.sub(sign, shape)
    return shape.replace("\0", "A")
