"""Groups from the files of runs: planted likeness is found by every relation, and what cannot be used is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl.config.grouping import ClusterConfig
from mtl.errors import UserError
from mtl.grouping.find import find_groups
from mtl.grouping.maps import FILE, PoolArrays, read_maps, write_maps
from tests.helpers.records import epoch_json, history_json, run_json

SEEDS = [0, 1]
TASKS = ["a", "a_again", "b", "b_again", "c"]
SAMPLES = 60


def folder_of(root: Path, seed: int) -> Path:
    return root / f"outputs/finetune/all/seed-{seed}"


def write_run(root: Path, seed: int, pools: list[list[str]] | None = None, epochs: list[int] | None = None) -> Path:
    """A run whose tasks of one letter have nearly the same map; `pools` divides the tasks among pools of samples."""
    folder, dice = folder_of(root, seed), np.random.default_rng(seed)
    folder.mkdir(parents=True)
    kept = epochs or [2, 4]
    arrays = []
    for number, tasks in enumerate(pools or [TASKS]):
        samples = SAMPLES + 10 * number
        values = np.empty((len(kept), 3, len(tasks), samples), dtype=np.float32)
        for k, task in enumerate(tasks):
            # Letters differ in where their samples lie, and in how they are spread, so that summaries tell them apart.
            centre = {"a": 0.2, "b": 0.5, "c": 0.8}[task[0]]
            own = np.random.default_rng(ord(task[0]) + 100 * seed).normal(0, 0.08, (3, samples))
            values[:, :, k] = (centre + own + dice.normal(0, 0.005, (len(kept), 3, samples))).clip(0, 1)
            values[:, 1, k] /= 2
        arrays.append(PoolArrays(f"line/{tasks[0]}", tasks, np.arange(samples, dtype=np.int64),
                                 np.full((len(kept), samples), 4, dtype=np.int32), values))  # fmt: skip
    write_maps(folder / FILE, arrays, kept, "training")
    cosines = {f"{s}|{t}": 0.9 if s[0] == t[0] else -0.1 for i, s in enumerate(TASKS) for t in TASKS[i + 1 :]}
    (folder / "run.json").write_text(json.dumps(run_json("finetune", "all", seed, tuple(TASKS))))
    # A step for a task helps those of its letter half as much as itself, and harms the others a little.
    helps = {s: {t: 0.02 if s == t else 0.01 if s[0] == t[0] else -0.001 for t in TASKS} for s in TASKS}
    looked = {"affinity": helps, "probes": {s: dict.fromkeys(TASKS, 3) for s in TASKS}}
    epochs = [epoch_json(n, gradients={"norms": {}, "cosines": cosines}, lookahead=looked) for n in (1, 2)]
    (folder / "history.json").write_text(json.dumps(history_json(*epochs)))
    return folder


def groups(root: Path, **changes: Any) -> dict[str, Any]:
    settings = {"source": "all", "algorithm": {"kind": "fuzzy", "m": 1.5}, "clusters": 3}
    return find_groups(ClusterConfig.model_validate(settings | changes), SEEDS, root).plain()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in SEEDS:
        write_run(tmp_path, seed)
    return tmp_path


@pytest.mark.parametrize("clusters", [3, "auto"])
@pytest.mark.parametrize(
    "relation",
    [
        {"kind": "map"},
        {"kind": "map", "epochs": [2, 4]},
        {"kind": "summary", "bins": 8},
        {"kind": "gradient_cosine"},
        {"kind": "lookahead"},
    ],
    ids=["map", "map_of_epochs", "summary", "gradient_cosine", "lookahead"],
)
def test_tasks_that_are_alike_fall_together(runs: Path, relation: dict[str, Any], clusters: int | str) -> None:
    found = groups(runs, relation=relation, clusters=clusters)
    assert found["groups"] == [["a", "a_again"], ["b", "b_again"], ["c"]]
    assert found["stability"] == {"runs": 1.0, "starts": 1.0}
    assert found["labels_of_runs"] == {"0": found["labels"], "1": found["labels"]}
    assert np.sum(found["memberships"], axis=1) == pytest.approx(np.ones(5))
    assert found["facts"].get("samples", [SAMPLES] * 2) == [SAMPLES] * 2
    assert json.dumps(found, allow_nan=False) == json.dumps(groups(runs, relation=relation, clusters=clusters))


@pytest.mark.parametrize("relation", ["lookahead", "gradient_cosine"])
def test_a_selection_takes_the_groups_that_help_most(runs: Path, relation: str) -> None:
    settings = {"relation": {"kind": relation}, "algorithm": {"kind": "network_selection"}}
    found = groups(runs, clusters=4, **settings)
    # Nobody helps c, which is alone; a fourth model would help nobody.
    assert found["groups"] == [["a", "a_again"], ["b", "b_again"], ["c"]] and found["clusters"] == 3
    assert found["memberships"] == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert found["stability"] == {"runs": 1.0, "starts": None}
    assert found["scores"]["4"]["affinity"] == pytest.approx(4 * (0.01 if relation == "lookahead" else 0.9))
    assert groups(runs, clusters=1, **settings)["groups"] == [TASKS]


def test_the_mean_of_affinities_counts_probes(runs: Path) -> None:
    file = folder_of(runs, 0) / "history.json"
    content = json.loads(file.read_text())
    content["epochs"][1]["lookahead"]["affinity"]["a"]["b"] = 0.007
    content["epochs"][1]["lookahead"]["probes"]["a"]["b"] = 1
    file.write_text(json.dumps(content))
    found = groups(runs, relation={"kind": "lookahead"})["facts"]["lookahead"]
    assert found[0][2] == pytest.approx(((3 * -0.001 + 0.007) / 4 - 0.001) / 2)
    assert found[2][0] == pytest.approx(-0.001)


def test_a_step_that_is_too_long_to_compare_is_named(runs: Path) -> None:
    file = folder_of(runs, 0) / "history.json"
    content = json.loads(file.read_text())
    for epoch in content["epochs"]:
        epoch["lookahead"]["affinity"]["b"]["b"] = -0.5
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"looked ahead for b does not lower its own loss .*-0.5\): a smaller"):
        groups(runs, relation={"kind": "lookahead"})


def test_tasks_on_different_samples_need_the_summary(tmp_path: Path) -> None:
    for seed in SEEDS:
        write_run(tmp_path, seed, [["a", "b", "c"], ["a_again", "b_again"]])
    with pytest.raises(UserError, match=r"should be `summary` for tasks on different samples \(a: line/a; a_again"):
        groups(tmp_path)
    found = groups(tmp_path, relation={"kind": "summary", "bins": 6})
    assert found["groups"] == [["a", "a_again"], ["b", "b_again"], ["c"]]


def test_samples_that_some_task_does_not_have_are_left_out(runs: Path) -> None:
    maps = read_maps(folder_of(runs, 0) / FILE)
    values = np.stack([[m.confidence, m.variability, m.correctness] for m in maps.last.values()]).swapaxes(0, 1)
    values[:, 2, :25] = np.nan
    pool = PoolArrays("line/a", TASKS, np.arange(SAMPLES), np.full((1, SAMPLES), 4, np.int32), values[None])
    write_maps(folder_of(runs, 0) / FILE, [pool], [4], "training")
    assert groups(runs)["facts"] == {"samples": [SAMPLES - 25, SAMPLES]}
    values[:, 1, 25:] = np.nan
    write_maps(folder_of(runs, 0) / FILE, [pool], [4], "training")
    with pytest.raises(UserError, match="no sample has all of a, a_again, b"):
        groups(runs)


def test_a_file_gives_back_what_was_written_and_the_same_bytes(runs: Path) -> None:
    file = folder_of(runs, 0) / FILE
    maps = read_maps(file)
    assert (maps.record, maps.epochs, list(maps.last)) == ("training", [2, 4], TASKS)
    one = maps.maps[2]["b"]
    assert (one.task, one.pool, one.epoch, one.sample.tolist()) == ("b", "line/a", 2, list(range(SAMPLES)))
    hardest = one.hardest(3)
    assert [h["confidence"] for h in hardest] == sorted(one.confidence.tolist())[:3]
    assert one.confidence[hardest[0]["sample"]] == hardest[0]["confidence"]
    assert write_run(runs / "again", 0).joinpath(FILE).read_bytes() == file.read_bytes()


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _break_values(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-SAMPLES * 4 * 20 : -SAMPLES * 4 * 10] = b"\x7f" * (SAMPLES * 4 * 10)
    file.write_bytes(content)


def _other_file(file: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, file)


DAMAGES = {
    "truncated": _truncate,
    "values": _break_values,
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("no map"),
    "weights": _other_file,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_map_is_named(runs: Path, damage: str) -> None:
    DAMAGES[damage](folder_of(runs, 1) / FILE)
    with pytest.raises(UserError, match=r"seed-1/datamap\.safetensors is no usable data map .*--force finetune@all"):
        groups(runs)


def test_what_is_missing_is_named(runs: Path) -> None:
    with pytest.raises(UserError, match=r"`cluster\.clusters` should be at most the 5 tasks of all, found 6"):
        groups(runs, clusters=6)
    with pytest.raises(UserError, match=r"`cluster\.relation\.epochs` should be among .* \(2, 4\), found 3"):
        groups(runs, relation={"kind": "map", "epochs": [2, 3]})
    (folder_of(runs, 1) / FILE).unlink()
    with pytest.raises(UserError, match=r"datamap\.safetensors is missing: `finetune\.methods\.all\.datamap`"):
        groups(runs)
    (folder_of(runs, 1) / "history.json").write_text(json.dumps(history_json(epoch_json())))
    with pytest.raises(UserError, match=r"holds no gradient cosine of a and a_again: `train\.gradient_probes`"):
        groups(runs, relation={"kind": "gradient_cosine"})
    (folder_of(runs, 0) / "run.json").unlink()
    with pytest.raises(UserError, match=r"seed-0/run\.json is missing; run `mtl repro finetune@all`"):
        groups(runs)


def test_one_epoch_has_no_variability(tmp_path: Path) -> None:
    for seed in SEEDS:
        write_run(tmp_path, seed, epochs=[1])
    with pytest.raises(UserError, match="holds one epoch only, over which nothing varies"):
        groups(tmp_path)
