"""Simple models of targets that belong to samples, labels and numbers: linear maps and trees on features.

n samples, P features, O outputs, k classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mtl.config.simple import PROBE, SimpleConfig, SimpleName
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.features import count_features
from mtl.models.simple.frozen import FrozenVectors, frozen_features
from mtl.models.simple.kernels import draw_kernels
from mtl.models.simple.network import SimpleNetwork
from mtl.models.simple.scores import TreeScores
from mtl.results.simple import (
    CellFeatures,
    FlatFeatures,
    Formula,
    LinearFit,
    OneHotFeatures,
    SummaryFeatures,
    TreesFit,
)
from mtl.simple.boosting import CHOICES, affordable_rounds, first_rounds, fit_boosting, written_out
from mtl.simple.candidates import Candidate, spread_errors
from mtl.simple.linear import Map, Question, Ridge, Setting, logistic_maps, temperature
from mtl.simple.matrices import Described, Matrices, described
from mtl.simple.networks import (
    Solved,
    categories_of,
    joined_features,
    network_of_map,
    network_of_trees,
    on_features,
    plain_layout,
    sums_of_trees,
)
from mtl.simple.parts import Part, best_map, judged, product, question, signs
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm
from mtl.types import Split

MOST_SAMPLES = 20_000
"""Training samples of trees and of random kernels; of more, so many are taken, evenly spread."""
MOST_NUMBERS = 1 << 28
"""Numbers of a matrix of features: of more samples than that gives, so many are taken."""
MOST_COLUMNS = 512
"""Features that trees are fitted on."""
FEWEST_ROUNDS = 10
ALL = 1 << 62


class SampleModels:
    """Simple models of the tasks of a run whose targets belong to their samples.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
        settings: task → what was chosen of its linear map before; of other tasks validation data choose it.
    """

    def __init__(
        self, config: SimpleConfig, data: TaskSet, threads: int, settings: Mapping[str, Setting] = MappingProxyType({})
    ) -> None:
        self.config, self.data, self.threads, self.settings = config, data, threads, settings
        self.matrices = Matrices(data)
        self._features: dict[tuple[str, str, tuple[int, ...]], Described] = {}
        self._logistic: dict[str, list[Map]] = {}
        self._last: tuple[tuple[str, str], Ridge] | None = None

    def candidates(self, spec: TaskSpec, form: LabelForm | NumberForm, skipped: dict[str, str]) -> Iterator[Candidate]:
        """The models that are tried; those that are not fitted, or on a part of the samples, are noted in `skipped`."""
        label = isinstance(form, LabelForm)
        plain, cells = self._plain(spec), self._cells(spec)
        tried: list[tuple[SimpleName, Callable[[], Candidate | None]]] = [
            ("ridge", lambda: None if label else self._linear("ridge", spec, form, plain, skipped)),
            ("logistic", lambda: self._logistic_of("logistic", spec, form, plain, skipped) if label else None),
            ("boosting", lambda: self._boosting(spec, form, cells, skipped)),
            ("kernels", lambda: self._kernels(spec, form, skipped)),
        ]
        for name, fit in tried:
            candidate = fit() if self.config.tries(name) else None
            if candidate is not None:
                yield candidate

    def probes(self, spec: TaskSpec, form: LabelForm | NumberForm, skipped: dict[str, str]) -> Iterator[Candidate]:
        """The linear map of what a pretrained network gives of texts, if it is tried."""
        if self.config.tries(PROBE):
            fit = self._logistic_of if isinstance(form, LabelForm) else self._linear
            yield fit(PROBE, spec, form, self._vectors(spec), skipped)

    def _vectors(self, spec: TaskSpec) -> Described:
        """The vectors of a pretrained network."""
        network = self.config.probe
        assert network is not None, "it is tried"
        return self._known(spec, PROBE, lambda: Described(frozen_features(network), FrozenVectors(network), {}))

    def _plain(self, spec: TaskSpec) -> Described:
        """A summary of windows; of other samples their own numbers, with a column for each category of a row."""
        features: Formula = SummaryFeatures() if spec.input.has_length else FlatFeatures()
        if spec.layout is not None and spec.layout.codes:
            features = OneHotFeatures(**plain_layout(spec.layout))
        elif spec.parts is not None:
            features = joined_features(spec.parts)
        return self._known(spec, features.kind, lambda: described(features, spec.shape, {}))

    def _cells(self, spec: TaskSpec) -> Described:
        """The features of trees: rows of a table with what is missing, and codes of categories."""
        if spec.layout is None:
            return self._plain(spec)
        features = CellFeatures(**plain_layout(spec.layout))
        return self._known(spec, features.kind, lambda: described(features, spec.shape, {}))

    def _known(self, spec: TaskSpec, kind: str, make: Callable[[], Described]) -> Described:
        key = kind, spec.source, spec.shape
        if key not in self._features:
            self._features[key] = make()
        return self._features[key]

    def _part(self, spec: TaskSpec, what: Described, train: bool, most: int = ALL) -> Part:
        split: Split = "train" if train else "val"
        most = most if train else ALL
        features = self.matrices.of(spec.name, split, what, most)
        target, places = self.matrices.targets(spec.name, split, most)
        weights = self.matrices.weights(spec.name, split, most)
        if places is None:
            return Part(features, target, weights)
        return Part(features[places], target[places], None if weights is None else weights[places])

    def _at_most(self, model: str, spec: TaskSpec, most: int, skipped: dict[str, str]) -> int:
        """Samples that a model is fitted on; says so where they are not all."""
        there = len(self.matrices.pool(spec.name, "train"))
        if there > most:
            skipped[model] = f"fitted on {most:,} of {there:,} training samples, evenly spread"
        return most

    def _linear(
        self, model: SimpleName, spec: TaskSpec, form: LabelForm | NumberForm, what: Described, skipped: dict[str, str]
    ) -> Candidate:
        """Ridge regression on features; of a label on ±1 for each class."""
        maps, val = self._ridge_maps(model, spec, form, what, skipped), self._part(spec, what, False)
        return self._of_map(model, spec, what, best_map(spec, form, maps, val), val)

    def _ridge_maps(
        self, model: str, spec: TaskSpec, form: LabelForm | NumberForm, what: Described, skipped: dict[str, str]
    ) -> Iterator[Map]:
        """Maps from the largest penalty to the smallest; of a label with the best factor on their outputs, which a
        setting from before brings along."""
        width = count_features(what.features, spec.shape)
        most = self._at_most(model, spec, min(MOST_SAMPLES, MOST_NUMBERS // width), skipped)
        train = self._part(spec, what, True, most)
        targets, weights = signs(form, train.target)
        weights = product(weights, train.weights)
        maps = self._ridge(model, spec, train, weights).maps(targets)
        if isinstance(form, NumberForm) or spec.name in self.settings:
            return maps
        val = self._part(spec, what, False)
        asked = question(form, val.target, None)
        return (map_.times(temperature(map_(val.features), asked)) for map_ in maps)

    def _ridge(self, model: str, spec: TaskSpec, train: Part, weights: Tensor | None) -> Ridge:
        """The decomposition of the features of a task's samples; tasks with a target for all samples of a pool, which
        weigh the same, share the last one."""
        pool = self.matrices.pool(spec.name, "train")
        whole = weights is None and self.matrices.targets(spec.name, "train", ALL)[1] is None
        if not whole:
            return Ridge(train.features, weights)
        if self._last is None or self._last[0] != (model, pool.name):
            self._last = (model, pool.name), Ridge(train.features, None)
        return self._last[1]

    def _kernels(self, spec: TaskSpec, form: LabelForm | NumberForm, skipped: dict[str, str]) -> Candidate | None:
        return self._linear("kernels", spec, form, self._drawn(spec), skipped) if spec.input.has_length else None

    def _drawn(self, spec: TaskSpec) -> Described:
        """Random kernels for windows."""

        def draw() -> Described:
            channels, rows = spec.shape
            features, arrays = draw_kernels(self.config.kernels, (channels, rows))
            return described(features, spec.shape, arrays)

        return self._known(spec, "kernels", draw)

    def on_kernels(self, spec: TaskSpec, form: LabelForm) -> tuple[nn.Module, Setting]:
        """Ridge regression of a label of windows on random kernels: window → logits, [B, k]; the penalty is the one
        that was chosen before, or the best one on the validation part, and of more than `MOST_SAMPLES` training samples
        so many are taken."""
        solved = self.solved("kernels", spec, form)
        return solved.network.body, solved.setting

    def on_rows(self, spec: TaskSpec, form: LabelForm | NumberForm) -> tuple[nn.Module, Setting]:
        """Ridge regression of a number of rows of a table, or logistic regression of a label: row → [B] or [B, k]; the
        penalty is the one that was chosen before, or the best one on the validation part, and ridge regression is
        fitted on `MOST_SAMPLES` at most."""
        solved = self.solved("ridge" if isinstance(form, NumberForm) else "logistic", spec, form)
        return solved.network.body, solved.setting

    def solved(self, model: str, spec: TaskSpec, form: LabelForm | NumberForm) -> Solved:
        """The linear map of the setting that was chosen before, or of the one that validation data choose.

        Args:
            model: `ridge`, `logistic`, `kernels` or `probe`.
            spec: the task.
            form: its targets.
        """
        what = self._drawn(spec) if model == "kernels" else self._vectors(spec) if model == PROBE else self._plain(spec)
        maps: Iterable[Map]
        tried: tuple[float, ...] = ()
        if model == "logistic" or (model == PROBE and isinstance(form, LabelForm)):
            maps = self._logistic_maps(model, spec, what, {})
            tried = tuple(map_.penalty for map_ in maps)
        else:
            maps = self._ridge_maps(model, spec, form, what, {})
        before = self.settings.get(spec.name)
        map_ = best_map(spec, form, maps, self._part(spec, what, False)) if before is None else before.of(maps)
        fit, network = network_of_map(spec, what, map_)
        return Solved(fit, network, before or Setting(map_.penalty, map_.factor, tried))

    def _logistic_of(
        self, model: SimpleName, spec: TaskSpec, form: LabelForm | NumberForm, what: Described, skipped: dict[str, str]
    ) -> Candidate:
        assert isinstance(form, LabelForm)
        maps, val = self._logistic_maps(model, spec, what, skipped), self._part(spec, what, False)
        return self._of_map(model, spec, what, best_map(spec, form, maps, val), val)

    def _logistic_maps(self, model: str, spec: TaskSpec, what: Described, skipped: dict[str, str]) -> list[Map]:
        """Logistic regressions from the largest penalty to the smallest; all labels of a pool are fitted at once."""
        width = count_features(what.features, spec.shape)
        most = self._at_most(model, spec, MOST_NUMBERS // width, skipped)
        if spec.name not in self._logistic:
            pool = self.matrices.pool(spec.name, "train")
            questions: dict[str, Question] = {}
            for name in pool.tasks:
                other = self.data.specs[name].form
                if isinstance(other, LabelForm) and name not in self._logistic:
                    target, places = self.matrices.targets(name, "train", most)
                    weights = self.matrices.weights(name, "train", most)
                    if weights is not None and places is not None:
                        weights = weights[places]
                    chosen = target if places is None else target[places]
                    questions[name] = replace(question(other, chosen, places), of_samples=weights)
            features = self.matrices.of(spec.name, "train", what, most)
            self._logistic |= {name: [] for name in questions}
            before = {penalty for name in questions if name in self.settings for penalty in self.settings[name].tried}
            for maps in logistic_maps(features, list(questions.values()), sorted(before, reverse=True)):
                for name, map_ in zip(questions, maps, strict=True):
                    self._logistic[name].append(map_)
        return self._logistic[spec.name]

    def _of_map(self, model: str, spec: TaskSpec, what: Described, map_: Map, val: Part) -> Candidate:
        fit, network = network_of_map(spec, what, map_)
        return self._finished(model, f"{on_features(what)}, λ {map_.penalty:.2g}", fit, network, val)

    def _boosting(
        self, spec: TaskSpec, form: LabelForm | NumberForm, what: Described, skipped: dict[str, str]
    ) -> Candidate | None:
        """Boosted trees on features, the first rounds that validation data prefer."""
        width = count_features(what.features, spec.shape)
        if width > MOST_COLUMNS:
            skipped["boosting"] = f"{width:,} features are more than the {MOST_COLUMNS} that trees are fitted on"
            return None
        train = self._part(spec, what, True, self._at_most("boosting", spec, MOST_SAMPLES, skipped))
        sums = sums_of_trees(spec, form)
        if isinstance(form, LabelForm) and len(torch.unique(train.target)) < form.classes:
            skipped["boosting"] = "the samples that trees are fitted on lack a class"
            return None
        rounds = affordable_rounds(len(train.features), width, sums)
        if rounds < FEWEST_ROUNDS:
            skipped["boosting"] = f"{sums} classes × {width} features × {len(train.features):,} samples take too long"
            return None
        scores, val = self._forest(spec, form, what, train, rounds, skipped), self._part(spec, what, False)
        chosen = self._best_rounds(spec, form, scores, val)
        fit, network = network_of_trees(spec, what, first_rounds(scores, chosen))
        about = f"{on_features(what)}, {chosen} round{'' if chosen == 1 else 's'} of trees"
        return self._finished("boosting", about, fit, network, val)

    def trees(self, spec: TaskSpec, form: LabelForm | NumberForm, rounds: int) -> tuple[TreesFit, SimpleNetwork]:
        """Boosted trees of so many rounds, without validation data; the spread of their errors is not known."""
        what = self._cells(spec)
        scores = self._forest(spec, form, what, self._part(spec, what, True, MOST_SAMPLES), rounds, {})
        return network_of_trees(spec, what, scores)

    def _forest(
        self, spec: TaskSpec, form: LabelForm | NumberForm, what: Described, train: Part, rounds: int,
        skipped: dict[str, str],
    ) -> TreeScores:  # fmt: skip
        """The trees of all rounds."""
        single = isinstance(form, NumberForm) or form.single
        weights = None
        if isinstance(form, LabelForm) and form.weights is not None:
            weights = torch.tensor(form.weights, dtype=torch.float64)[train.target]
        weights = product(weights, train.weights)
        categories, codes = categories_of(what, skipped)
        fitted = fit_boosting(train.features, train.target, weights, rounds, self.threads, categories)
        return written_out(fitted, None if single else spec.outputs, categories, codes)

    def _best_rounds(self, spec: TaskSpec, form: LabelForm | NumberForm, scores: TreeScores, val: Part) -> int:
        """Number of first rounds with the best validation value, of equal ones the smallest."""
        blocks = [scores.by_round(block).cumsum(dim=1) for block in torch.split(val.features, 1024)]
        sums = torch.cat(blocks) + scores.start  # [m, R, O]
        there = sums.shape[1]
        values = {}
        for rounds in dict.fromkeys(min(choice, there) for choice in CHOICES):
            values[rounds] = judged(spec, form, scores.shaped(sums[:, rounds - 1]), val.target)
        return min(values, key=lambda rounds: values[rounds])

    def _finished(
        self, model: str, about: str, fit: LinearFit | TreesFit, network: SimpleNetwork, val: Part
    ) -> Candidate:
        numbers = network.body.scores(val.features)  # type: ignore[operator]
        if network.spread is not None:
            spread_errors(network, numbers, val.target)
        return Candidate(model, about, fit, network, network.finished(numbers))
