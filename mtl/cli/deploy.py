"""`mtl deploy`: a deployment of what the verdicts recommend, shown, and given to DVC."""

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl.api.deployment.deploy import DEPLOYED, Wish
from mtl.api.deployment.deploy import deploy as made
from mtl.cli.repro import allow_without_git, run_dvc
from mtl.config.metrics import METRICS
from mtl.results.deployment import Deployment


def deploy(wish: Wish, root: Path = Path()) -> Path:
    """Writes models/NAME, says what it holds, and gives it to DVC where the project has one.

    Raises:
        UserError: nothing was evaluated yet, a run is missing, or there is no such method, seed or task.
    """
    folder, deployment = made(wish, root)
    say(deployment)
    track(folder, root)
    return root / folder


def say(deployment: Deployment) -> None:
    """Shows what answers each task, how well, and what to do next."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("task", "model", "test", "why"):
        table.add_column(column, overflow="fold")
    for name, served in deployment.tasks.items():
        value = None if served.test is None else served.test.get(served.metric)
        test = "–" if value is None else f"{METRICS[served.metric].title} {value:.4g}"
        table.add_row(name, served.label, test, served.why)
    console = Console(highlight=False)
    console.print(table)
    if deployment.untested is not None:
        console.print(f"\n{deployment.untested}.")
    folder = DEPLOYED / deployment.name
    console.print(f"\nModel   {folder} (card: {folder / 'README.md'})")
    console.print(f"Next    mtl predict FILE --model {folder} -o predictions.parquet")


def track(folder: Path, root: Path) -> None:
    """Gives the folder to DVC: git keeps one line of it, and `dvc push` shares it. Nothing where there is no DVC."""
    if not (root / ".dvc").is_dir():
        return
    allow_without_git(root)
    place = folder.as_posix()
    with tempfile.TemporaryFile() as output:
        code = run_dvc(["add", "--quiet", place], root, output=output)
    if code == 0:
        print(f"DVC     {place}.dvc is to be committed; `dvc push` shares the model")
    else:
        print(f"DVC     could not take the model in: `dvc add {place}` says why", file=sys.stderr)
