"""Hashes that identify a parent run: of the resolved configuration, the prepared data and the code."""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl.config import BaseConfig, Config

PREPARED = Path("data/prepared")
PACKAGE = Path(__file__).resolve().parents[1]
NOT_CODE = ("tracking", "cli", "project")
"""Rooms of the mirror, of the commands and of new projects, left out of the code's hash: they change no result."""
REFUSED = re.compile(r"[^\w.\- :/]")
"""Characters that MLflow lets stand in no name of a parameter; those of columns and classes may hold any."""
LONGEST_NAME = 250
"""Characters of such a name."""


def digest(value: object) -> str:
    """sha256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def resolved(config: Config) -> dict[str, Any]:
    """Configuration with every default filled in, without the settings that cannot change a result."""
    plain: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude={"tracking", "tune"})
    for harmless in BaseConfig.EXECUTION:
        del plain["base"][harmless]
    return plain


def identity(config: Config, root: Path) -> dict[str, str]:
    """Hashes of `config`, `data` and `code`."""
    metas = {name: root / PREPARED / name / "meta.json" for name in config.prepare.sources}
    data = {name: path.read_text(encoding="utf-8") for name, path in metas.items() if path.exists()}
    code = {}
    for folder in (PACKAGE, root / "plugins"):
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder)
            if folder != PACKAGE or relative.parts[0] not in NOT_CODE:
                code[f"{folder.name}/{relative.as_posix()}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"config": digest(resolved(config)), "data": digest(data), "code": digest(code)}


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Flattens nested maps into one map, with keys joined by dots."""
    if not isinstance(value, dict) or not value:
        return {prefix: value} if prefix else {}
    flattened: dict[str, object] = {}
    for key, inner in value.items():
        flattened |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flattened


def accepted(params: Mapping[str, object]) -> dict[str, object]:
    """The same parameters under names that MLflow takes: `Size (m²)` as `Size _m²_`; a name that is there already
    gets a number."""
    named: dict[str, object] = {}
    for key, value in params.items():
        name = REFUSED.sub("_", key)
        if posixpath.normpath(name) != name or name.startswith(("/", "..")):
            name = name.replace("/", "_")
        name, number = name[:LONGEST_NAME], 1
        plain = name
        while name in named:
            number += 1
            name = f"{plain[: LONGEST_NAME - len(str(number)) - 1]} {number}"
        named[name] = value
    return named
