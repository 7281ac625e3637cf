"""Labels of windows that start at ridge regression on random kernels: the untrained network predicts as the simple
model does."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config
from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint, single_task
from mtl.experiment.saved import build_network, load_network
from mtl.models.linear_map import KernelMap
from mtl.models.multitask import MultiTaskModel
from mtl.results.history import History
from mtl.results.reading import HISTORY
from mtl.results.record import Run
from mtl.simple.candidates import Candidate
from mtl.simple.samples import SampleModels
from mtl.tasks.forms import LabelForm
from mtl.tasks.plain import from_plain, plain
from mtl.training.measure import predict
from tests.experiment.conftest import configure

KERNELS = 30
LINEAR = {"kind": "linear", "input_len": 8, "width": 16}
RECURRENT = {"kind": "recurrent", "width": 8}
ROCKET = {"kind": "rocket", "kernels": 2, "kernel_len": 3, "dilations": [1], "width": 8}


def config(**changes: Any) -> Config:
    """A label that starts at ridge regression, weighted and not, and a forecast beside it."""
    label = {"kind": "classification", "source": "line", "input_len": 8, "label": "phase"}
    tasks: dict[str, Any] = {
        "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4},
        "phase": label | {"linear": {"kernels": KERNELS}},
        "balanced": label | {"linear": {"kernels": KERNELS}, "class_weights": "balanced"},
    }
    return configure(**({"tasks": tasks} | changes))


def built(config: Config, root: Path) -> tuple[MultiTaskModel, TaskSet]:
    data, _ = load_tasks(config, 3, root)
    return build_network(joint(config, "joint", 3), data).eval(), data


def simple(data: TaskSet, name: str) -> Candidate:
    """The simple model of as many kernels."""
    spec = data.specs[name]
    assert isinstance(spec.form, LabelForm)
    models = SampleModels(SimpleConfig(models=["kernels"], kernels=KERNELS), data, threads=1)
    (candidate,) = models.candidates(spec, spec.form, {})
    return candidate


@pytest.mark.parametrize(
    "encoder", [None, LINEAR, RECURRENT, ROCKET], ids=["timedart", "linear", "recurrent", "rocket"]
)
def test_before_the_first_step_a_label_is_that_of_the_simple_model(
    folder: Path, encoder: dict[str, Any] | None
) -> None:
    model, data = built(config(**({} if encoder is None else {"encoder": encoder})), folder)
    for name in ("phase", "balanced"):
        logits = predict(model, data.select([name], "val"))[name][0]
        torch.testing.assert_close(logits, simple(data, name).prediction, atol=1e-5, rtol=1e-5)


def test_the_map_is_kept_as_it_is_counted_and_loaded(root: Path) -> None:
    settings = config()
    before, data = built(settings, root)
    run = Run.read(run_finetune(settings, "joint", 3, root) / "run.json", "")
    model = load_network(joint(settings, "joint", 3), root).model
    assert isinstance(model, MultiTaskModel)
    for name in ("phase", "balanced"):
        start, kept = before.linear_maps[name], model.linear_maps[name]
        assert isinstance(start, KernelMap)
        for key, numbers in start.state_dict().items():
            assert torch.equal(kept.state_dict()[key], numbers)
        head = sum(part.numel() for part in model.heads[name].parameters())
        classes = data.specs[name].outputs
        assert run.parameters.heads[name] == head + classes * (2 * KERNELS + 1)
        prediction, target = predict(model, data.select([name], "test"))[name]
        assert data.specs[name].score(prediction, target, detailed=True)[0] == run.test[name]


def test_a_network_that_only_harms_leaves_the_label_of_the_simple_model(root: Path) -> None:
    """A learning rate that ruins the network: the untrained one, which predicts as the simple model, is kept."""
    ruined = config(train={"epochs": 2, "batch_size": 16, "lr": 10.0, "schedule": "constant", "clip": None,
                           "gradient_probes": 1, "stopping": {"patience": None}})  # fmt: skip
    start = ruined.baseline.starts[0]
    folder = run_baseline(ruined, "phase", start, 3, root)
    assert History.read(folder / HISTORY, "").best_epoch == 0
    data, _ = load_tasks(ruined, 3, root)
    kept = load_network(single_task(ruined, "phase", start, 3), root).model
    logits = predict(kept, data.select(["phase"], "val"))["phase"][0]
    torch.testing.assert_close(logits, simple(data, "phase").prediction, atol=1e-5, rtol=1e-5)


def test_a_file_may_not_ask_for_more_kernels_than_a_setting_may(folder: Path) -> None:
    data, _ = load_tasks(config(), 3, folder)
    content = plain(data.specs["phase"])
    assert from_plain(content, "model.json") == data.specs["phase"]
    with pytest.raises(UserError, match=r"`linear` should be from 1 to 100,000 kernels, found 100001"):
        from_plain(content | {"linear": 100_001}, "model.json")
