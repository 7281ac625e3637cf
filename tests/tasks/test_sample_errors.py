"""Errors of single samples: their mean is the metric, and they are its derivatives by the samples' weights."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, recall_score, roc_auc_score
from torch import Tensor

from mtl.config.metrics import METRICS, BinaryMetric, ClassMetric, RegressionMetric
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.tasks.ranking import log_odds
from mtl.tasks.regression import Regression
from mtl.tasks.sample_errors import auc_values, average_precision_values, label_errors, root_values

BINARY = [metric for metric in get_args(BinaryMetric) if metric != "ece"]
CLASSES = list(get_args(ClassMetric))
LEVELS = (0.1, 0.5, 0.9)
COMMON: dict[str, Any] = {"name": "t", "source": "s", "shape": (2,), "columns": ["a", "b"]}


def binary(seed: int, ties: bool, n: int = 211) -> tuple[Tensor, Tensor]:
    """Logits, of six values only where they are tied, that know something of a label with three in ten positives."""
    draw = torch.Generator().manual_seed(seed)
    target = (torch.rand(n, generator=draw) < 0.3).long()
    logits = torch.randn(n, generator=draw) + target - 0.8
    return (logits.round() if ties else logits), target


def several(seed: int, ties: bool, n: int = 157, k: int = 4) -> tuple[Tensor, Tensor]:
    """Logits of four classes, of which the last one never occurs."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.randint(0, k - 1, (n,), generator=draw)
    logits = torch.randn(n, k, generator=draw) + torch.nn.functional.one_hot(target, k)
    return (logits.round() if ties else logits), target


def mean_is_the_metric(spec: TaskSpec, prediction: Tensor, target: Tensor) -> None:
    errors = spec.judged_errors(prediction, target)
    assert errors is not None and errors.shape == (len(target),) and errors.dtype == torch.float64
    metric = spec.score(prediction, target, detailed=True)[0][spec.metric]
    mean = float(errors.mean())
    assert (mean if METRICS[spec.metric].lower_is_better else 1 - mean) == pytest.approx(metric, abs=1e-12, rel=1e-12)


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("metric", BINARY)
def test_mean_of_a_binary_label(metric: str, ties: bool) -> None:
    for seed in range(3):
        mean_is_the_metric(Binary(**COMMON, metric=metric, classes=["no", "yes"]), *binary(seed, ties))


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("metric", CLASSES)
def test_mean_of_a_label_of_several_classes(metric: str, ties: bool) -> None:
    for seed in range(3):
        mean_is_the_metric(Classification(**COMMON, metric=metric, classes=list("abcd")), *several(seed, ties))


def test_mean_of_a_label_that_is_judged_over_some_classes() -> None:
    spec = Classification(**COMMON, metric="macro_f1", classes=["a", "b", "c", "d"], f1_over=(0, 2))
    mean_is_the_metric(spec, *several(0, False))


@pytest.mark.parametrize("metric", get_args(RegressionMetric))
def test_mean_of_numbers(metric: str) -> None:
    """Z-scored, with the standard deviation 3 in original units."""
    draw = torch.Generator().manual_seed(1)
    target = torch.randn(90, generator=draw)
    quantiles = target[:, None] + torch.randn(90, 3, generator=draw)
    fields: dict[str, Any] = COMMON | {"target": "y", "std": 3.0, "metric": metric}
    mean_is_the_metric(QuantileRegression(**fields, levels=LEVELS), quantiles, target)
    if metric != "crps":
        mean_is_the_metric(Regression(**fields), quantiles[:, 0], target)


Score = Callable[..., float]


def macro_auc(truth: np.ndarray, odds: np.ndarray, sample_weight: np.ndarray) -> float:
    """Mean over the classes that occur, each by its odds against all others."""
    areas = [roc_auc_score(truth == k, odds[:, k], sample_weight=sample_weight) for k in np.unique(truth)]
    return float(np.mean(areas))


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray) -> float:
    classes = np.unique(truth)
    return float(recall_score(truth, predicted, labels=classes, average="macro", sample_weight=sample_weight))


def macro_f1(truth: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray) -> float:
    return float(f1_score(truth, predicted, average="macro", sample_weight=sample_weight))


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize(
    ("metric", "score", "classes"),
    [
        ("auc", roc_auc_score, 2),
        ("average_precision", average_precision_score, 2),
        ("f1", f1_score, 2),
        ("macro_f1", macro_f1, 2),
        ("balanced_accuracy", balanced_accuracy, 2),
        ("macro_auc", macro_auc, 4),
        ("macro_f1", macro_f1, 4),
        ("balanced_accuracy", balanced_accuracy, 4),
    ],
)
def test_errors_are_derivatives_by_weights(metric: str, score: Score, classes: int, ties: bool) -> None:
    """Against central differences of scikit-learn's metric as the weight of one sample moves around 1."""
    logits, target = binary(5, ties, 60) if classes == 2 else several(5, ties, 60)
    errors = label_errors(metric, logits.double(), target)
    assert errors is not None
    truth = target.numpy()
    if metric == "macro_auc":
        said = log_odds(logits).numpy()
    elif metric in ("auc", "average_precision"):
        said = logits.double().numpy()
    else:
        said = (logits > 0).long().numpy() if classes == 2 else logits.argmax(dim=1).numpy()
    step, whole = 1e-5, score(truth, said, sample_weight=np.ones(60))
    for place in range(60):
        weights = [1.0 + sign * step * (np.arange(60) == place) for sign in (1, -1)]
        up, down = (score(truth, said, sample_weight=weight) for weight in weights)
        assert 1 - float(errors[place]) == pytest.approx(whole + 60 * (up - down) / (2 * step), abs=1e-6)


def delong(scores: np.ndarray, positive: np.ndarray) -> float:
    """Variance of the area by its two structural components, pair by pair."""
    above, below = scores[positive][:, None], scores[~positive][None]
    pairs = (above > below) + 0.5 * (above == below)
    return float(pairs.mean(axis=1).var(ddof=1) / len(above) + pairs.mean(axis=0).var(ddof=1) / below.size)


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("seed", [0, 1])
def test_variance_of_an_auc(seed: int, ties: bool) -> None:
    """Against DeLong's, and against leaving out one sample at a time; both divide by one less than the P or N samples
    where the infinitesimal jackknife divides by their number, DeLong's once and the other twice."""
    logits, target = binary(seed, ties, 150)
    positive = target == 1
    values = auc_values(logits.double(), positive)
    assert values is not None
    scores, yes = logits.double().numpy(), positive.numpy()
    parts = [float(((values[mask] - values.mean()) ** 2).sum()) / 150**2 for mask in (positive, ~positive)]
    counts = [int(yes.sum()), int((~yes).sum())]
    pairs = [(part, count / (count - 1)) for part, count in zip(parts, counts, strict=True)]
    assert sum(part * factor for part, factor in pairs) == pytest.approx(delong(scores, yes), rel=1e-9)
    without = [roc_auc_score(np.delete(yes, i), np.delete(scores, i)) for i in range(150)]
    left_out = np.sum((without - np.mean(without)) ** 2)
    assert sum(part * factor**2 for part, factor in pairs) == pytest.approx(left_out, rel=1e-9)


def test_perfect_and_useless_orders() -> None:
    """No sample moves a perfect order; tied scores put every sample on one half."""
    positive = torch.tensor([True, True, False, False, False])
    perfect, tied = torch.tensor([9.0, 8.0, 1.0, 1.0, -torch.inf]).double(), torch.zeros(5).double()
    for values in (auc_values(perfect, positive), average_precision_values(perfect, positive)):
        assert values is not None
        torch.testing.assert_close(values.mean(), torch.tensor(1.0).double())
    halves = auc_values(tied, positive)
    assert halves is not None and halves.tolist() == [0.5] * 5


def test_what_has_no_value_has_no_errors() -> None:
    logits, negative = torch.randn(9).double(), torch.zeros(9).long()
    assert all(label_errors(metric, logits, negative) is None for metric in ("auc", "average_precision", "ece"))
    assert label_errors("f1", -logits.abs(), negative) is None
    assert label_errors("macro_auc", torch.randn(9, 3).double(), negative) is None
    assert root_values(torch.zeros(4).double()).tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="judged by, found 'mse'"):
        label_errors("mse", logits, negative)
