"""The table that `mtl score` prints."""

from mtl.cli.score import label
from mtl.config.metrics import METRICS


def test_no_two_metrics_are_called_alike() -> None:
    assert len({label(metric) for metric in METRICS}) == len(METRICS)
    assert (label("mae"), label("mae_original")) == ("MAE z-scored", "MAE original units")
    assert (label("rmse"), label("auc")) == ("RMSE original units", "AUC")
