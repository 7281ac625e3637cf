"""Stage `simple`: simple models of every task, of which validation data choose one; none with `simple.models: []`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtl.config import Config
from mtl.files import whole_folder, write_json
from mtl.paths import LEFT_OUT
from mtl.stages.common import stage

if TYPE_CHECKING:
    from mtl.jobs.local import Job

SECTIONS = ("base", "tasks", "simple")
FOLDER = Path("outputs/simple")


def main() -> None:
    """Writes outputs/simple/<task>/seed-S/, or outputs/simple/left_out.json."""
    with stage(SECTIONS) as config:
        if leave_out(config):
            print("simple.models is empty: no task has a simple model to be compared with.")
            return
        from mtl import tracking
        from mtl.experiment.simple import simple_paths
        from mtl.jobs.local import run_jobs

        run_jobs(jobs(config), config.base)
        folders = [where.folder for where in simple_paths(config, config.base.seeds)]
        tracking.publish_stage("simple", folders)


def leave_out(config: Config, root: Path = Path()) -> bool:
    """Marks that no task has simple models; returns False where they are asked for.

    Args:
        config: the whole configuration.
        root: folder of the project.
    """
    if config.simple.enabled:
        (root / FOLDER / LEFT_OUT).unlink(missing_ok=True)
        return False
    with whole_folder(root / FOLDER) as fresh:
        write_json(fresh / LEFT_OUT, {"left_out": True})
    return True


def jobs(config: Config, root: Path = Path()) -> "list[Job]":
    """Fits of the simple models of every task, for the seeds that share samples.

    Args:
        config: the whole configuration.
        root: folder of the project, whose prepared data tell which seeds these are.
    """
    from mtl.experiment.simple import run_simple, same_samples, simple_paths
    from mtl.jobs.local import Job

    made = []
    for seeds in same_samples(config, root):
        named = f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
        made.append(Job(f"simple / {named}", simple_paths(config, seeds)[0], run_simple, (config, seeds)))
    return made


if __name__ == "__main__":
    main()
