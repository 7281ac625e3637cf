"""Text of any encoding → UTF-8, and what a file says of its encoding: byte-order marks and zero bytes."""

import codecs

from mtl.errors import DataError, LayoutError, shown

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""Byte-order marks, longest first: that of UTF-16 begins one of UTF-32."""
SINGLE_BYTE = ("latin-1", "cp1252", "cp1250", "cp1251")
"""Encodings to compare where a file is not UTF-8: western Europe, Windows there, in central Europe, and Cyrillic."""
OTHERS = "cp850, mac_roman, shift_jis or gb18030"
"""Encodings of DOS, old Macs, Japan and China, whose text reads as nonsense in the others."""
SAMPLE = 1 << 14
"""Bytes at the beginning that are looked at for zero bytes."""


def as_utf8(data: bytes, encoding: str, where: str, notes: list[str]) -> bytes:
    """The same text in UTF-8 without a byte-order mark.

    Raises:
        DataError: an unknown encoding, one that the file's byte-order mark or zero bytes belie, or bytes that are none
            of it; names the line and the encoding to set.
    """
    codec = _codec(encoding, where)
    marked = next((name for mark, name in MARKS if data.startswith(mark)), None)
    wide = marked if marked in ("utf-16", "utf-32") else _by_zeros(data)
    if wide is not None and not _fits(codec, wide, data):
        why = "its byte-order mark shows" if marked == wide else "the zero bytes between its characters show"
        message = f"{where}: is {wide}, as {why}, not {encoding}: set `encoding: {wide}`."
        raise LayoutError(message, {"encoding": wide})
    if wide is None and codec.startswith(("utf-16", "utf-32")) and data:
        raise LayoutError(
            f"{where}: is not {encoding}: it has neither a byte-order mark nor zero bytes between its characters: set "
            f"`encoding: {_likely(data)}`.",
            {"encoding": _likely(data)},
        )
    if marked == "utf-8" and codec not in ("utf-8", "utf-8-sig", "ascii"):
        message = f"{where}: begins with the byte-order mark of UTF-8, found {encoding}: set `encoding: utf-8`."
        raise LayoutError(message, {"encoding": "utf-8"})
    if codec in ("utf-8", "utf-8-sig", "ascii"):
        data = data.removeprefix(codecs.BOM_UTF8)
        if not data.isascii():
            _decode(data, "utf-8" if codec == "utf-8-sig" else codec, encoding, where)
        return data
    text = _decode(data, codec, encoding, where)
    if not data.isascii() and marked is None and wide is None:
        _note_utf8(data, encoding, where, notes)
        if codec == "iso8859-1":
            _note_windows(data, encoding, where, notes)
    try:
        return text.removeprefix("\ufeff").encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"{where}: is not {encoding}: it holds halves of characters; set `encoding`.") from None


def _codec(encoding: str, where: str) -> str:
    """Python's name of an encoding of text."""
    try:
        "".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise DataError(f"{where}: `encoding` should be one that Python knows, found {encoding!r}.") from None


def _by_zeros(data: bytes) -> str | None:
    """The encoding of two or four bytes a character that zero bytes show; None where there are hardly any."""
    sample = data[:SAMPLE]
    quarter = len(sample) // 4
    if quarter < 2:
        return None
    share = [sample[at::4].count(0) / quarter for at in range(4)]
    many, few = 0.4, 0.1
    if min(share[1:]) > many and share[0] < few:
        return "utf-32-le"
    if min(share[:3]) > many and share[3] < few:
        return "utf-32-be"
    if min(share[1], share[3]) > many and max(share[0], share[2]) < few:
        return "utf-16-le"
    if min(share[0], share[2]) > many and max(share[1], share[3]) < few:
        return "utf-16-be"
    return None


def _fits(codec: str, wide: str, data: bytes) -> bool:
    """True when text of the encoding `wide` is read rightly by `codec`."""
    if codec == wide:
        return True
    # Without a mark, utf-16 is little-endian; with one, the codecs that name an order have to name the right one.
    little = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE)) or wide.endswith("-le")
    return codec.startswith(wide[:6]) and (
        codec.endswith("-le") or codec == wide[:6] if little else codec.endswith("-be")
    )


def _decode(data: bytes, codec: str, encoding: str, where: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        start, reason = error.start, error.reason
    except UnicodeError as error:
        raise DataError(f"{where}, line 1: is not {encoding} ({error}); set `encoding: {_likely(data)}`.") from None
    before = data[:start]
    line = before.count(b"\n") + 1 if b"\n" in data else before.count(b"\r") + 1
    begin = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
    end = min((at for at in (data.find(b"\n", start), data.find(b"\r", start)) if at >= 0), default=len(data))
    begin, end = max(begin, start - 20), min(end, start + 20)
    remedy = _readings(data, data[begin:end])
    raise LayoutError(f"{where}, line {line}: is not {encoding} ({reason}); {remedy}.", {"encoding": _likely(data)})


def _readings(data: bytes, piece: bytes) -> str:
    """How a piece of the file reads in the encodings that it may have."""
    if _is(data, "utf-8"):
        return f"set `encoding: utf-8`, in which it reads {shown(piece.decode('utf-8', errors='replace').strip())}"
    readings: dict[str, str] = {}
    for name in SINGLE_BYTE:
        # Latin-1 takes every byte; those of control characters are letters and signs in Windows' encodings.
        if not _is(data, name) or (name == "latin-1" and any(0x80 <= byte < 0xA0 for byte in set(data))):
            continue
        text = piece.decode(name).strip()
        if text not in readings.values():
            readings[name] = text
    if not readings:
        return f"set `encoding` to that of the file, such as {OTHERS}"
    told = ", ".join(f"{shown(text)} as {name}" for name, text in readings.items())
    return f"set `encoding` to the one in which this reads right: {told}; or to another one, such as {OTHERS}"


def _likely(data: bytes) -> str:
    if _is(data, "utf-8"):
        return "utf-8"
    return "cp1252" if any(0x80 <= byte < 0xA0 for byte in set(data)) else "latin-1"


def _is(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _note_windows(data: bytes, encoding: str, where: str, notes: list[str]) -> None:
    """Says that a file read as Latin-1 holds control characters, which are letters and signs in Windows' encoding."""
    at = next((number for number, byte in enumerate(data) if 0x80 <= byte < 0xA0), None)
    if at is None or not _is(data, "cp1252"):
        return
    piece = data[max(0, at - 12) : at + 12].decode("cp1252").split("\n")[0].strip()
    notes.append(
        f"{where} has control characters as {encoding}, and {shown(piece)} as cp1252: is `encoding: {encoding}` right?"
    )


def _note_utf8(data: bytes, encoding: str, where: str, notes: list[str]) -> None:
    """Says that a file read as another encoding is UTF-8 without a flaw, which other texts hardly ever are."""
    if not _is(data, "utf-8"):
        return
    at = next(number for number, byte in enumerate(data) if byte >= 0x80)
    piece = data[max(0, at - 12) : at + 12].decode("utf-8", errors="ignore").split("\n")[0].strip()
    notes.append(f"{where} is UTF-8 too, in which it has {shown(piece)}: is `encoding: {encoding}` right?")
