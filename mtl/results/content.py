"""Common ground of all result files: sorted JSON, a version, and one message for a file that cannot be used."""

import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mtl.errors import UserError, shown
from mtl.files import write_json

VERSION_KEY = "version"
FIRST = 1
"""Version of the files that say none."""
AGAIN = "compute it again with `mtl repro --force`"
"""End of the message on a file that cannot be used."""
File = TypeVar("File", bound="ResultFile")


class Part(BaseModel):
    """A part of a result file: immutable, no unknown keys, no value of another type than the declared one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it."""
        return self.model_dump(by_alias=True)


class ResultFile(Part):
    """A whole file.

    A key that is added gets a default, so that older files are read as they are. A class whose format changes otherwise
    raises `version`, and lifts older content in `migrated`.
    """

    version: ClassVar[int] = FIRST
    """Version that is written. The first one is the absence of the key, as in the files from before there was one."""
    escaped: ClassVar[bool] = True
    """Letters beyond ASCII are written as escapes; files with sentences for readers do without."""

    @classmethod
    def migrated(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Content of an older version in the form of this one; a format that never changed has nothing to do."""
        del version
        return content

    @classmethod
    def read(cls: type[File], file: Path, remedy: str = "mtl repro") -> File:
        """Reads a file of this version or an older one.

        Args:
            file: to be read.
            remedy: command that makes the file anew; with `--force` also when it is there.

        Raises:
            UserError: the file is missing, damaged, of a newer version or holds something else; the message names it,
                what is wrong with it, and the command.
        """
        again = f"run `{remedy} --force` to compute it again"
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{file} is missing; run `{remedy}`.") from None
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error}); {again}.") from None
        return cls.loads(text, str(file), again)

    @classmethod
    def loads(cls: type[File], text: bytes, where: str, again: str = AGAIN) -> File:
        """Bytes of a file as a value of this class; `where` names the file in messages, `again` ends them.

        Raises:
            UserError: as `read`.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where} cannot be read ({error}); {again}.") from None
        return cls.parse(content, where, again)

    @classmethod
    def parse(cls: type[File], content: object, where: str, again: str = AGAIN) -> File:
        """Parsed JSON as a value of this class; `where` names its file in messages, `again` ends them.

        Raises:
            UserError: as `read`.
        """
        if not isinstance(content, dict):
            raise UserError(f"{where} should hold an object, found {shown(content)}; {again}.")
        version = content.get(VERSION_KEY)
        if type(version) is not int or version < FIRST:  # where keys are names of tasks, `version` may be one of them
            version = FIRST
        else:
            content = {key: value for key, value in content.items() if key != VERSION_KEY}
        if version > cls.version:
            raise UserError(
                f"{where} was written by a newer version of mtl (format {version}; this one reads up to "
                f"{cls.version}): install that version, or {again}."
            )
        if version < cls.version:
            content = cls.migrated(content, version)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise UserError(f"{where}: {_problem(error, content)}; {again}.") from None

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it, with the version unless it is the first."""
        return super().plain() | ({} if self.version == FIRST else {VERSION_KEY: self.version})

    def write(self, file: Path) -> None:
        """Writes sorted JSON in one step; NaN is refused, since JSON has none."""
        write_json(file, self.plain(), ascii_only=self.escaped)


def absent(value: object) -> bool:
    """Says that None is left out of a file: a key of something that was not asked for does not stand there."""
    return value is None


def _problem(error: ValidationError, content: object) -> str:
    """The first problem in words; an unknown key before all others, since it explains missing ones."""
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    path = _path(first["loc"], content)
    match first["type"]:
        case "extra_forbidden":
            return f"`{path}` is not a known key (a newer version of mtl may have written it)"
        case "missing":
            return f"`{path}` is missing"
        case _:
            text = first["msg"].replace("Input should", "should")
            return f"`{path}` {text[0].lower()}{text[1:]}, found {shown(first['input'])}"


def _path(location: tuple[int | str, ...], content: Any) -> str:
    """Dotted path in the file: pydantic's location without the types of a union that it tried."""
    parts: list[str] = []
    here = content
    for number, part in enumerate(location, start=1):
        if isinstance(here, dict):
            if part not in here and number < len(location):
                continue
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int):
            here = here[part]
        else:
            continue
        parts.append(str(part))
    return ".".join(parts)
