"""Advice that comes before all other: networks that lose to a simple model are to be mended before anybody asks what to
train together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtl.config import Config
from mtl.config.metrics import METRICS
from mtl.evaluation.limits import MIN_SEEDS
from mtl.evaluation.simple import loses
from mtl.evaluation.symptoms import line
from mtl.results.statistics import Interval, signed
from mtl.results.verdicts import AS_THEY_ARE, EvidenceLine, JudgedTask, Row, SimpleResult, Unpaired, Verdicts

ASPECT = "better than a simple model?"
MOST_NAMED = 6
"""Tasks that the sentence lists before it counts the others."""
STL = "STL"
OPEN = "compare its seeds: their mean loses, their spread leaves it open"
KERNELS = "kernels"
"""Name of the simple model whose features a network can be trained on."""
START_WORDS = {"ridge": "ridge regression", "logistic": "logistic regression", KERNELS: "their ridge regression"}
"""Simple model that a network can start at → what that is."""


@dataclass(frozen=True)
class _Judged:
    """A task with its simple model, and each of its networks against it."""

    task: JudgedTask
    simple: SimpleResult
    over: dict[str, Interval]
    """`STL` (of the start that the first method has) or a method → change against the simple model in percent."""
    reached: dict[str, float]
    """The same → mean test value."""
    margin: float
    """Relative change that is too little to matter, a share."""

    @property
    def lost(self) -> list[str]:
        """Networks that lose by more than the margin."""
        return [arm for arm, change in self.over.items() if loses(change, self.margin)]

    def is_open(self, arm: str) -> bool:
        """Says whether the mean of a network loses and the spread of its seeds leaves open whether it does."""
        mean = self.over[arm].mean
        return mean is not None and mean < -100 * self.margin and arm not in self.lost

    @property
    def loss(self) -> float:
        """Loss in percent of the single-task network; of the best network where there is none or it does not lose."""
        lost = {arm: -(self.over[arm].mean or 0.0) for arm in self.lost}
        return lost.get(STL, min(lost.values()))


def mend_first(config: Config, verdicts: Verdicts) -> str:
    """Sentence on the main tasks whose single-task network, or every network, loses to the simple model, with what to
    try; empty where there is none."""
    poor = [judged for judged in _judged(verdicts) if judged.task.role == "main" and _is_poor(judged)]
    if not poor:
        return ""
    shown = sorted(poor, key=lambda judged: -judged.loss)[:MOST_NAMED]
    models: dict[str, list[_Judged]] = {}
    for judged in (judged for judged in poor if judged in shown):
        models.setdefault(judged.simple.model, []).append(judged)
    lost = [f"to {model} by {_listed([_loss(judged) for judged in several])}" for model, several in models.items()]
    more = f", and on {len(poor) - len(shown)} tasks more" if len(poor) > len(shown) else ""
    few = f"By {_seeds(len(verdicts.seeds))}, too few to be sure, the" if len(verdicts.seeds) < MIN_SEEDS else "The"
    return (
        f"{few} networks lose {', '.join(lost)}{more}: mend the network before asking what to train together. "
        f"Try {tries(config, poor)}."
    )


def with_mending(first: str, advice: str) -> str:
    """The whole advice: what to mend, then what holds for the networks as they are."""
    return f"{first}{AS_THEY_ARE}{advice[:1].lower()}{advice[1:]}" if first else advice


def _starts(config: Config, poor: Sequence[_Judged]) -> Iterator[str]:
    """Ways to start at the simple models that win: the `linear` of the tasks that could."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for judged in poor:
        task = config.tasks[judged.task.name]
        kind = config.prepare.sources[task.source].input
        model = judged.simple.model
        linear = task.starts(kind, config.simple.kernels).get(model)
        if linear is not None:
            tasks.setdefault((model, linear), []).append(judged.task.name)
    for (model, linear), names in tasks.items():
        of = f"tasks.{names[0]}" if len(names) == 1 else f"the tasks that lose to {model}"
        yield f"`linear: {linear}` of {of}, a start at {START_WORDS[model]}"


def tries(config: Config, poor: Sequence[_Judged]) -> str:
    """Ways that the settings leave to try for networks that are worse than a simple model."""
    ways = list(_starts(config, poor))
    sources = {task.source for task in config.tasks.values()}
    if len(sources) == 1 and config.encoder.normalises(*sources):
        ways.append("`encoder: {kind: recurrent}`, which reads all channels together and keeps their levels")
    if config.encoder.kind != "rocket" and any(judged.simple.model == KERNELS for judged in poor):
        ways.append("`encoder: {kind: rocket}`, random kernels as the simple model has them below a trained network")
    if config.train.average is None:
        ways.append("`train.average: {kind: ema}`, weights averaged over the steps")
    return "; ".join([*ways, "more `train.epochs`, another `train.lr` or a wider encoder"])


def simple_lines(config: Config, verdicts: Verdicts) -> list[EvidenceLine]:
    """A line for each single-task network that has a simple model, and for each joint one that loses to it where the
    single-task one does not or is not there."""
    lines = []
    for judged in _judged(verdicts):
        for arm in judged.over:
            lost = arm in judged.lost
            if arm == STL or (lost and STL not in judged.lost):
                says = OPEN if judged.is_open(arm) else None
                if lost:
                    says = (
                        f"keep {judged.task.name} out of {arm}"
                        if STL in judged.over and arm != STL
                        else tries(config, [judged])
                    )
                lines.append(_line(judged, arm, says, verdicts.confidence))
    return lines


def _judged(verdicts: Verdicts) -> list[_Judged]:
    rows: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    listed = []
    for task in verdicts.tasks:
        over: dict[str, Interval] = {}
        reached: dict[str, float] = {}
        for row in (row for row in rows if row.task == task.name and row.simple is not None):
            assert row.simple is not None
            if isinstance(row, Row) and row.simple.stl is not None and STL not in over:
                over[STL], reached[STL] = row.simple.stl, row.stl.mean
            over[row.method], reached[row.method] = row.simple.joint, row.joint.mean
        if task.simple is not None and over:
            listed.append(_Judged(task, task.simple, over, reached, verdicts.margin_of(task.name)))
    return listed


def _is_poor(judged: _Judged) -> bool:
    """Says whether the single-task network loses; every network where there is none."""
    return STL in judged.lost if STL in judged.over else len(judged.lost) == len(judged.over)


def _loss(judged: _Judged) -> str:
    """`9.9 % on next_6h`, and which networks do not lose."""
    text = f"{judged.loss:.{0 if judged.loss >= 10 else 1}f} % on {judged.task.name}"
    if judged.lost == [STL]:
        return f"{text} (trained alone)"
    others = [arm for arm in judged.over if arm not in judged.lost]
    return f"{text} (all but {_listed(others[:MOST_NAMED])})" if others else text


def _line(judged: _Judged, arm: str, says: str | None, confidence: float) -> EvidenceLine:
    change, task = judged.over[arm], judged.task
    title, named = METRICS[task.metric].title, judged.simple.model
    measured = f"{title} {judged.reached[arm]:.3f}, {named} {judged.simple.summary.mean:.3f}"
    if change.mean is not None:
        measured += f": {signed(change.mean)} %"
    bound = signed(-100 * judged.margin)
    rule = f"interval over seeds of the change against the simple model below 0, its mean below {bound} %: loses"
    sure = _seeds(change.n)
    if change.low is not None and change.high is not None:
        sure = f"{100 * confidence:g} % interval [{signed(change.low)}, {signed(change.high)}] %, {sure}"
    if change.n < MIN_SEEDS:
        sure += f"; fewer than {MIN_SEEDS} decide nothing: the mean is asked instead"
    return line(ASPECT, f"{arm}: {task.name}", measured, rule, says, sure)


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"
