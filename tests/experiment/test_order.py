"""Tasks trained one after the other (`sequential: {order: …}`): what is kept, forgotten and handed on."""

from pathlib import Path
from typing import Any

import pytest

from mtl.config import Config, Start
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.evaluation.compare import compare
from mtl.evaluation.runs import read_runs
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.recipe import joint
from mtl.paths import PREPARED, RunPath
from mtl.results.record import Run
from tests.experiment.conftest import configure

SEED = 3


def run_of(root: Path, path: RunPath) -> Run:
    return Run.read(root / path.folder / "run.json")


def arm(root: Path, name: str, seed: int = SEED) -> Run:
    return run_of(root, RunPath("finetune", name, None, seed))


def turns(**settings: Any) -> Config:
    method = {"kind": "sequential", "order": ["up", "next", "phase"]} | settings
    starts = [{}, {"freeze": "encoder"}]
    return configure(baseline={"starts": starts}, finetune={"methods": {"turns": method}})


def test_a_task_or_a_list_of_tasks_is_a_phase() -> None:
    config = turns(order=[["phase", "next"], "up"])
    phases = joint(config, "turns", SEED).phases
    assert [phase.tasks for phase in phases] == [["next", "phase"], ["up"]], "in a phase, the order of the file"
    assert config.method_tasks("turns") == ["next", "phase", "up"]
    assert turns(order=["up", "phase"]).method_tasks("turns") == ["phase", "up"], "it names the tasks"


def test_the_first_phase_is_the_single_task_run_of_its_task(root: Path) -> None:
    config = turns()
    run_finetune(config, "turns", SEED, root)
    run_baseline(config, "up", Start(), SEED, root)
    run, alone = arm(root, "turns"), run_of(root, RunPath("baseline", "up", "random", SEED))
    assert run.phases is not None and [phase.tasks for phase in run.phases] == [["up"], ["next"], ["phase"]]
    assert run.phases[0].test["up"] == alone.test["up"]
    assert run.phases[2].test == run.test and run.epochs_run == 3 * alone.epochs_run


def test_a_frozen_encoder_forgets_nothing(root: Path) -> None:
    """Heads do not meet: what a task has learnt in its own phase is what it can do at the end."""
    run_finetune(turns(freeze="encoder"), "turns", SEED, root)
    run = arm(root, "turns")
    assert run.phases is not None
    assert run.phases[0].test["up"] == run.phases[1].test["up"] == run.phases[2].test["up"] == run.test["up"]
    assert run.phases[0].test["next"] != run.phases[1].test["next"] == run.test["next"]


def few_odd(seeds: list[int]) -> Config:
    """Even digits with many labels, and odd ones, their complement, with few: trained after them, and alone."""
    labels: dict[str, Any] = {"even": "even", "odd": {"any_of": ["1", "3", "5", "7", "9"]}}
    tasks = {name: {"kind": "binary", "source": "digits", "label": label} for name, label in labels.items()}
    tasks["odd"]["train_fraction"] = 0.04
    return configure(
        base={"seeds": seeds, "device": "cpu"},
        prepare={"sources": {"digits": {"kind": "digits"}}},
        tasks=tasks,
        encoder={"kind": "mlp", "sizes": [32]},
        train={"epochs": 12, "batch_size": 64, "lr": 3e-3, "gradient_probes": 0, "stopping": {"patience": None}},
        finetune={"methods": {"transfer": {"kind": "sequential", "order": ["even", "odd"]}}},
    )


@pytest.mark.slow
@pytest.mark.thorough
def test_planted_transfer_helps_and_the_task_before_it_pays(tmp_path: Path) -> None:
    config = few_odd([0, 1, 2])
    write_prepared(read_source("digits", config.prepare.sources["digits"], Path()), tmp_path / PREPARED / "digits", {})
    for seed in config.base.seeds:
        run_finetune(config, "transfer", seed, tmp_path)
        for task in config.tasks:
            run_baseline(config, task, Start(), seed, tmp_path)
    verdicts = compare(config, read_runs(config, tmp_path))
    rows = {row.task: row for row in verdicts.rows}
    assert (rows["odd"].change.low or 0) > 0, "its complement has taught the network what it takes"
    (forgotten,) = verdicts.forgetting
    assert (forgotten.method, forgotten.task) == ("transfer", "even")
    # Its own phase is its single-task run, so that what it forgets is what it loses against that.
    assert forgotten.change == rows["even"].change and forgotten.after_own_phase == rows["even"].stl
