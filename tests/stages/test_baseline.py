"""Stage `baseline@task` for a task that is not trained alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mtl.paths import LEFT_OUT, baseline_folder
from tests.helpers.image_results import image_config

PROJECT = Path(__file__).resolve().parents[2]
CALL = """
import sys
from mtl.stages.baseline import main
main(sys.argv[1])
print(sorted({"torch", "mlflow", "numpy"} & set(sys.modules)))
"""


def run(root: Path, task: str) -> subprocess.CompletedProcess[str]:
    config = image_config(baseline={"tasks": ["even"]})
    (root / "params.yaml").write_text(json.dumps(config.model_dump(mode="json", by_alias=True)))  # JSON is YAML
    command, environment = [sys.executable, "-c", CALL, task], os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)


def test_it_says_so_and_ends_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    folder = tmp_path / baseline_folder("multiple_of_3")
    (folder / "random" / "seed-0").mkdir(parents=True)
    (folder / "random" / "seed-0" / "run.json").write_text("{}")  # from when it was trained alone
    done = run(tmp_path, "multiple_of_3")
    assert done.returncode == 0, done.stderr
    said, imported = done.stdout.splitlines()
    assert said == "multiple_of_3 is not among baseline.tasks: it is not trained alone."
    assert imported == "[]"
    assert [path.name for path in folder.iterdir()] == [LEFT_OUT]
    assert json.loads((folder / LEFT_OUT).read_text()) == {"left_out": True}


def test_an_unknown_task_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, "odd")
    assert done.returncode == 2
    assert done.stderr == "error: `baseline` should be run for one of even, multiple_of_3, found 'odd'.\n"
    assert not (tmp_path / "outputs").exists()
