"""params.yaml → `Config`, or one `ConfigError` that names the path, what was found and what is allowed."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mtl.config.balancing import Method, SequentialMethod, WeightedMethod
from mtl.config.balancing_checks import balancing_problems
from mtl.config.budgets import STL
from mtl.config.common import Name, Section
from mtl.config.encoder import EncoderConfig, TimeDartEncoder
from mtl.config.grouping import ClusterConfig, SpecialiseConfig
from mtl.config.grouping_checks import grouping_contradictions
from mtl.config.labels import LabelRule
from mtl.config.methods import Start
from mtl.config.sharing import BranchedSharing
from mtl.config.sources import PrepareConfig, SensorsSource, SeriesSource
from mtl.config.tasks import ForecastTask, Task
from mtl.config.training import (
    BaseConfig,
    BaselineConfig,
    EvaluateConfig,
    FinetuneConfig,
    PretrainConfig,
    TrackingConfig,
    TrainConfig,
)
from mtl.config.tune import TuneConfig
from mtl.config.yaml_file import read_yaml
from mtl.errors import ConfigError, shown

PARAMS = Path("params.yaml")


class Config(Section):
    """The whole of params.yaml."""

    base: BaseConfig = BaseConfig()
    prepare: PrepareConfig
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    encoder: EncoderConfig
    train: TrainConfig = TrainConfig()
    pretrain: PretrainConfig = PretrainConfig()
    baseline: BaselineConfig = BaselineConfig()
    finetune: FinetuneConfig
    cluster: ClusterConfig = ClusterConfig()
    specialise: SpecialiseConfig = SpecialiseConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    tracking: TrackingConfig = TrackingConfig()
    tune: TuneConfig = TuneConfig()

    def method_tasks(self, method: str) -> list[str]:
        """Names of the tasks that `method` trains together, in the order of the file."""
        chosen = self.finetune.methods[method].tasks
        return [name for name in self.tasks if chosen is None or name in chosen]

    def judged_tasks(self, method: str) -> list[str]:
        """Those that `method` is judged by: its target alone where it has one."""
        target = self.finetune.methods[method].target
        return self.method_tasks(method) if target is None else [target]

    @property
    def baseline_tasks(self) -> list[str]:
        """Tasks that are trained alone, in the order of the file."""
        return [name for name in self.tasks if self.baseline.tasks is None or name in self.baseline.tasks]


def load_config(path: Path = PARAMS) -> Config:
    """Reads and checks a params file.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds a value that cannot be used.
    """
    return parse_config(read_yaml(path), str(path))


def parse_config(raw: object, where: str = str(PARAMS)) -> Config:
    """A parsed params file → Config; `where` names the file in messages."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} should hold sections (key: value), found {type(raw).__name__}.")
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_message(error, raw, where)) from None
    for path, message in _contradictions(config):
        raise ConfigError(f"{where}: `{path}` {message}")
    return config


def _message(error: ValidationError, raw: Any, where: str) -> str:
    """The first problem, in the wording of `mtl.checks`; unknown keys first, since they explain missing ones."""
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    path = _path(first["loc"], raw)
    found = first.get("input")
    match first["type"]:
        case "extra_forbidden":
            allowed = _siblings(first["loc"])
            hint = f"; allowed here: {', '.join(allowed)}" if allowed else ""
            note = ""
            if first["loc"][-1] in ("lambda", "lam", "schedule") and "uncertainty" in first["loc"]:
                note = " Uncertainty weighting learns its weights, so it excludes λ and its schedule."
            return f"{where}: `{path}` is not a known key{hint}.{note}"
        case "missing":
            return f"{where}: `{path}` is missing."
        case "union_tag_invalid":
            context = first["ctx"]
            return f"{where}: `{path}.kind` should be one of {context['expected_tags']}, found {shown(context['tag'])}."
        case "union_tag_not_found":
            return f"{where}: `{path}.kind` is missing."
        case "value_error":
            return f"{where}: `{path}`: {first['ctx']['error']!s}."
        case _:
            text = first["msg"].replace("Input should be", "should be").replace("Input should", "should")
            text = text[0].lower() + text[1:]
            what = "a section" if isinstance(found, dict) else shown(found)
            return f"{where}: `{path}` {text}, found {what}."


def _path(location: tuple[int | str, ...], raw: Any) -> str:
    """Dotted path in the file: pydantic's location without the tags of discriminated unions."""
    parts: list[str] = []
    here = raw
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict):
            if part in here:
                here = here[part]
            elif not last or here.get("kind") == part:
                continue
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        elif not last:
            continue
        parts.append(str(part))
    return ".".join(parts) or "the file"


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """Keys allowed where an unknown one was found."""
    models: list[Any] = [Config]
    for part in location[:-1]:
        found: list[Any] = []
        for model in models:
            for field_name, field in model.model_fields.items():
                if part in (field_name, field.alias):
                    found.extend(_models_in(field.annotation))
        tagged = [m for m in (found or models) if _tag(m) == part]
        models = tagged or found or models
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _tag(model: Any) -> str | None:
    kind = model.model_fields.get("kind")
    return kind.annotation.__args__[0] if kind is not None else None


def _contradictions(config: Config) -> list[tuple[str, str]]:
    """Pairs (path, message) of settings that are each fine and together are not."""
    found: list[tuple[str, str]] = []
    sources = config.prepare.sources
    coins: dict[str, int] = {}
    for name, task in config.tasks.items():
        source = sources.get(task.source)
        if source is None:
            found.append((f"tasks.{name}.source", f"should be one of {', '.join(sources)}, found {task.source!r}."))
            continue
        if isinstance(source, SeriesSource | SensorsSource) and task.input_len is None:
            found.append((f"tasks.{name}.input_len", f"is missing: {task.source} is a series, not stored windows."))
        if isinstance(source, SensorsSource) and isinstance(task, ForecastTask) and task.horizon > source.max_horizon:
            message = f"should be at most {task.source}'s max_horizon of {source.max_horizon}, found {task.horizon}."
            found.append((f"tasks.{name}.horizon", message))
        rule = None if isinstance(task, ForecastTask) else task.label
        if isinstance(rule, LabelRule) and rule.flipped is not None:
            first = coins.setdefault(task.source, rule.flipped)
            if rule.flipped != first:
                message = f"should be {first}, the coin that flips the images of {task.source}, found {rule.flipped}."
                found.append((f"tasks.{name}.label.flipped", message))
        length = task.input_len
        if isinstance(config.encoder, TimeDartEncoder) and length is not None and config.encoder.patch_len > length:
            message = f"should be at most the window of tasks.{name} ({length}), found {config.encoder.patch_len}."
            found.append(("encoder.patch_len", message))
    found += [
        ("pretrain.sources", f"should name sources among {', '.join(sources)}, found {name!r}.")
        for name in config.pretrain.sources or []
        if name not in sources
    ]
    unknown = [name for name in config.baseline.tasks or [] if name not in config.tasks]
    if unknown:
        found.append(("baseline.tasks", f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."))
    no_weights = config.pretrain.objective.kind == "none"
    for number, start in enumerate(config.baseline.starts):
        found += _start(config, f"baseline.starts.{number}", start)
    if not no_weights:
        used = config.pretrain.sources or list(sources)
        series = [n for n in used if n in sources and isinstance(sources[n], SeriesSource | SensorsSource)]
        if series and config.pretrain.input_len is None:
            found.append(("pretrain.input_len", f"is missing: {series[0]} is a series, not stored windows."))
    kinds = {name: "forecast" if isinstance(task, ForecastTask) else "label" for name, task in config.tasks.items()}
    for name, method in config.finetune.methods.items():
        path = f"finetune.methods.{name}"
        found += _start(config, path, method)
        if method.label not in [start.label for start in config.baseline.starts]:
            message = f"has no single-task baseline from the same start ({method.label}): add it to baseline.starts."
            found.append((path, message))
        unknown = [task for task in method.tasks or [] if task not in config.tasks]
        if unknown:
            found.append((f"{path}.tasks", f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."))
            continue
        tasks = config.method_tasks(name)
        both = {kinds[task] for task in tasks} == {"forecast", "label"}
        if isinstance(method, WeightedMethod | SequentialMethod) and not both:
            key = "lambda" if isinstance(method, WeightedMethod) else "first"
            message = "needs tasks of both kinds, a forecast and a label; all tasks here are of one kind."
            found.append((f"{path}.{key}", message))
        found += _sharing(config, path, method, tasks)
        problems = balancing_problems(
            method, tasks, [config.tasks[task].source for task in tasks], config.train.sampler
        )
        found += [(f"{path}.{key}", message) for key, message in problems]
    found += grouping_contradictions(
        config.finetune.methods,
        {name: config.method_tasks(name) for name in config.finetune.methods},
        config.train,
        config.cluster,
        config.specialise,
    )
    found += _tune(config)
    arms = [STL, *config.finetune.methods]
    shared = config.evaluate.shared_by
    found += [
        (f"evaluate.{key}", f"should name arms among {', '.join(arms)}, found {name!r}.")
        for key, names in (("trials", config.evaluate.trials or {}), ("shared_by", [shared] if shared else []))
        for name in names
        if name not in arms
    ]
    if config.train.stopping.criterion in ("forecast", "constrained") and "forecast" not in kinds.values():
        found.append(("train.stopping.criterion", "should be combined when no task is a forecast, "
                      f"found {config.train.stopping.criterion!r}."))  # fmt: skip
    return found


def _start(config: Config, path: str, start: Start) -> list[tuple[str, str]]:
    """What is wrong with a start."""
    found = []
    if start.init == "pretrained" and config.pretrain.objective.kind == "none":
        found.append((f"{path}.init", "should be random while pretrain.objective is `none`, found 'pretrained'."))
    if start.width != 1:
        if start.init == "pretrained":
            found.append((f"{path}.width", f"should be 1 for a pretrained start, found {start.width:g}."))
        elif config.encoder.kind == "python":
            found.append((f"{path}.width", "should be 1 for an encoder of kind python, whose sizes are its options."))
    return found


def _sharing(config: Config, path: str, method: Method, tasks: list[str]) -> list[tuple[str, str]]:
    """What is wrong with how a method shares its network, its target or its curriculum."""
    found = []
    sharing = method.sharing
    if sharing.kind != "hard" and method.freeze == "encoder":
        found.append((f"{path}.freeze", f"should be none for `sharing: {sharing.kind}`: a frozen encoder is one."))
    if sharing.kind in ("cross_stitch", "soft", "separate") and len(tasks) < 2:
        found.append((f"{path}.sharing.kind", f"{sharing.kind} needs two tasks or more, found {tasks[0]!r} alone."))
    if isinstance(sharing, BranchedSharing):
        listed = [name for group in sharing.groups for name in group]
        for name in listed:
            if name not in tasks:
                found.append((f"{path}.sharing.groups", f"should name tasks of the method, found {name!r}."))
        found += [
            (f"{path}.sharing.groups", f"should hold every task of the method; {name!r} is in none.")
            for name in tasks
            if name not in listed
        ]
    if method.target is not None:
        if method.target not in tasks:
            found.append((f"{path}.target", f"should be one of {', '.join(tasks)}, found {method.target!r}."))
        if method.kind == "sequential":
            found.append((f"{path}.target", "does not go with `kind: sequential`, which has two phases of its own."))
    if method.curriculum is not None:
        for name, epoch in method.curriculum.start_epoch.items():
            where = f"{path}.curriculum.start_epoch"
            if name not in tasks:
                found.append((where, f"should name tasks of the method, found {name!r}."))
            elif epoch > config.train.epochs:
                message = f"should be at most train.epochs = {config.train.epochs}, found {epoch} for {name}."
                found.append((where, message))
        alone = [name for name in tasks if name not in config.baseline_tasks]
        if method.curriculum.samples and alone:
            message = f"needs the single-task model of every task; {alone[0]} is not among baseline.tasks."
            found.append((f"{path}.curriculum", message))
    return found


def _tune(config: Config) -> list[tuple[str, str]]:
    """What the study would tune, and with which seeds."""
    methods, tune, seeds = config.finetune.methods, config.tune, config.base.seeds
    found = [
        ("tune.seeds", f"should be among base.seeds ({', '.join(map(str, seeds))}), found {seed}.")
        for seed in tune.seeds or []
        if seed not in seeds
    ]
    if tune.method is not None and tune.method not in methods:
        found.append(("tune.method", f"should be one of {', '.join(methods)}, found {tune.method!r}."))
    return found
