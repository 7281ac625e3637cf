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


LONG_CODES = frozenset((
    "ean", "gtin", "upc", "isbn", "barcode", "imei", "iban", "phone", "telephone", "telefon", "tel", "mobile", "handy",
    "account", "konto", "kontonummer", "nummer", "number", "no",
))  # fmt: skip
"""Words in the names of columns whose numbers have many digits, each of which counts."""
TIMES = frozenset((
    "date", "datum", "fecha", "day", "tag", "time", "datetime", "timestamp", "stamp", "ts", "dt", "epoch", "unix",
    "zeit", "zeitpunkt", "zeitstempel", "uhrzeit", "created", "updated", "modified", "since", "dob", "birthday",
))  # fmt: skip
"""Words in the names of columns that hold times."""
TIME_ENDS = ("date", "datum", "timestamp", "zeitpunkt", "zeitstempel")
"""Ends of compound words that do."""
PERSON = re.compile(
    r"(patient(in)?|subject|subj|person|participant|proband(in)?|individual|respondent|donor|animal|user|customer|client"
    r"|employee|worker|student|pupil|speaker|teilnehmer(in)?|kunde|kundin|nutzer(in)?)"
    r"([\s_.\-]?(id|no|nr|num|number|nummer|code|key|name|hash|pseudonym))?"
)
"""Names of columns, in small letters, that tell persons or animals apart; a plural counts them."""
LEAST_PERSONS = 5
"""Different values below which such a column more likely tells kinds of persons, as `customer` with new and known."""


def is_code_of_many_digits(column: str) -> bool:
    """True where a word of the name says that its numbers are long codes: `phone`, `account_no`, `EAN`."""
    return has_code_name(column) or any(word.lower() in LONG_CODES for word in WORD.findall(column))


def names_time(column: str) -> bool:
    """True where a word of the name says that the column holds times: `date`, `sold_at`, `Entlassdatum`."""
    words = [word.lower() for word in WORD.findall(column)]
    return bool(words) and (words[-1] == "at" or any(word in TIMES or word.endswith(TIME_ENDS) for word in words))


def names_persons(column: str) -> bool:
    """True for a name such as `patient`, `Subject No` or `user_id`."""
    return PERSON.fullmatch(column.strip().lower()) is not None


def names_things(column: str, distinct: int) -> bool:
    """True for the name of an id that tells persons, sites or the like apart, as `patient_id` and `subject#` do; so
    does `patient` where more than a few values differ."""
    name = column.strip()
    if _unnamed(name):
        return False
    return has_id_name(name) or name.endswith(("#", "№")) or (distinct >= LEAST_PERSONS and names_persons(name))
