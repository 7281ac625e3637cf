"""Targets → tasks: by the kind that is named, by a rule, or by the cells where these can mean one kind alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from mtl.config.cells import MOST_CLASSES, RULE, Cells
from mtl.config.common import tag
from mtl.config.task_base import TaskBase
from mtl.config.tasks import Task
from mtl.data.columns.section import source_name, yaml_value
from mtl.data.formats.numbers import number_column
from mtl.errors import UserError, shown
from mtl.setup.near import near
from mtl.setup.spelling import Wanted, quoted
from mtl.setup.table import Own
from mtl.setup.tags import SPANS, about_tags, check_wanted, scheme_of

BORDERS: dict[str, np.ufunc] = {
    "at_least": np.greater_equal, "at_most": np.less_equal, "above": np.greater, "below": np.less,
}  # fmt: skip
"""Rule of numbers → whether it holds."""
KINDS: dict[str, type[TaskBase]] = {tag(kind): kind for kind in get_args(get_args(Task)[0])}
"""Kinds of tasks by their names."""


@dataclass(frozen=True)
class Target:
    """A task of the new project.

    Args:
        name: of the task.
        column: that it learns, or that its rule is made from.
        kind: of the task.
        why: clause on the column and the kind, for a comment.
        settings: of the task that tell what it learns.
        scheme: meaning of the tags of words that it learns; None: it learns none.
    """

    name: str
    column: str
    kind: str
    why: str
    settings: dict[str, object] = field(default_factory=dict)
    scheme: str | None = None

    @property
    def in_time(self) -> bool:
        """It asks for rows that are steps of time."""
        kind = KINDS[self.kind]
        return kind.looks_ahead or (kind.at_positions and self.scheme is None)


Ask = Callable[[str, Sequence[tuple[str, str]]], str]
"""Asks which of some answers, each with what it means, a question has; called at a terminal alone."""


def choose(wanted: Sequence[Wanted], own: Own, ask: Ask | None) -> list[Target]:
    """The tasks that the targets are.

    Args:
        wanted: the targets.
        own: the table.
        ask: asks the user which kind is meant; None: nobody can be asked.

    Raises:
        UserError: no such column or kind, a column that cannot be learnt so, two tasks of one name, or a column that
            may mean several kinds while nobody can be asked.
    """
    targets = [_target(target, own, ask) for target in wanted]
    names = [target.name for target in targets]
    twice = next((target for target in targets if names.count(target.name) > 1), None)
    if twice is not None:
        raise UserError(
            f"--targets should name each task once, found two named {twice.name}: name one of them yourself, as in "
            f"{twice.name}_2={quoted(twice.column)}:{twice.kind}."
        )
    return targets


def _target(wanted: Wanted, own: Own, ask: Ask | None) -> Target:
    if wanted.column not in own.columns:
        here = f" (in {shown(wanted.text)})" if wanted.text != wanted.column else ""
        cut = [quoted(column) for column in own.columns if quoted(column) != column and wanted.column in column]
        hint = f" Names with commas, colons or signs in them stand in quotes: {', '.join(cut)}." if cut else ""
        raise UserError(f"--targets should name columns of {own.file}{here}, {near(wanted.column, own.columns)}{hint}")
    name = wanted.name or source_name(wanted.column)
    at_words = next(kind for kind, section in KINDS.items() if section.at_positions)
    of_words = own.dates is None or own.tagged(wanted.column)  # else of the rows, which are steps of time
    if (wanted.kind == at_words and of_words) or (wanted.kind is None and own.tagged(wanted.column)):
        return _of_tags(wanted, own, name, at_words)
    if own.sentences:
        raise UserError(
            f"--targets: {shown(wanted.text)} should have the kind {at_words}, for {own.file} holds a tag for each "
            f"word, found {wanted.kind!r}."
        )
    _check_column(wanted, own)
    cells = own.cells(wanted.column)
    about = in_words(own, wanted.column, cells)
    if wanted.rule:
        if wanted.needs_numbers and cells.type != "number":
            values = f"{quoted(wanted.column)}==VALUE"
            raise UserError(
                f"--targets: {shown(wanted.text)} compares with a number, and `{wanted.column}` holds no numbers (it "
                f"is taken for {cells.type}): name a class, as in {name}={values}."
            )
        if wanted.name is None:
            raise UserError(
                f"--targets: {shown(wanted.text)} should have a name for the task, as in NAME={wanted.text}."
            )
        kind = next(kind for kind, section in KINDS.items() if section.means(RULE))
        why = f"{about}; {_holds(wanted, own)}" if wanted.needs_numbers else about
        return Target(name, wanted.column, kind, why, KINDS[kind].learning(wanted.column, wanted.rule))
    kind = wanted.kind or _kind(wanted, own, cells, about, ask)
    if kind not in KINDS:
        raise UserError(f"--targets: {shown(wanted.text)} should have a kind among {', '.join(KINDS)}, found {kind!r}.")
    problem = KINDS[kind].refuses(cells)
    if problem is not None:
        raise UserError(
            f"--targets: {shown(wanted.text)} cannot be, for {problem} (`{wanted.column}`: {about})"
            f"{_other_ways(wanted, cells)}."
        )
    return Target(name, wanted.column, kind, about, KINDS[kind].learning(wanted.column, {}))


def _of_tags(wanted: Wanted, own: Own, name: str, kind: str) -> Target:
    """The task of a column with a tag for each word."""
    check_wanted(wanted)
    if own.sentences and wanted.column == own.columns[0]:
        raise UserError(
            f"--targets: `{wanted.column}` holds the words of {own.file}: name one of the tags, "
            f"{', '.join(map(quoted, own.candidates)) or 'of which there are none'}."
        )
    scheme, distinct = scheme_of(own.table, wanted.column)
    given = own.options.get("tags")
    if isinstance(given, Mapping) and wanted.column in given:
        scheme = str(given[wanted.column])
    settings = KINDS[kind].learning(wanted.column, {}) | {"metric": None if scheme == "plain" else SPANS}
    return Target(name, wanted.column, kind, about_tags(scheme, distinct), settings, scheme)


def _holds(wanted: Wanted, own: Own) -> str:
    """A clause on the rows for which a rule of numbers holds.

    Raises:
        UserError: it holds for all rows, or for none.
    """
    values = number_column(own.table, wanted.column)
    known = values[~np.isnan(values)]
    ((rule, border),) = wanted.rule.items()
    holds = int(BORDERS[rule](known, border).sum())
    if holds in (0, len(known)):
        raise UserError(
            f"--targets: {shown(wanted.text)} should hold for some rows and not for others, and it holds for "
            f"{'none' if holds == 0 else 'all'}: `{wanted.column}` has values from {known.min():.6g} to "
            f"{known.max():.6g}."
        )
    return f"holds for {holds:,} of {len(known):,} rows"


def _check_column(wanted: Wanted, own: Own) -> None:
    """Checks that a column can be read, and holds something to learn."""
    fact = own.fact(wanted.column)
    if fact.problem is not None:
        raise UserError(f"--targets: `{wanted.column}` cannot be read: {fact.problem}")
    if fact.kind in ("number", "category", "boolean"):
        return
    numbers = isinstance(fact.low, float) and fact.distinct > 1
    end = f": --option 'types={{{yaml_value(wanted.column)}: number}}' takes it for one." if numbers else "."
    why = f"{fact.kind}, {fact.why}" if fact.kind != "ignore" else fact.why
    raise UserError(f"--targets: `{wanted.column}` is no target ({why}){end}")


def _kind(wanted: Wanted, own: Own, cells: Cells, about: str, ask: Ask | None) -> str:
    """The kind that a column may mean; asked for where there are several."""
    meant = [kind for kind, section in KINDS.items() if section.means(cells)]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        problem = "it holds one value" if cells.distinct < 2 else f"it has more than {MOST_CLASSES} classes"
        possible = [kind for kind, section in KINDS.items() if section.refuses(cells) is None]
        remedy = f": write {_spelt(wanted, possible)} if that is meant" if possible else ""
        raise UserError(f"--targets: `{wanted.column}` should be a target, and {problem} ({about}){remedy}.")
    answers = [(kind, KINDS[kind].predicts.format(distinct=cells.distinct)) for kind in meant]
    if ask is not None:
        return ask(f"`{wanted.column}`: {about}. What should be predicted?", answers)
    words = " or ".join(f"{words}" for _, words in answers)
    raise UserError(f"--targets: `{wanted.column}` ({about}) may mean {words}: write {_spelt(wanted, meant)}.")


def _spelt(wanted: Wanted, kinds: Sequence[str]) -> str:
    name = "" if wanted.name is None else f"{wanted.name}="
    return " or ".join(f"{name}{quoted(wanted.column)}:{kind}" for kind in kinds)


def _other_ways(wanted: Wanted, cells: Cells) -> str:
    """A clause on the kinds that the column could be, and on a rule that makes two classes of it."""
    possible = [kind for kind, section in KINDS.items() if section.refuses(cells) is None]
    ways = [_spelt(wanted, possible)] if possible else []
    name = wanted.name or source_name(wanted.column)
    if cells.distinct > 2:
        sign = ">=NUMBER" if cells.type == "number" else "==VALUE"
        ways.append(f"two classes by a rule, {name}={quoted(wanted.column)}{sign}")
    return f"; it could be {', or '.join(ways)}" if ways else ""


def in_words(own: Own, column: str, cells: Cells) -> str:
    """A clause on the cells of a column: type, range, how many differ and how many are missing."""
    fact = own.fact(column)
    what = "whole numbers" if cells.whole else {"number": "numbers", "boolean": "yes and no"}.get(cells.type, "names")
    if isinstance(fact.low, float) and isinstance(fact.high, float) and cells.type == "number":
        what += f" from {fact.low:.6g} to {fact.high:.6g}"
    missing = f", {fact.missing:,} missing" if fact.missing else ""
    return f"{what}, {cells.distinct:,} different{missing}"
