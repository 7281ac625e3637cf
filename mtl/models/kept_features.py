"""Vectors of samples by a network that nothing trains: computed once for all runs of a project, then read by pages.

What such a network gives depends on its files and on the sample alone, so that it is no result and needs no stage: each
sample is computed by itself, the same to the last bit in whatever batch and process, and files only spare the time.
They stand below .mtl/features, may be deleted at any time, and hold hashes of samples, no words and no pixels. Without
`keeping`, as where a model is served, nothing is kept.

A sample S is the N codes of a text or an image, R its vectors of width D: one, and of texts one for each word that may
have a tag; or, where the blocks above are trained, one for each token.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mtl.files import whole_folder

FOLDER = Path(".mtl/features")
KEYS, VECTORS, COUNTS = "keys.npy", "vectors.npy", "counts.npy"
"""The third where samples have several vectors."""
KEY_BYTES = 16
PIECE = 4096
"""Vectors that are written together; what is computed since the last piece is written at the end of a run."""


class Store:
    """Vectors of the samples that one network has read, of all processes.

    Args:
        folder: of its files, a folder for each piece.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[bytes, Float[np.ndarray, "R D"]] = {}
        self._read: set[str] = set()
        self._fresh: dict[bytes, Float[np.ndarray, "R D"]] = {}
        self._look_again()

    def vectors(
        self,
        samples: Sequence[Tensor],
        compute: Callable[[Shaped[Tensor, "1 *S"]], Float[Tensor, "R D"]],
    ) -> list[Float[Tensor, "R D"]]:
        """The vectors of each sample, computed where they are not known.

        Args:
            samples: each by itself, a text without padding.
            compute: the vectors of one.
        """
        keys = [_key(sample) for sample in samples]
        if any(key not in self.known for key in keys):
            self._look_again()
        for place, key in enumerate(keys):
            if key not in self.known:
                self.known[key] = self._fresh[key] = compute(samples[place]).cpu().numpy()
        if sum(len(vectors) for vectors in self._fresh.values()) >= PIECE:
            self.write()
        together = torch.from_numpy(np.concatenate([self.known[key] for key in keys])).to(samples[0].device)
        return list(torch.split(together, [len(self.known[key]) for key in keys]))

    def write(self) -> None:
        """Writes what was computed since the last time."""
        if not self._fresh:
            return
        name = secrets.token_hex(8)  # which tells nothing, and which no other process takes
        with whole_folder(self.folder / name) as folder:
            np.save(folder / KEYS, np.frombuffer(b"".join(self._fresh), dtype=np.uint8).reshape(-1, KEY_BYTES))
            np.save(folder / VECTORS, np.concatenate(list(self._fresh.values())))
            counts = np.array([len(vectors) for vectors in self._fresh.values()])
            if (counts != 1).any():
                np.save(folder / COUNTS, counts)
        self._read.add(name)
        self._fresh = {}

    def _look_again(self) -> None:
        """Reads the pieces that other processes have written since."""
        for piece in sorted(self.folder.glob("[0-9a-f]*")):
            if piece.name in self._read:
                continue
            try:
                keys = np.load(piece / KEYS, allow_pickle=False)
                vectors = np.load(piece / VECTORS, mmap_mode="r", allow_pickle=False)
                several = (piece / COUNTS).exists()
                counts = np.load(piece / COUNTS, allow_pickle=False) if several else np.ones(len(keys), dtype=int)
            except (OSError, ValueError):  # deleted, or damaged: computed again
                continue
            self._read.add(piece.name)
            ends = np.cumsum(counts).tolist()
            if len(ends) != len(keys) or ends[-1] != len(vectors):  # of a piece that was damaged
                continue
            parts = (vectors[begin:end] for begin, end in zip([0, *ends], ends, strict=False))
            self.known |= {key.tobytes(): part for key, part in zip(keys, parts, strict=True)}


def _key(sample: Shaped[Tensor, "1 *S"]) -> bytes:
    return hashlib.blake2b(sample.cpu().contiguous().numpy().tobytes(), digest_size=KEY_BYTES).digest()


_KEPT: ContextVar[tuple[Path, dict[str, Store]] | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(root: Path | None) -> Iterator[None]:
    """Context in which vectors of samples are kept below a project's folder; None: in which none are."""
    if root is None:
        yield
        return
    stores: dict[str, Store] = {}
    token = _KEPT.set((root / FOLDER, stores))
    try:
        yield
    finally:
        _KEPT.reset(token)
        for store in stores.values():
            store.write()


@torch.no_grad()
def vectors_of(
    samples: Sequence[Tensor],
    compute: Callable[[Shaped[Tensor, "1 *S"]], Float[Tensor, "R D"]],
    name: str,
) -> list[Float[Tensor, "R D"]]:
    """Vectors of samples by a network that nothing trains, each sample computed by itself.

    Args:
        samples: each by itself, a text without padding.
        compute: the vectors of one.
        name: of the network and of what is asked of it, as a folder may be called.
    """
    # In 32 bits whatever a run multiplies in: its vectors are those of every other run, and what it trains lies above.
    with torch.autocast(samples[0].device.type, enabled=False):
        kept = _KEPT.get()
        if kept is not None:
            folder, stores = kept
            if name not in stores:
                stores[name] = Store(folder / name)
            return stores[name].vectors(samples, compute)
        return [compute(sample) for sample in samples]
