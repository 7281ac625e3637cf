"""Snapshot of what is to be mirrored: settings, hashes and data may have changed when its turn comes."""

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl.config import Config, parse_config
from mtl.tracking.address import resolve_uri
from mtl.tracking.identity import digest, identity
from mtl.tracking.records import DataUsed, content_of, data_used, shown_paths
from mtl.tracking.study_records import study_identity


@dataclass(frozen=True)
class Job:
    """Some runs of one configuration, data and code, or all of them."""

    root: Path
    """Folder with the results, absolute."""
    uri: str
    config: Config
    identity: dict[str, str]
    """Hashes of `config`, `data` and `code`."""
    data: dict[str, DataUsed]
    """The prepared sources."""
    execution: str
    """Name of the DVC experiment, or `workspace`."""
    contents: dict[str, str] | None
    """Folder → content of each run that a stage has just computed; None means every run, summaries and the report."""
    study: str | None = None
    """Name of the study that is mirrored, whole, instead of the pipeline's runs."""

    @property
    def key(self) -> str:
        """Key of the parent run."""
        return digest(self.identity)

    def dump(self) -> dict[str, Any]:
        """Serialises the job as JSON."""
        return {
            "root": str(self.root), "uri": self.uri, "identity": self.identity, "execution": self.execution,
            "config": self.config.model_dump(mode="json", by_alias=True), "contents": self.contents,
            "study": self.study,
            "data": {name: asdict(used) for name, used in self.data.items()},
        }  # fmt: skip


def load(plain: dict[str, Any]) -> Job:
    """The inverse of `Job.dump`."""
    data = {name: DataUsed(**used) for name, used in plain["data"].items()}
    return Job(
        Path(plain["root"]), plain["uri"], parse_config(plain["config"]), plain["identity"], data,
        plain["execution"], plain["contents"], plain["study"],
    )  # fmt: skip


def make(config: Config, root: Path, folders: Collection[Path] | None = None) -> Job:
    """Takes a snapshot of what stands in `root` now.

    Args:
        config: the whole configuration.
        root: folder of the project.
        folders: folders of the runs to mirror, relative to `root`; None is everything.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
    """
    here = root.resolve()
    contents = None
    if folders is not None:
        known = [path.folder for path in shown_paths(config, here) if path.folder in folders]
        contents = {str(folder): content for folder in known if (content := content_of(here / folder)) is not None}
    data = {used.name: used for used in data_used(list(config.prepare.sources), here)}
    execution = os.environ.get("DVC_EXP_NAME") or "workspace"
    return Job(here, resolve_uri(config, root), config, identity(config, here), data, execution, contents)


def make_study(config: Config, root: Path, name: str) -> Job:
    """Job for a study, as studies/NAME/study.json has it when its turn comes.

    Args:
        config: the whole configuration, for the address.
        root: folder of the project.
        name: the study's name.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
    """
    here = root.resolve()
    data = {used.name: used for used in data_used(list(config.prepare.sources), here)}
    return Job(here, resolve_uri(config, root), config, study_identity(name, here), data, "workspace", None, name)


def write_whole(path: Path, value: object) -> None:
    """Writes JSON whole or not at all, readable by this user only, since addresses may hold a password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    temporary.replace(path)
