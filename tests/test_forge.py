"""Files that a public forge reads: workflows, forms and documents speak of what there is.

Their schemas are checked by `make lint`; here is what no schema knows.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import mtl

PROJECT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
FORMS = sorted((PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
DOCUMENTS = [
    PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CHANGELOG.md")
] + sorted([*(PROJECT / "docs").rglob("*.md"), *(PROJECT / "plugins").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M))

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def _jobs(path: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


def _variants(job: dict[str, Any]) -> list[dict[str, str]]:
    """Every combination of a job's matrix; one empty combination without a matrix."""
    combinations: list[dict[str, str]] = [{}]
    for name, values in job.get("strategy", {}).get("matrix", {}).items():
        combinations = [{**old, name: value} for old in combinations for value in values]
    return combinations


def _filled(text: str, variant: dict[str, str]) -> str:
    """A text with the values of the matrix in their places.

    Raises:
        KeyError: it names something that the matrix does not have.
    """
    return re.sub(r"\$\{\{\s*matrix\.(\w+)\s*\}\}", lambda match: variant[match[1]], text)


@every_workflow
def test_a_workflow_runs_what_there_is(path: Path) -> None:
    jobs = _jobs(path)
    for name, job in jobs.items():
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(jobs), f"{name} waits for no job of the file"
        for variant in _variants(job):
            assert "${{" not in _filled(f"{job['name']} {job['runs-on']}", variant)
            for step in job["steps"]:
                script = _filled(step.get("run", ""), variant)
                assert "${{" not in script, f"{name}: {script}"
                wanted = set(re.findall(r"\bmake (?:[A-Z]+=\S+ )*([\w-]+)", script))
                assert wanted <= TARGETS, f"{name} makes {wanted - TARGETS}, which the Makefile does not have"
                for program in re.findall(r"^\s*(\.ci/\S+)", script, re.M):
                    assert (PROJECT / program).is_file()
                checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
                assert checked.returncode == 0, f"{name}: {checked.stderr}"


@every_workflow
def test_a_workflow_may_read_only_and_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
        assert all(re.search(r"@v\d", step["uses"]) for step in job["steps"] if "uses" in step), name


def test_the_matrix_is_the_promise_of_pyproject() -> None:
    [job] = [job for path in WORKFLOWS for job in _jobs(path).values() if "strategy" in job]
    tried = {(each["python"], each["dependencies"], each["os"].split("-")[0]) for each in _variants(job)}
    assert tried == {
        (python, dependencies, system)
        for python in ("3.11", "3.12", "3.13")
        for dependencies in ("lowest", "newest")
        for system in ("ubuntu", "macos")
    }


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.name)
def test_a_form_asks_each_thing_once(path: Path) -> None:
    asked = [
        part["id"] for part in yaml.safe_load(path.read_text(encoding="utf-8"))["body"] if part["type"] != "markdown"
    ]
    assert asked
    assert len(asked) == len(set(asked))


def _anchors(text: str) -> set[str]:
    """Anchors that a forge gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), f"{path.name} links to {link}"
        if anchor:
            assert anchor in _anchors(place.read_text(encoding="utf-8")), f"{path.name} links to {link}"


def test_one_version_everywhere() -> None:
    cited = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changes, re.M)
    assert released[0] == (mtl.__version__, str(cited["date-released"]))
    assert cited["version"] == mtl.__version__


def test_the_makefile_says_what_each_target_does() -> None:
    """`make help` and CONTRIBUTING name the targets that people use."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    contributing = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r'@echo "make ([\w-]+)', makefile)) == TARGETS - {"help"}
    assert set(re.findall(r"`make ([\w-]+)`", contributing)) <= TARGETS


def test_the_image_installs_from_files_that_it_has_copied() -> None:
    """The version is read from a file of the library, which comes later than what changes seldom."""
    before = (PROJECT / "docker/Dockerfile").read_text(encoding="utf-8").split("RUN pip install -c")[0]
    copied = {word for line in re.findall(r"^COPY (.+)$", before, re.M) for word in line.split()[:-1]}
    attribute = re.search(r'version = \{ attr = "([\w.]+)\.__version__" \}', (PROJECT / "pyproject.toml").read_text())
    assert attribute is not None
    assert {"pyproject.toml", attribute[1].replace(".", "/") + ".py"} <= copied
