"""Deployed models in MLflow's registry: a version with its verdicts as tags, its card as description, and an alias."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.tracking import TrackerError, open_database
from mtl.tracking.address import resolve_uri, without_password
from mtl.tracking.flavour import Flavour, arguments, quiet
from mtl.tracking.words import remedy

LONGEST_DESCRIPTION = 5000
LONGEST_TAG = 5000
"""Characters that MLflow's database takes."""
REST = "\n\n… (README.md of the model holds the rest)"
PLACE = "model"
"""Name of the model in its run."""


@dataclass(frozen=True)
class Entry:
    """A version that is to be registered.

    Args:
        name: of the registered model.
        alias: that points to the version from then on; None for none.
        description: Markdown.
        tags: name → text.
    """

    name: str
    alias: str | None
    description: str
    tags: Mapping[str, str]


def register(config: Config, flavour: Flavour, entry: Entry, root: Path = Path()) -> int:
    """Logs the model in a run of its own, and registers it; returns the number of its version.

    Raises:
        TrackerError: the tracker cannot be reached or used; no version is left.
        UserError: the address is of a kind that cannot be used, or MLflow does not take the name.
    """
    experiment = open_database(config, root)
    uri = resolve_uri(config, root)
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    from mtl.tracking.store import UNREACHABLE, reason

    client = MlflowClient(uri, uri)
    made: int | None = None
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.set_experiment(experiment_id=experiment)
        with quiet(), mlflow.start_run(run_name=f"register {entry.name}"):
            info = mlflow.pyfunc.log_model(name=PLACE, **arguments(flavour))
            if not _there(client, entry.name):
                client.create_registered_model(entry.name)
            version = client.create_model_version(
                entry.name, info.model_uri, info.run_id, model_id=info.model_id, description=_cut(entry.description)
            )
        made = int(version.version)
        for name, text in entry.tags.items():
            client.set_model_version_tag(entry.name, str(made), name, text[:LONGEST_TAG])
        if entry.alias is not None:  # last: whoever loads by alias gets a version that is whole
            client.set_registered_model_alias(entry.name, entry.alias, str(made))
        return made
    except UNREACHABLE as error:
        _forget(client, entry.name, made)
        if isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE":
            raise UserError(f"MLflow does not take the model {entry.name!r}: {reason(error)}") from None
        why = reason(error)
        raise TrackerError(f"MLflow at {without_password(uri)} cannot be used: {why}.{remedy(uri, why)}") from error


def _there(client: object, name: str) -> bool:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    assert isinstance(client, MlflowClient)
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _forget(client: object, name: str, version: int | None) -> None:
    """Takes back a version that did not become whole."""
    from contextlib import suppress

    from mlflow import MlflowClient

    from mtl.tracking.store import UNREACHABLE

    assert isinstance(client, MlflowClient)
    if version is not None:
        with suppress(*UNREACHABLE):
            client.delete_model_version(name, str(version))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - len(REST)] + REST
