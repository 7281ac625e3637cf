"""Notes of a prepared source in few lines, for readers of results: one line for each kind of note."""

from collections.abc import Sequence
from re import sub

FILLED = "as inputs alone"
"""Words of a note on filled cells, whose shares the remarks on data give anyway."""
STILL = "as the channel of a dead probe would"
"""Words of a note on a channel that stands still in a part, which the remarks on data name anyway."""
MOST_NOTES = 12
"""Kinds of notes that are told of a source."""
MOST_SUBJECTS = 3


def joined_notes(notes: Sequence[str], place: str) -> list[str]:
    """The first note of each kind, with a count of the others of its kind and the columns that they are about.

    Notes are of one kind when they differ in the column before the colon, numbers, quoted texts and brackets alone.

    Args:
        notes: of one source, each `column: sentence`.
        place: file that holds all of them, named where some are not told.
    """
    kinds: dict[str, list[str]] = {}
    for note in notes:
        sentence = note.partition(": ")[2] or note
        kind = sub(r"\([^()]*\)|'[^']*'|`[^`]*`|[0-9][0-9.,:]*", "#", sentence)
        kinds.setdefault(kind, []).append(note)
    told = [_with_others(alike, place) for alike in list(kinds.values())[:MOST_NOTES]]
    if len(kinds) > MOST_NOTES:
        told.append(f"{len(kinds) - MOST_NOTES} more kinds of notes are in {place}.")
    return told


def _with_others(alike: Sequence[str], place: str) -> str:
    """The first of some notes of one kind, and how many others there are."""
    first, *others = alike
    if not others:
        return first
    subjects = list(dict.fromkeys(note.partition(": ")[0] for note in others))
    on = ", ".join(subjects[:MOST_SUBJECTS]) + (" and others" if len(subjects) > MOST_SUBJECTS else "")
    verb = "is" if len(others) == 1 else "are"
    return f"{first} {len(others)} more like it, on {on}, {verb} in {place}."
