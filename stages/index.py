"""Stage `index`: lists the prepared sources that params.yaml names, with their hashes, in data/index.json, and the
tasks, in their order, in data/tasks.json.

Later stages depend on the first and not on the folder of all prepared sources: a source that another preset left
behind would change that folder's hash, and everything would be trained again. A stage that there is one of for each
task or method depends on the second instead of the section `tasks`: DVC keeps a copy of a stage's sections for every
stage in dvc.lock and writes that file anew after each of them, so a hundred tasks would be a hundred times a hundred
there. DVC also takes two orders of a section for the same, while the order of tasks decides which weights they start
with. What the tasks name is looked up here as well, since all sources are prepared now and nothing is trained yet.
"""

import hashlib
import json
from pathlib import Path

from mtl.config.inputs import Held, kind_named
from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import PREPARED
from stages.common import stage

SECTIONS = ("prepare", "tasks")


def main() -> None:
    """Writes data/index.json and data/tasks.json."""
    with stage(SECTIONS) as config:
        found = {}
        for name in config.prepare.sources:
            meta = PREPARED / name / "meta.json"
            if not meta.exists():
                raise UserError(f"{meta} is missing; run `dvc repro prepare@{name}`.")
            text = meta.read_bytes()
            found[name] = hashlib.sha256(text).hexdigest()
            meta_of = json.loads(text)
            kind, numbers = kind_named(meta_of.get("kind")), meta_of.get("numbers", [])
            held = Held(name, kind, meta_of["columns"], meta_of["classes"], numbers)
            for task_name, task in config.tasks.items():
                if task.source == name:
                    task.learns(task_name, held)
        write_json(Path("data/index.json"), found)
        tasks = [{"name": name} | task.model_dump(mode="json") for name, task in config.tasks.items()]
        write_json(Path("data/tasks.json"), tasks)


if __name__ == "__main__":
    main()
