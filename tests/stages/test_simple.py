"""Stage `simple` when it is switched off, and when a source is not prepared."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mtl.paths import LEFT_OUT
from tests.helpers.image_results import image_config

PROJECT = Path(__file__).resolve().parents[2]
CALL = """
import sys
from mtl.stages.simple import main
main()
print(sorted({"torch", "mlflow", "sklearn"} & set(sys.modules)))
"""


def run(root: Path, models: list[str] | None) -> subprocess.CompletedProcess[str]:
    config = image_config(simple={"models": models})
    (root / "params.yaml").write_text(json.dumps(config.model_dump(mode="json", by_alias=True)))  # JSON is YAML
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [sys.executable, "-c", CALL], cwd=root, env=environment, capture_output=True, text=True, timeout=120
    )


def test_switched_off_it_leaves_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    earlier = tmp_path / "outputs/simple/even/seed-0"
    earlier.mkdir(parents=True)
    (earlier / "run.json").write_text("{}")
    done = run(tmp_path, [])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "simple.models is empty: no task has a simple model to be compared with.", "[]",
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "outputs/simple").iterdir()] == [LEFT_OUT]


def test_a_source_that_is_not_prepared_is_the_users_to_mend(tmp_path: Path) -> None:
    done = run(tmp_path, ["logistic"])
    assert done.returncode == 2 and not (tmp_path / "outputs").exists()
    assert "data/prepared/digits/meta.json is missing" in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_model_is_an_error(tmp_path: Path) -> None:
    settings = image_config().model_dump(mode="json", by_alias=True) | {"simple": {"models": ["forest"]}}
    (tmp_path / "params.yaml").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "mtl.stages.simple"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "simple.models" in done.stderr and "forest" in done.stderr
