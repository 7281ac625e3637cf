"""Targets that can be read off an input: copies, other names for their values, and columns that come close.

Only the tasks say what is a target, so that this is looked at once sources are prepared and before anything trains.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mtl.config.inputs import Held, SourceBase
from mtl.config.names import Derived
from mtl.config.tasks import Task
from mtl.data.inputs.base import Input
from mtl.data.inputs.copies import Behind, check_copies
from mtl.data.inputs.every import input_of
from mtl.data.loading.labels import derive_labels, seen_by
from mtl.types import SourceData

REMEDY = "name it in `ignore` of the source, or say `allow: [{column}]` if it is known before the {what} is"


def held_by(tasks: Sequence[Task], data: SourceData) -> Held:
    """Names in a prepared source, of which those that tasks learn are no inputs."""
    return input_of(data).for_tasks(tasks).held


def leaks(
    tasks: Mapping[str, Task], sections: Mapping[str, SourceBase], sources: Mapping[str, SourceData]
) -> dict[str, list[str]]:
    """Checks the inputs of sources whose columns may be targets.

    Args:
        tasks: the whole section `tasks`.
        sections: `prepare.sources`.
        sources: the prepared sources that tasks name.

    Returns:
        Source → sentences on inputs that are allowed copies of a target, follow it strictly, or correlate with it above
        .999.

    Raises:
        CopyError: an input that its source does not allow is a copy of a target, or names its values otherwise.
        SettingError: a task names what its source does not hold.
    """
    asked = {name: data for name, data in sources.items() if sections[name].allowed is not None}
    here = {name: task for name, task in tasks.items() if task.source in asked}
    inputs = {name: input_of(data) for name, data in asked.items()}
    learns, made = derive_labels(here, inputs)
    held = {name: source.held for name, source in seen_by(here, inputs).items()}  # before rules add labels
    told: dict[str, list[str]] = {}
    for name, source in made.items():
        learnt = list(dict.fromkeys(learns[task] for task in here if task in learns and here[task].source == name))
        cells = source.cells()
        told[name] = []
        if cells is None:
            continue
        columns, values, named = cells
        targets = {target: _of_rows(source, target) for target in learnt}
        where = sections[name].files[0] if sections[name].files else f"prepare.sources.{name}"
        allow = sections[name].allowed or []
        rules = [task.learns(task_name, held[name]) for task_name, task in here.items() if task.source == name]
        ruled = {rule.of for rule in rules if isinstance(rule, Derived) and rule.of is not None}
        targets |= {Behind(column): _of_rows(source, column) for column in sorted(ruled.difference(learnt))}
        check_copies(np.asarray(values), columns, targets, where, allow, told[name], REMEDY, named)
    return told


def _of_rows(source: Input[SourceData], column: str) -> np.ndarray:
    """Class numbers or numbers of a column that tasks learn from [R]."""
    labels, numbers = source.data.labels, source.data.numbers
    values: np.ndarray = (labels[column] if column in labels else numbers[column]).numpy()
    return values
