"""The class that is said by costs: no threshold is cheaper than the chosen one, and figures are those of that class."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mtl.results.decision import Cheapest, Threshold
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.decisions import cheapest_threshold, decided, margins, mean_cost
from mtl.tasks.label import LabelSpec
from mtl.tasks.plain import from_plain, plain
from mtl.tasks.traced import answer_of
from tests.helpers.specs import a_task


def labelled(seed: int, count: int = 200, ties: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of class 1 and whether it is true; `ties`: many samples share one."""
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(count, generator=generator, dtype=torch.float64)
    chance = (chance * 8).round() / 8 if ties else chance
    return chance, torch.rand(count, generator=generator, dtype=torch.float64) < chance.square()


def cost_of(threshold: float, chance: torch.Tensor, positive: torch.Tensor, weight: torch.Tensor, costs: Any) -> float:
    wrong, missed = costs
    said = chance > threshold
    return float((weight * (wrong * (said & ~positive).double() + missed * (~said & positive).double())).sum())


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("costs", [(1.0, 20.0), (1.0, 1.0), (50.0, 1.0), (0.3, 0.7)])
@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_of_a_search_is_cheaper(seed: int, costs: tuple[float, float], ties: bool) -> None:
    chance, positive = labelled(seed, ties=ties)
    weight = torch.rand(len(chance), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    chosen = cheapest_threshold(chance, positive, weight, *costs)
    searched = min(cost_of(border, chance, positive, weight, costs) for border in [-1.0, *chance.tolist(), 2.0])
    assert cost_of(chosen, chance, positive, weight, costs) == pytest.approx(searched, rel=1e-12, abs=1e-12)
    assert 0 <= chosen <= 1 and float((chance - chosen).abs().min()) > 0


def test_of_equal_thresholds_it_is_the_one_that_true_probabilities_ask_for() -> None:
    """Between .3 and .6 no sample tells; 1 / (1 + 1) lies nearest to their middle, and so it is for other costs."""
    chance, positive = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64), torch.tensor([False, False, True, True])
    weight = torch.ones(4, dtype=torch.float64)
    assert cheapest_threshold(chance, positive, weight, 1.0, 1.0) == pytest.approx(0.45)
    nobody = torch.zeros(4, dtype=torch.bool)
    assert cheapest_threshold(chance, nobody, weight, 1.0, 1.0) == pytest.approx(0.95), "nobody is positive"
    assert cheapest_threshold(chance, ~nobody, weight, 1.0, 1.0) == pytest.approx(0.05)


def test_with_true_probabilities_the_threshold_is_that_of_the_theory() -> None:
    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(200_000, generator=generator, dtype=torch.float64)
    positive = torch.rand(200_000, generator=generator, dtype=torch.float64) < chance
    weight = torch.ones_like(chance)
    assert cheapest_threshold(chance, positive, weight, 1.0, 4.0) == pytest.approx(0.2, abs=0.02)


def test_the_least_expected_cost_of_several_classes() -> None:
    """The first class of .5, .3, .2 is most probable; missing the third costs 10, so that it is said."""
    logits = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.39, 0.01]], dtype=torch.float64).log()
    costs = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [10.0, 10.0, 0.0]]
    rule = Cheapest(kind="cheapest", costs=costs)
    assert decided(logits, rule).tolist() == [2, 0] and decided(logits, None).tolist() == [0, 0]
    every = [np.array(costs).T @ np.exp(row) for row in logits.numpy()]
    assert decided(logits, rule).tolist() == [int(each.argmin()) for each in every]
    truth = torch.tensor([2, 1])
    assert mean_cost(decided(logits, rule), truth, costs) == pytest.approx(0.5)
    assert mean_cost(decided(logits, None), truth, costs) == pytest.approx(5.5)


RULE = Threshold(kind="threshold", says="yes", threshold=0.32, false_positive=1.0, false_negative=9.0)
"""The best where the square of the probability is the true one."""
SEVERAL = Cheapest(kind="cheapest", costs=[[0.0, 1.0, 1.0], [6.0, 0.0, 6.0], [1.0, 1.0, 0.0]])


def binary() -> tuple[Binary, torch.Tensor, torch.Tensor]:
    spec = a_task("binary", name="b", source="s", shape=(1,), columns=["x"], metric="accuracy", label="y")
    assert isinstance(spec, Binary)
    chance, positive = labelled(7, 300)
    return spec, chance.logit().float(), positive.long()


def several() -> tuple[Classification, torch.Tensor, torch.Tensor]:
    spec = a_task("classification", name="c", source="s", shape=(1,), columns=["x"], metric="accuracy", label="y")
    assert isinstance(spec, Classification)
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(300, 3, generator=generator)
    return spec, logits, torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


def test_answers_figures_and_errors_are_of_the_class_that_is_said() -> None:
    cases: list[tuple[tuple[LabelSpec, torch.Tensor, torch.Tensor], Threshold | Cheapest]]
    cases = [(binary(), RULE), (several(), SEVERAL)]
    for (plain_spec, logits, truth), rule in cases:
        spec = plain_spec.decided_by(rule)
        said = decided(logits, rule)
        assert not torch.equal(said, decided(logits, None))
        names = [plain_spec.classes[number] for number in said.tolist()]
        answer = spec.answer(logits)
        assert answer.predicted == names  # type: ignore[union-attr]
        assert np.array_equal(answer.probabilities, plain_spec.answer(logits).probabilities)  # type: ignore[union-attr]
        metrics, detail = spec.score(logits, truth, detailed=True)
        assert metrics["accuracy"] == pytest.approx(sk.accuracy_score(truth, said))
        assert metrics["macro_f1"] == pytest.approx(sk.f1_score(truth, said, average="macro"))
        assert detail["confusion"] == sk.confusion_matrix(truth, said).tolist()
        before = plain_spec.score(logits, truth, detailed=True)[0]
        assert metrics["log_loss"] == before["log_loss"] and metrics["accuracy"] != before["accuracy"]
        for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
            errors = replace(spec, metric=metric).judged_errors(logits, truth)
            assert errors is not None and 1 - float(errors.mean()) == pytest.approx(metrics[metric])
        costs = spec.mean_costs(logits, truth)
        assert costs is not None and costs.chosen == mean_cost(said, truth, rule.matrix) < costs.usual
        traced = answer_of(spec)(logits)[0]
        sure = margins(torch.from_numpy(answer.probabilities), rule) > 1e-5  # type: ignore[union-attr]
        assert torch.equal(traced[sure], said[sure]) and int(sure.sum()) > 295


def test_a_task_without_a_rule_is_written_as_before() -> None:
    spec, _, _ = binary()
    assert "decision" not in plain(spec) and from_plain(plain(spec), "here") == spec
    kept = spec.decided_by(RULE)
    assert (
        kept != spec
        and kept.decided_as(spec) == spec
        and spec.mean_costs(torch.zeros(1), torch.zeros(1).long()) is None
    )
