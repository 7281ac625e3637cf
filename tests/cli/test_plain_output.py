"""Terminals that know few letters: what they lack is replaced, and no command ends in a traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mtl.errors import plainer

SURROUNDINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("λ = 0.2 → Δm ±1 %", "lambda = 0.2 -> delta m +-1 %"),
        ("Größe, café, ½, x², 年", "Grosse, cafe, 12, x2, \\u5e74"),
        ("50 × 60 …", "50 x 60 ..."),
        ("name\udcff.csv", "name\\udcff.csv"),
    ],
)
def test_letters_give_way_to_plainer_ones(text: str, shown: str) -> None:
    import codecs

    codecs.register_error("mtl.plainer", plainer)
    assert text.encode("ascii", "mtl.plainer").decode() == shown
    assert "Δ ± é → −".encode("cp1252", "mtl.plainer").decode("cp1252") == "delta  ± é -> -"


@pytest.fixture
def place(tmp_path: Path, project: Path) -> Path:
    shutil.copytree(project / "presets", tmp_path / "presets")
    shutil.copyfile(project / "presets/sensors.yaml", tmp_path / "params.yaml")
    shutil.copyfile(project / "dvc.yaml", tmp_path / "dvc.yaml")
    return tmp_path


@pytest.mark.thorough
@pytest.mark.parametrize(
    "surroundings", [pytest.param("C", marks=pytest.mark.slow), pytest.param("ascii", marks=pytest.mark.slow), "cp1252"]
)
def test_commands_print_and_write_as_everywhere(surroundings: str, place: Path, project: Path) -> None:
    """Eight commands in one process, since each import costs a second; the last one is a mistake."""
    code = (
        "import sys\n"
        "from mtl.cli.main import main\n"
        "for line in ['--help', 'tune --help', 'data --help', 'preset list', 'validate', 'preset show smoke', "
        "'preset use cifar10-15', 'advise']:\n"
        "    sys.argv = ['mtl', *line.split()]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as ended:\n"
        "        print(line, ended.code)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True,
        env=environment | {"PYTHONPATH": str(project)} | SURROUNDINGS[surroundings],
    )  # fmt: skip
    out, err = (text.decode("cp1252" if surroundings == "cp1252" else "ascii") for text in (done.stdout, done.stderr))
    assert "Traceback" not in err and done.returncode == 0, err
    codes = [
        line.rpartition(" ")[2] for line in out.splitlines() if line.startswith(("--help", "advise", "preset", "v"))
    ]
    assert codes[-1] == "2" and "error: results/verdicts.json" in err, out + err
    assert "lambda" in out
    assert (place / "params.yaml").read_bytes() == _rendered("cifar10-15", project)


def _rendered(name: str, project: Path) -> bytes:
    from mtl.setup.presets import render

    return render(name, project).encode("utf-8")
