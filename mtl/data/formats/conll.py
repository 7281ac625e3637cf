"""Files of sentences: a word a line with its tags in columns, and an empty line behind each sentence.

Columns are parted by tabs where a line holds one, else by blanks. Of CoNLL-U (universaldependencies.org/format) the
lines of multiword tokens (`7-8`) and of empty nodes (`8.1`) are no words, and comments begin with `#`. A separating
line may hold blanks, and `-DOCSTART-` is a document's begin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.conll import CONLLU
from mtl.config.table_file import TableFile
from mtl.config.table_source import TableSource
from mtl.data.formats.reading import MAX_BYTES, check_count, read_bytes, read_gzip
from mtl.data.formats.records import Lines
from mtl.data.formats.table import Table
from mtl.errors import DataError, shown

WORDS = "words"
"""Column of the words where no setting names it."""
UNIVERSAL = ["id", WORDS, "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"]
"""Columns of CoNLL-U; its `form` is the word."""
NO_CELL = "_"
DOCUMENT = "-DOCSTART-"


@dataclass
class Sentences:
    """Sentences of a file.

    Args:
        cells: column → of each sentence the cells of its words, with blanks between.
        lines: number of the line of the first word of each, from 1.
        documents: number of the document of each, from 0; of a file without any each sentence is one.
    """

    cells: dict[str, list[str]]
    lines: list[int] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)


def conll_table(path: Path, config: TableFile) -> Table:
    """The table of one file, a row a sentence.

    Raises:
        DataError: the file cannot be read, or its lines hold different numbers of cells.
    """
    read = read_sentences(path, config.path, config, config.columns, WORDS)
    check_count(len(read.lines) * len(read.cells), config.path)
    lines = np.array(read.lines, dtype=np.int64)
    frame = pd.DataFrame(read.cells, dtype=object)
    return Table(config.path, frame, Lines(lambda: lines, np.arange(len(lines))), "line", config)


def conll_tables(config: TableSource, root: Path) -> Table:
    """The table of the files that `conll` names, each behind the other; tags that a set has not are empty in its rows.

    Raises:
        DataError: a file cannot be read, or does not hold what `tags` names.
    """
    conll = config.conll
    assert conll is not None
    frames: list[pd.DataFrame] = []
    lines: list[int] = []
    begins: list[tuple[str, int]] = []
    for files in conll.sets.values():
        for part, file in files.files.items():
            where = f"{config.path}/{file}"
            read = read_sentences(root / where, where, config, files.columns, conll.text_column)
            held = [files.val_every is not None and part == "train" and number % files.val_every == files.val_every - 1
                    for number in read.documents]  # fmt: skip
            kept = {name: cells for name, cells in read.cells.items() if name in config.tags}
            told = {conll.text_column: read.cells[conll.text_column], conll.part_column: _parts(part, held)}
            frames.append(pd.DataFrame(told | kept, dtype=object))
            begins.append((where, len(lines)))
            lines += read.lines
    frame = pd.concat(frames, ignore_index=True)
    check_count(len(frame) * len(frame.columns), config.path)
    place = np.array(lines, dtype=np.int64)
    frame = frame.astype(object).where(frame.notna(), None)
    rows = Lines(lambda: place, np.arange(len(frame)))
    return Table(begins[0][0], frame, rows, "line", config, later=tuple(begins[1:]))


def _parts(part: str, held_out: Sequence[bool]) -> list[str]:
    return ["val" if held else part for held in held_out]


def read_sentences(path: Path, where: str, config: TableFile, columns: Sequence[str] | None, words: str) -> Sentences:
    """The sentences of a file.

    Args:
        path: of the file, plain or .gz.
        where: its name in messages.
        config: encoding, and the sign of comments.
        columns: names of its columns; None: as its ending says.
        words: name of the column of words.

    Raises:
        DataError: it cannot be read, its lines hold different numbers of cells, or there is no sentence.
    """
    universal = where.lower().removesuffix(".gz").endswith(CONLLU)
    names = list(columns) if columns is not None else [words if name == WORDS else name for name in UNIVERSAL]
    names = names if columns is not None or universal else []
    comment = "#" if universal else config.comment
    read, rows, begun = Sentences({}), list[list[str]](), -1
    for number, line in _lines(path, where, config.encoding):
        if comment is not None and line.startswith(comment):
            begun += line.lstrip("# ").startswith("newdoc")
            continue
        if not line.strip() or line.startswith(DOCUMENT):
            _keep(read, rows, names, begun)
            begun += line.startswith(DOCUMENT)
            rows = []
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        names = names or [words, *(f"column_{place}" for place in range(2, len(cells) + 1))]
        if len(cells) != len(names):
            raise DataError(
                f"{where}, line {number}: should hold {len(names)} cells ({', '.join(names)}), found {len(cells)}: "
                f"{shown(line)}. A word stands with its tags on a line, and an empty line behind each sentence."
            )
        if names[0] != "id" or cells[0].isdigit():  # else a multiword token, or a node without a word
            read.lines += [] if rows else [number]
            rows.append(cells)
    _keep(read, rows, names, begun)
    if not read.lines:
        raise DataError(f"{where}: should hold sentences, a word a line, found none.")
    if words not in read.cells:
        raise DataError(f"{where}: `columns` should name the words `{words}`, found {', '.join(read.cells)}.")
    if begun < 0:
        read.documents = list(range(len(read.lines)))
    return read


def _keep(read: Sentences, rows: list[list[str]], names: Sequence[str], document: int) -> None:
    """Puts the words of a sentence to those that were read; blanks inside of a cell are left out."""
    if not rows:
        return
    read.documents.append(document)
    for place, name in enumerate(names):
        if name != "id":
            cells = ["".join(row[place].split()) or NO_CELL for row in rows]
            read.cells.setdefault(name, []).append(" ".join(cells))


def _lines(path: Path, where: str, encoding: str) -> Iterator[tuple[int, str]]:
    """Number of each line, from 1, and the line."""
    packed = where.lower().endswith(".gz")
    data = read_gzip(path, where, MAX_BYTES) if packed else read_bytes(path, where, MAX_BYTES)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not {encoding} (byte {error.start:,}): name its `encoding`.") from None
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        yield number, line.removesuffix("\r")
