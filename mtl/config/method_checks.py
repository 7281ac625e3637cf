"""Settings of a method that do not go with its start, its tasks or the form of sharing."""

from mtl.config.balancing import Method, SequentialMethod
from mtl.config.methods import Start
from mtl.config.schema import Config
from mtl.config.sharing import BranchedSharing


def start_problems(config: Config, path: str, start: Start) -> list[tuple[str, str]]:
    """Pairs (path, message): what is wrong with a start."""
    problems = []
    if start.init == "pretrained" and config.pretrain.objective.kind == "none":
        problems.append((f"{path}.init", "should be random while pretrain.objective is `none`, found 'pretrained'."))
    if start.width != 1:
        if start.init == "pretrained":
            problems.append((f"{path}.width", f"should be 1 for a pretrained start, found {start.width:g}."))
        elif not config.encoder.widens:
            problems.append(
                (
                    f"{path}.width",
                    f"should be 1 for an encoder of kind {config.encoder.kind}, whose sizes are its options.",
                )
            )
    return problems


def phase_problems(config: Config, method: Method, tasks: list[str]) -> list[tuple[str, str]]:
    """Pairs (key of the method, message): what is wrong with the order in which it trains `tasks`, or its target."""
    problems = []
    if method.target is not None and method.target not in tasks:
        problems.append(("target", f"should be one of {', '.join(tasks)}, found {method.target!r}."))
    if not isinstance(method, SequentialMethod):
        return problems
    if method.target is not None:
        problems.append(("target", "does not go with `kind: sequential`, which has phases of its own."))
    if method.order is None and len({config.tasks[task].family for task in tasks}) < 2:
        message = "needs tasks of both kinds, of numbers and of classes; all tasks here are of one kind: `order: ["
        problems.append(("first", f"{message}{', '.join(tasks)}]` goes with any tasks."))
    odd = sorted(set(method.tasks or tasks) ^ set(tasks))
    if odd:
        where = "`tasks` does not name it" if odd[0] in tasks else "it is in `tasks` only"
        problems.append(("order", f"should hold the tasks of `tasks`, which may be left out; {odd[0]}: {where}."))
    return problems


def sharing_problems(config: Config, path: str, method: Method, tasks: list[str]) -> list[tuple[str, str]]:
    """Pairs (path, message): what is wrong with how a method shares its network, or with its curriculum."""
    problems = []
    sharing = method.sharing
    if sharing.kind != "hard" and method.freeze == "encoder":
        problems.append((f"{path}.freeze", f"should be none for `sharing: {sharing.kind}`: a frozen encoder is one."))
    if sharing.kind in ("cross_stitch", "soft", "separate") and len(tasks) < 2:
        problems.append((f"{path}.sharing.kind", f"{sharing.kind} needs two tasks or more, found {tasks[0]!r} alone."))
    if isinstance(sharing, BranchedSharing):
        listed = [name for group in sharing.groups for name in group]
        for name in listed:
            if name not in tasks:
                problems.append((f"{path}.sharing.groups", f"should name tasks of the method, found {name!r}."))
        problems += [
            (f"{path}.sharing.groups", f"should hold every task of the method; {name!r} is in none.")
            for name in tasks
            if name not in listed
        ]
        most = config.encoder.stage_count
        if most is not None and sharing.shared_stages > most:
            message = f"should be at most {most}, the stages of the encoder, found {sharing.shared_stages}."
            problems.append((f"{path}.sharing.shared_stages", message))
    if method.curriculum is not None:
        for name, epoch in method.curriculum.start_epoch.items():
            where = f"{path}.curriculum.start_epoch"
            if name not in tasks:
                problems.append((where, f"should name tasks of the method, found {name!r}."))
            elif epoch > config.train.epochs:
                message = f"should be at most train.epochs = {config.train.epochs}, found {epoch} for {name}."
                problems.append((where, message))
        waits = any(epoch > 1 for epoch in method.curriculum.start_epoch.values())
        if waits and method.datamap is not None and method.datamap.record == "training":
            message = "should be evaluation with `curriculum.start_epoch`: no pass notes a task that waits; found "
            problems.append((f"{path}.datamap.record", f"{message}'training'."))
        alone = [name for name in tasks if name not in config.baseline_tasks]
        if method.curriculum.samples and alone:
            message = f"needs the single-task model of every task; {alone[0]} is not among baseline.tasks."
            problems.append((f"{path}.curriculum", message))
    return problems
