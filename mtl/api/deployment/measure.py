"""Answers of a deployment on the parts of its data: test metrics, and what validation samples correct.

Models that are made again from the validation part have no samples left to be corrected by. They keep the correction
of the models that they are made from, which those samples had not trained: the same seed, settings and epochs. So does
scikit-learn's `CalibratedClassifierCV(ensemble=False)`, whose calibration is that of models of fewer samples. More
data make a network rather less sure where it was wrong, so a kept temperature errs, if at all, towards caution. On
`train+val` the test part measures the models as they are, with what they keep.

n samples of a task's part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mtl.api.deployment.decide import Validated, decision_of
from mtl.api.deployment.members import Shares, runs_of
from mtl.config import Config
from mtl.config.common import Extent
from mtl.errors import DataError, UserError
from mtl.experiment.predicted import Predicted, predicted
from mtl.paths import RunPath
from mtl.results.calibration import Calibration, Trusted
from mtl.results.decision import Decision, MeanCosts
from mtl.results.numbers import Metrics
from mtl.results.reading import read_run
from mtl.seeding import make_deterministic, stable_seed
from mtl.tasks.calibration_fit import fit_calibration
from mtl.tasks.recalibration import recalibrated, trust


@dataclass(frozen=True)
class Measured:
    """An answer to a task on the test part.

    Args:
        test: its metrics; None where it was not measured.
        reason: why it was not.
        calibration: run → calibration of its probabilities, by its own validation samples; None without.
        trusted: probabilities without calibration and with it; None where it was not measured, or is not calibrated.
        decision: rule by which a class is said, by validation samples; None: the most probable one.
        cost: of the decision; None without one, or where it was not measured.
    """

    test: Metrics | None
    reason: str | None = None
    calibration: Mapping[RunPath, Calibration] | None = None
    trusted: Trusted | None = None
    decision: Decision | None = None
    cost: MeanCosts | None = None


@dataclass
class _Parts:
    """Predictions of the runs that answer a task.

    Args:
        val: run → on its validation part, where these are wanted.
        test: run → on its test part.
        folds: those that hold the test part, of a source that is cross-validated.
    """

    val: dict[RunPath, Predicted] = field(default_factory=dict)
    test: dict[RunPath, Predicted] = field(default_factory=dict)
    folds: set[int] = field(default_factory=set)


def measure(
    config: Config, answers: Mapping[str, Shares], root: Path = Path(), extent: Extent = "train",
    made: Path | None = None,
) -> dict[str, Measured]:  # fmt: skip
    """Task → its answer on the test part: the metrics of the run where one answers as it is, else of all predictions
    combined.

    Args:
        config: the whole configuration.
        answers: task → the runs that answer it.
        root: folder of the project.
        extent: parts that the runs were trained on.
        made: folder below which the runs stand, if they were made again: they were not measured yet, and keep the
            corrections of those of the project.

    Raises:
        UserError: a run or the prepared data are missing, or validation samples do not tell how to calibrate.
    """
    as_they_are = {
        task: shares
        for task, shares in answers.items()
        if len(shares) == 1 and made is None and not _wishes(config, task)
    }
    measured = {task: Measured(read_run(next(iter(shares)), root).test[task]) for task, shares in as_they_are.items()}
    others = {task: shares for task, shares in answers.items() if task not in as_they_are}
    if others:
        for task, parts in _predictions(config, others, root, extent, made or root).items():
            measured[task] = _measured(config, task, others[task], parts)
    return {task: measured[task] for task in answers}


def _wishes(config: Config, task: str) -> bool:
    """Says whether validation samples are to correct the answer to a task."""
    return config.tasks[task].probabilities and (
        config.evaluate.calibration_of(task) != "none" or task in config.evaluate.costs
    )


def _predictions(
    config: Config, answers: Mapping[str, Shares], root: Path, extent: Extent, made: Path
) -> dict[str, _Parts]:
    make_deterministic(stable_seed(config.base.seeds[0], "evaluate"), config.base.threads)
    parts = {task: _Parts() for task in answers}
    if extent != "all":
        for data, recipe in runs_of(config, answers, root, extent):
            for task in predicted(recipe, data, made):
                name, source = task.spec.name, task.spec.source
                if recipe.where in answers.get(name, {}):
                    parts[name].test[recipe.where] = task
                    parts[name].folds |= {data.fold[source]} if data.sources[source].crossed else set()
    corrected = {task: shares for task, shares in answers.items() if _wishes(config, task)}
    for data, recipe in runs_of(config, corrected, root, "train"):  # by the project's runs, which have not seen them
        for task in predicted(recipe, data, root, "val"):
            if recipe.where in corrected.get(task.spec.name, {}):
                parts[task.spec.name].val[recipe.where] = task
    return parts


def _measured(config: Config, task: str, shares: Shares, parts: _Parts) -> Measured:
    calibration = _calibration(config, task, shares, parts)
    decision = decision_of(config.evaluate.costs.get(task), task, _validated(shares, parts, calibration))
    reason = _not_measured(shares, parts)
    if reason is not None:
        return Measured(None, reason, calibration, decision=decision)
    first = parts.test[next(iter(shares))]
    spec, output = first.spec.decided_by(decision), _combined(shares, parts.test, calibration)
    trusted = None
    if calibration is not None:
        without = trust(_combined(shares, parts.test, None), first.target)
        trusted = Trusted(before=without, after=trust(output, first.target))
    test, cost = spec.score(output, first.target, detailed=True)[0], spec.mean_costs(output, first.target)
    return Measured(test, None, calibration, trusted, decision, cost)


def _validated(shares: Shares, parts: _Parts, calibration: Mapping[RunPath, Calibration] | None) -> list[Validated]:
    """Predictions on validation samples, each a share: the combined ones where all runs have the same samples, else
    those of each run, for what one was validated on another has learnt from."""
    if not parts.val:
        return []
    first = parts.val[next(iter(shares))]
    if all(torch.equal(part.numbers, first.numbers) for part in parts.val.values()):
        return [Validated(first.spec, _combined(shares, parts.val, calibration), first.target, 1.0)]
    outputs = zip(shares.items(), _each(shares, parts.val, calibration), strict=True)
    return [Validated(first.spec, output, parts.val[path].target, share) for (path, share), output in outputs]


def _not_measured(shares: Shares, parts: _Parts) -> str | None:
    """The reason why predictions cannot be combined on the test part, a clause; None where they can."""
    if not parts.test:
        return "it was trained on the test part as well"
    if len(shares) > 1 and len(parts.folds) > 1:
        return "the seeds are tested on different folds, each of which others have trained on"
    first = parts.test[next(iter(shares))]
    if any(not torch.equal(part.numbers, first.numbers) for part in parts.test.values()):
        return "its members are tested on different samples"
    return None


def _calibration(config: Config, task: str, shares: Shares, parts: _Parts) -> dict[RunPath, Calibration] | None:
    """Run → calibration by its own validation samples; None where none is wanted."""
    kind = config.evaluate.calibration_of(task)
    if kind == "none" or not parts.val:
        return None
    try:
        return {path: fit_calibration(kind, parts.val[path].prediction, parts.val[path].target) for path in shares}
    except DataError as error:
        raise UserError(
            f"{task}: {error}, found only one. Let `evaluate.calibration` name other tasks alone, as in "
            "`{other_task: temperature}`, or choose another validation part of its source."
        ) from None


def _combined(
    shares: Shares, parts: Mapping[RunPath, Predicted], calibration: Mapping[RunPath, Calibration] | None
) -> Tensor:
    """One prediction of all runs, on the scale of the first of them, as `DeployedModel` combines them."""
    spec = parts[next(iter(shares))].spec
    each = list(_each(shares, parts, calibration))
    return each[0] if len(each) == 1 else spec.combine(each, list(shares.values()))


def _each(
    shares: Shares, parts: Mapping[RunPath, Predicted], calibration: Mapping[RunPath, Calibration] | None
) -> Iterator[Tensor]:
    spec = parts[next(iter(shares))].spec
    for path in shares:
        output = spec.taken_from(parts[path].spec, parts[path].prediction)
        yield output if calibration is None else recalibrated(output, calibration[path])
