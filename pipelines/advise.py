"""`mtl advise`: recommendations from the results, each with its measured values, its rule, and how sure it is."""

from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from mtl.paths import VERDICTS
from mtl.results.verdicts import Verdicts


def advise(root: Path, everything: bool) -> None:
    """Prints the lines that recommend something, or all.

    Raises:
        UserError: nothing has been evaluated yet, or the file cannot be used.
    """
    verdicts = Verdicts.read(root / VERDICTS)
    console = Console(highlight=False)
    console.print(Text(verdicts.advice))
    shown = [line for line in verdicts.evidence if everything or line.says is not None]
    for aspect in dict.fromkeys(line.aspect for line in shown):
        console.print(Text(f"\n{aspect}", style="bold"))
        for line in (line for line in shown if line.aspect == aspect):
            says = line.says or "nothing to change"
            console.print(Padding(Text.assemble(
                line.about, ": ", (says, "" if line.says is None else "cyan"), "\n",
                (f"  {line.measured}; {line.rule}; {line.sure}", "dim"),
            ), (0, 0, 0, 2)))  # fmt: skip
    hidden = len(verdicts.evidence) - len(shown)
    if hidden:
        console.print(Text(f"\n{hidden} more looked at, nothing to change: mtl advise --all", style="dim"))
