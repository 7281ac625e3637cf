"""params.yaml → `Config`, or one `ConfigError` that names the path, what was found and what is allowed."""

from pathlib import Path

from pydantic import ValidationError

from mtl.config.contradictions import contradictions
from mtl.config.messages import message_of
from mtl.config.schema import Config
from mtl.config.yaml_file import read_yaml
from mtl.errors import ConfigError, SettingError

PARAMS = Path("params.yaml")


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
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(message_of(error, raw, where)) from None
    for path, message in contradictions(config):
        raise SettingError(path, message, where)
    return config
