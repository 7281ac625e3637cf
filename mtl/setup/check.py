"""A new project's settings, tried on the user's file before anything is written."""

from pathlib import Path
from typing import Any

from mtl.config import Config, parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.errors import SettingError, UserError
from mtl.setup.table_checks import check_tables

NEW = "the new params.yaml"


def tried(text: str, file: Path, preset: str | None, images: Path | None = None) -> list[str]:
    """Checks the text of params.yaml, and that its tasks can be learnt from the file.

    Args:
        text: of params.yaml, with one source.
        file: the user's, where it lies now.
        preset: whose training settings the text has; None: none.
        images: folder of the image files that a column names, where it lies now; None: there are none.

    Returns:
        Sentences on inputs that nearly tell a target, and on parts that have no sample of a task or of a class.

    Raises:
        CopyError: an input is a copy of a target.
        UserError: the settings contradict each other or the file.
    """
    raw: dict[str, Any] = parse_yaml(text, NEW)
    for section in raw["prepare"]["sources"].values():
        section["path"] = str(file)
        if images is not None:
            section["images"]["folder"] = str(images)
    try:
        config = parse_config(raw, NEW)
    except UserError as error:
        if preset is None:
            raise
        told = str(error).removeprefix(f"{NEW}: ")
        message = f"--preset {preset} cannot be used with --data and these targets: {told}"
        raise UserError(f"{message} Without --preset, settings are chosen by the number of rows.") from None
    try:
        _check_series(config)
        return check_tables(config, Path(), strict=False)  # what a setting mends can be mended in the new project
    except SettingError as error:
        path, message = error.problem
        raise UserError(f"--targets: `{path}` of the new project {message}") from None


def _check_series(config: Config) -> None:
    """Reads the sources that tables are not, and looks up what tasks name in them.

    Raises:
        UserError: they cannot be read, or a task names what there is not.
    """
    for name, section in config.prepare.sources.items():
        if section.allowed is None:
            held = input_of(read_source(name, section, Path())).held
            for task_name, task in config.tasks.items():
                task.learns(task_name, held)
