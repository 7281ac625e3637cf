"""Settings of params.yaml that are each fine and together are not."""

from mtl.config.balancing import SequentialMethod, WeightedMethod
from mtl.config.balancing_checks import balancing_problems
from mtl.config.budgets import STL
from mtl.config.encoder import TimeDartEncoder
from mtl.config.encoder_checks import encoder_problems
from mtl.config.grouping_checks import grouping_contradictions
from mtl.config.labels import LabelRule
from mtl.config.method_checks import sharing_problems, start_problems
from mtl.config.schema import Config
from mtl.config.sensors import SensorsSource
from mtl.config.source_checks import source_problems
from mtl.config.sources import SeriesSource
from mtl.config.tasks import ForecastTask


def contradictions(config: Config) -> list[tuple[str, str]]:
    """Pairs (path, message), in the order in which they should be mended."""
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
    found += source_problems(config)
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
        found += start_problems(config, f"baseline.starts.{number}", start)
    if not no_weights:
        used = config.pretrain.sources or list(sources)
        series = [n for n in used if n in sources and isinstance(sources[n], SeriesSource | SensorsSource)]
        if series and config.pretrain.input_len is None:
            found.append(("pretrain.input_len", f"is missing: {series[0]} is a series, not stored windows."))
    found += _processes(config)
    kinds = {name: "forecast" if isinstance(task, ForecastTask) else "label" for name, task in config.tasks.items()}
    for name, method in config.finetune.methods.items():
        path = f"finetune.methods.{name}"
        found += start_problems(config, path, method)
        unknown = [task for task in method.tasks or [] if task not in config.tasks]
        if unknown:
            found.append((f"{path}.tasks", f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."))
            continue
        tasks = config.method_tasks(name)
        both = {kinds[task] for task in tasks} == {"forecast", "label"}
        if isinstance(method, WeightedMethod | SequentialMethod) and not both:
            key = "lambda" if isinstance(method, WeightedMethod) else "first"
            message = (
                "needs tasks of both kinds, a forecast and a label; all tasks here are of one kind: try `kind: equal`."
            )
            found.append((f"{path}.{key}", message))
        found += sharing_problems(config, path, method, tasks)
        problems = balancing_problems(
            method, tasks, [config.tasks[task].source for task in tasks], config.train.sampler
        )
        found += [(f"{path}.{key}", message) for key, message in problems]
        # Last: what a method cannot do at all is not mended by a baseline.
        if method.label not in [start.label for start in config.baseline.starts]:
            message = f"has no single-task baseline from the same start ({method.label}): add it to baseline.starts."
            found.append((path, message))
    found += grouping_contradictions(
        config.finetune.methods,
        {name: config.method_tasks(name) for name in config.finetune.methods},
        config.train,
        config.cluster,
        config.specialise,
    )
    found += encoder_problems(config)
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


def _processes(config: Config) -> list[tuple[str, str]]:
    """What keeps processes from sharing the batches of a pretraining."""
    processes, size = config.pretrain.processes, config.pretrain.batch_size
    if processes > size:
        return [("pretrain.processes", f"should be at most pretrain.batch_size of {size}, found {processes}.")]
    encoder = config.encoder
    if processes > 1 and isinstance(encoder, TimeDartEncoder) and encoder.attention_dropout > 0:
        message = "should be 0 while pretrain.processes is above 1 (no mask can be drawn for a whole batch), found "
        return [("encoder.attention_dropout", f"{message}{encoder.attention_dropout}.")]
    return []


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
