"""`mtl score`: a finished model on new samples with their targets, beside its test figures and another model."""

import sys
from pathlib import Path

import torch
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from mtl.cli.predict import Progress, of_params, only_model, tell_untested
from mtl.config import PARAMS, load_config
from mtl.config.metrics import METRICS
from mtl.errors import UserError
from mtl.report.words import UNITS
from mtl.results.scores import Copied, Scores
from mtl.results.statistics import Ends
from mtl.serving.deployed import DeployedModel
from mtl.serving.drift import told
from mtl.serving.load import load_model
from mtl.serving.model import Model
from mtl.serving.predict import origins_of
from mtl.serving.score import Labelled, answers_of
from mtl.serving.scores import Scored, scores


def score(
    asked: Labelled, folder: Path | None, against: Path | None = None, out: Path | None = None, threads: int = 1,
    root: Path = Path(),
) -> Scores:  # fmt: skip
    """Prints the scores, and writes them where that is asked for.

    Args:
        asked: samples and tasks.
        folder: of the model; None: the only one below models/.
        against: folder of another model.
        out: file of the scores, .json.
        threads: of a pass; with one the figures are those of the evaluation to the last digit.
        root: folder of the project.

    Raises:
        UserError: there is no model, no target, or the data do not fit the model.
    """
    if out is not None and (out.suffix.lower() != ".json" or not out.absolute().parent.is_dir()):
        raise UserError(f"--out should be a file that ends in .json, in a folder that is there, found {out}.")
    torch.set_num_threads(threads)
    place = only_model(root) if folder is None else folder
    first = _scored(place, asked, root)
    other = None if against is None else _scored(against, asked, root)
    made = scores(str(asked.data), first, other)
    _say(made, [] if first.answers.drift is None else told(first.answers.drift))
    if out is not None:
        made.write(out)
    return made


def _scored(folder: Path, asked: Labelled, root: Path) -> Scored:
    model, progress = load_model(folder), Progress()
    tell_untested(model)
    answers = answers_of(
        model, asked, origins_of(model) or of_params(model, root), _sections(model, root), folder, progress
    )
    progress.end()
    return Scored(folder.as_posix(), model, answers)


def _sections(model: Model, root: Path) -> dict[str, JsonValue]:
    """Task → section of params.yaml: as the deployment keeps it, or of a run as the project has it."""
    if isinstance(model, DeployedModel):
        return {name: dict(s.section) for name, s in model.deployment.tasks.items() if s.section is not None}
    if not (root / PARAMS).exists():
        return {}
    tasks = load_config(root / PARAMS).tasks
    return {name: tasks[name].model_dump(mode="json", exclude_unset=True) for name in model.tasks if name in tasks}


def _say(made: Scores, drift: list[str]) -> None:
    for note in made.notes:
        print(f"note: {note}.", file=sys.stderr)
    for line in drift:
        print(line, file=sys.stderr)
    console = Console(highlight=False)
    console.print(_table(made))
    console.print(
        f"\nIntervals of {100 * made.confidence:g} % over {made.unit} of {made.data}, which count as independent of "
        "each other; the test figure of a model has an error of its own."
    )
    if made.copies is not None and made.copies.copies:
        console.print(f"\n{_of_copies(made, made.copies)}")
    if made.against is not None:
        console.print()
        console.print(_comparison(made))
        console.print(
            f"\nChange from {made.against} to {made.model} on the same samples, positive is better; paired intervals, "
            "widened for all tasks by Holm's method. Both models are taken as they are: other seeds may differ."
        )


def _of_copies(made: Scores, copies: Copied) -> str:
    """Sentences on samples that the model knows, and on the figures without them."""
    without = [
        f"{name} has {label(task.primary)} {task.fresh:.4g}"
        for name, task in made.tasks.items()
        if task.fresh is not None
    ]
    told = f"Without them {', '.join(without)}." if without else "Nothing is left to score without them."
    return f"{copies.sentence}: figures on them tell of memory. {told}"


def _table(made: Scores) -> Table:
    table = _empty("task", "model", "samples", "metric", "here", "test")
    for name, task in made.tasks.items():
        for place, (metric, value) in enumerate(task.metrics.items()):
            whose = (name, task.label, f"{task.samples:,}") if place == 0 else ("", "", "")
            here = f"{value.here:.4g}{_ends(value.ends)}"
            table.add_row(*whose, label(metric), here, "–" if value.test is None else f"{value.test:.4g}")
    return table


def label(metric: str) -> str:
    """Name of a metric with its unit, since a task has an MAE of z-scores and one in units of its target."""
    return f"{METRICS[metric].title} {UNITS[METRICS[metric].unit]}".strip()


def _comparison(made: Scores) -> Table:
    table = _empty("task", "metric", str(made.against), made.model, "change", "")
    for name, task in made.tasks.items():
        pair = task.against
        if pair is None:
            continue
        change = pair.reason if pair.change.mean is None else f"{pair.change.mean:+.1f} %{_ends(pair.adjusted, '+.1f')}"
        title = label(task.primary)
        table.add_row(name, title, f"{pair.other:.4g}", f"{pair.here:.4g}", str(change).replace("-", "−"), pair.word)
    return table


def _empty(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _ends(ends: Ends, form: str = ".4g") -> str:
    return "" if ends.low is None or ends.high is None else f" [{ends.low:{form}}, {ends.high:{form}}]"
