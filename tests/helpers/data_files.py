"""Tiny data files with known contents, one maker a kind of source."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtl.config.sensors import SensorsSource
from mtl.config.sources import (
    ArraysSource,
    Cifar10Source,
    Cifar100Source,
    DigitsSource,
    HarSource,
    MnistSource,
    MultiMnistSource,
    PythonSource,
    RegressionsSource,
    SeriesSource,
    Source,
    UeaSource,
)
from mtl.config.table_source import TableSource
from tests.helpers.image_files import cifar10_members, cifar100_members, mnist_parts, tar_gz, write_mnist

ACTIVITIES = ["WALKING", "SITTING", "LAYING"]
CHANNELS = [f"{s}_{a}" for s in ("body_acc", "body_gyro", "total_acc") for a in "xyz"]
HAR_TRAIN = 24
HAR_TEST = 6
HAR_LENGTH = 4


def series_text(rows: int = 20, state: bool = True) -> str:
    """`rows` hours of two columns: `load` counts 0, 1, 2, ...; `temp` alternates 1, -1; `state` is low or high."""
    lines = ["date,load,temp" + (",state" if state else "")]
    for row in range(rows):
        cells = [f"2020-01-{1 + row // 24:02d} {row % 24:02d}:00:00", str(row), str((-1) ** row)]
        lines.append(",".join(cells + ([["low", "high"][row // 2 % 2]] if state else [])))
    return "\n".join(lines) + "\n"


def table_text(rows: int = 60) -> str:
    """`rows` people: a row number, `age` 20, 21, ..., `dose` (empty in every tenth row), `town`, `smoker` and `score`,
    which is the age plus 10 for smokers."""
    lines = ["id,age,dose,town,smoker,score"]
    for row in range(rows):
        age, smoker = 20 + row * 7 % 50, row % 3 == 0
        dose = "" if row % 10 == 9 else f"{row % 4}.5"
        town = ["Ulm", "Jena", "Bonn"][row * 5 % 7 % 3]
        lines.append(f"{row + 1},{age},{dose},{town},{'yes' if smoker else 'no'},{age + 10 * smoker}")
    return "\n".join(lines) + "\n"


def har_signal(channel: int, window: int) -> np.ndarray:
    """Row r of a window holds window + channel / 10 + r / 100, so every value tells its place."""
    return window + channel / 10 + np.arange(HAR_LENGTH) / 100


def har_files() -> dict[str, bytes]:
    """The classic layout: 8 training people with 3 windows each (one an activity), 2 test people."""
    files = {"activity_labels.txt": "".join(f"{i} {n}\n" for i, n in enumerate(ACTIVITIES, 1)).encode()}
    for split, first, count in [("train", 0, HAR_TRAIN), ("test", HAR_TRAIN, HAR_TEST)]:
        windows = range(first, first + count)
        files[f"{split}/y_{split}.txt"] = "".join(f"{w % 3 + 1}\n" for w in windows).encode()
        files[f"{split}/subject_{split}.txt"] = "".join(f"{w // 3 + 1}\n" for w in windows).encode()
        for number, channel in enumerate(CHANNELS):
            text = io.BytesIO()
            np.savetxt(text, [har_signal(number, w) for w in windows], fmt="%16.7e", delimiter="")
            files[f"{split}/Inertial Signals/{channel}_{split}.txt"] = text.getvalue()
    return files


def zip_bytes(files: Mapping[str, bytes], prefix: str = "") -> bytes:
    """A zip of `files`, each below `prefix`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(prefix + name), data)
    return buffer.getvalue()


def ts_text(cases: list[str], header: str = "@equalLength true\n@seriesLength 3\n") -> str:
    """A .ts file of two channels and the classes walk and rest."""
    head = "# a comment\n@problemName Toy\n@timeStamps false\n@univariate false\n@dimensions 2\n"
    return head + header + "@classLabel true walk rest\n@data\n" + "\n".join(cases) + "\n"


def regression_ts(targets: list[str], first: int = 0) -> str:
    """A .ts file of one channel whose cases end in a number; case n is n, n+1, n+2. Spelt as the archive spells it."""
    head = "# a comment\n@problemname Toy\n@timestamps false\n@missing false\n@univariate true\n@equallength true\n"
    cases = [f"{n}.0,{n + 1}.0,{n + 2}.0:{target}" for n, target in enumerate(targets, first)]
    return head + "@targetlabel true\n@data\n" + "\n".join(cases) + "\n"


def ts_cases(count: int, first: int = 0) -> list[str]:
    """Case n has the channels n, n+1, n+2 and their negatives; even cases walk, odd ones rest."""
    return [
        f"{n},{n + 1},{n + 2}:-{n},-{n + 1},-{n + 2}:{('walk', 'rest')[n % 2]}" for n in range(first, first + count)
    ]


def array_parts(train: int = 12, test: int = 4) -> dict[str, np.ndarray]:
    """Windows of 3 rows × 2 channels that count up; label y in turn 0, 1, 2; subjects in blocks of three."""
    total = train + test
    x = np.arange(total * 6, dtype=np.float64).reshape(total, 3, 2)
    y, subject = np.arange(total) % 3, np.arange(total) // 3
    return {
        "x_train": x[:train], "x_test": x[train:], "y_train": y[:train], "y_test": y[train:],
        "subject_train": subject[:train], "subject_test": subject[train:],
    }  # fmt: skip


PLUGIN = '''
import torch
from mtl.types import Prepared

def make(name, path, rows=12, **changes):
    """A series of one column that counts up."""
    parts = dict(
        name=name, values=torch.arange(rows, dtype=torch.float64)[:, None], columns=["count"], window=None,
        borders=(6, 9, rows), fold=None, folds=1,
        labels={"odd": torch.arange(rows) % 2}, classes={"odd": ["even", "odd"]},
    )
    if path is not None:
        parts["notes"] = [path.read_text()]
    return Prepared(**parts)
'''


def make_source(kind: str, root: Path) -> Source:
    """Writes the files of a small source of `kind` below `root` and returns its section of the config."""
    raw = root / "data" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    match kind:
        case "sensors":
            return SensorsSource(kind="sensors", rows=600, fault_labels=100)
        case "regressions":
            return RegressionsSource(kind="regressions", rows=200, inputs=3)
        case "series":
            (raw / "own.csv").write_text(series_text())
            return SeriesSource(kind="series", path="data/raw/own.csv", labels=["state"])
        case "table":
            (raw / "own.csv").write_text(table_text())
            return TableSource(kind="table", path="data/raw/own.csv", folds=4)
        case "har":
            (raw / "har.zip").write_bytes(zip_bytes(har_files(), "UCI HAR Dataset/"))
            return HarSource(kind="har", path="data/raw/har.zip", folds=4)
        case "uea":
            (raw / "Toy_TRAIN.ts").write_text(ts_text(ts_cases(10)))
            (raw / "Toy_TEST.ts").write_text(ts_text(ts_cases(4, first=10)))
            return UeaSource(kind="uea", path="data/raw/Toy")
        case "arrays":
            parts: dict[str, Any] = dict(array_parts())
            np.savez(raw / "own.npz", **parts)
            return ArraysSource(kind="arrays", path="data/raw/own.npz", folds=3)
        case "digits":
            return DigitsSource(kind="digits")
        case "mnist":
            write_mnist(raw / "mnist", mnist_parts())
            return MnistSource(kind="mnist", folds=3)
        case "multi_mnist":
            write_mnist(raw / "mnist", mnist_parts())
            return MultiMnistSource(kind="multi_mnist", folds=3, train_pairs=30, test_pairs=20)
        case "cifar10":
            (raw / "own.tar.gz").write_bytes(tar_gz(cifar10_members()))
            return Cifar10Source(kind="cifar10", path="data/raw/own.tar.gz", folds=4)
        case "cifar100":
            (raw / "own.tar.gz").write_bytes(tar_gz(cifar100_members()))
            return Cifar100Source(kind="cifar100", path="data/raw/own.tar.gz", folds=2)
        case "python":
            (root / "plugins").mkdir(exist_ok=True)
            # Python imports a module of one name once a process: each test's folder gets its own name.
            module = "plugin_" + re.sub(r"\W", "_", root.name)
            (root / "plugins" / f"{module}.py").write_text(PLUGIN)
            return PythonSource(kind="python", target=f"{module}:make")
    raise AssertionError(f"no maker for a source of kind {kind}: add one")
