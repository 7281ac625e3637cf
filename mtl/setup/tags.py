"""Tags of words as targets of a new project: columns of a file of sentences, or of tag lists in another table."""

from collections.abc import Sequence
from dataclasses import replace

from mtl.config.conll import CONLL
from mtl.data.columns.facts import ColumnFacts
from mtl.data.formats.table import Table
from mtl.data.inputs.words import words_in
from mtl.data.sources.table_tags import NO_TAG, OUTSIDE
from mtl.errors import UserError
from mtl.setup.spelling import Wanted, quoted

BEGIN, INSIDE = "B-", "I-"
SPANS = "span_f1"
"""Metric of tags that name spans."""
OF_ROWS = (
    "A class of every row of a series needs rows that are steps of time: put the column of their dates first and the "
    "rows into its order; where there are none, set `kind: series` and `date: null` in a params.yaml of your own."
)
"""Remedy for labels of rows that are taken for tags of words, since nothing shows that the rows are steps of time."""


def holds_sentences(name: str) -> bool:
    """Says whether a file of this name holds sentences, a word a line."""
    return name.lower().removesuffix(".gz").endswith(CONLL)


def of_sentences(facts: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """Facts on the columns of a file of sentences: the words, which stand first, and tags of these."""
    words, *others = (replace(fact, warnings=(), doubts=(), problem=None, options={}, group=False) for fact in facts)
    tags = [replace(fact, kind="ignore", why="a tag for each word") for fact in others]
    return [replace(words, kind="text", why="the words of sentences"), *tags]


def scheme_of(table: Table, column: str) -> tuple[str, int]:
    """Meaning of the tags of a column, and how many differ.

    Args:
        table: of all rows.
        column: with a tag for each word, a list or with blanks between.

    Raises:
        UserError: the cells are no lists of tags.
    """
    spans, broken, known = True, False, set()
    for cell in table.frame[column].dropna():
        try:
            tags = [str(tag) for tag in cell] if not isinstance(cell, str) else words_in(cell)
        except (TypeError, ValueError):
            told = f"--targets: `{column}` should hold a list of tags in each row, found {cell!r}."
            raise UserError(f"{told} {OF_ROWS}") from None
        before = OUTSIDE
        for tag in tags:
            known.add(tag)
            spans &= tag == OUTSIDE or (tag[:2] in (BEGIN, INSIDE) and len(tag) > 2)
            broken |= tag.startswith(INSIDE) and before not in (BEGIN + tag[2:], tag)
            before = tag
    known.discard(NO_TAG)
    if not spans or not any(tag.startswith((BEGIN, INSIDE)) for tag in known):
        return "plain", len(known)
    return ("bio_repaired" if broken else "bio"), len(known)


def about_tags(scheme: str, distinct: int) -> str:
    """A clause on the tags of a column."""
    broken = ", of which some continue none" if scheme == "bio_repaired" else ""
    return f"a tag for each word, {distinct:,} different{'' if scheme == 'plain' else f'; spans{broken}'}"


def check_wanted(wanted: Wanted) -> None:
    """Refuses a rule, which makes classes of numbers and names and not of tags."""
    if wanted.rule:
        raise UserError(
            f"--targets: {wanted.text!r} asks for a rule, and `{wanted.column}` holds a tag for each word: write "
            f"{quoted(wanted.column)}, which learns every tag."
        )
