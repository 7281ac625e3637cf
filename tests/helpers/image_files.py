"""Tiny files of images with known contents: idx for MNIST, tar.gz for CIFAR."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MNIST_TRAIN, MNIST_TEST = 30, 20
SIZE = (3, 4)
"""Pixels of a small idx image; not square, so that rows and columns cannot be mistaken for each other."""
FINE, COARSE = [f"fine_{n}" for n in range(100)], [f"coarse_{n}" for n in range(20)]
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def counting_pixels(first: int, count: int, channels: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 [count, channels, Y, X] whose values tell number, channel, row and column of a pixel apart."""
    n, c, y, x = np.ogrid[first : first + count, :channels, : size[0], : size[1]]
    pixels: np.ndarray = (n * 7 + c * 61 + y * 5 + x) % 256
    return pixels.astype(np.uint8)


def idx(values: np.ndarray) -> bytes:
    """uint8 values in idx form."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.astype(np.uint8).tobytes()


def mnist_parts() -> dict[str, bytes]:
    """File → idx bytes, not yet packed; image n has label n mod 10."""
    parts = {}
    for stem, first, count in (("train", 0, MNIST_TRAIN), ("t10k", MNIST_TRAIN, MNIST_TEST)):
        parts[f"{stem}-images-idx3-ubyte.gz"] = idx(counting_pixels(first, count, 1, SIZE)[:, 0])
        parts[f"{stem}-labels-idx1-ubyte.gz"] = idx(np.arange(first, first + count) % 10)
    return parts


def write_mnist(folder: Path, parts: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in parts.items():
        (folder / name).write_bytes(gzip.compress(data, mtime=0))


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of plain files."""
    return pack([(tarfile.TarInfo(name), data) for name, data in members.items()])


def pack(members: list[tuple[tarfile.TarInfo, bytes]], pax: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT) as out:
        for info, data in members:
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def records(first: int, count: int, labels: list[np.ndarray]) -> bytes:
    """CIFAR records of `count` images, their labels in front."""
    pixels = counting_pixels(first, count, 3, (32, 32)).reshape(count, -1)
    return np.concatenate([*(label.astype(np.uint8)[:, None] for label in labels), pixels], axis=1).tobytes()


def cifar10_members(batches: tuple[int, ...] = (1, 2)) -> dict[str, bytes]:
    """Twenty images a batch, ten in the test part; image n (of the batch) has label n mod 10."""
    found = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for position, number in enumerate(batches):
        found[f"data_batch_{number}.bin"] = records(position * 20, 20, [np.arange(20) % 10])
    found["test_batch.bin"] = records(len(batches) * 20, 10, [np.arange(10)])
    return {f"cifar-10-batches-bin/{name}": data for name, data in found.items()}


def cifar100_members() -> dict[str, bytes]:
    """Two training images and one test image of each class; class n belongs to superclass n // 5."""
    fine = np.arange(200) % 100
    found = {
        "coarse_label_names.txt": "\n".join(COARSE).encode(),
        "fine_label_names.txt": "\n".join(FINE).encode(),
        "train.bin": records(0, 200, [fine // 5, fine]),
        "test.bin": records(200, 100, [fine[:100] // 5, fine[:100]]),
    }
    return {f"cifar-100-binary/{name}": data for name, data in found.items()}
