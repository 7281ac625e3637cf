"""A finished model as one network from samples in original units to answers, as exporters trace it.

n samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtl.data.inputs.traced import Asked
from mtl.data.inputs.traced_every import traced
from mtl.errors import UserError
from mtl.results.calibration import Calibration
from mtl.serving.deployed import DeployedModel
from mtl.serving.model import LoadedModel, Model
from mtl.tasks.base import TaskSpec
from mtl.tasks.recalibration import recalibrated
from mtl.tasks.traced import VALUE, answer_of, classes_of, parts_of

SEPARATOR = ":"
"""Between a task and a part of its answer; no name of a task holds it."""


@dataclass(frozen=True)
class Given:
    """One tensor that an exported model gives.

    Args:
        task: name.
        part: of its answer; empty: the number or the class.
        shape: with `n` for the samples.
        dtype: of its numbers.
        classes: names of the classes that it numbers, or of the columns of probabilities; None for numbers.
    """

    task: str
    part: str
    shape: tuple[str | int, ...]
    dtype: torch.dtype
    classes: list[str] | None

    @property
    def name(self) -> str:
        """Name of the tensor."""
        return f"{self.task}{SEPARATOR}{self.part}" if self.part else self.task


class Graph(nn.Module):
    """The networks that answer some tasks which read the same samples, and what stands before and behind them.

    A sample that mtl would refuse, such as one with a missing number where no training row lacked one, gets NaN in
    every number and the class −1.

    Args:
        model: finished.
        specs: the tasks.
    """

    def __init__(self, model: Model, specs: Sequence[TaskSpec]) -> None:
        super().__init__()
        self.specs = list(specs)
        self.shares = [_shares(model, spec.name) for spec in specs]
        self.calibrations = [_calibrations(model, spec.name) for spec in specs]
        members = {name: member for shares in self.shares for name, (member, _) in shares.items()}
        self.members = list(members)
        self.own = {name: dict(member.tasks) for name, member in members.items()}
        # All tasks of a member that read these samples, as when it was measured.
        self.alike = {
            name: tuple(task for task, own in tasks.items() if own.samples == specs[0].samples)
            for name, tasks in self.own.items()
        }
        layouts = [member.layout_of(self.alike[name][0]) for name, member in members.items()]
        before = traced(specs[0].input, layouts)
        self.asked: dict[str, Asked] = before[0].asked
        """Name → a tensor of the samples."""
        self.first = before[0]
        self.before = nn.ModuleList(before)
        self.networks = nn.ModuleList(member.network.model for member in members.values())
        self.given = [
            Given(spec.name, part, shape, *_content(spec, part))
            for spec in specs
            for part, shape in parts_of(spec).items()
        ]
        self.requires_grad_(False)
        self.eval()

    def forward(self, *samples: Tensor) -> tuple[Tensor, ...]:
        """The tensors of `given`, in order."""
        outputs: dict[str, dict[str, Tensor]] = {}
        usable = None
        for name, before, network in zip(self.members, self.before, self.networks, strict=True):
            x, whole = before(*samples)
            usable = whole if usable is None else usable & whole
            predictions = network(x, self.alike[name])
            outputs[name] = {task: predictions[task] for task in self.alike[name]}
        assert usable is not None
        answers: list[Tensor] = []
        for spec, shares, by in zip(self.specs, self.shares, self.calibrations, strict=True):
            own = {name: spec.taken_from(self.own[name][spec.name], outputs[name][spec.name]) for name in shares}
            parts = [recalibrated(part, by.get(name)) for name, part in own.items()]
            whole = parts[0] if len(parts) == 1 else spec.combine(parts, [share for _, share in shares.values()])
            answers += [_or_nothing(answer, usable) for answer in answer_of(spec)(whole)]
        return tuple(answers)

    def arguments(self, count: int) -> tuple[Tensor, ...]:
        """Samples of zeros."""
        return tuple(torch.zeros(count, *asked.shape, dtype=asked.dtype) for asked in self.asked.values())


def graph_of(model: Model, tasks: Sequence[str] | None) -> Graph:
    """The graph of some tasks of a model.

    Args:
        model: finished.
        tasks: names; None: all.

    Raises:
        UserError: they do not read the same samples, or a kind of task has no such form.
    """
    try:
        specs = model.asked(tasks)
    except UserError as error:
        raise UserError(f"{error} One file answers tasks that read the same samples: name them by --tasks.") from None
    layouts = [member.layout_of(spec.name) for spec in specs[:1] for member in model.members_of(spec.name)]
    if any(asked.free for asked in traced(specs[0].input, layouts)[0].asked.values()):
        raise UserError(
            f"{specs[0].name}: texts are cut into tokens by the vocabulary of the model, which neither ONNX nor "
            "torch.export holds: serve the model with `mtl serve`, or export it with `--to mlflow`, which holds it."
        )
    for spec in specs:
        parts_of(spec)
        stepped = [by for by in _calibrations(model, spec.name).values() if by.kind == "isotonic"]
        if stepped:
            raise UserError(
                f"{spec.name}: probabilities that are calibrated by `isotonic` rise in steps, at which the last digit "
                "of another runtime decides: export the model with `--to mlflow`, which holds them, deploy it with "
                "`evaluate.calibration: temperature`, or name other tasks by --tasks."
            )
    graph = Graph(model, specs)
    with torch.no_grad():
        graph(*graph.arguments(2))  # routes through the networks are worked out before anything is traced
    return graph


def _shares(model: Model, task: str) -> dict[str, tuple[LoadedModel, float]]:
    """Name of each network that answers a task → the network and its share."""
    if isinstance(model, DeployedModel):
        shares = model.deployment.tasks[task].members
        return {name: (model.members[name], share) for name, share in shares.items()}
    return {"": (model.members_of(task)[0], 1.0)}


def _calibrations(model: Model, task: str) -> Mapping[str, Calibration]:
    """Name of each network that answers a task → calibration of its probabilities; empty without any."""
    return (model.deployment.tasks[task].calibration or {}) if isinstance(model, DeployedModel) else {}


def _content(spec: TaskSpec, part: str) -> tuple[torch.dtype, list[str] | None]:
    classes = classes_of(spec)
    return torch.int64 if classes is not None and part == VALUE else torch.float32, classes


def _or_nothing(answer: Tensor, usable: Tensor) -> Tensor:
    """The answer where a sample is usable, else NaN, or −1 for a class."""
    nothing: Any = torch.nan if answer.is_floating_point() else -1
    return torch.where(usable.reshape(-1, *[1] * (answer.ndim - 1)), answer, nothing)
