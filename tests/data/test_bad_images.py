"""Files of images that are damaged, cut off, hostile, or lie: one message each, nothing written, good ones exact."""

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl.config import Cifar10Source, Cifar100Source, MnistSource, parse_config
from mtl.data.build import read_source
from mtl.data.files.register import add
from mtl.data.formats import archives, packing
from mtl.data.formats.archives import read_tar_gz
from mtl.errors import DataError
from mtl.stages.prepare import prepare
from mtl.types import ImageSet, SourceData
from tests.helpers import bad_images
from tests.helpers.bad_images import ImageCase, linked_cifar10
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, params, place
from tests.helpers.image_files import (
    SIZE,
    cifar10_members,
    cifar100_members,
    counting_pixels,
    idx,
    mnist_parts,
    tar_gz,
    write_mnist,
)

TEN = "cifar-10-batches-bin"
HUNDRED = "cifar-100-binary"
Change = Callable[[bytes], bytes]


def mnist(folder: Path, name: str, change: Change, packed: bool = False) -> SourceData:
    """The small set with one file changed, before it is packed or after."""
    parts = mnist_parts()
    write_mnist(folder / "m", parts | ({} if packed else {name: change(parts[name])}))
    if packed:
        (folder / "m" / name).write_bytes(change((folder / "m" / name).read_bytes()))
    return read_source("own", MnistSource(kind="mnist", path="m", folds=3), folder)


TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
IDX = [
    (TRAIN_X, lambda data: data[:-3], "the header says 30 × 3 × 4, so 360 bytes should follow, found 357"),
    (TRAIN_X, lambda data: data + b"xy", "the header says 30 × 3 × 4, so 360 bytes should follow, found 362"),
    (TRAIN_X, lambda data: data[:9], "the idx header should have 16 bytes, found 9: the file is cut off"),
    (TRAIN_X, lambda data: data[:2], "should be images in idx form, which begin with 00 00 08 03, found 00 00"),
    (TRAIN_X, lambda data: b"", "should be images in idx form, which begin with 00 00 08 03, found nothing"),
    (TRAIN_X, lambda data: b"\0\0\x0d\3" + data[4:], "which begin with 00 00 08 03, found 00 00 0d 03"),
    (TRAIN_Y, lambda data: mnist_parts()[TRAIN_X], "should be labels in idx form, which begin with 00 00 08 01"),
    (TRAIN_Y, lambda data: data[:12] + b"\x0b" + data[13:], "label 4 .* should be a digit from 0 to 9, found 11"),
    (TRAIN_Y, lambda data: idx(np.arange(29) % 10), f"a label for each of the 30 images of {TRAIN_X}, found 29"),
    (TRAIN_Y, lambda data: idx(np.zeros(30)), "class `1` has 0 training samples, too few for 3 folds"),
    (TRAIN_X, lambda data: idx(np.zeros((0, 3, 4))), "should hold something, found 0 × 3 × 4"),
    (TRAIN_X, lambda data: b"\0\0\x08\3" + b"\xff" * 12, "should hold at most 268,435,456 values"),
    ("t10k-images-idx3-ubyte.gz", lambda data: idx(np.zeros((20, 4, 3))),
     ": test images should have 3 × 4 pixels as those of train, found 4 × 3"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), IDX)
def test_idx_files_that_are_none(name: str, change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^m.*{message}"):
        mnist(tmp_path, name, change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-9], "is not a gzip file that can be read: Compressed file ended before"),
        (lambda data: data[:-6] + b"\0" + data[-5:], "is not a gzip file that can be read: CRC check failed"),
        (lambda data: data + b"more", "is not a gzip file that can be read: Not a gzipped file"),
        (lambda data: b"\0" + gzip.decompress(data), "is not a gzip file that can be read: Not a gzipped file"),
    ],
)
def test_gzips_that_are_none(change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"m/{TRAIN_X} {message}"):
        mnist(tmp_path, TRAIN_X, change, packed=True)


def test_a_gzip_of_zeros_is_not_unpacked_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match=rf"m/{TRAIN_X} should be at most 1 MiB unpacked, found more"):
        mnist(tmp_path, TRAIN_X, lambda data: data + b"\0" * (1 << 20))


@pytest.mark.parametrize(("times", "told"), [(0, "not packed at all"), (2, "packed with gzip 2 times")])
def test_idx_files_unpacked_or_packed_twice_are_read_and_told(times: int, told: str, tmp_path: Path) -> None:
    expected = mnist(tmp_path, TRAIN_X, lambda data: data)
    data = mnist_parts()[TRAIN_X]
    for _ in range(times):
        data = gzip.compress(data, mtime=0)
    (tmp_path / "m" / TRAIN_X).write_bytes(data)
    found = read_source("own", MnistSource(kind="mnist", path="m", folds=3), tmp_path)
    assert isinstance(found, ImageSet) and isinstance(expected, ImageSet)
    assert found.images.equal(expected.images)
    assert found.notes == [f"m/{TRAIN_X} is {told}, other than its name says; it was read all the same."]


def cifar(folder: Path, data: bytes) -> SourceData:
    (folder / "own.tar.gz").write_bytes(data)
    return read_source("own", Cifar10Source(kind="cifar10", path="own.tar.gz", folds=4), folder)


TAR = [
    ({f"{TEN}/test_batch.bin": None}, "test_batch.bin is missing; found batches.meta.txt, data_batch_1.bin, data_ba"),
    ({f"{TEN}/data_batch_1.bin": None, f"{TEN}/data_batch_2.bin": None}, "should hold data_batch_1.bin and more, "),
    ({f"{TEN}/batches.meta.txt": None}, "batches.meta.txt is missing"),
    ({f"{TEN}/batches.meta.txt": b"cat\ndog\n"}, r"batches.meta.txt should hold 10 different names, found \['cat'"),
    ({f"{TEN}/batches.meta.txt": b"cat\n" * 10}, "batches.meta.txt should hold 10 different names"),
    ({f"{TEN}/test_batch.bin": b"x" * 3072}, "test_batch.bin should hold whole records of 3,073 bytes, found 3,072"),
    ({f"{TEN}/test_batch.bin": b""}, "test_batch.bin should hold whole records of 3,073 bytes, found 0"),
    ({f"{TEN}/data_batch_2.bin": b"\x0a" + bytes(3072)},
     r"data_batch_2.bin, record 0 \(counted from 0\): label `classes` should be from 0 to 9, found 10"),
    ({"more/test_batch.bin": b""}, "should hold one test_batch.bin, found it in two folders"),
    ({"../evil": b""}, r"member '\.\./evil' leads outside the archive: refused"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), TAR)
def test_archives_without_what_is_needed(
    changes: dict[str, bytes | None], message: str, tmp_path: Path
) -> None:  # fmt: skip
    members = cifar10_members() | changes
    with pytest.raises(DataError, match=rf"^own\.tar\.gz.*{message}"):
        cifar(tmp_path, tar_gz({name: data for name, data in members.items() if data is not None}))


def test_cifar100_needs_records_of_two_labels(tmp_path: Path) -> None:
    def read(**changes: bytes) -> SourceData:
        members = cifar100_members() | {f"{HUNDRED}/{name.replace('_bin', '.bin')}": d for name, d in changes.items()}
        (tmp_path / "own.tar.gz").write_bytes(tar_gz(members))
        return read_source("own", Cifar100Source(kind="cifar100", path="own.tar.gz", folds=2), tmp_path)

    with pytest.raises(DataError, match=r"train\.bin should hold whole records of 3,074 bytes, found 3,073 bytes"):
        read(train_bin=bytes(3073))
    with pytest.raises(DataError, match=r"test\.bin, record 0 .* label `coarse` should be from 0 to 19, found 20"):
        read(test_bin=b"\x14" + bytes(3073))
    with pytest.raises(DataError, match=r"test\.bin, record 1 .* label `classes` should be from 0 to 99, found 100"):
        read(test_bin=bytes(3074) + b"\0\x64" + bytes(3072))
    # The archive of the other set.
    (tmp_path / "own.tar.gz").write_bytes(tar_gz(cifar10_members()))
    with pytest.raises(DataError, match=r"coarse_label_names\.txt is missing; found batches\.meta\.txt, data_batch_1"):
        read_source("own", Cifar100Source(kind="cifar100", path="own.tar.gz"), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'.*/data_batch_3\.bin' should be a plain file or a folder, found another kind"
    ):
        cifar(tmp_path, linked_cifar10(kind))


def test_no_batch_is_lost_in_silence(tmp_path: Path) -> None:
    """tarfile takes a damaged header, and the end of a file that was cut off, for the end of the archive."""
    plain = gzip.decompress(tar_gz(cifar10_members()))
    second = plain.index(f"{TEN}/data_batch_2.bin".encode())
    with pytest.raises(DataError, match="should end after 2 files with a block of zeros; it is cut off"):
        cifar(tmp_path, gzip.compress(plain[:second]))
    with pytest.raises(DataError, match="should end after 2 files with a block of zeros; what follows is damaged"):
        cifar(tmp_path, gzip.compress(plain[:second] + b"X" + plain[second + 1 :]))


def test_an_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.tar.gz").write_bytes(tar_gz({f"{n}.bin": b"" for n in range(21)}))
    monkeypatch.setattr(archives, "MAX_FILES", 20)
    with pytest.raises(DataError, match="should hold at most 20 files, found more: refused"):
        read_tar_gz(tmp_path / "own.tar.gz", "own.tar.gz")
    with pytest.raises(DataError, match="should be at most 1,000 bytes unpacked, found more"):
        read_tar_gz(tmp_path / "own.tar.gz", "own.tar.gz", 1000)


def test_a_member_that_says_it_is_longer_than_the_archive(tmp_path: Path) -> None:
    info = tarfile.TarInfo("big.bin")
    info.size = 1 << 40
    (tmp_path / "own.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(2048)))
    with pytest.raises(DataError, match=r"own\.tar\.gz"):
        read_tar_gz(tmp_path / "own.tar.gz", "own.tar.gz")


def test_a_member_of_a_negative_size_ends(tmp_path: Path) -> None:
    """A size of -1024 would send tarfile back to where it came from, for ever."""
    info = tarfile.TarInfo("a.bin")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"
    header[148:156] = f"{sum(header) - sum(header[148:156]) + 8 * 32:06o}\0 ".encode()
    (tmp_path / "own.tar.gz").write_bytes(gzip.compress(bytes(512).join([b"", bytes(header)])[512:] + bytes(2048)))
    with pytest.raises(DataError, match=r"'a\.bin' should lie inside the archive, found -1,024 bytes"):
        read_tar_gz(tmp_path / "own.tar.gz", "own.tar.gz")


def check(kind: str, expected: np.ndarray, case: ImageCase) -> None:
    with place() as root:
        project = root / "a" / "project"
        raw = project / "data/raw"
        raw.mkdir(parents=True)
        path = "data/raw/mnist" if kind == "mnist" else f"data/raw/{case.file}"
        if kind == "mnist":
            write_mnist(raw / "mnist", mnist_parts())
        file = Path(path) / case.file if kind == "mnist" else Path(path)
        (project / file).unlink(missing_ok=True)
        if case.data is not None:
            (project / file).write_bytes(case.data)
        add("own", [project / path], project)
        section = {"kind": kind, "path": path, "folds": 2}

        def run() -> SourceData:
            return prepare(parse_config(params(section)).prepare.sources, "own", project)

        found = attempt(run, root, path, "prepare.sources.own")
        inside = [file.name for file in root.rglob("*") if file.is_file() and "prepared" not in file.parts]
        assert "evil" not in "".join(inside)
    if case.refused:
        assert isinstance(found, Refusal), found
    if case.good:
        assert isinstance(found, ImageSet), found
        numbers = np.sort(found.images.numpy().reshape(len(expected), -1), axis=0)
        assert np.array_equal(numbers, np.sort(expected.reshape(len(expected), -1), axis=0))
        assert np.bincount(found.labels["classes"]).tolist() == [len(expected) // 10] * 10


@few_and_many(25, 400)
def test_idx_files(cases: int) -> None:
    expected = counting_pixels(0, 50, 1, SIZE)
    for_all(bad_images.idx_files(), cases, lambda case: check("mnist", expected, case))


@few_and_many(5, 40)
def test_good_archives_are_read_exactly(cases: int) -> None:
    expected = counting_pixels(0, 50, 3, (32, 32))
    for_all(bad_images.good_archives(), cases, lambda case: check("cifar10", expected, case))


@few_and_many(30, 400)
def test_bad_archives(cases: int) -> None:
    expected = counting_pixels(0, 50, 3, (32, 32))
    for_all(bad_images.bad_archives(), cases, lambda case: check("cifar10", expected, case))
