"""A section of params.yaml for a table that was looked at: its path, the options that it needs, its columns' types."""

import json
import re
from collections.abc import Mapping
from textwrap import wrap

from mtl.config.conll import CONLL
from mtl.config.table_source import ONCE
from mtl.data.columns.facts import ColumnFacts
from mtl.errors import OptionValue

PLAIN = re.compile(r"[A-Za-z_][\w ()%/.+-]*")
WORDS = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null"))
"""Words that YAML takes for truth values or for nothing."""
WIDTH = 120
USUAL_TAGS = ("upos",)
"""Columns of tags that are shown first."""


def source_name(stem: str) -> str:
    """A name for the source of a file: small letters, digits and underscores, the first a letter."""
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return name if re.match(r"[a-z]", name) else f"table_{name}".strip("_")


def table_section(name: str, path: str, options: Mapping[str, OptionValue], facts: list[ColumnFacts]) -> str:
    """The section, as it may stand in params.yaml; a column that cannot be an input stands in a comment.

    Args:
        name: of the source.
        path: of its file, relative to the project's folder.
        options: of the reader that differ from the defaults.
        facts: on each column.
    """
    lines = ["prepare:", "  sources:", f"    {name}:", "      kind: table", f"      path: {yaml_value(path)}"]
    lines += [f"      {option}: {yaml_value(value)}" for option, value in options.items()]
    if path.lower().removesuffix(".gz").endswith(CONLL):
        return "\n".join([*lines, *_words_and_tags(facts)]) + "\n"
    inputs = [fact for fact in facts if is_input(fact)]
    if inputs:
        lines.append("      inputs:")
        lines += [f"        {yaml_value(fact.name)}: {fact.kind}" for fact in inputs]
    unread = [fact.name for fact in facts if fact.kind in ONCE or fact.problem is not None]
    if unread:
        lines.append(f"      ignore: {json.dumps(unread, ensure_ascii=False)}")
    for fact in facts:
        if not is_input(fact):
            lines += _comment(f"{yaml_value(fact.name)} is left out: {why_left_out(fact)}")
    for fact in inputs:
        if fact.group:
            column = yaml_value(fact.name)
            lines += _comment(f"Rows of one {column} stay together with `split: {{kind: group, column: {column}}}`.")
    return "\n".join(lines) + "\n"


def _words_and_tags(facts: list[ColumnFacts]) -> list[str]:
    """Lines on the words of a file of sentences, which stand first, and on the tags beside them."""
    words, *others = [fact.name for fact in facts]
    chosen = next((name for name in others if name in USUAL_TAGS), others[0] if others else None)
    if chosen is None:
        return _comment("There is no column of tags beside the words.")
    schemes = "plain: classes, bio: spans whose tags are O, B-TYPE and I-TYPE"
    told = f"Tags are learnt by `kind: tagging` ({schemes}); columns of tags: {', '.join(map(yaml_value, others))}."
    return [f"      inputs: {{{yaml_value(words)}: text}}", f"      tags: {{{yaml_value(chosen)}: plain}}",
            *_comment(told)]  # fmt: skip


def is_input(fact: ColumnFacts) -> bool:
    """True for a column that can be an input as the options are."""
    return fact.kind != "ignore" and fact.kind not in ONCE and fact.problem is None


def yaml_value(value: OptionValue) -> str:
    """A value as it may stand in params.yaml, in a line."""
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS and value == value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)


def why_left_out(fact: ColumnFacts) -> str:
    """Reason why a column is no input, a clause."""
    if fact.problem is not None:
        return fact.problem
    if fact.kind in ONCE:
        named = json.dumps(fact.name, ensure_ascii=False)
        beside = " with `images: {folder: FOLDER}`" if fact.kind == "image" else ""
        both = "`encoder: {kind: fusion}` also beside others"
        return f"`inputs: {{{named}: {fact.kind}}}`{beside} learns from it alone, {both}; {fact.why}"
    return fact.why


def _comment(text: str) -> list[str]:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return wrap(plain, WIDTH, initial_indent="      # ", subsequent_indent="      #   ", break_on_hyphens=False)
