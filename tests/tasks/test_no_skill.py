"""The best metrics that need no input, held against every constant prediction."""

import pytest
import torch

from mtl.config.metrics import METRICS
from mtl.config.tasks import BinaryTask, ClassificationTask
from mtl.tasks.label_scores import label_metrics
from mtl.tasks.no_skill import no_skill


@pytest.mark.parametrize("counts", [[7, 3], [5, 5], [1, 9]])
def test_no_constant_logit_is_better(counts: list[int]) -> None:
    """For a binary label, over logits that hold the one of the frequencies."""
    target = torch.repeat_interleave(torch.arange(2), torch.tensor(counts))
    logits = [torch.tensor(counts[1] / counts[0]).log().item(), *torch.linspace(-8, 8, 33).tolist()]
    reached = [label_metrics(torch.full((10,), z), target, ["no", "yes"], detailed=True)[0] for z in logits]
    for metric in BinaryTask.metrics:
        values = [metrics[metric] for metrics in reached]
        best = min(values) if METRICS[metric].lower_is_better else max(values)
        if metric == "ece":
            assert no_skill(metric, counts) is None and best < 1e-6
        else:
            assert no_skill(metric, counts) == pytest.approx(best)


def test_no_constant_class_is_better() -> None:
    """For three classes of four that occur."""
    counts = [2, 5, 3, 0]
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    frequencies = (torch.tensor(counts).float() + 1e-9).log()
    guesses = [frequencies, *(5 * torch.eye(4))]
    reached = [label_metrics(guess.expand(10, 4), target, list("abcd"), detailed=True)[0] for guess in guesses]
    for metric in ClassificationTask.metrics:
        values = [metrics[metric] for metrics in reached]
        assert no_skill(metric, counts) == pytest.approx(
            min(values) if METRICS[metric].lower_is_better else max(values)
        )
