"""The code of an MLflow model: MLflow runs this file where the model is loaded, so that nothing is pickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from mtl.serving.load import load_model
from mtl.serving.service import Service
from mtl.tracking.flavour import MODEL_FOLDER, TASKS


class Deployed(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A deployed model of mtl."""

    def load_context(self, context: Any) -> None:
        """Loads the networks."""
        self.service = Service(load_model(Path(context.artifacts[MODEL_FOLDER])), context.model_config[TASKS])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The answers as a table; arrays are taken as well, but MLflow would make a signature of a type of both."""
        return self.service.predict(model_input)


mlflow.models.set_model(Deployed())
