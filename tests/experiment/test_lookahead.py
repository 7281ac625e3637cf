"""Lookahead affinities of whole runs: they are what a step does to the losses, change nothing, and survive a stop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtl.config import Config, TimeDartEncoder
from mtl.config.grouping import ClusterConfig
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.grouping.find import find_groups
from mtl.paths import PREPARED
from mtl.training.forward import Forward
from mtl.training.lookahead import Lookahead, random_state
from tests.experiment.conftest import configure
from tests.helpers.problems import ENCODER, TASKS, Run, binary, same, wave_tasks
from tests.helpers.stopping import ends_as_if_never_stopped

SEED = 3
SEPARATE = {
    "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4},
    "far": {"kind": "forecast", "source": "line", "input_len": 16, "horizon": 4},
    "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up", "train_fraction": 0.5},
}
"""Windows of two lengths: two pools, so that `far` never shares a batch."""


def config(state_seconds: float = 60, every: int = 3, **changes: Any) -> Config:
    budget = {"epochs": 2, "batch_size": 16, "lr": 3e-3, "gradient_probes": 1, "stopping": {"patience": None}}
    return configure(
        base={"seeds": [SEED], "device": "cpu", "state_seconds": state_seconds},
        train=budget,
        finetune={"methods": {
            "plain": {"kind": "uncertainty"}, "noted": {"kind": "uncertainty", "lookahead": {"every": every}}
        }},
        **changes,
    )  # fmt: skip


def images(root: Path) -> dict[str, Any]:
    """Sections for a convolutional network, whose batch normalisation keeps running means, on embedded digits."""
    tasks = {name: {"kind": "binary", "source": "digits", "label": name} for name in ("even", "coin")}
    tasks["coin"]["label"] = {"coin": 0}
    sections = {
        "prepare": {"sources": {"digits": {"kind": "digits"}}},
        "tasks": tasks,
        "encoder": {"kind": "cnn", "widths": [4, 8], "dropout": 0.2},
    }
    source = configure(finetune={"methods": {"all": {"kind": "equal"}}}, **sections).prepare.sources["digits"]
    write_prepared(read_source("digits", source, Path()), root / PREPARED / "digits", {})
    return sections


@pytest.mark.parametrize("case", ["shared", "separate", "images"])
def test_probing_changes_no_bit_of_a_run(root: Path, tmp_path_factory: pytest.TempPathFactory, case: str) -> None:
    """Dropout, batch normalisation and learnt weights among it."""
    if case == "images":
        root = tmp_path_factory.mktemp("images")
    sections = images(root) if case == "images" else {"tasks": SEPARATE} if case == "separate" else {}
    settings = config(every=5 if case == "images" else 3, **sections)
    plain, noted = (run_finetune(settings, name, SEED, root) for name in ("plain", "noted"))
    assert (plain / "weights.safetensors").read_bytes() == (noted / "weights.safetensors").read_bytes()
    history, other = (json.loads((folder / "history.json").read_text()) for folder in (plain, noted))
    looked = [epoch.pop("lookahead") for epoch in other["epochs"]]
    assert history == other
    assert all("lookahead" not in epoch for epoch in history["epochs"])
    tasks = list(settings.tasks)
    assert all(set(found["affinity"][i]) == set(tasks) for found in looked for i in tasks)
    assert min(found["affinity"][i][i] for found in looked for i in tasks) > 0  # a short step helps its own task


def by_hand(run: Run, chosen: Mapping[str, Tensor], lr: float) -> np.ndarray[Any, Any]:
    """Z of one step of a network without dropout and batch normalisation: the weights are moved, and moved back."""
    model: nn.Module = run.model
    forward = Forward(run.model, run.data.select(run.tasks, "train"), run.specs, {}, False)
    shared = run.model.shared_parameters()
    losses = forward(chosen, 1).losses
    assert losses is not None
    found = np.zeros((len(losses), len(losses)))
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    for i, loss in enumerate(losses):
        gradients = torch.autograd.grad(loss, shared, retain_graph=True)
        with torch.no_grad():
            saved = [p.data for p in shared]
            for p, gradient in zip(shared, gradients, strict=True):
                p.data = p.data - lr * gradient
            after = forward(chosen, 1).losses
            for p, value in zip(shared, saved, strict=True):
                p.data = value
        assert after is not None
        found[i] = 1 - after.double().numpy() / losses.detach().double().numpy()
    assert same(kept, dict(model.state_dict()))
    return found


@pytest.mark.parametrize("separate", [False, True])
def test_a_probe_is_what_a_step_for_one_task_does_to_the_losses(separate: bool) -> None:
    tasks = {**TASKS, "late": binary(label="up", input_len=20)} if separate else TASKS
    data: TaskSet = wave_tasks(tasks=tasks)
    run = Run(data, list(data.specs), encoder=still(), batch_size=32)
    run.model.train()
    chosen = next(iter(run.plan.epochs(1)))[0]
    expected = by_hand(run, chosen, 0.05)
    forward = Forward(run.model, data.select(run.tasks, "train"), run.specs, {}, False)
    looking = Lookahead(run.tasks, 1, 0.05)
    found = forward(chosen, 1)
    looking.probe(forward, chosen, 1, found, run.model.shared_parameters(), random_state())
    record = looking.end_epoch()
    for i, one in enumerate(run.tasks):
        for j, other in enumerate(run.tasks):
            assert record.affinity[one][other] == pytest.approx(expected[i, j], abs=1e-6), (one, other)
            assert record.probes[one][other] == 1
    assert abs(expected).min() > 1e-5
    # Separate pools: none of the tasks of one shares a sample with those of the other.
    assert len(forward.pools) == (2 if separate else 1)


def still() -> TimeDartEncoder:
    """No dropout, no batch normalisation."""
    head = ENCODER.classification.model_copy(update={"amplitude": False})
    return ENCODER.model_copy(update={"dropout": 0.0, "classification": head})


def test_a_task_without_a_sample_in_a_step_is_not_looked_at() -> None:
    data = wave_tasks(tasks={**TASKS, "late": binary(label="up", input_len=20)})
    run = Run(data, list(data.specs), batch_size=32)
    chosen = next(iter(run.plan.epochs(1)))[0]
    forward = Forward(run.model, data.select(run.tasks, "train"), run.specs, {}, False)
    only = {name: chosen[name] for name in chosen if name == forward.pools[0].name}
    looking = Lookahead(run.tasks, 1, 0.05)
    looking.probe(forward, only, 1, forward(only, 1), run.model.shared_parameters(), random_state())
    record = looking.end_epoch()
    assert set(record.affinity["next"]) == {"next", "phase", "up"} and record.affinity["late"] == {}


@pytest.mark.parametrize("stop", [1, 9, *(pytest.param(stop, marks=pytest.mark.thorough) for stop in (4, 14))])
def test_a_stopped_run_ends_with_the_same_affinities(root: Path, stop: int) -> None:
    """With a state after every step, a stop at any probe loses that step alone."""
    settings = config(state_seconds=0, every=1)
    ends_as_if_never_stopped(settings, "noted", SEED, root, (Lookahead, "probe"), stop)


def test_groups_by_lookahead_of_a_run(root: Path) -> None:
    settings = config()
    run_finetune(settings, "noted", SEED, root)
    run_finetune(settings, "plain", SEED, root)
    asked: dict[str, Any] = {"source": "noted", "clusters": 2, "relation": {"kind": "lookahead"}}
    found = find_groups(ClusterConfig.model_validate(asked), [SEED], root)
    assert len(found.groups) == 2 and np.shape(found.facts.lookahead or []) == (3, 3)
    selection = {"algorithm": {"kind": "network_selection"}}
    chosen = find_groups(ClusterConfig.model_validate(asked | selection), [SEED], root)
    assert set(np.ravel(chosen.memberships)) <= {0.0, 1.0} and chosen.stability.starts is None
    with pytest.raises(UserError, match=r"holds no lookahead affinity of next onto next: `lookahead` of the method"):
        find_groups(ClusterConfig.model_validate(asked | {"source": "plain"}), [SEED], root)
