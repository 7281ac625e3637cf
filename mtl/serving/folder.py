"""The folder of a deployment, whole or not at all: a folder for each member, deployment.json, and the model card."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mtl.files import replace_text, whole_folder
from mtl.results.deployment import CARD, DEPLOYMENT, MEMBERS, Deployment
from mtl.results.model import MODEL, WEIGHTS
from mtl.serving.card import card
from mtl.serving.copies import Kept, write_hashes


def write_deployment(
    folder: Path,
    deployment: Deployment,
    members: Mapping[str, Path],
    kept: Mapping[str, list[Kept]] = MappingProxyType({}),
) -> None:
    """Writes the folder.

    Args:
        folder: to be made; one that is there is replaced.
        deployment: its content.
        members: name of a member → folder of the finished run.
        kept: source → hashes of what was trained on; none are written where there are none.

    Raises:
        UserError: it cannot be written; what was there stays.
    """
    with whole_folder(folder) as fresh:
        for name, run in members.items():
            place = fresh / MEMBERS / name
            place.mkdir(parents=True)
            for file in (MODEL, WEIGHTS):
                shutil.copyfile(run / file, place / file)
        write_hashes(fresh, kept)
        deployment.write(fresh / DEPLOYMENT)
        replace_text(fresh / CARD, card(deployment))
