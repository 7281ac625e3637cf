"""The step that benchmarks time is the one of the training loop: the same weights after an epoch, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from benchmarks.loop import Loop, build, etth1_har, planned
from mtl.config import Config, Method, parse_config
from mtl.data.build import read_source
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.experiment.objects import joint_plan
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import fit
from mtl.training.state import Budget, TrainingData, TrainingState
from mtl.training.stopping import Selector
from tests.helpers.problems import same

METHODS: list[dict[str, Any]] = [
    {"kind": "weighted", "lambda": 0.3, "schedule": "constant"},
    {"kind": "uncertainty", "train": {"lr": 0.01, "weight_decay": 0.1}},
    {"kind": "upgrad"},
    {"kind": "mgda", "features": "features", "tasks": ["ahead", "state"]},
    {"kind": "equal", "sharing": {"kind": "soft", "penalty": 0.5}},
]
"""A weighted sum, learnt weights and an own budget, exact gradients, a pass for the balancer, a penalty."""


def settings(method: dict[str, Any]) -> Config:
    """Two pools: half of the labels of `few` are missing, so that it draws from a pool of its own."""
    sensors = {"kind": "sensors", "rows": 300, "regimes": 2, "channels": 2, "fault_labels": 50,
               "max_horizon": 6}  # fmt: skip
    return parse_config({
        "base": {"seeds": [0], "device": "cpu"},
        "prepare": {"sources": {"sensors": sensors}},
        "tasks": {
            "ahead": {"kind": "forecast", "source": "sensors", "input_len": 24, "horizon": 6},
            "state": {"kind": "classification", "source": "sensors", "input_len": 24, "label": "load_state"},
            "few": {"kind": "binary", "source": "sensors", "input_len": 24, "label": "coin", "train_fraction": 0.3},
        },
        "encoder": {"kind": "timedart", "d_model": 16, "heads": 2, "layers": 1, "d_ff": 32, "dropout": 0.2,
                    "classification": {"hidden": None, "amplitude": False}},
        "train": {"epochs": 1, "batch_size": 24, "schedule": "constant", "clip": 0.5, "gradient_probes": 0,
                  "sampler": {"kind": "uniform"}, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": method}},
    })  # fmt: skip


def tasks_of(config: Config) -> TaskSet:
    sources = {"sensors": read_source("sensors", config.prepare.sources["sensors"], Path())}
    return build_tasks(config.tasks, sources, 0)


@pytest.mark.parametrize("given", METHODS, ids=lambda given: str(given["kind"]))
def test_an_epoch_of_steps_leaves_the_weights_of_the_loop(given: dict[str, Any]) -> None:
    config = settings(given)
    data, method = tasks_of(config), TypeAdapter[Method](Method).validate_python(given)
    names = config.method_tasks("joint")
    plan = joint_plan(config, data, 0)
    train, val = data.select(names, "train"), data.select(names, "val")

    ours = build(config, names, method, data, 0)
    first = {name: value.clone() for name, value in ours.model.state_dict().items()}
    torch.manual_seed(7)
    selector = Selector(config.train.stopping, list(ours.specs.values()))
    state = TrainingState(ours.specs, ours.model, ours.balancer, ours.optimiser, selector)
    list(fit(state, TrainingData(train, val, plan), Budget(1, "constant", 0.5), Checkpoint(None)))

    timed = build(config, names, method, data, 0)
    torch.manual_seed(7)
    batches = planned(plan, [pool.name for pool in train], 1)
    step = Loop(timed.model, timed.balancer, timed.optimiser, train, timed.specs, batches, 0.5)
    for _ in range(state.fitted.steps):
        step()
    assert state.fitted.steps > 5 and len(train) == (1 if "features" in given else 2)
    assert not same(timed.model, first)
    assert same(timed.model, ours.model) and same(timed.balancer, ours.balancer)


def test_a_run_without_clipping_is_not_clipped() -> None:
    config = settings(METHODS[0])
    data, method = tasks_of(config), config.finetune.methods["joint"]
    weights = []
    for clip in (None, 1e-3):
        made = build(config, list(data.specs), method, data, 0)
        pools = data.select(list(data.specs), "train")
        batches = planned(joint_plan(config, data, 0), [pool.name for pool in pools], 1)
        Loop(made.model, made.balancer, made.optimiser, pools, made.specs, batches, clip)()
        norm = torch.nn.utils.get_total_norm([p.grad for p in made.model.parameters() if p.grad is not None])
        weights.append(norm.item())
    assert weights[0] > 0.1 and weights[1] == pytest.approx(1e-3, rel=1e-3)


def test_the_step_of_the_two_public_sets_has_their_sizes() -> None:
    loop = etth1_har(5, torch.device("cpu"))
    chosen = next(loop.batches)
    assert {name: len(index) for name, index in chosen.items()} == {"etth1": 5, "har": 5}
    served = loop.forward(chosen, 1).served
    assert [tuple(part.batch.x.shape) for part in served] == [(5, 7, 336), (5, 9, 128)]
    assert tuple(served[0].batch.target("etth1").shape) == (5, 7, 96)
    before = {name: value.clone() for name, value in loop.model.state_dict().items()}
    loop()
    assert not same(loop.model, before)
