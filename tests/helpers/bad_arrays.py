"""Generated .npz files: good ones with their windows, and such as hold other types, lie in a header, or are no zip."""

import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.helpers.damage import any_bytes
from tests.helpers.data_files import array_parts

SPRUNG = Path("sprung-by-a-pickle")
"""A file that would appear in the working directory if something were unpickled."""


class Trap:
    """Unpickling this touches a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (SPRUNG,)


@dataclass(frozen=True)
class ArraysCase:
    """A file, its section, and what is known of the outcome."""

    data: bytes
    section: dict[str, Any]
    values: np.ndarray | None = None
    """[W, L, C], when the file is good."""
    labels: list[int] | None = None
    refused: bool = False


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of members as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as out:
        for name, data in members.items():
            out.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    """One array as a .npy file; objects are pickled, as a hostile file would have them."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(text: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file with any text for a header."""
    raw = text.encode("latin-1") + b"\n"
    length = len(raw).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + raw + data


HEADERS = [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3, 2)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807, 2)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 30 + ",)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3, 2)}",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,)}",
    "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}",
    "{'descr': '|S0', 'fortran_order': True, 'shape': (4, 1000000000000)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (12,)}",
    "{'descr': [('a', '<f8'), ('b', '|O')], 'fortran_order': False, 'shape': (12,)}",
    "{'descr': '<f8', 'fortran_order': 2, 'shape': (12, 3, 2)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': 12}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (12, 3, 2), 'more': 1}",
    "{'descr': 'no type', 'fortran_order': False, 'shape': (12, 3, 2)}",
    "{'descr': ('<f8', (3, 2)), 'fortran_order': False, 'shape': (12,)}",
    "{'descr': '<M8[generic]', 'fortran_order': False, 'shape': (12, 3, 2)}",
    "__import__('pathlib').Path('sprung-by-a-pickle').touch()",
    "(" * 5000,
    "{" + "[" * 3000 + "]" * 3000 + "}",
    "1" * 9000,
    "{'descr': '<f8', 'fortran_order': False, 'shape': (12L, 3L, 2L)}",
    "",
    "\x00",
]


def _odd(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays that may stand where numbers or labels are expected."""
    return {
        "complex": x.astype(complex), "text": x.astype(str), "bytes": x.astype("S8"), "bool": x > 3,
        "float16": x.astype("f2"),
        "longdouble": x.astype(np.longdouble), "big endian": x.astype(">f8"), "int8": x.astype(np.int8),
        "uint64": (y.astype(np.uint64) + np.uint64(2**63)), "nan": np.where(x == 7, np.nan, x), "inf": np.where(x == 7,
        np.inf, x),
        "huge": np.where(x == 7, 1e300, x), "objects": np.array([Trap()] * 12, dtype=object), "flat": x.ravel(),
        "scalar": np.array(1.0), "no windows": x[:0], "no rows": x[:, :0], "no channels": x[:, :, :0], "four": x[...,
        None],
        "dates": np.arange(12).astype("M8[h]"), "record": np.zeros(12, dtype=[("a", "f8")]), "y": y, "float y": y * 1.0,
        "negative y": y - 5, "all missing": y * 0 - 1, "one class": y * 0, "text y": y.astype(str),
        "long y": y.repeat(2),
        "square y": y[:, None], "far y": y + 10**9, "void": np.zeros(12, dtype="V8"), "empty text": np.array([""] * 12),
        "wide text": np.array(["x" * 3000] * 12), "bool y": y > 0, "spans": np.arange(12).astype("m8[s]"),
    }  # fmt: skip


SECTIONS: list[dict[str, Any]] = [
    {}, {"folds": 4}, {"folds": 5}, {"folds": 10**30}, {"folds": 1}, {"groups": "subject"}, {"groups": "gone"},
    {"groups": "x"},
    {"groups": ""}, {"groups": "y", "folds": 3}, {"labels": {}}, {"labels": {"label": "gone"}},
    {"labels": {"label": "x"}},
    {"labels": {"Bad Name": "y"}}, {"labels": {"a": "y", "b": "y"}}, {"labels": {"a": "subject"}}, {"labels": None},
    {"path": "data/raw"}, {"path": "/dev/zero"}, {"path": "../own.npz"}, {"path": "\x00"}, {"split_seed": 2**31},
    {"split_seed": 2**31 - 1}, {"labels": {"label": "../../x"}},
    {"targets": {"t": "y"}}, {"targets": {"t": "x"}}, {"targets": {"label": "y"}},
    {"targets": {"t": "y"}, "labels": {"label": "y"}}, {"targets": None}, {"targets": {"channel_1": "subject"}},
]  # fmt: skip


@st.composite
def good_arrays(draw: st.DrawFn) -> ArraysCase:
    """Numbers of every type and order, names or numbers for classes."""
    rows, channels = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["<f8", ">f8", "<f4", "<f2", "i1", "u2", ">i4", "i8", "u8"]))
    x = np.array(draw(st.lists(st.integers(0, 100), min_size=16 * rows * channels, max_size=16 * rows * channels)))
    x = x.reshape(16, rows, channels).astype(kind)
    order: Any = draw(st.sampled_from(["C", "F"]))
    y = np.arange(16) % 3
    parts = {
        "x_train": np.asarray(x[:12], order=order), "x_test": np.asarray(x[12:], order=order),
        "y_train": y[:12], "y_test": y[12:],
    }  # fmt: skip
    match draw(st.sampled_from(["numbers", "names", "classes", "int8", "columns"])):
        case "names":
            parts |= {key: np.array(["a", "b", "c"])[parts[key]] for key in ("y_train", "y_test")}
        case "classes":
            parts["y_classes"] = np.array(["low", "mid", "high"])
        case "int8":
            parts |= {key: parts[key].astype(np.int8) for key in ("y_train", "y_test")}
        case "columns":
            parts["columns"] = np.array([f"c{n}" for n in range(channels)])
    buffer = io.BytesIO()
    save: Any = draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(buffer, **parts)
    return ArraysCase(buffer.getvalue(), {"folds": draw(st.integers(2, 4))}, x.astype(np.float64), y.tolist())


@st.composite
def bad_arrays(draw: st.DrawFn) -> ArraysCase:
    """One thing that is not as it should be."""
    parts: dict[str, np.ndarray] = array_parts()
    section: dict[str, Any] = {"folds": 2}
    match draw(st.sampled_from(["odd", "odd", "gone", "header", "member", "section", "bytes", "file", "objects"])):
        case "odd":
            odd = _odd(parts["x_train"], parts["y_train"])
            key = draw(st.sampled_from([*parts, "columns", "y_classes"]))
            parts[key] = odd[draw(st.sampled_from(sorted(odd)))]
            if key.startswith("subject"):
                section["groups"] = "subject"
            if key.startswith("y_t") and draw(st.booleans()):
                section["targets"] = {"t": "y"}
        case "gone":
            gone = draw(st.sampled_from(["x_train", "x_test", "y_train", "y_test"]))
            del parts[gone]
            return ArraysCase(_npz_of(parts), section, refused=True)
        case "section":
            section |= draw(st.sampled_from(SECTIONS))
        case "objects":
            key = draw(st.sampled_from(["x_train", "y_test", "columns", "y_classes", "unused"]))
            parts[key] = np.array([Trap()] * 2, dtype=object)
            return ArraysCase(_npz_of(parts), section, refused=True)
        case "header":
            key = draw(st.sampled_from(["x_train", "y_train", "columns", "y_classes", "unused"]))
            members = {f"{k}.npy": npy(v) for k, v in parts.items()}
            version = draw(st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]))
            members[f"{key}.npy"] = header(draw(st.sampled_from(HEADERS)), b"\0" * draw(st.integers(0, 600)), version)
            return ArraysCase(npz(members), section)
        case "member":
            members = {f"{k}.npy": npy(v) for k, v in parts.items()}
            name = draw(st.sampled_from(["x_train.npy", "x_train", "../x_train.npy", "/x_train.npy", "readme.txt",
            "a\\b.npy",
                                         "x_train.npy.npy", "", "folder/"]))  # fmt: skip
            members[name] = draw(
                st.sampled_from([b"", b"text", pickle.dumps(Trap()), npz({"a.npy": b""}), b"\x93NUMPY"])
            )
            return ArraysCase(npz(members, draw(st.sampled_from([0, 8, 12, 14]))), section)
        case "bytes":
            return ArraysCase(draw(any_bytes())(_npz_of(parts)), section)
        case "file":
            data = draw(
                st.sampled_from([pickle.dumps(Trap()), npy(parts["x_train"]), b"", b"PK\x05\x06" + b"\0" * 18, b"PK"])
            )
            return ArraysCase(data, section, refused=True)
    return ArraysCase(_npz_of(parts), section)


def _npz_of(parts: dict[str, np.ndarray]) -> bytes:
    return npz({f"{key}.npy": npy(value) for key, value in parts.items()})
