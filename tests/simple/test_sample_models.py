"""Linear maps, trees and random kernels against scikit-learn and sums by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from torch import Tensor

from mtl.models.simple.features import Kernels, Summary, count_features
from mtl.models.simple.kernels import draw_kernels
from mtl.results.simple import KernelFeatures, KernelGroup, SummaryFeatures
from mtl.simple.boosting import first_rounds, fit_boosting, written_out
from mtl.simple.linear import LOGISTIC_PENALTIES, RIDGE_PENALTIES, Question, Ridge, logistic_maps, temperature

N, P = 240, 5


def samples() -> tuple[Tensor, Tensor]:
    """Features of unequal scale, one of them constant, and a label of three classes that they half explain."""
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(N, P, generator=draw, dtype=torch.float64) * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0]) + 3
    features[:, 3] = 2.5
    scores = torch.stack([features[:, 0] - 3, (features[:, 1] - 3) / 10, 10 * (features[:, 2] - 3)], dim=1)
    return features, (scores + torch.randn(N, 3, generator=draw, dtype=torch.float64)).argmax(dim=1)


def standardised(features: Tensor) -> np.ndarray:
    std = features.std(dim=0, unbiased=False)
    result: np.ndarray = ((features - features.mean(dim=0)) / torch.where(std > 0, std, 1.0)).numpy()
    return result


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0)])
def test_logistic_regression_is_that_of_scikit_learn(weights: tuple[float, ...] | None) -> None:
    features, target = samples()
    weighing = None if weights is None else dict(enumerate(weights))
    total = N if weights is None else sum(weights[int(number)] for number in target)
    for maps, penalty in zip(
        logistic_maps(features, [Question(target, None, 3, False, weights)]), LOGISTIC_PENALTIES, strict=True
    ):
        theirs = LogisticRegression(C=1 / (total * penalty), class_weight=weighing, tol=1e-10, max_iter=2000)
        theirs.fit(standardised(features), target.numpy())
        ours = maps[0](features).softmax(dim=1).numpy()
        np.testing.assert_allclose(ours, theirs.predict_proba(standardised(features)), atol=1e-6)


def test_labels_fitted_together_are_those_fitted_alone_and_missing_ones_count_nowhere() -> None:
    features, target = samples()
    known = torch.arange(0, N, 2)
    questions = [
        Question((target == 1).long()[known], known, 2, True, (1.0, 2.5)),
        Question((target == 2).long(), None, 2, True, None),
    ]
    together = list(logistic_maps(features, questions))[2]
    few = Question(questions[0].target, None, 2, True, (1.0, 2.5))
    theirs = LogisticRegression(
        C=1 / (few.target.eq(0).sum().item() + 2.5 * few.target.sum().item()) / LOGISTIC_PENALTIES[2],
        class_weight={0: 1.0, 1: 2.5}, tol=1e-10, max_iter=2000,
    )  # fmt: skip
    theirs.fit(standardised(features)[known.numpy()], few.target.numpy())
    np.testing.assert_allclose(
        together[0](features)[:, 0].sigmoid().numpy(), theirs.predict_proba(standardised(features))[:, 1], atol=1e-6
    )
    alone = list(logistic_maps(features, questions[1:]))[2][0]
    torch.testing.assert_close(together[1](features), alone(features), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [N, 4])
def test_ridge_is_that_of_scikit_learn_also_with_fewer_samples_than_features(count: int) -> None:
    features, _ = samples()
    features = features[:count]
    draw = torch.Generator().manual_seed(3)
    targets = torch.randn(count, 2, generator=draw, dtype=torch.float64)
    weights = 0.5 + torch.rand(count, generator=draw, dtype=torch.float64)
    for map_, penalty in zip(Ridge(features, weights).maps(targets), RIDGE_PENALTIES, strict=True):
        theirs = SklearnRidge(alpha=penalty * float(weights.sum()), solver="svd")
        theirs.fit(standardised(features), targets.numpy(), sample_weight=weights.numpy())
        np.testing.assert_allclose(map_(features).numpy(), theirs.predict(standardised(features)), atol=1e-6)


def test_the_temperature_is_the_factor_that_made_the_labels() -> None:
    draw = torch.Generator().manual_seed(4)
    scores = torch.randn(200_000, 3, generator=draw, dtype=torch.float64)
    target = torch.multinomial((2.5 * scores).softmax(dim=1), 1, generator=draw).squeeze(1)
    assert temperature(scores, Question(target, None, 3, False, None)) == pytest.approx(2.5, rel=0.02)


@pytest.mark.parametrize("kind", ["number", "two classes", "two logits", "three classes"])
def test_written_out_trees_predict_what_scikit_learn_predicts(kind: str) -> None:
    features, label = samples()
    features = features.clone()
    features[::5, 0] = torch.nan  # a missing value goes where training sent it
    features[::7, 2] = torch.nan
    two = (label == 1).long()
    target = {"number": features[:, 1] + label, "three classes": label}.get(kind, two)
    estimator = fit_boosting(features, target, None, 20, 1)
    scores = written_out(estimator, {"three classes": 3, "two logits": 2}.get(kind))
    numbers = scores(features)
    fewer = first_rounds(scores, 7)
    match kind:
        case "number":
            np.testing.assert_allclose(numbers.numpy(), estimator.predict(features.numpy()), atol=1e-6)
            staged = list(estimator.staged_predict(features.numpy()))[6]
            np.testing.assert_allclose(fewer(features).numpy(), staged, atol=1e-6)
        case "two classes":
            theirs = estimator.predict_proba(features.numpy())[:, 1]
            np.testing.assert_allclose(numbers.sigmoid().numpy(), theirs, atol=1e-6)
        case _:
            np.testing.assert_allclose(
                numbers.softmax(dim=1).numpy(), estimator.predict_proba(features.numpy()), atol=1e-6
            )
            staged = list(estimator.staged_predict_proba(features.numpy()))[6]
            np.testing.assert_allclose(fewer(features).softmax(dim=1).numpy(), staged, atol=1e-6)


def test_kernel_features_are_the_share_above_zero_and_the_maximum_of_a_convolution() -> None:
    group = KernelGroup(length=3, dilation=2, padding=2, count=1)
    module = Kernels([group], 2)
    weight = torch.tensor([[[1.0, -2.0, 1.0], [0.0, 1.0, -1.0]]])
    module.load_state_dict({"weight_0": weight, "bias_0": torch.tensor([0.25])})
    x = torch.randn(4, 2, 9, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, (2, 2))
    taps = [[(weight[0, :, tap] * padded[:, :, place + 2 * tap]).sum(dim=1) for tap in range(3)] for place in range(9)]
    rows = torch.stack([0.25 + torch.stack(three).sum(dim=0) for three in taps], dim=1)
    wanted = torch.stack([(rows > 0).float().mean(dim=1), rows.amax(dim=1)], dim=1)
    torch.testing.assert_close(module(x), wanted)


@pytest.mark.parametrize("rows", [1, 2, 6, 8, 12, 64])
def test_drawn_kernels_fit_windows_of_any_length_and_are_the_same_twice(rows: int) -> None:
    features, arrays = draw_kernels(50, (3, rows))
    again, same = draw_kernels(50, (3, rows))
    assert features == again and all(torch.equal(arrays[name], same[name]) for name in arrays)
    assert sum(group.count for group in features.groups) == 50
    module = Kernels(features.groups, 3)
    module.load_state_dict(arrays)
    assert module(torch.zeros(2, 3, rows)).shape == (2, 100) == (2, count_features(features, (3, rows)))
    for number, group in enumerate(features.groups):
        weight = arrays[f"weight_{number}"]
        assert group.dilation * (group.length - 1) < max(rows, 2)
        torch.testing.assert_close(weight.mean(dim=2), torch.zeros(group.count, 3), rtol=0, atol=1e-6)
        assert bool((weight.abs().sum(dim=2) > 0).any(dim=1).all()) or group.length == 1, "every kernel reads a channel"


def test_a_summary_holds_last_rows_means_spreads_and_differences() -> None:
    x = torch.tensor([[[1.0, 2.0, 4.0, 8.0, 16.0, 10.0]]])
    values = Summary(6)(x)[0].tolist()
    assert values[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 10.0]
    tail = torch.tensor([4.0, 8.0, 16.0, 10.0])
    assert values[6:10] == pytest.approx([9.5, float(tail.std(unbiased=False)), (4 + 8 + 6) / 3, 0.5])
    assert len(values) == count_features(SummaryFeatures(), (1, 6)) == 14
    assert isinstance(KernelFeatures(groups=[KernelGroup(length=1, dilation=1, padding=0, count=1)]), KernelFeatures)
