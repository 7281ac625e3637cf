"""A bar for what takes longer than a moment: on a terminal or in a notebook, and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float], None]]:
    """A function that is told what is done now, and which share of all is done; the bar goes when the block ends.

    Args:
        title: in front of the bar.
    """
    console = Console(stderr=True)
    shown = console.is_terminal or console.is_jupyter
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
        bar = bars.add_task(title, total=1.0)

        def tell(now: str, share: float) -> None:
            bars.update(bar, completed=share, description=f"{title}  {now}")

        yield tell
