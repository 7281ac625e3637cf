"""Whatever writes an output of the pipeline writes the same bytes twice, and nothing that writes is forgotten here."""

import ast
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.writers import KINDS, WRITERS

PROJECT = Path(__file__).resolve().parent.parent
SURROUNDINGS: list[tuple[str, int, dict[str, str]]] = [
    ("here", 0o022, {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}),
    ("another folder", 0o077, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}),
]
"""Folder, umask and environment of two processes; the second starts seconds after the first."""

WRITES = {
    "write_text", "write_bytes", "to_csv", "to_parquet", "to_json", "savefig", "save_file", "write_table", "tofile",
    "copyfile", "copytree", "symlink_to", "mkstemp", "fdopen", "ZipFile", "replace_text", "replaced",
}  # fmt: skip
"""Calls that make a file's content, whatever they are called on; `open` counts when its mode can write."""
WRITES_OF = {"save", "shutil.copy", "shutil.copy2", "np.save", "np.savez", "np.savetxt", "json.dump", "yaml.dump"}
"""Calls of names that mean something else elsewhere (`checkpoint.save`, `array.copy`); `save` is safetensors'."""
NO_OUTPUT = {
    "mtl/data/formats/archives.py:Archive.__init__": "only reads",
    "mtl/data/formats/packing.py:_kind_of_zip": "only reads",
    "mtl/data/formats/records.py:cells": "text in memory: `replaced` is another function there",
    "mtl/data/formats/text_table.py:_plain": "text in memory: `replaced` is another function there",
    "mtl/data/files/borrowed.py": "raw data as they are",
    "mtl/data/files/download.py": "raw data as they are",
    "mtl/data/files/register.py": "raw data as they are",
    "mtl/data/files/networks.py": "files of a network as they are",
    "mtl/data/files/origins.py": "where raw data came from, on this machine",
    "mtl/experiment/states.py": "states of runs that have not ended",
    "mtl/models/kept_features.py": "what is computed again where it is missing; tests/models compare it",
    "mtl/files.py:replaced": "whose callers write",
    "mtl/data/loading/tensor_file.py": "by write_prepared; tests/data/test_tensor_file.py compares its bytes",
    "mtl/experiment/samples.py": "by table_stream; tests/experiment/test_samples.py compares its bytes",
    "mtl/stages/kept.py": "files of runs as they were written",
    "mtl/config/yaml_file.py:_remember": "a copy of what is read; tests/cli/test_dvc_texts.py compares it",
    "mtl/report/style.py:picture": "draws in memory, for write_report",
    "mtl/report/timings.py": "measured times",
    "mtl/report/study_page.py": "of a study and no stage's; tests/report/test_study_page.py compares its bytes",
    "mtl/serving/export": "an export and no stage's output; tests/serving/test_export.py compares its bytes",
    "mtl/serving/app.py": "answers in memory, no files",
    "mtl/serving/copies.py": "a deployment and no stage's output; tests/serving/test_copies.py compares its bytes",
    "mtl/serving/folder.py": "a deployment and no stage's output; tests/serving/test_deploy.py compares its bytes",
    "mtl/serving/output.py": "predictions of new data, no stage's; tests/serving/test_predict.py reads them",
    "mtl/tracking": "the mirror in MLflow",
    "mtl/training/checkpoint.py": "states of runs that have not ended",
    "mtl/training/team.py:Team.load": "a state that process 0 has sent, in a temporary folder",
    "mtl/jobs": "files of runs as they were written, on their way from other machines; tests/jobs compares them",
    "mtl/cli/study/cluster_job.py:Send.__init__": "a pipe to the command, no file",
    "mtl/cli/study/cluster_task.py:_run": "a pipe from a worker's process, no file",
    "mtl/cli/dvc_files.py": "dvc.lock as DVC writes it; tests/cli/test_dvc_files.py compares its bytes",
    "mtl/setup/new_project.py:lay_out": "the files of a new project, which its user edits",
    "mtl/setup/place.py:write_project": "the files of a new project, which its user edits",
    "mtl/setup/presets.py:bring_files": "manifests and plugins as the package holds them",
    "mtl/project/pipeline.py:Upgrade.write": "dvc.yaml and code.json; tests/project compares them",
    "mtl/setup/params_file.py:write_params": "params.yaml, whose bytes tests/cli/test_params_file.py compares",
    "mtl/cli/repro.py:allow_without_git": "DVC's settings on this machine",
    "mtl/cli/share.py": "DVC's settings as they were, and rules of git for raw files; tests/cli/test_share.py",
    "mtl/cli/quick.py": "a workspace: links and settings; tests/cli/test_quick.py reads them",
    "mtl/api": "results that a caller keeps; tests/api compares a saved project with the runs of its stages",
    "mtl/cli/check/second_run.py": "a copy of the project that goes again",
}
"""Code that writes files which are no output of a stage: folder, file or function, and why."""

JSON, WEIGHTS = "mtl/files.py:write_json", "mtl/experiment/weights.py:write_weights"
STREAM = "mtl/results/samples.py:table_stream"
TABLES = "mtl/evaluation/tables.py:"
OUTPUTS = {
    "data/prepared/${key}": {"mtl/data/loading/store.py:write_prepared"},
    "data/index.json": {JSON},
    "data/tasks.json": {JSON},
    "outputs/simple": {JSON, WEIGHTS},
    "outputs/pretrain": {JSON, WEIGHTS},
    "outputs/baseline": {JSON, WEIGHTS},
    "outputs/reference.json": {JSON},
    "outputs/finetune": {JSON, WEIGHTS, "mtl/grouping/maps.py:write_maps"},
    "outputs/cluster": {JSON},
    "outputs/specialise": {JSON, WEIGHTS},
    "results/verdicts.json": {JSON},
    "results/metrics.json": {JSON},
    "results/losses.parquet": {STREAM},
    "results/predictions.parquet": {STREAM},
    "results/slices.json": {JSON},
    "results/importance.json": {JSON},
    "results/runs.parquet": {TABLES + "write_parquet"},
    "results/learning_curves.csv": {TABLES + "write_csv"},
    "report/report.html": {"mtl/report/page.py:write_report"},
    "report/figures": {"mtl/report/page.py:write_report"},
}
"""Output of a stage → what writes it. `reference/*.json` are written by `write_json` too."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with all that both processes wrote."""
    folders = []
    for name, umask, environment in SURROUNDINGS:
        folder = tmp_path_factory.mktemp("written") / name
        folder.mkdir()
        environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"} | environment
        command = [sys.executable, "-m", "tests.helpers.writers", "."]
        subprocess.run(command, cwd=folder, env=environment, umask=umask, check=True, timeout=300)
        folders.append(folder)
    return folders


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.thorough
@pytest.mark.parametrize("writer", WRITERS)
def test_two_processes_write_the_same_bytes(writer: str, written: list[Path]) -> None:
    first, second = (contents(folder / WRITERS[writer].__name__) for folder in written)
    # Where a user's own files came from is told by their paths.
    for found in (first, second):
        for name in [name for name in found if name.startswith("data/raw/.origins/")]:
            del found[name]
    assert first == second
    assert first


@pytest.mark.thorough
def test_what_was_compared_is_there(written: list[Path]) -> None:
    names = {path.relative_to(written[0]).as_posix() for path in written[0].rglob("*") if path.is_file()}
    assert {
        f"prepared/data/prepared/{kind}/{file}" for kind in KINDS for file in ("arrays.safetensors", "meta.json")
    } <= names
    assert {"manifest/data/raw/mine.json", "report/report/report.html", "long_tables/results/runs.parquet"} <= names
    assert len([name for name in names if name.startswith("report/report/figures/")]) > 5


def test_every_function_that_writes_a_file_is_in_the_table() -> None:
    found = {f"{path.relative_to(PROJECT).as_posix()}:{name}" for path in _sources() for name in _writing(path)}
    assert not [name for name in WRITERS if name not in found], "no such function writes a file"
    unknown = sorted(name for name in found if name not in WRITERS and not _excused(name))
    where = "WRITERS (tests/helpers/writers.py), or with a reason to NO_OUTPUT"
    assert not unknown, f"add to {where}: {', '.join(unknown)}"


def test_every_output_of_the_pipeline_is_in_the_table() -> None:
    stages: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    bodies = [stage.get("do", stage) for stage in stages.values()]
    entries = [entry for body in bodies for kind in ("outs", "metrics", "plots") for entry in body.get(kind, [])]
    assert set(OUTPUTS) == {path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)}
    assert {writer for writers in OUTPUTS.values() for writer in writers} <= set(WRITERS)


def _sources() -> list[Path]:
    return sorted(path for folder in ("mtl", "stages", "pipelines") for path in (PROJECT / folder).rglob("*.py"))


def _excused(name: str) -> bool:
    """True when a function, its file or a folder of it is in NO_OUTPUT."""
    file = name.partition(":")[0]
    return bool({name, file, *(str(folder) for folder in Path(file).parents)} & set(NO_OUTPUT))


def _writing(path: Path) -> Iterator[str]:
    """Functions of a file that write files; `Class.method` for methods."""

    def visit(node: ast.AST, inside: str) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{inside}.{node.name}" if inside else node.name
        if isinstance(node, ast.Call) and _writes(node):
            yield inside
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), "")


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "open":
        modes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        return any(set(text) <= set("rwaxbt+") and set(text) & set("wax+") for text in texts)
    return name in WRITES or ast.unparse(call.func) in WRITES_OF
