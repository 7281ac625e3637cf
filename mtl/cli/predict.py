"""`mtl predict`: a file of new data → a file of predictions, by a deployed model or a run."""

import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from mtl.config import PARAMS, load_config
from mtl.errors import UserError
from mtl.results.deployment import DEPLOYMENT, Origin
from mtl.serving.deployed import DeployedModel
from mtl.serving.drift import told
from mtl.serving.load import load_model
from mtl.serving.model import LoadedModel, Model
from mtl.serving.predict import Request, origins_of, predict_file

DEPLOYED = Path("models")


def predict(request: Request, folder: Path | None, threads: int = 1, root: Path = Path()) -> None:
    """Writes the predictions, and says how many and what to know of them.

    Args:
        request: what is predicted, and where it is written.
        folder: of the model; None: the only one below models/.
        threads: of a pass; with one, as in evaluation, predictions are those of the run to the last digit.
        root: folder of the project.

    Raises:
        UserError: there is no model, or the data do not fit it.
    """
    signal.signal(signal.SIGTERM, _end)
    torch.set_num_threads(threads)
    model = load_model(only_model(root) if folder is None else folder)
    progress = Progress()
    done = predict_file(model, request, origins_of(model) or of_params(model, root), progress)
    progress.end()
    tell_untested(model)
    for note in done.notes:
        print(f"note: {note}.", file=sys.stderr)
    for line in [] if done.drift is None else told(done.drift):
        print(line, file=sys.stderr)
    print(f"{request.out}: {', '.join(done.tasks)} of {done.samples:,} {'sample' if done.samples == 1 else 'samples'}")


def tell_untested(model: Model) -> None:
    """Says so where no part of the data is left to test a model."""
    if isinstance(model, DeployedModel) and model.deployment.untested is not None:
        print(f"note: {model.deployment.untested}.", file=sys.stderr)


def only_model(root: Path) -> Path:
    """The only deployed model of a project.

    Raises:
        UserError: there is none, or there are several.
    """
    there = sorted(file.parent for file in (root / DEPLOYED).glob(f"*/{DEPLOYMENT}"))
    if len(there) == 1:
        return there[0]
    if there:
        raise UserError(f"--model should name one of {', '.join(folder.as_posix() for folder in there)}.")
    raise UserError(
        "there is no model below models/: `mtl deploy` makes one of the results, or let --model name the folder of a "
        "run, such as outputs/finetune/NAME/seed-0."
    )


def of_params(model: Model, root: Path) -> dict[str, Origin]:
    """How params.yaml reads the sources of a run, which does not say so itself; empty where there is no such file."""
    if not isinstance(model, LoadedModel) or not (root / PARAMS).exists():
        return {}
    sources = load_config(root / PARAMS).prepare.sources
    kinds = {spec.source: spec.input.name for spec in model.tasks.values()}
    return {
        name: Origin(kind=kind, section=sources[name].model_dump(mode="json", exclude_unset=True))
        for name, kind in kinds.items()
        if name in sources
    }


class Progress:
    """A line on a terminal's stderr that counts."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self.last = 0

    def __call__(self, samples: int) -> None:
        self.last = samples
        if self.shown:
            print(f"\r{samples:,} predicted", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves the line."""
        if self.shown and self.last:
            print(file=sys.stderr)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends in order, so that no temporary file is left."""
    raise SystemExit(128 + number)
