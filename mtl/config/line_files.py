"""`lines` of a table: files of which each holds a column, a cell a line."""

from typing import Annotated

from pydantic import Field, model_validator

from mtl.config.common import Section

PART = "{part}"
"""Stands for the name of a part in the name of a file."""


class LineFiles(Section):
    """Folders below `path` with a file of texts and one of classes for each part of the data: line n of both is a row.

    All of them are one table: a column of texts, one that names the part of a row, and one for each folder, which is
    empty in the rows of others. So the tasks of several folders share one vocabulary.
    """

    sets: Annotated[dict[str, str], Field(min_length=1)]
    """Column of classes → its folder below `path`; empty for `path` itself."""
    parts: Annotated[list[str], Field(min_length=1)] = ["train", "val", "test"]
    """Parts, each with files of its own."""
    texts: str = "{part}_text.txt"
    """Name of the file of texts of a part."""
    classes: str = "{part}_labels.txt"
    """Name of the file of classes of a part; an empty line is no class."""
    names: str | None = "mapping.txt"
    """File of a class a line, its number and, behind a tab, its name: in the folder, or in one above it. Null: classes
    are named as they stand."""
    text_column: str = "text"
    part_column: str = "part"

    @model_validator(mode="after")
    def _fits(self) -> "LineFiles":
        for setting, pattern in (("texts", self.texts), ("classes", self.classes)):
            if len(self.parts) > 1 and PART not in pattern:
                raise ValueError(f"{setting} should hold {PART}, which stands for the part, found {pattern!r}")
        columns = [self.text_column, self.part_column, *self.sets]
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"sets, text_column and part_column should be different names, found {twice!r} twice")
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts should be different, found {self.parts}")
        for folder in self.sets.values():
            if folder.startswith("/") or "\\" in folder or ".." in folder.split("/"):
                raise ValueError(f"sets should be folders below path, found {folder!r}")
        return self

    def files_of(self, path: str) -> list[str]:
        """Files of all folders and parts, but for those of names."""
        return [file for pair in self.pairs(path) for file in pair[2:]]

    def pairs(self, path: str) -> list[tuple[str, str, str, str]]:
        """(column, part, file of texts, file of classes) of each folder and part."""
        listed: list[tuple[str, str, str, str]] = []
        for column, folder in self.sets.items():
            place = f"{path}/{folder}" if folder else path
            for part in self.parts:
                names = (pattern.replace(PART, part) for pattern in (self.texts, self.classes))
                texts, classes = (f"{place}/{name}" for name in names)
                listed.append((column, part, texts, classes))
        return listed
