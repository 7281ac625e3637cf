"""Settings of params.yaml that are each fine and together are not."""

from mtl.config.balancing import WeightedMethod
from mtl.config.balancing_checks import balancing_problems
from mtl.config.budgets import STL
from mtl.config.common import Problem
from mtl.config.encoder_checks import encoder_problems
from mtl.config.grouping_checks import grouping_contradictions
from mtl.config.method_checks import phase_problems, sharing_problems, start_problems
from mtl.config.pretrained_checks import pretrained_problems
from mtl.config.schema import Config
from mtl.config.share_checks import calibration_problems, costs_problems, margin_problems, tolerance_problems
from mtl.config.slices import slice_problems
from mtl.config.source_checks import source_problems
from mtl.config.window_encoders import TimeDartEncoder

TAKEN = {STL: "the single-task models", "simple": "the simple models"}
"""Names that results give to what is no method."""


def contradictions(config: Config) -> list[Problem]:
    """Settings that contradict each other, in the order in which they should be mended."""
    problems = _tasks(config) + source_problems(config) + _pretraining(config) + _baseline(config)
    problems += _processes(config)
    for name in config.finetune.methods:
        problems += _method(config, name)
    problems += grouping_contradictions(
        config.finetune.methods,
        {name: config.method_tasks(name) for name in config.finetune.methods},
        config.train,
        config.cluster,
        config.specialise,
    )
    problems += (
        encoder_problems(config)
        + pretrained_problems(config)
        + _tune(config)
        + _evaluate(config)
        + tolerance_problems(config)
    )
    problems += margin_problems(config) + calibration_problems(config)
    problems += costs_problems(config) + slice_problems(config)
    return problems + _stopping(config) + _augment(config) + _bucketed(config)


def _tasks(config: Config) -> list[Problem]:
    """Problems of tasks whose sources hold another kind of input than they need."""
    problems: list[Problem] = []
    sources = config.prepare.sources
    coins: dict[str, int] = {}
    for name, task in config.tasks.items():
        source = sources.get(task.source)
        if source is None:
            problems.append((f"tasks.{name}.source", f"should be one of {', '.join(sources)}, found {task.source!r}."))
            continue
        if source.series and task.input_len is None:
            problems.append((f"tasks.{name}.input_len", f"is missing: {task.source} is a series, not stored windows."))
        most = source.most_ahead
        if most is not None and task.rows_ahead > most:
            message = f"should be at most {task.source}'s max_horizon of {most}, found {task.rows_ahead}."
            problems.append((f"tasks.{name}.horizon", message))
        if task.turns is not None:
            first = coins.setdefault(task.source, task.turns)
            if task.turns != first:
                message = f"should be {first}, the coin that flips the images of {task.source}, found {task.turns}."
                problems.append((f"tasks.{name}.label.flipped", message))
    return problems


def _pretraining(config: Config) -> list[Problem]:
    """Sources of the pretraining, and how long their windows are."""
    sources = config.prepare.sources
    problems: list[Problem] = [
        ("pretrain.sources", f"should name sources among {', '.join(sources)}, found {name!r}.")
        for name in config.pretrain.sources or []
        if name not in sources
    ]
    if config.pretrain.objective.kind != "none" and config.pretrain.input_len is None:
        series = [n for n in config.pretrain.sources or sources if n in sources and sources[n].series]
        if series:
            problems.append(("pretrain.input_len", f"is missing: {series[0]} is a series, not stored windows."))
    return problems


def _baseline(config: Config) -> list[Problem]:
    problems: list[Problem] = []
    unknown = [name for name in config.baseline.tasks or [] if name not in config.tasks]
    if unknown:
        problems.append(("baseline.tasks", f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."))
    for number, start in enumerate(config.baseline.starts):
        problems += start_problems(config, f"baseline.starts.{number}", start)
    return problems


def _method(config: Config, name: str) -> list[Problem]:
    """Problems of a method with its tasks, its network and its baseline."""
    path, method = f"finetune.methods.{name}", config.finetune.methods[name]
    problems = start_problems(config, path, method)
    if name in TAKEN:
        problems.append((path, f"should have another name: in every table `{name}` are {TAKEN[name]}, found {name!r}."))
    key, names = method.trains
    unknown = [task for task in names or [] if task not in config.tasks]
    if unknown:
        message = f"should name tasks among {', '.join(config.tasks)}, found {unknown[0]!r}."
        return [*problems, (f"{path}.{key}", message)]
    tasks = config.method_tasks(name)
    if isinstance(method, WeightedMethod) and len({config.tasks[task].family for task in tasks}) < 2:
        message = (
            "needs tasks of both kinds, of numbers and of classes; all tasks here are of one kind: try `kind: equal`."
        )
        problems.append((f"{path}.lambda", message))
    problems += [(f"{path}.{key}", message) for key, message in phase_problems(config, method, tasks)]
    problems += sharing_problems(config, path, method, tasks)
    balancing = balancing_problems(method, tasks, [config.tasks[task].source for task in tasks], config.train.sampler)
    problems += [(f"{path}.{key}", message) for key, message in balancing]
    # Last: what a method cannot do at all is not mended by a baseline.
    if method.label not in [start.label for start in config.baseline.starts]:
        message = f"has no single-task baseline from the same start ({method.label}): add it to baseline.starts."
        problems.append((path, message))
    return problems


def _evaluate(config: Config) -> list[Problem]:
    """Arms that `evaluate` names."""
    arms = [STL, *config.finetune.methods]
    shared = config.evaluate.shared_by
    return [
        (f"evaluate.{key}", f"should name arms among {', '.join(arms)}, found {name!r}.")
        for key, names in (("trials", config.evaluate.trials or {}), ("shared_by", [shared] if shared else []))
        for name in names
        if name not in arms
    ]


def _stopping(config: Config) -> list[Problem]:
    criterion = config.train.stopping.criterion
    if criterion == "combined" or any(task.family == "regression" for task in config.tasks.values()):
        return []
    message = f"should be combined when no task is a forecast or a regression, found {criterion!r}."
    return [("train.stopping.criterion", message)]


def _augment(config: Config) -> list[Problem]:
    """Changes of images where there are none, and mixed ones where a data map notes how well each is learnt."""
    augment, path = config.train.augment, "train.augment"
    if augment is None:
        return []
    used = {task.source for task in config.tasks.values()}
    sources = {name: source for name, source in config.prepare.sources.items() if name in used}
    if sources and all(source.pictured is False for source in sources.values()):
        return [(path, "changes images, and no task reads any: leave it out.")]
    mixed = [name for name, source in sources.items() if source.input is not None and source.input.mixed]
    if mixed and augment.mixup:
        message = f"should be 0 for {mixed[0]}, whose images come with other inputs that cannot be mixed, found "
        return [(f"{path}.mixup", f"{message}{augment.mixup}.")]
    maps = [
        name
        for name, method in config.finetune.methods.items()
        if augment.mixup and method.datamap is not None and method.datamap.record == "training"
    ]
    message = "should be 0 beside a data map of training passes, which would note mixed images"
    remedy = "`record: evaluation` takes a pass of its own"
    return [
        (f"{path}.mixup", f"{message} (finetune.methods.{name}; {remedy}), found {augment.mixup}.") for name in maps
    ]


def _bucketed(config: Config) -> list[Problem]:
    """Texts that are to be sorted by length where there are none."""
    if config.train.sampler.bucket_steps is None:
        return []
    sources = [config.prepare.sources.get(task.source) for task in config.tasks.values()]
    kinds = [source.input for source in sources if source is not None]
    if not kinds or any(kind is None or kind.ragged for kind in kinds):
        return []
    return [("train.sampler.bucket_steps", "sorts texts by length, and no task reads any: leave it out.")]


def _processes(config: Config) -> list[Problem]:
    """Problem that keeps processes from sharing the batches of a pretraining."""
    processes, size = config.pretrain.processes, config.pretrain.batch_size
    if processes > size:
        return [("pretrain.processes", f"should be at most pretrain.batch_size of {size}, found {processes}.")]
    encoder = config.encoder
    if processes > 1 and isinstance(encoder, TimeDartEncoder) and encoder.attention_dropout > 0:
        message = "should be 0 while pretrain.processes is above 1 (no mask can be drawn for a whole batch), found "
        return [("encoder.attention_dropout", f"{message}{encoder.attention_dropout}.")]
    return []


def _tune(config: Config) -> list[Problem]:
    """Problems of the method that the study would tune, and of its seeds."""
    methods, tune, seeds = config.finetune.methods, config.tune, config.base.seeds
    problems = [
        ("tune.seeds", f"should be among base.seeds ({', '.join(map(str, seeds))}), found {seed}.")
        for seed in tune.seeds or []
        if seed not in seeds
    ]
    if tune.method is not None and tune.method not in methods:
        problems.append(("tune.method", f"should be one of {', '.join(methods)}, found {tune.method!r}."))
    return problems
