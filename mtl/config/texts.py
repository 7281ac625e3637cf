"""`texts` of a table: how its column of texts is cut into tokens."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import Section

LEAST_SIZE = 300
"""Tokens of a vocabulary at least: the 256 bytes, and some pairs of them."""


class TextOptions(Section):
    """Vocabulary of a column of texts, learnt on the training rows of each fold alone, and the longest text."""

    vocabulary: Literal["bpe"] = "bpe"
    """Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) of the bytes of UTF-8, which knows every letter and
    emoji: the commonest pairs of neighbours become one token, over and over."""
    size: Annotated[int, Field(ge=LEAST_SIZE, le=1 << 16, strict=True)] = 8000
    """Tokens of the vocabulary, at most; few texts have fewer pairs that occur twice."""
    lower: bool = True
    """Capital letters are read as small ones."""
    longest: Annotated[int, Field(ge=2, le=1 << 13, strict=True)] = 128
    """Tokens of a text, at most; the rest of a longer one is not read. A token in front of every text counts."""
    tokenizer: str | None = None
    """Folder or name of a pretrained network (`encoder.model`), by whose own vocabulary texts are cut; null: one is
    learnt. `size` and `lower` are its own then."""

    @model_validator(mode="after")
    def _one_vocabulary(self) -> "TextOptions":
        fields = type(self).model_fields
        own = [name for name in ("lower", "size", "vocabulary") if getattr(self, name) != fields[name].default]
        if self.tokenizer is not None and own:
            listed = ", ".join(own)
            raise ValueError(f"{listed} should be left out beside `tokenizer`, which has a vocabulary of its own")
        return self
