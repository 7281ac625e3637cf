"""Words of written dates: names of months and days of the week in ten languages, halves of the day, time zones.

All in small letters without accents, as `plain` leaves them.
"""

LANGUAGES = "English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian and Swedish"
"""Languages of the names, for messages. In others a name may stand for two months: lipiec is July in Polish, lipanj
June in Croatian."""
MONTHS: tuple[tuple[str, ...], ...] = (
    ("jan", "january", "januar", "jaenner", "janner", "janv", "janvier", "ene", "enero", "gen", "gennaio", "janeiro",
     "januari"),
    ("feb", "february", "februar", "fev", "fevr", "fevrier", "febrero", "febbraio", "fevereiro", "februari"),
    ("mar", "march", "mrz", "maerz", "marz", "mars", "marzo", "marco", "mrt", "maart", "marts"),
    ("apr", "april", "avr", "avril", "abr", "abril", "aprile"),
    ("may", "mai", "mayo", "mag", "maggio", "maio", "mei", "maj"),
    ("jun", "june", "juni", "juin", "junio", "giu", "giugno", "junho"),
    ("jul", "july", "juli", "juil", "juill", "juillet", "julio", "lug", "luglio", "julho"),
    ("aug", "august", "aout", "ago", "agosto", "augustus", "augusti"),
    ("sep", "sept", "september", "septembre", "septiembre", "setiembre", "set", "settembre", "setembro"),
    ("oct", "october", "okt", "oktober", "octobre", "octubre", "ott", "ottobre", "out", "outubro"),
    ("nov", "november", "novembre", "noviembre", "novembro"),
    ("dec", "december", "dez", "dezember", "decembre", "dic", "diciembre", "dicembre", "dezembro", "des", "desember"),
)  # fmt: skip
"""Names of each month, January first."""
MONTH_NUMBERS = {name: number for number, names in enumerate(MONTHS, 1) for name in names}
WEEKDAYS = frozenset(
    (
        "mon", "monday", "tue", "tues", "tuesday", "wed", "wednesday", "thu", "thur", "thurs", "thursday", "fri",
        "friday", "sat", "saturday", "sun", "sunday",
        "mo", "montag", "di", "dienstag", "mi", "mittwoch", "do", "donnerstag", "fr", "freitag", "sa", "samstag",
        "sonnabend", "so", "sonntag",
        "lun", "lundi", "mar", "mardi", "mer", "mercredi", "jeu", "jeudi", "ven", "vendredi", "sam", "samedi", "dim",
        "dimanche",
        "lunes", "martes", "mie", "miercoles", "jue", "jueves", "vie", "viernes", "sab", "sabado", "dom", "domingo",
        "lunedi", "martedi", "mercoledi", "gio", "giovedi", "venerdi", "sabato", "domenica",
        "seg", "segunda", "ter", "terca", "qua", "quarta", "qui", "quinta", "sex", "sexta",
        "ma", "maandag", "dinsdag", "wo", "woensdag", "donderdag", "vr", "vrijdag", "za", "zaterdag", "zo", "zondag",
        "man", "mandag", "tir", "tirs", "tirsdag", "ons", "onsdag", "tor", "tors", "torsdag", "fredag", "lor", "lordag",
        "son", "sondag", "tis", "tisdag",
    )
)  # fmt: skip
"""Names of days of the week; some are names of months as well (mar. is Tuesday and March)."""
OTHERS = {"am": "p", "pm": "p", "t": "T", "z": "Z", "utc": "Z", "gmt": "Z", "q": "q", "w": "W", "m": "M"}
"""Other words of stamps, with the letter that stands for them in a shape."""
ZONES = {
    "WET": "+00:00", "WEST": "+01:00", "WEZ": "+00:00", "BST": "+01:00", "CET": "+01:00", "CEST": "+02:00",
    "MEZ": "+01:00", "MESZ": "+02:00", "EET": "+02:00", "EEST": "+03:00", "MSK": "+03:00", "EST": "-05:00",
    "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00",
    "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00", "JST": "+09:00", "KST": "+09:00",
    "HKT": "+08:00", "AWST": "+08:00", "ACST": "+09:30", "ACDT": "+10:30", "AEST": "+10:00", "AEDT": "+11:00",
    "NZST": "+12:00", "NZDT": "+13:00",
}  # fmt: skip
"""Abbreviations of time zones, with their offset from UTC. CST is that of America: in a column of one zone alone, where
it may be that of China, the offset is the same for all rows."""


def classes_of(word: str) -> str:
    """Letters that may stand for a word in a shape: b a month, w a day of the week, p a half of the day, Z no offset
    from UTC, T between date and time, q a quarter, W a week, M a month's number; "" for an unknown word."""
    other = OTHERS.get(word)
    if other is not None:
        return other
    return "b" * (word in MONTH_NUMBERS) + "w" * (word in WEEKDAYS)
