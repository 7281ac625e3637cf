"""The label that a task names, against what its source holds: known before any training; imports no torch.

A label rule makes a label of two classes: from the classes of a label of the source (of `classes` where it has them),
from its numbers on either side of a border, or from a coin.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl.config.image_sets import CLASSES
from mtl.config.inputs import Held
from mtl.config.labels import EVEN, Border, Label, LabelRule
from mtl.errors import SettingError, shown

WHOLE = re.compile(r"-?[0-9]{1,18}")
MOST_NAMES = 20
"""Names that a message lists."""
NAMED = 3
"""Classes of `any_of` that a class name lists; beyond that it counts them."""


@dataclass(frozen=True)
class Derived:
    """A label that a rule makes."""

    name: str
    """Name of the label, such as `one_vs_rest(cat)`."""
    classes: tuple[str, str]
    """Names of the classes 0 (the rule does not hold) and 1 (it does)."""
    of: str | None = None
    """The label that it is made from; None for a coin."""
    positive: tuple[int, ...] = ()
    """The classes of `of` for which the rule holds."""
    border: tuple[Border, float] | None = None
    """Rule on the numeric target `of` and its border."""
    coin: Literal["coin", "flipped"] | None = None
    seed: int = 0


def label_of(name: str, label: Label, held: Held, two_classes: bool) -> str | Derived:
    """The label that a task learns: one of its source, or one that its rule makes.

    Args:
        name: of the task.
        label: what its section names.
        held: what its source holds.
        two_classes: whether the label should have two classes.

    Raises:
        SettingError: the source does not hold what the task names, a rule holds for all of its classes or for none, or
            the label has not two classes.
    """
    if isinstance(label, LabelRule) and label.border is not None:
        return _by_border(name, label, label.border, held)
    for number in (label,) if isinstance(label, str) else (label.of,):
        if number in held.numbers and number not in held.classes:
            message = f"should be a label, or a column of names or of few whole numbers; {shown(number)} holds numbers "
            remedy = (
                f"of any size: `{{column: {number}, at_least: …}}` makes two classes of them, and `kind: regression` "
            )
            raise SettingError(f"tasks.{name}.label", f"{message}{remedy}predicts them.")
    check_label(name, label, held.source, held.classes)
    wanted, where = _rule_or_name(label, held.classes), f"tasks.{name}.label"
    if isinstance(wanted, LabelRule):
        derived = _derive(wanted, where, held.classes)
        if derived.name in held.classes:
            raise SettingError(where, f"would make a label `{derived.name}`, which {held.source} already has.")
        return derived
    classes = held.classes[wanted]
    if two_classes and len(classes) != 2:
        message = f"binary needs a label with 2 classes; {wanted} has {len(classes)}: {', '.join(classes)}."
        raise SettingError(f"tasks.{name}.kind", message)
    return wanted


def check_label(name: str, label: Label, source: str, labels: Collection[str]) -> None:
    """Checks that a source has the label that a task learns, or that its rule is made from.

    Raises:
        SettingError: it has not, or the rule should say which.
    """
    wanted, where = _rule_or_name(label, labels), f"tasks.{name}.label"
    if isinstance(wanted, LabelRule):
        if wanted.coin is not None or wanted.flipped is not None or wanted.border is not None:
            return
        if wanted.of is None and CLASSES not in labels and len(labels) > 1:
            raise SettingError(f"{where}.of", f"is missing: {source} has the labels {', '.join(labels)}.")
        wanted, where = _made_from(wanted, labels), f"{where}.of"
    if wanted not in labels:
        if not labels:
            raise SettingError(where, f"should be a label of {source}, which has none; found {shown(wanted)}.")
        rule = ", or a rule (even, one_vs_rest, …)" if isinstance(label, str) else ""
        raise SettingError(where, f"should be one of {', '.join(labels)}{rule}; found {shown(wanted)}.")


def _by_border(name: str, rule: LabelRule, border: tuple[Border, float], held: Held) -> Derived:
    """Label that a rule makes from the numbers on either side of a border."""
    where = f"tasks.{name}.label"
    if rule.of is None:
        some = f"; {held.source} has {', '.join(held.numbers)}" if held.numbers else ""
        raise SettingError(f"{where}.column", f"is missing: {border[0]} is for a column of numbers{some}.")
    if rule.of not in held.numbers:
        asked = f"found {shown(rule.of)}"
        if rule.of in held.classes:
            message = f"should hold numbers for {border[0]}, {asked}, which has the classes "
            raise SettingError(
                f"{where}.column", f"{message}{some_names(held.classes[rule.of])}: use one_vs_rest or any_of."
            )
        if rule.of in held.columns:
            message = f"is an input of {held.source}, from which the label could be read off; {asked}: name it among "
            raise SettingError(f"{where}.column", f"{message}`targets` of the source, so that it is none.")
        if not held.numbers:
            raise SettingError(f"{where}.column", f"should hold numbers: {held.source} has none to predict; {asked}.")
        raise SettingError(f"{where}.column", f"should be one of {some_names(held.numbers)}; {asked}.")
    kind, number = border
    told = f"{number:.15g}"
    below, over = ("below", "at least") if kind in ("at_least", "below") else ("at most", "above")
    classes = (f"{below} {told}", f"{over} {told}")
    if kind in ("below", "at_most"):
        classes = (classes[1], classes[0])
    return Derived(f"{kind}({told}) of {rule.of}", classes, rule.of, border=border)


def some_names(names: Sequence[str]) -> str:
    """Names in words, the first of many."""
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _rule_or_name(label: Label, labels: Collection[str]) -> LabelRule | str:
    return LabelRule(even=True) if label == EVEN and EVEN not in labels else label


def _made_from(rule: LabelRule, labels: Collection[str]) -> str:
    """The label that a rule is made from."""
    if rule.of is not None:
        return rule.of
    return CLASSES if CLASSES in labels else next(iter(labels), CLASSES)


def _derive(rule: LabelRule, where: str, classes: Mapping[str, Sequence[str]]) -> Derived:
    """Label that a rule makes from the labels of a source; `where` is the path of the rule."""
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
        key, wanted = _classes_of(rule)
        unknown = [class_name for class_name in wanted if class_name not in known]
        if unknown:
            message = f"should be among the classes of `{of}`: {', '.join(known)}; found {shown(unknown[0])}."
            raise SettingError(f"{where}.{key}", message)
        name, names = f"{key}({', '.join(wanted)})", ("rest", _joined(list(wanted)))
        names = names if names[1] != "rest" else ("others", "rest")
        holds = [class_name in wanted for class_name in known]
    if all(holds) or not any(holds):
        which = "all" if all(holds) else "none"
        message = f"should hold for some classes of `{of}` and not for others; {name} holds for {which} of "
        raise SettingError(where, f"{message}{', '.join(known)}.")
    name = name if rule.of in (None, CLASSES) else f"{name} of {of}"
    return Derived(name, names, of, tuple(number for number, counts in enumerate(holds) if counts))


def _classes_of(rule: LabelRule) -> tuple[str, list[str]]:
    """Name of a rule that lists classes, and these."""
    if rule.any_of is not None:
        return "any_of", list(rule.any_of)
    return ("equals", [rule.equals]) if rule.equals is not None else ("one_vs_rest", [rule.one_vs_rest or ""])


def _numbers(known: list[str], of: str, where: str, needs: str) -> list[int]:
    other = [class_name for class_name in known if not WHOLE.fullmatch(class_name)]
    if other:
        message = f"{needs} classes that are whole numbers; a class of `{of}` is {shown(other[0])}."
        raise SettingError(where, message)
    return [int(class_name) for class_name in known]


def _joined(names: list[str]) -> str:
    return " or ".join(names) if len(names) <= NAMED else f"{names[0]} or {len(names) - 1} others"
