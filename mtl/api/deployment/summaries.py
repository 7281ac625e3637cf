"""Deployed models of the methods of a project, each as MLflow takes one: what the summaries there hold."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from mtl.api.deployment.deploy import SIMPLE, STL, Wish, deploy
from mtl.config import PARAMS, Config, load_config
from mtl.errors import UserError
from mtl.paths import VERDICTS
from mtl.results.deployment import CARD
from mtl.results.verdicts import Verdicts
from mtl.serving.deployed import DeployedModel, load_deployed
from mtl.serving.doubts import doubts, verdict_tags
from mtl.serving.export.mlflow_folder import flavour_of
from mtl.serving.service import Service
from mtl.tracking.models import ToLog
from mtl.tracking.records import SPECIALISED

GROUPING = "grouping/"
"""Beginning of the name of a grouping's summary."""
PLACE = "model"
"""Name of the model in its run; of models that read other samples, with the name of their first task."""


@contextmanager
def models_of(method: str, start: str, root: Path = Path()) -> Iterator[list[ToLog]]:
    """The deployed model of a method, by the seed that is best on validation data; several where its tasks read
    different samples, since a model of MLflow has one signature.

    Args:
        method: as the summary names it.
        start: of single-task training.
        root: folder of the project.

    Raises:
        UserError: it cannot be deployed, or needs code of the user's own.
    """
    torch.set_num_threads(1)
    wish = _wish(method, start, load_config(root / PARAMS), Verdicts.read(root / VERDICTS))
    with tempfile.TemporaryDirectory(prefix="mtl-") as temporary, ExitStack() as opened:
        place, deployment = deploy(wish, root, Path(temporary))
        folder = Path(temporary) / place
        model = load_deployed(folder)
        tags = {"mtl.model": method, "mtl.seeds": str(wish.seeds), **verdict_tags(deployment)}
        against = doubts(deployment)
        if against:
            tags["mtl.against"] = "; ".join(against)
        tags["mlflow.note.content"] = (folder / CARD).read_text(encoding="utf-8")[:5000]
        groups = _alike(model)
        yield [
            ToLog(
                PLACE if len(groups) == 1 else f"{PLACE}_{tasks[0]}",
                opened.enter_context(flavour_of(Service(model, tasks), folder)),
                tags,
            )
            for tasks in groups
        ]


def _wish(method: str, start: str, config: Config, verdicts: Verdicts) -> Wish:
    """The deployment of what a summary sums up: all tasks that it answers."""
    known = [task for task in verdicts.tasks if task.name in config.tasks]
    if method == STL:
        first = config.baseline.starts[0].label
        if start != first:
            raise UserError(f"single-task networks are deployed of the first start alone ({first})")
        return Wish(STL, tasks=[task.name for task in known if task.alone], name=STL)
    if method == SIMPLE:
        return Wish(SIMPLE, tasks=[task.name for task in known if task.simple is not None], name=SIMPLE)
    if method.startswith(SPECIALISED):
        raise UserError("a model of one group is no answer of its own: the summary of its grouping holds it")
    name = method.removeprefix(GROUPING)
    rows = [] if verdicts.grouping is None else verdicts.grouping.rows
    answered = next((list(row.metrics) for row in rows if method != name and row.name == name), None)
    if answered is None:
        answered = next((judged.tasks for judged in verdicts.methods if judged.name == name), None)
    return Wish(name, tasks=answered)


def _alike(model: DeployedModel) -> list[list[str]]:
    """Tasks in groups that read the same samples."""
    groups: dict[object, list[str]] = {}
    for name, spec in model.tasks.items():
        groups.setdefault(spec.samples, []).append(name)
    return list(groups.values())
