"""A copy of this project in a folder of its own, for benchmarks that run stages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mtl.config import Config, load_config
from mtl.paths import PREPARED
from pipelines.presets import render

HERE = Path(__file__).resolve().parent.parent


def make_project(folder: Path, preset: str) -> Path:
    """Copies every file that git knows or does not ignore to `folder`, with `preset` as its params.yaml."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines():
        source, target = HERE / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
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


def run_in(folder: Path, *arguments: str, quiet: bool = True) -> str:
    """Runs `python ARGUMENTS` in the project with the project's own modules; its standard output."""
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
    """A project on `wanted`, or on `sensors` where the sources of `wanted` are not prepared here; says which."""
    make_project(folder, wanted)
    sources = list(load_config(folder / "params.yaml").prepare.sources)
    if all((HERE / PREPARED / name / "meta.json").exists() for name in sources):
        for name in sources:
            shutil.copytree(HERE / PREPARED / name, folder / PREPARED / name)
        return wanted
    print(f"{wanted} is not prepared here (mtl preset use {wanted}, mtl data get, dvc repro index): sensors instead.")
    (folder / "params.yaml").write_text(render("sensors", folder), encoding="utf-8")
    run_in(folder, "-m", "stages.prepare", "sensors")
    return "sensors"
