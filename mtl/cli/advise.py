"""`mtl advise`: recommendations from the results, each with its measured values, its rule, and how sure it is."""

import textwrap
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mtl.paths import VERDICTS
from mtl.results.verdicts import EvidenceLine, Verdicts

FINE = "nothing to change"


def advise(root: Path, everything: bool) -> None:
    """Prints the lines that recommend something, or all.

    Raises:
        UserError: nothing has been evaluated yet, or the file cannot be used.
    """
    verdicts = Verdicts.read(root / VERDICTS)
    console = Console(highlight=False)
    console.print(Text(verdicts.advice))
    shown = [line for line in verdicts.evidence if everything or line.says is not None]
    for text in _folded(shown, console.width):
        console.print(text)
    hidden = len(verdicts.evidence) - len(shown)
    if hidden:
        console.print(Text(f"\n{hidden} more looked at, {FINE}: mtl advise --all", style="dim"))


def _folded(lines: Iterable[EvidenceLine], width: int) -> list[Text]:
    """Lines by aspect, rule and recommendation, each of which is said once; then whom it is about, what was measured,
    and how sure it is."""
    aspects: dict[str, dict[str, dict[str | None, dict[str, list[str]]]]] = {}
    for line in lines:
        by_says = aspects.setdefault(line.aspect, {}).setdefault(line.rule, {})
        measured = by_says.setdefault(line.says, {}).setdefault(f"{line.measured}; {line.sure}", [])
        measured.append(line.about)
    texts = []
    for aspect, rules in aspects.items():
        texts.append(Text(f"\n{aspect}", style="bold"))
        for rule, by_says in rules.items():
            texts.append(_wrapped(f"rule: {rule}", 2, width, "dim"))
            for says, by_measured in by_says.items():
                texts.append(_wrapped(says or FINE, 4, width, "" if says is None else "cyan"))
                texts += [
                    _wrapped(f"{', '.join(about)}: {measured}", 6, width, "dim")
                    for measured, about in by_measured.items()
                ]
    return texts


def _wrapped(text: str, indent: int, width: int, style: str) -> Text:
    """The text in lines of at most `width` columns, those after the first indented by two more."""
    lines = textwrap.wrap(
        text, max(width, 40), initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return Text("\n".join(lines), style=style)
