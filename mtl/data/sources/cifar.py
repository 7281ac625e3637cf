"""`kind: cifar10` and `kind: cifar100`: the binary versions (Krizhevsky 2009), read inside their .tar.gz.

A record is one byte a label and 3 × 32 × 32 bytes of pixels, red, green and blue; CIFAR-10 has one label, CIFAR-100
the superclass and then the class. The archives of Python pickles are not read: loading a pickle runs code from it.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from mtl.config.image_sets import CLASSES, COARSE
from mtl.config.images import Cifar10Source, Cifar100Source
from mtl.data.formats.archives import read_tar_gz
from mtl.data.sources.images import Images, image_set
from mtl.errors import DataError, shown
from mtl.types import ImageSet

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
BATCH = re.compile(r"data_batch_([1-9][0-9]{0,3})\.bin")
BATCHES = 5
"""Number of training files of the whole CIFAR-10."""


def cifar_files(path: Path, where: str) -> dict[str, memoryview]:
    """Name without its folder → contents, of the .bin and .txt files of an archive, sorted by name.

    Raises:
        DataError: no archive that can be read, or two such files of one name.
    """
    files: dict[str, memoryview] = {}
    for member, data in read_tar_gz(path, where).items():
        name = PurePosixPath(member).name
        if name.endswith((".bin", ".txt")):
            if name in files:
                raise DataError(f"{where} should hold one {name}, found it in two folders.")
            files[name] = data
    return dict(sorted(files.items()))


def read_cifar10(config: Cifar10Source, name: str, root: Path) -> ImageSet:
    """Training images of every batch in the order of their numbers, then the test images.

    Raises:
        DataError: the archive or a file in it is missing or cannot be used.
    """
    files = cifar_files(root / config.path, config.path)
    batches = sorted((match.group() for match in map(BATCH.fullmatch, files) if match), key=lambda n: (len(n), n))
    if not batches:
        raise DataError(f"{config.path}: should hold data_batch_1.bin and more, found {', '.join(files) or 'nothing'}.")
    classes = {CLASSES: _class_names(files, "batches.meta.txt", 10, config.path)}
    train = _images(files, batches, classes, config.path)
    test = _images(files, ["test_batch.bin"], classes, config.path)
    notes = []
    if len(batches) != BATCHES:
        notes = [f"{len(batches)} of the {BATCHES} training batches are there: {len(train.pixels):,} training images."]
    return image_set(config, name, config.path, train, test, classes, notes)


def read_cifar100(config: Cifar100Source, name: str, root: Path) -> ImageSet:
    """Training images, then test images, in the order of the files.

    Raises:
        DataError: the archive or a file in it is missing or cannot be used.
    """
    files = cifar_files(root / config.path, config.path)
    # In the order of a record's labels.
    classes = {
        COARSE: _class_names(files, "coarse_label_names.txt", 20, config.path),
        CLASSES: _class_names(files, "fine_label_names.txt", 100, config.path),
    }
    train, test = (_images(files, [f"{split}.bin"], classes, config.path) for split in ("train", "test"))
    return image_set(config, name, config.path, train, test, classes, [])


def _get(files: Mapping[str, memoryview], name: str, where: str) -> memoryview:
    if name not in files:
        raise DataError(f"{where}: {name} is missing; found {', '.join(files) or 'nothing'}.")
    return files[name]


def _class_names(files: Mapping[str, memoryview], name: str, count: int, where: str) -> list[str]:
    """The lines of a file that are not blank."""
    text = bytes(_get(files, name, where)).decode("utf-8", errors="replace")
    class_names = [line.strip() for line in text.split("\n") if line.strip()]
    usable = [line for line in dict.fromkeys(class_names) if line.isprintable() and "\ufffd" not in line]
    if len(class_names) != count or usable != class_names:
        raise DataError(f"{where}: {name} should hold {count} different names, found {shown(class_names)}.")
    return class_names


def _images(files: Mapping[str, memoryview], names: list[str], classes: dict[str, list[str]], where: str) -> Images:
    """The records of some files, end to end; `classes` in the order of a record's labels."""
    width = len(classes) + PIXELS
    parts = []
    for name in names:
        data = _get(files, name, where)
        if not len(data) or len(data) % width:
            raise DataError(f"{where}: {name} should hold whole records of {width:,} bytes, found {len(data):,} bytes.")
        records = np.frombuffer(data, np.uint8).reshape(-1, width)
        for column, (label, known) in enumerate(classes.items()):
            wrong = np.flatnonzero(records[:, column] >= len(known))
            if len(wrong):
                place = f"{where}: {name}, record {wrong[0]} (counted from 0)"
                wrong_label = records[wrong[0], column]
                raise DataError(f"{place}: label `{label}` should be from 0 to {len(known) - 1}, found {wrong_label}.")
        parts.append(records)
    pixels = np.concatenate([records[:, len(classes) :] for records in parts]).reshape(-1, *SHAPE)
    labels = {
        label: np.concatenate([records[:, column] for records in parts]).astype(np.int64)
        for column, label in enumerate(classes)
    }
    return Images(pixels, labels)
