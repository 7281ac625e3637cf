"""Summaries in MLflow hold the model of their method: compared there, registered from there, it answers as deployed."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mtl.api.deployment.deploy import Wish, deploy
from mtl.api.deployment.summaries import models_of
from mtl.errors import UserError
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import write_verdicts
from tests.serving.conftest import Project

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib
from pathlib import Path
import mlflow, pandas as pd
from mlflow import MlflowClient
from mtl.cli.sync import sync
from mtl.config import load_config
from mtl.serving.load import load_model
from mtl.serving.service import Service

def files(model_id):
    place = Path(client.get_logged_model(model_id).artifact_location.removeprefix('file://'))
    return {file.relative_to(place).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in place.rglob('*') if file.is_file() and file.name not in ('MLmodel', 'registered_model_meta')}

def held(run):
    outputs = client.get_run(run.info.run_id).outputs
    return [] if outputs is None else [output.model_id for output in outputs.model_outputs]

assert sync(load_config(), models=False) == 0
client = MlflowClient()
experiment = client.get_experiment_by_name('mtl').experiment_id
runs = {run.data.tags['method']: run for run in client.search_runs([experiment], "tags.stage = 'summary'")}
assert set(runs) == {'joint', 'stl', 'simple'} and not any(map(held, runs.values()))
before = {name: (run.info.status, run.info.end_time) for name, run in runs.items()}
assert sync(load_config()) == 0
assert sync(load_config()) == 0
runs = {name: client.get_run(run.info.run_id) for name, run in runs.items()}
assert {name: (run.info.status, run.info.end_time) for name, run in runs.items()} == before
(model_id,) = held(runs['joint'])
logged = client.get_logged_model(model_id)
assert logged.tags['dear.verdict'].startswith('not known') and logged.tags['mtl.seeds'] == 'best'
assert any(metric.key == 'test/rent/mse' for metric in logged.metrics)
client.create_registered_model('rents')
client.create_model_version('rents', f'models:/{model_id}', runs['joint'].info.run_id, model_id=model_id)
first = files(model_id)
assert not any('__pycache__' in name for name in first) and len(first) > 100
frame = pd.read_pickle('new.pickle')
answers = mlflow.pyfunc.load_model('models:/rents/1').predict(frame)
pd.testing.assert_frame_equal(answers, Service(load_model(Path('models/joint'))).predict(frame))
client.log_batch(runs['joint'].info.run_id, tags=[mlflow.entities.RunTag('mtl.models', 'cut off')])
assert sync(load_config()) == 0
second = [held_id for held_id in held(runs['joint']) if held_id != model_id]
assert len(second) == 1 and files(second[0]) == first
"""


@pytest.fixture(scope="module")
def project(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = flats.copy(tmp_path_factory.mktemp("summaries"))
    write_verdicts(made.root, made.config, {"rent": "HELPED", "band": "HURT"})
    deploy(Wish(method="joint"), made.root)
    return made.root


@pytest.mark.thorough
def test_registered_from_its_summary_a_model_answers_as_deployed(project: Path) -> None:
    frame = flats_frame(40, seed=3).drop(columns=["rent", "dear"])
    frame["sold"] = pd.to_datetime(frame["sold"], format="%d.%m.%Y")
    frame.to_pickle(project / "new.pickle")
    environment = {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    counts = [line for line in ended.stdout.splitlines() if "new models" in line]
    assert [line.partition(" new")[0] for line in counts] == ["3", "0", "1"]
    assert counts[1].endswith("models in the summaries of methods, 3 had theirs.")


def test_what_has_no_model_of_its_own_says_why(project: Path) -> None:
    for method, start, message in (
        ("stl", "pretrained", r"of the first start alone \(random\)"),
        ("specialised/cluster_1", "-", "the summary of its grouping holds it"),
        ("gone", "-", "--method should be one of"),
    ):
        with pytest.raises(UserError, match=message), models_of(method, start, project):
            pass
    with models_of("stl", "random", project) as models:
        (model,) = models
        assert (model.name, model.flavour.tasks) == ("model", ["rent", "band", "dear"])
        assert model.tags["rent.model"].startswith("trained alone") and "mtl.against" not in model.tags
    with models_of("joint", "-", project) as models:
        assert models[0].tags["mtl.against"].startswith("band is answered by joint")
