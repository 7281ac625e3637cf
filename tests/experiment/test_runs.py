"""Whole runs through `mtl.experiment`, from a configuration to result files, for every kind of method and start."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mtl.config import Config, Start
from mtl.errors import UserError
from mtl.experiment import recipe, run_baseline, run_finetune, run_pretrain
from mtl.experiment.identity import run_identity
from mtl.experiment.objects import load_tasks
from mtl.experiment.states import list_states, release
from mtl.models.build import MultiTaskModel, build_model
from mtl.paths import REFERENCE, RunPath
from mtl.results.examples import Examples
from mtl.results.history import History
from mtl.results.reading import EXAMPLES, HISTORY, RUN
from mtl.results.record import Run
from mtl.results.reference import Reference
from tests.experiment.conftest import PRETRAINED, configure

SEED = 3
KEYS = {
    "stage", "name", "start", "init", "freeze", "seed", "fold", "method_kind", "tasks", "device", "threads",
    "epochs_run", "best_epoch", "stopped", "steps", "samples", "train_size", "parameters", "sharing", "stitches",
    "width", "transfer", "val", "train",
    "test", "detail", "optimum", "guess", "phases", "identity",
}  # fmt: skip
BASIC = {"loss", "accuracy", "balanced_accuracy", "macro_f1"}
METRICS = {
    "next": {"mse", "mae"},
    "phase": {*BASIC, "log_loss", "macro_auc"},
    "up": {*BASIC, "log_loss", "auc", "average_precision", "f1", "brier", "ece"},
}
FORECAST_DETAIL = {
    "mse_by_horizon", "mae_by_horizon", "mse_by_channel", "mae_by_channel", "mse_original_by_channel",
    "mae_original_by_channel",
}  # fmt: skip


def read(folder: Path, name: str = "run") -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def weights(folder: Path, below: str = "") -> dict[str, Tensor]:
    """Weights of a run whose names begin so, without that beginning."""
    found = load_file(folder / "weights.safetensors")
    return {name.removeprefix(below): tensor for name, tensor in found.items() if name.startswith(below)}


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def kind(task: str) -> str:
    return "forecast" if task == "next" else "label"


def build(config: Config, tasks: list[str], root: Path) -> MultiTaskModel:
    """The network of these tasks before any training."""
    data, _ = load_tasks(config, SEED, root)
    return build_model(config.encoder, [data.specs[name] for name in tasks], SEED)


def initial_encoder(config: Config, tasks: list[str], root: Path) -> dict[str, Tensor]:
    return dict(build(config, tasks, root).trunk.encoders()[0].state_dict())


def sane(folder: Path, config: Config) -> Any:
    """The run's run.json, after what holds for every run."""
    for file, name in ((Run, RUN), (History, HISTORY), (Examples, EXAMPLES)):
        file.read(folder / name).write(folder.parent / name)
        assert (folder.parent / name).read_bytes() == (folder / name).read_bytes()
        (folder.parent / name).unlink()
    run, history = read(folder), read(folder, "history")
    root = folder.parents[3 if run["stage"] == "finetune" else 4]
    assert set(run) == KEYS
    for split in ("train", "val", "test"):
        assert {task: set(values) for task, values in run[split].items()} == {t: METRICS[t] for t in run["tasks"]}
    for task, detail in run["detail"].items():
        if kind(task) == "forecast":
            assert set(detail) >= FORECAST_DETAIL
            by_step = detail["mse_by_horizon"]
            assert sum(by_step) / len(by_step) == pytest.approx(run["test"][task]["mse"], rel=1e-6)
        else:
            counts = torch.tensor(detail["confusion"])
            assert counts.shape == (len(detail["classes"]),) * 2
            assert float(counts.trace() / counts.sum()) == pytest.approx(run["test"][task]["accuracy"])
    assert run["epochs_run"] == len(history["epochs"])
    assert run["best_epoch"] == history["best_epoch"]
    assert 1 <= run["best_epoch"] <= config.train.epochs
    assert run["steps"] == sum(epoch["steps"] for epoch in history["epochs"])
    counted = run["parameters"]
    assert counted["total"] == counted["shared"] + sum(counted["heads"].values())
    model = build(config, run["tasks"], root)
    assert set(weights(folder)) == set(model.state_dict())
    assert counted["total"] == sum(parameter.numel() for parameter in model.parameters())
    assert set(counted["heads"]) == set(run["samples"]) == set(run["train_size"]) == set(run["tasks"])
    assert run["optimum"] == {}, "nobody knows the optimum of these data"
    where = RunPath(run["stage"], run["name"], run["start"] if run["stage"] == "baseline" else None, run["seed"])
    assert [state.finished for state in list_states(root) if state.run == str(where.folder.relative_to("outputs"))]
    release(where, root)
    assert not any(
        state.finished and state.run == str(where.folder.relative_to("outputs")) for state in list_states(root)
    )
    return run


def test_a_single_task_and_a_joint_run(root: Path) -> None:
    config = configure()
    single = sane(run_baseline(config, "phase", Start(), SEED, root), config)
    assert (single["method_kind"], single["tasks"], single["start"]) == ("stl", ["phase"], "random")
    joint = sane(run_finetune(config, "joint", SEED, root), config)
    assert (joint["method_kind"], joint["tasks"]) == ("weighted", ["next", "phase", "up"])
    assert joint["transfer"] is None and joint["phases"] is None
    epochs = read(root / "outputs/finetune/joint" / f"seed-{SEED}", "history")["epochs"]
    assert all(epoch["train"][task]["loss"] > 0 for epoch in epochs for task in joint["tasks"])
    assert set(epochs[0]["gradients"]["cosines"]) == {"next|phase", "next|up", "phase|up"}
    assert epochs[-1]["lambda"] > epochs[0]["lambda"] > 0


def test_a_label_is_judged_by_the_metric_that_it_names(root: Path) -> None:
    """The validation of an epoch measures it, and no other that needs a sort; the least Brier score is kept."""
    up = {"kind": "binary", "source": "line", "input_len": 8, "label": "up", "metric": "brier"}
    config = configure(tasks={"up": up}, finetune={"methods": {"same": {"kind": "equal"}}})
    folder = run_baseline(config, "up", Start(), SEED, root)
    run, epochs = sane(folder, config), read(folder, "history")["epochs"]
    assert all(set(epoch["val"]["up"]) == {*BASIC, "brier"} for epoch in epochs)
    scores = [epoch["val"]["up"]["brier"] for epoch in epochs]
    assert [epoch["score"] for epoch in epochs] == scores
    assert run["best_epoch"] == 1 + scores.index(min(scores))
    assert run["val"]["up"]["brier"] == min(scores)
    points = run["detail"]["up"]["operating_points"]
    assert [points["positives"], points["negatives"]] == [sum(row) for row in run["detail"]["up"]["confusion"][::-1]]


def test_a_joint_run_and_its_baselines_are_paired(root: Path) -> None:
    """The same initial encoder and, task by task, the same samples. What is frozen at its start can be read."""
    config = configure(
        baseline={"starts": [{"init": "random", "freeze": "encoder"}]},
        finetune={"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "freeze": "encoder"}}},
    )
    joint = run_finetune(config, "joint", SEED, root)
    start = weights(joint, "trunk.encoder.")
    assert equal(start, initial_encoder(config, ["next", "phase", "up"], root))
    for task in config.tasks:
        single = run_baseline(config, task, Start(freeze="encoder"), SEED, root)
        assert equal(weights(single, "trunk.encoder."), start)
        assert read(single)["samples"][task] == read(joint)["samples"][task] > 0
        assert read(single)["train_size"][task] == read(joint)["train_size"][task]
    other = run_baseline(config, "next", Start(freeze="encoder"), SEED + 1, root)
    assert not equal(weights(other, "trunk.encoder."), start)


def test_a_run_repeats_bit_for_bit_wherever_it_is(root: Path, folder: Path) -> None:
    config = configure()
    first, again = (run_finetune(config, "joint", SEED, place) for place in (root, folder))
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in again.iterdir()}


def test_the_linear_encoder(root: Path) -> None:
    config = configure(encoder={"kind": "linear", "input_len": 8, "width": 16, "forgetting": {"kind": "activation"}})
    run = sane(run_finetune(config, "joint", SEED, root), config)
    assert run["parameters"]["trainable"] == run["parameters"]["total"]


@pytest.mark.parametrize("form", ["kendall", "half"])
def test_uncertainty_weighting_learns_its_weights(form: str, root: Path) -> None:
    config = configure(finetune={"methods": {"learnt": {"kind": "uncertainty", "form": form, "lr": 0.05}}})
    run = sane(run_finetune(config, "learnt", SEED, root), config)
    assert run["method_kind"] == "uncertainty"
    epochs = read(root / f"outputs/finetune/learnt/seed-{SEED}", "history")["epochs"]
    assert all(epoch["lambda"] is None for epoch in epochs)
    assert all(epochs[0]["weights"][task] != epochs[1]["weights"][task] for task in run["tasks"])


@pytest.mark.parametrize(("first", "order"), [("forecast", [["next"], ["phase", "up"]]),
                                              ("labels", [["phase", "up"], ["next"]])])  # fmt: skip
def test_sequential_training_has_two_phases(first: str, order: list[list[str]], root: Path) -> None:
    config = configure(finetune={"methods": {"turns": {"kind": "sequential", "first": first}}})
    run = sane(run_finetune(config, "turns", SEED, root), config)
    assert [phase["tasks"] for phase in run["phases"]] == order
    assert run["phases"][-1]["test"] == run["test"]
    assert run["phases"][0]["test"] != run["test"]
    epochs = read(root / f"outputs/finetune/turns/seed-{SEED}", "history")["epochs"]
    assert [epoch["phase"] for epoch in epochs] == [1, 1, 2, 2]
    assert [sorted(epoch["train"]) for epoch in epochs] == [order[0]] * 2 + [order[1]] * 2
    assert run["samples"] == read(run_finetune(configure(), "joint", SEED, root))["samples"]


class TestConstrainedStopping:
    """Keeps the forecasts within a tolerance of the paired single-task run."""

    def config(self) -> Config:
        return configure(
            train={"epochs": 4, "batch_size": 16, "lr": 3e-3,
                   "stopping": {"criterion": "constrained", "tolerance": 0.0, "patience": None}},
        )  # fmt: skip

    def run(self, mse: float, root: Path) -> Any:
        Reference(mse={"next": {"random": {str(SEED): mse, "4": 0.0001}}}, weights={}).write(root / REFERENCE)
        folder = run_finetune(self.config(), "joint", SEED, root)
        return sane(folder, self.config()), read(folder, "history")["epochs"]

    def test_out_of_reach_the_smallest_excess_wins(self, root: Path) -> None:
        run, epochs = self.run(1e-3, root)
        errors = [epoch["val"]["next"]["mse"] for epoch in epochs]
        assert run["best_epoch"] == 1 + errors.index(min(errors))
        assert epochs[0]["score"] == pytest.approx(errors[0] / 1e-3 - 1)

    def test_where_every_epoch_keeps_the_forecast_the_labels_decide(self, root: Path) -> None:
        run, epochs = self.run(100.0, root)
        assert {epoch["score"] for epoch in epochs} == {0.0}
        wrong = [2 - epoch["val"]["phase"]["accuracy"] - epoch["val"]["up"]["accuracy"] for epoch in epochs]
        assert wrong[run["best_epoch"] - 1] == pytest.approx(min(wrong))

    def test_without_the_reference_it_says_what_to_run(self, root: Path) -> None:
        with pytest.raises(UserError, match=r"outputs/reference\.json is missing; run `mtl repro reference`\."):
            run_finetune(self.config(), "joint", SEED, root)

    def test_a_single_task_run_needs_none(self, root: Path) -> None:
        sane(run_baseline(self.config(), "next", Start(), SEED, root), self.config())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A folder with the pretraining of one seed."""
    root = tmp_path_factory.mktemp("pretrained")
    (root / "data").symlink_to(folder / "data")
    run_pretrain(configure(**PRETRAINED), SEED, root)
    return root


class TestPretrained:
    """Runs that start from pretrained weights, whole or frozen."""

    def config(self, **changes: Any) -> Config:
        return configure(**PRETRAINED, **changes)

    def handed(self, place: Path) -> dict[str, Tensor]:
        return weights(place / f"outputs/pretrain/seed-{SEED}")

    def test_pretraining_writes_its_summary(self, place: Path) -> None:
        folder = place / f"outputs/pretrain/seed-{SEED}"
        run, history = read(folder), read(folder, "history")
        assert (run["stage"], run["name"], run["objective"], run["sources"]) == (
            "pretrain",
            None,
            "diffusion",
            ["line"],
        )
        assert set(run["val"]) == {"loss", "loss_step_0", "loss_step_19"}
        assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2]
        assert run["parameters"]["encoder"] < run["parameters"]["total"]
        assert run["val"]["loss"] == pytest.approx(history["epochs"][-1]["val"]["loss"])

    def test_a_frozen_encoder_stays_as_it_was_handed_over(self, place: Path) -> None:
        config = self.config(
            finetune={"methods": {"probe": {"kind": "weighted", "lambda": 0.3, "init": "pretrained",
                                            "freeze": "encoder"}}}
        )  # fmt: skip
        folder = run_finetune(config, "probe", SEED, place)
        run = sane(folder, config)
        assert run["start"] == "pretrained-frozen"
        assert run["parameters"]["trainable"] == sum(run["parameters"]["heads"].values())
        found, handed = weights(folder, "trunk.encoder."), self.handed(place)
        assert sorted(run["transfer"]["handed_over"]) == sorted(handed)
        assert equal({name: found[name] for name in handed}, handed)
        random = initial_encoder(config, ["next", "phase", "up"], place)
        assert not equal({name: random[name] for name in handed}, handed)
        single = run_baseline(config, "next", Start(init="pretrained", freeze="encoder"), SEED, place)
        assert equal(weights(single, "trunk.encoder."), found)

    def test_a_pretrained_encoder_is_trained_on(self, place: Path) -> None:
        """With a learning rate next to nothing the first epoch ends where the pretraining did."""
        still = self.config(train={"epochs": 1, "batch_size": 16, "lr": 1e-12, "weight_decay": 0.0,
                                   "stopping": {"patience": None}})  # fmt: skip
        folder = run_baseline(still, "phase", Start(init="pretrained"), SEED, place)
        found, handed = weights(folder, "trunk.encoder."), self.handed(place)
        assert all(torch.allclose(found[name], handed[name], rtol=0, atol=1e-9) for name in handed)
        moved = run_baseline(self.config(), "phase", Start(init="pretrained"), SEED, place)
        run = sane(moved, self.config())
        assert run["parameters"]["trainable"] == run["parameters"]["total"]
        assert not equal({name: weights(moved, "trunk.encoder.")[name] for name in handed}, handed)

    def test_one_pretraining_for_all_seeds(self, place: Path) -> None:
        shared = self.config()
        shared = shared.model_copy(update={"pretrain": shared.pretrain.model_copy(update={"shared": True})})
        folder = run_baseline(shared, "phase", Start(init="pretrained", freeze="encoder"), 4, place)
        handed = self.handed(place)
        assert equal({name: weights(folder, "trunk.encoder.")[name] for name in handed}, handed)

    def test_a_seed_without_its_pretraining_says_what_to_run(self, place: Path) -> None:
        with pytest.raises(UserError, match=r"outputs/pretrain/seed-4/weights\.safetensors is missing; run `dvc repro"):
            run_baseline(self.config(), "phase", Start(init="pretrained"), 4, place)

    def test_no_objective_leaves_a_summary_and_no_weights(self, root: Path) -> None:
        folder = run_pretrain(configure(), SEED, root)
        assert sorted(path.name for path in folder.iterdir()) == ["history.json", "run.json"]
        assert read(folder)["objective"] == "none"


def test_a_method_on_the_features_is_told_which_tasks_read_other_samples(root: Path) -> None:
    label = {"kind": "binary", "source": "line", "input_len": 8, "label": "up"}
    config = configure(
        tasks={"all": label, "few": label | {"train_fraction": 0.1}},
        finetune={"methods": {"both": {"kind": "upgrad", "features": "features"}}},
    )
    with pytest.raises(UserError) as caught:
        run_finetune(config, "both", SEED, root)
    assert re.fullmatch(
        r"params\.yaml: `finetune\.methods\.both\.features` should be exact for tasks that do not read the same "
        r"samples, found 'features' for all \(\d+ samples\); few \(\d+ samples\)\.",
        str(caught.value),
    )
    assert not (root / "outputs/finetune").exists()


def test_an_earlier_result_stays_until_the_new_one_is_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails leaves the folder of the run before it as it was."""
    config = configure()
    folder = run_finetune(config, "joint", SEED, root)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    hot = configure(train={"epochs": 2, "batch_size": 16, "lr": 1e18, "clip": None, "schedule": "constant"})
    with pytest.raises(UserError, match="became"):
        run_finetune(hot, "joint", SEED, root)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_method_with_its_own_learning_rate_is_what_a_common_one_would_make_it(root: Path) -> None:
    """And nothing else moves: the single-task runs keep theirs."""
    own = {"lr": 1e-3, "head_lr": 2e-3, "weight_decay": 0.1}
    joint = {"kind": "weighted", "lambda": 0.3}
    config = configure(finetune={"methods": {"joint": joint | {"train": own}}})
    plain = configure(finetune={"methods": {"joint": joint}})
    common = configure(train=plain.train.model_dump(mode="json") | own, finetune={"methods": {"joint": joint}})
    mine = weights(run_finetune(config, "joint", SEED, root))
    identity = run_identity(recipe.joint(config, "joint", SEED), root)
    assert equal(mine, weights(run_finetune(common, "joint", SEED, root)))
    assert identity != run_identity(recipe.joint(plain, "joint", SEED), root)
    alone, common_alone = (recipe.single_task(settings, "up", Start(), SEED) for settings in (config, plain))
    assert run_identity(alone, root) == run_identity(common_alone, root)
