"""Damage that files take on their way: cut off, packed wrongly, in another encoding, edited on another system."""

import gzip
from collections.abc import Callable

from hypothesis import strategies as st

Damage = Callable[[bytes], bytes]


def _recoded(encoding: str) -> Damage:
    return lambda data: data.decode("utf-8", errors="replace").encode(encoding, errors="replace")


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


@st.composite
def _cut(draw: st.DrawFn) -> Damage:
    share = draw(st.floats(0, 1))
    return lambda data: data[: int(len(data) * share)]


@st.composite
def _inserted(draw: st.DrawFn) -> Damage:
    share = draw(st.floats(0, 1))
    what = draw(
        st.sampled_from([b"\0", b"\xff", b"\xc3", b'"', b"\r", b"\n", b",", b":", b"\x1b[31m", b"\xe2\x80\xa8"])
    )

    def insert(data: bytes) -> bytes:
        at = int(len(data) * share)
        return data[:at] + what + data[at:]

    return insert


@st.composite
def _flipped(draw: st.DrawFn) -> Damage:
    share, bit = draw(st.floats(0, 0.9999)), draw(st.integers(0, 7))

    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        if changed:
            changed[int(len(data) * share)] ^= 1 << bit
        return bytes(changed)

    return flip


@st.composite
def _line_moved(draw: st.DrawFn) -> Damage:
    """A line that is gone, there twice, or elsewhere."""
    share, to, keep = draw(st.floats(0, 0.9999)), draw(st.floats(0, 1)), draw(st.booleans())
    gone = draw(st.booleans())

    def move(data: bytes) -> bytes:
        lines = _lines(data)
        line = lines[int(len(lines) * share)]
        rest = lines if keep else [x for n, x in enumerate(lines) if n != int(len(lines) * share)]
        at = int(len(rest) * to)
        return b"\n".join(rest if gone else [*rest[:at], line, *rest[at:]])

    return move


def any_bytes() -> st.SearchStrategy[Damage]:
    """Damage that any file can take."""
    fixed: list[Damage] = [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: gzip.compress(data, mtime=0),
        lambda data: b"PAR1" + data + b"PAR1",
        lambda data: b"PK\x03\x04" + data,
        lambda data: b"\x93NUMPY\x01\x00" + data,
        lambda data: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        lambda data: data + b"\0" * 100,
        _recoded("utf-16"),
        _recoded("latin-1"),
        _recoded("utf-7"),
    ]
    return st.one_of(st.sampled_from(fixed), _cut(), _inserted(), _flipped(), _line_moved())


LINE_ENDS: list[Damage] = [
    lambda data: data,
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\xef\xbb\xbf" + data,
]
"""Changes of a file's bytes that change no value."""
