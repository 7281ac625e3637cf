"""Result files → what a run in MLflow shows; knows the files' layout and nothing of MLflow.

Names: `val/<task>/<metric>` and `train/<task>/loss` by epoch, `best_val/<task>/<metric>` of the epoch that was kept,
`test/<task>/<metric>`, and in summaries `delta/<task>`, the change against single-task training in percent. Where
`train.watch_test` asks for them `watched_test/<task>/<metric>` are test metrics by epoch, by which nothing is selected.

Titles are short and begin with what tells runs apart (`s0 stl ahead`, `mean joint`): MLflow's list cuts them off after
some 15 letters.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from mtl.config import Config
from mtl.paths import MODELS, RunPath, run_paths
from mtl.results.statistics import Statistic
from mtl.results.verdicts import Verdicts
from mtl.tracking.identity import PREPARED, flat, resolved

MOST_NAMED = 3
"""Tasks that a title lists before it counts the others."""
SPECIALISED = "specialised/"
OUTPUTS = Path("outputs")
TIMINGS = Path("timings")


@dataclass(frozen=True)
class Point:
    """One value of a metric; `step` is the epoch, 0 for what is measured once."""

    name: str
    value: int | float
    step: int = 0


@dataclass(frozen=True)
class DataUsed:
    """A prepared source."""

    name: str
    digest: str
    """Of its description, which holds the hash of its arrays; 36 characters, as MLflow admits."""
    uri: str
    profile: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One run to be shown."""

    title: str
    content: str
    """sha256 of what it was made from."""
    tags: dict[str, str]
    points: list[Point]
    params: dict[str, object] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    files: dict[Path, str | None] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    folder: Path | None = None
    """Where it was read, if from one folder."""
    status: str = "FINISHED"
    """As MLflow has it: a trial may also have FAILED, or have been pruned (KILLED)."""

    @property
    def place(self) -> tuple[str, ...]:
        """What it is the result of, whatever its content."""
        return tuple(self.tags[key] for key in ("stage", "method", "task", "start", "seed"))


def shown_paths(config: Config, root: Path) -> list[RunPath]:
    """Runs that are mirrored: those that the configuration names, and those of the specialised models."""
    models = read_models(config, root)
    return [
        *run_paths(config),
        *(RunPath("specialise", name, None, seed) for name in models for seed in config.base.seeds),
    ]


def read_models(config: Config, root: Path) -> dict[str, Any]:
    """Specialised models that are there and asked for: name → `tasks` and `weights` of their losses."""
    if config.specialise.weights is None or config.cluster.source is None:
        return {}
    try:
        models: dict[str, Any] = json.loads((root / MODELS).read_text(encoding="utf-8"))["models"]
    except (OSError, ValueError, KeyError):
        return {}  # Not trained yet, being trained anew, or trained for other settings.
    return models


def read_run(config: Config, path: RunPath, root: Path) -> Record | None:
    """The record of a training run, or None when it has not been computed."""
    folder = root / path.folder
    texts = _texts(folder)
    if texts is None:
        return None
    run, history = (json.loads(text) for text in texts.values())
    content = _content(texts)
    plain = resolved(config)
    params: dict[str, object] = {"seed": path.seed} | flat(plain["encoder"], "encoder")
    if path.stage == "pretrain":
        title, method, task, start = f"s{path.seed} pretraining", "pretrain", "-", "-"
        params |= flat(plain["pretrain"], "pretrain")
        sources, points = run["sources"], _pretraining_points(run, history)
    elif path.stage == "specialise":
        name = str(path.name)
        title, method, task, start = f"s{path.seed} {_model_title(name, run['tasks'])}", _model(name), "-", "-"
        params |= flat(plain["train"], "train") | flat(plain["specialise"], "specialise")
        params |= flat(read_models(config, root).get(name, {}), "model")
        sources, points = sorted({config.tasks[t].source for t in run["tasks"]}), _training_points(run, history)
    else:
        baseline = path.stage == "baseline"
        start = run["start"]
        method, task = ("stl", str(path.name)) if baseline else (str(path.name), "-")
        parts = ["stl", task, *([start] if start != "random" else [])] if baseline else [method]
        title = " ".join([f"s{path.seed}", *parts])
        params |= flat(plain["train"], "train") | {"init": run["init"], "freeze": run["freeze"]}
        params |= (
            flat(plain["tasks"][task], "task") if baseline else flat(plain["finetune"]["methods"][method], "method")
        )
        sources, points = sorted({config.tasks[t].source for t in run["tasks"]}), _training_points(run, history)
    tags = {"stage": path.stage, "method": method, "task": task, "start": start, "seed": str(path.seed)}
    files: dict[Path, str | None] = {folder / name: None for name in texts}
    weights = folder / "weights.safetensors"
    if config.tracking.log_weights and weights.exists():
        files[weights] = "weights"
    timing = _timing(run, path, root)
    if timing:
        points += [Point("time/train_seconds", timing["train_seconds"])]
    started, finished = (
        datetime.fromisoformat(timing[k]).timestamp() if timing else None for k in ("started", "finished")
    )
    return Record(title, content, tags, points, params, sources, files, started, finished, folder)


def _model(name: str) -> str:
    """What a specialised model is called among the methods, none of whose names holds a stroke."""
    return f"{SPECIALISED}{name}"


def _model_title(name: str, tasks: Sequence[str]) -> str:
    """With the tasks, where the name does not hold them: `cluster_1 (zero, not_zero, seven)`."""
    if "_".join(tasks) in name:
        return name
    more = f" and {len(tasks) - MOST_NAMED} more" if len(tasks) > MOST_NAMED else ""
    return f"{name} ({', '.join(tasks[:MOST_NAMED])}{more})"


def content_of(folder: Path) -> str | None:
    """sha256 of what a run's record is made from, or None when there is no run."""
    texts = _texts(folder)
    return None if texts is None else _content(texts)


def _texts(folder: Path) -> dict[str, bytes] | None:
    try:
        return {name: (folder / name).read_bytes() for name in ("run.json", "history.json")}
    except (FileNotFoundError, NotADirectoryError):
        return None


def _content(texts: dict[str, bytes]) -> str:
    return hashlib.sha256(b"\0".join(texts.values())).hexdigest()


def summaries(records: Sequence[Record], verdicts: Verdicts) -> list[Record]:
    """One record a method and start, `stl` among them: means over seeds of every task's test metrics, and changes."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.tags["stage"] != "pretrain":
            groups.setdefault((record.tags["method"], record.tags["start"]), []).append(record)
    primary = {task.name: task.metric for task in verdicts.tasks}
    found = []
    for (method, start), members in groups.items():
        values: dict[str, list[float]] = {}
        for record in members:
            for point in record.points:
                if point.name.startswith("test/"):
                    values.setdefault(point.name, []).append(point.value)
        points = [Point(name, fmean(several)) for name, several in sorted(_whole(values).items())]
        for row in verdicts.rows:
            if row.method == method and row.metric == primary[row.task]:
                points += _change(f"delta/{row.task}", row.change)
        for entry in verdicts.methods:
            if entry.name == method:
                points += _change("delta_m", entry.delta_m)
        seeds = {record.tags["seed"] for record in members}
        label = method if method != "stl" or start == "random" else f"stl {start}"
        tags = {"stage": "summary", "method": method, "task": "-", "start": start, "seed": "-"}
        content = hashlib.sha256(repr((sorted(r.content for r in members), points)).encode()).hexdigest()
        params: dict[str, object] = {"seeds": len(seeds)}
        found.append(Record(f"mean {label.removeprefix(SPECIALISED)}", content, tags, points, params))
    return found + _groupings(verdicts)


def _whole(values: dict[str, list[float]]) -> dict[str, list[float]]:
    """Values by `test/<task>/<metric>` of what all seeds have: one may be undefined on some seed's samples."""
    seeds: dict[str, int] = {}
    for name, several in values.items():
        task = name.rpartition("/")[0]
        seeds[task] = max(seeds.get(task, 0), len(several))
    return {name: several for name, several in values.items() if len(several) == seeds[name.rpartition("/")[0]]}


def _groupings(verdicts: Verdicts) -> list[Record]:
    """One record a way to serve all tasks by specialised models; draws and partitions as their mean and their best."""
    metrics = {task.name: task.metric for task in verdicts.tasks}
    found = []
    for row in [] if verdicts.grouping is None else verdicts.grouping.rows:
        if row.kind in ("random", "partition"):
            continue
        method = f"grouping/{row.name}"
        points = [Point(f"test/{task}/{metrics[task]}", value) for task, value in sorted(row.metrics.items())]
        points += [*_change("delta_m", row.delta_m), Point("models", row.models)]
        points.append(Point("parameters", row.parameters))
        tags = {"stage": "summary", "method": method, "task": "-", "start": "-", "seed": "-"}
        content = hashlib.sha256(repr(points).encode()).hexdigest()
        params: dict[str, object] = {"seeds": len(verdicts.seeds), "groups": json.dumps(row.groups)}
        found.append(Record(f"mean {method}", content, tags, points, params))
    return found


def data_used(names: Sequence[str], root: Path) -> list[DataUsed]:
    """The prepared sources that are there, of those named."""
    found = []
    for name in names:
        path = root / PREPARED / name / "meta.json"
        if path.exists():
            text = path.read_bytes()
            meta = json.loads(text)
            profile = {"rows": meta["rows"], "columns": meta["columns"], "splits": [s["count"] for s in meta["splits"]]}
            found.append(DataUsed(name, hashlib.sha256(text).hexdigest()[:36], str(PREPARED / name), profile))
    return found


def _training_points(run: dict[str, Any], history: dict[str, Any]) -> list[Point]:
    points: list[Point] = []
    for step, epoch in enumerate(history["epochs"], start=1):  # Phases of a sequential method count on.
        for split in ("train", "val"):
            points += _by_task(split, epoch[split], step)
        if "test" in epoch:
            points += _by_task("watched_test", epoch["test"], step)
        values = {
            "lr": epoch["lr"],
            "lambda": epoch["lambda"],
            "score": epoch["score"],
            "grad_norm": epoch["grad_norm"],
        }
        values |= {f"weights/{task}": weight for task, weight in (epoch["weights"] or {}).items()}
        gradients = epoch["gradients"] or {"norms": {}, "cosines": {}}
        values |= {f"gradient_norm/{task}": norm for task, norm in gradients["norms"].items()}
        values |= {f"gradient_cosine/{pair.replace('|', '-')}": cosine for pair, cosine in gradients["cosines"].items()}
        values["gradient_cosine/surrogate"] = gradients.get("surrogate")
        points += [Point(name, value, step) for name, value in values.items() if value is not None]
    points += _by_task("best_val", run["val"])
    points += _by_task("test", run["test"])
    points.append(Point("parameters", run["parameters"]["total"]))
    if run["best_epoch"] is not None:
        points.append(Point("best_epoch", run["best_epoch"]))
    return points


def _pretraining_points(run: dict[str, Any], history: dict[str, Any]) -> list[Point]:
    points: list[Point] = []
    for step, epoch in enumerate(history["epochs"], start=1):
        for split in ("train", "val"):
            points += _by_task(split, {"pretrain": epoch[split]}, step)
    return points + _by_task("best_val", {"pretrain": run["val"]})


def _by_task(split: str, values: dict[str, dict[str, Any]], step: int = 0) -> list[Point]:
    return [
        Point(f"{split}/{task}/{metric}", value, step)
        for task, metrics in values.items()
        for metric, value in metrics.items()
        if isinstance(value, int | float)
    ]


def _change(name: str, change: Statistic) -> list[Point]:
    """A mean and, where there are seeds enough, the ends of its interval."""
    head, _, task = name.partition("/")
    low, high = (f"{head}_{end}/{task}".rstrip("/") for end in ("low", "high"))
    values = {name: change.mean, low: change.low, high: change.high}
    return [Point(full, value) for full, value in values.items() if value is not None]


def _timing(run: dict[str, Any], path: RunPath, root: Path) -> dict[str, Any] | None:
    """What this run cost, if it was measured here: times are no part of the results, and may be another run's."""
    file = root / TIMINGS / path.folder.relative_to(OUTPUTS).with_suffix(".json")
    if path.stage == "pretrain" or not file.exists():
        return None
    try:
        timing: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None  # A run of the same name is ending at this moment: its times are not those of this one.
    same = (timing["epochs"], timing["steps"]) == (run["epochs_run"], run["steps"])
    return timing if same else None
