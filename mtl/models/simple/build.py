"""`build_simple`: what model.json says of a simple model → the module, its numbers still zero."""

from typing import assert_never

from torch import nn

from mtl.models.simple.features import build_features, count_features
from mtl.models.simple.forecasts import Persistence, RidgeForecast, Seasonal
from mtl.models.simple.frozen import FrozenVectors, TagsOfVectors
from mtl.models.simple.network import Constant, ConstantTags, SimpleNetwork, Spread
from mtl.models.simple.ngrams import NgramScores
from mtl.models.simple.scores import LinearScores, OnFeatures, TreeScores
from mtl.models.simple.steps import EveryStep
from mtl.models.simple.word_scores import WordScores
from mtl.results.simple import (
    ConstantFit,
    Features,
    FrozenFeatures,
    LinearFit,
    NgramFit,
    PersistenceFit,
    RidgeForecastFit,
    SeasonalFit,
    SimpleFit,
    StepFit,
    TreesFit,
    WordFit,
)
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import Form, LabelForm, NumberForm, RowsForm, TagForm

MOST_AHEAD = 1 << 24
"""Numbers of a forecast."""


def build_simple(fit: SimpleFit, spec: TaskSpec) -> SimpleNetwork:
    """The module of a simple model.

    Raises:
        ValueError: the model cannot predict the task.
    """
    if isinstance(fit, ConstantFit):
        constant = ConstantTags if isinstance(spec.form, TagForm) else Constant
        return SimpleNetwork(spec, constant(_prediction(spec)))
    return SimpleNetwork(spec, _body(fit, spec), _spread(spec.form))


def _prediction(spec: TaskSpec) -> tuple[int, ...]:
    """Shape of the prediction of a sample."""
    match spec.form:
        case RowsForm() as form:
            return len(form.targets), spec.outputs
        case LabelForm() | NumberForm() | TagForm() | None:
            return () if spec.stacked else (spec.outputs,)
        case _:
            assert_never(spec.form)


def _spread(form: Form | None) -> Spread | None:
    match form:
        case RowsForm(levels=levels) if levels:
            return Spread((len(form.targets), form.horizon), levels)
        case NumberForm(levels=levels) if levels:
            return Spread((), levels)
        case _:
            return None


def _body(
    fit: PersistenceFit | SeasonalFit | RidgeForecastFit | LinearFit | TreesFit | NgramFit | WordFit | StepFit,
    spec: TaskSpec,
) -> nn.Module:
    form = spec.form
    if isinstance(form, RowsForm) and len(form.targets) * form.horizon > MOST_AHEAD:
        raise ValueError(f"{spec.name} should predict at most {MOST_AHEAD:,} numbers, found {form.horizon:,} rows")
    match fit:
        case PersistenceFit() if isinstance(form, RowsForm):
            return Persistence(form.targets, form.horizon)
        case SeasonalFit() if isinstance(form, RowsForm):
            return Seasonal(form.targets, form.horizon, fit.period, spec.input_len)
        case RidgeForecastFit() if isinstance(form, RowsForm):
            channels, rows = spec.shape
            return RidgeForecast(form.targets, (channels, rows), form.horizon, fit.level, fit.channels)
        case LinearFit(features=FrozenFeatures() as vectors) if isinstance(form, TagForm) and spec.input.texts:
            return TagsOfVectors(FrozenVectors(vectors.network), vectors.width, form.classes)
        case LinearFit() if isinstance(form, LabelForm | NumberForm):
            features, (outputs, single) = _features(fit.features, spec), _scores(form)
            return OnFeatures(features, LinearScores(count_features(fit.features, spec.shape), outputs, single))
        case NgramFit() if isinstance(form, LabelForm | NumberForm) and spec.input.texts:
            return NgramScores(fit, *_scores(form))
        case StepFit() if isinstance(form, TagForm) and spec.at_steps and fit.rows <= spec.input_len:
            return EveryStep(_body(fit.fit, spec.of_one_step(fit.rows)), fit.rows)
        case WordFit() if isinstance(form, TagForm) and spec.input.texts:
            return WordScores(fit, form.classes)
        case TreesFit() if isinstance(form, LabelForm | NumberForm):
            outputs, single = _scores(form)
            sums = 1 if outputs == 2 else outputs
            if fit.sums != sums:
                raise ValueError(f"`sums` should be {sums}, found {fit.sums}")
            classes = None if single else outputs
            scores = TreeScores(sums, fit.rounds, fit.nodes, fit.depth, classes, fit.sets, fit.codes)
            return OnFeatures(build_features(fit.features, spec.shape), scores)
        case _:
            raise ValueError(f"a model of kind {fit.kind} does not predict {spec.name}")


def _features(features: Features, spec: TaskSpec) -> nn.Module:
    if isinstance(features, FrozenFeatures):
        if not spec.input.texts:
            raise ValueError(f"features of kind frozen should be those of texts, and {spec.name} reads none")
        return FrozenVectors(features.network)
    return build_features(features, spec.shape)


def _scores(form: LabelForm | NumberForm) -> tuple[int, bool]:
    """Numbers that are scored for a sample, and whether it is one that stands alone."""
    if isinstance(form, NumberForm) or form.single:
        return 1, True
    return form.classes, False
