"""The model that should answer each task, by the verdicts and with their margin: what `mtl deploy` takes by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mtl.config import Method
from mtl.evaluation.advise import Way, ranking, recommended
from mtl.evaluation.evidence import better_than_random
from mtl.evaluation.transfer import transfer
from mtl.results.groupings import GroupingRow
from mtl.results.statistics import Interval, signed
from mtl.results.verdicts import JudgedMethod, JudgedTask, Row, Unpaired, Verdicts

How = Literal["joint", "single-task", "cluster", "simple"]
SERVED = ("hard", "soft", "branched")
"""Kinds of groupings that the clusters found lead to; the others are there to compare with."""


@dataclass(frozen=True)
class Choice:
    """The model of one task, for all seeds.

    Args:
        how: what trained it.
        name: of the method (joint), the label of the start (single-task), the name of the grouping (cluster) or of the
            simple model that most seeds chose (simple).
        why: the measured values that speak for it, a clause.
    """

    how: How
    name: str
    why: str


def choose(verdicts: Verdicts, methods: Mapping[str, Method]) -> dict[str, Choice]:
    """The choice for each task.

    The method that the advice recommends answers the tasks that it helped or left level; another method those that it
    alone is shown to help; the models of the clusters all tasks, where they are shown to gain and to beat random
    groupings. What was hurt, or is not known, keeps its single-task model. A network that is shown to lose to the
    simple model by more than the margin gives way: to the single-task network if that does not lose, else to the
    simple model.

    Args:
        verdicts: what was measured.
        methods: section `finetune.methods`.
    """
    way, best = recommended(verdicts, methods)
    grouping = _grouping(verdicts, best)
    chosen = {}
    for task in verdicts.tasks:
        network = _network(verdicts, methods, (way, best), task)
        if grouping is not None:
            network = _of_cluster(verdicts, grouping, task) or network
        chosen[task.name] = _not_worse_than_simple(verdicts, task, network)
    return chosen


def _network(
    verdicts: Verdicts, methods: Mapping[str, Method], advised: tuple[Way, JudgedMethod | None], task: JudgedTask
) -> Choice:
    """The network of a task, whatever a simple model reaches."""
    way, best = advised
    rows = {row.method: row for row in verdicts.rows if row.task == task.name}
    if not task.alone:
        return _without_single(verdicts, best, task)
    own = None if best is None else rows.get(best.name)
    if way == "transfer" and best is not None and own is not None and own.verdict.helped:
        arm = transfer(verdicts, methods, best, task.name).row
        if arm is not None and arm.verdict.helped:
            return Choice("joint", arm.method, f"trained after the other tasks, {_measured(arm)}")
    if own is not None and own.verdict.helped:
        return Choice("joint", own.method, _measured(own))
    for other in [*ranking(verdicts), *(m for m in verdicts.methods if m.target == task.name)]:
        row = rows.get(other.name)
        if row is not None and row.verdict.helped:
            return Choice("joint", row.method, _measured(row))
    if own is not None and own.verdict.level:
        margin = f"within ±{100 * own.verdict.margin:g} %"
        return Choice("joint", own.method, f"{_measured(own)}, {margin}: one model does the work of two")
    return Choice("single-task", _start(verdicts, own, task), _why_alone(way, own))


def _without_single(verdicts: Verdicts, best: JudgedMethod | None, task: JudgedTask) -> Choice:
    """A task that no single-task network was trained for: the advised method, or the best that has it."""
    able = [method for method in [*([] if best is None else [best]), *ranking(verdicts)] if task.name in method.tasks]
    able += [method for method in verdicts.methods if task.name in method.tasks]
    return Choice("joint", able[0].name, "it has no single-task network to compare with")


def _start(verdicts: Verdicts, own: Row | None, task: JudgedTask) -> str:
    """Label of the start of a single-task network: that of the advised method's comparison, else of the first one."""
    rows = [own] if own is not None else [row for row in verdicts.rows if row.task == task.name]
    if rows:
        return rows[0].start
    return next(start for start, of_task in verdicts.costs.parameters.stl_by_start.items() if task.name in of_task)


def _why_alone(way: Way, own: Row | None) -> str:
    if own is not None:
        return f"joint training with {own.method}: {_measured(own)}"
    if way == "few":
        return "too few seeds for a verdict on joint training"
    return "no joint method is shown to help it"


def _measured(row: Row) -> str:
    """`HELPED, +5.9 % [+3.9, +7.9]`."""
    change = row.new_data if row.new_data is not None and row.verdict.covers == "new data" else row.change
    if change.mean is None:
        return row.verdict.text
    return f"{row.verdict.text}, {signed(change.mean)} %{change.ends}"


def _grouping(verdicts: Verdicts, best: JudgedMethod | None) -> GroupingRow | None:
    """The grouping by the clusters found whose models are shown to gain, to beat random ones, and to gain more than
    the advised method; None without one."""
    rows = [] if verdicts.grouping is None else verdicts.grouping.rows
    able = [row for row in rows if row.kind in SERVED and better_than_random(row) and row.delta_m.sign > 0]
    bound = 0.0 if best is None or best.delta_m.mean is None else best.delta_m.mean
    gaining = [row for row in able if (row.delta_m.mean or 0.0) > bound]
    return max(gaining, key=lambda row: row.delta_m.mean or 0.0) if gaining else None


def _of_cluster(verdicts: Verdicts, grouping: GroupingRow, task: JudgedTask) -> Choice | None:
    """The models of a grouping, unless their task is worse by more than the margin than its single-task network."""
    value = grouping.metrics.get(task.name)
    if value is None:
        return None
    alone = [row.stl.mean for row in verdicts.rows if row.task == task.name]
    if alone and _change(task, alone[0], value) < -verdicts.margin_of(task.name):
        return None
    gain = f"Δm {_interval(grouping.delta_m)}"
    return Choice("cluster", grouping.name, f"the models of these groups gain, {gain}, and beat random groups")


def _not_worse_than_simple(verdicts: Verdicts, task: JudgedTask, network: Choice) -> Choice:
    """The network, or what stands in for it where it is shown to lose to the simple model."""
    if task.simple is None:
        return network
    rows: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    over = [row for row in rows if row.task == task.name and row.simple is not None]
    single_loses = any("STL" in row.simple.loses for row in over if row.simple is not None)
    model = task.simple.model
    match network.how:
        case "single-task":
            lost = single_loses
            against = next((row.simple.stl for row in over if row.simple is not None), None)
        case "joint":
            own = next((row.simple for row in over if row.method == network.name), None)
            lost, against = own is not None and "joint" in own.loses, None if own is None else own.joint
            if lost and task.alone and not single_loses:
                start = _start(verdicts, None, task)
                return Choice("single-task", start, f"{network.name} loses to the simple model ({model}), it does not")
        case _:
            value, mean = _metrics(verdicts, network.name)[task.name], task.simple.summary.mean
            lost, against = _change(task, mean, value) < -verdicts.margin_of(task.name), None
    if not lost:
        return network
    named = "the network trained alone" if network.how == "single-task" else network.name
    told = "" if against is None else f", {_interval(against)}"
    return Choice("simple", model, f"{named} loses to it{told}")


def _metrics(verdicts: Verdicts, grouping: str) -> dict[str, float]:
    rows = [] if verdicts.grouping is None else verdicts.grouping.rows
    return next(row.metrics for row in rows if row.name == grouping)


def _change(task: JudgedTask, before: float, after: float) -> float:
    """Relative change of a metric, a share; positive is better."""
    if before == 0:
        return 0.0
    return (after - before) / abs(before) * (-1 if task.lower_is_better else 1)


def _interval(change: Interval) -> str:
    if change.mean is None:
        return "an unknown change"
    return f"{signed(change.mean)} %{change.ends}"
