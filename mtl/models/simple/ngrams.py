"""Scores of texts by tf-idf of their words and pairs of words, and of their runs of letters: a linear map of these.

Texts are read from the codes of their tokens, as networks see them: what is cut off is not read here either.

B texts, N places, P terms, O outputs.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor, nn

from mtl.data.inputs.vocabulary import FIRST, byte_letters
from mtl.results.simple import NgramFit

WORDS: dict[str, Any] = {"token_pattern": r"[\w']+|[^\w\s]", "ngram_range": (1, 2), "lowercase": False}
"""Words, signs and emojis, and pairs of neighbours."""
LETTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (2, 5), "lowercase": False}
"""Runs of two to five letters inside a word."""
SEPARATOR = "\n"
"""Between terms, and between tokens; none holds it."""


class NgramScores(nn.Module):
    """O numbers of a text, each a weighted sum of its tf-idf; one number stands alone, without a dimension.

    Args:
        fit: sizes.
        outputs: O.
        single: one number a text, [B]; else [B, O].
    """

    def __init__(self, fit: NgramFit, outputs: int, single: bool) -> None:
        super().__init__()
        self.words, self.single = fit.words, single
        self.register_buffer("tokens", torch.zeros(fit.token_bytes, dtype=torch.uint8))
        self.register_buffer("terms", torch.zeros(fit.term_bytes, dtype=torch.uint8))
        self.register_buffer("idf", torch.zeros(fit.words + fit.letters, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(outputs, fit.words + fit.letters, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.float64))
        self.tokens: UInt8[Tensor, " _"]
        self.terms: UInt8[Tensor, " _"]
        self.idf: Float64[Tensor, " P"]
        self.weight: Float64[Tensor, "O P"]
        self.bias: Float64[Tensor, " O"]

    @cached_property
    def _terms(self) -> list[str]:
        return unpacked(self.terms)

    @cached_property
    def _tokens(self) -> list[str]:
        return unpacked(self.tokens)

    def forward(self, x: Float[Tensor, "B N"]) -> Float[Tensor, "B *O"]:
        words, letters = self._terms[: self.words], self._terms[self.words :]
        matrix = tf_idf(texts_of(x, self._tokens), words, letters, self.idf.cpu().numpy())
        return self.scores(matrix).to(x.device)

    def scores(self, matrix: Any) -> Float[Tensor, "B *O"]:
        """Numbers of texts whose tf-idf is known.

        Args:
            matrix: sparse [B, P].
        """
        numbers = torch.from_numpy(matrix @ self.weight.cpu().numpy().T) + self.bias.cpu()
        return numbers[:, 0] if self.single else numbers


def texts_of(x: Float[Tensor, "B N"], tokens: Sequence[str]) -> list[str]:
    """The texts that codes stand for, as far as they are whole letters.

    Args:
        x: codes.
        tokens: in the order of their codes, in the letters of their bytes.
    """
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    pieces = [b""] * FIRST + [bytes(byte_of[letter] for letter in token) for token in tokens]
    rows: list[list[int]] = x.long().tolist()
    return [b"".join([pieces[code] for code in row]).decode("utf-8", errors="ignore").strip() for row in rows]


def tf_idf(texts: Sequence[str], words: Sequence[str], letters: Sequence[str], idf: np.ndarray) -> Any:
    """Sparse float64 [B, P]: 1 + log of the count times idf, words and letters of a text each of length 1."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    parts = []
    for terms, options, own in ((words, WORDS, idf[: len(words)]), (letters, LETTERS, idf[len(words) :])):
        if not terms:
            continue
        counted = counts(texts, options, terms).astype(np.float64)
        counted.data = 1 + np.log(counted.data)
        parts.append(normalize(counted.multiply(own).tocsr()))
    return sparse.hstack(parts, format="csr")


def counts(texts: Sequence[str], options: dict[str, Any], terms: Sequence[str]) -> Any:
    """Sparse counts [B, p] of some terms in each text."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(vocabulary={term: place for place, term in enumerate(terms)}, **options).transform(texts)


def packed(names: Sequence[str]) -> UInt8[Tensor, " _"]:
    """Terms or tokens as bytes."""
    return torch.tensor(list(SEPARATOR.join(names).encode()), dtype=torch.uint8)


def unpacked(names: UInt8[Tensor, " _"]) -> list[str]:
    """The terms or tokens that `packed` made bytes of."""
    return bytes(names.tolist()).decode("utf-8", errors="replace").split(SEPARATOR)
