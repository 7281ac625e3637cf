"""Classes that may be none, or two that may be one: told, and left to whoever knows the file."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

NOTHING = frozenset(
    (
        "-", "--", "---", ".", "..", "none", "nil", "missing", "unknown", "unk", "undefined", "n.a.", "n. a.", "n/a.",
        "k.a.", "k. a.", "n.v.", "not available", "not applicable", "no data", "nodata", "no label",
        "unlabelled", "unlabeled",
    )
)  # fmt: skip
"""Names, in small letters, that often stand for no label."""
NINES = re.compile(r"-9{2,}")
TRUE, FALSE = frozenset(("1", "true", "t", "yes", "y", "on")), frozenset(("0", "false", "f", "no", "n", "off"))
MARKS = re.compile(r"[\s'\"`._-]+")
BLANKS = re.compile(r"[\s'\"`]+|(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
DIGIT = re.compile(r"[0-9]")
MOST = 5
"""Names that a sentence holds."""


def doubts(
    label: str, classes: Mapping[str, int], spelt: Mapping[str, Sequence[str]], left_out: Sequence[str]
) -> Iterator[str]:
    """Sentences on classes whose names often stand for no label, and on those that look alike.

    Args:
        label: its name.
        classes: name → number of cells.
        spelt: name → its spellings.
        left_out: texts of the label that were taken for none already.
    """
    hollow = [name for name in classes if name.casefold() in NOTHING or NINES.fullmatch(name)]
    if hollow and len(classes) - len(hollow) > 1:
        told = ", ".join(f"`{name}` ({classes[name]:,} cells)" for name in hollow[:MOST])
        setting = json.dumps([*left_out, *(text for name in hollow for text in spelt[name])], ensure_ascii=False)
        yield f"{label}: {told}: a class like the others, unless `missing: {setting}` says that it stands for no label."
    groups: dict[str, list[str]] = {}
    truth = {name.casefold() for name in classes} <= TRUE | FALSE
    for name in classes:
        groups.setdefault(_key(name, truth), []).append(name)
    for key, names in groups.items():
        if key and len(names) > 1:
            told = " and ".join(f"`{name}` ({classes[name]:,} cells)" for name in names[:MOST])
            yield f"{label}: the classes {told} look alike: if they are one, write them alike in the file."


def _key(name: str, truth: bool) -> str:
    """The same text for names that may be one."""
    small = name.casefold()
    if truth:
        return "true" if small in TRUE else "false"
    return BLANKS.sub("", small) if DIGIT.search(small) else MARKS.sub("", small)
