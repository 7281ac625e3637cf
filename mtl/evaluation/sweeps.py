"""Sweeps that a configuration holds: of the encoder's width, and of the share of one task's labels."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mtl.config import Start
from mtl.config.balancing import Method
from mtl.config.tasks import Task
from mtl.evaluation.comparison import Comparison
from mtl.results.record import Run
from mtl.results.sweeps import Capacity, LabelFractions, ShareCurve, SharePoint, WidthCurve, WidthPoint

T = TypeVar("T")
NOT_LEARNT = {"train_fraction", "role", "weight", "dropout", "head_lr"}
"""Settings in which two tasks that learn the same may differ."""


def capacity(made: Comparison) -> list[Capacity]:
    """Test metric against the size of the network, where `baseline.starts` differ in their width alone.

    Returns:
        For each task a list of `curves`: the single-task models (`name` None) and the methods that differ in nothing
        but their width; points are sorted by width and hold the `parameters` of the whole network. Where a method is
        swept, only its tasks.
    """
    starts = [list(group) for group in _alike(made.config.baseline.starts, _but_width)]
    methods = [[name for name, _ in group] for group in _alike(_methods(made), lambda item: _but_width(item[1]))]
    swept: list[Capacity] = []
    for task in made.config.tasks:
        curves: list[WidthCurve] = []
        if made.alone(task):
            for group in (sorted(group, key=lambda start: start.width) for group in starts):
                points = [_width_point(made, task, start.width, made.stl(task, start.label)) for start in group]
                start = group[0].model_copy(update={"width": 1.0}).label
                curves.append(WidthCurve(name=None, start=start, points=points))
        for names in methods:
            if task in made.config.judged_tasks(names[0]):
                by_width = {made.config.finetune.methods[name].width: name for name in reversed(names)}
                names = [by_width[width] for width in sorted(by_width)]  # the first of those that are quite the same
                points = [_width_point(made, task, width, made.joint(by_width[width])) for width in sorted(by_width)]
                curves.append(WidthCurve(name=_common_name(names), methods=names, points=points))
        curves = [curve for curve in curves if len(curve.points) > 1]
        if curves:
            swept.append(Capacity(task=task, metric=made.config.tasks[task].primary_metric, curves=curves))
    joint = [entry for entry in swept if any(curve.name is not None for curve in entry.curves)]
    return joint or swept


def label_fractions(made: Comparison) -> list[LabelFractions]:
    """Test metric against the share of the labels, where tasks differ in their `train_fraction` alone.

    Methods that differ only in which of these tasks they train make a curve, if one of them lacks labels. A method
    that trains several of the tasks is left out (`mixed`): through one it has seen the labels that another lacks.
    """
    groups = _alike(made.config.tasks.items(), lambda item: _learns(item[1]))
    several = [group for group in groups if len({task.train_fraction for _, task in group}) > 1]
    return [_fractions(made, [name for name, _ in group]) for group in several]


def _fractions(made: Comparison, group: list[str]) -> LabelFractions:
    config = made.config
    share = dict(sorted(((task, config.tasks[task].train_fraction) for task in group), key=lambda pair: pair[1]))
    judged = {name: [task for task in share if task in config.judged_tasks(name)] for name, _ in _methods(made)}
    trained = {name: [task for task in share if task in config.method_tasks(name)] for name in judged}
    single = [(name, method) for name, method in _methods(made) if judged[name] and len(trained[name]) == 1]
    alike = _alike(single, lambda item: _but_task(made, item[0], set(group)), least=1)
    alike = [same for same in alike if any(share[judged[name][0]] < max(share.values()) for name, _ in same)]
    curves: list[ShareCurve] = []
    for start in dict.fromkeys([same[0][1].label for same in alike] or [config.baseline.starts[0].label]):
        points = [_share_point(made, task, share[task], made.stl(task, start)) for task in share if made.alone(task)]
        curves.append(ShareCurve(name=None, start=start, points=points))
    for same in alike:
        names = [name for name, _ in same]
        names.sort(key=lambda name: share[judged[name][0]])
        points = [_share_point(made, judged[n][0], share[judged[n][0]], made.joint(n)) for n in names]
        curves.append(ShareCurve(name=_common_name(names), methods=names, points=points))
    return LabelFractions(
        tasks=list(share),
        metric=config.tasks[group[0]].primary_metric,
        curves=[curve for curve in curves if curve.points],
        mixed=[name for name in judged if judged[name] and len(trained[name]) > 1],
    )


def _methods(made: Comparison) -> list[tuple[str, Method]]:
    return list(made.config.finetune.methods.items())


def _alike(items: Iterable[T], key: Callable[[T], str], least: int = 2) -> list[list[T]]:
    """Groups of equal key with `least` members or more, in the order of their first ones."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [group for group in groups.values() if len(group) >= least]


def _but_width(start: Start) -> str:
    return json.dumps(start.model_dump(mode="json", exclude={"width"}), sort_keys=True)


def _learns(task: Task) -> str:
    return json.dumps(task.model_dump(mode="json", exclude=NOT_LEARNT), sort_keys=True)


def _but_task(made: Comparison, name: str, group: set[str]) -> str:
    """A method's settings, but for which task of `group` it trains."""
    method = made.config.finetune.methods[name]
    others = [task for task in made.config.method_tasks(name) if task not in group]
    content = method.model_dump(mode="json", exclude={"tasks", "target"})
    return json.dumps([others, method.target is None, content], sort_keys=True)


def _common_name(names: Sequence[str]) -> str:
    """Common beginning of the names of alike methods: `joint` for joint_05 and joint_20."""
    if len(names) == 1:
        return names[0]
    same = next(n for n in range(len(names[0]), -1, -1) if all(name.startswith(names[0][:n]) for name in names))
    return names[0][:same].rstrip("_0123456789") or names[0]


def _width_point(made: Comparison, task: str, width: float, runs: list[Run]) -> WidthPoint:
    summary = made.summary(made.values(runs, task), made.config.tasks[task].primary_metric)
    return WidthPoint(width=width, parameters=runs[0].parameters.total, **dict(summary))


def _share_point(made: Comparison, task: str, share: float, runs: list[Run]) -> SharePoint:
    summary = made.summary(made.values(runs, task), made.config.tasks[task].primary_metric)
    return SharePoint(task=task, share=share, samples=runs[0].train_size[task], **dict(summary))
