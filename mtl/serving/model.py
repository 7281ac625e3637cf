"""Finished models that predict samples in original units.

n samples, C channels, L rows of a window, F numbers of a row, Y × X pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtl.checks import bad
from mtl.data.inputs.base import Layout
from mtl.data.inputs.every import fitted, given
from mtl.errors import UserError, shown
from mtl.models.saved import Network, load
from mtl.tasks.answers import Answer
from mtl.tasks.base import TaskSpec
from mtl.training.measure import CHUNK, outputs


class Model(ABC):
    """One network, or several that answer as one."""

    @property
    @abstractmethod
    def tasks(self) -> dict[str, TaskSpec]:
        """Name → task: kind, shape of a sample, columns, classes, units."""

    @abstractmethod
    def members_of(self, task: str) -> "list[LoadedModel]":
        """The networks that answer a task."""

    def predict(
        self, samples: object, tasks: Sequence[str] | None = None, batch_size: int = CHUNK
    ) -> dict[str, Answer]:
        """Task → predictions: numbers in original units, or class names and probabilities.

        Args:
            samples: original units. Windows [n, L, C] (rows, then channels), or a pandas frame whose last L rows are
                one window; images uint8 [n, C, Y, X]; rows [n, F], or a frame of them. Arrays are numpy's or torch's;
                the columns of a frame should be those of the training data, in their order.
            tasks: which predictions are wanted; they read the same samples. None: all.
            batch_size: samples in one pass. That of the evaluation, the default, gives its predictions to the last bit.

        Raises:
            UserError: the samples do not fit the tasks, or these do not read the same samples.
        """
        answers, specs = self.outputs(samples, tasks, batch_size), self.tasks
        return {name: specs[name].answer(output) for name, output in answers.items()}

    @abstractmethod
    def outputs(
        self, samples: object, tasks: Sequence[str] | None = None, batch_size: int = CHUNK
    ) -> dict[str, Tensor]:
        """Task → what the network itself gives: z-scored numbers, or logits. Arguments and errors as in `predict`."""

    def asked(self, tasks: Sequence[str] | None) -> list[TaskSpec]:
        """The tasks that are wanted, in the order of training.

        Raises:
            UserError: one is not known, or they read different samples.
        """
        known = self.tasks
        asked = list(known) if tasks is None else [tasks] if isinstance(tasks, str) else list(tasks)
        unknown = [name for name in asked if name not in known]
        if unknown or not asked:
            raise bad("tasks", f"name tasks of the model ({', '.join(known)})", unknown[0] if unknown else asked)
        groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for name, spec in known.items():
            if name in asked:
                groups.setdefault(spec.samples, []).append(name)
        if len(groups) > 1:
            told = "; ".join(
                f"{', '.join(names)}: {known[names[0]].input.words(known[names[0]].shape)} of {source}"
                for (source, _), names in groups.items()
            )
            example = next(iter(groups.values()))
            raise UserError(
                f"`tasks` should read the same samples, found {told}. Ask for some of them, as with "
                f"`predict(samples, tasks={shown(example)})`."
            )
        return [known[name] for name in known if name in asked]


@dataclass(frozen=True)
class LoadedModel(Model):
    """The network of a run, as `mtl.load_model` loads it."""

    network: Network

    @classmethod
    def of_folder(cls, folder: Path) -> "LoadedModel":
        """The network of a run's folder.

        Raises:
            UserError: as `mtl.load_model`.
        """
        return cls(load(folder))

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """Name → task, of those that the run was measured by: kind, shape of a sample, columns, classes, units."""
        return {name: self.network.specs[name] for name in self.network.saved.judged}

    def members_of(self, task: str) -> "list[LoadedModel]":
        return [self]

    def layout_of(self, task: str) -> Layout:
        """Description of the samples of a task, with what was fitted to the training samples."""
        return self._layout(self.network.specs[task])

    def outputs(
        self, samples: object, tasks: Sequence[str] | None = None, batch_size: int = CHUNK
    ) -> dict[str, Tensor]:
        if type(batch_size) is not int or batch_size < 1:
            raise bad("batch_size", "be a whole number from 1 on", batch_size)
        specs = self.asked(tasks)
        first = specs[0]
        ahead = max(spec.rows_ahead for spec in specs)
        batches = given(first.input, samples, self._layout(first), ahead)
        parts = torch.split(torch.arange(len(batches)), batch_size)
        names = [spec.name for spec in specs]
        return outputs(self.network.model, (batches.gather(index, ahead)[0] for index in parts), names)

    def _layout(self, spec: TaskSpec) -> Layout:
        source = self.network.saved.sources[spec.source]
        return Layout(spec.source, spec.shape, source.columns, fitted(spec.input, source.scaler.plain()))
