"""Stage `simple`: simple models of every task, of which validation data choose one; none with `simple.models: []`."""

from pathlib import Path

from mtl.files import whole_folder, write_json
from mtl.paths import LEFT_OUT
from mtl.stages.common import stage

SECTIONS = ("base", "tasks", "simple")
FOLDER = Path("outputs/simple")


def main() -> None:
    """Writes outputs/simple/<task>/seed-S/, or outputs/simple/left_out.json."""
    with stage(SECTIONS) as config:
        if not config.simple.enabled:
            with whole_folder(FOLDER) as fresh:
                write_json(fresh / LEFT_OUT, {"left_out": True})
            print("simple.models is empty: no task has a simple model to be compared with.")
            return
        (FOLDER / LEFT_OUT).unlink(missing_ok=True)
        from mtl import tracking
        from mtl.experiment.simple import run_simple, same_samples, simple_paths
        from mtl.jobs.local import Job, run_jobs

        jobs = []
        for seeds in same_samples(config):
            named = f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
            jobs.append(Job(f"simple / {named}", simple_paths(config, seeds)[0], run_simple, (config, seeds)))
        run_jobs(jobs, config.base)
        folders = [where.folder for where in simple_paths(config, config.base.seeds)]
        tracking.publish_stage("simple", folders)


if __name__ == "__main__":
    main()
