"""Label rules (placeholder until the rules' own room is merged)."""

from mtl.config import ForecastTask, Task
from mtl.types import SourceData


def derive_labels(
    tasks: dict[str, Task], sources: dict[str, SourceData]
) -> tuple[dict[str, str], dict[str, SourceData]]:
    """Task → label name in its source; the sources."""
    return {name: str(task.label) for name, task in tasks.items() if not isinstance(task, ForecastTask)}, sources
