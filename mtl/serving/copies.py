"""New samples that equal one which a model was trained or validated on: a score on them tells of memory.

Kept are hashes of samples as networks see them (`mtl.data.inputs.prints`), with a key of the prepared data: nobody
reads a value from them, or tells whether two deployments of other data share a sample. Whoever has a sample and the
folder of the model can ask whether it was trained on, as `mtl score` does; without the file of the hashes nobody can.
Of many samples those with the smallest hashes are kept, an even choice (Bar-Yossef et al. 2002, RANDOM, 1–10), and new
ones are looked up where their hash would be among them.

n samples, m hashes.
"""

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt64
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mtl.data.inputs.base import Layout, Samples
from mtl.data.inputs.every import given
from mtl.data.inputs.prints import KEY_BYTES, prints
from mtl.errors import UserError
from mtl.results.deployment import DEPLOYMENT, Deployment
from mtl.results.trained import TrainedSamples
from mtl.serving.deployed import DeployedModel
from mtl.serving.model import Model
from mtl.tasks.base import TaskSpec

TRAINED = "trained.safetensors"
MOST = 1 << 20
"""Hashes that are kept of one form of samples: 8 MiB."""


def key_of(data: str) -> bytes:
    """The key of the hashes of prepared data, by the hash of these."""
    return data.encode()[:KEY_BYTES]


@dataclass(frozen=True)
class Kept:
    """Samples of one form, as a deployment keeps them.

    Args:
        task: one that reads them.
        member: by whose scales they were hashed.
        hashes: of those that were trained or validated on, ascending; the smallest, where there are many.
        samples: different ones, of which these are.
        tested: samples of the test part that could be looked up.
        repeated: those of them that are among the others.
    """

    task: str
    member: str
    hashes: UInt64[np.ndarray, " m"]
    samples: int
    tested: int
    repeated: int

    @classmethod
    def of(cls, task: str, member: str, trained: Iterable[Samples], tested: Iterable[Samples], key: bytes) -> "Kept":
        """Hashes the samples of the parts."""
        every = np.unique(np.concatenate([prints(samples, key) for samples in trained]))
        hashes = every[:MOST]
        asked = np.concatenate([np.empty(0, dtype=np.uint64), *(prints(samples, key) for samples in tested)])
        asked = asked[_could_be(asked, hashes, len(every))]
        return cls(task, member, hashes, len(every), len(asked), int(np.isin(asked, hashes).sum()))

    @property
    def facts(self) -> TrainedSamples:
        """Facts for deployment.json."""
        return TrainedSamples(
            task=self.task, member=self.member, samples=self.samples, kept=len(self.hashes), tested=self.tested,
            repeated=self.repeated, sha256=_digest(self.hashes),
        )  # fmt: skip


def write_hashes(folder: Path, kept: Mapping[str, list[Kept]]) -> None:
    """Writes the hashes of all sources into the folder of a deployment, where there are some."""
    arrays = {f"{source}/{place}": of.hashes for source, forms in kept.items() for place, of in enumerate(forms)}
    if arrays:
        save_file(arrays, folder / TRAINED)


def _could_be(
    asked: UInt64[np.ndarray, " n"], hashes: UInt64[np.ndarray, " m"], samples: int
) -> Bool[np.ndarray, " n"]:
    """Mask of the hashes that would be kept if they were trained on."""
    whole = len(hashes) == samples
    mask: np.ndarray = np.ones(len(asked), dtype=bool) if whole or not len(hashes) else asked <= hashes[-1]
    return mask


def _digest(hashes: UInt64[np.ndarray, " m"]) -> str:
    return hashlib.sha256(hashes.astype("<u8").tobytes()).hexdigest()


@dataclass
class Copies:
    """New samples that are looked up, piece after piece.

    Args:
        spec: a task that reads them; others of this form are looked up as well.
        facts: on what was trained on; None where it is not known, and nothing is looked up.
        hashes: of it.
        layout: of the samples.
        key: of the hashes.
        unknown: sentence on why it is not known; None where it is, or where nobody could know.
    """

    spec: TaskSpec
    facts: TrainedSamples | None = None
    hashes: UInt64[np.ndarray, " m"] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    layout: Layout | None = None
    key: bytes = b""
    unknown: str | None = None
    asked: int = 0
    copied: list[Int[np.ndarray, " _"]] = field(default_factory=list)

    @classmethod
    def of(cls, model: Model, spec: TaskSpec, folder: Path) -> "Copies":
        """The look-up of samples that a task reads.

        Args:
            model: finished.
            spec: the task.
            folder: that the model was loaded from.

        Raises:
            UserError: the file of the hashes is damaged, or not that of the deployment.
        """
        if not isinstance(model, DeployedModel):
            return cls(spec)
        facts = _facts(model.deployment, model.tasks, spec)
        if facts is None:
            return cls(spec, unknown="it was deployed before this was kept: deploy it again")
        if not (folder / TRAINED).exists():
            return cls(spec, unknown=f"{TRAINED}, which would tell, is not in its folder")
        place = model.deployment.sources[spec.source].samples.index(facts)
        hashes = _read(folder / TRAINED, f"{spec.source}/{place}", facts)
        return cls(
            spec, facts, hashes, model.members[facts.member].layout_of(facts.task), key_of(model.deployment.data)
        )

    def add(self, spec: TaskSpec, samples: object, numbers: Int[np.ndarray, " n"]) -> None:
        """Looks up a piece of new samples, original units, if they are of the form.

        Args:
            spec: a task that reads them.
            samples: as a model takes them.
            numbers: by which the file knows them.
        """
        if self.facts is None or self.layout is None or spec.samples != self.spec.samples:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # unknown categories are told of once, over all samples
            asked = prints(given(spec.input, samples, self.layout, 0), self.key)
        could = _could_be(asked, self.hashes, self.facts.samples)
        self.asked += int(could.sum())
        self.copied.append(numbers[could & np.isin(asked, self.hashes)])

    @property
    def numbers(self) -> Int[np.ndarray, " _"]:
        """Numbers of the samples that are copies."""
        return np.concatenate([np.empty(0, dtype=np.int64), *self.copied])


def _facts(deployment: Deployment, tasks: Mapping[str, TaskSpec], spec: TaskSpec) -> TrainedSamples | None:
    """Facts on the samples of the form that a task reads."""
    forms = deployment.sources[spec.source].samples if spec.source in deployment.sources else []
    return next((of for of in forms if of.task in tasks and tasks[of.task].samples == spec.samples), None)


def _read(file: Path, name: str, facts: TrainedSamples) -> UInt64[np.ndarray, " m"]:
    try:
        hashes: np.ndarray = load_file(file)[name]
    except (OSError, SafetensorError, KeyError):
        hashes = np.empty(0, dtype=np.uint64)
    if hashes.dtype != np.uint64 or hashes.ndim != 1 or _digest(hashes) != facts.sha256:
        raise UserError(
            f"{file} is damaged, or not the one that {DEPLOYMENT} names: copy the folder anew, make it again with "
            "`mtl deploy`, or delete the file, without which copies of training data are not noticed."
        )
    return hashes
