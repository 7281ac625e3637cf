"""Verdicts on new data: effects planted on blocks of test samples, in runs whose metrics are the means of errors."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mtl.config import Config
from mtl.evaluation.compare import compare
from mtl.paths import RunPath
from mtl.results.samples import BlockErrors, ErrorsOf, in_blocks
from mtl.results.verdicts import Row, Verdicts

from .simulated import make_config, make_runs
from .test_compare import row

BLOCKS, SIZE = 16, 20
Means = Mapping[ErrorsOf, BlockErrors]


class Planted:
    """Errors of every run: around 1, `better` of them less jointly, by seed and by block more or less.

    Blocks are better or worse jointly by the same in every seed, as test samples are that suit the joint networks.
    """

    def __init__(self, config: Config, better: float, by_seed: float, by_block: float, without: str = "") -> None:
        self.config, self.without = config, without
        random = np.random.default_rng(5)
        self.block = np.repeat(np.arange(BLOCKS), SIZE)
        suits = by_block * random.normal(size=(len(config.tasks), BLOCKS))
        self.errors: dict[ErrorsOf, np.ndarray] = {}
        for number, task in enumerate(config.tasks):
            for seed in config.base.seeds:
                single = 1 + 0.01 * random.normal(size=BLOCKS * SIZE)
                self.errors[ErrorsOf("baseline", "stl", "random", task, seed)] = 0.5 * single
                for method in config.finetune.methods:
                    change = better + by_seed * random.normal() + suits[number][self.block]
                    self.errors[ErrorsOf("finetune", method, "random", task, seed)] = 0.5 * (single - change)

    def value(self, path: RunPath, task: str) -> float:
        stage, name = ("baseline", "stl") if path.stage == "baseline" else ("finetune", str(path.name))
        mean = float(self.errors[ErrorsOf(stage, name, "random", task, path.seed)].mean())
        return mean if self.config.tasks[task].lower_is_better else 1 - mean

    def read(self, task: str) -> Means:
        if task == self.without:
            return {}
        return {of: in_blocks(error, self.block) for of, error in self.errors.items() if of.task == task}


def verdicts(better: float, by_seed: float, by_block: float, without: str = "", **evaluate: Any) -> Verdicts:
    config = make_config(evaluate=evaluate)
    planted = Planted(config, better, by_seed, by_block, without)
    return compare(config, make_runs(config, planted.value), errors=planted.read)


def widths(found: Row) -> tuple[float, float, float]:
    """Widths of the intervals over seeds, for new data and widened."""
    assert found.new_data is not None
    ends = (found.change, found.new_data, found.adjusted)
    return tuple(float(each.high or 0.0) - float(each.low or 0.0) for each in ends)  # type: ignore[return-value]


def test_a_gain_that_rests_on_few_test_samples_is_not_known() -> None:
    """All seeds gain 2 % of the error, on this choice of blocks, which differ by 8 %: certain by seeds alone."""
    wide = verdicts(0.02, 0.002, 0.08)
    alone = verdicts(0.02, 0.002, 0.08, interval="training")
    assert (wide.interval, alone.interval) == ("widest", "training")
    for task in ("short", "long"):
        found, training = row(wide, "joint", task), row(alone, "joint", task)
        assert training.verdict.word in ("HELPED", "HURT") and training.verdict.covers == "training"
        assert found.verdict.text == "not known: more test data" and found.verdict.covers == "new data"
        assert found.change == training.change and found.new_data == training.new_data
        assert found.new_data is not None and found.new_data.blocks == BLOCKS and found.new_data.data_share > 0.9
        over_seeds, new_data, adjusted = widths(found)
        assert over_seeds < new_data <= adjusted
        assert widths(training)[2] < new_data
    assert "More test data, not more seeds, would decide short, long" in wide.advice


def test_a_gain_on_every_block_holds_for_new_data() -> None:
    """A label is judged by accuracy, 1 less the error, whose relative change is of the same size here."""
    found = verdicts(0.05, 0.002, 0.002)
    assert {each.verdict.word for each in found.rows} == {"HELPED"}
    assert {each.verdict.covers for each in found.rows} == {"new data"}
    for each in found.rows:
        assert each.new_data is not None and each.no_new_data is None
        assert each.new_data.mean == pytest.approx(each.change.mean, rel=1e-9)


def test_where_seeds_alone_differ_both_intervals_are_one() -> None:
    found = verdicts(0.0, 0.03, 0.0)
    for each in found.rows:
        over_seeds, new_data, adjusted = widths(each)
        assert new_data == pytest.approx(over_seeds, rel=0.05) and new_data >= over_seeds - 1e-12
        assert adjusted > new_data
        assert each.verdict.open == "seeds"


def test_the_widened_interval_is_that_of_holm_at_the_degrees_of_freedom_of_its_own() -> None:
    """Each row's widened half-width is its error times the quantile at its own freedom and one of Holm's levels."""
    found = verdicts(0.01, 0.003, 0.02)
    m = len(found.rows)
    levels = [0.05 / (m - rank) for rank in range(m)]
    for each in found.rows:
        assert each.new_data is not None
        over_seeds, new_data, adjusted = widths(each)
        if new_data <= over_seeds * (1 + 1e-9):
            continue
        error = new_data / 2 / stats.t.ppf(0.975, each.new_data.freedom)
        seeds = over_seeds / 2 / stats.t.ppf(0.975, 4)
        possible = [
            max(stats.t.ppf(1 - level / 2, each.new_data.freedom) * error, stats.t.ppf(1 - level / 2, 4) * seeds)
            for level in levels
        ]
        assert any(adjusted / 2 == pytest.approx(half, rel=1e-6) for half in possible)


@pytest.mark.parametrize("read", ["short", None])
def test_a_metric_without_errors_of_samples_rests_on_training_alone_and_says_so(read: str | None) -> None:
    found = verdicts(0.05, 0.002, 0.002, without="short") if read else None
    if found is None:
        config = make_config()
        planted = Planted(config, 0.05, 0.002, 0.002)
        found = compare(config, make_runs(config, planted.value))
    short, long = row(found, "joint", "short"), row(found, "joint", "long")
    assert (short.new_data, short.verdict.covers, short.verdict.word) == (None, "training", "HELPED")
    assert short.no_new_data == ("the MSE has no errors of single samples" if read else None)
    assert (long.new_data is None) == (read is None)


def test_errors_are_read_a_task_at_a_time() -> None:
    config = make_config()
    planted = Planted(config, 0.05, 0.002, 0.002)
    asked: list[str] = []

    def read(task: str) -> Means:
        asked.append(task)
        return planted.read(task)

    reader: Callable[[str], Means] = read
    compare(config, make_runs(config, planted.value), errors=reader)
    assert asked == list(config.tasks)
