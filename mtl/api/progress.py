"""A bar for what takes longer than a moment: on a terminal or in a notebook, and nowhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from mtl.api.seat import in_notebook

Tell = Callable[[str, float], None]
"""Told what is done now, and which share of all is done."""
PAUSE = 0.2
"""Seconds between two states of a bar in a notebook, whose server would have to pass on each."""


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A function that is told what is done now, and which share of all is done; the bar goes when the block ends.

    Args:
        title: in front of the bar.
    """
    with _in_a_cell(title) if in_notebook() else _on_a_terminal(title) as tell:
        yield tell


@contextmanager
def _on_a_terminal(title: str) -> Iterator[Tell]:
    """A bar of text on stderr where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task(title, total=1.0)

        def tell(now: str, share: float) -> None:
            bars.update(bar, completed=share, description=f"{title}  {now}")

        yield tell


@contextmanager
def _in_a_cell(title: str) -> Iterator[Tell]:
    """A bar of HTML in the output of a cell, which needs no widgets."""
    from IPython.display import HTML, display  # here: a notebook alone has it

    shown = display(HTML(_bar(title, "", 0.0)), display_id=True)
    last = time.monotonic()

    def tell(now: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            shown.update(HTML(_bar(title, now, share)))

    try:
        yield tell
    finally:
        shown.update(HTML(""))


def _bar(title: str, now: str, share: float) -> str:
    return f'{escape(title)} <progress value="{share:.3f}" max="1"></progress> {share:.0%} {escape(now)}'
