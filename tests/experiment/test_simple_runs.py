"""Runs of the stage `simple`: chosen on validation data, fitted once for seeds with the same samples, and loaded."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mtl
from mtl.config import Config
from mtl.data.loading.store import write_prepared
from mtl.errors import UserError
from mtl.evaluation.runs import read_runs
from mtl.experiment.objects import load_tasks
from mtl.experiment.simple import run_simple, same_samples, simple_paths
from mtl.files import write_json
from mtl.paths import PREPARED
from mtl.results.model import MODEL
from mtl.tasks.answers import Classes
from tests.experiment.conftest import configure
from tests.helpers.problems import waves
from tests.serving.test_model import AHEAD, MLP, TIMEDART, settings, write_sources

SEEDS = [1, 2]
HARD = {"kind": "hard"}
LEAST = {"kind": "regression", "target": "y", "loss": {"quantiles": [0.1, 0.5, 0.9]}}
NUMBERS, LABELS = {"mean", "ridge", "boosting"}, {"majority", "logistic", "boosting"}
ROWS = {"mean", "persistence", "seasonal", "ridge"}
CASES: dict[str, Config] = {
    "rows": settings("table", MLP, HARD, least=LEAST),
    "images": settings("pictures", {"kind": "cnn", "widths": [4, 8]}, HARD),
    "windows": settings("line", TIMEDART, HARD, **AHEAD),
}  # fmt: skip
CASES = {
    name: config.model_copy(
        update={
            "simple": config.simple.model_copy(update={"models": None, "kernels": 20}),
            "base": config.base.model_copy(update={"seeds": SEEDS}),
        }
    )
    for name, config in CASES.items()
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("simple")
    write_sources(made)
    write_prepared(waves(), made / PREPARED / "waves", {})
    return made


@pytest.fixture(scope="module")
def fitted(root: Path) -> Iterator[dict[str, Path]]:
    """Case → folder below which its runs stand."""
    before = torch.are_deterministic_algorithms_enabled()
    for case, config in CASES.items():
        for seeds in same_samples(config, root):
            run_simple(config, seeds, root, out=root / case)
    yield {case: root / case for case in CASES}
    torch.use_deterministic_algorithms(before)


def record(folder: Path, task: str, seed: int = SEEDS[0]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"outputs/simple/{task}/seed-{seed}/run.json").read_text())
    return content


@pytest.mark.parametrize("case", CASES)
def test_the_candidate_with_the_best_validation_value_is_kept(case: str, fitted: dict[str, Path]) -> None:
    config = CASES[case]
    wanted = {
        "rows": {"y": NUMBERS, "k": LABELS, "least": NUMBERS},
        "images": {"z": NUMBERS, "b": LABELS},
        "windows": {"y": {*NUMBERS, "kernels"}, "b": {*LABELS, "kernels"}, "next": ROWS, "spread": ROWS},
    }[case]
    for task in config.tasks:
        run = record(fitted[case], task)
        choice, section = run["simple"], config.tasks[task]
        assert set(choice["candidates"]) == wanted.get(task, set(choice["candidates"]))
        best = min if section.lower_is_better else max
        assert choice["candidates"][choice["model"]] == best(choice["candidates"].values())
        assert run["val"][task][section.primary_metric] == pytest.approx(
            choice["candidates"][choice["model"]], abs=1e-9
        )
        assert (run["stage"], run["method_kind"], run["tasks"], run["steps"]) == ("simple", "simple", [task], 0)
        assert run["parameters"]["total"] > 0 or choice["model"] in ("persistence", "seasonal")


def test_the_runs_of_a_configuration_hold_them_unless_they_are_switched_off(fitted: dict[str, Path]) -> None:
    config = CASES["rows"]
    without = {"baseline": config.baseline.model_copy(update={"tasks": []}),
               "finetune": config.finetune.model_copy(update={"methods": {}})}  # fmt: skip
    config = config.model_copy(update=without)
    assert [run.path for run in read_runs(config, fitted["rows"])] == simple_paths(config, SEEDS)
    off = config.model_copy(update={"simple": config.simple.model_copy(update={"models": []})})
    assert read_runs(off, fitted["rows"]) == []


BLOCKED = """
import builtins, sys, json
import numpy as np
blocked = builtins.__import__
def refuse(name, *rest, **more):
    if name.split(".")[0] == "sklearn":
        raise ImportError("sklearn is forbidden here")
    return blocked(name, *rest, **more)
builtins.__import__ = refuse
import mtl
answers = {}
for folder, file in json.loads(sys.argv[1]):
    for name, answer in mtl.load_model(folder).predict(np.load(file, allow_pickle=False)).items():
        values = answer.probabilities if hasattr(answer, "probabilities") else answer.values
        answers[folder] = np.asarray(values, dtype=float).tolist()
print(json.dumps(answers))
"""


def test_a_loaded_model_predicts_what_was_measured_without_scikit_learn(
    fitted: dict[str, Path], root: Path, tmp_path: Path
) -> None:
    asked, wanted = [], {}
    for case, config in CASES.items():
        data, _ = load_tasks(config, SEEDS[0], root)
        for task, spec in data.specs.items():
            folder = str(fitted[case] / f"outputs/simple/{task}/seed-{SEEDS[0]}")
            (pool,) = data.select([task], "test")
            few = pool.at_most(40)
            source: Any = data.sources[spec.source].data
            numbers = few.samples.numbers
            if case == "windows":
                samples = source.values.unfold(0, spec.input_len, 1)[numbers].transpose(1, 2)
            else:
                samples = (source.values if case == "rows" else source.images)[numbers]
            file = tmp_path / f"{case}-{task}.npy"
            np.save(file, samples.numpy())
            asked.append((folder, str(file)))
            network = mtl.load_model(folder).network.model
            with torch.no_grad():
                answer = spec.answer(network(few.batch(torch.arange(len(few))).x, [task])[task])
            wanted[folder] = answer.probabilities if isinstance(answer, Classes) else answer.values
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, json.dumps(asked)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for folder, values in json.loads(done.stdout).items():
        np.testing.assert_allclose(np.array(values), wanted[folder], rtol=1e-6, atol=1e-6)


def test_the_same_fit_gives_the_same_bytes_for_every_seed_with_the_same_samples(
    fitted: dict[str, Path], root: Path, tmp_path: Path
) -> None:
    config = CASES["windows"]
    assert same_samples(config, root) == [SEEDS]
    run_simple(config, SEEDS, root, out=tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("outputs/**/*") if path.is_file()]
    assert len(files) == 5 * len(SEEDS) * len(config.tasks)
    for file in files:
        assert (tmp_path / file).read_bytes() == (fitted["windows"] / file).read_bytes(), file
    for task in config.tasks:
        first, second = (fitted["windows"] / f"outputs/simple/{task}/seed-{seed}" for seed in SEEDS)
        assert (first / "weights.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes()


def test_a_share_of_the_labels_that_each_seed_draws_is_fitted_for_each_seed(root: Path) -> None:
    config = configure()
    config = config.model_copy(update={"tasks": {
        name: task.model_copy(update={"source": "waves"}) for name, task in config.tasks.items()
    }})  # fmt: skip
    assert same_samples(config, root) == [[3], [4]], "`up` trains on half of its labels"


FLAT = {"kind": "flat"}
PADDED = {"kind": "kernels", "groups": [{"length": 9, "dilation": 1, "padding": 10**9, "count": 1}]}


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ({"kind": "seasonal", "period": 2}, "does not predict"),
        ({"kind": "trees", "features": FLAT, "sums": 1, "rounds": 1, "nodes": 2**31 - 1, "depth": 1}, "tensor"),
        ({"kind": "linear", "features": {"kind": "summary"}, "penalty": 1.0}, "should be those of windows"),
        ({"kind": "linear", "features": PADDED, "penalty": 1.0}, "should be those of windows"),
    ],
)  # fmt: skip
def test_a_description_that_the_numbers_do_not_fit_is_refused(
    fit: dict[str, Any], message: str, fitted: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in (fitted["rows"] / f"outputs/simple/b/seed-{SEEDS[0]}").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    content = json.loads((folder / MODEL).read_text())
    write_json(folder / MODEL, content | {"simple": content["simple"] | {"fit": fit}})
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)
    write_json(folder / MODEL, content | {"simple": None})
    with pytest.raises(UserError, match="there should be either `encoder` or `simple`"):
        mtl.load_model(folder)
