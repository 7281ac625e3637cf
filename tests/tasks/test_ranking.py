"""Curves and their areas against scikit-learn: ties, constant and extreme scores, a class that is absent."""

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from sklearn import metrics as sk
from torch import Tensor

from mtl.tasks.ranking import average_precision, log_odds, macro_auc, operating_points, rank, roc_auc
from mtl.tasks.undefined import Undefined
from tests.helpers.cases import few_and_many, for_all

Sample = tuple[float, bool]
TIED = st.sampled_from([-3.0, 0.0, 0.5, 1e300, float("inf"), -float("inf")])
SAMPLES = st.lists(st.tuples(TIED | st.floats(-40, 40, width=32), st.booleans()), min_size=2, max_size=60).filter(
    lambda samples: len({positive for _, positive in samples}) == 2
)


def _tensors(samples: list[Sample]) -> tuple[Tensor, Tensor]:
    scores, positive = zip(*samples, strict=True)
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(positive)


def _finite(scores: Tensor) -> np.ndarray:
    """Scores in the same order that scikit-learn takes: it refuses infinite ones."""
    return scores.clamp(-1e301, 1e301).numpy()


@few_and_many(100, 3000)
def test_areas_and_curves_agree_with_scikit_learn(cases: int) -> None:
    def check(samples: list[Sample]) -> None:
        scores, positive = _tensors(samples)
        ranking = rank(scores, positive)
        reference = _finite(scores)
        assert roc_auc(ranking) == pytest.approx(sk.roc_auc_score(positive, reference), rel=1e-12)
        assert average_precision(ranking) == pytest.approx(sk.average_precision_score(positive, reference), rel=1e-12)
        false_rate, true_rate, _ = sk.roc_curve(positive, reference, drop_intermediate=False)
        points = operating_points(ranking)
        np.testing.assert_allclose(np.array(points["false_positives"]) / points["negatives"], false_rate[1:])
        np.testing.assert_allclose(np.array(points["true_positives"]) / points["positives"], true_rate[1:])
        precision, recall, _ = sk.precision_recall_curve(positive, reference)  # from the lowest threshold up
        hits, false = np.array(points["true_positives"]), np.array(points["false_positives"])
        np.testing.assert_allclose(hits / (hits + false), precision[-2::-1])
        np.testing.assert_allclose(hits / points["positives"], recall[-2::-1])

    for_all(SAMPLES, cases, check)


def test_ties_count_half_and_constant_scores_rank_nothing() -> None:
    """Two of four pairs are in order and one is tied."""
    positive = torch.tensor([True, True, False, False])
    assert roc_auc(rank(torch.tensor([3.0, 1.0, 1.0, 2.0]), positive)) == 2.5 / 4
    constant = rank(torch.zeros(4), torch.tensor([True, False, False, False]))
    assert roc_auc(constant) == 0.5
    assert average_precision(constant) == 0.25


def test_the_order_of_the_samples_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(500, generator=generator).round(decimals=1)
    positive = torch.rand(500, generator=generator) < 0.3
    order = torch.randperm(500, generator=generator)
    one, other = rank(scores, positive), rank(scores[order], positive[order])
    assert operating_points(one) == operating_points(other)
    assert roc_auc(one) == roc_auc(other) and average_precision(one) == average_precision(other)


def test_logits_that_round_to_the_same_probability_stay_apart() -> None:
    """The sigmoid of 40 and of 50 is 1 in 64 bits: the order of sure predictions is still known."""
    scores, positive = torch.tensor([50.0, 40.0]), torch.tensor([True, False])
    assert roc_auc(rank(scores, positive)) == 1
    assert roc_auc(rank(scores.double().sigmoid(), positive)) == 0.5
    assert log_odds(torch.tensor([[0.0, 50.0], [0.0, 40.0]]))[:, 1].tolist() == [50, 40]


def test_one_class_has_no_area() -> None:
    """Never one half, which would look like a measurement."""
    none, every = (rank(torch.tensor([0.1, 0.2]), torch.full((2,), value)) for value in (False, True))
    assert roc_auc(none) == Undefined("all 2 samples are negative") == average_precision(none)
    assert roc_auc(every) == Undefined("all 2 samples are positive")
    assert average_precision(every) == 1
    assert operating_points(none)["positives"] == 0
    same = macro_auc(torch.randn(3, 4), torch.ones(3, dtype=torch.int64))
    assert same == Undefined("all 3 samples belong to one class")


def test_scores_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(ValueError, match="found none"):
        rank(torch.ones(0), torch.ones(0, dtype=torch.bool))
    with pytest.raises(ValueError, match="found NaN"):
        rank(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_macro_auc_agrees_with_scikit_learn(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    truth = torch.randint(classes, (400,), generator=generator)
    logits = torch.randn(400, classes, generator=generator) + torch.nn.functional.one_hot(truth, classes)
    probability = logits.double().softmax(1).numpy()
    expected = (
        sk.roc_auc_score(truth, probability[:, 1])
        if classes == 2
        else sk.roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    )
    assert macro_auc(log_odds(logits), truth) == pytest.approx(expected, rel=1e-12)


def test_macro_auc_is_over_the_classes_that_occur() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, truth = torch.randn(90, 4, generator=generator), torch.randint(3, (90,), generator=generator)
    probability = logits.double().softmax(1)
    areas = [sk.roc_auc_score(truth == c, probability[:, c]) for c in range(3)]
    assert macro_auc(log_odds(logits), truth) == pytest.approx(np.mean(areas), rel=1e-12)


@pytest.mark.parametrize(("samples", "classes"), [(5, 3), (33, 7), (1001, 10)])
def test_a_constant_prediction_ranks_nothing_for_any_class(samples: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(2)
    logits = (5 * torch.randn(classes, generator=generator)).expand(samples, classes)
    assert macro_auc(log_odds(logits), torch.arange(samples) % classes) == 0.5


def test_log_odds_are_those_of_the_probability() -> None:
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(3)) * 3
    p = logits.double().softmax(1)
    torch.testing.assert_close(log_odds(logits), p.log() - (1 - p).log(), rtol=1e-9, atol=1e-9)
    sure = log_odds(torch.tensor([[100.0, 0.0, 0.0]]))[0]
    torch.testing.assert_close(sure, torch.tensor([100 - np.log(2), -100, -100], dtype=torch.float64))


@pytest.mark.parametrize("share", [0.5, 0.002])
def test_a_thinned_curve_stays_near_the_whole_one(share: float) -> None:
    generator = torch.Generator().manual_seed(4)
    positive = torch.rand(50_000, generator=generator) < share
    ranking = rank(torch.randn(50_000, generator=generator) + 2 * positive, positive)
    points = operating_points(ranking)
    hits, false = np.array(points["true_positives"]), np.array(points["false_positives"])
    assert 100 < len(hits) == len(false) <= 200
    # Exact ends.
    assert hits[0] + false[0] == 1
    assert (hits[-1], false[-1]) == (points["positives"], points["negatives"])
    true_rate, false_rate = hits / points["positives"], false / points["negatives"]
    area = np.trapezoid([0, *true_rate], [0, *false_rate])
    assert area == pytest.approx(roc_auc(ranking), abs=1e-3)
    precision = hits / (hits + false)
    assert np.sum(np.diff([0, *true_rate]) * precision) == pytest.approx(average_precision(ranking), abs=0.01)
    assert operating_points(ranking) == points
