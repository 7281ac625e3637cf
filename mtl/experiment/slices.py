"""Test metrics of parts of the samples, and the samples that are predicted worst, added up run by run.

n samples of a task's test part.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mtl.config.slices import CLASS, GROUPS
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.predicted import Predicted
from mtl.results.slices import Slice, Slices, Worst
from mtl.tasks.base import TaskSpec
from mtl.types import NO_LABEL

WORST = 5
"""Samples of a task and arm that are listed."""

Part = tuple[str, str, str, str, str]
"""(task, method, start, slice, value)."""


class Slicer:
    """Metrics of each part of the samples.

    Args:
        slices: `evaluate.slices`, whose names were checked.
        first_seed: whose worst samples are listed.
    """

    def __init__(self, slices: Sequence[str], first_seed: int) -> None:
        self.slices = slices
        self.first_seed = first_seed
        self.counts: dict[Part, int] = {}
        self.metrics: dict[Part, list[dict[str, float]]] = defaultdict(list)
        self.worst: list[Worst] = []

    def add(self, data: TaskSet, task: Predicted) -> None:
        """Adds what a run predicts of one task; nothing without slices."""
        if not self.slices:
            return
        spec, name = task.spec, task.spec.name
        for by in self.slices:
            for value, inside in parts(data, spec, by, task.numbers, task.target):
                key = (name, task.method, task.start, by, value)
                self.counts[key] = int(inside.sum())
                metrics, _ = spec.score(task.prediction[inside], task.target[inside], detailed=True)
                self.metrics[key].append(metrics)
        if task.seed == self.first_seed:
            losses = spec.sample_losses(task.prediction, task.target)
            for place in losses.argsort(descending=True, stable=True)[:WORST].tolist():
                truth, said = _in_words(spec, task.prediction[place : place + 1], task.target[place : place + 1])
                self.worst.append(
                    Worst(
                        task=name, method=task.method, start=task.start, sample=int(task.numbers[place]),
                        loss=float(losses[place]), truth=truth, prediction=said,
                    )
                )  # fmt: skip

    def result(self) -> Slices:
        """Metrics by slice and the worst samples of all runs that were added, in the order of the runs."""
        slices = []
        for key, seeds in self.metrics.items():
            task, method, start, by, value = key
            common = [name for name in seeds[0] if all(name in metrics for metrics in seeds)]
            slices.append(
                Slice(
                    by=by, value=value, task=task, method=method, start=start, samples=self.counts[key],
                    metrics={name: [metrics[name] for metrics in seeds] for name in common},
                )
            )  # fmt: skip
        return Slices(by=list(self.slices), slices=slices, worst=self.worst)


def parts(
    data: TaskSet, spec: TaskSpec, by: str, numbers: Int[Tensor, " n"], target: Tensor
) -> Iterator[tuple[str, Bool[Tensor, " n"]]]:
    """(value, which samples have it) of a slice, without values that no sample has; nothing where the source of the
    task does not know the slice."""
    source = data.sources[spec.source]
    places = source.places(numbers, spec.input_len)
    if by in source.data.labels:
        names = source.data.classes[by]
        value_of = source.data.labels[by][places]
        values = [(NO_LABEL, ""), *enumerate(names)]
    elif by == GROUPS and source.groups is not None:
        value_of = source.groups[places]
        values = [(group, "" if group == NO_LABEL else str(group)) for group in torch.unique(value_of).tolist()]
    elif by == CLASS and isinstance(truth := spec.truth(target), list):
        names = list(dict.fromkeys(truth))
        value_of = torch.tensor([names.index(name) for name in truth])
        values = sorted(enumerate(names), key=lambda pair: int(target[truth.index(pair[1])]))
    else:
        return
    for number, value in values:
        inside = value_of == number
        if bool(inside.any()):
            yield value, inside


def _in_words(spec: TaskSpec, prediction: Tensor, target: Tensor) -> tuple[str, str]:
    """Truth and prediction of one sample: classes, numbers, or of many numbers those that are furthest apart."""
    truth, shown = spec.truth(target), spec.present(prediction)
    if isinstance(truth, list):
        return truth[0], next(column[0] for column in shown.values() if isinstance(column, list))
    true = truth if truth.ndim == 1 else truth[0]
    names = list(shown)[: len(true)]  # of several quantiles the median comes first
    said = torch.stack([shown[name][0] for name in names])
    if said.ndim == 1:
        return f"{float(true[0]):.4g}", f"{float(said[0]):.4g}"
    channel, step = divmod(int((said - true).abs().argmax()), said.shape[1])
    return f"{names[channel]}, step {step + 1}: {float(true[channel, step]):.4g}", f"{float(said[channel, step]):.4g}"
