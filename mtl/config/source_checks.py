"""Checks of tasks and sources against what is known of the data before any file is read."""

from mtl.config.common import Problem
from mtl.config.schema import Config
from mtl.errors import SettingError


def source_problems(config: Config) -> list[Problem]:
    """Problems of sources with their data, then those of tasks with their sources."""
    sources = config.prepare.sources
    asked = [problem for name, source in sources.items() if (problem := source.problem(name)) is not None]
    for name, task in config.tasks.items():
        if task.source in sources:
            try:
                task.check_against(name, sources[task.source])
            except SettingError as error:
                asked.append(error.problem)
    return asked
