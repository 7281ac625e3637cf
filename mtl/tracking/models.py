"""Models of methods in MLflow: the summary of a method holds its deployed model, ready to be compared and registered.

A model that was logged is recognised by a tag of its summary, which is set last: what was cut off is logged anew.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.tracking.address import resolve_uri, without_password
from mtl.tracking.flavour import Flavour, arguments, quiet
from mtl.tracking.job import make
from mtl.tracking.words import remedy

HELD = "mtl.models"
"""Tag of a summary: the content of which its models were made."""


@dataclass(frozen=True)
class ToLog:
    """A model that a summary is to hold.

    Args:
        name: of it in its run.
        flavour: what MLflow is told of it.
        tags: name → text.
    """

    name: str
    flavour: Flavour
    tags: Mapping[str, str]


Maker = Callable[[str, str], AbstractContextManager[Sequence[ToLog]]]
"""(method, start) → its models, whose files are there within the context; a UserError says why there is none."""


@dataclass
class Logged:
    """Outcome of logging the models of all summaries."""

    new: int = 0
    present: int = 0
    """Summaries whose models were there before."""
    size: int = 0
    """Bytes of the new ones."""
    without: dict[str, str] = field(default_factory=dict)
    """Name of a summary → the reason why it has no model."""
    problem: str | None = None
    """Sentence on why the rest is not there."""


def log_models(config: Config, make_models: Maker, root: Path = Path()) -> Logged:
    """Puts into every summary the models that it lacks, in this process and without a time limit.

    Args:
        config: the whole configuration.
        make_models: makes the models of a method.
        root: folder of the project, whose runs are in the store already.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
    """
    uri = resolve_uri(config, root)
    import mlflow
    from mlflow.models import Model

    from mtl.tracking.mirror import CONTENT, SUPERSEDED
    from mtl.tracking.store import UNREACHABLE, locked, open_store, reason

    done = Logged()
    try:
        with locked(uri, root, lambda: None):
            store = open_store(uri, config.tracking.experiment, lambda: None)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.set_experiment(experiment_id=store.experiment_id)
        parents = store.with_key(make(config, root).key)
        runs = [run for parent in parents for run in store.children(parent.info.run_id)]
        for run in runs:
            tags, run_id = run.data.tags, run.info.run_id
            if tags["stage"] != "summary" or SUPERSEDED in tags or run.info.status != "FINISHED":
                continue
            if tags.get(HELD) == tags[CONTENT]:
                done.present += 1
                continue
            outputs = store.client.get_run(run_id).outputs
            for left in [] if outputs is None else outputs.model_outputs:
                store.client.delete_logged_model(left.model_id)
            try:
                with make_models(tags["method"], tags["start"]) as models, quiet(), _no_bytecode():
                    for model in models:
                        given = arguments(model.flavour)
                        # The run has ended and stays so: it is named, not opened again.
                        Model.log(None, flavor=mlflow.pyfunc, run_id=run_id, name=model.name, tags=model.tags, **given)
                        done.size += sum(_size(folder) for folder in (model.flavour.package, model.flavour.folder))
                    done.new += len(models)
            except UserError as error:
                done.without[run.info.run_name.removeprefix("mean ")] = str(error)
                continue
            store.tag(run_id, {HELD: tags[CONTENT]})
    except UNREACHABLE as error:
        why = reason(error)
        done.problem = f"MLflow at {without_password(uri)} cannot be used: {why}.{remedy(uri, why)}"
    return done


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Keeps compiled code, which holds times, out of a model while MLflow tries it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
