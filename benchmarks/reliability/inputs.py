"""Generated inputs: damaged files and odd settings of every kind of source prepare, or are refused in one message.

Each try makes a small project with a good source, does one thing to it (or nothing: it must prepare), registers the
files and calls the functions that `mtl data add` and the stages `prepare` and `index` call. An exception that is no
message to the user, a second line, a traceback, a file that a refusal leaves behind, or no end after 30 s is a loss.
"""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.reliability import damage
from benchmarks.reliability.campaign import Attempt, Outcome
from benchmarks.reliability.forms import FORMS, Form
from mtl.config import Config, Source, parse_config
from mtl.data.files.register import add
from mtl.experiment.objects import load_tasks
from mtl.stages.index import index
from mtl.stages.prepare import prepare
from tests.helpers.cases import Refusal, attempt

ENCODERS = {"windows": {"kind": "linear", "input_len": 2, "width": 16}, "texts": {"kind": "text", "width": 16}}
NAMES = ("data/raw", "own", "params.yaml", "tasks.", "plugin_")
"""A message names a file, the source, a setting or a plugin."""
WAYS = ("nothing", "bytes", "inside", "inside", "inside", "setting", "setting", "file", "twice", "after")
"""Things that are done to a source with files: two in ten are a setting, one in ten is nothing at all."""
WITH_FILES = ("series", "table", "har", "uea", "arrays", "mnist", "multi_mnist", "cifar10", "cifar100")
OPTIONS = ("name", "rows", "values", "columns", "window", "borders", "fold", "folds", "labels", "classes", "numbers",
           "units", "notes", "more")  # fmt: skip
"""Arguments of the plugin in tests/helpers/data_files.py, most of them fields of what it returns."""


def params(form: Form, section: dict[str, Any]) -> dict[str, Any]:
    """A whole params.yaml with this source."""
    inputs = section.get("inputs")
    texts = isinstance(inputs, dict) and "text" in inputs.values()
    windows = form.kind in ("series", "har", "uea", "arrays", "sensors", "python")
    encoder = ENCODERS["texts"] if texts else ENCODERS["windows"] if windows else {"kind": "mlp"}
    if form.kind in ("har", "uea", "arrays"):
        encoder = {"kind": "recurrent", "width": 8}
    return {
        "prepare": {"sources": {"own": section}}, "tasks": form.tasks, "encoder": encoder,
        "finetune": {"methods": {"all": {"kind": "equal"}}},
    }  # fmt: skip


@contextmanager
def begin(place: Path, kind: str) -> Iterator[Attempt]:
    """Attempts on one kind of source."""
    yield partial(_attempt, kind)


def _attempt(kind: str, number: int) -> Outcome:
    draw = random.Random(f"{kind} {number}")
    make = FORMS[kind][number % len(FORMS[kind])]
    way = _way(kind, draw)
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        root = Path(folder) / f"outer/project_{kind}_{number}"
        root.mkdir(parents=True)
        (root.parent / "outside.csv").write_text("date,a\n1,2\n")
        form = make(root)
        section = _damaged(form, way, root, draw)
        told = f"{kind} with {'no fault' if way == 'nothing' else 'a fault'}"
        lost: list[str] = []
        try:
            came = prepared(form, section, root, draw if way == "after" else None)
        except AssertionError as error:
            return Outcome(told, "neither", (f"{way}: {error}"[-2000:],))
        if (way == "nothing" and came != "prepared") or (way == "after" and came == "prepared"):
            lost.append(f"{way}: {came}")
        return Outcome(told, came if came == "prepared" else "refused in one message", tuple(lost))


def way_of(kind: str, number: int) -> str:
    """The thing that try n does to a source."""
    return _way(kind, random.Random(f"{kind} {number}"))


def _way(kind: str, draw: random.Random) -> str:
    return draw.choice(WAYS if kind in WITH_FILES else ("nothing", "setting", "setting", "setting"))


def _damaged(form: Form, way: str, root: Path, draw: random.Random) -> dict[str, Any]:
    """Does harm to the files or returns other settings."""
    section = form.section
    fields = list(TypeAdapter(Source).validate_python(section).__class__.model_fields)
    files = sorted(path for path in (root / "data/raw").rglob("*") if path.is_file())
    if way in ("setting", "twice") and form.kind == "python" and draw.random() < 0.8:
        section = section | {"options": {draw.choice(OPTIONS): draw.choice(damage.VALUES)}}
    elif way in ("setting", "twice"):
        section = damage.setting(section, fields, draw)
    if way in ("bytes", "inside", "twice"):
        file = draw.choice(files)
        change = damage.bytes_of if way == "bytes" else damage.inside
        file.write_bytes(change(file.read_bytes(), draw))
    if way == "file":
        file = draw.choice(files)
        match draw.randrange(6):
            case 0:
                file.unlink()
            case 1:
                file.write_bytes(b"")
            case 2:
                file.unlink()
                file.mkdir()
            case 3:
                file.unlink()
                file.symlink_to(root.parent / "outside.csv")
            case 4:
                file.chmod(0)
            case _:
                file.write_bytes(draw.choice(files).read_bytes()[::-1])
    return section


def prepared(form: Form, section: dict[str, Any], root: Path, after: random.Random | None = None) -> str:
    """`prepared`, or the message that refused a source.

    Args:
        form: of the source; its files are below `root`.
        section: its settings.
        root: folder of the project; a refusal may leave nothing in the folder around it.
        after: draws a file that is changed after it was registered; None: none is.

    Raises:
        AssertionError: there was neither.
    """
    added = attempt(lambda: add("own", [root / path for path in form.add], root), root.parent, *NAMES)
    if isinstance(added, Refusal):
        return added.message
    files = sorted(path for path in (root / "data/raw").rglob("*") if path.is_file() and path.suffix != ".json")
    if after is not None and files:
        file = after.choice(files)
        file.write_bytes(file.read_bytes() + b"\n")

    def read() -> Config:
        config = parse_config(params(form, section))
        prepare(config.prepare.sources, "own", root)
        return config

    config = attempt(read, root.parent, *NAMES)
    if isinstance(config, Refusal):
        return config.message
    kept = root.parent / "kept"
    shutil.copytree(root / "data/prepared", kept)

    def built() -> None:
        index(config, root)
        load_tasks(config, 0, root)

    done = attempt(built, kept, *NAMES)
    return done.message if isinstance(done, Refusal) else "prepared"
