"""Simple forecasts: the last row, the last period, and ridge on the window, all from one set of moments a pool.

C channels, L rows of a window, T target channels, H horizon.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import get_args

import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.config.linear_map import Channels, Level
from mtl.config.simple import SimpleConfig
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError
from mtl.models.simple.forecasts import level_weights, seasonal_rows
from mtl.models.simple.network import SimpleNetwork
from mtl.results.simple import PersistenceFit, RidgeForecastFit, SeasonalFit, SimpleFit
from mtl.simple.candidates import Candidate, make_network, part_of, spread_errors
from mtl.simple.linear import Setting
from mtl.simple.moments import Moments, Problem, pool_moments, without_level
from mtl.simple.ridge import choose_penalty, solve
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import RowsForm
from mtl.training.measure import predict
from mtl.types import Split

ROWS_EACH = 4
"""A map from all channels at once needs so many training windows for each of its inputs."""
ALIKE = 1.05
"""Periods whose error is at most so many times the smallest count as equally good, and the shortest of them is taken:
its multiples fit as well."""
FEWEST = 20
"""Training and validation windows without a gap in the rows ahead that ridge regression and a season need."""
UNMEASURED = f"fewer than {FEWEST} training or validation windows have no gap in the rows ahead"
FROM_DATA = "period found in the training part"
MOST_JOINT = 1536
"""Inputs C·L of a map from all channels at once, whose cost grows with their cube."""
LEVELS: tuple[Level, ...] = get_args(Level)
IN_WORDS = {
    "last": "the window less its last row", "mean": "the window less its mean", "zero": "the window",
    "one": "one map for all channels", "own": "a map for each channel", "all": "one map from all channels",
}  # fmt: skip


class Forecasts:
    """Simple forecasts of the tasks of a run that predict rows ahead.

    Args:
        config: section `simple`.
        data: every task of the run.
        settings: task → what was chosen of its map before; of other tasks validation data choose it.
    """

    def __init__(
        self, config: SimpleConfig, data: TaskSet, settings: Mapping[str, Setting] = MappingProxyType({})
    ) -> None:
        self.config, self.data, self.settings = config, data, settings
        self._moments: dict[tuple[Split, bool], dict[str, Moments]] = {}
        self._horizons = {
            name: form.horizon for name, spec in data.specs.items() if isinstance(form := spec.form, RowsForm)
        }

    def candidates(self, spec: TaskSpec, form: RowsForm, skipped: dict[str, str]) -> Iterator[Candidate]:
        """The models that are tried; what is not fitted is noted in `skipped`."""
        if self.config.tries("persistence"):
            yield self._candidate("persistence", "the last row, repeated", PersistenceFit(), spec, {})
        whole = self._whole(spec, form)
        if self.config.tries("seasonal"):
            period, how = self._period(spec, form)
            if period is None:
                skipped["seasonal"] = how
            else:
                about = f"the last {period} rows, repeated ({how})"
                yield self._candidate("seasonal", about, SeasonalFit(period=period), spec, {})
        if self.config.tries("ridge") and not whole:
            skipped["ridge"] = UNMEASURED
        elif self.config.tries("ridge"):
            if spec.shape[0] > 1 and not self._joint(spec):
                skipped["ridge"] = f"one map from all channels: {self._too_wide(spec)}"
            yield self._ridge(spec, form)

    def _candidate(
        self, model: str, about: str, fit: SimpleFit, spec: TaskSpec, arrays: dict[str, Tensor]
    ) -> Candidate:
        network = make_network(fit, spec, arrays)
        pool = part_of(self.data, spec.name, "val")
        if network.spread is None:
            prediction, _ = predict(network, [pool])[spec.name]
        else:
            point, target = predict(SimpleNetwork(spec, network.body), [pool])[spec.name]
            spread_errors(network, point, target)
            prediction = network.finished(point)
        return Candidate(model, about, fit, network, prediction)

    def _of(self, split: Split, task: str, joint: bool) -> Moments:
        """Moments of a task's windows; those of all tasks of its pool are taken at once."""
        known = self._moments.setdefault((split, joint), {})
        if task not in known:
            (pool,) = (pool for pool in self.data.pools[split] if task in pool.tasks)
            ahead = {name: self._horizons[name] for name in pool.tasks if name in self._horizons}
            known |= pool_moments(pool, ahead, joint)
        return known[task]

    def _whole(self, spec: TaskSpec, form: RowsForm) -> bool:
        """Says whether all parts that are read have windows enough whose rows ahead were all measured, or no gaps."""
        for pool in (part_of(self.data, spec.name, split) for split in self._read(spec)):
            if pool.samples.complete(form.horizon, None) is not None and _windows(pool, form.horizon) < FEWEST:
                return False
        return True

    def _read(self, spec: TaskSpec) -> tuple[Split, ...]:
        """The parts that a map is made from: validation data choose its penalty unless that was chosen before."""
        return ("train",) if spec.name in self.settings else ("train", "val")

    def _joint(self, spec: TaskSpec) -> bool:
        """Says whether a map from all channels at once has windows enough; of one channel it is its own map."""
        channels, length = spec.shape
        windows = _windows(part_of(self.data, spec.name, "train"), spec.rows_ahead)
        return channels > 1 and channels * length <= min(windows / ROWS_EACH, MOST_JOINT)

    def _too_wide(self, spec: TaskSpec) -> str:
        """The reason why there is no map from all channels at once."""
        channels, length = spec.shape
        inputs, windows = channels * length, _windows(part_of(self.data, spec.name, "train"), spec.rows_ahead)
        if inputs > windows / ROWS_EACH:
            return f"{inputs:,} inputs are more than a {ROWS_EACH}th of {windows:,} training windows"
        return f"{inputs:,} inputs are more than the {MOST_JOINT:,} that are solved for"

    def _period(self, spec: TaskSpec, form: RowsForm) -> tuple[int | None, str]:
        """Rows of a season with how they were found, or None with the reason.

        The period with the smallest training error of the seasonal forecast is that with the largest autocorrelation at
        the lags that the forecast uses: the error is twice the variance less the covariance.
        """
        length, given = spec.input_len, self.config.period
        if given is None and not self._whole(spec, form):
            return None, UNMEASURED
        if given is not None:
            if given > length:
                return None, f"`simple.period` of {given} rows is longer than the window of {length}"
            return given, "period given"
        if length < 2:
            return None, "a window of one row shows no period"
        moments = self._of("train", spec.name, self._joint(spec)).by_channel(spec.shape[0])
        chosen = list(form.targets)
        cross, squares = moments.cross[chosen], moments.squares[chosen].sum()
        energy = moments.inputs[chosen].diagonal(dim1=1, dim2=2).sum(0)  # [L]
        steps = torch.arange(form.horizon)
        errors = []
        for period in range(2, length + 1):
            rows = torch.tensor(seasonal_rows(period, form.horizon, length))
            errors.append(float(squares + energy[rows].sum() - 2 * cross[:, rows, steps].sum()))
        least = min(errors) * ALIKE
        return next(2 + number for number, error in enumerate(errors) if error <= least), FROM_DATA

    def linear_map(
        self, spec: TaskSpec, form: RowsForm, level: Level, channels: Channels
    ) -> tuple[Float64[Tensor, "*W"], Setting]:
        """Weights of one kind of map, with the penalty that was chosen before or has the smallest validation MSE.

        Raises:
            SettingError: a map from all channels at once has too few windows, or too many inputs.
        """
        if not self._whole(spec, form):
            raise SettingError(
                f"tasks.{spec.name}.linear", f"should be null where {UNMEASURED}: ridge regression is fitted on those."
            )
        joint = channels == "all"
        if joint and not self._joint(spec):
            inputs = " × ".join(map(str, spec.shape))
            least = f"fewer than {MOST_JOINT + 1:,} and a {ROWS_EACH}th of the training windows"
            raise SettingError(
                f"tasks.{spec.name}.linear.channels",
                f"should be one or own for a window of {inputs} numbers (all: they should be {least}), found 'all'.",
            )
        moments = (self._of(split, spec.name, joint) for split in self._read(spec))
        problems = [without_level(part if joint else part.by_channel(spec.shape[0]), form.targets,
                                  level_weights(level, spec.input_len)) for part in moments]  # fmt: skip
        if channels == "one":
            problems = [problem.summed() for problem in problems]
        setting = self.settings.get(spec.name)
        if setting is None:
            weight, penalty, _ = choose_penalty(*problems)
            setting = Setting(penalty)
        else:
            weight = solve(problems[0], setting.penalty)
        return weight if channels == "own" else weight[0], setting

    def _ridge(self, spec: TaskSpec, form: RowsForm) -> Candidate:
        """The level, the channels and the penalty with the smallest validation MSE."""
        joint = self._joint(spec)
        train, val = (self._of(split, spec.name, joint) for split in ("train", "val"))
        best: tuple[float, Tensor, RidgeForecastFit] | None = None
        for level in LEVELS:
            weights = level_weights(level, spec.input_len)
            for channels, problems in _problems(train, val, form, weights):
                weight, penalty, error = choose_penalty(*problems)
                if best is None or error < best[0]:
                    best = error, weight, RidgeForecastFit(level=level, channels=channels, penalty=penalty)
        assert best is not None
        _, weight, fit = best
        weight = weight if fit.channels == "own" else weight[0]
        about = f"{IN_WORDS[fit.level]}, {IN_WORDS[fit.channels]}, λ {fit.penalty:.2g} of the mean square"
        return self._candidate("ridge", about, fit, spec, {"weight": weight.float()})


def _problems(
    train: Moments, val: Moments, form: RowsForm, level: Tensor
) -> Iterator[tuple[Channels, tuple[Problem, Problem]]]:
    """The regressions of each way to treat channels, on training and validation moments."""
    channels = len(train.squares)
    own = [without_level(moments.by_channel(channels), form.targets, level) for moments in (train, val)]
    yield "one", (own[0].summed(), own[1].summed())
    if len(form.targets) > 1:
        yield "own", (own[0], own[1])
    if train.joint:
        yield "all", (without_level(train, form.targets, level), without_level(val, form.targets, level))


def _windows(pool: Pool, horizon: int) -> int:
    """Windows of a pool of one task whose rows ahead were all measured."""
    ((_, target),) = pool.targets.items()
    masks = [mask for mask in (target.valid, pool.samples.complete(horizon, target.channels)) if mask is not None]
    return int(torch.stack(masks).all(dim=0).sum()) if masks else len(pool)
