"""From maps to models: groups found, a model for each, and what they predict together, on files as the stages leave."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtl.cli.runs import list_runs
from mtl.config import Config
from mtl.errors import UserError
from mtl.evaluation.groupings import compare_groupings, read_groups
from mtl.evaluation.runs import read_runs
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.objects import load_tasks
from mtl.experiment.specialise import ensemble_metrics, model_path, planned, run_specialised
from mtl.files import write_json
from mtl.grouping.find import find_groups
from mtl.grouping.models import Candidate, Plan
from mtl.models.build import build_model
from mtl.paths import GROUPS, MODELS
from mtl.results.serving import Serving
from mtl.training.measure import predict
from tests.experiment.conftest import configure

SEEDS = [3, 4]


@pytest.fixture(scope="module")
def settings() -> Config:
    return configure(
        tasks={
            "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4},
            "phase": {"kind": "classification", "source": "line", "input_len": 8, "label": "phase"},
            "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up"},
        },
        finetune={"methods": {"joint": {"kind": "equal", "datamap": {"record": "training"}}}},
        cluster={"source": "joint", "clusters": 2, "algorithm": {"kind": "fuzzy", "m": 2.0}},
        specialise={"weights": "mean_one", "random_draws": 1},
    )


@pytest.fixture(scope="module")
def trained(settings: Config, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """All runs of two seeds, and models.json as the stage writes it."""
    root = tmp_path_factory.mktemp("specialise")
    (root / "data").symlink_to(folder / "data")
    for seed in SEEDS:
        run_finetune(settings, "joint", seed, root)
        for task in settings.tasks:
            run_baseline(settings, task, settings.baseline.starts[0], seed, root)
    with pytest.raises(UserError, match=r"groups\.json is missing; run `mtl repro cluster`"):
        planned(settings, root)
    find_groups(settings.cluster, SEEDS, root).write(root / GROUPS)
    plan = planned(settings, root)
    assert plan is not None
    for name in plan.models:
        for seed in SEEDS:
            run_specialised(settings, plan, name, seed, root)
    soft = next(candidate for candidate in plan.candidates if candidate.kind == "soft")
    served = {str(seed): ensemble_metrics(settings, plan, soft, seed, root) for seed in SEEDS}
    Serving(models=plan.models, tasks=plan.tasks, candidates=plan.candidates, weights="mean_one", soft=served).write(
        root / MODELS
    )
    return root, plan


def run_of(root: Path, name: str, seed: int = SEEDS[0]) -> Any:
    return json.loads((root / model_path(name, seed).folder / "run.json").read_text())


@pytest.mark.thorough
def test_a_model_is_trained_with_the_weights_of_its_column(trained: tuple[Path, Plan], settings: Config) -> None:
    root, plan = trained
    groups = read_groups(settings, root)
    assert groups is not None and sorted(map(len, groups.groups)) == [1, 2]
    for c in range(2):
        column = [row[c] for row in groups.memberships]
        model = plan.models[f"cluster_{c + 1}"]
        assert model.weights == pytest.approx([3 * u / sum(column) for u in column])
        history = json.loads((root / model_path(f"cluster_{c + 1}", 3).folder / "history.json").read_text())
        assert list(history["epochs"][0]["weights"].values()) == pytest.approx(model.weights)
        assert run_of(root, f"cluster_{c + 1}")["method_kind"] == "fixed"


def test_all_tasks_with_equal_weights_are_the_equal_method(trained: tuple[Path, Plan]) -> None:
    root, _ = trained
    together = load_file(root / model_path("set_next_phase_up", 3).folder / "weights.safetensors")
    joint = load_file(root / "outputs/finetune/joint/seed-3/weights.safetensors")
    assert together.keys() == joint.keys() and all(torch.equal(together[name], joint[name]) for name in joint)


def test_soft_serving_with_one_model_is_that_model(trained: tuple[Path, Plan], settings: Config) -> None:
    root, plan = trained
    one = Candidate(name="one", kind="soft", serve={task: {"cluster_1": 1.0} for task in settings.tasks})
    found = ensemble_metrics(settings, plan, one, 3, root)
    run = run_of(root, "cluster_1")
    for split in ("val", "test"):
        for task, metrics in found[split].items():
            for name, value in metrics.items():
                assert value == pytest.approx(run[split][task][name], rel=1e-4), (split, task, name)


def test_soft_serving_averages_probabilities_and_forecasts(trained: tuple[Path, Plan], settings: Config) -> None:
    root, plan = trained
    shares = {"cluster_1": 0.25, "cluster_2": 0.75}
    both = Candidate(name="both", kind="soft", serve=dict.fromkeys(settings.tasks, shares))
    found = ensemble_metrics(settings, plan, both, 3, root)["test"]
    data, _ = load_tasks(settings, 3, root)
    parts = {}
    for name in shares:
        network = build_model(settings.encoder, [data.specs[t] for t in plan.models[name].tasks], 3)
        network.load_state_dict(load_file(root / model_path(name, 3).folder / "weights.safetensors"))
        parts[name] = predict(network, data.select(plan.models[name].tasks, "test"))
    mean = sum(share * parts[name]["next"][0] for name, share in shares.items())
    assert found["next"]["mse"] == pytest.approx(float((mean - parts["cluster_1"]["next"][1]).square().mean()))
    p = sum(share * parts[name]["phase"][0].softmax(dim=1) for name, share in shares.items())
    right = p.argmax(dim=1) == parts["cluster_1"]["phase"][1]  # type: ignore[union-attr]
    assert found["phase"]["accuracy"] == pytest.approx(float(right.float().mean()))


def test_groupings_are_compared_at_their_number_of_models(trained: tuple[Path, Plan], settings: Config) -> None:
    root, _ = trained
    compared = compare_groupings(settings, read_runs(settings, root), root)
    assert compared is not None
    rows = {row.name: row for row in compared.rows}
    assert (rows["stl"].models, rows["together"].models, rows["clusters"].models) == (3, 1, 2)
    assert rows["stl"].delta_m.mean == 0.0
    assert rows["ensemble"].passes_a_task == 2 and rows["clusters"].passes_a_task == 1
    assert len([row for row in rows.values() if row.kind == "partition"]) == 3
    for row in rows.values():
        assert row.models == (3 if row.name == "stl" else 1 if row.name == "together" else 2)
    single = rows["stl"].metrics
    expected = [
        100 * ((run["test"]["next"]["mse"] - joint["test"]["next"]["mse"]) / run["test"]["next"]["mse"])
        for run, joint in zip(
            (json.loads((root / f"outputs/baseline/next/random/seed-{s}/run.json").read_text()) for s in SEEDS),
            (run_of(root, "set_next_phase_up", s) for s in SEEDS),
            strict=True,
        )
    ]
    labels = {
        task: [
            100 * (run_of(root, "set_next_phase_up", s)["test"][task]["accuracy"]
                   / json.loads((root / f"outputs/baseline/{task}/random/seed-{s}/run.json").read_text())
                   ["test"][task]["accuracy"] - 1)
            for s in SEEDS
        ]
        for task in ("phase", "up")
    }  # fmt: skip
    per_seed = [sum(values) / 3 for values in zip(expected, *labels.values(), strict=True)]
    assert rows["together"].per_seed == pytest.approx(per_seed)
    assert set(single) == set(settings.tasks)
    best = rows["best partition, chosen on validation data"]
    partitions = [row for row in rows.values() if row.kind == "partition"]
    assert best.per_seed_val == max((row.per_seed_val for row in partitions), key=sum)
    draw = rows["random_1"].per_seed
    apart = [own - other for own, other in zip(rows["clusters"].per_seed, draw, strict=True)]
    over = rows["clusters"].over_random
    assert over is not None and over.mean == pytest.approx(sum(apart) / 2)
    assert rows["stl"].over_random is rows["together"].over_random is rows["random_1"].over_random is None
    json.dumps(compared.plain(), allow_nan=False)


def test_nothing_is_compared_that_was_not_asked_for(settings: Config, tmp_path: Path) -> None:
    off = configure()
    assert compare_groupings(off, [], tmp_path) is None and read_groups(off, tmp_path) is None


def test_the_state_of_a_model_that_was_interrupted_is_one_to_go_on_from(
    trained: tuple[Path, Plan], settings: Config, tmp_path: Path
) -> None:
    root, plan = trained
    (tmp_path / "data").symlink_to(root / "data")
    write_json(tmp_path / GROUPS, json.loads((root / GROUPS).read_text()))

    def stopped(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_specialised(settings, plan, "cluster_1", 3, tmp_path, stopped)
    (listed,) = list_runs(settings, tmp_path)
    assert (listed.state.run, listed.status) == ("specialise/cluster_1/seed-3", "goes on")
