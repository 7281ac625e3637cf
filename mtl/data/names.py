"""What a task names, against what its source holds: known before any training; imports no torch.

A label rule makes a label of two classes: from the classes of a label of the source, or from a coin.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl.config import EVEN, BinaryTask, ClassificationTask, ForecastTask, LabelRule, Task
from mtl.errors import ConfigError, shown

CLASSES = "classes"
"""The label that rules are made from where a source has it."""
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
        ConfigError: the source does not hold what the task names, a rule holds for all of its classes or for none, or
            a binary task's label has not two classes.
    """
    where = f"params.yaml: `tasks.{name}"
    if images and task.input_len is not None:
        raise ConfigError(f"{where}.input_len` is for windows, and {task.source} holds images: leave it out.")
    if isinstance(task, ForecastTask):
        if images:
            raise ConfigError(f"{where}.kind` should be binary or classification: {task.source} holds images, "
                              "found 'forecast'.")  # fmt: skip
        for target in task.targets or []:
            if target not in columns:
                raise ConfigError(f"{where}.targets` should be among {', '.join(columns)}, found {shown(target)}.")
        return None
    label = task.label
    if isinstance(label, str) and label == EVEN and EVEN not in classes:
        label = LabelRule(even=True)
    if isinstance(label, LabelRule):
        derived = _derive(task, label, f"{where}.label", classes, images)
        if derived.name in classes:
            raise ConfigError(f"{where}.label` would make a label `{derived.name}`, which {task.source} already has.")
        return derived
    _check_label(label, f"{where}.label`", task, classes)
    found = classes[label]
    if isinstance(task, BinaryTask) and len(found) != 2:
        raise ConfigError(
            f"{where}.kind` binary needs a label with 2 classes; {label} has {len(found)}: {', '.join(found)}."
        )
    return label


def _check_label(
    label: str, where: str, task: ClassificationTask | BinaryTask, classes: Mapping[str, Sequence[str]]
) -> None:
    if label not in classes:
        known = ", ".join(classes)
        allowed = f"one of {known}" if known else f"a label of {task.source}, which has none"
        raise ConfigError(f"{where} should be {allowed}; found {shown(label)}.")


def _derive(
    task: ClassificationTask | BinaryTask, rule: LabelRule, where: str, classes: Mapping[str, Sequence[str]],
    images: bool,
) -> Derived:  # fmt: skip
    """What a rule makes of a source's labels."""
    if rule.coin is not None:
        return Derived(f"coin({rule.coin})", ("heads", "tails"), coin="coin", seed=rule.coin)
    if rule.flipped is not None:
        if not images:
            raise ConfigError(f"{where}.flipped` is for images; {task.source} holds none.")
        return Derived(f"flipped({rule.flipped})", ("upright", "flipped"), coin="flipped", seed=rule.flipped)
    of = rule.of
    if of is None:
        if CLASSES not in classes and len(classes) > 1:
            raise ConfigError(f"{where}.of` is missing: {task.source} has the labels {', '.join(classes)}.")
        of = CLASSES if CLASSES in classes else next(iter(classes), CLASSES)
    _check_label(of, f"{where}.of`", task, classes)
    known = list(classes[of])
    if rule.even is not None:
        name, names = EVEN, ("odd", "even")
        holds = [number % 2 == 0 for number in _numbers(known, of, f"{where}`: even")]
    elif rule.multiple_of is not None:
        name, names = f"multiple_of({rule.multiple_of})", ("other", f"multiple of {rule.multiple_of}")
        numbers = _numbers(known, of, f"{where}.multiple_of`")
        holds = [number % rule.multiple_of == 0 and number != 0 for number in numbers]
    else:
        key, wanted = ("one_vs_rest", [rule.one_vs_rest or ""]) if rule.any_of is None else ("any_of", rule.any_of)
        unknown = [one for one in wanted if one not in known]
        if unknown:
            should = f"be among the classes of `{of}`: {', '.join(known)}"
            raise ConfigError(f"{where}.{key}` should {should}; found {shown(unknown[0])}.")
        name, names = f"{key}({', '.join(wanted)})", ("rest", _joined(list(wanted)))
        names = names if names[1] != "rest" else ("others", "rest")
        holds = [one in wanted for one in known]
    if all(holds) or not any(holds):
        which = "all" if all(holds) else "none"
        raise ConfigError(f"{where}` should hold for some classes of `{of}` and not for others; {name} holds for "
                          f"{which} of {', '.join(known)}.")  # fmt: skip
    name = name if rule.of in (None, CLASSES) else f"{name} of {of}"
    return Derived(name, names, of, tuple(number for number, one in enumerate(holds) if one))


def _numbers(known: list[str], of: str, where: str) -> list[int]:
    other = [one for one in known if not WHOLE.fullmatch(one)]
    if other:
        raise ConfigError(f"{where} needs classes that are whole numbers; a class of `{of}` is {shown(other[0])}.")
    return [int(one) for one in known]


def _joined(names: list[str]) -> str:
    return " or ".join(names) if len(names) <= NAMED else f"{names[0]} or {len(names) - 1} others"
