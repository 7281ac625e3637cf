"""What a task names, against what its source holds: known before any training; imports no torch.

A label rule makes a label of two classes: from the classes of a label of the source (of `classes` where it has them),
or from a coin.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl.config.image_sets import CLASSES
from mtl.config.labels import EVEN, LabelRule
from mtl.config.tasks import BinaryTask, ClassificationTask, ForecastTask, Task
from mtl.errors import SettingError, shown

WHOLE = re.compile(r"-?[0-9]{1,18}")
NAMED = 3
"""Classes of `any_of` that a class name lists; beyond that it counts them."""


@dataclass(frozen=True)
class Derived:
    """A label that a rule makes."""

    name: str
    """As in `one_vs_rest(cat)`."""
    classes: tuple[str, str]
    """Names of the classes 0 (the rule does not hold) and 1 (it does)."""
    of: str | None = None
    """The label that it is made from; None for a coin."""
    positive: tuple[int, ...] = ()
    """The classes of `of` for which the rule holds."""
    coin: Literal["coin", "flipped"] | None = None
    seed: int = 0


def check_names(
    name: str, task: Task, columns: Sequence[str], classes: Mapping[str, Sequence[str]], images: bool
) -> str | Derived | None:
    """Checks a task's targets or label, and tells which label it learns: one of the source, or a derived one.

    Args:
        name: of the task.
        task: its settings.
        columns: of its source.
        classes: label → names of its classes.
        images: whether the source holds images.

    Raises:
        SettingError: the source does not hold what the task names, a rule holds for all of its classes or for none, or
            a binary task's label has not two classes.
    """
    check_kind(name, task, images)
    if isinstance(task, ForecastTask):
        for target in task.targets or []:
            if target not in columns:
                raise SettingError(
                    f"tasks.{name}.targets", f"should be among {', '.join(columns)}, found {shown(target)}."
                )
        return None
    check_label(name, task, classes)
    label = _rule_or_name(task, classes)
    where = f"tasks.{name}.label"
    if isinstance(label, LabelRule):
        derived = _derive(label, where, classes)
        if derived.name in classes:
            raise SettingError(where, f"would make a label `{derived.name}`, which {task.source} already has.")
        return derived
    found = classes[label]
    if isinstance(task, BinaryTask) and len(found) != 2:
        message = f"binary needs a label with 2 classes; {label} has {len(found)}: {', '.join(found)}."
        raise SettingError(f"tasks.{name}.kind", message)
    return label


def check_kind(name: str, task: Task, images: bool) -> None:
    """Whether a task is one for images, or for windows.

    Raises:
        SettingError: it is one for the other.
    """
    if images and task.input_len is not None:
        message = f"is for windows, and {task.source} holds images: leave it out."
        raise SettingError(f"tasks.{name}.input_len", message)
    if images and isinstance(task, ForecastTask):
        message = f"should be binary or classification: {task.source} holds images, found 'forecast'."
        raise SettingError(f"tasks.{name}.kind", message)
    rule = None if isinstance(task, ForecastTask) else task.label
    if not images and isinstance(rule, LabelRule) and rule.flipped is not None:
        raise SettingError(f"tasks.{name}.label.flipped", f"is for images; {task.source} holds none.")


def check_label(name: str, task: ClassificationTask | BinaryTask, labels: Collection[str]) -> None:
    """Whether a source has the label that a task learns, or that its rule is made from.

    Raises:
        SettingError: it does not, or the rule should say which.
    """
    label, where = _rule_or_name(task, labels), f"tasks.{name}.label"
    if isinstance(label, LabelRule):
        if label.coin is not None or label.flipped is not None:
            return
        if label.of is None and CLASSES not in labels and len(labels) > 1:
            raise SettingError(f"{where}.of", f"is missing: {task.source} has the labels {', '.join(labels)}.")
        label, where = _made_from(label, labels), f"{where}.of"
    if label not in labels:
        if not labels:
            raise SettingError(where, f"should be a label of {task.source}, which has none; found {shown(label)}.")
        rule = ", or a rule (even, one_vs_rest, …)" if isinstance(task.label, str) else ""
        raise SettingError(where, f"should be one of {', '.join(labels)}{rule}; found {shown(label)}.")


def _rule_or_name(task: ClassificationTask | BinaryTask, labels: Collection[str]) -> LabelRule | str:
    return LabelRule(even=True) if task.label == EVEN and EVEN not in labels else task.label


def _made_from(rule: LabelRule, labels: Collection[str]) -> str:
    """The label that a rule is made from."""
    if rule.of is not None:
        return rule.of
    return CLASSES if CLASSES in labels else next(iter(labels), CLASSES)


def _derive(rule: LabelRule, where: str, classes: Mapping[str, Sequence[str]]) -> Derived:
    """What a rule makes of a source's labels; `where` is its path."""
    if rule.coin is not None:
        return Derived(f"coin({rule.coin})", ("heads", "tails"), coin="coin", seed=rule.coin)
    if rule.flipped is not None:
        return Derived(f"flipped({rule.flipped})", ("upright", "flipped"), coin="flipped", seed=rule.flipped)
    of = _made_from(rule, classes)
    known = list(classes[of])
    if rule.even is not None:
        name, names = EVEN, ("odd", "even")
        holds = [number % 2 == 0 for number in _numbers(known, of, where, "should not be even, which needs")]
    elif rule.multiple_of is not None:
        name, names = f"multiple_of({rule.multiple_of})", ("other", f"multiple of {rule.multiple_of}")
        numbers = _numbers(known, of, f"{where}.multiple_of", "needs")
        holds = [number % rule.multiple_of == 0 and number != 0 for number in numbers]
    else:
        key, wanted = ("one_vs_rest", [rule.one_vs_rest or ""]) if rule.any_of is None else ("any_of", rule.any_of)
        unknown = [one for one in wanted if one not in known]
        if unknown:
            message = f"should be among the classes of `{of}`: {', '.join(known)}; found {shown(unknown[0])}."
            raise SettingError(f"{where}.{key}", message)
        name, names = f"{key}({', '.join(wanted)})", ("rest", _joined(list(wanted)))
        names = names if names[1] != "rest" else ("others", "rest")
        holds = [one in wanted for one in known]
    if all(holds) or not any(holds):
        which = "all" if all(holds) else "none"
        message = f"should hold for some classes of `{of}` and not for others; {name} holds for {which} of "
        raise SettingError(where, f"{message}{', '.join(known)}.")
    name = name if rule.of in (None, CLASSES) else f"{name} of {of}"
    return Derived(name, names, of, tuple(number for number, one in enumerate(holds) if one))


def _numbers(known: list[str], of: str, where: str, needs: str) -> list[int]:
    other = [one for one in known if not WHOLE.fullmatch(one)]
    if other:
        message = f"{needs} classes that are whole numbers; a class of `{of}` is {shown(other[0])}."
        raise SettingError(where, message)
    return [int(one) for one in known]


def _joined(names: list[str]) -> str:
    return " or ".join(names) if len(names) <= NAMED else f"{names[0]} or {len(names) - 1} others"
