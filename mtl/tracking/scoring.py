"""The application of MLflow's scoring server, around a model of this process."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from mtl.tracking.flavour import quiet


class _Called:
    """A model as MLflow calls it."""

    def __init__(self, answer: Callable[[Any], pd.DataFrame]) -> None:
        self.answer = answer

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The answers to samples."""
        return self.answer(model_input)


def scoring_app(answer: Callable[[Any], pd.DataFrame]) -> Any:
    """MLflow's application (FastAPI), with its addresses /ping, /health, /version and /invocations.

    Args:
        answer: samples → answers.
    """
    with quiet():
        from mlflow.models import Model
        from mlflow.pyfunc import PyFuncModel, scoring_server

        return scoring_server.init(PyFuncModel(Model(), _Called(answer)))
