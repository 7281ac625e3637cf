"""What a training step costs with every method of params.yaml, on the data it names, beside one with equal weights.

    mtl preset use digits-balancing && mtl repro index && python -m benchmarks.methods

A step is what the training loop does: batches of every pool, forward, losses, balanced backward pass, clipping, AdamW.
Each method takes turns with plain equal weights on the same batches, in one process on `base.threads` threads; a number
is the median of `--rounds` ratios of a step to the plain step before it. No probes, no validation.
"""

import argparse
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from statistics import median

from torch import Tensor, nn

from benchmarks.machine import Result, cpu_seconds, report
from mtl.balancing.base import Step
from mtl.balancing.build import build_balancer
from mtl.config import Config, Method, load_config
from mtl.config.balancing import EqualMethod
from mtl.data.sampling import JointPlan
from mtl.data.tasks import TaskSet
from mtl.experiment.objects import build_optimiser, joint_plan, load_tasks, own_training, run_encoder, start_from
from mtl.models.build import build_model
from mtl.seeding import make_deterministic
from mtl.training.forward import Forward

WARM_UP = 5


class Loop:
    """The steps of one method, one at a call."""

    def __init__(self, config: Config, tasks: list[str], method: Method, data: TaskSet, plan: JointPlan) -> None:
        config = own_training(config, method)
        self.clip = config.train.clip
        specs = {name: data.specs[name] for name in tasks}
        model = build_model(run_encoder(config, method), list(specs.values()), plan.seed, method.sharing)
        start_from(model, method, config, plan.seed, Path())
        model.train()
        self.balancer = build_balancer(method, list(specs.values()), plan.seed)
        self.optimiser = build_optimiser(config, model, tasks, self.balancer, method)
        self.shared = [p for p in model.shared_parameters() if p.requires_grad]
        together = {id(p) for p in self.shared}
        self.heads = [p for p in model.parameters() if p.requires_grad and id(p) not in together]
        self.trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        pools = data.select(tasks, "train")
        self.forward = Forward(model, pools, specs, {}, self.balancer.needs_passes)
        self.batches = batches(plan, [pool.name for pool in pools], config.train.epochs)

    def __call__(self) -> None:
        found = self.forward(next(self.batches), 1)
        assert found.losses is not None
        self.optimiser.zero_grad(set_to_none=True)
        self.balancer.backward(Step(found.losses, found.places, 0.5, found.passes, self.shared, self.heads, 1))
        norm = nn.utils.get_total_norm([p.grad for p in self.trained if p.grad is not None])
        if self.clip is not None:
            nn.utils.clip_grads_with_norm_(self.trained, self.clip, norm)
        self.optimiser.step()


def batches(plan: JointPlan, names: list[str], epochs: int) -> Iterator[dict[str, Tensor]]:
    """The run's steps that hold a sample of one of its pools, over and over."""
    for _ in repeat(None):
        for steps in plan.epochs(epochs):
            yield from (chosen for chosen in steps if any(name in chosen for name in names))


def main(rounds: int) -> None:
    """Times every method of params.yaml and reports."""
    config = load_config()
    seed = config.base.seeds[0]
    make_deterministic(seed, config.base.threads)
    data, _ = load_tasks(config, seed, Path())
    plan = joint_plan(config, data, seed)
    results = []
    for name, method in config.finetune.methods.items():
        tasks = config.method_tasks(name)
        plain = EqualMethod(kind="equal", init=method.init, freeze=method.freeze, width=method.width)
        work, reference = (Loop(config, tasks, one, data, plan) for one in (method, plain))
        pairs = [(cpu_seconds(reference), cpu_seconds(work)) for _ in range(WARM_UP + rounds)][WARM_UP:]
        ratio = median(own / other for other, own in pairs)
        note = f"{median(own for _, own in pairs) * 1e3:.2f} ms"
        results.append(Result(f"{name} ({method.words})", ratio, "× equal", note=note))
    report("methods", results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    main(parser.parse_args().rounds)
