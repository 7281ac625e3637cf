"""studies/NAME/study.json and the runs of its trials → what MLflow shows of a study; knows nothing of MLflow.

A trial's run has the names of any training run (`val/<task>/<metric>` by epoch, `best_val/<task>/<metric>`), means over
its seeds; `objective/<name>`, by epoch and with its final value; and `excess/<name>`, how far it lies above what a
constraint allows.
"""

import hashlib
import json
from pathlib import Path
from statistics import fmean

from mtl.paths import STUDIES, TRIALS
from mtl.results.history import History
from mtl.results.study import FILE, Budgets, Spec, Trial, read_study
from mtl.tracking.identity import digest, flat
from mtl.tracking.points import Point
from mtl.tracking.records import Record

STATUS = {"complete": "FINISHED", "infeasible": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
"""State of a trial that came to an end → status of its run."""
COMMON = ("code", "data", "torch", "device", "objectives", "tolerance", "sampler", "sampler_seed", "pruner", "seeds")
"""Keys of a study's spec whose values all arms have in common."""
MAXIMISED = ("accuracy",)
LONGEST_ERROR = 500


def study_names(root: Path) -> list[str]:
    """The studies that were written below a project's folder."""
    return sorted(path.parent.name for path in (root / STUDIES).glob(f"*/{FILE}"))


def study_identity(name: str, root: Path) -> dict[str, str]:
    """Hashes of what a study's parent run stands for."""
    spec = read_study(name, root).spec.plain()
    return {"study": name, "spec": digest({key: spec[key] for key in COMMON})}


def study_params(name: str, root: Path) -> dict[str, object]:
    """Parameters of the parent run: how trials are drawn and judged, and what each arm searches."""
    study = read_study(name, root)
    spec = study.spec.plain()
    params: dict[str, object] = {"trials": study.trials, "arms": ", ".join(study.arms)}
    params |= {key: spec[key] for key in COMMON}
    for arm, held in study.arms.items():
        params |= flat({path.replace("finetune.methods.", ""): json.dumps(dimension, sort_keys=True)
                        for path, dimension in held.spec.plain()["space"].items()}, f"{arm}.space")  # fmt: skip
    return params


def study_records(name: str, root: Path) -> list[Record]:
    """Makes a record for each trial that came to an end."""
    records = []
    for arm, held in read_study(name, root).arms.items():
        for trial in held.trials:
            if trial.state in STATUS:
                records.append(_record(name, arm, held.spec, trial, root))
    return records


def best_points(name: str, root: Path) -> list[Point]:
    """The best feasible value of each arm and objective; `step` is the number of trials."""
    points = []
    for arm, held in read_study(name, root).arms.items():
        complete = [trial.scores for trial in held.trials if trial.state == "complete"]
        for number, objective in enumerate(held.spec.objectives):
            if complete:
                best = max if objective in MAXIMISED else min
                value = best(values[number] for values in complete)
                points.append(Point(f"best/{arm}/{objective}", value, len(complete)))
    return points


def study_tuning(name: str, root: Path) -> Budgets | None:
    """Finished trials of every arm, and whether they are equal (`mtl.config.budgets`); None in a file of old."""
    return read_study(name, root).tuning


def _record(name: str, arm: str, spec: Spec, trial: Trial, root: Path) -> Record:
    state = trial.state
    objectives = spec.objectives
    title = f"{arm}:{trial.number}" + ("" if state == "complete" else f" {state}")  # As `mtl tune --apply` takes it.
    tags = {
        "stage": "trial", "method": arm, "task": "-", "start": "-", "seed": str(trial.number), "study": name,
        "state": state, "attempts": str(1 + len(trial.attempts)),
    }  # fmt: skip
    if trial.error is not None:
        tags["error"] = trial.error[:LONGEST_ERROR]
    points = [Point(f"objective/{objectives[0]}", value, int(step)) for step, value in trial.epochs.items()]
    last = max((point.step for point in points), default=0)
    values = trial.scores if state in ("complete", "infeasible") else []
    points += [Point(f"objective/{objective}", value, last + 1)
               for objective, value in zip(objectives, values, strict=False)]  # fmt: skip
    points += [Point(f"excess/{constraint}", excess) for constraint, excess in trial.constraints.items()]
    points += [Point(f"best_val/{task}/{metric}", value)
               for task, metrics in (trial.val or {}).items() for metric, value in metrics.items()]  # fmt: skip
    points += _curves(root / TRIALS / name / arm / f"trial-{trial.first}")
    params: dict[str, object] = {"arm": arm, "seeds": spec.seeds, **trial.params}
    content = hashlib.sha256(json.dumps(trial.plain(), sort_keys=True).encode()).hexdigest()
    return Record(title, content, tags, points, params, status=STATUS[state])


def _curves(folder: Path) -> list[Point]:
    """Validation metrics by epoch, means over the seeds that have the epoch; none for a trial that did not end."""
    values_at: dict[tuple[str, int], list[float]] = {}
    for path in sorted(folder.glob("outputs/**/history.json")):
        for step, epoch in enumerate(History.read(path).epochs, start=1):
            for task, metrics in epoch.val.items():
                for metric, value in metrics.items():
                    values_at.setdefault((f"val/{task}/{metric}", step), []).append(value)
    return [Point(metric, fmean(values), step) for (metric, step), values in values_at.items()]
