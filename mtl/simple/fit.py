"""`fit_simple`: every task of a run → its simple model, chosen on validation data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from mtl.config.metrics import METRICS
from mtl.config.simple import SimpleConfig
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.network import SimpleNetwork
from mtl.results.simple import ConstantFit, SavedSimple, SimpleChoice
from mtl.simple.candidates import Candidate, make_network, part_of
from mtl.simple.forecasts import Forecasts
from mtl.simple.samples import SampleModels
from mtl.simple.steps import StepModels
from mtl.simple.texts import TextModels
from mtl.simple.words import WordModels
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm, RowsForm, TagForm
from mtl.training.measure import predict


@dataclass(frozen=True)
class Chosen:
    """The simple model of a task."""

    network: SimpleNetwork
    saved: SavedSimple
    choice: SimpleChoice


def fit_simple(config: SimpleConfig, data: TaskSet, threads: int) -> Iterator[tuple[str, Chosen]]:
    """(task, its best simple model by the task's primary metric on the validation part), in the order of the tasks.

    Of equal candidates the first one is kept: that without input, then in the order of `SIMPLE_NAMES`.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
    """
    forecasts, samples = Forecasts(config, data), SampleModels(config, data, threads)
    texts, words = TextModels(config, data, threads), WordModels(config, data, threads)
    steps = StepModels(config, data, threads)
    for name, spec in data.specs.items():
        skipped: dict[str, str] = {}
        values: dict[str, float] = {}
        target = _val_target(data, name)
        best: Candidate | None = None
        for candidate in _candidates(spec, data, (forecasts, samples, texts, words, steps), skipped):
            value = spec.score(candidate.prediction, target, detailed=False)[0][spec.metric]
            if best is None or _better(spec.metric, value, values[best.model]):
                best = candidate
            values[candidate.model] = value
        assert best is not None, "the predictor without input is always there"
        choice = SimpleChoice(model=best.model, about=best.about, candidates=values, skipped=skipped)
        yield name, Chosen(best.network, SavedSimple(model=best.model, fit=best.fit), choice)


def _candidates(
    spec: TaskSpec,
    data: TaskSet,
    models: tuple[Forecasts, SampleModels, TextModels, WordModels, StepModels],
    skipped: dict[str, str],
) -> Iterator[Candidate]:
    yield _without_input(spec, data)
    forecasts, samples, texts, words, steps = models
    match spec.form:
        case RowsForm() as form:
            yield from forecasts.candidates(spec, form, skipped)
        case LabelForm() | NumberForm() as form if spec.input.texts:
            yield from texts.candidates(spec, form)
            yield from samples.probes(spec, form, skipped)
        case LabelForm() | NumberForm() as form:
            yield from samples.candidates(spec, form, skipped)
        case TagForm() as form if spec.input.texts:
            yield from words.candidates(spec, form, skipped)
        case TagForm():
            yield from steps.candidates(spec, skipped)
        case None:
            return
        case _:
            assert_never(spec.form)


def _without_input(spec: TaskSpec, data: TaskSet) -> Candidate:
    """The best prediction by the training targets alone."""
    network = make_network(ConstantFit(), spec, {"value": mean_of_targets(spec, data)})
    prediction, _ = predict(network, [part_of(data, spec.name, "val")])[spec.name]
    label = isinstance(spec.form, LabelForm | TagForm)
    about = "the shares of the classes in the training part" if label else "the mean of the training part"
    return Candidate("majority" if label else "mean", about, ConstantFit(), network, prediction)


def mean_of_targets(spec: TaskSpec, data: TaskSet) -> Tensor:
    """The best prediction of a sample by the training targets alone."""
    value = spec.blind(_values(part_of(data, spec.name, "train"), spec.name), 1)[0]
    return (value[0] if isinstance(spec.form, TagForm) else value).clone()


def _values(pool: Pool, task: str) -> Tensor | None:
    """Targets of the samples that have one; None for what follows a sample."""
    target = pool.targets[task]
    if target.values is None:
        return None
    values = target.values if target.valid is None else target.values[target.valid]
    return values if values.is_floating_point() else values.long()


def _val_target(data: TaskSet, task: str) -> Tensor:
    """Validation targets, in the order of the predictions."""
    pool = part_of(data, task, "val")
    target = _values(pool, task)
    if target is not None:
        return target
    valid = pool.targets[task].valid
    places = torch.arange(len(pool)) if valid is None else valid.nonzero().squeeze(1)
    return torch.cat([pool.batch(block).target(task) for block in torch.split(places, 1024)])


def _better(metric: str, value: float, than: float) -> bool:
    return value < than if METRICS[metric].lower_is_better else value > than
