"""`tags` and `conll` of a table: tags of the words of its texts, and the files of sentences that hold both."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import Section

Scheme = Literal["plain", "bio", "bio_repaired"]
"""Meaning of the tags of a column. `plain`: classes; `_` is no tag. `bio`: spans, whose first word has `B-TYPE` and
whose others `I-TYPE`, and `O` is a word outside of all (Ramshaw and Marcus 1995, as IOB2 of Tjong Kim Sang and Veenstra
1999 has it); a sequence that breaks this is an error. `bio_repaired`: an `I-` that continues no span of its type begins
one, and is counted."""
CONLLU = ".conllu"
"""Ending of files whose columns Universal Dependencies name."""
CONLL = (".conll", CONLLU, ".iob", ".iob2", ".bio")
"""Endings of files of sentences, a word a line, plain or .gz."""


class ConllSet(Section):
    """Files of the same columns, one for each part of the data."""

    files: Annotated[dict[str, str], Field(min_length=1)]
    """Part of the rows → file below `path` of the table."""
    columns: Annotated[list[str], Field(min_length=2)] | None = None
    """Names of the columns of the files, the words under the name of `text_column`; null: those of CoNLL-U for a file
    that ends in .conllu, else the words come first and the others are `column_2`, `column_3` and so on."""
    val_every: Annotated[int, Field(ge=2, le=1000, strict=True)] | None = None
    """Every so many documents of the part `train` are of the part `val`, for files without one: documents as lines
    `# newdoc` or `-DOCSTART-` part them, else single sentences. Null: parts are as the files have them."""

    @model_validator(mode="after")
    def _fits(self) -> "ConllSet":
        for file in self.files.values():
            if file.startswith("/") or "\\" in file or ".." in file.split("/"):
                raise ValueError(f"files should lie below path, found {file!r}")
        if self.val_every is not None and ("val" in self.files or "train" not in self.files):
            raise ValueError(f"val_every should stand beside a file of `train` and none of `val`, found {self.files}")
        return self


class ConllFiles(Section):
    """Files of sentences, a word a line, that are one table: a column of words, one that names the part of a sentence,
    and the tags of each set, which are empty in the rows of others. So the tasks of several sets share a vocabulary."""

    sets: Annotated[dict[str, ConllSet], Field(min_length=1)]
    text_column: str = "words"
    part_column: str = "part"

    @model_validator(mode="after")
    def _fits(self) -> "ConllFiles":
        if self.text_column == self.part_column:
            raise ValueError(f"text_column and part_column should differ, found {self.text_column!r} for both")
        for name, files in self.sets.items():
            if files.columns is not None and self.text_column not in files.columns:
                raise ValueError(f"sets.{name}.columns should hold {self.text_column!r}, found {files.columns}")
        return self

    def files_of(self, path: str) -> list[str]:
        """All files, relative to the project's folder."""
        return [f"{path}/{file}" for files in self.sets.values() for file in files.files.values()]
