"""Every stage of a project, one after the other and without DVC; run as a program in the project's folder.

Each stage is its command from dvc.yaml, in a fork of this process: twelve processes that load torch each for themselves
take ten times as long as what they compute.
"""

import multiprocessing
import runpy
import sys
from pathlib import Path

import yaml


def run(command: list[str]) -> None:
    """One stage, `python -m MODULE ARGUMENT…`, as if this process had been started for it."""
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    from mtl.cli.check import artefacts

    for module in ("mtl.experiment.simple", "mtl.stages.evaluate"):
        __import__(module)
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in artefacts.outputs():
        stage, _, key = name.partition("@")
        written = stages[stage].get("do", stages[stage])["cmd"]
        # Forgotten here, so that runpy does not warn that it is loaded twice.
        sys.modules.pop(written.split()[2], None)
        child = multiprocessing.get_context("fork").Process(target=run, args=(written.replace("${key}", key).split(),))
        child.start()
        child.join()
        if child.exitcode != 0:
            sys.exit(f"{name} ended with {child.exitcode}")
