"""Bad files through the commands that a user types: code 2, one line, no traceback, and the project as it was."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl.stages import prepare
from tests.e2e.project import Project, settings
from tests.helpers import bad_params
from tests.helpers.bad_archives import members, nested, pack
from tests.helpers.bad_arrays import Trap, header, npy, npz
from tests.helpers.bad_images import linked_cifar10
from tests.helpers.cases import check_refusal, tree
from tests.helpers.data_files import array_parts, har_files, series_text, ts_cases, ts_text
from tests.helpers.image_files import cifar10_members, tar_gz


@pytest.fixture
def place(fresh: Project, tmp_path: Path) -> Project:
    return fresh.copy(tmp_path / "outer" / "project")


@contextmanager
def unchanged(place: Project) -> Iterator[None]:
    """Nothing in the project and around it is changed."""
    around = place.root.parent
    (around / "outside.csv").write_text(series_text())
    before = {name: what for name, what in tree(around).items() if "__pycache__" not in name}
    yield
    assert {name: what for name, what in tree(around).items() if "__pycache__" not in name} == before


def refused(place: Project, *command: str, names: tuple[str, ...]) -> None:
    with unchanged(place):
        done = place.run(sys.executable, "-m", *command)
        check_refusal(done.code, done.err, *names)
        assert done.out == ""


PARAMS = {
    "a bomb of aliases": bad_params.BOMB,
    "a list of lists of lists": "base: " + "[" * 50_000,
    "a key twice": bad_params.TEXT.replace("  lr: 0.01", "  lr: 0.01\n  lr: 0.004"),
    "a date that is none": bad_params.TEXT.replace("seed: 0", "seed: 2021-02-31"),
    "a number of 5000 digits": bad_params.TEXT.replace("rows: 4000", "rows: " + "9" * 5000),
    "code": "base: !!python/object/apply:os.system ['touch sprung']",
    "UTF-16": bad_params.TEXT.encode("utf-16"),
    "a name with an escape sequence": bad_params.TEXT.replace("next_6h:", '"\\e[31mnext":'),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if n < 2 else pytest.mark.slow) for n, name in enumerate(PARAMS)]
)
def test_validate(name: str, place: Project) -> None:
    content = PARAMS[name]
    (place.root / "params.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(place, "pipelines", "validate", names=("params.yaml",))


def _series(data: bytes, **section: Any) -> tuple[bytes, dict[str, Any]]:
    return data, {"kind": "series", "path": "data/raw/own.csv"} | section


def _har(data: bytes) -> tuple[bytes, dict[str, Any]]:
    return data, {"kind": "har", "path": "data/raw/own.zip"}


def _npz(**changes: bytes) -> tuple[bytes, dict[str, Any]]:
    parts = {f"{key}.npy": npy(value) for key, value in array_parts().items()}
    return npz(parts | {f"{k}.npy": v for k, v in changes.items()}), {"kind": "arrays", "path": "data/raw/own.npz"}


def _link() -> bytes:
    info = zipfile.ZipInfo("UCI HAR Dataset/link")
    info.external_attr = 0o120777 << 16
    return pack([*members(har_files()), (info, b"/etc/passwd")])


FILES: dict[str, Callable[[], tuple[bytes, dict[str, Any]]]] = {
    "a zip that leads out": lambda: _har(pack([*members(har_files()), (zipfile.ZipInfo("../../evil"), b"x")])),
    "an array of Python objects": lambda: _npz(y_train=npy(np.array([Trap()] * 12, dtype=object))),
    "a header that promises terabytes": lambda: _npz(
        x_train=header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3, 2)}")
    ),
    "names of no bytes": lambda: _npz(
        y_classes=header("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000,)}")
    ),
    "a zip with a link": lambda: _har(_link()),
    "zips in zips": lambda: _har(nested(pack(members(har_files())), 9)),
    "a table in UTF-16": lambda: _series(series_text().encode("utf-16")),
    "a table with an escape sequence": lambda: _series(series_text().replace("5,", "\x1b[2J,", 1).encode()),
    "a date in no calendar": lambda: _series(series_text().replace("2020-01-01 05", "2020-02-31 05").encode()),
    "an unknown form of dates": lambda: _series(series_text().encode(), date_format="%Q"),
    "another file than the registered one": lambda: _series(series_text().encode(), path="../outside.csv"),
    "an absolute path": lambda: _series(series_text().encode(), path="/etc/passwd"),
    "an empty table": lambda: _series(b""),
    "a tar.gz with a link": lambda: (linked_cifar10(), {"kind": "cifar10", "path": "data/raw/own.gz"}),
    "a tar.gz that is cut off": lambda: (
        tar_gz(cifar10_members())[:-9],
        {"kind": "cifar10", "path": "data/raw/own.gz"},
    ),
    "one stamp for all": lambda: _series(b"date,a\n" + b"2020-01-01,1\n" * 20),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if n < 2 else pytest.mark.slow) for n, name in enumerate(FILES)]
)
def test_prepare(
    name: str, place: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stage in this process: to start one that loads torch takes ten times as long."""
    data, section = FILES[name]()
    raw = place.root / "data/raw"
    file = raw / Path(section["path"]).with_stem("own").name
    file.write_bytes(data)
    place.run(sys.executable, "-m", "pipelines", "data", "add", "own", str(file)).well()
    params = settings()
    params["prepare"]["sources"]["own"] = section
    place.use(params)
    monkeypatch.chdir(place.root)
    monkeypatch.setattr(sys, "argv", ["mtl.stages.prepare", "own"])
    with unchanged(place), pytest.raises(SystemExit) as ended:
        prepare.main()
    out, err = capsys.readouterr()
    check_refusal(ended.value.code, err, "data/raw/own", "prepare.sources.own")
    assert out == ""
    assert not (place.root / "data/prepared").exists()


@pytest.mark.slow
def test_a_set_whose_header_lies(place: Project) -> None:
    raw = place.root / "data/raw"
    (raw / "own_TRAIN.ts").write_text(ts_text(ts_cases(10)).replace("@dimensions 2", "@dimensions ²"))
    (raw / "own_TEST.ts").write_text(ts_text(ts_cases(4)))
    place.run(sys.executable, "-m", "pipelines", "data", "add", "own", str(raw / "own_TRAIN.ts")).well()
    params = settings()
    params["prepare"]["sources"]["own"] = {"kind": "uea", "path": "data/raw/own"}
    place.use(params)
    refused(place, "mtl.stages.prepare", "own", names=("data/raw/own_TRAIN.ts, line ",))


@pytest.mark.slow
@pytest.mark.parametrize("sums", [b"\xff\xfe", b"", b"0" * 64 + b"  ../../own.csv\n"])
def test_a_hostile_mirror(sums: bytes, place: Project, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "SHA256SUMS").write_bytes(sums)
    (mirror / "ETTh1.csv").write_text(series_text())
    refused(place, "pipelines", "data", "get", "etth1", "--from", str(mirror), names=("ETTh1.csv", "SHA256SUMS"))


@pytest.mark.slow
def test_a_preset_that_is_no_text(place: Project) -> None:
    (place.root / "presets/own.yaml").write_bytes(b"\xff\xfe")
    refused(place, "pipelines", "preset", "use", "own", names=("presets/own.yaml",))


@pytest.mark.slow
def test_the_preset_of_a_params_file_that_is_no_text(place: Project) -> None:
    (place.root / "params.yaml").write_bytes(b"\xff\xfe")
    refused(place, "pipelines", "preset", "use", "smoke", names=("params.yaml",))
