"""`mtl advise`: what the results recommend, each line with what was measured, the rule, and how sure it is."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from mtl.errors import DataError

VERDICTS = Path("results") / "verdicts.json"


def advise(root: Path, everything: bool) -> None:
    """Prints the lines that recommend something, or all.

    Raises:
        DataError: nothing has been evaluated yet.
    """
    try:
        verdicts: dict[str, Any] = json.loads((root / VERDICTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{VERDICTS} is missing; run `mtl repro` first.") from None
    console = Console(highlight=False)
    console.print(Text(verdicts["advice"]))
    shown = [line for line in verdicts["evidence"] if everything or line["says"] is not None]
    for aspect in dict.fromkeys(line["aspect"] for line in shown):
        console.print(Text(f"\n{aspect}", style="bold"))
        for line in (line for line in shown if line["aspect"] == aspect):
            says = line["says"] or "nothing to change"
            console.print(Padding(Text.assemble(
                line["about"], ": ", (says, "" if line["says"] is None else "cyan"), "\n",
                (f"  {line['measured']}; {line['rule']}; {line['sure']}", "dim"),
            ), (0, 0, 0, 2)))  # fmt: skip
    hidden = len(verdicts["evidence"]) - len(shown)
    if hidden:
        console.print(Text(f"\n{hidden} more looked at, nothing to change: mtl advise --all", style="dim"))
