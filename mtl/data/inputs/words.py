"""Words of a text that have a tag each: joined by one blank, so that the blank in front of a token begins a word.

V words of all texts, N places of a batch.
"""

import json
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtl.data.inputs.vocabulary import BLANK, FIRST, Cut, Vocabulary

FIRST_OF_WORD, INSIDE_WORD = 0.5, 0.25
"""Added to the code of the first token of a word, and of its others where codes alone do not tell, so that a batch
tells where words begin; whoever looks a code up takes its whole part."""
FIRST_MARK, INSIDE_MARK = 2, 1
"""The same in files, times `INSIDE_WORD`."""
NO_LETTER = "\ufffd"
"""Stands for a word of blanks alone."""


def words_in(text: str) -> list[str]:
    """Words of a cell or a text: a list as JSON has it, or with blanks between.

    Raises:
        ValueError: it is a list of something else than words.
    """
    if text.lstrip().startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            return text.split()
        if not isinstance(parts, list) or not all(isinstance(part, str | int) for part in parts):
            raise ValueError("should be a list of words")
        return [str(part) for part in parts]
    return text.split()


def joined(words: Sequence[str]) -> str:
    """The text of some words; blanks inside of one are left out."""
    return " ".join("".join(word.split()) or NO_LETTER for word in words)


def shown_codes(vocabulary: Vocabulary) -> Float[Tensor, " K"]:
    """Number that a network is shown for each code: the code, and `FIRST_OF_WORD` more for one that begins a word."""
    begins = torch.tensor([False] * FIRST + [token.startswith(BLANK) for token in vocabulary.tokens])
    return torch.arange(vocabulary.size).float() + FIRST_OF_WORD * begins


def words_of_texts(cut: Cut, vocabulary: Vocabulary) -> Int64[np.ndarray, " S"]:
    """Words of each text that its codes reach."""
    first = (shown_codes(vocabulary).numpy() % 1 > 0)[cut.codes] if cut.marks is None else cut.marks == FIRST_MARK
    ends = np.concatenate([[0], np.cumsum(first)])[cut.begins]
    words: np.ndarray = np.diff(ends).astype(np.int64)
    return words


def first_of_words(x: Float[Tensor, "B N"]) -> Bool[Tensor, "B N"]:
    """Mask of the places where a word begins."""
    return x - x.floor() == FIRST_OF_WORD


def inside_of_words(x: Float[Tensor, "B N"]) -> Bool[Tensor, "B N"]:
    """Mask of the places that continue a word, of texts that a pretrained network's tokenizer has cut."""
    return x - x.floor() == INSIDE_WORD
