"""The wheel in an environment of its own: `mtl init` makes a project of a table, which goes to its report."""

import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.project import Done, Project

pytestmark = pytest.mark.thorough

ROWS = 120
FASTER = {"seeds: [0, 1, 2, 3, 4]": "seeds: [0, 1]", "jobs: auto": "jobs: 1", "enabled: true": "enabled: false"}
"""Settings of params.yaml → those of this test."""


def own_table() -> str:
    """A price and whether it is a bargain, by size, age and town."""
    draw = np.random.default_rng(3)
    lines = ["size;age;town;bargain;price"]
    for row in range(ROWS):
        size, age = draw.normal(80, 20), draw.uniform(0, 100)
        price = 3 * size - age + draw.normal(0, 10)
        bargain = "yes" if price < 2.4 * size + draw.normal(0, 5) else "no"
        lines.append(f"{size:.1f};{age:.1f};{('Ulm', 'Jena')[row % 2]};{bargain};{price:.2f}")
    return "\n".join(lines) + "\n"


def python(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, since setuptools builds beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if name.startswith(("tests/", "docs/", "benchmarks/")) or not (project / name).exists():
            continue
        target = folder / "sources" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (project / name).is_symlink():
            target.symlink_to((project / name).readlink())
        else:
            target.write_bytes((project / name).read_bytes())
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder),
           str(folder / "sources"))  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@dataclass(frozen=True)
class Installed(Project):
    """A project whose `mtl` is that of an environment."""

    environment_folder: Path

    def mtl(self, *arguments: str, **environment: str) -> Done:
        return self.run(str(self.environment_folder / "bin/mtl"), *arguments, **environment)

    def python(self, *arguments: str) -> Done:
        return self.run(str(self.environment_folder / "bin/python"), *arguments)

    @property
    def package(self) -> Path:
        """Folder of the installed `mtl`."""
        (folder,) = self.environment_folder.glob("lib/python*/site-packages/mtl")
        return folder


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A folder with a table, and folders of the user's own that are named as those of the repository."""
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    python("-m", "venv", "--without-pip", str(environment))
    (packages,) = environment.glob("lib/python*/site-packages")
    # The libraries come from this environment; its own `mtl`, if it is installed there, comes second.
    (packages / "libraries.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    python("-m", "pip", "--python", str(environment / "bin/python"), "install", "--quiet", "--no-deps", "--no-index",
           "--ignore-installed", str(wheel))  # fmt: skip
    made = Installed(folder / "mine", environment)
    for own in ("stages", "pipelines"):
        (made.root / own).mkdir(parents=True)
        (made.root / own / "__init__.py").write_text("raise SystemExit('not yours')\n")
    (made.root / "README.md").write_text("mine\n")
    (made.root / "flats.csv").write_text(own_table())
    return made


def test_the_wheel_holds_one_package_and_what_projects_need(wheel: Path, project: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].removesuffix(".dist-info").partition("-")[0] for name in names} == {"mtl"}
    for folder, pattern, held in (("presets", "*.yaml", "presets"), ("data/raw", "*.json", "manifests")):
        for path in (project / folder).glob(pattern):
            tracked = subprocess.run(["git", "check-ignore", "-q", str(path)], cwd=project).returncode != 0
            assert not tracked or f"mtl/project/{held}/{path.name}" in names
    for path in (project / "plugins/examples").glob("*.py"):
        assert f"mtl/project/plugins/examples/{path.name}.txt" in names
    assert {"mtl/project/pipeline.yaml", "mtl/project/template/gitignore", "mtl/report/page.html.j2"} <= set(names)


def test_a_table_becomes_a_report(place: Installed) -> None:
    assert place.python("-c", "import mtl; print(mtl.__path__[0])").well().out.strip() == str(place.package)
    done = place.mtl("init", ".", "--data", "flats.csv", "--targets", "price,bargain").well()
    assert "price: regression of price" in done.out and "stay as they are: README.md." in done.out
    assert (place.root / "README.md").read_text() == "mine\n" and (place.root / ".git").is_dir()
    assert place.mtl("init", ".", "--data", "flats.csv", "--targets", "price,bargain").code == 2
    params = place.root / "params.yaml"
    text = re.sub(r"epochs: [0-9]+", "epochs: 2", params.read_text(encoding="utf-8"))
    for usual, faster in FASTER.items():
        assert text.count(usual) == 1
        text = text.replace(usual, faster)
    params.write_text(text, encoding="utf-8")
    validated = place.mtl("validate").well()
    assert "2 tasks, 2 methods, 2 seeds, 8 training runs" in validated.out
    assert "leaves out" not in validated.out and "changed in" not in validated.out
    assert place.mtl("preset", "list").well().out.count("\n") > 10

    done = place.mtl("repro").well()
    assert {"prepare@flats", "baseline", "finetune", "evaluate"} <= set(done.ran)
    assert (place.root / "report/report.html").stat().st_size > 10_000
    assert {task["name"] for task in place.json("results/verdicts.json")["tasks"]} == {"price", "bargain"}
    assert place.mtl("repro").well().ran == []
    assert "price" in place.mtl("show").well().out and place.mtl("advise").well().out
    assert "up to date" in place.python("-m", "dvc", "status").well().out, "every value is written out"
    assert place.mtl("check").well()
    assert "joint: 2 complete" in place.mtl("tune", "--trials", "2").well().out

    # An upgrade: `evaluate` alone imports this file.
    with (place.package / "evaluation/compare.py").open("a") as stream:
        stream.write("# another version\n")
    refused = place.python("-m", "mtl.stages.index")
    assert refused.code == 2 and "run `mtl repro`" in refused.err
    again = place.mtl("repro").well()
    assert again.ran == ["evaluate"] and again.out.count("what the stage evaluate made is computed again") == 1
    assert place.mtl("repro").well().ran == []


def test_a_preset_brings_its_manifests(place: Installed, tmp_path: Path) -> None:
    fresh = Installed(tmp_path / "fresh", place.environment_folder)
    fresh.root.mkdir()
    fresh.mtl("preset", "use", "etth1-har").well()
    assert {path.name for path in (fresh.root / "data/raw").iterdir()} == {"etth1.json", "har.json"}
    assert json.loads((fresh.root / "data/raw/etth1.json").read_text())["files"]
    assert "weather" in fresh.mtl("data", "list").well().out
