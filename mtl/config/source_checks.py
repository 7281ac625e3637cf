"""What tasks and sources ask of data, against what is known of it before any file is read."""

from mtl.config.common import Problem
from mtl.config.schema import Config
from mtl.errors import SettingError


def source_problems(config: Config) -> list[Problem]:
    """What sources ask of their data, then what tasks ask of their sources."""
    sources = config.prepare.sources
    asked = [problem for name, source in sources.items() if (problem := source.problem(name)) is not None]
    for name, task in config.tasks.items():
        if task.source in sources:
            try:
                task.check_against(name, sources[task.source])
            except SettingError as error:
                asked.append(error.problem)
    return asked
