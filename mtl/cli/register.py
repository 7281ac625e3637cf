"""`mtl register`: a deployed model as a version in MLflow's registry."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from mtl.cli.predict import DEPLOYED, only_model
from mtl.config import PARAMS, load_config
from mtl.errors import UserError
from mtl.results.deployment import CARD, DEPLOYMENT
from mtl.serving.deployed import DeployedModel
from mtl.serving.doubts import doubts, verdict_tags
from mtl.serving.export.mlflow_folder import flavour_of
from mtl.serving.load import load_model
from mtl.serving.service import Service

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}")


@dataclass(frozen=True)
class Wish:
    """A registration as it is asked for.

    Args:
        name: of the registered model.
        alias: that points to the version from then on.
        model: folder; None: models/NAME where it is there, else the only one below models/.
        tasks: which are answered; None: all.
        anyway: register what the verdicts speak against as well.
    """

    name: str
    alias: str | None = None
    model: Path | None = None
    tasks: list[str] | None = None
    anyway: bool = False


def register(wish: Wish, root: Path = Path()) -> int:
    """Registers the model, and says under which version; returns the exit code.

    Raises:
        UserError: there is no such deployed model, MLflow could not take the name, or a verdict speaks against it.
    """
    for option, text in (("NAME", wish.name), ("--alias", wish.alias)):
        if text is not None and NAME.fullmatch(text) is None:
            raise UserError(f"{option} should be letters, digits, `_`, `-`, `.` and blanks, found {text!r}.")
    config = load_config(root / PARAMS)
    folder = wish.model or _folder(wish.name, root)
    model = load_model(folder)
    if not isinstance(model, DeployedModel):
        raise UserError(f"--model should be a deployed model, found the run {folder}: `mtl deploy` deploys runs.")
    against = doubts(model.deployment)
    if against and not wish.anyway:
        raise UserError(
            f"the verdicts speak against {folder}: {'; '.join(against)}. `mtl deploy` (--method auto) takes what they "
            "recommend; `--anyway` registers this one, with the verdicts in its tags."
        )
    torch.set_num_threads(1)
    from mtl.tracking import TrackerError
    from mtl.tracking.registry import Entry, register

    tags = {"mtl.model": model.deployment.name, "mtl.data": model.deployment.data, **verdict_tags(model.deployment)}
    if model.deployment.untested is not None:
        tags["mtl.test"] = model.deployment.untested
        print(f"note: {model.deployment.untested}.", file=sys.stderr)
    if against:
        tags["mtl.against"] = "; ".join(against)
    entry = Entry(wish.name, wish.alias, (folder / CARD).read_text(encoding="utf-8"), tags)
    try:
        with flavour_of(Service(model, wish.tasks), folder) as flavour:
            version = register(config, flavour, entry, root)
    except TrackerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    called = f"@{wish.alias}" if wish.alias else f"/{version}"
    print(f"{wish.name}, version {version}: {', '.join(model.deployment.order)}")
    print(f'Next    mtl ui (Models) · mlflow.pyfunc.load_model("models:/{wish.name}{called}")')
    return 0


def _folder(name: str, root: Path) -> Path:
    own = root / DEPLOYED / name
    return own if (own / DEPLOYMENT).is_file() else only_model(root)
