"""params.yaml of a new project: the commented file of the package with the user's columns and tasks laid over it."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from mtl.config.task_base import TaskBase
from mtl.errors import ConfigError, shown
from mtl.project.places import TEMPLATE
from mtl.setup import presets
from mtl.setup.budget import Budget
from mtl.setup.overlay import dump_text, load_text, overlaid, sections_of
from mtl.setup.targets import KINDS, Target

HEAD = """\
# {title}
#
# Every knob of the pipeline, written by `mtl init`. `mtl validate` checks this file, `mtl repro` runs it, and
# `dvc exp run -S train.lr=3e-4` tries a value without editing it.

"""
WIDEST = 119
"""Columns of a line, where a comment is cut so that it keeps to them."""
SHORTEST = 20
"""Letters of a comment that stay in any case."""
BESIDE = 32
"""Column at which comments of the template begin."""
COMMENTS = 44
"""Column at which comments beside the user's columns begin, where names are short enough."""
OWN = ("prepare", "tasks")
"""Sections that describe data and not how networks learn from them."""


def template(name: str) -> CommentedMap:
    """Sections of a kind of source, with a commented example of each kind of task."""
    return load_text((TEMPLATE / "own" / f"{name}.yaml").read_text(encoding="utf-8"), name)


def rendered(title: str, sections: CommentedMap, preset: str | None) -> str:
    """The whole text.

    Args:
        title: first line of the file.
        sections: that differ from the defaults.
        preset: whose training settings are taken; None: those of the sections.
    """
    text = overlaid(presets.text_of(presets.DEFAULT), dump_text(sections), "the new params.yaml")
    if preset is not None:
        body = sections_of(presets.text_of(preset))
        settings = "".join(lines for name, (_, lines) in body.items() if name not in OWN)
        text = overlaid(text, settings, f"preset {preset}") if settings else text
    return HEAD.format(title=title) + text[text.index("# What every training stage uses.") :]


def fill_tasks(
    sections: CommentedMap, source: str, targets: Sequence[Target], lengths: Mapping[str, int]
) -> list[TaskBase]:
    """Puts the tasks in the place of the examples: the first of a kind with all its settings, others with theirs.

    Args:
        sections: of the template.
        source: of the tasks.
        targets: that become tasks.
        lengths: of windows in rows, setting → its value; empty for a table.

    Returns:
        The tasks.
    """
    for example in sections["tasks"].values():
        for key in lengths.keys() & example.keys():
            example[key] = lengths[key]
    examples, tasks = sections["tasks"], CommentedMap()
    for target in targets:
        example = examples.get(target.kind)
        full = example is not None and example["source"] != source
        task = example if full else CommentedMap(kind=target.kind)
        task["source"] = source
        for key, value in target.settings.items():
            put(task, key, value, 4)
        if not full:
            own = {key: length for key, length in lengths.items() if key in KINDS[target.kind].model_fields}
            usual = {key: example[key] for key in ("metric", "linear") if example is not None and key in example}
            own, usual = ({key: value for key, value in part.items() if key not in task} for part in (own, usual))
            task = flow({**task, **own, **{key: value for key, value in usual.items() if value is not None}})
        tasks[target.name] = task
        tasks.yaml_set_comment_before_after_key(target.name, printable(f"{target.column}: {target.why}", 4), indent=2)
    sections["tasks"] = tasks
    return [_checked(target, tasks[target.name]) for target in targets]


def _checked(target: Target, section: CommentedMap) -> TaskBase:
    """The section of a task.

    Raises:
        ConfigError: it has a setting that there is not, or a value that it cannot have.
    """
    try:
        return KINDS[target.kind].model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["tasks", target.name, *map(str, first["loc"])])
        known = ", ".join(sorted(KINDS[target.kind].model_fields))
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"the new params.yaml: `{place}` is not a known key; allowed here: {known}.") from None
        told = first["msg"].replace("Input should", "should")
        raise ConfigError(f"the new params.yaml: `{place}` {told}, found {shown(first.get('input'))}.") from None


def fill_budget(sections: CommentedMap, budget: Budget, rows: int) -> None:
    """Puts in how long and in which batches networks learn."""
    train, encoder = sections["train"], sections["encoder"]
    train["epochs"], train["batch_size"] = budget.epochs, budget.batch_size
    train.yaml_add_eol_comment(
        f"of about {budget.steps:,} steps each on {rows:,} rows; more where validation still falls at the end", "epochs"
    )
    encoder["dropout"] = budget.dropout


def listed(columns: Mapping[str, str]) -> CommentedSeq:
    """A list of columns, a line each, with a comment beside each."""
    names = CommentedSeq(list(columns))
    for place, (column, comment) in enumerate(columns.items()):
        _beside(names, place, comment, len(column) + 12)
    return names


def commented(values: Mapping[str, str], comments: Mapping[str, str]) -> CommentedMap:
    """A map of columns, a line each, with a comment beside each that has one."""
    made = CommentedMap(values)
    for key, value in values.items():
        if comments.get(key):
            _beside(made, key, comments[key], len(key) + len(value) + 12)
    return made


def _beside(values: CommentedMap | CommentedSeq, place: str | int, comment: str, width: int) -> None:
    """Puts a comment beside a value, at the usual column where the line before it, `width` columns, leaves that."""
    start = COMMENTS if width < COMMENTS else 0
    values.yaml_add_eol_comment(printable(comment, max(width, COMMENTS) + 2), place, column=start)


def put(section: CommentedMap, key: str, value: Any, indent: int) -> None:
    """Puts a value in the place of another one; the comment beside it moves above where the line would be too long.

    Args:
        section: with the key.
        key: of the value.
        value: the new one.
        indent: columns before the key.
    """
    section[key] = flow(value)
    written = dump_text(CommentedMap({key: section[key]})).rstrip("\n")
    beside = section.ca.items.get(key, [None, None, None])[2]
    if beside is None or "\n" in written:
        return
    lines = [line.strip().removeprefix("#").strip() for line in beside.value.strip().splitlines()]
    width = indent + len(written)
    if width < BESIDE or (len(lines) == 1 and width + len(lines[0]) + 3 <= WIDEST):
        return
    section.ca.items.pop(key)
    above = "\n".join(wrap(" ".join(lines), WIDEST - indent - 2, break_on_hyphens=False))
    section.yaml_set_comment_before_after_key(key, above, indent=indent)


def flow(value: Any) -> Any:
    """A value in one line, as in {column: quality, at_least: 7}."""
    if isinstance(value, dict):
        made = CommentedMap({key: flow(inner) for key, inner in value.items()})
        made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        names = CommentedSeq([flow(inner) for inner in value])
        names.fa.set_flow_style()
        return names
    return value


def printable(text: str, start: int) -> str:
    """The text as a comment may hold it that begins at a column: in one line, cut where it is long."""
    room = max(WIDEST - start, SHORTEST)
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= room else f"{plain[: room - 1]}…"
