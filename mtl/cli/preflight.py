"""Checks before DVC starts: mistakes that it would refuse with its own exit code get our messages and exit code 2."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from mtl.cli.network_checks import check_network
from mtl.cli.plugin_checks import check_plugins
from mtl.config import PARAMS, Config, load_config
from mtl.config.yaml_file import read_yaml
from mtl.errors import ConfigError, UserError

DVC_FILE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
TEMPLATE = re.compile(r"\$\{([\w.]+)\}")
"""`${tasks}`: a value of params.yaml."""


def check(config: Config, targets: list[str], root: Path = Path()) -> None:
    """Compares dvc.yaml with params.yaml, data/raw and the targets.

    Args:
        config: the checked content of params.yaml.
        targets: what DVC is to bring up to date; none is everything.
        root: folder of the project.

    Raises:
        UserError: dvc.yaml is missing, a target is no stage, a source has no manifest, one of its files is missing or
            another than the manifest means, or the user's own code cannot do what params.yaml asks of it.
    """
    if not (root / DVC_FILE).exists():
        raise UserError(f"{DVC_FILE} is missing; run this from the project's folder.")
    content = read_yaml(root / DVC_FILE)
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        raise UserError(f"{DVC_FILE} should hold `stages`, found none: `git checkout {DVC_FILE}` brings it back.")
    stages: dict[str, Any] = content["stages"]
    params: dict[str, Any] = read_yaml(root / PARAMS)
    _check_targets(config, targets, stages, params, root)
    _check_files(config, targets, root)
    check_plugins(config, root)
    check_network(config, root)


MEMBERS: dict[str, Callable[[Config], list[str]]] = {
    "baseline": lambda config: config.baseline_tasks,
    "finetune": lambda config: list(config.finetune.methods),
}
"""Stage that makes runs of several tasks or methods → their names; `mtl repro STAGE@NAME` asks for those of one."""


def _check_targets(
    config: Config, targets: list[str], stages: dict[str, Any], params: dict[str, Any], root: Path
) -> None:
    known = list(stages)
    for name, stage in stages.items():
        if "foreach" in stage:
            template = TEMPLATE.fullmatch(str(stage["foreach"]))
            keys = _value(params, template.group(1)) if template else None
            known += [f"{name}@{key}" for key in keys or ()]
        if name in MEMBERS:
            known += [f"{name}@{member}" for member in MEMBERS[name](config)]
    for target in targets:
        # DVC also takes the files that stages write, and stages of other files as FILE:STAGE.
        if target not in known and not re.search(r"[/\\:]", target) and not (root / target).exists():
            raise UserError(f"`repro` should be given stages among {', '.join(known)}, found {target!r}.")


def written_paths(stage: dict[str, Any]) -> list[str]:
    """Paths that a stage of dvc.yaml writes, with `${key}` where there is one of it for each key.

    An entry is a path, or a path with settings of its own.
    """
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def filled(params: dict[str, Any], config: Config, root: Path = Path()) -> dict[str, Any]:
    """Content of params.yaml with the default of every value that a stage watches and the file leaves out.

    DVC compares values and knows no defaults. What is written stays as it is.

    Args:
        params: content of params.yaml.
        config: the same, checked.
        root: folder of the project; one without dvc.yaml has no stage.
    """
    complete = deepcopy(params)
    for path, value in left_out(params, config, root).items():
        *sections, key = path.split(".")
        here = complete
        for section in sections:
            here = here.setdefault(section, {})
        here[key] = value
    return complete


def left_out(params: dict[str, Any], config: Config, root: Path = Path()) -> dict[str, Any]:
    """Path → default of the values that a stage watches and params.yaml leaves out, in the order of dvc.yaml.

    Args:
        params: content of params.yaml.
        config: the same, checked.
        root: folder of the project; one without dvc.yaml has no stage.
    """
    if not (root / DVC_FILE).exists():
        return {}
    stages: dict[str, Any] = read_yaml(root / DVC_FILE)["stages"]
    watched = [path for stage in stages.values() for path in stage.get("do", stage).get("params", [])]
    defaults = config.model_dump(mode="json", by_alias=True)
    return {
        path: _value(defaults, path)
        for path in watched
        if isinstance(path, str) and not TEMPLATE.search(path) and _value(params, path) is _ABSENT
    }


def filled_note(config: Config, root: Path = Path()) -> list[str]:
    """A sentence on the values that params.yaml leaves out; none if it has all."""
    params: dict[str, Any] = read_yaml(root / PARAMS)
    halves = [(path, path.partition(".")[0]) for path in left_out(params, config, root)]
    missing = list(dict.fromkeys(path if section in params else section for path, section in halves))
    if not missing:
        return []
    return [
        f"{PARAMS} leaves out {', '.join(f'`{path}`' for path in missing)}: `mtl` fills in the defaults (`dvc` alone "
        "needs them written out; `mtl preset show sensors` has them all)"
    ]


def _check_files(config: Config, targets: list[str], root: Path) -> None:
    """A raw file that was changed in place: DVC looks at the manifest alone, and would call its results up to date.

    Files of sources that no target needs are not asked for: every stage but `prepare@SOURCE` needs all."""
    from mtl.data.files.verify import verify

    alone = {target.removeprefix("prepare@").removeprefix("data/prepared/").rstrip("/") for target in targets}
    asked = alone if alone and alone <= set(config.prepare.sources) else set(config.prepare.sources)
    for name, source in config.prepare.sources.items():
        if name not in asked:
            continue
        verify(name, source, root)  # Says how to register or fetch it.


def missing_files(config: Config, root: Path = Path()) -> list[str]:
    """Sentences on the raw files that `mtl repro` would miss; no file is read, so that it takes no time."""
    from mtl.data.files.verify import missing_problem

    problems = [missing_problem(name, source, root) for name, source in config.prepare.sources.items()]
    return [f"`mtl repro` will stop: {problem.removesuffix('.')}" for problem in problems if problem is not None]


_ABSENT: Any = object()


def _value(params: dict[str, Any], path: str) -> Any:
    here: Any = params
    for part in path.split("."):
        if not isinstance(here, dict) or part not in here:
            return _ABSENT
        here = here[part]
    return here


def check_shared(stages: list[str], root: Path = Path()) -> None:
    """Raises unless the results that the trials of a study share were made with the present settings.

    Args:
        stages: those that make it.
        root: folder of the project; its params.yaml was checked.

    Raises:
        UserError: a stage has not run, or with other settings.
    """
    params = filled(read_yaml(root / PARAMS), load_config(root / PARAMS), root)
    try:
        held = read_yaml(root / LOCK) if (root / LOCK).exists() else {}
    except ConfigError:
        held = {}  # Damaged: `mtl repro` sets it aside.
    known = held.get("stages") if isinstance(held, dict) else None
    lock: dict[str, Any] = {"stages": known if isinstance(known, dict) else {}}
    for stage in stages:
        if stage not in lock["stages"]:
            raise UserError(f"{stage} has not run, and trials share what it makes: run `mtl repro {stage}` first.")
        used = lock["stages"][stage].get("params", {}).get(str(PARAMS), {})
        other = [path for path, value in used.items() if _value(params, path) != value]
        if other:
            raise UserError(
                f"{stage} ran with another `{other[0]}`, and trials share what it makes: run `mtl repro {stage}` first."
            )
