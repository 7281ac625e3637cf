"""How `mtl init --targets` spells targets: `price`, `price:regression`, `good=quality>=7`, `single=status==never|once`.

A list by commas of `[NAME=]COLUMN[:KIND]` or `[NAME=]COLUMN SIGN VALUE`. Names of columns and values that hold commas,
colons or signs stand in single or double quotes; a quote within them is doubled.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mtl.config.common import NAME_PATTERN
from mtl.config.names import some_names
from mtl.errors import UserError, shown

SIGNS = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below", "==": "one_vs_rest"}
"""Sign → the rule that it stands for; `==` with several values, parted by |, is `any_of`."""
FORMS = "COLUMN, COLUMN:KIND, NAME=COLUMN>=NUMBER (also <=, >, <) or NAME=COLUMN==VALUE (or VALUE|VALUE)"
LONGEST = 60
TOKEN = re.compile(
    r"""\s*(?: (?P<quoted> "(?:[^"]|"")*" | '(?:[^']|'')*' ) | (?P<sign> >=|<=|==|[><=:,|] )
         | (?P<plain> [^\s"'<>=:,|] [^<>=:,|]* ) )\s*""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Wanted:
    """A target as it was asked for.

    Args:
        text: as it is written.
        column: of the table.
        name: of the task; None: it is named after the column.
        kind: of the task; None: the column tells.
        rule: name of the rule that makes a label of the column → its value; empty where the column is learnt.
    """

    text: str
    column: str
    name: str | None = None
    kind: str | None = None
    rule: dict[str, object] = field(default_factory=dict)

    @property
    def needs_numbers(self) -> bool:
        """True where the rule is one of numbers on a side of a border."""
        return bool(self.rule) and not self.rule.keys() & {"one_vs_rest", "any_of"}


@dataclass
class _Part:
    """Tokens of one target, as (kind of token, text), and where it stands in the whole text."""

    start: int
    end: int
    tokens: list[tuple[str, str]] = field(default_factory=list)


def parse_targets(text: str, columns: Sequence[str]) -> list[Wanted]:
    """The targets of a list.

    Args:
        text: the list.
        columns: of the table, for messages alone.

    Raises:
        UserError: it is not spelt as this module says; the message shows the target and a spelling.
    """
    return [_wanted(text[part.start : part.end].strip(), part.tokens, columns) for part in _parts(text)]


def quoted(column: str) -> str:
    """A column as it may stand in a list of targets."""
    match = TOKEN.fullmatch(column)
    plain = match is not None and match["plain"] is not None and column == column.strip()
    return column if plain else '"' + column.replace('"', '""') + '"'


def _parts(text: str) -> list[_Part]:
    parts, place = [_Part(0, 0)], 0
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        if match is None:
            raise UserError(f"--targets: {shown(text[place:].strip())} begins with a quote that does not end.")
        kind = str(match.lastgroup)
        token = match[kind].strip()
        place = match.end()
        if (kind, token) == ("sign", ","):
            parts.append(_Part(place, place))
            continue
        if kind == "quoted":
            token = token[1:-1].replace(token[0] * 2, token[0])
        parts[-1].tokens.append((kind, token))
        parts[-1].end = place
    return parts


def _wanted(text: str, tokens: list[tuple[str, str]], columns: Sequence[str]) -> Wanted:
    words = ["word" if kind != "sign" else token for kind, token in tokens]
    values = [token for _, token in tokens]
    if not values:
        raise UserError(f"--targets should be a list by commas of {FORMS}, found an empty target.")
    name = None
    if words[:2] == ["word", "="]:
        name, words, values = _name(values[0], text, columns), words[2:], values[2:]
    match words:
        case ["word"]:
            return Wanted(text, values[0], name)
        case ["word", ":", "word"]:
            return Wanted(text, values[0], name, kind=values[2])
        case ["word", "==", "word", *more] if more == ["|", "word"] * (len(more) // 2):
            names = values[2::2]
            return Wanted(text, values[0], name, rule={"any_of": names} if more else {"one_vs_rest": names[0]})
        case ["word", sign, "word"] if sign in SIGNS:
            return Wanted(text, values[0], name, rule={SIGNS[sign]: _number(values[2], text)})
    raise UserError(f"--targets: {shown(text)} should be {FORMS}; {_hint(text, columns)}.")


def _name(name: str, text: str, columns: Sequence[str]) -> str:
    if re.fullmatch(NAME_PATTERN, name) and len(name) <= LONGEST:
        return name
    hint = f": {_hint(text, columns)}" if text in columns else ""
    raise UserError(
        f"--targets: {shown(text)} names a task {shown(name)}; names should be small letters, digits and _, and begin "
        f"with a letter{hint}."
    )


def _number(text: str, target: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise UserError(
            f"--targets: {shown(target)} should compare with a number, found {shown(text)}; names of classes are "
            "compared by ==, as in NAME=COLUMN==VALUE."
        )
    return int(number) if number.is_integer() and re.fullmatch(r"[+-]?[0-9]+", text) else number


def _hint(text: str, columns: Sequence[str]) -> str:
    """A clause on quotes, with the column that may be meant."""
    held = [column for column in columns if quoted(column) != column]
    meant = next((column for column in held if column in text), None)
    if meant is not None:
        return f"a column with a comma, a colon or a sign in its name stands in quotes: {quoted(meant)}"
    return "columns and values with commas, colons or signs in them stand in quotes" + (
        f" ({some_names([quoted(column) for column in held])})" if held else ""
    )
