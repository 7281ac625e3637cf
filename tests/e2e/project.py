"""A project folder of its own, as a user has it after `git clone`, and the commands that the user types in it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Json = dict[str, Any]

SEEDS = [0, 1]
TASKS = ["ahead", "fault"]
STARTS = ["random", "pretrained"]
METHODS = {"joint": "random", "handed": "pretrained"}
"""Method → its start, in `settings`."""
IDENTITY = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false"]


def settings() -> Json:
    """Smaller than the preset `smoke`, and every part of the pipeline takes part."""
    return {
        "base": {"seeds": list(SEEDS), "device": "cpu", "threads": 1, "precision": "float32", "jobs": 1},
        "prepare": {
            "sources": {
                "sensors": {"kind": "sensors", "seed": 0, "rows": 300, "regimes": 2, "channels": 2,
                            "fault_labels": 100, "max_horizon": 6},
            }
        },
        "tasks": {
            "ahead": {"kind": "forecast", "source": "sensors", "input_len": 24, "horizon": 6},
            "fault": {"kind": "binary", "source": "sensors", "input_len": 24, "label": "fault"},
        },
        "simple": {"models": None, "kernels": 20},
        "encoder": {"kind": "timedart", "d_model": 16, "heads": 2, "layers": 1, "d_ff": 32,
                    "classification": {"hidden": 8}},
        "train": {"epochs": 1, "lr": 0.001, "gradient_probes": 1, "sampler": {"kind": "uniform"}},
        "pretrain": {"objective": {"kind": "diffusion", "steps": 50}, "input_len": 24, "epochs": 1},
        "baseline": {"starts": [{"init": "random"}, {"init": "pretrained"}]},
        "finetune": {
            "methods": {
                "joint": {"kind": "weighted", "lambda": 0.2, "schedule": "warmup"},
                "handed": {"kind": "sequential", "first": "forecast", "init": "pretrained"},
            }
        },
        "cluster": {"source": None},
        "specialise": {"weights": None},
        "evaluate": {"confidence": 0.95, "slices": []},
        "tracking": {"enabled": True},
    }  # fmt: skip


def own_settings() -> Json:
    """`settings` on a CSV file of the user's: other tasks (one of the same name), seeds, start and methods."""
    changed = settings()
    changed["base"] |= {"seeds": [2, 1], "jobs": 2}
    changed["prepare"]["sources"] = {"mine": {"kind": "series", "path": "data/raw/mine.csv", "labels": ["state"]}}
    changed["tasks"] = {
        "ahead": {"kind": "forecast", "source": "mine", "input_len": 24, "horizon": 6},
        "state": {"kind": "classification", "source": "mine", "input_len": 24, "label": "state"},
    }
    changed["pretrain"] = {"objective": {"kind": "none"}}
    changed["baseline"] = {"starts": [{"init": "random"}]}
    changed["finetune"]["methods"] = {"joint": {"kind": "weighted", "lambda": 0.5, "schedule": "constant"}}
    changed["tracking"] = {"enabled": False}
    return changed


def own_csv(rows: int = 300, bad_row: int | None = None) -> str:
    """Hours of a load that swings, a temperature that wanders, and whether the load is low, middle or high."""
    draw = np.random.default_rng(5)
    load = np.sin(np.arange(rows) / 4) + 0.1 * draw.standard_normal(rows)
    temperature = 20 + np.cumsum(draw.standard_normal(rows)) / 10
    lines = ["date,load,temperature,state"]
    for row in range(rows):
        state = "low" if load[row] < -0.4 else "high" if load[row] > 0.4 else "middle"
        shown = "" if row == bad_row else f"{load[row]:.4f}"
        lines.append(f"2021-03-{1 + row // 24:02d} {row % 24:02d}:00:00,{shown},{temperature[row]:.3f},{state}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def ran(self) -> list[str]:
        """The stages that DVC computed, in order."""
        return re.findall(r"^Running stage '([^']+)'", self.out, re.MULTILINE)

    @property
    def trained(self) -> list[str]:
        """Targets of which a network was trained: `pretrain`, `baseline@TASK` and `finetune@METHOD`."""
        told = re.findall(r"^(stl / )?(\w+)( / .*)?: done, \d+ epochs?$", self.out, re.MULTILINE)
        targets = ["pretrain" if name == "pretrain" else f"{'baseline' if alone else 'finetune'}@{name}"
                   for alone, name, _ in told]  # fmt: skip
        return sorted(set(targets))

    def well(self) -> "Done":
        """Itself, if the command went well."""
        assert self.code == 0, self.out + self.err
        return self


@dataclass(frozen=True)
class Project:
    """A project folder."""

    root: Path

    def run(self, *command: str, **environment: str) -> Done:
        """Runs a command in the folder, with nothing of the surroundings that could change what it does."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(**environment), capture_output=True, text=True, timeout=900
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def environment(self, **changes: str) -> dict[str, str]:
        """Environment of every command in this folder."""
        outside = ("GIT_", "DVC_", "MLFLOW_", "MTL_", "COLUMNS", "PYTHONPATH")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        kept |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.root.parent / ".site")}
        kept |= {"MTL_ESTIMATE": "no"}  # Five seconds for each command; tests of their own look at it.
        return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"} | changes

    def mtl(self, *arguments: str, **environment: str) -> Done:
        """`mtl …`"""
        return self.run(sys.executable, "-m", "pipelines", *arguments, **environment)

    def dvc(self, *arguments: str) -> Done:
        """`dvc …`"""
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def use(self, params: Json) -> None:
        """Writes params.yaml."""
        (self.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def json(self, path: str) -> Any:
        return json.loads((self.root / path).read_text(encoding="utf-8"))

    def commit(self) -> None:
        """Everything that git does not ignore."""
        self.run("git", "add", "--all").well()
        self.run("git", *IDENTITY, "commit", "--quiet", "--no-verify", "-m", "state").well()

    def contents(self, *below: str) -> dict[str, str]:
        """Path → hash of every file of the folder (or below some paths in it), without caches and git's own."""
        caches = {".git", ".dvc", ".mtl", "__pycache__"}
        tops = [self.root / path for path in below or (".",)]
        files = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.is_file() and not caches & set(path.relative_to(self.root).parts)
        }

    def results(self) -> dict[str, str]:
        """Path → hash of every file that is the same on every machine: all that is computed but measured times."""
        found = self.contents("data/prepared", "data/index.json", "data/tasks.json", "outputs", "results", "report")
        found.pop("report/timings.js", None)
        return found

    def copy(self, target: Path) -> "Project":
        """The whole folder with DVC's cache, but without the MLflow database, which holds absolute paths."""
        shutil.copytree(
            self.root, target, symlinks=True, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts", "tmp")
        )
        return Project(target)


def clone(checkout: Path, target: Path) -> Project:
    """Copies what `git clone` would give: the files of the working tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if not (checkout / name).exists() or name.startswith(("tests/", "docs/", "benchmarks/")):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / name, target / name, follow_symlinks=False)
    made = Project(target)
    made.run("git", "init", "--quiet").well()
    return made
