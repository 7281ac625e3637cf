"""Choices of validation samples that a refit keeps: of simple models, calibrations, thresholds, curricula."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.api.deployment.members import recipe_of
from mtl.api.deployment.refit import Refit, one_after_another, refit
from mtl.cli.deploy import deploy
from mtl.config import load_config, parse_config
from mtl.config.common import Extent
from mtl.experiment import run_finetune
from mtl.experiment.again import made_again, made_again_first
from mtl.experiment.easing import eased_plan
from mtl.experiment.objects import joint_plan, load_tasks
from mtl.experiment.runs import run
from mtl.paths import RunPath
from mtl.results.deployment import CARD, MEMBERS, Deployment
from mtl.results.model import WEIGHTS, SavedModel
from mtl.results.reading import read_run
from mtl.serving.deployed import DeployedModel
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import set_evaluate, write_verdicts
from tests.serving.conftest import Project
from tests.serving.test_refit import example, made

COSTS = {"dear": {"false_positive": 1.0, "false_negative": 30.0}}


@pytest.fixture(scope="module")
def corrected(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A joint model for the rent, simple models for the rest, which say classes by calibrated chances and by costs."""
    project = flats.copy(tmp_path_factory.mktemp("corrected"))
    write_verdicts(project.root, project.config, {"rent": "HELPED", "band": "simple", "dear": "LEVEL"})
    set_evaluate(project.root, costs=COSTS, calibration="temperature")
    deploy(Wish(seeds=0), project.root)
    for extent in ("train+val", "all"):
        made(project, extent, method="auto", seeds=0)
    return project


@pytest.fixture(scope="module")
def eased(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The joint method of one seed takes easy samples first."""
    root = flats.copy(tmp_path_factory.mktemp("eased")).root
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    settings["finetune"]["methods"]["joint"] |= {"curriculum": {"samples": True}}
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = parse_config(settings)
    run_finetune(config, "joint", 0, root)
    return Project(root, config)


def of(project: Project, name: str) -> Deployment:
    return Deployment.of_folder(project.root / "models" / name)


def test_simple_models_are_fitted_to_more_with_the_settings_that_were_chosen(corrected: Project) -> None:
    for name, extent in (("auto-refit", "train+val"), ("auto-refit-all", "all")):
        kept = of(corrected, name)
        (member,) = kept.tasks["band"].members
        assert kept.tasks["band"].how == "simple"
        folder = corrected.root / "models" / name / MEMBERS / member
        before, after = (
            SavedModel.of_folder(place) for place in (corrected.root / "outputs/simple/band/seed-0", folder)
        )
        assert after.again is not None and after.again.extent == extent and after.again.epochs == []
        assert before.simple is not None and after.simple == before.simple and after.weights != before.weights
        assert after.sources["flats"].scaler != before.sources["flats"].scaler
        card = (corrected.root / "models" / name / CARD).read_text(encoding="utf-8")
        assert "The simple model of band was fitted anew with the settings that the validation part had" in card
    test = of(corrected, "auto-refit").tasks["band"].test
    assert test is not None and test != read_run(RunPath("simple", "band", None, 0), corrected.root).test["band"]
    assert of(corrected, "auto-refit-all").tasks["band"].test is None


def test_its_answers_come_from_a_fit_to_both_parts(corrected: Project) -> None:
    """The median of `band` is ridge regression: near that of all rows but the test part, as new data are answered."""
    frame = example(50)
    model = mtl.load_model(corrected.root / "models/auto-refit")
    before = mtl.load_model(corrected.root / "models/auto")
    ours, theirs = (loaded.predict(frame, tasks=["band"])["band"].values for loaded in (model, before))  # type: ignore[union-attr]
    assert not torch.equal(torch.as_tensor(ours), torch.as_tensor(theirs))
    truth = torch.tensor(flats_frame(50)["rent"].to_numpy())
    assert (torch.as_tensor(ours) - truth).abs().mean() < 60, "the noise of the rent is 30"


def test_calibration_and_threshold_are_those_of_the_models_before(corrected: Project) -> None:
    before = of(corrected, "auto").tasks["dear"]
    assert before.calibration is not None and before.decision is not None
    for name in ("auto-refit", "auto-refit-all"):
        kept = of(corrected, name).tasks["dear"]
        assert (kept.calibration, kept.decision) == (before.calibration, before.decision)
        model = mtl.load_model(corrected.root / "models" / name)
        assert isinstance(model, DeployedModel) and model.tasks["dear"].decided_by(None) != model.tasks["dear"]
        card = (corrected.root / "models" / name / CARD).read_text(encoding="utf-8")
        assert "Calibrations and thresholds of dear are those of the models before" in card
    measured, everything = of(corrected, "auto-refit").tasks["dear"], of(corrected, "auto-refit-all").tasks["dear"]
    assert measured.trusted is not None and measured.cost is not None and measured.trusted != before.trusted
    assert everything.trusted is None and everything.cost is None and everything.no_test is not None


@pytest.mark.parametrize("extent", ["train+val"])
def test_a_curriculum_orders_all_samples_by_networks_that_know_them(
    extent: Extent, eased: Project, tmp_path: Path
) -> None:
    """The single-task networks are made again first; the order of the samples is theirs, in the same pace."""
    config, path = eased.config, RunPath("finetune", "joint", None, 0)
    again = made_again(recipe_of(config, path, eased.root), extent, eased.root)
    first = made_again_first(again, eased.root)
    assert [recipe.where.folder.as_posix() for recipe in first] == [
        f"outputs/baseline/{task}/random/seed-0" for task in config.tasks
    ]
    for recipe in first:
        run(recipe, eased.root, out=tmp_path)
    run(again, eased.root, out=tmp_path)
    data, _ = load_tasks(config, 0, eased.root, extent)
    ours, theirs = (eased_plan(again, data, joint_plan(config, data, 0), place) for place in (tmp_path, eased.root))
    ((pool, easing),) = ours.easing.items()
    assert len(easing.order) == len(data.pools["train"][0])
    assert not torch.equal(easing.order, theirs.easing[pool].order)
    assert easing.shares == theirs.easing[pool].shares


def test_the_same_data_give_the_same_eased_run(eased: Project, tmp_path: Path) -> None:
    path = RunPath("finetune", "joint", None, 0)
    again = made_again(recipe_of(eased.config, path, eased.root), "train", eased.root)
    for recipe in (*made_again_first(again, eased.root), again):
        folder = run(recipe, eased.root, out=tmp_path)
    assert (folder / WEIGHTS).read_bytes() == (eased.root / path.folder / WEIGHTS).read_bytes()


def test_a_deployed_curriculum_holds_what_answers_and_no_more(eased: Project, tmp_path: Path) -> None:
    copy = eased.copy(tmp_path / "copy")
    done: list[Any] = []

    def work(jobs: list[Any], base: Any, root: Path) -> None:
        done.append([job.label for job in jobs])
        one_after_another(jobs, base, root)

    _, kept = refit(Refit(Wish(method="joint", seeds=0)), work, copy.root)
    assert list(kept.members) == ["finetune-joint-seed-0"] and all(
        served.test is not None for served in kept.tasks.values()
    )
    assert [len(labels) for labels in done] == [len(load_config(copy.root / "params.yaml").tasks), 1]
