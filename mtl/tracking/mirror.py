"""Publishing: which records are missing in the store, and adding them, each whole."""

import hashlib
import json
import logging
import os
import time
from pathlib import Path

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mtl.config import Config
from mtl.paths import run_paths
from mtl.tracking.address import resolve_uri
from mtl.tracking.identity import digest, flat, identity, resolved
from mtl.tracking.records import Record, data_used, read_run, summaries
from mtl.tracking.store import KEY, Store, locked, open_store

LOG = logging.getLogger("mtl.tracking")
VERDICTS = Path("results/verdicts.json")
SHOWN = (Path("params.yaml"), Path("results"), Path("report/report.html"), Path("report/figures"))
"""Files and folders that go with the parent run, as far as they are there."""
CONTENT = "mtl.content"
FILES = "mtl.files"
SUPERSEDED = "mtl.superseded"
UNREACHABLE = (MlflowException, SQLAlchemyError, OSError)


def mirror(config: Config, root: Path, only: tuple[str, set[Path]] | None) -> tuple[int, int, str | None]:
    """Adds what is missing; `only` (a stage and its folders) leaves out other runs, the summaries and the report.

    Returns:
        How many runs were added, how many were there, and what kept the tracker from being reached.
    """
    uri = resolve_uri(config, root)
    whole = only is None
    paths = [path for path in run_paths(config) if only is None or (path.stage == only[0] and path.folder in only[1])]
    records = [record for path in paths if (record := read_run(config, path, root)) is not None]
    if whole and (root / VERDICTS).exists():
        records += summaries(records, json.loads((root / VERDICTS).read_text(encoding="utf-8")))
    if not records:
        return 0, 0, None
    new = present = 0
    try:
        store = open_store(config, root)
        with locked(uri, root):
            parent = _parent(store, config, root)
            known = _known(store, parent)
            for record in records:
                if known.get(record.place, ("", ""))[1] == record.content:
                    present += 1
                    continue
                if record.place in known:
                    store.tag(known[record.place][0], {SUPERSEDED: "true"})
                summary = record.tags["stage"] == "summary"  # computed by what publishes it
                _add(store, record, parent, root, "computed" if summary or not whole else "cached")
                new += 1
            if whole:
                _show(store, parent, root)
            store.end(parent)
    except UNREACHABLE as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        LOG.warning(
            "MLflow at %s cannot be reached: %s. Results are safe; `mtl sync` publishes them later.", uri, problem
        )
        return new, present, problem
    return new, present, None


def _parent(store: Store, config: Config, root: Path) -> str:
    """The parent run of this configuration, data and code; made if it is not there."""
    parts = identity(config, root)
    key = digest(parts)
    found = store.find(key)
    if found is not None:
        return str(found.info.run_id)
    experiment = os.environ.get("DVC_EXP_NAME", "")
    tags = {KEY: key, "stage": "pipeline", "execution": experiment or "workspace"}
    tags |= {f"mtl.{part}": value for part, value in parts.items()}
    parent = store.start(f"{experiment or 'pipeline'} {key[:8]}", tags)
    store.log(parent, [], flat(resolved(config)))
    store.log_data(parent, data_used(list(config.prepare.sources), root))
    return parent


def _known(store: Store, parent: str) -> dict[tuple[str, ...], tuple[str, str]]:
    """Place → (run id, content) of the complete runs below a parent; what was cut off while publishing is removed."""
    found = {}
    for run in store.children(parent):
        tags = run.data.tags
        if run.info.status != "FINISHED":
            store.client.delete_run(run.info.run_id)
        elif SUPERSEDED not in tags:
            place = tuple(tags[key] for key in ("stage", "method", "task", "start", "seed"))
            found[place] = (run.info.run_id, tags[CONTENT])
    return found


def _add(store: Store, record: Record, parent: str, root: Path, execution: str) -> None:
    """One run below the parent; marked as finished last, so that half a run is recognised."""
    tags = record.tags | {CONTENT: record.content, "execution": execution}
    run_id = store.start(record.title, tags, parent, record.started)
    store.log(run_id, record.points, record.params)
    store.log_data(run_id, data_used(record.sources, root))
    store.log_files(run_id, record.files)
    store.end(run_id, time.time() if record.finished is None else record.finished)


def _show(store: Store, parent: str, root: Path) -> None:
    """Report, figures and tables go with the parent, again when they changed."""
    files: dict[Path, str | None] = {}
    for shown in SHOWN:
        path = root / shown
        for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
            folder = file.relative_to(root).parent.as_posix()
            files[file] = None if folder == "." else folder
    content = digest(
        {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    )
    if store.client.get_run(parent).data.tags.get(FILES) != content:
        store.log_files(parent, files)
        store.tag(parent, {FILES: content})
