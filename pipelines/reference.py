"""`reference/<preset>.json`: the results that a preset gave where they were written, to compare other machines with.

On a machine of the same description (`pipelines.machine`) every file should have the same hash; on others the test
metrics of every run, and their means, should lie within the tolerance that the file states.

PyTorch promises the same bits on one platform and release only (its notes on reproducibility), so the tolerance was
measured, with the kernels of older processors (ATEN_CPU_CAPABILITY, MKL_CBWR, ONEDNN_MAX_CPU_ISA) and with two threads
for one: `smoke` moves by 3e-8 of a loss and by no accuracy; `sensors`, 320 steps long, by 4e-5 of an MSE and 4e-4 of a
loss as long as the same epoch is kept. Where two epochs tie on the validation part another one is kept: then a loss
moved by 1.9 % and an F1 by 1.2 points. The tolerance leaves room for such a jump, about twice as much as was seen;
another seed moves an MSE of `smoke` by 17 % and an accuracy of `sensors` by 2 points (median), and some metric of it
lies outside.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtl.config import PARAMS, Config
from mtl.errors import UserError
from mtl.evaluation.runs import read_runs
from mtl.experiment.identity import digest
from mtl.files import write_json
from pipelines import artefacts, presets
from pipelines.machine import describe

FOLDER = Path("reference")
METRICS = Path("results/metrics.json")
Metrics = dict[str, dict[str, dict[str, float]]]
"""Run's folder, or `mean of <method>` over the seeds → task → test metric."""


class Tolerance(BaseModel):
    """How far a metric may lie from the reference: a share of its value, or a distance."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["relative", "absolute"]
    value: Annotated[float, Field(ge=0)]

    def limit(self, reference: float) -> float:
        return self.value * abs(reference) if self.kind == "relative" else self.value


ERROR = Tolerance(kind="relative", value=0.01)
TOLERANCES = {
    "mse": ERROR,
    "mae": ERROR,
    "mse_original": ERROR,
    "mae_original": ERROR,
    "loss": Tolerance(kind="relative", value=0.05),
    "accuracy": Tolerance(kind="absolute", value=0.025),
    "balanced_accuracy": Tolerance(kind="absolute", value=0.025),
    "macro_f1": Tolerance(kind="absolute", value=0.025),
}
"""Of every metric that a test part is measured by."""


class Reference(BaseModel):
    """Content of a reference file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1]
    settings: str
    """Hash of what the preset was then."""
    machine: dict[str, str]
    tolerance: dict[str, Tolerance]
    metrics: Metrics
    sha256: dict[str, dict[str, str]]
    """Stage → file → hash."""


def write(config: Config, root: Path = Path()) -> Path:
    """Writes the results in the working tree, which are up to date, as the reference of the preset they belong to.

    Raises:
        UserError: params.yaml is no preset, or a result cannot be read.
    """
    preset = _preset(root)
    metrics = _metrics(config, root)
    names = {name for by_task in metrics.values() for values in by_task.values() for name in values}
    reference = Reference(
        format=1,
        settings=_settings(config),
        machine=describe(config.base),
        tolerance={name: TOLERANCES[name] for name in names},
        metrics=metrics,
        sha256=artefacts.hashes(root),
    )
    path = FOLDER / f"{preset}.json"
    write_json(root / path, reference.model_dump(mode="json"))
    return path


def compare(config: Config, root: Path = Path()) -> list[str]:
    """What differs from the reference, a line each, the first stage's first; prints what was compared.

    Raises:
        UserError: params.yaml is no preset, there is no reference for it, or it cannot be read.
    """
    preset = _preset(root)
    path = FOLDER / f"{preset}.json"
    reference = _read(path, root)
    if reference.settings != _settings(config):
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
    here = artefacts.hashes(root)
    there = {stage: reference.sha256.get(stage, {}) for stage in here} | reference.sha256
    changed = [one for one in artefacts.compare(there, here) if one.different]
    files, differ = sum(map(len, here.values())), sum(len(one.different) for one in changed)
    print(f"The machine is described alike, so hashes were compared too: {files} files, {differ} differ.")
    return [f"{one.stage}: {one.different[0]} is not the file of {path}" for one in changed] + wrong


def _preset(root: Path) -> str:
    name = presets.matching(root)
    if name is None:
        raise UserError(
            f"{PARAMS} is no preset, and references are those of presets: `mtl preset use NAME` and `mtl repro` "
            f"first; {_known(root)}."
        )
    return name


def _known(root: Path) -> str:
    names = sorted(path.stem for path in (root / FOLDER).glob("*.json"))
    return f"references exist for {', '.join(names)}" if names else "no reference exists yet"


def _read(path: Path, root: Path) -> Reference:
    try:
        return Reference.model_validate_json((root / path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {_known(root)}. `mtl check --write-reference` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise UserError(f"{path} is no reference: `{place}`: {problem['msg']}.") from None


def _settings(config: Config) -> str:
    """Hash of what results depend on."""
    content = config.model_dump(mode="json", by_alias=True, exclude={"tracking": True, "base": {"jobs"}})
    return digest(content)


def _metrics(config: Config, root: Path) -> Metrics:
    means = json.loads((root / METRICS).read_text(encoding="utf-8"))
    runs = {run.path.folder.as_posix(): run.record["test"] for run in read_runs(config, root)}
    return runs | {f"mean of {method}": tasks for method, tasks in means.items()}


def _outside(reference: Reference, found: Metrics) -> Iterator[str]:
    """Metrics that are further from the reference than allowed, or that one side lacks."""
    for run, task, metric in sorted({*_keys(reference.metrics), *_keys(found)}):
        there, here = (side.get(run, {}).get(task, {}).get(metric) for side in (reference.metrics, found))
        if there is None or here is None:
            yield f"{run}: {task} {metric} is missing {'in the reference' if there is None else 'here'}"
            continue
        limit = reference.tolerance[metric].limit(there) if metric in reference.tolerance else 0.0
        if not abs(here - there) <= limit:
            yield f"{run}: {task} {metric} is {here:.6g}, the reference {there:.6g}, allowed ± {limit:.2g}"


def _keys(metrics: Metrics) -> Iterator[tuple[str, str, str]]:
    for run, by_task in metrics.items():
        yield from ((run, task, metric) for task, values in by_task.items() for metric in values)
