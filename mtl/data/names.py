"""What a task names, against what its source holds: known before any training; imports no torch."""

from collections.abc import Mapping, Sequence

from mtl.config import BinaryTask, ForecastTask, Task
from mtl.errors import ConfigError, shown


def check_names(name: str, task: Task, columns: Sequence[str], classes: Mapping[str, Sequence[str]]) -> None:
    """Checks a task's targets or label.

    Args:
        name: of the task.
        task: its settings.
        columns: of its source.
        classes: label → names of its classes.

    Raises:
        ConfigError: the source does not hold what the task names, or a binary task's label has not two classes.
    """
    where = f"params.yaml: `tasks.{name}"
    if isinstance(task, ForecastTask):
        for target in task.targets or []:
            if target not in columns:
                raise ConfigError(f"{where}.targets` should be among {', '.join(columns)}, found {shown(target)}.")
        return
    if task.label not in classes:
        known = ", ".join(classes)
        allowed = f"one of {known}" if known else f"a label of {task.source}, which has none"
        raise ConfigError(f"{where}.label` should be {allowed}; found {shown(task.label)}.")
    found = classes[task.label]
    if isinstance(task, BinaryTask) and len(found) != 2:
        raise ConfigError(
            f"{where}.kind` binary needs a label with 2 classes; {task.label} has {len(found)}: {', '.join(found)}."
        )
