"""Deployments that say classes by what mistakes cost: chosen on validation data, used wherever a class is said."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.api.deployment.members import recipe_of
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.errors import ConfigError, UserError
from mtl.experiment.objects import load_tasks
from mtl.experiment.predicted import predicted
from mtl.paths import RunPath
from mtl.results.decision import Cheapest, Threshold
from mtl.results.deployment import CARD, DEPLOYMENT
from mtl.serving.export.check import expected
from mtl.serving.export.graph import graph_of
from mtl.serving.predict import Request, origins_of, predictions
from mtl.serving.score import Labelled
from mtl.serving.service import Service
from mtl.tasks.decisions import cheapest_threshold
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import set_evaluate
from tests.serving.conftest import Project, deployed, joint_part
from tests.serving.test_deploy import test_parts

PROJECT = Path(__file__).resolve().parents[2]
WRONG, MISSED = 1.0, 30.0
COSTS = {"dear": {"false_positive": WRONG, "false_negative": MISSED}}


@pytest.fixture(scope="module")
def project(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The joint model, saying classes as they are probable and by costs."""
    made = flats.copy(tmp_path_factory.mktemp("costs"))
    deploy(Wish(method="joint", seeds=0, name="plain"), made.root)
    set_evaluate(made.root, costs=COSTS)
    deploy(Wish(method="joint", seeds=0, name="one"), made.root)
    deploy(Wish(method="joint", seeds="ensemble", name="both"), made.root)
    set_evaluate(made.root, costs=COSTS, calibration="isotonic")
    deploy(Wish(method="joint", seeds=0, name="calibrated"), made.root)
    return made


def rule(project: Project, name: str) -> Threshold:
    decision = deployed(project, name).deployment.tasks["dear"].decision
    assert isinstance(decision, Threshold)
    return decision


def mean_cost(chance: torch.Tensor, truth: torch.Tensor, threshold: float) -> float:
    said = chance > threshold
    return float((WRONG * (said & (truth == 0)).double() + MISSED * (~said & (truth == 1)).double()).mean())


def test_no_threshold_costs_less_on_validation_data(project: Project) -> None:
    val = joint_part(project, "dear", 0, "val")
    chance = val.prediction.double().sigmoid()
    chosen = rule(project, "one")
    assert (chosen.says, chosen.false_positive, chosen.false_negative) == (val.spec.class_names[1], WRONG, MISSED)
    searched = min(mean_cost(chance, val.target, border) for border in [0.0, 1.0, *chance.tolist()])
    assert mean_cost(chance, val.target, chosen.threshold) == pytest.approx(searched, rel=1e-12)


def test_several_members_count_each_on_its_own_validation_samples(project: Project) -> None:
    """Their folds differ: what one was validated on the other has learnt from."""
    parts = [joint_part(project, "dear", seed, "val") for seed in (0, 1)]
    assert not torch.equal(parts[0].numbers, parts[1].numbers)
    weight = torch.cat([torch.full((len(p.target),), 0.5 / len(p.target), dtype=torch.float64) for p in parts])
    chance = torch.cat([p.prediction for p in parts]).double().sigmoid()
    truth = torch.cat([p.target for p in parts])
    assert rule(project, "both").threshold == cheapest_threshold(chance, truth == 1, weight, WRONG, MISSED)


def test_costs_on_the_test_part_stand_in_the_card(project: Project) -> None:
    served, test = deployed(project, "one").deployment.tasks["dear"], joint_part(project, "dear", 0, "test")
    chance = test.prediction.double().sigmoid()
    assert served.cost is not None and served.test is not None
    assert served.cost.usual == pytest.approx(mean_cost(chance, test.target, 0.5))
    assert served.cost.chosen == pytest.approx(mean_cost(chance, test.target, rule(project, "one").threshold))
    accuracy = ((chance > rule(project, "one").threshold) == (test.target == 1)).double().mean()
    assert served.test["accuracy"] == pytest.approx(float(accuracy))
    card = (project.root / "models/one" / CARD).read_text(encoding="utf-8")
    assert f"where its probability is above {rule(project, 'one').threshold:.4g}, which costs least" in card
    assert f"| {served.cost.usual:.4g} → {served.cost.chosen:.4g} |" in card
    assert "mistakes cost" not in (project.root / "models/plain" / CARD).read_text(encoding="utf-8")


def test_the_class_is_said_by_it_everywhere(project: Project, tmp_path: Path) -> None:
    for name in ("one", "both", "calibrated"):
        model, frame = deployed(project, name), test_parts(project)
        answer = model.predict(frame)["dear"]
        says = rule(project, name).says
        chance = answer.probabilities[:, answer.classes.index(says)]  # type: ignore[union-attr]
        sure = np.abs(chance - rule(project, name).threshold) > 1e-6
        said = np.array(answer.predicted) == says  # type: ignore[union-attr]
        assert np.array_equal(said[sure], (chance > rule(project, name).threshold)[sure])
        assert list(Service(model).predict(frame)["dear"]) == answer.predicted  # type: ignore[union-attr]
        file = tmp_path / "new.csv"
        flats_frame(40, seed=4).to_csv(file, sep=";", index=False)
        table, _ = predictions(model, Request(file, None), origins_of(model))
        assert ((table[f"dear_p:{says}"] > rule(project, name).threshold) == (table["dear"] == says)).all()
    plain = deployed(project, "plain").predict(test_parts(project))["dear"].predicted  # type: ignore[union-attr]
    by_cost = deployed(project, "one").predict(test_parts(project))["dear"].predicted  # type: ignore[union-attr]
    assert plain != by_cost


def test_scores_state_the_cost_and_compare_each_model_by_its_own_rule(project: Project, tmp_path: Path) -> None:
    data, _ = load_tasks(project.config, 0, project.root)
    numbers = data.select(["rent"], "test")[0].samples.numbers.numpy()
    file = tmp_path / "new.csv"
    flats_frame().iloc[numbers].to_csv(file, sep=";", index=False)
    one, plain = (deployed(project, name).deployment.tasks["dear"] for name in ("one", "plain"))
    made = score(Labelled(file), project.root / "models/one", project.root / "models/plain")
    assert one.cost is not None and one.test is not None and plain.test is not None
    told = f"dear: mistakes cost {one.cost.chosen:.4g} a sample here ({one.cost.usual:.4g} where the most"
    assert any(note.startswith(told) for note in made.notes)
    dear = made.tasks["dear"]
    assert dear.metrics["accuracy"].here == one.test["accuracy"] == dear.metrics["accuracy"].test
    assert dear.against is not None
    assert (dear.against.here, dear.against.other) == (one.test[dear.primary], plain.test[dear.primary])


def test_an_exported_graph_says_the_same_classes(project: Project) -> None:
    model = deployed(project, "one")
    graph = graph_of(model, ["dear"])
    samples = graph.first.draw(200, torch.Generator().manual_seed(0))
    with torch.no_grad():
        got = graph(*samples.values())
    right = expected(model, graph, samples)
    sure = np.abs(right[1][:, 1] - rule(project, "one").threshold) > 1e-5
    assert np.array_equal(got[0].numpy()[sure], right[0][sure]) and sure.sum() > 190


def test_several_classes_have_costs_by_name(digits: Project, tmp_path: Path) -> None:
    made = digits.copy(tmp_path / "digits")
    set_evaluate(made.root, costs={"digit": {"3": {"8": 50}, 4: {"9": 0}}})
    deploy(Wish(method="joint", seeds=0), made.root)
    served = deployed(made, "joint").deployment.tasks["digit"]
    assert isinstance(served.decision, Cheapest) and served.cost is not None
    matrix = np.array(served.decision.costs)
    assert (matrix[3, 8], matrix[4, 9], matrix[8, 3], matrix[2, 2]) == (50, 0, 1, 0)
    data, _ = load_tasks(made.config, 0, made.root)
    recipe = recipe_of(made.config, RunPath("finetune", "joint", None, 0), made.root)
    test = next(p for p in predicted(recipe, data, made.root) if p.spec.name == "digit")
    chance = test.prediction.double().softmax(1).numpy()
    said = (chance @ matrix).argmin(axis=1)
    assert served.cost.chosen == pytest.approx(matrix[test.target.numpy(), said].mean())
    assert served.test is not None and served.test["accuracy"] == pytest.approx((said == test.target.numpy()).mean())
    set_evaluate(made.root, costs={"digit": {"3": {"eight": 50}}})
    with pytest.raises(UserError, match=r"`evaluate.costs.digit` should name classes among 0, 1, .*, found 'eight'"):
        deploy(Wish(method="joint", seeds=0), made.root)
    set_evaluate(made.root, costs={"digit": {"3": {"3": 1}}})
    with pytest.raises(UserError, match=r"`evaluate.costs.digit.3` should cost 0 where 3 is said rightly, found 1"):
        deploy(Wish(method="joint", seeds=0), made.root)


ALLOWED = r"`evaluate.costs`: should be the costs of mistakes for each of some tasks, as \{fault: \{false_positive: 1, "


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (5, ALLOWED),
        ({"dear": 5}, ALLOWED),
        ({"dear": {"false_positive": 1}}, ALLOWED),
        ({"dear": {"false_positive": 0, "false_negative": 1}}, ALLOWED),
        ({"dear": {"false_positive": -1, "false_negative": 1}}, ALLOWED),
        ({"dear": {"false_positive": True, "false_negative": 1}}, ALLOWED),
        ({"dear": {"false_positive": "1", "false_negative": 1}}, ALLOWED),
        ({"dear": {"false_positive": float("inf"), "false_negative": 1}}, ALLOWED),
        ({"dear": {}}, ALLOWED),
        ({"dear": {"dear": {}}}, ALLOWED),
        ({"dear": {"dear": {"cheap": -1}}}, ALLOWED),
        (
            {"dear": {"dear": {"cheap": 1}}},
            r"`evaluate.costs.dear` should be \{false_positive: 1, false_neg",
        ),
        ({"dearest": COSTS["dear"]}, r"`evaluate.costs` should name tasks among rent, band, dear, found 'dearest'"),
        ({"rent": COSTS["dear"]}, r"`evaluate.costs.rent` should be left out: rent has no classes"),
    ],
)
def test_bad_costs_are_one_message(costs: object, message: str, flats: Project, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((flats.root / "params.yaml").read_bytes())
    set_evaluate(tmp_path, costs=costs)
    with pytest.raises(ConfigError, match=message):
        deploy(Wish(), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "cheapest", "costs": [[0.0, 1.0], [1.0, 0.0]]}, "decision` should be `threshold`"),
        ({"kind": "threshold", "says": "dear", "threshold": 2.0, "false_positive": 1.0, "false_negative": 1.0}, "less"),
        ({"kind": "guess"}, "decision"),
    ],
)
def test_a_spoilt_decision_is_refused(change: Any, message: str, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(project.root / "models/one", folder)
    content = json.loads((folder / DEPLOYMENT).read_text(encoding="utf-8"))
    content["tasks"]["dear"]["decision"] = change
    (folder / DEPLOYMENT).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)


@pytest.mark.thorough
@pytest.mark.parametrize(("form", "ending"), [("onnx", ".onnx"), ("torch", ".pt2")])
def test_files_of_other_runtimes_hold_temperature_and_costs(
    form: str, ending: str, digits: Project, tmp_path: Path
) -> None:
    """`mtl export` compares the file with the model in its runtime, in a process without the checks of types."""
    made = digits.copy(tmp_path / "digits")
    costs = {"digit": {"3": {"8": 50}}, "even": {"false_positive": 1, "false_negative": 5}}
    set_evaluate(made.root, calibration="temperature", costs=costs)
    folder = deploy(Wish(method="joint", seeds="ensemble"), made.root)
    out = tmp_path / f"digits{ending}"
    command = [sys.executable, "-m", "mtl.cli", "export", "--to", form, "--model", str(folder), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT)
    notes = " ".join(json.loads(out.with_name(f"{out.name}.json").read_text(encoding="utf-8"))["notes"])
    for told in ("probabilities of digit are calibrated", "The class of even is said by what mistakes cost"):
        assert told in notes
