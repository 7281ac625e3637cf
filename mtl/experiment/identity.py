"""What a run's result depends on, as hashes: the settings, the prepared data and our own code."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from mtl.config import Config
from mtl.paths import PREPARED


def digest(value: object) -> str:
    """sha256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def code_digest() -> str:
    """sha256 over the sources that results depend on: the same code gives the same digest on every machine."""
    package = Path(__file__).resolve().parent.parent
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "tracking") or path.is_relative_to(package / "report"):
            continue  # neither changes a result
        found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def data_digest(sources: list[str], root: Path) -> str:
    """sha256 over the descriptions of prepared sources, which hold the hashes of their arrays."""
    return digest({name: (root / PREPARED / name / "meta.json").read_text() for name in sorted(sources)})


def settings(config: Config, *sections: str) -> dict[str, Any]:
    """The named sections of a config as plain values; `base` without what never changes a result."""
    chosen = config.model_dump(mode="json", by_alias=True, include=set(sections))
    if "base" in chosen:
        for harmless in ("jobs", "seeds"):
            chosen["base"].pop(harmless)
    return chosen
