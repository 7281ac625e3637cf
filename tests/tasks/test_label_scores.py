"""Every metric of a label against scikit-learn, what is measured when, and what cannot be."""

from typing import get_args

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from mtl.config.metrics import METRICS
from mtl.config.tasks import BinaryTask, ClassificationTask
from mtl.tasks.label_measures import BinaryMeasures
from mtl.tasks.label_scores import label_metrics
from mtl.tasks.no_skill import no_skill, unmeasurable

BASIC = {"loss", "accuracy", "balanced_accuracy", "macro_f1"}
NAMES = ["no", "yes"]


def _binary(samples: int = 400, share: float = 0.3) -> tuple[Tensor, Tensor]:
    """Logits in steps of .1, so that many tie, and a label that they know something of."""
    generator = torch.Generator().manual_seed(samples)
    target = (torch.rand(samples, generator=generator) < share).long()
    logits = (2 * torch.randn(samples, generator=generator) + target - 1).round(decimals=1)
    return logits, target


def test_a_binary_label_by_every_metric() -> None:
    logits, target = _binary()
    p, guess = logits.double().sigmoid().numpy(), (logits > 0).numpy()
    metrics, detail = label_metrics(logits, target, NAMES, detailed=True)
    assert set(metrics) == {"loss", *BinaryTask.metrics}
    assert metrics["auc"] == pytest.approx(sk.roc_auc_score(target, p))
    assert metrics["average_precision"] == pytest.approx(sk.average_precision_score(target, p))
    assert metrics["f1"] == pytest.approx(sk.f1_score(target, guess))
    assert metrics["log_loss"] == metrics["loss"] == pytest.approx(sk.log_loss(target, p), rel=1e-6)
    assert metrics["brier"] == pytest.approx(sk.brier_score_loss(target, p))
    assert 0 < metrics["ece"] < 0.3
    assert set(detail) == {"confusion", "classes", "operating_points", "reliability"}
    assert sum(detail["reliability"]["samples"]) == 400
    assert detail["operating_points"]["positives"] == int(target.sum())


def test_a_label_of_several_classes_by_every_metric() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(4, (300,), generator=generator)
    logits = torch.randn(300, 4, generator=generator) + torch.nn.functional.one_hot(target, 4)
    metrics, detail = label_metrics(logits, target, list("abcd"), detailed=True)
    assert set(metrics) == {"loss", *ClassificationTask.metrics}
    p = logits.double().softmax(1).numpy()
    assert metrics["macro_auc"] == pytest.approx(sk.roc_auc_score(target, p, multi_class="ovr"))
    assert metrics["log_loss"] == metrics["loss"]
    assert set(detail) == {"confusion", "classes"}


def test_one_logit_and_two_classes_have_the_same_area() -> None:
    logits, target = _binary()
    one, _ = label_metrics(logits, target, NAMES, "auc")
    two, _ = label_metrics(torch.stack([0 * logits, logits], 1), target, NAMES, "macro_auc")
    assert two["macro_auc"] == pytest.approx(one["auc"], rel=1e-12)


@pytest.mark.parametrize("metric", BinaryTask.metrics)
def test_an_epoch_measures_what_the_task_is_judged_by(metric: str) -> None:
    """To the same digit as at the end."""
    logits, target = _binary(100)
    brief, detail = label_metrics(logits, target, NAMES, metric)
    whole, _ = label_metrics(logits, target, NAMES, metric, detailed=True)
    assert brief == {name: whole[name] for name in BASIC | {metric}}
    assert set(detail) == {"confusion", "classes"}


def test_an_epoch_sorts_nothing_that_it_is_not_judged_by() -> None:
    """100 binary tasks would pay for it after every epoch."""
    logits, target = _binary(100)
    measures = BinaryMeasures(logits.double(), target == 1, np.eye(2, dtype=int))
    for metric in ("f1", "log_loss", "brier", "ece"):
        measures.value(metric)
    assert "ranking" not in vars(measures)
    measures.value("auc")
    kept = measures.ranking
    measures.value("average_precision")
    measures.curves()
    assert measures.ranking is kept


def test_what_one_class_leaves_undefined_is_absent_with_its_reason() -> None:
    logits, target = torch.tensor([-1.0, -2.0, -3.0]), torch.zeros(3, dtype=torch.int64)
    metrics, detail = label_metrics(logits, target, NAMES, detailed=True)
    assert set(metrics) == {"loss", *BinaryTask.metrics} - {
        "auc", "average_precision", "f1", "balanced_accuracy", "macro_f1"
    }  # fmt: skip
    assert detail["undefined"] == {
        "balanced_accuracy": "all 3 samples belong to one class",
        "macro_f1": "all 3 samples belong to one class",
        "auc": "all 3 samples are negative",
        "average_precision": "all 3 samples are negative",
        "f1": "of 3 samples none is positive and none is predicted to be",
    }
    one, reasons = label_metrics(torch.eye(3), torch.ones(3, dtype=torch.int64), list("abc"), "macro_auc")
    assert set(one) == {"loss", "accuracy"}
    means = ("balanced_accuracy", "macro_f1", "macro_auc")
    assert reasons["undefined"] == dict.fromkeys(means, "all 3 samples belong to one class")


@pytest.mark.parametrize("counts", [[3, 0], [0, 3], [2, 1]])
def test_what_cannot_be_measured_is_known_before_anything_is_predicted(counts: list[int]) -> None:
    """Whatever is predicted: without a positive sample F1 exists for some predictors only, and is not relied on."""
    target = torch.repeat_interleave(torch.arange(2), torch.tensor(counts))
    absent = set(BinaryTask.metrics)
    for logits in (torch.full((3,), -1.0), torch.tensor([1.0, -1.0, 2.0])):
        measured, _ = label_metrics(logits, target, NAMES, detailed=True)
        absent -= set(measured)
    foretold = {name for name in BinaryTask.metrics if unmeasurable(name, counts) is not None}
    assert absent <= foretold
    of_both = {"auc", "balanced_accuracy", "macro_f1"}
    assert foretold == {*of_both, "average_precision", "f1"} if counts == [3, 0] else foretold == absent
    assert all(no_skill(name, counts) is None for name in foretold), (
        "nothing to hold a metric against that there is not"
    )
    classes, _ = label_metrics(torch.randn(3, 2), target, NAMES, detailed=True)
    assert ("macro_auc" in classes) == (unmeasurable("macro_auc", counts) is None)


@pytest.mark.parametrize("task", [BinaryTask, ClassificationTask])
def test_a_task_may_be_judged_by_any_of_its_metrics(task: type[BinaryTask | ClassificationTask]) -> None:
    kind = get_args(task.model_fields["kind"].annotation)[0]
    for metric in task.metrics:
        section = task.model_validate({"kind": kind, "source": "s", "metric": metric})
        assert section.primary_metric == metric
        assert section.lower_is_better == METRICS[metric].lower_is_better
    assert task.model_validate({"kind": kind, "source": "s", "class_weights": "balanced"}).primary_metric == (
        "balanced_accuracy"
    )


def test_only_metrics_of_the_kind() -> None:
    logits, target = _binary(20)
    with pytest.raises(ValueError, match="found 'macro_auc'"):
        label_metrics(logits, target, NAMES, "macro_auc")
    with pytest.raises(ValueError, match="found 'auc'"):
        label_metrics(torch.stack([logits, -logits], 1), target, NAMES, "auc")
