"""A hash of what a file says, for files whose bytes depend on who packed them.

The same UCI HAR text packed by another zlib, or the same numbers printed with fewer zeros, are the same data: the
manifest may list their content hash beside the sha256 of the original file.
"""

import hashlib
from pathlib import Path

import numpy as np

from mtl.data.formats.ts_format import parse_ts
from mtl.data.sources.cifar import cifar_files
from mtl.data.sources.har import open_har, signal_files
from mtl.errors import DataError


def content_sha256(path: Path) -> str | None:
    """sha256 of what is read of a HAR zip, a CIFAR tar.gz or a .ts file; None for anything else.

    HAR: the bytes of every signal, label and person file, line ends as \\n. CIFAR: the bytes of every .bin and .txt
    file, sorted by name. .ts: for each case the class name or the target as little-endian float64, the shape and the
    values as little-endian float32.
    """
    digest = hashlib.sha256()
    try:
        if path.suffix == ".zip":
            files = open_har(path, path.name)
            for relative in signal_files():
                text = files.read(relative).replace(b"\r\n", b"\n")
                digest.update(f"{relative} {len(text)}\n".encode() + text)
        elif path.suffix == ".gz":
            for name, data in cifar_files(path, path.name).items():
                digest.update(f"{name} {len(data)}\n".encode())
                digest.update(data)
        elif path.suffix == ".ts":
            ts = parse_ts(path, path.name)
            targets = [np.array(target, np.dtype("<f8")).tobytes() for target in ts.targets]
            for case, ending in zip(ts.cases, targets or [label.encode() for label in ts.labels], strict=True):
                digest.update(ending + f" {case.shape}\n".encode() + case.astype(np.dtype("<f4")).tobytes())
        else:
            return None
    except DataError:
        return None
    return digest.hexdigest()
