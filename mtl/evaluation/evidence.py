"""The decision framework with what was measured in place of opinions: the lines of `mtl advise`.

Each line holds what was measured, the rule with its threshold, what it recommends, and how sure that is. Lines that
recommend nothing are kept too: what was looked at and found unremarkable is evidence as well.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float64

from mtl.config import Config
from mtl.evaluation.blind import blind_lines
from mtl.evaluation.comparison import Comparison, class_counts
from mtl.evaluation.limits import AGREED, ALIKE, CONFLICT, MIN_SEEDS, MOST_PAIRS, RELATED, TIGHT, UNEVEN
from mtl.evaluation.mend import simple_lines
from mtl.evaluation.relation import alike, related
from mtl.evaluation.symptoms import line, question, symptoms
from mtl.evaluation.transfer import calls_for_transfer, transfer
from mtl.results.groupings import GroupingRow
from mtl.results.groups import Groups
from mtl.results.history import Epoch, History
from mtl.results.pair_arrays import as_matrix
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.results.verdicts import EvidenceLine, JudgedMethod, Row, Verdicts

Histories = Iterable[tuple[Run, History]]


def evidence(
    config: Config, verdicts: Verdicts, runs: Sequence[Run], histories: Histories, groups: Groups | None
) -> list[EvidenceLine]:
    """Every line.

    Args:
        config: the settings.
        verdicts: content of verdicts.json.
        runs: those of the config.
        histories: each run with its history.json.
        groups: the groups that were found; None when tasks were not grouped.

    Returns:
        Lines, also those that recommend nothing.
    """
    made = Comparison(config, runs)
    joint = [(run, history.epochs) for run, history in histories if run.path.stage == "finetune"]
    lines = [
        *simple_lines(config, verdicts),
        *_relatedness(made, joint),
        *_likeness(made, verdicts),
        *_balance(config, made, verdicts),
    ]
    lines += blind_lines(made, verdicts)
    if groups is not None:
        compared = None if verdicts.grouping is None else verdicts.grouping.rows
        lines += [*_grouping(groups, compared), *_worth(made, compared or [])]
    for method in verdicts.methods:
        if method.kind == "sequential":
            continue
        own = [epochs for run, epochs in joint if run.path.name == method.name]
        lines += [
            *_capacity(made, verdicts, method),
            *_transfer(config, verdicts, method),
            *symptoms(config, made, verdicts, method, own),
        ]
    return lines


def _sure(interval: Interval, confidence: float, digits: int = 2, unit: str = "") -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.n} seed: no interval"
    few = "" if interval.n >= MIN_SEEDS else f"; fewer than {MIN_SEEDS} seeds decide nothing"
    low, high = _text(interval.low, digits), _text(interval.high, digits)
    return f"{100 * confidence:g} % interval [{low}, {high}]{unit}, {interval.n} seeds{few}"


def _within(share: Interval) -> Interval:
    """The interval of a share, in percent: a t-interval of few seeds reaches beyond what a share can be."""
    if share.low is None or share.high is None:
        return share
    return share.model_copy(update={"low": max(share.low, 0.0), "high": min(share.high, 100.0)})


def _text(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _decided(interval: Interval) -> bool:
    return interval.n >= MIN_SEEDS and interval.low is not None


def _grouping(groups: Groups, compared: list[GroupingRow] | None) -> list[EvidenceLine]:
    """The clusters found, and whether single seeds agree with each other; no advice where their models were trained
    and did no better than random ones."""
    idle = compared is not None and not any(better_than_random(row) for row in compared)
    agreed = groups.stability.runs
    sure = "one seed" if agreed is None else f"groupings of single seeds agree with {agreed:.2f} (adjusted Rand index)"
    rule = f"one model a cluster; agreement of {AGREED:g} or more, and models that beat random ones, where trained"
    lines = []
    for names in groups.groups:
        measured = f"one of {groups.clusters} clusters by {groups.relation.kind.replace('_', ' ')}"
        says = None
        if agreed is not None and agreed >= AGREED and not idle:
            says = "one model for these" if len(names) > 1 else "a model of its own"
        lines.append(line("grouping", ", ".join(names), measured, rule, says, sure))
    return lines


def better_than_random(row: GroupingRow) -> bool:
    """Says whether a grouping lies above random ones of as many models."""
    over = row.over_random
    return over is not None and over.n >= MIN_SEEDS and over.low is not None and over.low > 0


def _worth(made: Comparison, compared: list[GroupingRow]) -> list[EvidenceLine]:
    """Groupings that were trained, against random ones."""
    lines = []
    for row in compared:
        if row.over_random is None:
            continue
        over, delta = row.over_random, row.delta_m.mean
        assert over.mean is not None and delta is not None, "where Δm is undefined, so is what it lies above"
        measured = (
            f"Δm {_text(over.mean)} points over random groupings into {row.models} models, {_text(delta)} % against "
            "single-task models"
        )
        says = (
            f"these groups, not random ones, where {row.models} models are what can be had"
            if better_than_random(row)
            else None
        )
        lines.append(
            line("grouping", row.name, measured, "interval over random groupings above 0", says,
                 _sure(over, made.confidence))
        )  # fmt: skip
    return lines


def _relatedness(made: Comparison, joint: list[tuple[Run, list[Epoch]]]) -> list[EvidenceLine]:
    """Gradient cosine and conflict of each pair of tasks; of very many pairs those with the largest cosines."""
    tasks = list(made.config.tasks)
    cosines, negative = _cosines(joint, tasks)
    mean = _over_seeds(cosines)
    first, second = np.nonzero(np.triu(~np.isnan(mean), 1))
    size = np.abs(mean[first, second])
    largest = np.argsort(-size, kind="stable")
    lines = [
        told
        for i, j in zip(first[np.sort(largest[:MOST_PAIRS])], second[np.sort(largest[:MOST_PAIRS])], strict=True)
        for told in _pair_lines(made, f"{tasks[i]} | {tasks[j]}", cosines[:, i, j], negative[:, i, j])
    ]
    left = largest[MOST_PAIRS:]
    if len(left):
        text = f"{len(left):,} pairs with gradient cosines of up to {size[left[0]]:.2f}, either way"
        rule = f"the {MOST_PAIRS} pairs with the largest mean cosines are listed"
        lines.append(line("relatedness", "other pairs", text, rule, None, "the history.json of each run has them all"))
    return lines


def _cosines(
    joint: list[tuple[Run, list[Epoch]]], tasks: Sequence[str]
) -> tuple[Float64[np.ndarray, "S K K"], Float64[np.ndarray, "S K K"]]:
    """(mean gradient cosine over all epochs and methods, share of them that is negative) of each pair of tasks by each
    of the S seeds; NaN where a seed has none."""
    shape = (len({run.path.seed for run, _ in joint}), len(tasks), len(tasks))
    total, negative, count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    place = {seed: number for number, seed in enumerate(dict.fromkeys(run.path.seed for run, _ in joint))}
    for run, epochs in joint:
        at = place[run.path.seed]
        for epoch in epochs:
            values = as_matrix(epoch.gradients.cosines, tasks)
            total[at] += np.nan_to_num(values)
            negative[at] += values < 0
            count[at] += ~np.isnan(values)
    none = np.full(shape, np.nan)
    return np.divide(total, count, out=none.copy(), where=count > 0), np.divide(
        negative, count, out=none, where=count > 0
    )


def _over_seeds(values: Float64[np.ndarray, "S K K"]) -> Float64[np.ndarray, "K K"]:
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean: Float64[np.ndarray, "K K"] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _pair_lines(
    made: Comparison, about: str, cosines: Float64[np.ndarray, " S"], negative: Float64[np.ndarray, " S"]
) -> list[EvidenceLine]:
    """Two lines on a pair of tasks, from its mean gradient cosine and share of negative ones, NaN where a seed has
    none."""
    cosine = made.interval(cosines[~np.isnan(cosines)].tolist())
    says = None
    if _decided(cosine) and cosine.low is not None and cosine.high is not None:
        says = "train together" if cosine.low > RELATED else "keep apart" if cosine.high < -RELATED else None
    rule = f"interval above +{RELATED:g}: related; below −{RELATED:g}: opposed"
    text = f"gradient cosine {_text(cosine.mean or 0.0)}"
    related = line("relatedness", about, text, rule, says, _sure(cosine, made.confidence))
    share = _within(made.interval((100 * negative[~np.isnan(negative)]).tolist()))
    says = None
    if _decided(share) and share.low is not None and share.low > 100 * CONFLICT:
        says = "a gradient method (finetune.methods.<name>.kind), or keep apart"
    text = f"negative cosine in {share.mean or 0.0:.0f} % of the measurements"
    rule = f"interval of the share above {100 * CONFLICT:.0f} %: in conflict"
    return [related, line("conflict", about, text, rule, says, _sure(share, made.confidence, digits=0, unit=" %"))]


def _likeness(made: Comparison, verdicts: Verdicts) -> list[EvidenceLine]:
    """Likeness of the data maps of each pair of tasks."""
    lines = []
    for method, pairs in verdicts.likeness.items():
        for pair, correlation in pairs.items():
            text = f"confidence in the data maps of {method} correlates with {_text(correlation.mean or 0.0)}"
            rule = f"interval above +{ALIKE:g}: hard for the same reasons"
            says = "related: worth a joint model" if alike(correlation) else None
            sure = _sure(correlation, made.confidence)
            lines.append(line("relatedness", pair.replace("|", " | "), text, rule, says, sure))
    return lines


def _balance(config: Config, made: Comparison, verdicts: Verdicts) -> list[EvidenceLine]:
    """Sizes of the tasks' training sets, and of the classes of each label."""
    sizes = {task.name: task.train_size for task in verdicts.tasks if task.train_size is not None}
    most, least = max(sizes, key=lambda t: sizes[t]), min(sizes, key=lambda t: sizes[t])
    ratio = sizes[most] / sizes[least]
    says = None
    if ratio > UNEVEN and config.train.sampler.kind == "proportional":
        says = "train.sampler: {kind: temperature, temperature: 2}, so that the small task is not drowned"
    measured = f"{sizes[most]:,} against {sizes[least]:,} samples, {ratio:.1f} : 1"
    rule = f"above {UNEVEN:g} : 1 under `proportional`: temperature T = 2"
    lines = [line("data balance", f"{most} | {least}", measured, rule, says, "counted")]
    for task in verdicts.tasks:
        run = made.first_run(task.name) if made.alone(task.name) else None
        counts = [] if run is None else class_counts(run, task.name)
        if not counts or min(counts) == 0:
            continue
        skew = max(counts) / min(counts)
        weighted = config.tasks[task.name].weighs_classes
        measured = f"test classes {max(counts):,} against {min(counts):,}, {skew:.1f} : 1"
        rule = f"above {UNEVEN:g} : 1 without class weights: `class_weights: balanced`"
        says = f"tasks.{task.name}.class_weights: balanced" if skew > UNEVEN and not weighted else None
        lines.append(line("data balance", task.name, measured, rule, says, "counted"))
    return lines


def _capacity(made: Comparison, verdicts: Verdicts, method: JudgedMethod) -> list[EvidenceLine]:
    """Training loss of the joint network against the single-task one of the same width."""
    lines = []
    for row in (row for row in verdicts.rows if row.method == method.name):
        pairs = list(zip(made.stl(row.task, row.start), made.joint(method.name), strict=True))
        # A kind of task whose loss is one of its metrics records no loss beside them.
        key = "loss" if all("loss" in run.train[row.task] for pair in pairs for run in pair) else row.metric
        ratios = [b.value(row.task, key, "train") / a.value(row.task, key, "train") for a, b in pairs]
        interval = made.interval(ratios)
        tight = _decided(interval) and interval.low is not None and interval.low > TIGHT
        measured = f"training loss {sum(ratios) / len(ratios):.2f} times the single-task model's"
        rule = f"interval above {TIGHT:g}: the shared network is too small, or pulled away"
        says = "a wider encoder, or a model of its own" if tight else None
        about = f"{method.name}: {row.task}"
        lines.append(line("capacity", about, measured, rule, says, _sure(interval, made.confidence)))
    return lines


def _gained(config: Config, verdicts: Verdicts, method: JudgedMethod, task: str) -> str:
    """Recommendation for a task that a joint method helped."""
    if related(verdicts, method, task) is not False:
        return "train together"
    methods = config.finetune.methods
    known = transfer(verdicts, methods, method, task)
    if known.row is None:
        arm = "" if known.line is None else f", or measure it as an arm of finetune.methods: {known.line}"
        return f"transfer instead, since its data map is like no other: pretrain the encoder{arm}"
    if calls_for_transfer(verdicts, methods, method, task):
        return f"transfer instead ({known.row.method}: {known.row.verdict.text}), since its data map is like no other"
    answered = known.row.verdict.hurt or known.row.verdict.level
    return f"train together: transfer ({known.row.method}) {'does not' if answered else 'is not shown to'} help it"


def _follows(config: Config, verdicts: Verdicts, method: JudgedMethod, row: Row) -> str | None:
    """Recommendation that follows from a verdict; None where nothing does."""
    verdict = row.verdict
    if verdict.helped:
        return _gained(config, verdicts, method, row.task)
    if verdict.hurt:
        return f"train {row.task} separately, or try what `{question(config.tasks[row.task])}` says"
    if verdict.level:
        return f"one model can do the work of two: {method.name} does that of {row.task}'s own"
    if verdict.open == "test data":
        return "more test data; no number of seeds would decide"
    if verdict.open == "seeds" and verdict.seeds_needed is not None:
        return f"{verdict.seeds_needed:,} seeds would decide (base.seeds)"
    return None


def _transfer(config: Config, verdicts: Verdicts, method: JudgedMethod) -> list[EvidenceLine]:
    """Gain or loss on test data, and what the settings of the method leave to try."""
    lines = []
    for row in (row for row in verdicts.rows if row.method == method.name):
        change, adjusted = row.change, row.adjusted
        if change.mean is None:
            continue
        says = _follows(config, verdicts, method, row)
        margin = f"{100 * row.verdict.margin:g} %"
        seeds = len(verdicts.seeds)
        sure = (
            f"{seeds} seeds"
            if adjusted.low is None or adjusted.high is None
            else (f"widened interval [{_text(adjusted.low)}, {_text(adjusted.high)}] %, {seeds} seeds")
        )
        lines.append(
            line(
                "transfer",
                f"{method.name}: {row.task}",
                f"test change {_text(change.mean)} %",
                f"widened interval above zero: helped; below: hurt; within ±{margin}: level",
                says,
                sure,
            )
        )
    return lines
