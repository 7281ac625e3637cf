"""Generated idx files and CIFAR archives: good ones in every packing, and such as are damaged, hostile, or lie."""

import gzip
import io
import itertools
import tarfile
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.helpers.damage import any_bytes
from tests.helpers.image_files import cifar10_members, idx, mnist_parts, pack, tar_gz

IDX_NAMES = sorted(mnist_parts())
ODD_NAMES = ["../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil", "evil\n", "\x1b[31m", "é" * 100, "x" * 300,
             "..", "a/./b", "cifar-10-batches-bin/data_batch_1.bin", "other/data_batch_1.bin", "\udcff.bin",
             ]  # fmt: skip
TYPES = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE,
         tarfile.CONTTYPE, b"Z"]  # fmt: skip
SIZES = [0, 1, 3, 10**6, 2**31, 2**32 - 1]


@dataclass(frozen=True)
class ImageCase:
    """The file of a set that is replaced, its bytes, and what is known of the outcome."""

    data: bytes | None
    file: str = "own.tar.gz"
    good: bool = False
    refused: bool = False


@st.composite
def idx_files(draw: st.DrawFn) -> ImageCase:
    """One of the four files gone, damaged before or after it was packed, or with another header or other values."""
    name = draw(st.sampled_from(IDX_NAMES))
    data = mnist_parts()[name]
    packed = gzip.compress(data, mtime=0)
    match draw(st.sampled_from(["good", "gone", "packed", "inside", "header", "size", "label", "count", "swap"])):
        case "good":
            level, parts = draw(st.integers(0, 9)), draw(st.integers(1, 3))
            cuts = np.linspace(0, len(data), parts + 1).astype(int)
            chunks = [gzip.compress(data[a:b], level, mtime=1) for a, b in itertools.pairwise(cuts)]
            return ImageCase(b"".join(chunks) + b"\0" * draw(st.integers(0, 600)), name, good=True)
        case "gone":
            return ImageCase(None, name, refused=True)
        case "packed":
            damaged = draw(any_bytes())(packed)
            return ImageCase(damaged, name, good=damaged == packed)
        case "inside":
            return ImageCase(gzip.compress(draw(any_bytes())(data), mtime=0), name)
        case "header":
            at, value = draw(st.integers(0, 15 if "images" in name else 7)), draw(st.integers(0, 255))
            changed = data[:at] + bytes([value]) + data[at + 1 :]
            return ImageCase(gzip.compress(changed, mtime=0), name, good=changed == data, refused=changed != data)
        case "size":
            at = 4 + 4 * draw(st.integers(0, 2 if "images" in name else 0))
            changed = data[:at] + draw(st.sampled_from(SIZES)).to_bytes(4, "big") + data[at + 4 :]
            return ImageCase(gzip.compress(changed, mtime=0), name, good=changed == data, refused=changed != data)
        case "label":
            labels = np.arange(draw(st.sampled_from([30, 20]))) % 10
            labels[draw(st.integers(0, len(labels) - 1))] = draw(st.integers(10, 255))
            name = f"{'train' if len(labels) == 30 else 't10k'}-labels-idx1-ubyte.gz"
            return ImageCase(gzip.compress(idx(labels), mtime=0), name, refused=True)
        case "count":
            extra = draw(st.sampled_from([b"\0", b"\1" * 12, data]))
            return ImageCase(gzip.compress(data + extra, mtime=0), name, refused=True)
        case _:
            other = draw(st.sampled_from([one for one in IDX_NAMES if one != name]))
            return ImageCase(gzip.compress(mnist_parts()[other], mtime=0), name, refused=True)


def linked_cifar10(kind: bytes = tarfile.SYMTYPE) -> bytes:
    """The small archive with a link (or another kind of file) where a third batch would be."""
    info = tarfile.TarInfo("cifar-10-batches-bin/data_batch_3.bin")
    info.type, info.linkname = kind, "/etc/passwd"
    return pack([*_members(), (info, b"")])


def _members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo(name), data) for name, data in cifar10_members().items()]


@st.composite
def good_archives(draw: st.DrawFn) -> ImageCase:
    """The same files in any order and format, with folders and files that nobody asked for."""
    members = _members()
    base = draw(st.sampled_from(["cifar-10-batches-bin", ".", "a/b", "./x"]))
    for info, _ in members:
        info.name = f"{base}/{info.name.rpartition('/')[2]}"
        info.mtime, info.uname = draw(st.sampled_from([(0, ""), (1e9 + 0.5, "ü" * 40)]))
    if draw(st.booleans()):
        folder = tarfile.TarInfo(draw(st.sampled_from([".", "./", base, "x" * 120])))
        folder.type = tarfile.DIRTYPE
        members.insert(0, (folder, b""))
        members.append((tarfile.TarInfo(f"{base}/readme.html"), b"<p>" * draw(st.integers(0, 500))))
    return ImageCase(pack(draw(st.permutations(members)), pax=draw(st.booleans())), good=True)


@st.composite
def bad_archives(draw: st.DrawFn) -> ImageCase:
    """Members that lead out, are no files, are gone, or of another length; damage inside and outside of the gzip."""
    members = _members()
    at = draw(st.integers(0, len(members) - 1))
    info, data = members[at]
    plain = gzip.decompress(pack(members))
    match draw(
        st.sampled_from(["name", "type", "gone", "length", "label", "names", "packed", "inside", "cut", "header"])
    ):
        case "name":
            name = draw(st.sampled_from(ODD_NAMES))
            members.insert(draw(st.integers(0, len(members))), (tarfile.TarInfo(name), b"evil"))
            leads_out = name.startswith(("/", "..", "C:")) or "/../" in name
            return ImageCase(pack(members), refused=leads_out or name.endswith("data_batch_1.bin"))
        case "type":
            link = tarfile.TarInfo(draw(st.sampled_from(["link", info.name, "z/test_batch.bin"])))
            link.type, link.linkname = draw(st.sampled_from(TYPES)), draw(st.sampled_from(["/etc/passwd", info.name]))
            members.insert(at, (link, b""))
            return ImageCase(pack(members), refused=True)
        case "gone":
            del members[at]
            # One batch of two is enough.
            return ImageCase(pack(members), refused="data_batch" not in info.name)
        case "length":
            if info.name.endswith(".bin"):
                data = draw(st.sampled_from([b"", data[:-1], data + b"\0", data[: 3073 // 2], data[:3072]]))
                members[at] = (info, data)
                return ImageCase(pack(members), refused=True)
            return ImageCase(pack(members), good=True)
        case "label":
            where = draw(st.integers(0, len(data) // 3073 - 1)) * 3073 if info.name.endswith(".bin") else None
            if where is None:
                return ImageCase(pack(members), good=True)
            changed = data[:where] + bytes([draw(st.integers(10, 255))]) + data[where + 1 :]
            members[at] = (info, changed)
            return ImageCase(pack(members), refused=True)
        case "names":
            names = cifar10_members()["cifar-10-batches-bin/batches.meta.txt"]
            damaged = draw(any_bytes())(names)
            return ImageCase(tar_gz(cifar10_members() | {"cifar-10-batches-bin/batches.meta.txt": damaged}))
        case "packed":
            packed = pack(members)
            damaged = draw(any_bytes())(packed)
            return ImageCase(damaged, good=damaged == packed)
        case "inside":
            return ImageCase(_zipped(draw(any_bytes())(plain)))
        case "cut":
            # Wherever it is cut, no batch may be lost in silence.
            end = _end(plain)
            keep = draw(st.one_of(st.integers(0, end), st.sampled_from(range(0, end + 1, 512))))
            return ImageCase(_zipped(plain[:keep]), refused=True)
        case _:
            offsets = [at for at in range(0, len(plain), 512) if plain[at + 257 : at + 262] == b"ustar"]
            within = draw(st.integers(0, 511))
            place = draw(st.sampled_from(offsets)) + within
            changed = plain[:place] + bytes([draw(st.integers(0, 255))]) + plain[place + 1 :]
            # The checksum of a header covers all of it but the checksum's own place, where digits may be blanks.
            covered = not 148 <= within < 156
            return ImageCase(_zipped(changed), good=changed == plain, refused=covered and changed != plain)


def _zipped(plain: bytes) -> bytes:
    return gzip.compress(plain, compresslevel=1, mtime=0)


def _end(plain: bytes) -> int:
    """Where the last member ends and the blocks of zeros begin."""
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return max(member.offset_data + -(-member.size // 512) * 512 for member in archive)
