"""Cargo between a command and the workers of its cluster: recipes with the files that they read, and finished runs.

Recipes travel as JSON, which a worker checks as params.yaml is checked, and runs as archives that are read member by
member: nothing that is read decides what is executed.
"""

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import torch
from pydantic import TypeAdapter

from mtl.config import Config, FinetuneConfig, Method, PrepareConfig
from mtl.errors import UserError
from mtl.experiment.recipe import Recipe
from mtl.files import whole_folder
from mtl.jobs.local import Job
from mtl.jobs.store import Store, sha256
from mtl.paths import RunPath
from mtl.project.code import installed, room_digest
from mtl.results.timing import timing_file
from mtl.seeding import resolve_device

PACKAGES = ("numpy", "scipy", "scikit-learn", "torchjd", "transformers")
"""Packages whose version may change a result."""
RUN, TIMING = "run/", "timing.json"
"""Names in the archive of a run: of the files of its folder, and of its time."""
Files = dict[str, str]
"""Path below the project's folder → sha256."""
Methods: TypeAdapter[Method] = TypeAdapter(Method)


class Sections(Config):
    """Configuration as a stage sees it: those sections alone that it declares."""

    prepare: PrepareConfig | None = None  # type: ignore[assignment]
    finetune: FinetuneConfig | None = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Cargo:
    """All runs of a command; JSON can hold it."""

    configs: list[dict[str, Any]]
    files: list[Files]
    runs: list[dict[str, Any]]
    """Each with the numbers of its config and of its files."""


def facts(device: str) -> dict[str, str]:
    """Facts of this machine that decide whether a run gives the same bytes.

    Args:
        device: `base.device`.

    Raises:
        ConfigError: this machine has no such device.
    """
    code = json.dumps([installed("").stages, room_digest("jobs")], sort_keys=True)
    known = {
        "code of mtl": hashlib.sha256(code.encode()).hexdigest()[:12],
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__,
        "device": resolve_device(device).type,
        "kind of processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }
    for package in PACKAGES:
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = "none"
    return known


def difference(wanted: dict[str, str], here: dict[str, str]) -> str:
    """Difference between the facts of two machines in words; empty where there is none."""
    differing = {name: value for name, value in wanted.items() if here.get(name) != value}
    return ", ".join(f"{name} {here.get(name)} (should be {value})" for name, value in differing.items())


def pack(jobs: Sequence[Job], store: Store, root: Path) -> str:
    """Puts runs and all files that they read into a store.

    Args:
        jobs: the runs, each of a recipe.
        store: that the workers reach too.
        root: folder of the project.

    Returns:
        Hash of the file of the store that says how the runs are made.

    Raises:
        StoreError: the store cannot be written.
        UserError: a file cannot be read.
    """
    below: dict[Path, Files] = {}
    for path in dict.fromkeys(path for job in jobs for path in job.reads):
        below[path] = {}
        for file in _below(root / path):
            name = file.relative_to(root).as_posix()
            try:
                digest = below[path][name] = sha256(file)
            except OSError as error:
                raise UserError(f"{name} cannot be read: {error.strerror or error}.") from None
            store.put(file, digest)
    with TemporaryDirectory() as folder:
        packed = Path(folder, "cargo.json")
        packed.write_text(json.dumps(asdict(_cargo(jobs, below))))  # in order: weights are drawn in that of the tasks
        digest = sha256(packed)
        store.put(packed, digest)
    return digest


def _below(path: Path) -> Iterator[Path]:
    """Files of a folder, or a file itself; nothing where there is none."""
    if path.is_file():
        yield path
    for file in sorted(path.rglob("*")) if path.is_dir() else ():
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _cargo(jobs: Sequence[Job], below: dict[Path, Files]) -> Cargo:
    configs: dict[int, Config] = {}
    reads = list(dict.fromkeys(job.reads for job in jobs))
    numbers = {paths: number for number, paths in enumerate(reads)}
    runs = []
    for job in jobs:
        (recipe,) = job.arguments
        assert isinstance(recipe, Recipe) and recipe.again is None
        configs.setdefault(id(recipe.config), recipe.config)
        runs.append({
            "where": asdict(recipe.where), "tasks": recipe.tasks, "config": list(configs).index(id(recipe.config)),
            "method": recipe.method.model_dump(mode="json", by_alias=True), "files": numbers[job.reads],
        })  # fmt: skip
    return Cargo(
        [config.model_dump(mode="json", by_alias=True, include=set(config.__dict__)) for config in configs.values()],
        [{name: digest for path in paths for name, digest in below[path].items()} for paths in reads],
        runs,
    )


class Unpacked:
    """The runs of a file that `pack` wrote."""

    def __init__(self, packed: Path) -> None:
        self.cargo = Cargo(**json.loads(packed.read_bytes()))
        self._configs: dict[int, Config] = {}

    def run(self, number: int) -> tuple[Recipe, Files]:
        """A run, and the files that it reads; runs of the same settings share them as one object."""
        run = self.cargo.runs[number]
        if run["config"] not in self._configs:
            content = self.cargo.configs[run["config"]]
            config = Sections.model_validate(content)
            for name in Config.model_fields:
                if name not in content:  # As `narrowed` has it: reading it is an error, no default.
                    config.__dict__.pop(name)
            self._configs[run["config"]] = config
        method = Methods.validate_python(run["method"])
        where = RunPath(**run["where"])
        return Recipe(where, self._configs[run["config"]], run["tasks"], method), self.cargo.files[run["files"]]


def wrap(where: RunPath, target: Path, root: Path) -> None:
    """Writes the files of a finished run, and its time, into an archive.

    Args:
        where: the run.
        target: the archive.
        root: folder below which the run was made.
    """
    with ZipFile(target, "w") as archive:
        for file in sorted((root / where.folder).iterdir()):
            archive.write(file, RUN + file.name)
        if (root / timing_file(where)).is_file():
            archive.write(root / timing_file(where), TIMING)


def unwrap(archive: Path, where: RunPath, root: Path) -> None:
    """Puts a run that came in an archive into its place, in one step.

    Args:
        archive: that `wrap` wrote, compared with its hash.
        where: the run.
        root: folder of the project.
    """
    with ZipFile(archive) as content:
        with whole_folder(root / where.folder) as folder:
            for name in content.namelist():
                if name.startswith(RUN):
                    with content.open(name) as stream, (folder / Path(name).name).open("wb") as file:
                        shutil.copyfileobj(stream, file)
        if TIMING in content.namelist():
            target = root / timing_file(where)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read(TIMING))
