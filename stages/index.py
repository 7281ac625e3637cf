"""Stage `index`: lists the prepared sources that params.yaml names, with their hashes, in data/index.json.

Later stages depend on this file and not on the folder of all prepared sources: a source that another preset left
behind would change that folder's hash, and everything would be trained again. What the tasks name is looked up here as
well, since all sources are prepared now and nothing is trained yet.
"""

import hashlib
import json
from pathlib import Path

from mtl.config.names import check_names
from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import PREPARED
from stages.common import stage

SECTIONS = ("prepare", "tasks")


def main() -> None:
    """Writes data/index.json."""
    with stage(SECTIONS) as config:
        found = {}
        for name in config.prepare.sources:
            meta = PREPARED / name / "meta.json"
            if not meta.exists():
                raise UserError(f"{meta} is missing; run `dvc repro prepare@{name}`.")
            text = meta.read_bytes()
            found[name] = hashlib.sha256(text).hexdigest()
            held = json.loads(text)
            for task_name, task in config.tasks.items():
                if task.source == name:
                    check_names(task_name, task, held["columns"], held["classes"], held.get("kind") == "images")
        write_json(Path("data/index.json"), found)


if __name__ == "__main__":
    main()
