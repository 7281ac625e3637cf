"""Result files → what a run in MLflow shows; knows the files' layout and nothing of MLflow.

Names: `val/<task>/<metric>` and `train/<task>/loss` by epoch, `best_val/<task>/<metric>` of the epoch that was kept,
`test/<task>/<metric>`, and in summaries `delta/<task>`, the change against single-task training in percent, and
`delta_simple/<task>`, that against the task's simple model. Where
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
from mtl.errors import UserError
from mtl.paths import MODELS, RunPath, run_paths
from mtl.results.history import History, PretrainingHistory
from mtl.results.reading import HISTORY, RUN
from mtl.results.record import Pretraining, Run
from mtl.results.serving import Model, Serving
from mtl.results.statistics import Interval
from mtl.results.timing import Timing, timing_file
from mtl.results.verdicts import Row, Unpaired, Verdicts
from mtl.tracking.identity import PREPARED, flat, resolved
from mtl.tracking.points import Point, change_points, pretraining_points, training_points

MOST_NAMED = 3
"""Number of tasks that a title lists before it counts the others."""
SPECIALISED = "specialised/"
LOST = "loses_to_simple"
"""Tag of a summary: its tasks whose networks lose to their simple model; of a parent run, also which networks."""


@dataclass(frozen=True)
class DataUsed:
    """A prepared source."""

    name: str
    digest: str
    """sha256 of its description, which holds the hash of its arrays; 36 characters, as MLflow admits."""
    uri: str
    profile: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One run to be shown."""

    title: str
    content: str
    """sha256 of the files that the record was made from."""
    tags: dict[str, str]
    points: list[Point]
    params: dict[str, object] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    files: dict[Path, str | None] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    folder: Path | None = None
    """Folder that it was read from; None for summaries and trials."""
    status: str = "FINISHED"
    """Status in MLflow's terms: a trial may also have FAILED, or have been pruned (KILLED)."""

    @property
    def place(self) -> tuple[str, ...]:
        """Stage, method, task, start and seed: what it is the result of, whatever its content."""
        return tuple(self.tags[key] for key in ("stage", "method", "task", "start", "seed"))


def shown_paths(config: Config, root: Path) -> list[RunPath]:
    """Runs that are mirrored: those that the configuration names, and those of the specialised models."""
    models = read_models(config, root)
    return [
        *run_paths(config),
        *(RunPath("specialise", name, None, seed) for name in models for seed in config.base.seeds),
    ]


def read_models(config: Config, root: Path) -> dict[str, Model]:
    """Specialised models that are there and asked for, by their names."""
    if config.specialise.weights is None or config.cluster.source is None:
        return {}
    try:
        return Serving.read(root / MODELS).models
    except UserError:
        return {}  # Not trained yet, being trained anew, or trained for other settings.


def read_run(config: Config, path: RunPath, root: Path) -> Record | None:
    """The record of a training run, or None when it has not been computed."""
    folder = root / path.folder
    texts = _texts(folder)
    if texts is None:
        return None
    shown = _pretraining(config, path, texts) if path.stage == "pretrain" else _training(config, path, texts, root)
    tags = {
        "stage": path.stage, "method": shown.method, "task": shown.task, "start": shown.start, "seed": str(path.seed),
    }  # fmt: skip
    files: dict[Path, str | None] = {folder / name: None for name in texts}
    weights = folder / "weights.safetensors"
    if config.tracking.log_weights and weights.exists():
        beside = folder / "model.json"  # a pretraining has none
        files |= {file: "weights" for file in (weights, beside) if file.exists()}
    points, timing = shown.points, shown.timing
    started = finished = None
    if timing is not None:
        points = [*points, Point("time/train_seconds", timing.train_seconds)]
        started, finished = (datetime.fromisoformat(m).timestamp() for m in (timing.started, timing.finished))
    title = f"s{path.seed} {shown.title}"
    return Record(title, _content(texts), tags, points, shown.params, shown.sources, files, started, finished, folder)


@dataclass(frozen=True)
class _Shown:
    """Parts of a record that depend on the kind of run."""

    title: str
    """Title of the record without the seed."""
    method: str
    task: str
    start: str
    params: dict[str, object]
    sources: list[str]
    points: list[Point]
    timing: Timing | None


def _pretraining(config: Config, path: RunPath, texts: dict[str, bytes]) -> _Shown:
    run = Pretraining.loads(texts[RUN], str(path.folder / RUN))
    history = PretrainingHistory.loads(texts[HISTORY], str(path.folder / HISTORY))
    plain = resolved(config)
    params: dict[str, object] = {"seed": path.seed} | flat(plain["encoder"], "encoder")
    params |= flat(plain["pretrain"], "pretrain")
    points = pretraining_points(run, history)
    return _Shown("pretraining", "pretrain", "-", "-", params, run.sources, points, None)


def _training(config: Config, path: RunPath, texts: dict[str, bytes], root: Path) -> _Shown:
    run = Run.loads(texts[RUN], str(path.folder / RUN))
    history = History.loads(texts[HISTORY], str(path.folder / HISTORY))
    plain = resolved(config)
    params: dict[str, object] = {"seed": path.seed} | flat(plain["encoder"], "encoder") | flat(plain["train"], "train")
    method, task, start = run.name, "-", run.start
    if run.simple is not None:
        method, task, start = run.stage, run.name, "-"
        title = f"simple {task}"
        params = {"seed": path.seed, "model": run.simple.model, "about": run.simple.about}
        params |= flat(plain["simple"], "simple") | flat(plain["tasks"][task], "task")
    elif run.stage == "specialise":
        title, method, start = _model_title(run.name, run.tasks), _model(run.name), "-"
        model = read_models(config, root).get(run.name)
        params |= flat(plain["specialise"], "specialise") | flat({} if model is None else model.plain(), "model")
    else:
        params |= {"init": run.init, "freeze": run.freeze}
        if run.stage == "baseline":
            method, task = "stl", run.name
            title = " ".join(["stl", task, *([start] if start != "random" else [])])
            params |= flat(plain["tasks"][task], "task")
        else:
            title = method
            params |= flat(plain["finetune"]["methods"][method], "method")
    sources = sorted({config.tasks[name].source for name in run.tasks})
    points = training_points(run, history)
    return _Shown(title, method, task, start, params, sources, points, _timing(run, path, root))


def _model(name: str) -> str:
    """Name of a specialised model among the methods, none of whose names holds a stroke."""
    return f"{SPECIALISED}{name}"


def _model_title(name: str, tasks: Sequence[str]) -> str:
    """Title of a model, with its tasks where the name does not hold them: `cluster_1 (zero, not_zero, seven)`."""
    if "_".join(tasks) in name:
        return name
    more = f" and {len(tasks) - MOST_NAMED} more" if len(tasks) > MOST_NAMED else ""
    return f"{name} ({', '.join(tasks[:MOST_NAMED])}{more})"


def content_of(folder: Path) -> str | None:
    """Computes the sha256 of the files that a run's record is made from; None when there is no run."""
    texts = _texts(folder)
    return None if texts is None else _content(texts)


def _texts(folder: Path) -> dict[str, bytes] | None:
    try:
        return {name: (folder / name).read_bytes() for name in (RUN, HISTORY)}
    except (FileNotFoundError, NotADirectoryError):
        return None


def _content(texts: dict[str, bytes]) -> str:
    return hashlib.sha256(b"\0".join(texts.values())).hexdigest()


def summaries(records: Sequence[Record], verdicts: Verdicts) -> list[Record]:
    """Makes a record for each method and start, including `stl`: means over seeds of all test metrics, changes and
    verdicts."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.tags["stage"] != "pretrain":
            groups.setdefault((record.tags["method"], record.tags["start"]), []).append(record)
    primary = {task.name: task.metric for task in verdicts.tasks}
    means = []
    for (method, start), members in groups.items():
        values: dict[str, list[float]] = {}
        for record in members:
            for point in record.points:
                if point.name.startswith("test/"):
                    values.setdefault(point.name, []).append(point.value)
        points = [Point(name, fmean(several)) for name, several in sorted(_whole(values).items())]
        said: dict[str, str] = {}
        for row in verdicts.rows:
            if row.method == method and row.metric == primary[row.task]:
                points += change_points(f"delta/{row.task}", row.change)
                if row.new_data is not None:
                    ends = change_points(f"delta_new_data/{row.task}", row.new_data)
                    points += ends[1:]  # the mean stands there
                said[f"verdict/{row.task}"] = row.verdict.text
        over, lost = _over_simple(verdicts, method, start)
        for task, change in over.items():
            points += change_points(f"delta_simple/{task}", change)
        for entry in verdicts.methods:
            if entry.name == method:
                points += change_points("delta_m", entry.delta_m)
        seeds = {record.tags["seed"] for record in members}
        label = method if method != "stl" or start == "random" else f"stl {start}"
        tags = {"stage": "summary", "method": method, "task": "-", "start": start, "seed": "-"} | said
        tags |= {LOST: ", ".join(lost)} if lost else {}
        content = hashlib.sha256(repr((sorted(r.content for r in members), points, said)).encode()).hexdigest()
        params: dict[str, object] = {"seeds": len(seeds)}
        means.append(Record(f"mean {label.removeprefix(SPECIALISED)}", content, tags, points, params))
    return means + _groupings(verdicts)


def _over_simple(verdicts: Verdicts, method: str, start: str) -> tuple[dict[str, Interval], list[str]]:
    """Task → change of its network against the simple model; and the tasks that lose to it by more than the margin."""
    over: dict[str, Interval] = {}
    lost = []
    judged: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    for row in judged:
        alone = method == "stl" and isinstance(row, Row) and row.start == start
        if row.simple is None or row.task in over or not (alone or row.method == method):
            continue
        change = row.simple.stl if alone else row.simple.joint
        if change is not None:
            over[row.task] = change
            lost += [row.task] if ("STL" if alone else "joint") in row.simple.loses else []
    return over, lost


def _whole(values: dict[str, list[float]]) -> dict[str, list[float]]:
    """Values by `test/<task>/<metric>` of the metrics that all seeds have; some may be undefined for a seed."""
    seeds: dict[str, int] = {}
    for name, several in values.items():
        task = name.rpartition("/")[0]
        seeds[task] = max(seeds.get(task, 0), len(several))
    return {name: several for name, several in values.items() if len(several) == seeds[name.rpartition("/")[0]]}


def _groupings(verdicts: Verdicts) -> list[Record]:
    """Makes a record for each grouping; random draws and partitions appear as their mean and their best."""
    metrics = {task.name: task.metric for task in verdicts.tasks}
    records = []
    for row in [] if verdicts.grouping is None else verdicts.grouping.rows:
        if row.kind in ("random", "partition"):
            continue
        method = f"grouping/{row.name}"
        points = [Point(f"test/{task}/{metrics[task]}", value) for task, value in sorted(row.metrics.items())]
        points += [*change_points("delta_m", row.delta_m), Point("models", row.models)]
        points.append(Point("parameters", row.parameters))
        tags = {"stage": "summary", "method": method, "task": "-", "start": "-", "seed": "-"}
        content = hashlib.sha256(repr(points).encode()).hexdigest()
        params: dict[str, object] = {"seeds": len(verdicts.seeds), "groups": json.dumps(row.groups)}
        records.append(Record(f"mean {method}", content, tags, points, params))
    return records


def data_used(names: Sequence[str], root: Path) -> list[DataUsed]:
    """Prepared sources among `names` that are there."""
    sources = []
    for name in names:
        path = root / PREPARED / name / "meta.json"
        if path.exists():
            text = path.read_bytes()
            meta = json.loads(text)
            profile = {"rows": meta["rows"], "columns": meta["columns"], "splits": [s["count"] for s in meta["splits"]]}
            sources.append(DataUsed(name, hashlib.sha256(text).hexdigest()[:36], str(PREPARED / name), profile))
    return sources


def _timing(run: Run, path: RunPath, root: Path) -> Timing | None:
    """Times of this run, if they were measured here: they are no part of the results, and may be another run's."""
    try:
        timing = Timing.read(root / timing_file(path))
    except UserError:
        return None  # Not measured here, or a run of the same name is ending at this moment.
    same = (timing.epochs, timing.steps) == (run.epochs_run, run.steps)
    return timing if same else None
