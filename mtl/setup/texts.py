"""The source of a new project whose tasks learn from a column of texts alone."""

from collections.abc import Mapping, Sequence

from ruamel.yaml.comments import CommentedMap

from mtl.data.columns.section import is_input, why_left_out
from mtl.errors import UserError
from mtl.setup.params import flow, listed, put
from mtl.setup.table import Own
from mtl.setup.tags import OF_ROWS
from mtl.setup.targets import Target

INDENT = 6
TEXT = "text"
OF_NUMBERS = ("allow", "numbers", "rare", "units", "file_column", "inputs", "types", "ignore", "split", "tags")
"""Settings of a table that are written otherwise, or mean nothing beside a column of texts."""


def own_text(own: Own, targets: Sequence[Target], group: str | None) -> str | None:
    """The column of texts that the tasks learn from; None where columns of other types are there for it.

    Args:
        own: the table.
        targets: the tasks of the project.
        group: column whose rows stay together; None: every row stands for itself.

    Raises:
        UserError: several columns hold texts, and nothing else is there to learn from; or tags have no words.
    """
    tags = [target.column for target in targets if target.scheme is not None]
    if own.sentences:
        return own.columns[0]
    apart = {group, own.dates, own.options.get("weight"), *(target.column for target in targets)}
    asked = own.options.get("inputs")
    named = list(asked) if isinstance(asked, list | Mapping) else own.columns
    facts = [fact for fact in own.facts if fact.name in named and fact.name not in apart and fact.problem is None]
    texts = [fact.name for fact in facts if fact.kind == TEXT]
    if tags and isinstance(asked, Mapping) and list(asked.values()) == [TEXT]:
        return str(next(iter(asked)))
    if tags and len(texts) != 1:
        raise UserError(
            f"--targets: `{tags[0]}` holds a tag for each word, and the words of {own.file} should be named, as in "
            f"--option 'inputs={{COLUMN: text}}'.{'' if texts else f' {OF_ROWS}'}"
        )
    if not texts or (any(is_input(fact) for fact in facts) and not tags):
        return None
    if len(texts) > 1:
        told = ", ".join(f"`{name}`" for name in texts)
        raise UserError(
            f"several columns of {own.file} hold texts, and a network reads one: {told}. Say which by --option, as in "
            f"--option 'inputs={{{texts[0]}: text}}'."
        )
    return texts[0]


def fill_texts(
    section: CommentedMap, own: Own, text: str, targets: Sequence[Target], split: Mapping[str, object]
) -> None:
    """Puts a table with a column of texts into its section.

    Args:
        section: of the source, as the template has it.
        own: the table.
        text: the column.
        targets: the tasks of the project.
        split: how rows are dealt.
    """
    if "split" in own.options:
        put(section, "folds", None, INDENT)
    for name, value in own.options.items():
        if name not in OF_NUMBERS:
            put(section, name, value, INDENT)
    tags = {target.column: target.scheme for target in targets if target.scheme is not None}
    if tags:
        put(section, "tags", tags, INDENT)
    if any(scheme != "plain" for scheme in tags.values()):
        put(section["texts"], "lower", False, INDENT + 2)  # capital letters tell of names
    kinds: dict[str, str] = {fact.name: fact.kind for fact in own.facts if fact.name not in tags}
    learnt = {target.column for target in targets}
    section["inputs"] = flow({text: TEXT})
    put(section, "types", {name: kind for name, kind in kinds.items() if name in learnt}, INDENT)
    held = {text, *learnt, own.options.get("weight"), *(split.get(key) for key in ("column", "group", "stratify"))}
    left = {fact.name: f"beside a text: {why_left_out(fact)}" for fact in own.facts if fact.name not in held}
    section["ignore"] = listed({} if own.sentences else left) or flow([])
    put(section, "split", dict(split), INDENT)
