"""params.yaml as the bytes that its owner's editor left: line ends, byte order mark and final line end are kept."""

import difflib
import os
import re
import tempfile
from pathlib import Path

from mtl.errors import ConfigError, UserError

BOM = "\ufeff"
LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
"""A line with its end, as YAML sees it; the last one may have none."""


def read_params(path: Path) -> str:
    """The file's text, letter by letter.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def write_params(path: Path, text: str) -> None:
    """Replaces the file at once, so that a stop leaves the old one or the new one; permissions and a link stay.

    Raises:
        UserError: the disk is full, or the place cannot be written; what was there stays.
    """
    target = path.resolve()
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def plain(text: str) -> str:
    """The text with \\n as line ends, one behind the last line, and no byte order mark."""
    lines = [_content(line) for line in LINE.findall(text.removeprefix(BOM))]
    return "".join(f"{line}\n" for line in lines)


def line_end(text: str) -> str:
    """The line end that most lines of a text have; \\n if none has any."""
    ends = [line[len(_content(line)) :] for line in LINE.findall(text)]
    counts = {end: ends.count(end) for end in ("\n", "\r\n", "\r")}
    return max(counts, key=lambda end: counts[end])


def in_form_of(old: str, new: str) -> str:
    """A new text (line ends \\n) in the form of the old one: lines that stay keep their bytes, others get its line end.

    Args:
        old: text that is replaced; empty if there is none.
        new: text that replaces it.
    """
    if not old:
        return new
    bom = BOM if old.startswith(BOM) else ""
    before, after = LINE.findall(old.removeprefix(BOM)), LINE.findall(new)
    end = line_end(old)
    result = [_content(line) + end for line in after]
    matcher = difflib.SequenceMatcher(
        None, [_content(line) for line in before], [_content(line) for line in after], False
    )
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            kept = before[block.a + offset]
            if kept != _content(kept):  # The last line of the old text may have no end.
                result[block.b + offset] = kept
    if result and before and before[-1] == _content(before[-1]):
        result[-1] = _content(result[-1])
    return bom + "".join(result)


def _content(line: str) -> str:
    return line.rstrip("\r\n")
