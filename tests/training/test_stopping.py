"""Choice of the epoch that is kept: fixed weights on validation data, whatever the training objective does."""

from typing import Any

import pytest

from mtl.balancing.weighted import scheduled
from mtl.config import StoppingConfig
from mtl.results.numbers import TaskMetrics as Metrics
from mtl.training.stopping import Selector
from tests.helpers.problems import spec

F, C = spec("forecast", "f"), spec("classification", "c")


def val(mse: float, accuracy: float, loss: float = 1.0) -> Metrics:
    return {"f": {"mse": mse}, "c": {"accuracy": accuracy, "loss": loss}}


def chosen(selector: Selector, history: list[Metrics]) -> int:
    for epoch, metrics in enumerate(history, start=1):
        selector.update(epoch, metrics)
    return selector.best_epoch


def stopping(**settings: Any) -> StoppingConfig:
    return StoppingConfig.model_validate(settings)


def test_a_rising_share_does_not_fool_the_selection() -> None:
    # Both losses fall in every epoch, yet the weighted training loss rises with λ: its minimum is epoch 1.
    epochs = 6
    forecast = [0.2 - 0.01 * e for e in range(epochs)]
    label = [2.0 - 0.1 * e for e in range(epochs)]
    share = [scheduled(0.8, "linear", (e + 1) / epochs) for e in range(epochs)]
    trained = [(1 - s) * f + s * c for s, f, c in zip(share, forecast, label, strict=True)]
    assert trained.index(min(trained)) == 0
    history = [val(forecast[e], 0.5 + 0.05 * e, label[e]) for e in range(epochs)]
    for criterion in ("forecast", "combined", "constrained"):
        assert chosen(Selector(stopping(criterion=criterion), [F, C], 0.8, {"f": 1.0}), history) == epochs


def test_forecast_looks_at_the_forecast_alone() -> None:
    assert chosen(Selector(stopping(criterion="forecast"), [F, C], 0.5), [val(0.3, 0.9), val(0.2, 0.1)]) == 2


def test_a_label_counts_by_its_own_metric() -> None:
    even = spec("classification", "c", metric="balanced_accuracy")
    history: list[Metrics] = [
        {"c": {"accuracy": 0.9, "balanced_accuracy": 0.5, "loss": 1.0}},
        {"c": {"accuracy": 0.8, "balanced_accuracy": 0.7, "loss": 1.0}},
    ]
    assert (chosen(Selector(stopping(), [C]), history), chosen(Selector(stopping(), [even]), history)) == (1, 2)


def test_an_error_in_a_unit_of_its_own_counts_z_scored() -> None:
    """900 µm say nothing against 20 percent: the choice is the one by the MSE, whatever unit the target has."""
    history: list[Metrics] = [
        {"r": {"mse": mse, "rmse": 1000 * mse**0.5, "mae": mse}, "c": {"accuracy": accuracy, "loss": 1.0}}
        for mse, accuracy in ((0.81, 0.8), (0.80, 0.5), (0.64, 0.9))
    ]
    for metric in ("rmse", "mse"):
        judged = spec("regression", "r", metric=metric)
        assert chosen(Selector(stopping(), [judged, C]), history[:2]) == 1
        assert chosen(Selector(stopping(), [judged, C]), history) == 3
        assert chosen(Selector(stopping(), [judged]), history) == 3


@pytest.mark.parametrize(("metric", "best"), [("auc", 2), ("log_loss", 3)])
def test_the_direction_of_a_labels_metric(metric: str, best: int) -> None:
    judged = spec("binary", "c", metric=metric)
    values = [(0.7, 0.6), (0.9, 0.5), (0.8, 0.4)]
    history: list[Metrics] = [{"c": {"auc": auc, "log_loss": loss, "loss": loss}} for auc, loss in values]
    assert chosen(Selector(stopping(), [judged]), history) == best


def test_combined_uses_the_final_share_and_else_the_default() -> None:
    history = [val(0.30, 0.90), val(0.20, 0.85)]  # scores (1−λ)·mse + λ·error: the second wins while λ < 2/3
    assert Selector(stopping(), [F, C], 0.25).score(history[0])[0] == pytest.approx(0.75 * 0.3 + 0.25 * 0.1)
    assert chosen(Selector(stopping(), [F, C], 0.6), history) == 2
    assert chosen(Selector(stopping(), [F, C], 0.7), history) == 1
    assert chosen(Selector(stopping(default_lambda=0.7), [F, C]), history) == 1
    assert chosen(Selector(stopping(default_lambda=0.6), [F, C]), history) == 2
    assert chosen(Selector(stopping(default_lambda=0.7), [F, C], 0.0), history) == 2


def test_constrained_needs_feasibility_first_then_the_best_label() -> None:
    selector = Selector(stopping(criterion="constrained", tolerance=0.05), [F, C], reference={"f": 0.20})
    # The limit is 0.21. Before any epoch keeps it, the nearest one leads, whatever the label does.
    assert selector.update(1, val(0.40, 0.99))
    assert selector.update(2, val(0.25, 0.50))
    assert not selector.update(3, val(0.26, 0.99))
    # The first feasible epoch takes over, and then only the label counts among feasible ones.
    assert selector.update(4, val(0.21, 0.40))
    assert selector.update(5, val(0.2099, 0.60))
    assert not selector.update(6, val(0.15, 0.59))
    assert not selector.update(7, val(0.2101, 1.00))
    assert selector.best_epoch == 5


def test_constrained_holds_every_forecast_to_its_own_reference() -> None:
    other = spec("forecast", "g")
    selector = Selector(stopping(criterion="constrained", tolerance=0), [F, other, C], reference={"f": 1.0, "g": 0.1})
    assert selector.score(val(0.9, 0.8) | {"g": {"mse": 0.2}})[0] == pytest.approx(1.0)
    assert selector.score(val(0.9, 0.8) | {"g": {"mse": 0.1}})[:2] == pytest.approx((0.0, 0.2))


@pytest.mark.parametrize("criterion", ["forecast", "combined", "constrained"])
def test_one_kind_of_task_is_judged_by_itself(criterion: str) -> None:
    config = stopping(criterion=criterion)
    assert chosen(Selector(config, [F]), [{"f": {"mse": v}} for v in (0.3, 0.1, 0.2)]) == 2
    labels = [{"c": {"accuracy": a, "loss": 1.0}} for a in (0.3, 0.9, 0.8)]
    assert chosen(Selector(config, [C]), labels) == 2


def test_ties_in_accuracy_go_to_the_lower_loss_then_to_the_earlier_epoch() -> None:
    history = [{"c": {"accuracy": 0.8, "loss": loss}} for loss in (0.5, 0.4, 0.4, 0.6)]
    assert chosen(Selector(stopping(), [C]), history) == 2


def test_auxiliary_tasks_do_not_count_unless_alone() -> None:
    aid = spec("classification", "c", role="auxiliary")
    assert chosen(Selector(stopping(), [F, aid], 0.5), [val(0.2, 0.1), val(0.3, 1.0)]) == 1
    assert chosen(Selector(stopping(), [aid]), [{"c": {"accuracy": a, "loss": 1.0}} for a in (0.1, 0.3)]) == 2


def test_patience_counts_epochs_since_the_best() -> None:
    selector = Selector(stopping(patience=2), [F])
    ended = []
    for epoch, mse in enumerate([0.5, 0.6, 0.4, 0.45, 0.4], start=1):
        selector.update(epoch, {"f": {"mse": mse}})
        ended.append(selector.exhausted(epoch))
    assert ended == [False, False, False, False, True]
    assert selector.best_epoch == 3
    assert not Selector(stopping(patience=None), [F], best_epoch=1).exhausted(1000)


def test_an_untrained_network_that_is_lucky_ends_no_training() -> None:
    selector = Selector(stopping(patience=2), [F])
    ended = []
    for epoch, mse in enumerate([0.3, 0.6, 0.55, 0.5, 0.52, 0.25, 0.4]):
        selector.update(epoch, {"f": {"mse": mse}})
        ended.append(epoch > 0 and selector.exhausted(epoch))
    assert not any(ended)
    assert (selector.best_epoch, selector.best_trained) == (5, 5)
