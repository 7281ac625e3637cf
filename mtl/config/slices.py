"""`evaluate.slices`: what test metrics are taken apart by, against what the sources hold; imports no torch."""

from collections.abc import Collection, Iterable

from mtl.config.common import Problem
from mtl.config.schema import Config
from mtl.errors import SettingError, shown

CLASS = "class"
"""The classes of a task's own label."""
GROUPS = "groups"
"""Whom stored windows belong to."""
PATH = "evaluate.slices"


def slice_problems(config: Config) -> list[Problem]:
    """Names that no source has, where the sections of all sources tell what these hold."""
    if not config.evaluate.slices:
        return []
    known = [config.prepare.sources[name].known for name in _used(config)]
    labels: list[str] = []
    for tells in known:
        if tells is None or tells.labels is None:  # only the data tell: the stage `index` looks
            return []
        labels += tells.labels
    try:
        check_slices(config.evaluate.slices, labels, grouped=False)
    except SettingError as error:
        return [error.problem]
    return []


def check_slices(slices: Iterable[str], labels: Collection[str], grouped: bool) -> None:
    """Checks that the samples of some task can be told apart by each of the slices.

    Args:
        slices: names of `evaluate.slices`.
        labels: of all sources of tasks.
        grouped: a source says whom its stored windows belong to.

    Raises:
        SettingError: a name is none of theirs.
    """
    allowed = list(dict.fromkeys([*labels, *([GROUPS] if grouped else []), CLASS]))
    for name in slices:
        if name not in allowed:
            message = f"should be among {', '.join(allowed)} (labels of the sources, {GROUPS} of their stored windows, "
            message += f"and {CLASS} for the classes of a task's own label); found {shown(name)}"
            reason = f": no source of a task has {GROUPS}" if name == GROUPS else ""
            raise SettingError(PATH, f"{message}{reason}.")


def _used(config: Config) -> list[str]:
    """Sources of tasks that are there; an unknown one is another's problem."""
    names = dict.fromkeys(task.source for task in config.tasks.values())
    return [name for name in names if name in config.prepare.sources]
