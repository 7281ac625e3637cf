"""`reference/<preset>.json`: the results that a preset gave where they were written, to compare other machines with.

On a machine of the same description (`mtl.cli.check.machine`) every file should have the same hash; on others the
test metrics of every run, and their means, should lie within the tolerance that the file states.
"""

from collections.abc import Iterator
from pathlib import Path

from mtl.cli.check import artefacts
from mtl.cli.check.machine import describe
from mtl.cli.check.reference_file import FOLDER, ByRun, Reference, known, read, tolerances
from mtl.config import PARAMS, Config
from mtl.errors import UserError
from mtl.evaluation.runs import read_runs
from mtl.experiment.identity import digest
from mtl.files import write_json
from mtl.paths import MEANS
from mtl.results.means import Means
from mtl.setup import presets

MEAN = "mean of "
"""Begins the name of a method's means over seeds."""


def write(config: Config, root: Path = Path()) -> Path:
    """Writes the results in the working tree, which are up to date, as the reference of the preset they belong to.

    Raises:
        UserError: params.yaml is no preset, or a result cannot be read.
    """
    preset = _preset(root)
    metrics = _metrics(config, root)
    reference = Reference(
        format=1,
        settings=settings_hash(config),
        machine=describe(config.base),
        tolerance=tolerances({metric for _, _, metric in _keys(metrics)}),
        metrics=metrics,
        sha256=artefacts.hashes(root, keys=False),
    )
    path = FOLDER / f"{preset}.json"
    write_json(root / path, reference.model_dump(mode="json"))
    return path


def compare(config: Config, root: Path = Path()) -> list[str]:
    """Lines on what differs from the reference, in the order of the stages; prints what was compared.

    Raises:
        UserError: params.yaml is no preset, there is no reference for it, or it cannot be read.
    """
    preset = _preset(root)
    path = FOLDER / f"{preset}.json"
    reference = read(path, root)
    if reference.settings != settings_hash(config):
        raise UserError(f"{path} is of other settings: the preset was changed since; `mtl check --write-reference`.")
    ours, theirs = describe(config.base), reference.machine
    wrong = list(_outside(reference, _metrics(config, root)))
    total = sum(len(values) for by_task in reference.metrics.values() for values in by_task.values())
    print(f"{path}: {total} metrics compared within its tolerance, {len(wrong)} outside.")
    other = [
        f"{key} {ours.get(key)} here, {theirs.get(key)} there"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]
    if other:
        print(f"Only tolerances were compared, no hashes: it was written on another machine ({'; '.join(other)}).")
        return wrong
    # JSON keeps no order of stages: dvc.yaml does.
    here = artefacts.hashes(root, keys=False)
    there = {stage: reference.sha256.get(stage, {}) for stage in here} | reference.sha256
    changed = [stage for stage in artefacts.compare(there, here) if stage.different]
    files, differ = sum(map(len, here.values())), sum(len(stage.different) for stage in changed)
    print(f"The machine is described alike, so hashes were compared too: {files} files, {differ} differ.")
    return [f"{stage.stage}: {stage.different[0]} is not the file of {path}" for stage in changed] + wrong


def _preset(root: Path) -> str:
    name = presets.matching(root)
    if name is None:
        raise UserError(
            f"{PARAMS} is no preset, and references are those of presets: `mtl preset use NAME` and `mtl repro` "
            f"first; {known(root)}."
        )
    return name


def settings_hash(config: Config) -> str:
    """Hash of the settings that results depend on."""
    content = config.model_dump(
        mode="json",
        by_alias=True,
        exclude={"tracking": True, "tune": True, "base": {"jobs"}, "evaluate": {"trials", "shared_by", "quick"}},
    )
    # These came after the first references, whose numbers are those of their defaults.
    if content["base"]["precision"] == "float32":
        del content["base"]["precision"]
    sampler = content["train"]["sampler"]
    if sampler["shuffle"] == "exact":
        for name in ("shuffle", "block", "buffer"):
            del sampler[name]
    if sampler["bucket_steps"] is None:
        del sampler["bucket_steps"]
    return digest(content)


def _metrics(config: Config, root: Path) -> ByRun:
    means = Means.read(root / MEANS).by_method
    runs = {run.path.folder.as_posix(): run.test for run in read_runs(config, root)}
    return runs | {MEAN + method: tasks for method, tasks in means.items()}


def _outside(reference: Reference, measured: ByRun) -> Iterator[str]:
    """Metrics that are further from the reference than allowed, or that one side lacks."""
    for run, task, metric in sorted({*_keys(reference.metrics), *_keys(measured)}):
        there, here = (side.get(run, {}).get(task, {}).get(metric) for side in (reference.metrics, measured))
        if there is None or here is None:
            yield f"{run}: {task} {metric} is missing {'in the reference' if there is None else 'here'}"
            continue
        allowed = reference.tolerance.mean if run.startswith(MEAN) else reference.tolerance.run
        limit = allowed[metric].limit(there) if metric in allowed else 0.0
        if not abs(here - there) <= limit:
            yield f"{run}: {task} {metric} is {here:.6g}, the reference {there:.6g}, allowed ± {limit:.2g}"


def _keys(metrics: ByRun) -> Iterator[tuple[str, str, str]]:
    for run, by_task in metrics.items():
        yield from ((run, task, metric) for task, values in by_task.items() for metric in values)
