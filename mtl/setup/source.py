"""The source of a new project: the user's table with the type of each column and why, and how its rows are dealt."""

from collections.abc import Collection, Mapping, Sequence

from ruamel.yaml.comments import CommentedMap

from mtl.config.table_split import TimeSplit
from mtl.config.task_base import TaskBase
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.inspection import described
from mtl.data.columns.section import is_input, why_left_out
from mtl.data.files.manifest import RAW
from mtl.errors import UserError
from mtl.setup.images import OwnImages
from mtl.setup.near import near
from mtl.setup.params import commented, flow, listed, put
from mtl.setup.table import DATE_FORMAT, Own
from mtl.setup.targets import Target

INDENT = 6
"""Columns before a setting of a source."""
TEST = 0.2
DAYS_OF_WEEK = 7
SHORT = 100
"""Share of the rows, as a divisor, that is forecast at most: a part of a tenth then holds windows."""
WRITTEN = ("inputs", "types", "ignore", "split")
"""Settings that are written out whether or not they are given."""


def fill_table(
    section: CommentedMap, own: Own, targets: Sequence[Target], group: str | None, told: Mapping[str, str]
) -> None:
    """Puts a table into its section: options, types of its columns, and parts.

    Args:
        section: of the source, as the template has it.
        own: the table.
        targets: the tasks of the project.
        group: column whose rows stay together; None: every row stands for itself.
        told: columns that give a target away → how, so that they are no inputs.

    Raises:
        UserError: no input is left.
    """
    split = split_of(own, targets, group)
    if "split" in own.options:
        put(section, "folds", None, INDENT)
    source = described(own.file, {**own.options, "split": split})
    for name, value in own.options.items():
        if name not in WRITTEN:
            put(section, name, value, INDENT)
    learnt = {target.column for target in targets}
    apart = {*learnt, *told, *source.kept_apart, *([source.weight] if source.weight is not None else [])}
    asked = own.columns if source.inputs is None else list(source.inputs)
    if isinstance(source.split, TimeSplit) and source.inputs is None and source.split.column is not None:
        apart.add(source.split.column)
    inputs = [fact for fact in own.facts if is_input(fact) and fact.name in asked and fact.name not in apart]
    if not inputs:
        raise UserError(f"--targets should leave columns of {own.file} to predict from, found none that can be read.")
    comments = {fact.name: about(fact) for fact in own.facts}
    section["inputs"] = commented({fact.name: fact.kind for fact in inputs}, comments)
    put(section, "types", {fact.name: fact.kind for fact in own.facts if fact.name in learnt}, INDENT)
    section["ignore"] = listed(_left_out(own, apart - set(told), told)) or flow([])
    put(section, "split", split, INDENT)


def fill_images(
    section: CommentedMap, own: Own, targets: Sequence[Target], group: str | None, images: OwnImages
) -> None:
    """Puts a table of image files into its section; arguments as of `fill_table`."""
    split = split_of(own, targets, group)
    if "split" in own.options:
        put(section, "folds", None, INDENT)
    for name, value in own.options.items():
        if name not in WRITTEN:
            put(section, name, value, INDENT)
    learnt = {target.column for target in targets}
    kinds: dict[str, str] = {fact.name: fact.kind for fact in own.facts}
    folder = None if images.folder is None else (RAW / images.folder.resolve().name).as_posix()
    section["inputs"] = flow({images.column: "image"})
    put(section, "images", images.section(folder), INDENT)
    put(section, "types", {name: kind for name, kind in kinds.items() if name in learnt}, INDENT)
    weight = own.options.get("weight")
    held = {images.column, *learnt, *_split_columns(split), *([weight] if isinstance(weight, str) else [])}
    section["ignore"] = flow([name for name in kinds if name not in held])
    put(section, "split", split, INDENT)


def _split_columns(split: object) -> set[object]:
    """Columns that a split names, as far as the names of its settings tell."""
    named = split if isinstance(split, Mapping) else {}
    return {named.get(setting) for setting in ("column", "group", "stratify")}


def fill_series(section: CommentedMap, own: Own, tasks: Sequence[TaskBase], told: Collection[str]) -> None:
    """Puts a series into its section: options, its time stamps, and what its columns are.

    Args:
        section: of the source, as the template has it.
        own: the table, whose rows are steps of time.
        tasks: of the project.
        told: columns that give a target away, so that they are no values.
    """
    labels = list(dict.fromkeys(name for task in tasks for name in task.sorts))
    targets = list(dict.fromkeys(name for task in tasks for name in task.named if name not in labels))
    held = [fact for fact in own.facts if fact.kind in ("number", "boolean") and isinstance(fact.low, float)]
    comments = {fact.name: about(fact) for fact in held if fact.name not in (*labels, *targets, *told)}
    settings = {"date": own.dates, "labels": labels, "targets": targets, **own.options}
    forms = settings.get(DATE_FORMAT)
    if isinstance(forms, Mapping):  # of each column of dates, as tables have it
        settings[DATE_FORMAT] = forms.get(str(own.dates))
    for name, value in settings.items():
        put(section, name, value, INDENT)
    if "values" not in own.options:
        section["values"] = listed(comments)


def lengths(own: Own) -> dict[str, int]:
    """Rows that networks see and predict of a series: a day that follows four where rows are hours or less, a week
    where they are days, else four rows; less of a short series."""
    ahead = 24 if own.step < 1 else 7 if own.step < DAYS_OF_WEEK else 4
    ahead = max(1, min(ahead, own.rows // SHORT))
    return {"input_len": 4 * ahead, "horizon": ahead}


def about(fact: ColumnFacts) -> str:
    """A clause on a column: its range, how many values differ and are missing, why it has its type, what is odd."""
    parts = []
    if fact.low is not None and fact.high is not None:
        low, high = (f"{end:.6g}" if isinstance(end, float) else end for end in (fact.low, fact.high))
        parts.append(f"{low} to {high}")
    elif fact.kind == "category":
        parts.append(f"{fact.distinct:,} names")
    if fact.missing:
        parts.append(f"{fact.missing:,} missing")
    if fact.why not in ("numbers", "texts that repeat", "texts"):
        parts.append(fact.why)
    return "; ".join([*parts, *fact.warnings])


def check_grouping(group: str, own: Own, targets: Sequence[Target]) -> None:
    """Checks that a column can tell which rows belong together, and that nothing else says so.

    Raises:
        UserError: it cannot, the options have a split, or the rows are steps of a series.
    """
    _check_group(group, own, targets)
    if "split" in own.options:
        raise UserError("--group should be left out beside --option split=…, which says how rows are dealt.")
    if any(target.in_time for target in targets):
        raise UserError("--group is for rows that are samples of their own: leave it out of a forecast's series.")


def _check_group(group: str, own: Own, targets: Sequence[Target]) -> None:
    """Checks that a column can tell which rows belong together.

    Raises:
        UserError: there is none, a task learns it, or it has one value, or one of its own in every row.
    """
    if group not in own.columns:
        raise UserError(f"--group should be a column of {own.file}, {near(group, own.columns)}")
    if any(target.column == group for target in targets):
        raise UserError(f"--group should be a column that no task learns, found {group!r}, which is a target.")
    distinct = own.fact(group).distinct
    if distinct < 2 or distinct == own.rows:
        what = "holds the same in every row" if distinct < 2 else "holds another value in every row"
        message = f"--group should be a column whose values repeat, found {group!r}, which {what}"
        raise UserError(f"{message}: leave --group out, where every row stands for itself, or name another column.")


def split_of(own: Own, targets: Sequence[Target], group: str | None) -> dict[str, object]:
    """How rows are dealt, where the options do not say it: whole groups; the latest last where rows are steps of time;
    else at random, copies of a row together, and stratified by the one column that classes are made from."""
    given = own.options.get("split")
    if isinstance(given, dict):
        return dict(given)
    if group is not None:
        return {"kind": "group", "column": group, "test": TEST}
    if own.dates is not None:
        return {"kind": "time", "column": own.dates, "test": TEST}
    labels = {target.column for target in targets if "label" in target.settings and target.scheme is None}
    strata = {"stratify": next(iter(labels))} if len(labels) == 1 else {}
    return {"kind": "random", "test": TEST, **strata, "duplicates": "together"}


def _left_out(own: Own, elsewhere: Collection[str], told: Mapping[str, str]) -> dict[str, str]:
    """Column that is neither input nor target → why."""
    left = {}
    for fact in own.facts:
        if fact.name in told:
            left[fact.name] = told[fact.name]
        elif not is_input(fact) and fact.name not in elsewhere:
            left[fact.name] = why_left_out(fact)
    return left
