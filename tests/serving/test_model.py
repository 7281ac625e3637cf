"""A run loaded from its folder alone: the metrics of its run.json, for every kind of task, input and sharing."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.config import Config
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.experiment.objects import load_tasks
from mtl.paths import PREPARED
from mtl.results.model import MODEL, WEIGHTS, SavedModel
from mtl.types import ImageSet, Prepared, RowSet
from tests.experiment.conftest import configure

SEED = 3
S = 330
"""More than one chunk of the evaluation in the test part."""
SHARED: dict[str, dict[str, Any]] = {
    "hard": {"kind": "hard"},
    "separate": {"kind": "separate"},
    "soft": {"kind": "soft"},
    "cross_stitch": {"kind": "cross_stitch"},
    "branched": {"kind": "branched", "groups": [["y", "z"], ["k"], ["b"]], "shared_stages": 1},
}


def parts(count: int) -> torch.Tensor:
    """Two folds to train on, and the rest to test on."""
    fold = torch.full((count,), -1)
    fold[: count // 8], fold[count // 8 : count // 6] = 1, 0
    return fold


def targets(count: int, draw: torch.Generator) -> dict[str, Any]:
    numbers = {name: 5 + 3 * torch.randn(count, generator=draw, dtype=torch.float64) for name in ("y", "z")}
    numbers["z"][::7] = torch.nan
    labels = {"k": torch.arange(count) % 3, "b": torch.arange(count) % 2}
    classes = {"k": ["red", "green", "blue"], "b": ["no", "yes"]}
    return {"labels": labels, "classes": classes, "numbers": numbers}


def write_sources(root: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    rows = RowSet(
        name="table", values=100 + 7 * torch.randn(S, 4, generator=draw, dtype=torch.float64),
        columns=["a", "b0", "c", "d"], fold=parts(S), folds=1, units={"y": "kW"}, **targets(S, draw),
    )  # fmt: skip
    images = ImageSet(
        name="pictures", images=torch.randint(0, 256, (S, 3, 4, 4), generator=draw, dtype=torch.uint8),
        columns=["red", "green", "blue"], fold=parts(S), folds=1, **targets(S, draw),
    )  # fmt: skip
    series = Prepared(
        name="line", values=20 + 4 * torch.randn(700, 2, generator=draw, dtype=torch.float64),
        columns=["flow", "heat"], window=None, borders=(200, 300, 700), fold=None, folds=1,
        units={"heat": "°C"}, **targets(700, draw),
    )  # fmt: skip
    for source in (rows, images, series):
        write_prepared(source, root / PREPARED / source.name, {})


def tasks(source: str, **more: Any) -> dict[str, Any]:
    own = {"source": source} | ({"input_len": 8} if source == "line" else {})
    return {
        "y": {"kind": "regression", "target": "y"} | own,
        "z": {"kind": "regression", "target": "z"} | own,
        "k": {"kind": "classification", "label": "k"} | own,
        "b": {"kind": "binary", "label": "b"} | own,
    } | {name: section | own for name, section in more.items()}


def settings(source: str, encoder: dict[str, Any], sharing: dict[str, Any], **more: Any) -> Config:
    return configure(
        base={"seeds": [SEED], "device": "cpu", "threads": 1},
        prepare={"sources": {source: {"kind": "python", "target": "own:data"}}},
        tasks=tasks(source, **more),
        encoder=encoder,
        train={"epochs": 1, "batch_size": 32, "lr": 3e-3, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={"methods": {"joint": {"kind": "equal", "sharing": sharing}}},
    )


MLP = {"kind": "mlp", "sizes": [8, 4]}
TIMEDART = {"kind": "timedart", "patch_len": 4, "d_model": 8, "heads": 1, "layers": 1, "d_ff": 16,
            "classification": {"hidden": 8}}  # fmt: skip
RECURRENT = {"kind": "recurrent", "width": 8, "layers": 2}
ROCKET = {"kind": "rocket", "kernels": 4, "kernel_len": 3, "dilations": [1, 2], "width": 8}
AHEAD = {
    "next": {"kind": "forecast", "horizon": 3, "targets": ["heat"]},
    "spread": {"kind": "forecast", "horizon": 2, "loss": {"quantiles": [0.1, 0.5, 0.9]}},
}
CASES: dict[str, Config] = {f"rows-{kind}": settings("table", MLP, sharing) for kind, sharing in SHARED.items()} | {
    "images": settings("pictures", {"kind": "cnn", "widths": [4, 8]}, {"kind": "hard"}),
    "windows": settings("line", TIMEDART, {"kind": "hard"}, **AHEAD),
    "windows-linear": settings("line", {"kind": "linear", "input_len": 8, "width": 16}, {"kind": "separate"}, **AHEAD),
    "windows-recurrent": settings("line", RECURRENT, {"kind": "cross_stitch"}, **AHEAD),
    "windows-rocket": settings("line", ROCKET, {"kind": "separate"}, **AHEAD),
}


@pytest.fixture(scope="module", autouse=True)
def _leave_torch_as_it_was() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("serving")
    write_sources(found)
    return found


@pytest.fixture(scope="module")
def finished(root: Path) -> dict[str, Path]:
    """Case → folder of its run, all of them with nothing else around."""
    return {case: run_finetune(config, "joint", SEED, root, out=root / case) for case, config in CASES.items()}


def raw_samples(data: TaskSet, tasks: tuple[str, ...], numbers: torch.Tensor) -> np.ndarray:
    """Test samples as a user would give them: values of the source in original units."""
    spec = data.specs[tasks[0]]
    source = data.sources[spec.source].data
    if isinstance(source, ImageSet):
        return source.images[numbers].numpy()
    if isinstance(source, RowSet):
        return source.values[numbers].numpy()
    return torch.stack([source.values[start : start + spec.input_len] for start in numbers.tolist()]).numpy()


@pytest.mark.parametrize("case", CASES)
def test_the_metrics_of_the_test_part_come_back(case: str, root: Path, finished: dict[str, Path]) -> None:
    run = json.loads((finished[case] / "run.json").read_text())
    model = mtl.load_model(finished[case])
    data, _ = load_tasks(CASES[case], SEED, root)
    seen = set()
    for pool in data.select(run["tasks"], "test"):
        samples = raw_samples(data, pool.tasks, pool.samples.numbers)
        exact, others = (model.outputs(samples, pool.tasks, size) for size in (256, 77))
        targets = pool.batch(torch.arange(len(pool)))
        for number, name in enumerate(pool.tasks):
            there = slice(None) if targets.valid is None else targets.valid[:, number]
            target = targets.target(name)[there]
            metrics, _ = model.tasks[name].score(exact[name][there], target, detailed=True)
            assert metrics == run["test"][name], "to the last digit in the batches of the evaluation"
            torch.testing.assert_close(others[name], exact[name], rtol=1e-5, atol=1e-5)
            close, _ = model.tasks[name].score(others[name][there], target, detailed=True)
            for metric in ("mse", "loss", "crps"):
                if metric in metrics:
                    assert close[metric] == pytest.approx(metrics[metric], rel=1e-5, abs=1e-5)
            seen.add(name)
    assert seen == set(run["tasks"])


def test_a_user_reads_units_names_and_probabilities(finished: dict[str, Path]) -> None:
    model = mtl.load_model(finished["windows"])
    found = model.predict(np.full((5, 8, 2), 20.0))
    ahead, spread, label, yes, number = (found[name] for name in ("next", "spread", "k", "b", "y"))
    assert (ahead.values.shape, ahead.columns, ahead.units) == ((5, 1, 3), ["heat"], {"heat": "°C"})
    assert 10 < ahead.values.mean() < 30, "the unit of the source, not a z-score"
    assert spread.quantiles.shape == (5, 2, 2, 3) and spread.levels == (0.1, 0.5, 0.9)
    assert np.array_equal(spread.values, spread.quantiles[..., 1])
    assert bool((np.diff(spread.quantiles, axis=-1) >= 0).all())
    assert number.values.shape == (5,) and number.columns == ["y"]
    assert label.classes == ["red", "green", "blue"] and yes.probabilities.shape == (5, 2)
    for labels in (label, yes):
        np.testing.assert_allclose(labels.probabilities.sum(axis=1), 1, rtol=1e-6)
        assert labels.predicted == [labels.classes[place] for place in labels.probabilities.argmax(axis=1)]


def test_a_frame_and_arrays_of_either_library_say_the_same(finished: dict[str, Path]) -> None:
    values = np.random.default_rng(0).normal(100, 7, (3, 4))
    model = mtl.load_model(finished["rows-hard"])
    columns = ["a", "b0", "c", "d"]
    forms = (values, torch.tensor(values), pd.DataFrame(values, columns=columns))
    first, *others = (model.predict(form, tasks=["y"])["y"].values for form in forms)
    assert all(np.array_equal(first, other) for other in others)
    turned = pd.DataFrame(values, columns=columns)[columns[::-1]]
    assert np.array_equal(first, model.predict(turned, tasks=["y"])["y"].values), "columns are found by name"
    series = mtl.load_model(finished["windows"])
    rows = np.random.default_rng(1).normal(20, 4, (11, 2))
    last = series.predict(pd.DataFrame(rows, columns=["flow", "heat"]))["next"].values
    assert np.array_equal(last, series.predict(rows[None, -8:])["next"].values)


BAD: list[tuple[str, object, str]] = [
    ("rows-hard", np.zeros(4), r"samples should be rows \[n, 4\].*found \[4\]; `x\[None\]` makes a batch of one"),
    ("rows-hard", np.zeros((2, 5)), r"found \[2, 5\]"),
    ("rows-hard", [[1.0] * 4], r"found list: convert them"),
    ("rows-hard", np.array([["a"] * 4]), r"which are no numbers"),
    ("rows-hard", np.zeros((2, 4), dtype=bool), r"of bool, which are no numbers"),
    ("rows-hard", np.zeros((0, 4)), r"at least one, found none"),
    ("rows-hard", np.array([[1, 2, 3, np.nan]]), r"sample 0 \(counted from 0\), column 'd'.*found nan: fill"),
    ("rows-hard", np.array([[1, 2, 3, 1e30]]), r"column `d` should have values within"),
    ("rows-hard", pd.DataFrame({"a": [1.0], "b0": [1.0], "c": [1.0]}), r"'d' missing"),
    ("rows-hard", pd.DataFrame({"a": [1.0], "b0": [1.0], "c": [1.0], "d": [1.0], "e": [1.0]}), r"'e' not known; `fra"),
    ("windows", pd.DataFrame({"heat": [1.0] * 8, "flow": [1.0] * 8}), r"in this order, found"),
    ("rows-hard", pd.DataFrame({"a": ["x"], "b0": [1.0], "c": [1.0], "d": [1.0]}), r"column 'a' should hold numbers"),
    ("windows", np.zeros((2, 2, 8)), r"`x.transpose\(0, 2, 1\)` puts the rows first"),
    ("windows", np.zeros((8, 2)), r"`x\[None\]` makes a batch of one"),
    ("windows", pd.DataFrame(np.zeros((7, 2)), columns=["flow", "heat"]), r"a frame of 8 rows or more.*found 7"),
    ("images", np.zeros((2, 4, 4, 3), dtype=np.uint8), r"`x.transpose\(0, 3, 1, 2\)` puts the channels first"),
    ("images", np.zeros((2, 3, 4, 4)), r"found float64; values from 0 to 255 are wanted"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "samples", "message"), BAD)
def test_wrong_samples_are_one_message(case: str, samples: object, message: str, finished: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=message):
        mtl.load_model(finished[case]).predict(samples)


def test_tasks_and_batches_are_checked(finished: dict[str, Path]) -> None:
    model = mtl.load_model(finished["rows-hard"])
    with pytest.raises(UserError, match=r"`tasks` should name tasks of the model \(y, z, k, b\), found 'x'"):
        model.predict(np.zeros((1, 4)), tasks=["x"])
    with pytest.raises(UserError, match=r"`batch_size` should be a whole number from 1 on, found 0"):
        model.predict(np.zeros((1, 4)), batch_size=0)


@pytest.mark.thorough
def test_a_fresh_process_elsewhere_says_the_same(finished: dict[str, Path], tmp_path: Path, project: Path) -> None:
    """With nothing of the project but the folder of the run; `import mtl` and `mtl.config` load no torch."""
    for name in (MODEL, WEIGHTS):
        shutil.copy(finished["windows"] / name, tmp_path / name)
    samples = np.random.default_rng(2).normal(20, 4, (9, 8, 2))
    np.save(tmp_path / "samples.npy", samples)
    code = (
        "import sys, mtl, mtl.config\n"
        "assert 'torch' not in sys.modules\n"
        "import numpy, torch\n"
        "torch.set_num_threads(1)\n"
        "answers = mtl.load_model('.').predict(numpy.load('samples.npy'))\n"
        "numpy.savez('found.npz', ahead=answers['next'].values, chance=answers['k'].probabilities)\n"
    )
    environment = {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    found = np.load(tmp_path / "found.npz")
    here = mtl.load_model(finished["windows"]).predict(samples)
    assert np.array_equal(found["ahead"], here["next"].values)
    assert np.array_equal(found["chance"], here["k"].probabilities)


@pytest.fixture
def folder(finished: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a run's folder, to be damaged."""
    shutil.copytree(finished["rows-hard"], tmp_path / "run")
    return tmp_path / "run"


def edit(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / MODEL).read_text())
    (folder / MODEL).write_text(json.dumps(content | changes))


def test_files_that_are_not_what_they_were(folder: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*/nowhere: the model should be models/NAME"):
        mtl.load_model(folder / "nowhere")
    with pytest.raises(UserError, match=r"there is no folder .*/nowhere: the model should be one of .*/run\."):
        mtl.load_model(folder.parent / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty/model.json is missing: the folder of a finished run"):
        mtl.load_model(folder / "empty")
    edit(folder, version=99)
    with pytest.raises(UserError, match=r"written by a newer version of mtl \(format 99; this one reads up to 1\)"):
        mtl.load_model(folder)
    edit(folder, version=1)
    mtl.load_model(folder)
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(UserError, match=r"weights.safetensors is damaged, or of another run"):
        mtl.load_model(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(UserError, match=r"weights.safetensors is missing"):
        mtl.load_model(folder)
    (folder / MODEL).write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"model.json cannot be read"):
        mtl.load_model(folder)


ENORMOUS = 10**9
HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"encoder": {"kind": "mlp", "sizes": [ENORMOUS, ENORMOUS]}}, "do not belong together: tensor"),
    ({"encoder": {"kind": "mlp", "sizes": [1] * 100_000}}, "ask for 100,000 stages, the weights hold"),
    ({"encoder": TIMEDART | {"layers": ENORMOUS}}, "ask for 1,000,000,001 stages"),
    ({"encoder": {"kind": "python", "target": "os:system"}}, r"`code` should be that of the encoder \(os:system\)"),
    ({"encoder": {"kind": "python", "target": "../../x:y"}}, "encoder.*target.*should match pattern"),
    ({"encoder": {"kind": "pickle"}}, r"model.json: `encoder` "),
    ({"encoder": {"kind": "python", "target": "antigravity:x"}, "code": {"target": "antigravity:x",
      "sha256": "0" * 64}}, "there is no file plugins/antigravity.py"),
    ({"tasks": []}, "`tasks` list should have at least 1 item"),
    ({"tasks": [{"kind": "__import__"}]}, "`kind` should be one of"),
    ({"more": 1}, "`more` is not a known key"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), HOSTILE)
def test_a_hostile_description_runs_and_allocates_nothing(
    changes: dict[str, Any], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    edit(folder, **changes)
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("shape", [ENORMOUS], "shape"),
        ("columns", ["x"], "with its kind and columns|`shape` should be"),
        ("metric", "luck", "`metric` should be one of"),
        ("std", "wide", "`std`"),
        ("more", 1, "`more`"),
        ("input", "images", "with its kind and columns|`shape`"),
    ],
)
def test_a_hostile_task_is_refused(key: str, value: object, message: str, folder: Path) -> None:
    content = json.loads((folder / MODEL).read_text())
    content["tasks"][0][key] = value
    (folder / MODEL).write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        mtl.load_model(folder)


def test_own_code_is_that_which_trained(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "plugins/own_serving.py"
    plugin.parent.mkdir()
    text = "import torch\n\ndef net(width):\n    return torch.nn.Linear(4, width)\n"
    plugin.write_text(text)
    monkeypatch.chdir(tmp_path)
    encoder = {"kind": "python", "target": "own_serving:net", "width": 3}
    folder = run_finetune(settings("table", encoder, {"kind": "hard"}), "joint", SEED, root, out=tmp_path)
    assert SavedModel.of_folder(folder).code is not None
    assert mtl.load_model(folder).predict(np.full((2, 4), 100.0))["y"].values.shape == (2,)
    plugin.write_text(text + "raise SystemExit('this code should not run')\n")
    with pytest.raises(UserError, match=r"plugins/own_serving.py is not the file that it was trained with"):
        mtl.load_model(folder)
    plugin.unlink()
    with pytest.raises(UserError, match=r"own_serving:net: there is no file plugins/own_serving.py"):
        mtl.load_model(folder)


def test_a_description_is_the_same_bytes_again(finished: dict[str, Path], tmp_path: Path) -> None:
    """And holds no place of the machine that trained."""
    for folder in finished.values():
        SavedModel.of_folder(folder).write(tmp_path / MODEL)
        assert (tmp_path / MODEL).read_bytes() == (folder / MODEL).read_bytes()
        assert str(folder.parents[3]) not in (folder / MODEL).read_text()
