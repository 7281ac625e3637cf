"""Columns that a model reads, held against those of a table."""

from collections.abc import Sequence

from mtl.errors import DataError, shown

MOST = 30
"""Columns that a message lists."""


def check_columns(where: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Checks that a table has the columns that a model reads.

    Raises:
        DataError: one is missing; names those that look like it.
    """
    missing = [name for name in wanted if name not in there]
    if not missing:
        return
    alike = {name: other for name in missing for other in there if _key(other) == _key(name)}
    hint = "".join(f"; `{other}` is spelt otherwise: rename it to `{name}`" for name, other in alike.items())
    told = ", ".join(f"`{name}`" for name in missing[:MOST]) + (", …" if len(missing) > MOST else "")
    held = ", ".join(f"`{name}`" for name in there[:MOST]) + (", …" if len(there) > MOST else "")
    raise DataError(
        f"{where}: should have the columns that the model reads; missing: {told}{hint}; found: {held}. What is not "
        "known is an empty cell in a column that is there."
    )


def kept_columns(where: str, there: Sequence[str], keep: Sequence[str]) -> None:
    """Checks that a table has the columns that the output repeats.

    Raises:
        DataError: one is missing.
    """
    unknown = [name for name in keep if name not in there]
    if unknown:
        held = ", ".join(f"`{name}`" for name in there[:MOST])
        raise DataError(
            f"{where}: --keep should name columns of the file, found {shown(unknown[0])}; there are: {held}."
        )


def _key(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
