"""Joint runs that share a network in other ways, have a target, ease into their samples, or are watched on the test
part: what they leave behind, and that they go on from a state bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtl.balancing.build import build_balancer
from mtl.config import Config, MlpEncoder, Start
from mtl.config.inputs import IMAGES
from mtl.errors import UserError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.easing import eased_plan
from mtl.experiment.objects import build_optimiser, joint_plan, load_tasks
from mtl.experiment.recipe import PLAIN, joint
from mtl.models.build import build_model
from mtl.results.history import Epoch
from mtl.tasks.binary import Binary
from tests.experiment.conftest import configure

SEED = 3
LABELS = ["phase", "up"]
FORMS: dict[str, dict[str, Any]] = {
    "separate": {"kind": "separate"},
    "soft": {"kind": "soft", "penalty": 0.01},
    "cross_stitch": {"kind": "cross_stitch", "units": "channel", "init": "lean"},
    "branched": {"kind": "branched", "groups": [["next"], ["phase", "up"]], "shared_stages": 1},
}


def method(**changes: Any) -> Config:
    return configure(finetune={"methods": {"joint": {"kind": "weighted", "lambda": 0.3} | changes}})


def read(folder: Path, stem: str = "run") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{stem}.json").read_text())
    return found


class Stopped(Exception):
    """Ends a run after an epoch."""


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_sharing_trains_and_goes_on_bit_for_bit(form: str, root: Path, tmp_path: Path) -> None:
    config = method(sharing=FORMS[form])
    folder = run_finetune(config, "joint", SEED, root)
    run = read(folder)
    assert run["sharing"] == {"kind": form} and run["tasks"] == ["next", "phase", "up"]
    assert (run["stitches"] is None) == (form != "cross_stitch")
    if run["stitches"]:
        assert run["stitches"]["tasks"] == run["tasks"] and len(run["stitches"]["stages"]) == 2
        assert torch.tensor(run["stitches"]["stages"]).shape == (2, 3, 3)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stop(record: Epoch) -> None:
        if record.epoch == 1:
            raise Stopped

    other = tmp_path / "other"
    other.mkdir()
    (other / "data").symlink_to(root / "data")
    with pytest.raises(Stopped):
        run_finetune(config, "joint", SEED, other, on_epoch=stop)
    again = run_finetune(config, "joint", SEED, other)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == whole


def test_separate_networks_on_plain_losses_are_the_single_task_runs(root: Path) -> None:
    """Without clipping and with the losses' own scale, each network trains as if it were alone."""
    train = {"epochs": 2, "batch_size": 16, "lr": 3e-3, "clip": None, "stopping": {"patience": None}}
    finetune = {"methods": {"joint": {"kind": "equal", "tasks": LABELS, "sharing": {"kind": "separate"}}}}
    tasks = configure().model_dump(mode="json", by_alias=True)["tasks"]
    tasks["up"]["train_fraction"] = 1.0
    config = configure(train=train, finetune=finetune, tasks={name: tasks[name] for name in LABELS},
                       encoder={"kind": "linear", "input_len": 8, "width": 16, "dropout": 0.0})  # fmt: skip
    joint = load_file(run_finetune(config, "joint", SEED, root) / "weights.safetensors")
    history = read(root / "outputs/finetune/joint/seed-3", "history")["epochs"]
    for number, task in enumerate(LABELS):
        alone = run_baseline(config, task, Start(), SEED, root)
        mine = read(alone, "history")["epochs"]
        assert [e["train"][task]["loss"] for e in history] == pytest.approx([e["train"][task]["loss"] for e in mine])
        if read(alone)["best_epoch"] == read(root / "outputs/finetune/joint/seed-3")["best_epoch"]:
            weights = load_file(alone / "weights.safetensors")
            for name, tensor in weights.items():
                here = name.replace("trunk.encoder.", f"trunk.columns.{number}.")
                torch.testing.assert_close(joint[here], tensor, rtol=1e-4, atol=1e-6)


def test_a_target_is_trained_on_alone_for_a_second_budget_and_judged_alone(root: Path) -> None:
    config = method(target="up")
    together, alone = joint(config, "joint", SEED).phases
    assert together.tasks == ["next", "phase", "up"] and alone.tasks == ["up"]
    assert (together.method, alone.method) == (config.finetune.methods["joint"], PLAIN)
    folder = run_finetune(config, "joint", SEED, root)
    run, history = read(folder), read(folder, "history")["epochs"]
    assert run["tasks"] == ["up"] == list(run["test"])
    assert [(e["phase"], sorted(e["train"])) for e in history] == [
        (1, ["next", "phase", "up"]), (1, ["next", "phase", "up"]), (2, ["up"]), (2, ["up"]),
    ]  # fmt: skip
    first = history[2]["weights"]
    assert first == {"up": 1.0}
    single = read(run_baseline(config, "up", Start(), SEED, root))
    assert run["samples"]["up"] == 2 * single["samples"]["up"]
    assert read(folder)["optimum"] == {}


def test_the_test_part_is_watched_only_when_asked_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    plain = configure()
    train = plain.model_dump(mode="json", by_alias=True)["train"] | {"watch_test": True}
    watched = configure(train=train)
    other = tmp_path / "other"
    other.mkdir()
    (other / "data").symlink_to(root / "data")
    folders = [run_finetune(plain, "joint", SEED, root), run_finetune(watched, "joint", SEED, other)]
    histories = [read(folder, "history")["epochs"] for folder in folders]
    assert all("test" not in epoch for epoch in histories[0])
    runs = [read(folder) for folder in folders]
    best = histories[1][runs[1]["best_epoch"] - 1]["test"]
    assert best["phase"]["accuracy"] == runs[1]["test"]["phase"]["accuracy"]
    for epoch in histories[1]:
        del epoch["test"]
    assert histories[0] == histories[1]
    weights = [(folder / "weights.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]


class TestCurriculum:
    """Easy samples first, by the single-task models of the seed."""

    CONFIG = {"pacing": "linear", "start": 0.5, "full": 1.0}

    def test_it_needs_the_single_task_models(self, root: Path) -> None:
        with pytest.raises(UserError, match=r"baseline/next/random/seed-3/weights.safetensors is missing; run `mtl"):
            run_finetune(method(curriculum=self.CONFIG), "joint", SEED, root)

    def test_the_samples_with_the_lowest_losses_come_first(self, root: Path) -> None:
        config = method(curriculum=self.CONFIG)
        for task in config.tasks:
            run_baseline(config, task, Start(), SEED, root)
        data, _ = load_tasks(config, SEED, root)
        plan = eased_plan(joint(config, "joint", SEED), data, joint_plan(config, data, SEED), root)
        assert plan.easing.keys() == {pool.name for pool in data.pools["train"]}
        for pool in data.pools["train"]:
            order = plan.easing[pool.name].order
            assert sorted(order.tolist()) == list(range(len(pool)))
            assert len(plan.easing[pool.name].in_use(0)) == -(-len(pool) // 2)
        run = read(run_finetune(config, "joint", SEED, root))
        assert "curriculum" in run["identity"]

    def test_a_task_waits_for_its_first_epoch(self, root: Path) -> None:
        config = method(curriculum={"samples": False, "start_epoch": {"phase": 2}})
        history = read(run_finetune(config, "joint", SEED, root), "history")["epochs"]
        assert history[0]["train"]["phase"]["loss"] is None and history[1]["train"]["phase"]["loss"] > 0
        assert all(epoch["train"]["next"]["loss"] > 0 for epoch in history)


def test_a_wider_start_has_a_wider_encoder(root: Path) -> None:
    config = configure(
        baseline={"starts": [{}, {"width": 2.0}]},
        finetune={"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "width": 2.0}}},
    )
    runs = [read(run_baseline(config, "phase", start, SEED, root)) for start in config.baseline.starts]
    joint = read(run_finetune(config, "joint", SEED, root))
    assert [run["width"] for run in (*runs, joint)] == [1.0, 2.0, 2.0]
    assert runs[1]["parameters"]["trunk"] > 2 * runs[0]["parameters"]["trunk"]
    assert runs[1]["parameters"]["trunk"] == joint["parameters"]["trunk"]
    assert joint["start"] == "random-width2"


def test_heads_learn_at_their_own_rates_and_stacked_heads_split_by_rate(root: Path) -> None:
    raw = configure().model_dump(mode="json", by_alias=True)
    raw["tasks"]["up"]["head_lr"] = 0.05
    raw["train"]["head_lr"] = 0.01
    config = configure(tasks=raw["tasks"], train=raw["train"])
    data, _ = load_tasks(config, SEED, root)
    specs = list(data.specs.values())
    model = build_model(config.encoder, specs, SEED)
    optimiser = build_optimiser(config.train, model, list(config.tasks), build_balancer(PLAIN, specs), PLAIN)
    rate = {id(p): group["base_lr"] for group in optimiser.param_groups for p in group["params"]}
    wanted = {"next": 0.01, "phase": 0.01, "up": 0.05}
    for task, lr in wanted.items():
        assert {rate[id(p)] for p in model.head_parameters([task])} == {lr}
    assert {rate[id(p)] for p in model.trunk.parameters()} == {3e-3}

    images = [
        Binary(name=name, source="s", input=IMAGES, shape=(1, 4, 4), columns=["grey"], classes=["n", "y"], head_lr=lr)
        for name, lr in (("a", None), ("b", 0.1), ("c", None))
    ]
    stacked = build_model(MlpEncoder(kind="mlp", sizes=[5]), images, SEED)
    assert [stack.tasks for stack in stacked._stacks] == [("a", "c"), ("b",)]
    optimiser = build_optimiser(config.train, stacked, ["a", "b", "c"], build_balancer(PLAIN, images), PLAIN)
    rate = {id(p): group["base_lr"] for group in optimiser.param_groups for p in group["params"]}
    assert [rate[id(stack.weight)] for stack in stacked._stacks] == [0.01, 0.1]
    assert stacked(torch.zeros(2, 1, 4, 4), ["a", "b", "c"]).stacks["binary"].tasks == ("a", "b", "c")
