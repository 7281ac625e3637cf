"""A model that answers the tasks of a comparison, and predicts the rows of a frame as `mtl predict` does those of a
file.

n rows.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl.api.folders import OwnFolder
from mtl.api.given import file_of
from mtl.api.untouched import torch_as_it_was
from mtl.errors import UserError, shown
from mtl.files import whole_folder
from mtl.results.deployment import CARD, Deployment
from mtl.serving.deployed import DeployedModel
from mtl.serving.drift import Drift, told
from mtl.serving.predict import Request, origins_of, predictions


class FittedModel:
    """A deployed model.

    Attributes:
        folder: place of the deployment, as of `mtl deploy`; temporary, so that it goes with this: `save` keeps it.
        loaded: the networks, as `mtl.load_model` loads them.
        notes: sentences on the data of the last prediction, such as categories that training rows do not know.
        drift: inputs of the last prediction, compared with those of training; None before there is one.
    """

    def __init__(self, folder: Path, loaded: DeployedModel, owned: OwnFolder) -> None:
        self.folder = folder
        self.loaded = loaded
        self.notes: list[str] = []
        self.drift: Drift | None = None
        self._owned = owned

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that it answers."""
        return list(self.loaded.tasks)

    @property
    def why(self) -> pd.DataFrame:
        """A row for each task: the model that answers it, its test metric (None where it has none of its own), and
        why it was chosen."""
        rows = []
        for task, served in self.deployment.tasks.items():
            test = None if served.test is None else served.test.get(served.metric)
            rows.append({"task": task, "model": served.label, "metric": served.metric, "test": test, "why": served.why})
        return pd.DataFrame(rows)

    @property
    def deployment(self) -> Deployment:
        """Content of deployment.json."""
        return self.loaded.deployment

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")

    def predict(self, data: object, tasks: Sequence[str] | None = None) -> pd.DataFrame:
        """Predictions, a row a row of the data (of a series that is continued: a row a step ahead).

        A number has a column of its task's name, original units; a label its class, and the probability of each class
        in `task_p:class`.

        Args:
            data: [n] new rows in one of the forms of `mtl.compare`; columns that the model does not read, such as the
                targets, may be there or not.
            tasks: wanted ones; None: all.

        Returns:
            A frame; it has the index of a frame that was given, where it has a row for each of its rows.

        Raises:
            UserError: a column is missing, or a cell is none of what the column held in training.
        """
        names = [tasks] if isinstance(tasks, str) else tasks
        if names is not None and (not names or any(name not in self.tasks for name in names)):
            raise UserError(f"`tasks` should be names of tasks ({', '.join(self.tasks)}), found {shown(names)}.")
        with tempfile.TemporaryDirectory(prefix="mtl-") as folder, torch_as_it_was():
            import torch

            torch.set_num_threads(1)  # as in the evaluation, whose figures these are to the last digit
            request = Request(file_of(data, Path(folder)), None, None if names is None else list(names))
            made, done = predictions(self.loaded, request, origins_of(self.loaded))
        self.notes, self.drift = done.notes, done.drift
        if done.drift is not None and done.drift.drifted:
            self.notes.append("\n".join(told(done.drift)))
        if isinstance(data, pd.DataFrame) and len(made) == len(data):
            made.index = data.index
        return made

    def save(self, folder: str | Path) -> Path:
        """Copies the deployment to a folder, which `mtl.load_model` and `mtl predict --model` read; returns it.

        Raises:
            UserError: there is something in its place, or it cannot be written.
        """
        target = Path(folder)
        if target.exists():
            raise UserError(f"`folder` should not be there yet, found {target}: choose another name.")
        with whole_folder(target) as fresh:
            shutil.copytree(self.folder, fresh, dirs_exist_ok=True)
        return target

    def __repr__(self) -> str:
        told = ", ".join(f"{task} by {served.label}" for task, served in self.deployment.tasks.items())
        return f"<model of {told}>"
