"""Stage `index`: lists the prepared sources that params.yaml names, with their hashes, in data/index.json.

Later stages depend on this file and not on the folder of all prepared sources: a source that another preset left
behind would change that folder's hash, and everything would be trained again.
"""

import hashlib
from pathlib import Path

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import PREPARED
from stages.common import stage

SECTIONS = ("prepare",)


def main() -> None:
    """Writes data/index.json."""
    with stage(SECTIONS) as config:
        found = {}
        for name in config.prepare.sources:
            meta = PREPARED / name / "meta.json"
            if not meta.exists():
                raise UserError(f"{meta} is missing; run `dvc repro prepare@{name}`.")
            found[name] = hashlib.sha256(meta.read_bytes()).hexdigest()
        write_json(Path("data/index.json"), found)


if __name__ == "__main__":
    main()
