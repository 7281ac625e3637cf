"""Simple models that validation data have chosen, fitted once more to other samples with the settings that were chosen.

Kept are what the model is, its penalty, the rounds of its trees, the period of its season, the factor on the logits of
random kernels, and the spread of its errors, which only validation samples tell: on samples that a model was fitted to
its errors are too small. Everything else is fitted anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mtl.config.simple import PROBE, SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.network import SimpleNetwork
from mtl.results.simple import (
    ConstantFit,
    LinearFit,
    NgramFit,
    PersistenceFit,
    RidgeForecastFit,
    SavedSimple,
    SeasonalFit,
    SimpleFit,
    StepFit,
    TreesFit,
    WordFit,
)
from mtl.simple.candidates import make_network
from mtl.simple.fit import mean_of_targets
from mtl.simple.forecasts import Forecasts
from mtl.simple.linear import LOGISTIC_PENALTIES, Setting
from mtl.simple.samples import SampleModels
from mtl.simple.steps import at_last_rows, every_step
from mtl.simple.texts import TextModels
from mtl.simple.words import WordModels
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm, RowsForm, TagForm
from mtl.types import SPLITS


@dataclass(frozen=True)
class Before:
    """The simple model of a task as it was chosen.

    Args:
        saved: what it is.
        network: with its numbers.
        chosen_on: gives the tasks with the validation part that chose it.
    """

    saved: SavedSimple
    network: SimpleNetwork
    chosen_on: Callable[[], TaskSet]


def fit_again(
    config: SimpleConfig, data: TaskSet, task: str, before: Before, threads: int
) -> tuple[SimpleNetwork, SimpleFit]:
    """The model with the same settings on the training samples of `data`, and what model.json says of it.

    Args:
        config: section `simple`.
        data: every task of the run; no validation part is needed.
        task: name of the task.
        before: its model.
        threads: that a fit may use.
    """
    spec, alone = data.specs[task], _only(data, task)
    fit, network = _fitted(config, alone, spec, before, threads)
    if network.spread is not None:
        assert before.network.spread is not None, "the task wants quantiles as before"
        errors = before.network.spread.errors
        network.spread.errors.copy_(spec.errors_from(before.network.tasks[task], errors))
    return network, fit


def _fitted(
    config: SimpleConfig, data: TaskSet, spec: TaskSpec, before: Before, threads: int
) -> tuple[SimpleFit, SimpleNetwork]:
    form = spec.form
    match before.saved.fit:
        case ConstantFit() as fit:
            return fit, make_network(fit, spec, {"value": mean_of_targets(spec, data)})
        case PersistenceFit() | SeasonalFit() as fit:
            return fit, make_network(fit, spec, {})
        case RidgeForecastFit() as fit if isinstance(form, RowsForm):
            forecasts = Forecasts(config, data, {spec.name: Setting(fit.penalty)})
            weight, _ = forecasts.linear_map(spec, form, fit.level, fit.channels)
            return fit, make_network(fit, spec, {"weight": weight.float()})
        case LinearFit(penalty=penalty) if isinstance(form, TagForm):
            return WordModels(config, data, threads).probed(spec, form, _tried_down_to(penalty))
        case LinearFit() as fit if isinstance(form, LabelForm | NumberForm):
            setting = _setting(config, fit, spec, form, before, threads)
            solved = SampleModels(config, data, threads, {spec.name: setting}).solved(before.saved.model, spec, form)
            return solved.fit, solved.network
        case NgramFit(penalty=penalty) if isinstance(form, LabelForm | NumberForm):
            return TextModels(config, data, threads).fitted(spec, form, penalty)
        case WordFit(penalty=penalty):
            return WordModels(config, data, threads).fitted(spec, penalty)
        case StepFit() as fit:
            alone = at_last_rows(data, spec)
            inner = Before(
                SavedSimple(model=before.saved.model, fit=fit.fit), before.network, _of_last_rows(before, spec)
            )
            of_one, network = _fitted(config, alone, alone.specs[spec.name], inner, threads)
            assert isinstance(of_one, LinearFit | TreesFit)
            return every_step(spec, of_one, network)
        case TreesFit(rounds=rounds) if isinstance(form, LabelForm | NumberForm):
            return SampleModels(config, data, threads).trees(spec, form, rounds)
        case fit:
            raise AssertionError(f"{fit.kind} does not predict {spec.name}")


def _of_last_rows(before: Before, spec: TaskSpec) -> Callable[[], TaskSet]:
    """Gives the class of single rows with the validation part that chose a model."""

    def chosen_on() -> TaskSet:
        there = before.chosen_on()
        return at_last_rows(there, there.specs[spec.name])

    return chosen_on


def _setting(
    config: SimpleConfig, fit: LinearFit, spec: TaskSpec, form: LabelForm | NumberForm, before: Before, threads: int
) -> Setting:
    """Choices of validation data for a linear map."""
    if isinstance(form, NumberForm):
        return Setting(fit.penalty)
    if before.saved.model in ("logistic", PROBE):
        return Setting(fit.penalty, tried=_tried_down_to(fit.penalty))
    there = before.chosen_on()  # the factor is written nowhere but in the weights
    setting = SampleModels(config, _only(there, spec.name), threads).solved(
        before.saved.model, there.specs[spec.name], form
    )
    return replace(setting.setting, penalty=fit.penalty)


def _tried_down_to(penalty: float) -> tuple[float, ...]:
    """Penalties of a logistic regression up to the one that was chosen, the largest first."""
    return tuple(larger for larger in LOGISTIC_PENALTIES if larger >= penalty)


def _only(data: TaskSet, task: str) -> TaskSet:
    """The same with the samples of one task, so that nothing is fitted to others."""
    return replace(data, pools={split: data.select([task], split) for split in SPLITS})
