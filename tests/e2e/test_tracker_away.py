"""The pipeline with a tracker that is away: everything is computed, one warning, and `mtl sync` uploads it later."""

import re
import socket
import sys
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.e2e.project import Done, Project, settings

pytestmark = pytest.mark.thorough


@pytest.fixture
def away() -> Iterator[str]:
    """The address of a server that is not there, and that nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def place(workspace: Project) -> Project:
    """The finished project, in which one method and the report are to be computed again."""
    params = settings()
    params["finetune"]["methods"]["joint"]["lambda"] = 0.9
    workspace.use(params)
    return workspace


def warnings_in(*done: Done) -> list[str]:
    return re.findall(r"^MLflow at .*Results are safe.*$", "\n".join(d.out + d.err for d in done), re.MULTILINE)


@pytest.mark.slow
def test_repro_warns_once_and_sync_uploads_once(place: Project, away: str) -> None:
    done = place.mtl("repro", MLFLOW_TRACKING_URI=away).well()
    assert done.ran == ["finetune", "cluster", "evaluate"]
    assert "change % ± 95 %" in done.out
    said = warnings_in(done)
    assert len(said) == 1 and f"MLflow at {away} cannot be reached: " in said[0] and "`mtl sync`" in said[0]
    assert warnings_in(place.mtl("show").well()) == []
    failed = place.mtl("sync", MLFLOW_TRACKING_URI=away)
    assert (failed.code, failed.out) == (1, "")
    assert re.fullmatch(rf"error: MLflow at {away} cannot be reached: .*\n", failed.err)
    wrong = place.mtl("sync", MLFLOW_TRACKING_URI="ftp://nowhere")
    assert wrong.code == 2 and wrong.err.startswith("error: MLFLOW_TRACKING_URI should start with one of ")
    assert re.search(r"^23 new runs, 0 were there\.$", place.mtl("sync").well().out, re.MULTILINE)
    assert re.search(r"^0 new runs, 23 were there\.$", place.mtl("sync").well().out, re.MULTILINE)
    client = MlflowClient(tracking_uri=f"sqlite:///{place.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mtl")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert len({run.info.run_name for run in runs}) == len(runs) == 24
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_training_alone_is_silent_and_the_next_command_says_it(place: Project, away: str) -> None:
    dvc = (sys.executable, "-m", "dvc", "repro", "--single-item", "finetune")
    done = place.run(*dvc, MLFLOW_TRACKING_URI=away).well()
    assert done.ran == ["finetune"] and warnings_in(done) == []
    done = place.run(sys.executable, "-m", "mtl.stages.finetune", "joint", MLFLOW_TRACKING_URI=away).well()
    first, second = (place.mtl("repro", "finetune@joint", MLFLOW_TRACKING_URI=away).well() for _ in range(2))
    assert len(warnings_in(done, first, second)) == 1
    assert first.ran == second.ran == []


@pytest.mark.slow
def test_an_address_of_a_wrong_kind_is_said_before_anything_is_computed(place: Project) -> None:
    before = place.contents()
    done = place.mtl("repro", MLFLOW_TRACKING_URI="ftp://nowhere")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: MLFLOW_TRACKING_URI should start with one of ") and done.err.count("\n") == 1
    assert place.contents() == before
    done = place.run(sys.executable, "-m", "dvc", "repro", MLFLOW_TRACKING_URI="ftp://nowhere").well()
    assert done.ran == ["finetune", "cluster", "evaluate"]
    assert (done.out + done.err).count("MLFLOW_TRACKING_URI should start with one of ") == 1
