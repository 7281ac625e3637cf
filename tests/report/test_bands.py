"""Bands of forecasts of quantiles: the widest interval that is central, and none where none is predicted."""

from matplotlib.figure import Figure

from mtl.report.plot_predictions import _band, widest_interval
from mtl.results.examples import Example, Window

WINDOW = Window(
    input=[[0.0, 1.0]], truth=[[1.0, 2.0]], prediction=[[1.0, 1.5]],
    quantiles=[[[0.0, 0.5]], [[0.5, 1.0]], [[1.0, 1.5]], [[2.0, 3.0]]],
)  # fmt: skip


def _drawn(levels: list[float] | None, window: Window) -> tuple[Example, int, list[list[float]]]:
    """(example, number of areas, bounds that are drawn)."""
    example = Example(columns=["a"], units={}, windows=[window], levels=levels)
    ax = Figure().add_subplot()
    _band(ax, example, window, 0, "#0072b2")
    return example, len(ax.collections), [list(line.get_ydata()) for line in ax.lines]


def test_the_widest_central_interval_is_shaded() -> None:
    example, areas, bounds = _drawn([0.1, 0.25, 0.5, 0.9], WINDOW)
    assert widest_interval(example) == (0, 3, 0.8)
    assert areas == 1 and bounds == [[0.0, 0.5], [2.0, 3.0]]


def test_no_band_without_an_interval() -> None:
    assert _drawn([0.1, 0.25, 0.5, 0.8], WINDOW)[1:] == (0, [])
    plain = WINDOW.model_copy(update={"quantiles": None})
    assert _drawn(None, plain)[1:] == (0, [])
    assert "quantiles" not in plain.plain() and "levels" not in _drawn(None, plain)[0].plain()
