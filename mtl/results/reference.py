"""outputs/reference.json: what joint runs take from single-task runs."""

from typing import TypeVar

from mtl.errors import UserError
from mtl.paths import REFERENCE
from mtl.results.content import ResultFile

Value = TypeVar("Value", float, str)
ByRun = dict[str, dict[str, dict[str, Value]]]
"""Task → label of the start → seed → value."""


class Reference(ResultFile):
    """Validation errors and weights of the single-task runs."""

    mse: ByRun[float]
    """Validation MSE of the tasks of the regression family, z-scored."""
    weights: ByRun[str]
    """sha256 of the weights of every task's network."""

    def error(self, task: str, start: str, seed: int) -> float:
        """Validation MSE of one single-task run.

        Raises:
            UserError: the run is not among them.
        """
        value = self.mse.get(task, {}).get(start, {}).get(str(seed))
        if value is None:
            raise UserError(
                f"{REFERENCE} holds no validation MSE of {task} from the start {start} with seed {seed}; "
                "run `mtl repro reference --force`."
            )
        return value
