"""params.yaml → `Config`, or one `ConfigError` that names the path, what was found and what is allowed."""

from pathlib import Path

from pydantic import ValidationError

from mtl.config.contradictions import contradictions
from mtl.config.messages import message_of
from mtl.config.schema import Config
from mtl.config.yaml_file import read_yaml
from mtl.errors import ConfigError, SettingError, shown

PARAMS = Path("params.yaml")
VERSION = 1
"""Form of params.yaml; a file without `version` has the first."""


def load_config(path: Path = PARAMS) -> Config:
    """Reads and checks a params file.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds a value that cannot be used.
    """
    return parse_config(read_yaml(path), str(path))


def parse_config(raw: object, where: str = str(PARAMS)) -> Config:
    """A parsed params file → Config; `where` names the file in messages."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} should hold sections (key: value), found {type(raw).__name__}.")
    _check_version(raw.get("version", 1), where)
    raw = {key: value for key, value in raw.items() if key != "version"}
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(message_of(error, raw, where)) from None
    for path, message in contradictions(config):
        raise SettingError(path, message, where)
    return config


def _check_version(version: object, where: str) -> None:
    """Checks that a file has a form that this program reads.

    Raises:
        ConfigError: it is of a newer program, or names no version at all.
    """
    if type(version) is int and 1 <= version <= VERSION:
        return
    message = f"{where}: `version` should be a whole number from 1 to {VERSION}, found {shown(version)}"
    newer = type(version) is int and version > VERSION
    raise ConfigError(f"{message}{': the file is of a newer mtl, so upgrade mtl to read it' if newer else ''}.")
