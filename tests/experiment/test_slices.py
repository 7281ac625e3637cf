"""Metrics of stored windows by whom they belong to: known answers."""

import torch

from mtl.data.loading.tasks import build_tasks
from mtl.experiment.predicted import Predicted
from mtl.experiment.slices import Slicer
from tests.helpers.problems import binary, stored


def test_windows_of_each_group_have_metrics_of_their_own() -> None:
    """Everything right for group 4, half for group 2, nothing for the window of nobody that is known."""
    fold = torch.tensor([-1] * 6 + [0] * 2 + [1] * 2)
    groups = torch.tensor([4, 4, 2, -1, 2, 4, 8, 8, 9, 9])
    up = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 0, 1])
    source = stored(10, 8, fold, {"up": up}, groups=groups)
    data = build_tasks({"t": binary(source="cuts", label="up", input_len=None)}, {"cuts": source}, seed=0)
    numbers, target = torch.arange(6) * 8, up[:6]
    wrong = torch.tensor([False, False, True, True, False, False])
    logits = torch.where((target == 1) ^ wrong, 2.0, -2.0)
    slicer = Slicer(["groups"], first_seed=0)
    for seed in (0, 1):
        slicer.add(data, Predicted("finetune", "joint", "random", seed, data.specs["t"], numbers, logits, target))
    parts = {part.value: part for part in slicer.result().slices}
    assert {value: (part.samples, part.metrics["accuracy"]) for value, part in parts.items()} == {
        "4": (3, [1.0, 1.0]), "2": (2, [0.5, 0.5]), "": (1, [0.0, 0.0]),
    }  # fmt: skip
    assert sorted(one.sample for one in slicer.result().worst[:2]) == [16, 24]
