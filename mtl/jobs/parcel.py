"""What travels between a command and the workers of its cluster: jobs with the files that they read, and their results.

Jobs are pickled: they hold settings as objects of this code, and workers of other code are left out before they read
them. Whoever can write into the store or reach the scheduler can run code on the workers, with or without that.
"""

import hashlib
import json
import pickle
import platform
import tarfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from mtl.errors import UserError
from mtl.files import whole_folder
from mtl.jobs.local import Job
from mtl.jobs.store import Store, sha256
from mtl.paths import RunPath
from mtl.project.code import installed, room_digest
from mtl.results.timing import timing_file
from mtl.seeding import resolve_device

PACKAGES = ("numpy", "scipy", "scikit-learn", "torchjd", "transformers")
"""Packages whose version may change a result."""
TIMING = "timing.json"
Files = dict[str, str]
"""Path below the project's folder → sha256."""


def facts(device: str) -> dict[str, str]:
    """Facts of this machine that decide whether a run gives the same bytes, and whether it can be read.

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
    return ", ".join(f"{name} {here.get(name)} (should be {value})" for name, value in wanted.items()
                     if here.get(name) != value)  # fmt: skip


def pack(jobs: list[Job], store: Store, root: Path) -> str:
    """Puts jobs and all files that they read into a store.

    Args:
        jobs: the runs.
        store: that the workers reach too.
        root: folder of the project.

    Returns:
        Hash of the file of the store that holds the jobs.

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
    reads: dict[tuple[Path, ...], Files] = {}  # Equal ones are one object, which is pickled once.
    for job in jobs:
        reads.setdefault(job.reads, {name: digest for path in job.reads for name, digest in below[path].items()})
    with TemporaryDirectory() as folder:
        packed = Path(folder, "jobs")
        packed.write_bytes(pickle.dumps([(job, reads[job.reads]) for job in jobs]))
        digest = sha256(packed)
        store.put(packed, digest)
    return digest


def unpack(packed: Path) -> list[tuple[Job, Files]]:
    """The jobs of a file that `pack` wrote, each with the files that it reads."""
    jobs: list[tuple[Job, Files]] = pickle.loads(packed.read_bytes())
    return jobs


def _below(path: Path) -> Iterator[Path]:
    """Files of a folder, or a file itself; nothing where there is none."""
    if path.is_file():
        yield path
    for file in sorted(path.rglob("*")) if path.is_dir() else ():
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            yield file


def wrap(where: RunPath, target: Path, root: Path) -> None:
    """Writes the files of a finished run, and its time, into an archive.

    Args:
        where: the run.
        target: the archive.
        root: folder below which the run was made.
    """
    with tarfile.open(target, "w") as archive:
        for file in sorted((root / where.folder).iterdir()):
            archive.add(file, f"run/{file.name}")
        if (root / timing_file(where)).is_file():
            archive.add(root / timing_file(where), TIMING)


def unwrap(archive: Path, where: RunPath, root: Path) -> None:
    """Puts a run that came in an archive into its place, in one step.

    Args:
        archive: that `wrap` wrote, compared with its hash.
        where: the run.
        root: folder of the project.
    """
    with tarfile.open(archive) as content:
        members = {member.name: content.extractfile(member) or BytesIO() for member in content if member.isfile()}
        with whole_folder(root / where.folder) as folder:
            for name, stream in members.items():
                if name != TIMING:
                    (folder / Path(name).name).write_bytes(stream.read())
        if TIMING in members:
            target = root / timing_file(where)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(members[TIMING].read())
