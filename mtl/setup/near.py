"""Names that there are not, in messages: with those that may be meant."""

from collections.abc import Sequence
from difflib import get_close_matches

from mtl.config.names import some_names
from mtl.errors import shown

CLOSE = 0.6


def near(name: str, known: Sequence[str]) -> str:
    """The end of a sentence on a name that is not known: it, and those that it may mean, or else all."""
    same = [other for other in known if other.strip().casefold() == name.strip().casefold()]
    folded = {other.casefold(): other for other in known}
    close = same or [folded[match] for match in get_close_matches(name.casefold(), folded, 3, CLOSE)]
    if close:
        return f"found {shown(name)}; did you mean {' or '.join(map(repr, close))}?"
    return f"found {shown(name)}; there are {some_names(known)}."
