"""Stage `index`: lists the prepared sources that params.yaml names, with their hashes, in data/index.json, and the
tasks, in their order, in data/tasks.json.

Later stages depend on the first and not on the folder of all prepared sources: a source that another preset left
behind would change that folder's hash, and everything would be trained again. They also depend on the second instead
of the section `tasks`: DVC takes two orders of a section for the same, while the order of tasks decides which weights
runs start with; and it keeps a copy of a section in dvc.lock for every stage, so that with a thousand tasks it would
spend minutes on that file. What the tasks and `evaluate.slices` name is looked up here as well, since all sources are
prepared now and nothing is trained yet.
"""

import hashlib
import json
from pathlib import Path

from safetensors import safe_open

from mtl.config import Config, Task
from mtl.config.inputs import Held, SourceBase, kind_named
from mtl.config.slices import GROUPS, check_slices
from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import PREPARED
from mtl.stages.common import stage

SECTIONS = ("prepare", "tasks", "evaluate")


def main() -> None:
    """Writes data/index.json and data/tasks.json."""
    with stage(SECTIONS) as config:
        index(config)


def index(config: Config, root: Path = Path()) -> None:
    """Writes data/index.json and data/tasks.json below the folder of a project.

    Raises:
        UserError: a source is not prepared, or does not hold what tasks and slices name.
    """
    hashes = {}
    labels: dict[str, None] = {}
    grouped = False
    for name in config.prepare.sources:
        meta = root / PREPARED / name / "meta.json"
        if not meta.exists():
            raise UserError(f"{PREPARED / name / 'meta.json'} is missing; run `dvc repro prepare@{name}`.")
        text = meta.read_bytes()
        hashes[name] = hashlib.sha256(text).hexdigest()
        meta_of = json.loads(text)
        kind = kind_named(meta_of.get("kind"))
        tasks_here = {task_name: task for task_name, task in config.tasks.items() if task.source == name}
        held = Held.of_meta(name, kind, meta_of)
        if held is None:
            held = _of_table(name, tasks_here, config.prepare.sources[name], root)
        for task_name, task in tasks_here.items():
            task.learns(task_name, held)
        if tasks_here:
            labels |= dict.fromkeys(held.classes)
            grouped |= _grouped(root / PREPARED / name / "arrays.safetensors")
    check_slices(config.evaluate.slices, list(labels), grouped)
    write_json(root / "data/index.json", hashes)
    tasks = [{"name": name} | task.model_dump(mode="json") for name, task in config.tasks.items()]
    write_json(root / "data/tasks.json", tasks)


def _of_table(name: str, tasks: dict[str, Task], section: SourceBase, root: Path) -> Held:
    """Names in a table, whose columns are targets where tasks learn them, and else inputs or nothing; inputs that are
    copies of a target end the stage."""
    from mtl.data.loading.leaks import held_by, leaks
    from mtl.data.loading.store import load_prepared

    data = load_prepared(name, root / PREPARED)
    leaks(tasks, {name: section}, {name: data})
    return held_by(list(tasks.values()), data)


def _grouped(arrays: Path) -> bool:
    """True when a source says whom its samples belong to; only the names of its arrays are read."""
    with safe_open(arrays, framework="numpy") as tensors:
        return GROUPS in tensors.keys()  # noqa: SIM118, it is no dictionary


if __name__ == "__main__":
    main()
