"""Long names of tasks in a narrow column: what all of them share is left out before what tells them apart."""

from collections.abc import Sequence

LEFT_OUT = "…"


def short_names(names: Sequence[str], width: int) -> dict[str, str]:
    """Name → what is shown of it: all of it where every name fits, else without the words that all names begin with,
    then without those that they end with. One that is still too long is cut by whoever writes it.

    Args:
        names: at least one.
        width: letters that there is room for.
    """
    if max(len(name) for name in names) <= width or len(set(names)) < 2:
        return {name: name for name in names}
    words = {name: name.split("_") for name in names}
    head = _shared(list(words.values()))
    rest = {name: parts[head:] for name, parts in words.items()}
    shown = {name: LEFT_OUT * (head > 0) + "_".join(parts) for name, parts in rest.items()}
    if max(len(text) for text in shown.values()) <= width:
        return shown
    tail = _shared([parts[::-1] for parts in rest.values()])
    if tail == 0:
        return shown
    return {name: LEFT_OUT * (head > 0) + "_".join(parts[:-tail]) + LEFT_OUT for name, parts in rest.items()}


def _shared(words: Sequence[Sequence[str]]) -> int:
    """Number of words that all begin with, of each at least one more being left."""
    most = min(len(parts) for parts in words) - 1
    return next((count for count in range(most) if len({parts[count] for parts in words}) > 1), most)
