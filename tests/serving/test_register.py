"""The registry holds a deployed model with its verdicts and card; one that the verdicts speak against is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from mtl.api.deployment.deploy import Wish, deploy
from mtl.cli.register import Wish as RegisterWish
from mtl.cli.register import register
from mtl.errors import UserError
from mtl.results.deployment import Deployment
from mtl.serving.doubts import doubts, verdict_tags
from tests.serving.conftest import Project

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project(mixture: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = mixture.copy(tmp_path_factory.mktemp("registered"))
    deploy(Wish(method="joint", name="all"), made.root)
    deploy(Wish(method="stl", name="alone"), made.root)
    return made.root


def test_doubts_are_what_the_verdicts_say_of_the_way_that_answers(project: Path) -> None:
    of = {name: Deployment.of_folder(project / "models" / name) for name in ("auto", "all", "alone")}
    assert doubts(of["auto"]) == []
    hurt, loses = doubts(of["all"])
    assert hurt.startswith("band is answered by joint, trained jointly, which hurt it (HURT, +3.0 %")
    assert loses == "dear is answered by joint, trained jointly, which loses to ridge"
    assert doubts(of["alone"]) == ["dear is answered by trained alone, which loses to ridge"]
    tags = verdict_tags(of["auto"])
    assert tags["rent.verdict"].startswith("HELPED") and tags["dear.model"] == "ridge, a simple model"
    assert tags["rent.test"].startswith("MSE ")


def test_what_speaks_against_a_model_is_told_and_nothing_is_registered(project: Path) -> None:
    with pytest.raises(UserError, match=r"band is answered by joint.*hurt it.*dear.*loses to ridge.*--anyway"):
        register(RegisterWish("rents", model=project / "models/all"), project)
    with pytest.raises(UserError, match="`mtl deploy` deploys runs"):
        register(RegisterWish("rents", model=project / "outputs/finetune/joint/seed-0"), project)
    with pytest.raises(UserError, match=r"NAME should be letters.*found 'a/b'"):
        register(RegisterWish("a/b"), project)
    assert not (project / "mlflow.db").exists()


@pytest.mark.thorough
def test_versions_have_verdicts_card_and_alias_and_load(project: Path) -> None:
    command = [sys.executable, "-m", "mtl.cli", "register", "rents"]
    environment = {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mtl.cli.register import Wish, register\n"
        "for name, anyway in (('auto', False), ('all', True)):\n"
        "    wish = Wish('rents', 'champion' if name == 'auto' else None, Path('models') / name, None, anyway)\n"
        "    assert register(wish) == 0\n"
        "from mlflow import MlflowClient\n"
        "import mlflow\n"
        "client = MlflowClient()\n"
        "first, second = (client.get_model_version('rents', number) for number in '12')\n"
        "assert first.tags['rent.verdict'].startswith('HELPED'), first.tags\n"
        "assert 'mtl.against' not in first.tags and 'hurt' in second.tags['mtl.against']\n"
        "assert first.description.startswith('# auto')\n"
        "assert client.get_model_version_by_alias('rents', 'champion').version == first.version\n"
        "model = mlflow.pyfunc.load_model('models:/rents@champion')\n"
        "answers = model.predict(model.input_example)\n"
        "assert {'rent', 'band_q0.9', 'dear'} <= set(answers.columns) and len(answers) == 2\n"
    )
    ended = subprocess.run([command[0], "-c", code], cwd=project, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "rents, version 2" in ended.stdout
