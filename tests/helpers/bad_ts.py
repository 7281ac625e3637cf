"""Generated .ts files: good ones with their cases, and the same ones with another header, cell, case or byte."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.helpers.bad_tables import CELLS, is_number
from tests.helpers.damage import LINE_ENDS, any_bytes

LINES = [
    "@timeStamps true", "@timeStamps", "@timeStamps perhaps", "@missing false", "@missing true", "@missing",
    "@univariate true", "@univariate false", "@univariate 1", "@dimensions 0", "@dimensions -1", "@dimensions ²",
    "@dimensions 3", "@dimensions 1e3", "@dimensions 9" + "9" * 5000, "@dimension 2", "@dimensions", "@dimensions 2 2",
    "@equalLength true", "@equalLength false", "@equalLength", "@seriesLength 0", "@seriesLength ٣", "@seriesLength 2",
    "@seriesLength ①", "@seriesLength 99999999999999999999", "@classLabel false", "@classLabel true",
    "@classLabel true walk", "@classLabel true walk walk", "@classLabel true rest walk", "@classLabel",
    "@classLabel true walk rest swim", "@classLabel true " + " ".join(map(str, range(2000))), "@data", "@DATA",
    "@targetLabel true", "@targetLabel", "@targetLabel false",
    "@problemName \x1b[31m", "@", "#", "# \ud83d".encode("utf-8", "replace").decode(), "", "walk",
    "@relation x", "@attribute a numeric", "0,1:2,3:walk",
]  # fmt: skip
CASES = [
    "", ":", "::", ":walk", "1:walk", "1,2:walk", "1,2:3,4", "1,2:3,4:", "1,2:3,4:jump", "1,2:3,4:5,6:walk", ",:,:walk",
    "1,,2:1,2,3:walk", "?,?,?:1,2,3:walk", "?,?,?:?,?,?:rest", "1,2,3:1,2,3:walk:rest", "1,2,3:1,2,3:Walk",
    "(1,2):(3,4):walk",
    "1,2,3:1,2:rest", ",".join(["1"] * 3000) + ":" + ",".join(["2"] * 3000) + ":walk", "1;2;3:1;2;3:walk",
    "1,2,3 1,2,3 walk",
    "1,2,3:1,2,3: walk ", "@data", "# 1,2,3:1,2,3:walk", "%",
]  # fmt: skip


@dataclass(frozen=True)
class TsCase:
    """Two files, the section, and what is known of the outcome."""

    train: bytes
    test: bytes
    section: dict[str, Any]
    values: np.ndarray | None = None
    """[W, L, C], when the files are good."""
    labels: list[int] | None = None
    refused: bool = False


def _case(values: np.ndarray, label: str) -> str:
    return ":".join([*(",".join(repr(float(x)) for x in channel) for channel in values), label])


def _text(header: list[str], cases: list[str]) -> bytes:
    return "\n".join([*header, "@data", *cases, ""]).encode()


@st.composite
def _good(draw: st.DrawFn) -> tuple[list[str], np.ndarray, list[int], dict[str, Any]]:
    channels, length, windows = 2, draw(st.integers(2, 5)), 10
    number = st.floats(-1e6, 1e6, allow_subnormal=False)
    flat = draw(st.lists(number, min_size=channels * length * windows, max_size=channels * length * windows))
    values = np.array(flat).reshape(windows, channels, length)
    header = ["@problemName Toy", "@univariate false", "@dimensions 2", "@equalLength true", f"@seriesLength {length}"]
    header += ["@classLabel true walk rest"]
    return header, values, [n % 2 for n in range(windows)], {"kind": "uea", "path": "data/raw/Toy", "folds": 2}


def _files(header: list[str], values: np.ndarray, labels: list[int]) -> tuple[list[str], list[str]]:
    cases = [_case(v, ("walk", "rest")[n]) for v, n in zip(values, labels, strict=True)]
    return cases[:6], cases[6:]


@st.composite
def good_sets(draw: st.DrawFn) -> TsCase:
    header, values, labels, section = draw(_good())
    dropped = draw(
        st.sets(st.sampled_from(["@problemName", "@univariate", "@dimensions", "@equalLength", "@seriesLength"]))
    )
    header = draw(st.permutations([h for h in header if h.split()[0] not in dropped]))
    train, test = _files(header, values, labels)
    way = draw(st.sampled_from(LINE_ENDS))
    return TsCase(way(_text(header, train)), way(_text(header, test)), section, values.transpose(0, 2, 1), labels)


@st.composite
def bad_sets(draw: st.DrawFn) -> TsCase:
    header, values, labels, section = draw(_good())
    train, test = _files(header, values, labels)
    section["on_unequal_length"] = draw(st.sampled_from(["error", "resample", "left_pad"]))
    section["on_missing"] = draw(st.sampled_from(["error", "interpolate"]))
    where, refused = draw(st.integers(0, 5)), False
    match draw(st.sampled_from(["header", "no header", "case", "cell", "folds", "test", "bytes"])):
        case "header":
            header.insert(where, draw(st.sampled_from(LINES)))
        case "no header":
            refused = header[where].startswith("@classLabel")
            del header[where]
        case "case":
            train[where] = draw(st.sampled_from(CASES))
        case "cell":
            cell = draw(st.sampled_from([c for c in CELLS if "," not in c and c != "?" and c[:1] != "#"]))
            changed = train[where].split(",")
            changed[0] = cell
            missing = cell.strip().lower() == "nan" and section["on_missing"] == "interpolate"
            train[where], refused = ",".join(changed), not (is_number(cell) or missing)
        case "folds":
            section["folds"] = draw(st.sampled_from([0, 1, 3, 4, 50, 51, 10**30, True, "2", 2.0, None]))
            refused = section["folds"] != 3
        case "test":
            test = draw(st.sampled_from([[], ["1,2:3,4:walk"], test[:1], ["?,?:?,?:rest"]]))
        case "bytes":
            damage = draw(any_bytes())
            return TsCase(damage(_text(header, train)), _text(header, test), section)
    return TsCase(_text(header, train), _text(header, test), section, refused=refused)
