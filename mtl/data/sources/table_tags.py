"""Columns of a table that hold a tag for each word of its texts. S rows, V words of all texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int16, Int64

from mtl.config.conll import CONLL, Scheme
from mtl.config.table_source import TableSource
from mtl.data.columns.cells import written_cells
from mtl.data.formats.table import Table
from mtl.data.inputs.vocabulary import Cut, Vocabulary
from mtl.data.inputs.words import joined, words_in, words_of_texts
from mtl.errors import DataError, shown
from mtl.types import NO_LABEL, TextSet

NO_TAG = "_"
OUTSIDE = "O"
MOST_TAGS = 1000
"""Different tags of a column."""


@dataclass(frozen=True)
class TaggedWords:
    """Words of texts and their tags.

    Args:
        texts: of each row, the words with a blank between [S].
        begins: place of the first word of each row among those of all, and the end of the last [S + 1].
        tags: column → class of each word, NO_LABEL where there is none.
        names: column → names of its classes in the order of the numbers.
    """

    texts: list[str]
    begins: Int64[np.ndarray, " S1"]
    tags: dict[str, Int16[np.ndarray, " V"]]
    names: dict[str, list[str]]

    def beside(self, texts: TextSet) -> TextSet:
        """The texts with the tags of their words."""
        tags = {name: torch.from_numpy(numbers) for name, numbers in self.tags.items()}
        return replace(texts, words=torch.from_numpy(self.begins), tags=tags, tag_names=self.names)


def take_tags(table: Table, config: TableSource, notes: list[str]) -> tuple[Table, TaggedWords | None]:
    """The table without its columns of tags, and these beside the words; None where there are none.

    Args:
        table: of all rows.
        config: the source.
        notes: takes how many tags were repaired.

    Raises:
        DataError: tags are not as many as words, or break the scheme of their column; names the line.
    """
    if not config.tags:
        return table, None
    column = str(config.text_column)
    words = [_listed(table, row, column, cell) or [] for row, cell in enumerate(_cells(table, column))]
    counts = np.array([len(row) for row in words], dtype=np.int64)
    tags: dict[str, np.ndarray] = {}
    names: dict[str, list[str]] = {}
    for name, scheme in config.tags.items():
        numbers, names[name] = _column(table, name, scheme, counts, notes)
        tags[name] = numbers
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    tagged = TaggedWords([joined(row) for row in words], begins, tags, names)
    gone = set(config.tags)
    if config.path.lower().removesuffix(".gz").endswith(CONLL):  # whose other columns are lists as well
        named = {name for names in table.options.roles.values() for name in names}
        gone |= {str(name) for name in table.frame.columns if name not in named}
    return replace(table, frame=table.frame.drop(columns=sorted(gone))), tagged


def lost_words(tagged: TaggedWords, cut: Cut, vocabulary: Vocabulary, column: str, longest: int) -> str:
    """A clause on the words that no network reads, for their text is longer than it may be; empty without any.

    Raises:
        DataError: a word was cut otherwise than it stands in its text.
    """
    read, there = words_of_texts(cut, vocabulary), np.diff(tagged.begins)
    wrong = np.flatnonzero((read > there) | ((read < there) & (np.diff(cut.begins) < longest)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"{column}: row {row} (counted from 0) has {there[row]} words and is read as {read[row]}: "
                        "leave signs that are no letters out of it.")  # fmt: skip
    lost = int((there - read).sum())
    return f"; {lost:,} of {int(there.sum()):,} words stand behind the {longest} tokens and have no tag" if lost else ""


def _column(
    table: Table, name: str, scheme: Scheme, counts: Int64[np.ndarray, " S"], notes: list[str]
) -> tuple[Int16[np.ndarray, " V"], list[str]]:
    """Classes of all words of one column, and the names of the classes."""
    rows = _rows(table, name, scheme, counts, notes)
    classes = sorted({tag for own in rows for tag in own or [] if tag != NO_TAG})
    if not 2 <= len(classes) <= MOST_TAGS:
        there = "none" if not classes else f"{len(classes):,}, such as {shown(classes[0])}"
        raise DataError(f"{table.path}, column `{name}`: should hold 2 to {MOST_TAGS:,} different tags, found {there}.")
    place = {tag: number for number, tag in enumerate(classes)} | {NO_TAG: NO_LABEL}
    missing = [[NO_LABEL] * int(count) for count in counts]
    numbers = [[place[tag] for tag in own] if own is not None else missing[row] for row, own in enumerate(rows)]
    return np.array([number for own in numbers for number in own], dtype=np.int16), classes


def tags_beside(table: Table, column: str, name: str, scheme: Scheme, notes: list[str]) -> list[list[str] | None]:
    """Tags of the words of each text of a table; None of a text without any.

    Args:
        table: the rows.
        column: of words.
        name: column of tags.
        scheme: meaning of the tags.
        notes: takes how many tags were repaired.

    Raises:
        DataError: as of `take_tags`.
    """
    counts = [len(_listed(table, row, column, cell) or []) for row, cell in enumerate(_cells(table, column))]
    return _rows(table, name, scheme, np.array(counts, dtype=np.int64), notes)


def _rows(
    table: Table, name: str, scheme: Scheme, counts: Int64[np.ndarray, " S"], notes: list[str]
) -> list[list[str] | None]:
    """Tags of the words of each row of one column, checked and repaired."""
    rows: list[list[str] | None] = []
    repaired = 0
    for row, cell in enumerate(_cells(table, name)):
        own = _listed(table, row, name, cell)
        if own is not None and len(own) != counts[row]:
            raise DataError(
                f"{table.at(row, name)}: should hold a tag for each of the {counts[row]} words of the text, found "
                f"{len(own)}: {shown(' '.join(own))}. `{NO_TAG}` stands for a word without a tag, and an empty cell "
                "for a text without any."
            )
        if own is not None and scheme != "plain":
            own, changed = _spans(table, row, name, own, scheme == "bio_repaired")
            repaired += changed
        rows.append(own)
    if repaired:
        notes.append(f"{name}: {repaired:,} tags `I-…` continued no span of their type, and begin one now.")
    return rows


def _spans(table: Table, row: int, name: str, tags: list[str], repair: bool) -> tuple[list[str], int]:
    """The BIO tags of a text, and how many were repaired."""
    checked: list[str] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        kind, sign, span = tag.partition("-")
        if tag != OUTSIDE and (kind not in ("B", "I") or not sign or not span):
            raise DataError(
                f"{table.at(row, name)}: word {place + 1} should have the tag O, B-TYPE or I-TYPE, found {shown(tag)}: "
                f"tags that name no spans are `{name}: plain` in `tags` of the source."
            )
        if kind == "I" and before not in (f"B-{span}", f"I-{span}"):
            if not repair:
                behind = f"behind {before}" if place else "at the begin of a text"
                raise DataError(
                    f"{table.at(row, name)}: word {place + 1} has the tag {tag} {behind}, and should continue a span "
                    f"of its type, which B-{span} begins: mend the file, or let `{name}: bio_repaired` in `tags` of "
                    "the source begin a span there."
                )
            tag = f"B-{span}"
        before = tag
        checked.append(tag)
    return checked, sum(old != new for old, new in zip(tags, checked, strict=True))


def _cells(table: Table, column: str) -> Sequence[object]:
    """Cells of a column, lists as they are and others as they are written."""
    cells = table.frame[column]
    listed = [isinstance(cell, list | tuple | np.ndarray) for cell in cells]
    return list(cells) if any(listed) else list(written_cells(table, [column])[column])


def _listed(table: Table, row: int, column: str, cell: object) -> list[str] | None:
    """Words or tags of a cell; None of an empty one."""
    if isinstance(cell, list | tuple | np.ndarray):
        return [str(part) for part in cell] or None
    if not isinstance(cell, str) or not cell.strip():
        return None
    try:
        return words_in(cell) or None
    except ValueError as error:
        raise DataError(f"{table.at(row, column)}: {error}, found {shown(cell)}.") from None
