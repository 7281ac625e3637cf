"""params.yaml → `Config`, or one `ConfigError` that names the path, what was found and what is allowed."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mtl.config.common import Name, Section
from mtl.config.encoder import EncoderConfig, TimeDartEncoder
from mtl.config.sources import PrepareConfig, SensorsSource, SeriesSource
from mtl.config.tasks import ForecastTask, Task
from mtl.config.training import (
    BaseConfig,
    BaselineConfig,
    EvaluateConfig,
    FinetuneConfig,
    PretrainConfig,
    SequentialMethod,
    TrackingConfig,
    TrainConfig,
    WeightedMethod,
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
    evaluate: EvaluateConfig = EvaluateConfig()
    tracking: TrackingConfig = TrackingConfig()
    tune: TuneConfig = TuneConfig()

    def method_tasks(self, method: str) -> list[str]:
        """Names of the tasks that `method` trains together, in the order of the file."""
        chosen = self.finetune.methods[method].tasks
        return [name for name in self.tasks if chosen is None or name in chosen]


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
        length = task.input_len
        if isinstance(config.encoder, TimeDartEncoder) and length is not None and config.encoder.patch_len > length:
            message = f"should be at most the window of tasks.{name} ({length}), found {config.encoder.patch_len}."
            found.append(("encoder.patch_len", message))
    found += [
        ("pretrain.sources", f"should name sources among {', '.join(sources)}, found {name!r}.")
        for name in config.pretrain.sources or []
        if name not in sources
    ]
    no_weights = config.pretrain.objective.kind == "none"
    for number, start in enumerate(config.baseline.starts):
        if start.init == "pretrained" and no_weights:
            message = "should be random while pretrain.objective is `none`, found 'pretrained'."
            found.append((f"baseline.starts.{number}.init", message))
    if not no_weights:
        used = config.pretrain.sources or list(sources)
        series = [n for n in used if n in sources and isinstance(sources[n], SeriesSource | SensorsSource)]
        if series and config.pretrain.input_len is None:
            found.append(("pretrain.input_len", f"is missing: {series[0]} is a series, not stored windows."))
    kinds = {name: "forecast" if isinstance(task, ForecastTask) else "label" for name, task in config.tasks.items()}
    for name, method in config.finetune.methods.items():
        path = f"finetune.methods.{name}"
        if method.init == "pretrained" and no_weights:
            found.append((f"{path}.init", "should be random while pretrain.objective is `none`, found 'pretrained'."))
        if not any((s.init, s.freeze) == (method.init, method.freeze) for s in config.baseline.starts):
            message = f"has no single-task baseline from the same start ({method.label}): add it to baseline.starts."
            found.append((path, message))
        unknown = [task for task in method.tasks or [] if task not in config.tasks]
        if unknown:
            found.append((f"{path}.tasks", f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."))
            continue
        both = {kinds[task] for task in config.method_tasks(name)} == {"forecast", "label"}
        if isinstance(method, WeightedMethod | SequentialMethod) and not both:
            key = "lambda" if isinstance(method, WeightedMethod) else "first"
            message = "needs tasks of both kinds, a forecast and a label; all tasks here are of one kind."
            found.append((f"{path}.{key}", message))
    methods, tune = config.finetune.methods, config.tune
    if tune.method is not None and tune.method not in methods:
        found.append(("tune.method", f"should be one of {', '.join(methods)}, found {tune.method!r}."))
    found += [
        ("tune.seeds", f"should be among base.seeds ({', '.join(map(str, config.base.seeds))}), found {seed}.")
        for seed in tune.seeds or []
        if seed not in config.base.seeds
    ]
    if config.train.stopping.criterion in ("forecast", "constrained") and "forecast" not in kinds.values():
        found.append(("train.stopping.criterion", "should be combined when no task is a forecast, "
                      f"found {config.train.stopping.criterion!r}."))  # fmt: skip
    return found
