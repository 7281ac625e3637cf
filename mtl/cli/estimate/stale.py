"""Stages that `mtl repro` will run, as DVC's status tells them; imports no torch."""

import json
import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.cli.preflight import DVC_FILE
from mtl.config.yaml_file import read_yaml

KEY = re.compile(r"/?\$\{key\}.*")
PATIENCE = 60.0
"""Seconds that are left to `dvc status`; it takes one or two."""


@dataclass(frozen=True)
class Stale:
    """Stages by what is known of them before they run; a stage of a map is `stage@key`."""

    changed: frozenset[str] | None
    """Stages whose settings, code, inputs or results have changed; None where DVC could not say: all of them may."""
    behind: frozenset[str]
    """Kinds of stages (`finetune`, without a key) that read what a changed stage writes anew, the same or not."""

    def runs(self, stage: str) -> bool:
        """True when a stage will run; of one method or task, such as `finetune@joint`, when its stage will."""
        return self.changed is None or stage in self.changed or stage.partition("@")[0] in self.changed

    def may_run(self, stage: str) -> bool:
        """True when a stage will run, or will where what it reads comes out otherwise than before."""
        return self.runs(stage) or stage.partition("@")[0] in self.behind


EVERYTHING = Stale(None, frozenset())


class Asked:
    """`dvc status` in a process of its own, so that other work goes on beside it.

    Args:
        root: folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mtl.cli.repro", "status", "--json"],
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def answer(self) -> Stale:
        """Stages that it names; everything where it fails, as beside another DVC at work."""
        try:
            output, _ = self.process.communicate(timeout=PATIENCE)
            content = json.loads(output)
        except (subprocess.TimeoutExpired, ValueError):
            self.process.kill()
            self.process.wait()
            return EVERYTHING
        if self.process.returncode or not isinstance(content, dict):
            return EVERYTHING
        stages: dict[str, Any] = read_yaml(self.root / DVC_FILE)["stages"]
        return stale(content, stages)


def stale(status: Collection[str], stages: dict[str, Any]) -> Stale:
    """Stages that have changed, and those behind them.

    Args:
        status: names of the stages that DVC calls changed.
        stages: section `stages` of dvc.yaml.
    """
    kinds = {name.partition("@")[0] for name in status}
    behind: set[str] = set()
    fresh = kinds & set(stages)
    while fresh:
        written = [path for kind in fresh for path in _paths(stages[kind], "outs", "metrics", "plots")]
        fresh = {
            kind for kind, stage in stages.items()
            if kind not in behind and any(_meet(path, read) for path in written for read in _paths(stage, "deps"))
        }  # fmt: skip
        behind |= fresh
    return Stale(frozenset(status), frozenset(behind))


def needed(targets: Collection[str], stages: dict[str, Any]) -> set[str] | None:
    """Kinds of stages that some targets are and build on; None for all, as for targets that are files."""
    kinds = {target.partition("@")[0] for target in targets}
    if not kinds or not kinds <= set(stages):
        return None
    reached: set[str] = set()
    while kinds:
        reached |= kinds
        reads = [path for kind in kinds for path in _paths(stages[kind], "deps")]
        kinds = {
            kind for kind, stage in stages.items()
            if kind not in reached
            and any(_meet(path, read) for path in _paths(stage, "outs") for read in reads)
        }  # fmt: skip
    return reached


def _paths(stage: dict[str, Any], *keys: str) -> list[str]:
    """Files and folders that a stage names, without the key of a map."""
    entries = [entry for key in keys for entry in stage.get("do", stage).get(key, [])]
    return [KEY.sub("", entry if isinstance(entry, str) else next(iter(entry))) for entry in entries]


def _meet(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
