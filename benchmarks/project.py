"""A copy of this project in a folder of its own, for benchmarks that run stages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import HERE
from mtl.config import Config, SensorsSource, load_config
from mtl.paths import PREPARED
from mtl.setup.presets import DEFAULT, render
from mtl.stages.prepare import prepare


def make_project(folder: Path, preset: str) -> Path:
    """Copies every file that git knows or does not ignore to `folder`, with `preset` as its params.yaml."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines():
        source, target = HERE / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target, follow_symlinks=False)
    (folder / "params.yaml").write_text(render(preset, folder), encoding="utf-8")
    return folder


def change(folder: Path, edits: dict[str, str]) -> Config:
    """Replaces lines of params.yaml (each must occur) and returns the configuration."""
    path = folder / "params.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in edits.items():
        if old not in text:
            raise ValueError(f"params.yaml should hold {old!r}.")
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def one_epoch(folder: Path) -> Config:
    """Sets every training to one epoch; returns the configuration."""
    return _substitute(folder, r"^  epochs: \d+", "  epochs: 1")


def seeds(folder: Path, number: int) -> Config:
    """Sets the seeds to 0 … `number` − 1; returns the configuration."""
    return _substitute(folder, r"\A(.*?^base:\n.*?^  seeds: )\[[^]]*\]", rf"\g<1>{list(range(number))}")


def _substitute(folder: Path, pattern: str, new: str) -> Config:
    path = folder / "params.yaml"
    text, replaced = re.subn(pattern, new, path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    if not replaced:
        raise ValueError(f"params.yaml should hold {pattern}.")
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def run_in(folder: Path, *arguments: str, quiet: bool = True) -> str:
    """Runs `python ARGUMENTS` in the project with the project's own modules; returns its standard output."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None, text=True)  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr or ''}")
    return done.stdout


def environment() -> dict[str, str]:
    """The environment of `run_in`: this Python first, no tracker elsewhere."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "PYTHONPATH")}
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def last_json(output: str) -> Any:
    """The JSON on the last line of a child's output."""
    return json.loads(output.strip().splitlines()[-1])


def with_data(folder: Path, wanted: str) -> str:
    """Makes a project on `wanted`, or on `sensors` if the sources of `wanted` are not prepared; returns the choice."""
    make_project(folder, wanted)
    sources = load_config(folder / "params.yaml").prepare.sources
    files = [name for name, source in sources.items() if not isinstance(source, SensorsSource)]
    if not all((HERE / PREPARED / name / "meta.json").exists() for name in files):
        print(f"{wanted} is not prepared here (mtl preset use {wanted}, mtl data get, dvc repro index): "
              f"{DEFAULT} instead.")  # fmt: skip
        return with_data(folder, DEFAULT)
    for name in sources:
        if name in files:
            shutil.copytree(HERE / PREPARED / name, folder / PREPARED / name)
        else:
            prepare(sources, name, folder)
    return wanted
