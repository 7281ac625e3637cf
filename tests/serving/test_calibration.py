"""Calibrated deployments: each member by its own validation samples, wherever the model is used."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.errors import ConfigError, UserError
from mtl.experiment.objects import load_tasks
from mtl.results.calibration import Isotonic, Temperature, Trust
from mtl.results.deployment import CARD, DEPLOYMENT, Deployment
from mtl.serving.export.check import expected
from mtl.serving.export.graph import graph_of
from mtl.serving.score import Labelled
from mtl.serving.service import Service
from mtl.tasks.calibration_fit import fit_calibration
from mtl.tasks.recalibration import recalibrated, trust
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import set_evaluate
from tests.serving.conftest import Project, deployed, joint_part
from tests.serving.test_deploy import test_parts


@pytest.fixture(scope="module")
def project(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The joint model of two seeds, as trained and calibrated in both ways."""
    made = flats.copy(tmp_path_factory.mktemp("calibrated"))
    deploy(Wish(method="joint", seeds="ensemble", name="plain"), made.root)
    for kind in ("temperature", "isotonic"):
        set_evaluate(made.root, calibration=kind)
        deploy(Wish(method="joint", seeds="ensemble", name=kind), made.root)
        deploy(Wish(method="joint", seeds=0, name=f"{kind}-0"), made.root)
    return made


def test_each_member_is_calibrated_by_its_own_validation_samples(project: Project) -> None:
    for kind in ("temperature", "isotonic"):
        served = deployed(project, kind).deployment.tasks["dear"]
        wanted = {}
        for seed in (0, 1):
            val = joint_part(project, "dear", seed, "val")
            wanted[f"finetune-joint-seed-{seed}"] = fit_calibration(kind, val.prediction, val.target)
        assert served.calibration == wanted
        first, second = wanted.values()
        assert first != second and isinstance(first, Temperature if kind == "temperature" else Isotonic)


def test_members_are_calibrated_before_they_are_combined(project: Project) -> None:
    frame = test_parts(project)
    each = [
        mtl.load_model(project.root / f"outputs/finetune/joint/seed-{seed}").outputs(frame)["dear"] for seed in (0, 1)
    ]
    for kind in ("temperature", "isotonic"):
        model = deployed(project, kind)
        own = model.deployment.tasks["dear"].calibration
        assert own is not None
        chances = [recalibrated(logits, by).sigmoid() for logits, by in zip(each, own.values(), strict=True)]
        got = model.predict(frame)["dear"].probabilities[:, 1]  # type: ignore[union-attr]
        np.testing.assert_allclose(got, (chances[0] + chances[1]) / 2, atol=1e-6)
        for task in ("rent", "band"):
            assert torch.equal(model.outputs(frame)[task], deployed(project, "plain").outputs(frame)[task]), task


def test_one_member_gives_its_own_calibrated_logits(project: Project) -> None:
    test = joint_part(project, "dear", 0, "test")
    served = deployed(project, "temperature-0").deployment.tasks["dear"]
    assert served.calibration is not None and served.trusted is not None and served.test is not None
    (by,) = served.calibration.values()
    calibrated = recalibrated(test.prediction, by)
    assert torch.equal(deployed(project, "temperature-0").outputs(test_parts(project))["dear"], calibrated)
    assert served.test == test.spec.score(calibrated, test.target, detailed=True)[0]
    assert served.trusted.before == trust(test.prediction, test.target)
    assert served.trusted.after == trust(calibrated, test.target)
    assert isinstance(served.trusted.after, Trust)
    assert served.trusted.after.log_loss == pytest.approx(served.test["log_loss"])
    assert served.trusted.after.ece == pytest.approx(served.test["ece"])


def test_the_card_states_both(project: Project) -> None:
    trusted = deployed(project, "temperature").deployment.tasks["dear"].trusted
    assert trusted is not None
    card = (project.root / "models/temperature" / CARD).read_text(encoding="utf-8")
    assert "## Calibrated probabilities" in card
    assert f"| {trusted.before.log_loss:.4f} → {trusted.after.log_loss:.4f} |" in card
    assert f"| {trusted.before.ece:.4f} → {trusted.after.ece:.4f} |" in card
    assert "| dear | temperature " in card and "| rent | temperature" not in card
    plain = (project.root / "models/plain" / CARD).read_text(encoding="utf-8")
    assert "alibrat" not in plain and "calibration" not in (project.root / "models/plain" / DEPLOYMENT).read_text()


def test_scores_and_services_use_the_calibrated_model(project: Project, tmp_path: Path) -> None:
    data, _ = load_tasks(project.config, 0, project.root)
    numbers = data.select(["rent"], "test")[0].samples.numbers.numpy()
    file = tmp_path / "new.csv"
    flats_frame().iloc[numbers].to_csv(file, sep=";", index=False)
    for kind in ("temperature", "isotonic"):
        values = score(Labelled(file), project.root / "models" / kind, None).tasks["dear"].metrics
        test = deployed(project, kind).deployment.tasks["dear"].test
        assert test is not None and {name: value.here for name, value in values.items()} == {n: test[n] for n in values}
    frame, model = test_parts(project).head(5), deployed(project, "isotonic")
    served = Service(model).predict(frame)["dear_p:dear"].to_numpy()
    np.testing.assert_array_equal(served, model.predict(frame)["dear"].probabilities[:, 1])  # type: ignore[union-attr]


def test_a_temperature_is_inside_an_exported_graph_and_steps_are_refused(project: Project) -> None:
    model = deployed(project, "temperature")
    graph = graph_of(model, ["dear"])
    samples = graph.first.draw(50, torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers = graph(*samples.values())
    assert [given.name for given in graph.given] == ["dear", "dear:probabilities"]
    for got, right in zip(answers, expected(model, graph, samples), strict=True):
        np.testing.assert_allclose(got, right, atol=1e-6)
    with pytest.raises(UserError, match=r"dear: probabilities that are calibrated by `isotonic` rise in steps.*to mlf"):
        graph_of(deployed(project, "isotonic"), None)
    assert graph_of(deployed(project, "isotonic"), ["rent"]).given


@pytest.mark.thorough
def test_it_travels_in_a_folder_of_mlflow(project: Project, tmp_path: Path) -> None:
    from mtl.serving.export.mlflow_folder import write_mlflow
    from mtl.tracking.flavour import load_flavour

    model, folder = deployed(project, "isotonic"), project.root / "models/isotonic"
    service = write_mlflow(model, folder, tmp_path / "made", ["dear"])
    frame = service.draw(20, torch.Generator().manual_seed(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some categories are unknown on purpose
        assert load_flavour(tmp_path / "made").predict(frame).equals(service.predict(frame))


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (
            "platt",
            r"`evaluate.calibration`: should be none, temperature or isotonic, or one for each of some tasks such",
        ),
        ({"dear": "warm"}, r"`evaluate.calibration`: should be none, temperature or isotonic.*found {'dear': 'warm'}"),
        (True, r"`evaluate.calibration`: should be none, temperature or isotonic"),
        ({"dearest": "isotonic"}, r"`evaluate.calibration` should name tasks among rent, band, dear, found 'dearest'"),
        ({"rent": "isotonic"}, r"`evaluate.calibration.rent` should be left out: rent has no classes"),
    ],
)
def test_a_wrong_wish_is_one_message(calibration: object, message: str, flats: Project, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((flats.root / "params.yaml").read_bytes())
    set_evaluate(tmp_path, calibration=calibration)
    with pytest.raises(ConfigError, match=message):
        deploy(Wish(), tmp_path)


def test_a_mapping_calibrates_the_tasks_that_it_names(project: Project, tmp_path: Path) -> None:
    made = project.copy(tmp_path / "project")
    set_evaluate(made.root, calibration={})
    assert Deployment.of_folder(deploy(Wish(method="joint", seeds=0), made.root)).tasks["dear"].calibration is None
    set_evaluate(made.root, calibration={"dear": "isotonic"})
    kept = Deployment.of_folder(deploy(Wish(method="simple", seeds=1), made.root))
    assert kept.tasks["dear"].calibration is not None and kept.tasks["rent"].calibration is None


def with_two_curves(served: dict[str, Any]) -> None:
    curves = [{"x": [0.5], "y": [0.5]}] * 2
    served["calibration"] = {name: {"kind": "isotonic", "curves": curves} for name in served["calibration"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda served: served["calibration"].popitem(), "`tasks.dear.calibration` should name its members"),
        (lambda served: next(iter(served["calibration"].values())).update(temperature=0.0), "greater than 0"),
        (lambda served: next(iter(served["calibration"].values())).update(kind="platt"), "calibration"),
        (with_two_curves, "should have 1 curves, found 2"),
    ],
)  # fmt: skip
def test_a_spoilt_calibration_is_refused(change: Any, message: str, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(project.root / "models/temperature", folder)
    content = json.loads((folder / DEPLOYMENT).read_text(encoding="utf-8"))
    change(content["tasks"]["dear"])
    (folder / DEPLOYMENT).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)
