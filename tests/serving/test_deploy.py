"""A deployment answers with the very runs that were chosen, combined as it says; its folder is whole or not there."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish, chosen
from mtl.api.deployment.members import recipe_of
from mtl.cli.deploy import deploy
from mtl.config import load_config
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.experiment.predicted import predicted
from mtl.paths import RunPath
from mtl.results.deployment import CARD, DEPLOYMENT, MEMBERS, Deployment
from mtl.results.reading import read_run
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import write_verdicts
from tests.helpers.verdicts import grouping_json, task_json, typed, verdicts_json
from tests.serving.conftest import Project, deployed

PROJECT = Path(__file__).resolve().parents[2]
WORDS = {"rent": "LEVEL", "band": "HURT", "dear": "simple"}


@pytest.fixture(scope="module")
def mixed(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The table with a joint model, a single-task one and a simple one to deploy."""
    made = flats.copy(tmp_path_factory.mktemp("mixed"))
    write_verdicts(made.root, made.config, WORDS | {"rent": "HELPED"})
    deploy(Wish(), made.root)
    deploy(Wish(method="joint", seeds="ensemble", name="all"), made.root)
    return made


def test_parts(project: Project, seed: int = 0) -> Any:
    """Rows of the test part, as a user has them."""
    data, _ = load_tasks(project.config, seed, project.root)
    (pool,) = data.select(["rent"], "test")
    frame = flats_frame().iloc[pool.samples.numbers.numpy()].drop(columns=["rent", "dear"])
    return frame.assign(sold=pd.to_datetime(frame["sold"], format="%d.%m.%Y"))


test_parts.__test__ = False  # type: ignore[attr-defined]


def run_prediction(project: Project, path: RunPath, task: str) -> torch.Tensor:
    data, _ = load_tasks(project.config, path.seed, project.root)
    recipe = recipe_of(project.config, path, project.root)
    (found,) = [part for part in predicted(recipe, data, project.root) if part.spec.name == task]
    return found.prediction


def test_a_grouping_is_asked_for_by_the_name_of_models_that_are_there() -> None:
    """No models answer to a mean over draws; those of the best partition are that partition's."""
    halves = [["a", "b"], ["c"]]
    served = {"metrics": {"a": 0.5}, "models": 2}
    rows = [
        grouping_json("random 1", kind="random", groups=[["a"], ["b", "c"]], **served),
        grouping_json("random, mean of draws (9)", kind="random_mean", groups=[], **served),
        grouping_json("a+b | c", kind="partition", groups=halves, **served),
        grouping_json("best partition", kind="best", groups=halves, **served),
    ]
    verdicts = typed(verdicts_json([task_json("a")], grouping={"rows": rows, "weights": "equal"}))
    config = load_config(PROJECT / "params.yaml")
    config = config.model_copy(update={"tasks": {"a": next(iter(config.tasks.values()))}})

    def asked(method: str) -> tuple[str, str]:
        choice = chosen(Wish(method=method), config, verdicts)["a"]
        return choice.how, choice.name

    assert asked("random 1") == ("cluster", "random 1")
    assert asked("a+b | c") == asked("best partition") == ("cluster", "a+b | c")
    with pytest.raises(
        UserError, match=r"--method should be one of auto, .*random 1, a\+b \| c, best partition, found"
    ):
        asked("random, mean of draws (9)")


def test_the_choice_and_its_reason_are_kept(mixed: Project) -> None:
    kept = Deployment.of_folder(mixed.root / "models/auto")
    assert {task: served.how for task, served in kept.tasks.items()} == {
        "rent": "joint", "band": "single-task", "dear": "simple",
    }  # fmt: skip
    assert kept.tasks["rent"].why == "HELPED, +3.0 % [+1.0, +5.0]"
    card = (mixed.root / "models/auto" / CARD).read_text(encoding="utf-8")
    for told in ("| rent | joint, trained jointly | MSE ", "| band | trained alone |", "a simple model",
                 "HELPED, +3.0 %", "Licence of the data: not stated", 'mtl.load_model("models/auto")',
                 "700 rows × "):  # fmt: skip
        assert told in card, told


def test_the_best_seed_is_that_of_the_validation_part(mixed: Project) -> None:
    kept = Deployment.of_folder(mixed.root / "models/auto")
    (name,) = kept.tasks["band"].members
    runs = [read_run(RunPath("baseline", "band", "random", seed), mixed.root) for seed in (0, 1)]
    values = [run.value("band", kept.tasks["band"].metric, "val") for run in runs]
    assert name == f"baseline-band-random-seed-{int(np.argmin(values))}"
    assert kept.tasks["band"].test == runs[int(np.argmin(values))].test["band"]


def test_a_mixture_answers_as_its_members(mixed: Project) -> None:
    model, frame = deployed(mixed, "auto"), test_parts(mixed)
    found = model.outputs(frame)
    assert list(found) == ["rent", "band", "dear"]
    for task, served in model.deployment.tasks.items():
        (name,) = served.members
        member = model.deployment.members[name]
        start = member.start if member.stage == "baseline" else None
        path = RunPath(member.stage, member.name, start, member.seed)
        assert torch.equal(found[task], run_prediction(mixed, path, task)), task
    answers = model.predict(frame)
    assert answers["rent"].units == {} and answers["band"].levels == (0.1, 0.5, 0.9)
    assert set(answers["dear"].predicted) <= {"cheap", "dear"}
    assert list(model.predict(frame, tasks=["dear"])) == ["dear"]


def test_an_ensemble_is_the_mean_in_original_units(mixed: Project) -> None:
    """Each seed has scalers of its own, fitted to its training rows."""
    model, frame = deployed(mixed, "all"), test_parts(mixed)
    members = [mtl.load_model(mixed.root / "outputs/finetune/joint" / f"seed-{seed}") for seed in (0, 1)]
    assert members[0].tasks["rent"].mean != members[1].tasks["rent"].mean
    each, found = [member.predict(frame) for member in members], model.predict(frame)
    np.testing.assert_allclose(found["rent"].values, np.mean([a["rent"].values for a in each], axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["band"].quantiles, np.mean([a["band"].quantiles for a in each], axis=0), rtol=1e-5)
    chance = np.mean([a["dear"].probabilities for a in each], axis=0)
    np.testing.assert_allclose(found["dear"].probabilities, chance, atol=1e-5)


def test_an_ensemble_has_a_test_row_of_its_own(mixed: Project) -> None:
    model = deployed(mixed, "all")
    data, _ = load_tasks(mixed.config, 0, mixed.root)
    outputs = model.outputs(test_parts(mixed))
    for pool in data.select(list(model.tasks), "test"):
        batch = pool.batch(torch.arange(len(pool)))
        for task in pool.tasks:
            served = model.deployment.tasks[task]
            assert len(served.members) == 2 and sum(served.members.values()) == 1
            assert model.tasks[task].score(outputs[task], batch.target(task), detailed=True)[0] == served.test
            single = [read_run(RunPath("finetune", "joint", None, seed), mixed.root).test[task] for seed in (0, 1)]
            assert served.test not in single


def test_the_same_bytes_every_time(mixed: Project, tmp_path: Path) -> None:
    made = mixed.copy(tmp_path / "project")

    def held(name: str) -> dict[str, str]:
        folder = made.root / "models" / name
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = held("auto"), held("all")
    deploy(Wish(), made.root)
    deploy(Wish(method="joint", seeds="ensemble", name="all"), made.root)
    assert (held("auto"), held("all")) == before
    assert {path.name for path in (made.root / "models").iterdir()} == {"auto", "all"}


def test_nothing_but_the_folder_is_needed(mixed: Project, tmp_path: Path) -> None:
    shutil.copytree(mixed.root / "models/auto", tmp_path / "elsewhere")
    frame = test_parts(mixed).head(3)
    there, here = mtl.load_model(tmp_path / "elsewhere").predict(frame), deployed(mixed, "auto").predict(frame)
    assert np.array_equal(there["rent"].values, here["rent"].values)


@pytest.mark.thorough
def test_images_and_series_deploy_too(digits: Project, plant: Project, tmp_path: Path) -> None:
    for project, kinds in ((digits, {"images"}), (plant, {"windows"})):
        made = project.copy(tmp_path / project.root.name)
        deploy(Wish(method="simple"), made.root)
        deploy(Wish(method="stl", seeds=1), made.root)
        kept = Deployment.of_folder(made.root / "models/stl")
        assert {source.kind for source in kept.sources.values()} == kinds
        assert {member.seed for member in kept.members.values()} == {1}
        assert set(deployed(made, "simple").tasks) == set(project.config.tasks)
    origin = Deployment.of_folder(tmp_path / plant.root.name / "models/stl").sources["plant"]
    assert (origin.date_forms, origin.step) == ({"time": "%d.%m.%Y %H:%M"}, "0 days 01:00:00")
    flats_origin = origin.section
    assert flats_origin is not None and flats_origin["id"] == "town"


def test_the_form_of_dates_that_the_file_proved_is_kept(mixed: Project) -> None:
    assert Deployment.of_folder(mixed.root / "models/auto").sources["flats"].date_forms == {"sold": "%d.%m.%Y"}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(method="nobody"), "--method should be one of auto, stl, simple, joint, found 'nobody'"),
        (Wish(seeds=7), "--seeds should be best, ensemble or one of 0, 1 "),
        (
            Wish(tasks=["price"]),
            r"--tasks should name tasks of results/verdicts.json \(rent, band, dear\), found 'price'",
        ),
        (Wish(tasks=[]), "found none"),
        (Wish(name="../there"), "--name should be letters"),
        (Wish(name=".hidden"), "--name should be letters"),
    ],
)
def test_wrong_wishes_are_one_message(wish: Wish, message: str, mixed: Project) -> None:
    before = sorted(path.name for path in (mixed.root / "models").iterdir())
    with pytest.raises(UserError, match=message):
        deploy(wish, mixed.root)
    assert sorted(path.name for path in (mixed.root / "models").iterdir()) == before


def spoil_weights(folder: Path) -> None:
    next((folder / "members").rglob("*.safetensors")).write_bytes(b"torn")


def spoil_member(folder: Path) -> None:
    file = next(folder.rglob("model.json"))
    file.write_bytes(file.read_bytes() + b" ")


def lead_out(folder: Path) -> None:
    edit(folder, lambda content: content["members"].update({"../out": next(iter(content["members"].values()))}))


def shares(folder: Path) -> None:
    edit(folder, lambda content: next(iter(content["tasks"].values())).update(members={"nobody": 1.0}))


def half(folder: Path) -> None:
    edit(folder, lambda content: [served["members"].update(dict.fromkeys(served["members"], 0.5))
                                  for served in content["tasks"].values()])  # fmt: skip


def of_another_task(folder: Path) -> None:
    edit(folder, lambda content: content["tasks"]["rent"].update(members=content["tasks"]["dear"]["members"]))


def newer(folder: Path) -> None:
    edit(folder, lambda content: content.update(version=9))


def no_json(folder: Path) -> None:
    (folder / DEPLOYMENT).write_text("{", encoding="utf-8")


def edit(folder: Path, change: Any) -> None:
    content = json.loads((folder / DEPLOYMENT).read_text(encoding="utf-8"))
    change(content)
    (folder / DEPLOYMENT).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_weights, "weights.safetensors is damaged"),
        (spoil_member, "model.json is missing, damaged, or not the one"),
        (lambda folder: shutil.rmtree(folder / MEMBERS), "model.json is missing"),
        (lead_out, "deployment.json: `members"),
        (shares, "names nobody, which is none"),
        (half, "should have shares that sum to 1"),
        (of_another_task, "`tasks.rent` names simple-dear-seed-., which does not predict it"),
        (newer, "was written by a newer version"),
        (no_json, "deployment.json cannot be read"),
    ],
)
def test_a_spoilt_folder_is_refused(spoil: Any, message: str, mixed: Project, tmp_path: Path) -> None:
    folder = tmp_path / "auto"
    shutil.copytree(mixed.root / "models/auto", folder)
    spoil(folder)
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)
