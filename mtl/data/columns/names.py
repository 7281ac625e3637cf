"""Names of columns that tell what a column is, and texts that are numbers or dates in some spelling."""

import re

UNNAMED = re.compile(r"\s*(unnamed:? ?[0-9]+(\.[0-9]+)?(_level_[0-9]+)?)?\s*", re.IGNORECASE)
"""A header without a name, also as pandas reads and writes it."""
ID_NAME = re.compile(
    r"(.*[\s_.\-])?(id|uid|uuid|guid|oid|key|pk|nr|index|idx|ix|row|rows|row[\s_.\-]?(id|nr|no|num|number|index|names?)"
    r"|rownames?|level_0|objectid|fid|#|№)"
)
"""A name of an id or a row number, in small letters."""
CAMEL_ID = re.compile(r".*[a-z0-9](Id|ID|Key|Nr|Index|Idx)")
COUNTER_NAME = re.compile(
    r"(n|no|no\.|i|t|num|number|count|counter|step|time[\s_.\-]?step|tick|seq|sequence|obs|observation|record|sample|case"
    r"|(seq|sequence|record|obs|observation|sample|case|item|line)[\s_.\-]?(no|num|number|nr))"
)
"""A name that a row number may have; other things have it as well."""
NUMBER_AND_UNIT = re.compile(r"[^\w]*[+-]?\s*[0-9][0-9\s.,'’_]*[^0-9]{0,12}")
DATE = re.compile(r".*([0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}|[0-9]{4}年)")


def has_id_name(column: str) -> bool:
    """True for the name of an id or of a row number, and for none at all."""
    return _unnamed(column) or bool(ID_NAME.fullmatch(column.strip().lower()) or CAMEL_ID.fullmatch(column.strip()))


def _unnamed(column: str) -> bool:
    return UNNAMED.fullmatch(column) is not None


def may_be_read(cell: str) -> bool:
    """True for a number in whatever spelling, with or without a unit, and for a date: to be told of, not to be left
    out."""
    text = cell.strip()
    return not text or NUMBER_AND_UNIT.fullmatch(text) is not None or DATE.match(text) is not None


CODE_WORDS = frozenset((
    "zip", "zipcode", "postcode", "postal", "plz", "code", "codes", "icd", "naics", "sic", "nace", "fips",
))  # fmt: skip
"""Words in the names of columns whose numbers are names: a mean of post codes means nothing."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


def has_code_name(column: str) -> bool:
    """True where a word of the name says that its numbers are codes: `zip`, `postal_code`, `naicsCode`."""
    return any(word.lower() in CODE_WORDS for word in WORD.findall(column))


def names_things(column: str) -> bool:
    """True for the name of an id that tells persons, sites or the like apart, as `patient_id` and `subject#` do."""
    name = column.strip()
    return not _unnamed(name) and (has_id_name(name) or name.endswith(("#", "№")))
