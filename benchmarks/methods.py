"""Cost of a training step with every method of params.yaml, on its data, beside a step with equal weights.

    mtl preset use digits-balancing && mtl repro index && python -m benchmarks.methods

A step is what the training loop does: batches of every pool, forward, losses, balanced backward pass, clipping, AdamW.
Each method takes turns with plain equal weights on the same batches, in one process on `base.threads` threads; a number
is the median of `--rounds` ratios of a step to the plain step beside it. No probes, no validation.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.command import count, finish, parser, start
from benchmarks.loop import Loop, build, planned
from benchmarks.machine import Result, cpu_seconds
from mtl.config import Config, Method, SequentialMethod, load_config
from mtl.config.balancing import EqualMethod
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import joint_plan, load_tasks
from mtl.seeding import make_deterministic

WARM_UP = 5


def loop_of(config: Config, tasks: list[str], method: Method, data: TaskSet, plan: JointPlan) -> Loop:
    """The steps of one method in the project that this runs in."""
    made = build(config, tasks, method, data, plan.seed)
    pools = data.select(tasks, "train")
    batches = planned(plan, [pool.name for pool in pools], config.train.epochs)
    return Loop(made.model, made.balancer, made.optimiser, pools, made.specs, batches, made.config.train.clip)


def turn(reference: Loop, work: Loop, first: bool) -> tuple[float, float]:
    """CPU seconds of a step of each; they go first by turns, since the second finds warm caches."""
    if first:
        own = cpu_seconds(work)
        return cpu_seconds(reference), own
    return cpu_seconds(reference), cpu_seconds(work)


def main(given: Sequence[str] | None = None) -> int:
    """Times every method of params.yaml and reports."""
    command = parser("methods", __doc__)
    command.add_argument("--rounds", type=count, default=60, help="pairs of steps of each method")
    options = command.parse_args(given)
    rounds: int = options.rounds
    config = load_config()
    seed = config.base.seeds[0]
    make_deterministic(seed, config.base.threads)
    data, _ = load_tasks(config, seed, Path())
    plan = joint_plan(config, data, seed)
    results = []
    for name, method in config.finetune.methods.items():
        if isinstance(method, SequentialMethod):
            print(f"{name} is left out: its phases train some of the tasks each, so it has no joint step.")
            continue
        tasks = config.method_tasks(name)
        plain = EqualMethod(kind="equal", init=method.init, freeze=method.freeze, width=method.width)
        work, reference = (loop_of(config, tasks, timed, data, plan) for timed in (method, plain))
        pairs = [turn(reference, work, first=bool(number % 2)) for number in range(WARM_UP + rounds)][WARM_UP:]
        ratio = median(own / other for other, own in pairs)
        note = f"{median(own for _, own in pairs) * 1e3:.2f} ms"
        results.append(Result(f"{name} ({method.words})", ratio, "× equal", note=note))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
