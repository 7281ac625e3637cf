"""Metrics of a model on new samples with intervals, beside its test figures and another model on these samples."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from mtl.config.metrics import METRICS
from mtl.errors import DataError
from mtl.evaluation.fixed_models import change_between, value_of
from mtl.evaluation.intervals import Effect, adjusted_intervals
from mtl.results.samples import BlockErrors, in_blocks
from mtl.results.scores import Against, Copied, Scores, TaskScores, Value
from mtl.results.statistics import Ends, Interval
from mtl.serving.copies import Copies
from mtl.serving.deployed import DeployedModel
from mtl.serving.known import Known, comparable, on_common
from mtl.serving.model import Model
from mtl.serving.score import Answers
from mtl.tasks.undefined import Undefined

CONFIDENCE = 0.95
NONE = Ends(low=None, high=None)


@dataclass(frozen=True)
class Scored:
    """A model with its answers on a file.

    Args:
        name: by which it is called.
        model: finished.
        answers: on the file.
    """

    name: str
    model: Model
    answers: Answers

    def label(self, task: str) -> str:
        """The model of a task in words."""
        return self.model.deployment.tasks[task].label if isinstance(self.model, DeployedModel) else self.name

    def test(self, task: str) -> Mapping[str, float]:
        """Test figures of a task; empty where it was not measured, or where a run does not tell."""
        measured = self.model.deployment.tasks[task].test if isinstance(self.model, DeployedModel) else None
        return measured or {}


def scores(data: str, scored: Scored, against: Scored | None) -> Scores:
    """Scores of a model on a file, and against another one on the samples that both have.

    Args:
        data: the file.
        scored: the model.
        against: the other one.

    Raises:
        DataError: no task can be compared.
    """
    notes, unknown = list(scored.answers.notes), scored.answers.copies.unknown
    if unknown is not None:
        noun = scored.answers.copies.spec.input.noun
        notes.append(f"whether {noun} of the file were trained on is not known: {unknown}")
    tasks = {task: _of_task(scored, task, known) for task, known in scored.answers.tasks.items()}
    notes += [note for known in scored.answers.tasks.values() if (note := known.cost_note()) is not None]
    if against is not None:
        compared = _compared(scored, against, notes)
        tasks = {task: of.model_copy(update={"against": compared.get(task)}) for task, of in tasks.items()}
    return Scores(
        data=data, model=scored.name, against=None if against is None else against.name, unit=scored.answers.unit,
        confidence=CONFIDENCE, tasks=tasks, notes=notes, copies=_copied(scored.answers.copies),
    )  # fmt: skip


def _copied(copies: Copies) -> Copied | None:
    """Counts of what was looked up; None where it is not known what was trained on."""
    if copies.facts is None:
        return None
    return Copied(
        noun=copies.spec.input.noun, copies=len(copies.numbers), asked=copies.asked,
        test_copies=copies.facts.repeated, test_asked=copies.facts.tested,
    )  # fmt: skip


def _fresh(known: Known, copies: Copies) -> float | None:
    """The primary metric without copies of what was trained on; None where nothing is left, or all was."""
    new = ~np.isin(known.samples, copies.numbers)
    if not new.any() or new.all():
        return None
    kept = torch.from_numpy(new)
    return known.spec.score(known.prediction[kept], known.target[kept], detailed=True)[0].get(known.spec.metric)


def _of_task(scored: Scored, task: str, known: Known) -> TaskScores:
    spec, test = known.spec, scored.test(task)
    metrics, detail = spec.score(known.prediction, known.target, detailed=True)
    names = [spec.metric, *(name for name in METRICS if name != spec.metric)]
    values = {
        name: Value(here=metrics[name], ends=_ends(known, name), test=test.get(name))
        for name in names
        if name in metrics
    }
    blocks = in_blocks(known.blocks.astype(float), known.blocks)
    return TaskScores(
        label=scored.label(task), primary=spec.metric, samples=len(known.samples), missing=known.missing,
        blocks=len(blocks.blocks), metrics=values, undefined=dict(detail.get("undefined", {})),
        fresh=_fresh(known, scored.answers.copies),
    )  # fmt: skip


def _errors(known: Known, metric: str) -> BlockErrors | None:
    """Errors of the samples by a metric, added up over blocks; None where it has none."""
    if metric not in known.judged:
        return None
    errors = replace(known.spec, metric=metric).judged_errors(known.prediction, known.target)
    return None if errors is None else in_blocks(errors.numpy(), known.blocks)


def _ends(known: Known, metric: str) -> Ends:
    errors = _errors(known, metric)
    effect = None if errors is None else value_of(errors, METRICS[metric].lower_is_better)
    if not isinstance(effect, Effect):
        return NONE
    return effect.ends(1 - CONFIDENCE).inside(*METRICS[metric].range)


@dataclass(frozen=True)
class _Pair:
    """Both models on the samples of a task that they share."""

    mine: Known
    other: Known
    change: Effect | Undefined


def _compared(scored: Scored, against: Scored, notes: list[str]) -> dict[str, Against]:
    pairs: dict[str, _Pair] = {}
    for task, known in scored.answers.tasks.items():
        other = against.answers.tasks.get(task)
        reason = f"{against.name} does not answer it" if other is None else comparable(known.spec, other.spec)
        if other is None or reason is not None:
            notes.append(f"{task}: not compared, for {reason}")
        else:
            pairs[task] = _pair(*on_common(known, other))
    if not pairs:
        raise DataError(f"{scored.name} and {against.name} have no task in common that can be compared.")
    effects = [[pair.change] if isinstance(pair.change, Effect) else [] for pair in pairs.values()]
    widened = adjusted_intervals(effects, CONFIDENCE)
    return {
        task: _against(against.label(task), pair, wide.ends)
        for (task, pair), wide in zip(pairs.items(), widened, strict=True)
    }


def _pair(mine: Known, other: Known) -> _Pair:
    metric = mine.spec.metric
    before, after = _errors(other, metric), _errors(mine, metric)
    if before is None or after is None:
        return _Pair(mine, other, Undefined(f"the {METRICS[metric].title} has no errors of single samples here"))
    return _Pair(mine, other, change_between(before, after, METRICS[metric].lower_is_better))


def _against(label: str, pair: _Pair, adjusted: Ends) -> Against:
    metric = pair.mine.spec.metric
    here, other = (side.spec.score(side.prediction, side.target, True)[0][metric] for side in (pair.mine, pair.other))
    blocks = len(set(pair.mine.blocks.tolist()))
    interval = Interval(mean=None, low=None, high=None, n=blocks)
    if isinstance(pair.change, Effect):
        ends = pair.change.ends(1 - CONFIDENCE)
        interval = Interval(mean=pair.change.mean, low=ends.low, high=ends.high, n=blocks)
    reason = pair.change.reason if isinstance(pair.change, Undefined) else None
    return Against(
        model=label, samples=len(pair.mine.samples), blocks=blocks, here=here, other=other, change=interval,
        adjusted=adjusted, reason=reason,
    )  # fmt: skip
