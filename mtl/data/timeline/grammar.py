"""Written dates and times: which part of a stamp is which field, from the shape of its characters.

A shape is a stamp with every digit written as 0, every letter of a month's name as b, of a day of the week as w, of AM
or PM as p, of a time zone without offset (Z, UTC, GMT) as Z, of a quarter as q, of a week as W, of a month's number as
M, and the T between date and time as T.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mtl.config.date_format import ISO

_WEEKDAY = r"(?P<w>(?:w+(?P<w1>[.,]?)(?P<w2> ?))?)"
_DATES = (
    r"(?P<A>0{1,4})(?P<s>[-./ _]) ?(?P<B>00?)(?P=s) ?(?P<C>0{1,4})\.?",
    r"(?P<A>00?)(?P<s>[-./, ]*)b+(?P<s2>[-./, ]*)(?P<C>0000|00)",
    r"b+(?P<s>[-./ ]+)(?P<B>00?)(?P<s2>,?[-./ ]+)(?P<C>0000|00)",
    r"(?P<A>0000)(?P<s>[-./ ]?)b+(?P<s2>[-./ ]?)(?P<C>00?)",
    r"b+(?P<s>[-./, ]*)(?P<Y>0000|00)",
    r"(?P<Y>0000)(?P<s>[-/ ]?)b+",
    r"(?P<Y>0000)(?P<s>[-/ ])(?P<m>00?)",
    r"(?P<m>00?)(?P<s>[-/ ])(?P<Y>0000)",
    r"(?P<Y>0000)[- ]?M(?P<m>00?)",
    r"(?P<Y>0000)(?P<s>[- ]?)q(?P<q>0)",
    r"q(?P<q>0)(?P<s>[-/ ]?)(?P<Y>0000)",
    r"(?P<Y>0000)-?W(?P<V>00)(?:-?(?P<u>0))?",
    r"W(?P<V>00?)(?P<s>[-/ ])(?P<Y>0000)",
    r"(?P<Y>0000)(?P<s>[-/. ])(?P<j>000)",
    r"(?P<K>0{8}|0{6})",
)
_TIMES = (
    r"(?P<H>00?)(?P<ts>[:.])(?P<M>00)(?:(?P=ts)(?P<S>00)(?:(?P<fs>[.,])(?P<f>0{1,9}))?)?(?:(?P<ps> ?)(?P<p>pp))?",
    r"(?P<H>00?)(?P<ps> ?)(?P<p>pp)",
    r"(?P<H>00?)(?P<M>00)",
    r"(?P<H>00)(?P<M>00)(?P<S>00)(?:(?P<fs>[.,])(?P<f>0{1,9}))?",
    r"(?P<H>00?)",
    r"(?P<H>00?) (?P<M>00?)(?: (?P<S>00?))?",
)
_OFFSET = r"(?:(?P<zs> ?)(?:(?P<Z>Z+)|(?P<z>(?:Z+)?[-+]00(?::?00)?)))?"
_JOIN = r"(?P<join>T|, *| +| - |_|:|-)"
_YEAR_LAST = r"b+(?P<s> +)(?P<B>00?)(?P<join> +)" + _TIMES[0] + r"(?: +(?:(?P<Z>Z+)|(?P<z>[-+]00:?00)))? +(?P<C>0000)"
"""Wed Jan  1 00:00:00 2020: ctime of the C library, and date of the shell, which writes a zone before the year."""
_PATTERNS = (
    *(
        re.compile(pattern)
        for date in _DATES
        for pattern in (
            _WEEKDAY + date,
            *(_WEEKDAY + date + _JOIN + time + _OFFSET for time in _TIMES),
            *(time + _JOIN + date for time in _TIMES[:2]),
        )
    ),
    re.compile(_WEEKDAY + _YEAR_LAST),
)


@dataclass(frozen=True)
class Form:
    """One way to read stamps of one shape."""

    name: str
    """The same for all stamps of a form: as `date_format` names it, without fractions of a second, or ISO."""
    slots: tuple[tuple[str, int, int], ...]
    """Directive, first character, and the one after the last, of each field."""
    aware: bool
    """The stamps tell their offset from UTC."""
    unusual: bool = False
    """Year, day, month: only where no other form reads the column."""


def forms(shape: str) -> list[Form]:
    """Every way to read stamps of this shape; none if it is no date."""
    for pattern in _PATTERNS:
        match = pattern.fullmatch(shape)
        if match is not None:
            return list(_forms(match))
    return []


def _forms(match: re.Match[str]) -> Iterator[Form]:
    part = match.groupdict()
    slots = [
        (name, *match.span(name))
        for name in ("Y", "m", "H", "M", "S", "f", "p", "z", "V", "u", "j")
        if part.get(name) is not None
    ]
    if slots and slots[0][0] == "Y" and len(part["Y"] or "") == 2:
        slots[0] = ("y", *slots[0][1:])
    if part.get("q") is not None:
        slots.append(("q", *match.span("q")))
    word = re.search("b+", match[0])
    if word is not None:
        slots.append(("b", *word.span()))
    aware = part.get("z") is not None or part.get("Z") is not None
    for order in _orders(match):
        dated = [*slots, *_date_slots(match, order)]
        name = _name(match, order)
        iso = order in ("Ymd", "Ym") and part.get("s", "") == "-" and not part.get("p") and not part.get("w")
        iso = iso and match.start("A" if order == "Ymd" else "Y") == 0 and part.get("ts", ":") in (None, ":")
        yield Form(ISO + ("%z" if aware else "") if iso else name, tuple(dated), aware, order == "Ydm")


def _orders(match: re.Match[str]) -> list[str]:
    """Orders of the numbers of a date: their directives, those that `_date_slots` finds."""
    part = match.groupdict()
    if part.get("K") is not None:
        return ["Ymd", "dmY", "mdY"] if len(match["K"]) == 8 else ["ymd", "dmy", "mdy"]
    apart = next((name for name in "qVj" if part.get(name) is not None), None)
    if apart is not None:
        return [f"Y{apart}"]
    if part.get("m") is not None:
        return ["Ym" if match.start("Y") < match.start("m") else "mY"]
    first, last = len(part.get("A") or ""), len(part.get("C") or "")
    if part.get("B") is not None and part.get("A") is not None:
        if first == 4:
            return ["Ymd", "Ydm"] if last <= 2 else []
        if last == 4:
            return ["dmY", "mdY"] if first <= 2 else []
        return [*(["dmy", "mdy"] if last == 2 and first <= 2 else []), *(["ymd"] if first == 2 and last <= 2 else [])]
    if part.get("B") is not None:  # Jan 02, 2020
        return ["bdY" if last == 4 else "bdy"]
    if part.get("A") is not None:
        if first == 4:
            return ["Ybd"]
        return ["dbY"] if last == 4 else ["dby", *(["ybd"] if first == 2 else [])]
    return ["bY" if match.start("Y") > 0 and match[0][match.start("Y") - 1] != "T" else "Yb"]


def _date_slots(match: re.Match[str], order: str) -> Iterator[tuple[str, int, int]]:
    part = match.groupdict()
    if part.get("K") is not None:
        at = match.start("K")
        for directive in order:
            width = 4 if directive == "Y" else 2
            yield directive, at, at + width
            at += width
        return
    numbers = [letter for letter in order if letter not in "bq"]
    for directive, group in zip(numbers, [g for g in "ABC" if part.get(g) is not None], strict=False):
        yield directive, *match.span(group)


def _name(match: re.Match[str], order: str) -> str:
    """The form as strftime writes it: the shape with each field by its directive."""
    directives: list[tuple[int, int, str]] = []
    part = match.groupdict()
    for directive, start, stop in _date_slots(match, order):
        directives.append((start, stop, f"%{directive}"))
    letters = {"Y": "G" if part.get("V") else "Y" if len(part.get("Y") or "") == 4 else "y"}
    letters["H"] = "I" if part.get("p") else "H"
    for group in ("Y", "m", "H", "M", "S", "p", "V", "u", "j"):
        if part.get(group) is not None:
            directives.append((*match.span(group), f"%{letters.get(group, group)}"))
    if part.get("f") is not None:  # Some stamps of a form have a fraction, and others none.
        directives.append((match.start("fs"), match.end("f"), ""))
    for group in ("z", "Z"):
        if part.get(group) is not None:
            directives.append((*match.span(group), "%z"))
    directives += [(*word.span(), "%b") for word in re.finditer("b+", match[0])]
    directives += [(*word.span(), "%a") for word in re.finditer("w+", match[0])]
    directives += [(*word.span(), "Q%q") for word in re.finditer("q0", match[0])]
    name, at = "", 0
    for start, stop, text in sorted(directives):
        name += match[0][at:start] + text
        at = max(at, stop)
    return name + match[0][at:]
