"""What tasks and sources ask of the built-in sets, against what is known of them before any file is read."""

from mtl.config.image_sets import CLASSES, BuiltIn, known_set
from mtl.config.images import ImageSource
from mtl.config.names import check_kind, check_label, check_names
from mtl.config.schema import Config
from mtl.config.sensors import SensorsSource
from mtl.config.sources import PythonSource, Source
from mtl.config.tasks import ForecastTask, Task
from mtl.errors import SettingError

Problem = tuple[str, str]
"""(path, message)."""


def source_problems(config: Config) -> list[Problem]:
    """What sources ask of their sets, then what tasks ask of their sources."""
    sources = config.prepare.sources
    found: list[Problem] = []
    for name, source in sources.items():
        if isinstance(source, BuiltIn):
            known = known_set(source)
            problem = part_problem(name, source, known.labels[CLASSES], known.train_images)
            found += [] if problem is None else [problem]
    for name, task in config.tasks.items():
        if task.source in sources and not isinstance(sources[task.source], PythonSource):
            try:
                _check_task(name, task, sources[task.source])
            except SettingError as error:
                found.append(error.problem)
    return found


def _check_task(name: str, task: Task, source: Source) -> None:
    """Raises a SettingError if the source is known not to hold what the task names."""
    check_kind(name, task, isinstance(source, BuiltIn))
    if isinstance(source, SensorsSource):
        check_names(name, task, source.columns, source.classes, images=False)
    if not isinstance(source, BuiltIn) or isinstance(task, ForecastTask):
        return
    known = known_set(source)
    if known.names is None:
        check_label(name, task, known.labels)
    else:
        check_names(name, task, [], known.names, images=True)


def part_problem(name: str, source: ImageSource, classes: int, images: int | None) -> Problem | None:
    """What is wrong with the part of its training images that a source takes.

    Args:
        name: of the source.
        source: its section.
        classes: of the label `classes`.
        images: how many training images there are; None where only the data tell.
    """
    path, wanted = f"prepare.sources.{name}.train_images", source.train_images
    if wanted is None:
        return None
    if images is not None and wanted > images:
        message = f"should be at most {images:,}, the training images that there are, or null for all of them"
        return path, f"{message}, found {wanted:,}."
    if wanted < classes * source.folds:
        message = (
            f"should be at least {classes * source.folds:,}, an image of each of the {classes} classes in each of "
        )
        return path, f"{message}the {source.folds} folds, found {wanted:,}."
    return None
