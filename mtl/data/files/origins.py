"""data/raw/.origins/NAME.json: where each raw file came from. git ignores it: it tells about this machine, not about
the data."""

import json
from pathlib import Path

from mtl.data.files.manifest import MAX_MANIFEST, RAW
from mtl.data.formats.reading import read_bytes
from mtl.errors import DataError
from mtl.files import replace_text

ORIGINS = Path(".origins")
"""Folder below data/raw."""


def record_origins(name: str, origins: dict[str, str], root: Path) -> None:
    """Adds to data/raw/.origins/NAME.json where files came from."""
    if not origins:
        return
    text = json.dumps(read_origins(name, root) | origins, indent=1, sort_keys=True)
    replace_text(_path(name, root), text + "\n")


def _path(name: str, root: Path) -> Path:
    return root / RAW / ORIGINS / f"{name}.json"


def read_origins(name: str, root: Path) -> dict[str, str]:
    """Recorded origins; raises a DataError if the record is damaged."""
    path = _path(name, root)
    if not path.exists():
        return {}
    try:
        known = json.loads(read_bytes(path, str(path), MAX_MANIFEST))
        if not isinstance(known, dict):
            raise ValueError
        return known
    except (ValueError, RecursionError):
        raise DataError(f"{path} should hold JSON: delete it, it only tells where files came from.") from None
