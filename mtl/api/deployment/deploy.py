"""A deployment: the finished runs that the verdicts recommend, in one folder with their reasons and a model card."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtl.api.deployment.inputs import input_losses
from mtl.api.deployment.measure import measure
from mtl.api.deployment.members import Shares, members
from mtl.api.deployment.origins import origins
from mtl.api.deployment.trained import trained_samples, with_samples
from mtl.config import PARAMS, Config, load_config
from mtl.config.common import Extent
from mtl.errors import UserError
from mtl.evaluation.choose import Choice, choose
from mtl.experiment.objects import load_tasks
from mtl.paths import VERDICTS, RunPath
from mtl.results.calibration import Calibration
from mtl.results.deployment import LOSES, Beside, Deployment, Member, Seeds, Served
from mtl.results.groupings import GroupingRow
from mtl.results.model import MODEL, SavedModel
from mtl.results.statistics import signed
from mtl.results.verdicts import JudgedTask, Row, Unpaired, Verdicts
from mtl.serving.folder import write_deployment

AUTO, STL, SIMPLE = "auto", "stl", "simple"
DEPLOYED = Path("models")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Answers:
    """The runs of a deployment.

    Args:
        choices: task → its model, for all seeds.
        shares: task → the runs that answer it.
        extent: parts that they were trained on.
        made: folder below which they stand, if they were made again; None: the project's.
    """

    choices: Mapping[str, Choice]
    shares: Mapping[str, Shares]
    extent: Extent = "train"
    made: Path | None = None


@dataclass(frozen=True)
class Wish:
    """A deployment as it is asked for.

    Args:
        method: `auto`, `stl`, `simple`, a method, or a grouping.
        seeds: `best`, `ensemble`, or a seed.
        tasks: None: every task.
        name: of the folder below models/; None: the method's.
    """

    method: str = AUTO
    seeds: Seeds = "best"
    tasks: list[str] | None = None
    name: str | None = None


def deploy(wish: Wish, root: Path = Path(), out: Path | None = None) -> tuple[Path, Deployment]:
    """Writes models/NAME and returns the place of the folder, relative to where it is written, and what it holds.

    Args:
        wish: a deployment as it is asked for.
        root: folder of the project.
        out: folder below which it is written; None: `root`.

    Raises:
        UserError: nothing was evaluated yet, a run is missing, or there is no such method, seed or task.
    """
    name = name_of(wish)
    config = load_config(root / PARAMS)
    verdicts = Verdicts.read(root / VERDICTS)
    choices = chosen(wish, config, verdicts)
    answers = members(config, choices, wish.seeds, root)
    deployment, folders = described(wish, name, config, verdicts, Answers(choices, answers), root)
    if out is not None:  # for a moment, as the summaries of methods need it
        write_deployment(out / DEPLOYED / name, deployment, folders)
        return DEPLOYED / name, deployment
    return DEPLOYED / name, finished(config, name, deployment, folders, root)


def finished(config: Config, name: str, deployment: Deployment, folders: Mapping[str, Path], root: Path) -> Deployment:
    """Writes models/NAME of the project, with hashes of what was trained on; returns what it holds.

    Args:
        config: the whole configuration.
        name: of the folder.
        deployment, folders: as `described` gives them.
        root: folder of the project.
    """
    kept = trained_samples(config, deployment, root, deployment.extent)
    whole = with_samples(deployment, kept)
    write_deployment(root / DEPLOYED / name, whole, folders, kept)
    return whole


def name_of(wish: Wish, ending: str = "") -> str:
    """Name of the folder: the one that is asked for, else that of the method, with an ending.

    Raises:
        UserError: it cannot be the name of a folder.
    """
    name = wish.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", wish.method).strip("-.") + ending
    if NAME.fullmatch(name) is None:
        raise UserError(f"--name should be letters, digits, `_`, `-` and `.`, a letter or digit first, found {name!r}.")
    return name


def chosen(wish: Wish, config: Config, verdicts: Verdicts) -> dict[str, Choice]:
    """Task → its model, of the tasks that are wanted.

    Raises:
        UserError: a task or method is not known, or the method does not answer a task.
    """
    known = [task.name for task in verdicts.tasks if task.name in config.tasks]
    wanted = known if wish.tasks is None else wish.tasks
    unknown = [task for task in wanted if task not in known]
    if unknown or not wanted:
        odd = repr(unknown[0]) if unknown else "none"
        raise UserError(f"--tasks should name tasks of results/verdicts.json ({', '.join(known)}), found {odd}.")
    if wish.method == AUTO:
        automatic = choose(verdicts, config.finetune.methods)
        return {task: automatic[task] for task in known if task in wanted}
    return {task: _asked(wish.method, verdicts.task(task), config, verdicts) for task in known if task in wanted}


def _asked(method: str, task: JudgedTask, config: Config, verdicts: Verdicts) -> Choice:
    groupings = _groupings(verdicts)
    judged = {judged.name: judged for judged in verdicts.methods if judged.name in config.finetune.methods}
    why = f"asked for by `--method {method}`"
    if method == STL:
        if not task.alone:
            raise UserError(
                f"{task.name} has no single-task network (`baseline.tasks`): let --method name a method that answers "
                "it, or --tasks the other tasks."
            )
        return Choice("single-task", config.baseline.starts[0].label, why)
    if method == SIMPLE:
        if task.simple is None:
            raise UserError(f"{task.name} has no simple model: let `simple.models` be null and run `mtl repro`.")
        return Choice("simple", task.simple.model, why)
    if method in judged:
        if task.name not in judged[method].tasks:
            told = ", ".join(judged[method].tasks)
            raise UserError(f"{method} answers {told}, not {task.name}: name the tasks by --tasks.")
        return Choice("joint", method, why)
    if method in groupings and task.name in groupings[method].metrics:
        return Choice("cluster", groupings[method].name, why)
    names = dict.fromkeys([AUTO, STL, SIMPLE, *judged, *groupings])
    allowed = ", ".join(repr(name) if "," in name else name for name in names)
    raise UserError(f"--method should be one of {allowed}, found {method!r}.")


def _groupings(verdicts: Verdicts) -> dict[str, GroupingRow]:
    """Name → the grouping whose models answer to it: none for a mean over draws, which has no groups; for the one that
    validation data chose that one itself."""
    rows = [] if verdicts.grouping is None else verdicts.grouping.rows
    trained = {row.name: row for row in rows if row.groups and row.kind != "best"}
    chosen_by_validation = [row for row in rows if row.kind == "best"]
    return trained | {
        best.name: row for best in chosen_by_validation for row in trained.values() if row.groups == best.groups
    }


def described(
    wish: Wish, name: str, config: Config, verdicts: Verdicts, answers: Answers, root: Path
) -> tuple[Deployment, dict[str, Path]]:
    """Content of deployment.json, and the folder of each member's run.

    Raises:
        UserError: a run or the prepared data are missing.
    """
    choices, extent, made = answers.choices, answers.extent, root if answers.made is None else answers.made
    measured = measure(config, answers.shares, root, extent, answers.made)
    paths = list(dict.fromkeys(path for shares in answers.shares.values() for path in shares))
    called = {path: "-".join(path.folder.parts[1:]) for path in paths}
    folders = {called[path]: made / path.folder for path in paths}
    saved = {path: SavedModel.of_folder(folders[called[path]], f"mtl repro {path.target}") for path in paths}
    seed = paths[0].seed
    data, _ = load_tasks(config, seed, root, extent)
    used = {config.tasks[task].source for task in choices}
    first = next(iter(saved.values()))
    inputs = input_losses(config, dict(choices), root) if extent == "train" else {}  # of other networks
    served = {
        task: Served(
            how=choice.how,
            name=choice.name,
            why=choice.why,
            members={called[path]: share for path, share in answers.shares[task].items()},
            metric=config.tasks[task].primary_metric,
            test=measured[task].test,
            no_test=measured[task].reason,
            calibration=_by_name(measured[task].calibration, called),
            trusted=measured[task].trusted,
            decision=measured[task].decision,
            cost=measured[task].cost,
            inputs=inputs.get(task, []),
            beside=beside(verdicts, task),
            section=config.tasks[task].model_dump(mode="json", exclude_unset=True),
        )
        for task, choice in choices.items()
    }
    deployment = Deployment(
        name=name,
        method=wish.method,
        seeds=wish.seeds,
        extent=extent,
        order=list(served),
        tasks=served,
        members={called[path]: _member(saved[path], folders[called[path]]) for path in paths},
        sources=origins(config, {name: data.sources[name] for name in data.sources if name in used}, seed, root),
        advice=verdicts.advice,
        remarks=verdicts.data,
        data=first.data,
        versions=first.versions,
    )
    return deployment, folders


def _by_name(
    calibration: Mapping[RunPath, Calibration] | None, called: Mapping[RunPath, str]
) -> dict[str, Calibration] | None:
    """Member → its calibration; None without any."""
    return None if calibration is None else {called[path]: by for path, by in calibration.items()}


def _member(saved: SavedModel, folder: Path) -> Member:
    digest = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    code = None if saved.code is None else saved.code.target
    return Member(stage=saved.stage, name=saved.name, start=saved.start, seed=saved.seed, model=digest, code=code)


def beside(verdicts: Verdicts, task: str) -> list[Beside]:
    """The simple model, single-task training and every method of a task, with their test values."""
    listed = []
    simple = verdicts.task(task).simple
    if simple is not None:
        listed.append(Beside(name=f"simple: {simple.model}", test=simple.summary))
    starts: list[str] = []
    for row in (row for row in verdicts.rows if row.task == task):
        if row.start not in starts:
            starts.append(row.start)
            mark = LOSES if row.simple is not None and "STL" in row.simple.loses else ""
            listed.append(Beside(name=f"trained alone ({row.start}){mark}", test=row.stl))
    others: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    for other in (row for row in others if row.task == task):
        mark = LOSES if other.simple is not None and "joint" in other.simple.loses else ""
        verdict = _verdict(other) if isinstance(other, Row) else ""
        listed.append(Beside(name=f"{other.method}{mark}", test=other.joint, verdict=verdict))
    return listed


def _verdict(row: Row) -> str:
    """`HELPED, +5.9 % [+4.6, +7.2], for new data [+3.9, +7.9]`."""
    if row.change.mean is None:
        return row.verdict.text
    text = f"{row.verdict.text}, {signed(row.change.mean)} %{row.change.ends}"
    return text if row.new_data is None else f"{text}, for new data{row.new_data.ends}"
