"""Runs that are made again from more data: the same loop, the chosen epochs, test figures where a test part is left."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from torch import nn
from typer.testing import CliRunner

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.api.deployment.members import recipe_of
from mtl.api.deployment.refit import WORK, Refit, one_after_another, refit
from mtl.cli import model_commands
from mtl.cli.deploy import deploy
from mtl.config import BaseConfig, load_config, parse_config
from mtl.config.common import Extent
from mtl.config.simple import SimpleConfig
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.experiment.again import chosen_epochs, made_again
from mtl.experiment.objects import load_tasks
from mtl.experiment.runs import run
from mtl.jobs.local import Job
from mtl.models.linear_map import RowMap
from mtl.models.multitask import MultiTaskModel
from mtl.models.saved import load as load_folder
from mtl.paths import RunPath
from mtl.results.deployment import CARD, MEMBERS, Deployment
from mtl.results.model import MODEL, WEIGHTS, SavedModel
from mtl.results.reading import read_history, read_run
from mtl.serving.deployed import DeployedModel
from mtl.simple.samples import SampleModels
from mtl.tasks.forms import NumberForm
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import write_verdicts
from tests.serving.conftest import Project

EPOCHS = 6
TRAIN = {"epochs": EPOCHS, "batch_size": 32, "lr": 0.3, "schedule": "constant", "gradient_probes": 0,
         "stopping": {"patience": None}}  # fmt: skip
"""So large a learning rate that the last epoch is not the best one of every seed."""
PARTS: tuple[Extent, Extent] = ("train", "train+val")
METHODS: dict[str, dict[str, Any]] = {
    "joint": {"kind": "equal"},
    "turns": {"kind": "sequential", "first": "forecast"},
}


@pytest.fixture(scope="module")
def longer(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The table with methods of one phase and of two, whose best epoch is not their last."""
    root = flats.copy(tmp_path_factory.mktemp("longer")).root
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    settings |= {"train": TRAIN, "finetune": {"methods": METHODS}}
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = parse_config(settings)
    for method in config.finetune.methods:
        for seed in config.base.seeds if method == "joint" else [0]:
            run_finetune(config, method, seed, root)
    last = [read_run(RunPath("finetune", "joint", None, seed), root).best_epoch for seed in config.base.seeds]
    assert min(last) < EPOCHS, "a run is left before its last epoch"
    write_verdicts(root, config, {})
    return Project(root, config)


@pytest.fixture(scope="module")
def project(longer: Project) -> Project:
    """With a refit of the joint method on both extents."""
    for extent in ("train+val", "all"):
        made(longer, extent)
    return longer


def made(project: Project, extent: Extent = "train+val", **wish: Any) -> tuple[Path, Deployment]:
    folder, deployment = refit(Refit(Wish(**({"method": "joint"} | wish)), extent), one_after_another, project.root)
    return project.root / folder, deployment


def content(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_some_best_epoch_is_not_the_last(longer: Project) -> None:
    """The run that ends early depends on the processor: sums of other instruction sets round differently."""
    paths = [RunPath("finetune", "joint", None, seed) for seed in (0, 1)] + [RunPath("finetune", "turns", None, 0)]
    assert min(read_run(path, longer.root).best_epoch for path in paths) < EPOCHS


@pytest.mark.parametrize(("method", "seed"), [("joint", 0), ("joint", 1), ("turns", 0)])
def test_the_same_data_and_epochs_give_the_same_weights(
    method: str, seed: int, longer: Project, tmp_path: Path
) -> None:
    """The one loop, left after the chosen epoch of the whole schedule: the run itself, to the last bit."""
    path = RunPath("finetune", method, None, seed)
    again = made_again(recipe_of(longer.config, path, longer.root), "train", longer.root)
    assert again.again is not None
    *earlier, last = again.again.epochs
    assert last == read_run(path, longer.root).best_epoch
    assert len(again.again.epochs) == len(again.phases)
    folder = run(again, longer.root, out=tmp_path)
    if all(epochs == EPOCHS for epochs in earlier):  # else dropout of the last phase draws other numbers
        assert (folder / WEIGHTS).read_bytes() == (longer.root / path.folder / WEIGHTS).read_bytes()
    assert len(read_history(path, tmp_path).epochs) == sum(again.again.epochs)


@pytest.fixture(scope="module")
def started(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The table whose tasks start at ridge and logistic regression, as new projects have it; trained for one seed."""
    root = flats.copy(tmp_path_factory.mktemp("started")).root
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    settings |= {"train": TRAIN, "finetune": {"methods": {"joint": METHODS["joint"]}}}
    settings["tasks"] = {name: task | {"linear": {}} for name, task in settings["tasks"].items()}
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = parse_config(settings)
    run_finetune(config, "joint", 0, root)
    write_verdicts(root, config, {})
    return Project(root, config)


def same(body: nn.Module, folder: Path) -> bool:
    """Says whether the network of a folder has these numbers in its map of the rent."""
    network = load_folder(folder, "").model
    assert isinstance(network, MultiTaskModel)
    linear = network.linear_maps["rent"]
    assert isinstance(linear, RowMap)
    kept = linear.body.state_dict()
    return all(torch.equal(kept[key], numbers) for key, numbers in body.state_dict().items())


def test_tasks_that_start_at_a_linear_map_are_made_again(started: Project, tmp_path: Path) -> None:
    """On the same data the run itself; on more data the map with the same penalty, which is ridge on all of them."""
    path = RunPath("finetune", "joint", None, 0)
    again = made_again(recipe_of(started.config, path, started.root), "train", started.root)
    folder = run(again, started.root, out=tmp_path)
    assert (folder / WEIGHTS).read_bytes() == (started.root / path.folder / WEIGHTS).read_bytes()
    place, kept = made(started, seeds=0)
    (name,) = kept.members
    first, more = (load_tasks(started.config, 0, started.root, part)[0] for part in PARTS)
    spec = first.specs["rent"]
    assert isinstance(spec.form, NumberForm)
    body, setting = SampleModels(SimpleConfig(), first, 1).on_rows(spec, spec.form)
    assert same(body, started.root / path.folder)
    body, _ = SampleModels(SimpleConfig(), more, 1, {"rent": setting}).on_rows(more.specs["rent"], spec.form)
    assert same(body, place / MEMBERS / name)
    assert all(served.test is not None for served in kept.tasks.values())


def test_an_earlier_phase_is_left_after_its_own_best_epoch(longer: Project) -> None:
    path = RunPath("finetune", "turns", None, 0)
    history = read_history(path, longer.root)
    scores = {epoch.epoch: epoch.score for epoch in history.epochs if epoch.phase == 1}
    start = history.starts[0]
    assert start is not None
    scores[0] = start.score
    assert chosen_epochs(recipe_of(longer.config, path, longer.root), longer.root)[0] == min(
        scores, key=scores.__getitem__
    )


def test_members_say_what_they_were_made_from(project: Project) -> None:
    kept = Deployment.of_folder(project.root / "models/joint-refit")
    (name,) = kept.members
    saved = SavedModel.of_folder(project.root / "models/joint-refit" / MEMBERS / name)
    run_before = read_run(RunPath("finetune", "joint", None, saved.seed), project.root)
    assert saved.again is not None
    assert (saved.again.extent, saved.again.epochs) == ("train+val", [run_before.best_epoch])
    data, _ = load_tasks(project.config, saved.seed, project.root)
    masks = data.sources["flats"].masks(data.fold["flats"])
    size = data.sources["flats"].data.values[masks["train"] | masks["val"], 0]  # type: ignore[attr-defined]
    assert saved.sources["flats"].scaler.mean[0] == pytest.approx(size.mean().item(), rel=1e-12)
    assert kept.sources["flats"].inputs is not None and kept.sources["flats"].inputs.values == len(size)
    assert not (project.root / WORK / "joint-refit").exists()


def test_test_figures_are_measured_anew_on_the_test_part(project: Project) -> None:
    folder = project.root / "models/joint-refit"
    model = mtl.load_model(folder)
    assert isinstance(model, DeployedModel)
    (member,) = model.deployment.members.values()
    data, _ = load_tasks(project.config, member.seed, project.root, "train+val")
    (pool,) = data.select(["rent"], "test")
    frame = flats_frame().iloc[pool.samples.numbers.numpy()].drop(columns=["rent", "dear"])
    answers = model.outputs(frame.assign(sold=pd.to_datetime(frame["sold"], format="%d.%m.%Y")))
    old = read_run(RunPath("finetune", "joint", None, member.seed), project.root)
    for task, served in model.deployment.tasks.items():
        spec = model.tasks[task]
        target = pool.targets.get(task) or data.select([task], "test")[0].targets[task]
        values = target.values if target.valid is None else target.values[target.valid]  # type: ignore[index]
        assert values is not None
        shown = values if values.is_floating_point() else values.long()
        assert served.test == spec.score(answers[task], shown, detailed=True)[0]
        assert served.test != old.test[task]


def test_of_everything_there_is_no_test_and_everyone_is_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.root / "models/joint-refit-all"
    kept = Deployment.of_folder(folder)
    assert kept.extent == "all" and all(served.test is None for served in kept.tasks.values())
    card = (folder / CARD).read_text(encoding="utf-8")
    assert "**Without a test of its own: trained again on all data" in card and "mtl refit joint --on all" in card
    assert "| rent | joint, trained jointly | not measured: it was trained on the test part as well |" in card
    flats_frame(20).to_csv(tmp_path / "new.csv", sep=";", index=False)
    monkeypatch.chdir(project.root)
    for command in (["predict", str(tmp_path / "new.csv"), "-o", str(tmp_path / "p.csv")],
                    ["score", str(tmp_path / "new.csv")]):  # fmt: skip
        ended = CliRunner().invoke(model_commands.app, [*command, "--model", str(folder)], catch_exceptions=False)
        assert ended.exit_code == 0
        assert "note: joint-refit-all is without a test of its own" in ended.stderr
        again = [*command, "--model", str(project.root / "models/joint-refit")]
        assert "without a test" not in CliRunner().invoke(model_commands.app, again, catch_exceptions=False).stderr


@pytest.mark.thorough
def test_seeds_are_made_again_for_their_own_epochs(longer: Project) -> None:
    folder, kept = made(longer, seeds="ensemble", name="both")
    assert len(kept.members) == 2
    for name, member in kept.members.items():
        saved = SavedModel.of_folder(folder / MEMBERS / name)
        before = read_run(RunPath("finetune", "joint", None, member.seed), longer.root)
        assert saved.again is not None and saved.again.epochs == [before.best_epoch]
    assert all(served.test is not None for served in kept.tasks.values())


@pytest.mark.thorough
def test_what_was_begun_is_gone_on_with_to_the_same_bytes(longer: Project) -> None:
    folder, _ = made(longer, seeds="ensemble", name="whole")
    expected = content(folder)
    made(longer, seeds="ensemble", name="whole")
    assert content(folder) == expected

    class Stopped(Exception):
        pass

    def stopped(jobs: list[Job], base: BaseConfig, root: Path) -> None:
        one_after_another(jobs[:1], base, root)
        raise Stopped

    asked = Refit(Wish(method="joint", seeds="ensemble", name="whole"))
    with pytest.raises(Stopped):
        refit(asked, stopped, longer.root)
    assert content(folder) == expected, "what stood there stays"
    assert list((longer.root / WORK / "whole/.mtl/state").rglob("*.safetensors"))
    refit(asked, one_after_another, longer.root)
    assert content(folder) == expected and not (longer.root / WORK / "whole").exists()


def test_what_cannot_be_made_again_is_refused_with_a_remedy(longer: Project, flats: Project, tmp_path: Path) -> None:
    def refused(project: Project, message: str, **wish: Any) -> None:
        before = content(project.root)
        with pytest.raises(UserError, match=message):
            made(project, **wish)
        assert content(project.root) == before

    refused(longer, "--method should be one of auto, stl", method="nobody")
    other = flats.copy(tmp_path / "other")
    settings = yaml.safe_load((other.root / "params.yaml").read_text(encoding="utf-8"))
    settings["train"]["lr"] = 0.5
    (other.root / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    refused(replace(other, config=load_config(other.root / "params.yaml")), "other settings or data.*`mtl repro`")


@pytest.mark.thorough
def test_series_and_images_are_made_again_as_well(plant: Project, digits: Project, tmp_path: Path) -> None:
    for number, project in enumerate((plant, digits)):
        copy = project.copy(tmp_path / str(number))
        _, both = made(copy, method="stl", seeds=0)
        _, everything = made(copy, "all", seeds=0)
        assert all(served.test is not None for served in both.tasks.values())
        assert all(served.test is None for served in everything.tasks.values())


def test_the_command_shows_what_it_made(longer: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = longer.copy(tmp_path / "copy").root
    monkeypatch.chdir(root)
    wrong = CliRunner().invoke(model_commands.app, ["refit", "joint", "--on", "test"])
    assert isinstance(wrong.exception, UserError) and "--on should be one of train+val, all" in str(wrong.exception)
    ended = CliRunner().invoke(model_commands.app, ["refit", "joint", "--seeds", "1", "--on", "all"])
    assert ended.exit_code == 0, ended.exception
    assert "joint-refit-all is without a test of its own" in ended.stdout
    assert "models/joint-refit-all (card:" in ended.stdout


def test_a_refit_is_another_deployment_than_that_of_the_run(project: Project) -> None:
    plain = deploy(Wish(method="joint"), project.root)
    kept: Mapping[str, Any] = json.loads((plain / "deployment.json").read_text(encoding="utf-8"))
    assert "extent" not in kept
    (name,) = kept["members"]
    assert "again" not in json.loads((plain / MEMBERS / name / MODEL).read_text(encoding="utf-8"))
    assert not torch.equal(
        mtl.load_model(plain).outputs(example(), ["rent"])["rent"],
        mtl.load_model(project.root / "models/joint-refit").outputs(example(), ["rent"])["rent"],
    )


def example(count: int = 9) -> Any:
    frame = flats_frame(count).drop(columns=["rent", "dear"])
    return frame.assign(sold=pd.to_datetime(frame["sold"], format="%d.%m.%Y"))
