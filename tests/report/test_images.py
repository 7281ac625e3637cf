"""Pages of label tasks on images: what published tables show, sweeps, and a hundred tasks that stay readable."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from mtl.report.page import write_report
from mtl.report.scores import label_tables
from mtl.report.select import EXTREMES, MOST_PANELS, drawn, extremes
from mtl.report.table import print_verdicts
from mtl.report.timings import Timings, collect_timings, method_costs
from mtl.report.words import Json, briefly, notes, percent_text, points_text
from mtl.results.statistics import Statistic
from mtl.results.timing import Latency, Timing
from mtl.results.verdicts import Verdicts
from tests.helpers.image_results import PARITY, SHARINGS, hundred_config, image_config, write_image_results
from tests.helpers.records import timing_json
from tests.helpers.verdicts import (
    interval_json,
    row_json,
    summary_json,
    task_json,
    typed,
    verdict_json,
    verdicts_json,
)

from .test_page import Page

WIDTHS = (0.5, 1.0, 2.0)


def written(root: Path, **settings: object) -> tuple[str, Verdicts]:
    """The page's text and the verdicts."""
    config = image_config(**settings)  # type: ignore[arg-type]
    verdicts = write_image_results(root, config)
    return write_report(config, verdicts, root).read_text(encoding="utf-8"), verdicts


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Verdicts, Path]:
    root = tmp_path_factory.mktemp("parity")
    return *written(root, train={"watch_test": True}), root


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdicts, Path]:
    """A hundred tasks, of which forty have single-task models; two seeds are enough to look at."""
    root = tmp_path_factory.mktemp("hundred")
    return write_image_results(root, hundred_config(seeds=2, alone=40)), root


def section(page: str, key: str) -> str:
    return page.split(f'<section id="{key}">')[1].split("</section>")[0]


def terminal(verdicts: Verdicts, width: int = 100) -> str:
    stream = io.StringIO()
    print_verdicts(verdicts, Timings(), Path("report/report.html"), Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_page_of_a_comparison_of_labels_alone(parity: tuple[str, Verdicts, Path]) -> None:
    page, verdicts, _ = parity
    assert Page(page).open == []
    assert 'id="forecasts"' not in page and "MSE within" not in page, "nothing here is a forecast"
    assert '" of " + timings.batch + " images"' in page
    assert "weights of learned" in section(page, "weights") and "weights of hard" not in section(page, "weights")
    stl = verdicts.labels.entries[0].tasks["even"]
    labels = section(page, "confusion")
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert percent_text(stl[metric]) in labels


def test_costs_stand_beside_the_average_accuracy_as_in_published_tables(
    parity: tuple[str, Verdicts, Path],
) -> None:
    page, verdicts, _ = parity
    costs = section(page, "costs")
    assert "average accuracy, %" in costs
    for average in verdicts.labels.averages:
        assert percent_text(average.joint) in costs and percent_text(average.stl) in costs
    text = terminal(verdicts)
    assert f"average accuracy {percent_text(verdicts.labels.averages[0].joint)} %, STL " in text


def test_the_published_protocol_is_called_optimistic(parity: tuple[str, Verdicts, Path]) -> None:
    page, verdicts, _ = parity
    found = section(page, "published")
    assert "Optimistic" in found and "chooses on the test part" in found
    assert verdicts.published is not None
    for entry in verdicts.published.entries:
        assert percent_text(entry.best) in found and percent_text(entry.honest) in found
    assert len(verdicts.published.pairs) == 10
    pair = verdicts.published.pairs[0]
    assert "hard − STL" in found and points_text(pair.best) in found


def test_stitches_are_a_heat_map_with_numbers(parity: tuple[str, Verdicts, Path]) -> None:
    page, _, root = parity
    found = section(page, "stitches")
    assert 'id="figure-stitches_cross_stitch"' in found and found.count("<figure") == 1
    assert re.search(r"stage 1: own 0\.9\d, others", found)
    assert len(re.findall(r">0\.[89]\d</text>", found)) >= 4, "the diagonals of two stages"
    assert (root / "report/figures/stitches_cross_stitch.png").exists()


def test_without_these_settings_their_sections_are_not_there(tmp_path: Path) -> None:
    page, _ = written(tmp_path, methods={"hard": SHARINGS["hard"]}, seeds=1)
    for key in ("published", "stitches", "capacity", "few_labels"):
        assert f'id="{key}"' not in page and f'href="#{key}"' not in page


def test_sweeps_have_a_figure_each(tmp_path: Path) -> None:
    few = {f"even_{share}": {**PARITY["even"], "train_fraction": share / 100} for share in (5, 20)}
    methods: Json = {f"wide_{100 * w:g}": {"kind": "equal", "width": w, "tasks": [*PARITY]} for w in WIDTHS}
    methods |= {f"few_{share}": {"kind": "equal", "tasks": [f"even_{share}", "multiple_of_3"]} for share in (5, 20)}
    methods["to_even"] = {"kind": "equal", "tasks": ["even_5", "multiple_of_3"], "target": "even_5"}
    starts = {"starts": [{"width": width} for width in WIDTHS]}
    page, verdicts = written(tmp_path, tasks=PARITY | few, methods=methods, baseline=starts, seeds=2)
    assert "even with wide" in section(page, "capacity") and "104,673" in section(page, "capacity")
    labels = section(page, "few_labels")
    assert "even with STL" in labels and "even with few" in labels and "even with to_even" in labels
    assert "wide_" not in labels, "it lacks no labels"
    costs = method_costs(verdicts, Timings(latency=Latency(batch=64, stl=dict.fromkeys(PARITY | few, 1.0), methods={})))
    assert costs["wide_50"]["parameters_stl"] == 2 * (26_160 + 33)
    assert costs["wide_50"]["latency_stl"] == 2.0, "the first start is the one that was timed"
    assert costs["wide_200"]["latency_stl"] is None
    assert "to_even is judged by even_5 alone, which it trained for a second budget of its own." in notes(verdicts)
    assert "not judged" in page and "0.5 of the width" in page


@pytest.mark.slow
@pytest.mark.thorough
def test_a_hundred_tasks_are_counted_and_folded(hundred: tuple[Verdicts, Path]) -> None:
    verdicts, root = hundred
    page = write_report(hundred_config(seeds=2, alone=40), verdicts, root).read_text(encoding="utf-8")
    assert Page(page).open == []
    first = section(page.replace('id="verdicts" aria-label="Verdicts"', 'id="verdicts"'), "verdicts")
    assert "Comparisons with single-task models, 100 tasks" in first
    open_part = re.sub(r"<details>.*?</details>", "", first, flags=re.DOTALL)
    assert open_part.count("<tr>") <= 1 + 2 + 2 * (1 + 2 * EXTREMES)
    assert first.count("no STL</small>") == 2 * 60 and "All 100 tasks" in first
    assert "Only class_00, class_01, class_02, class_03, class_04, class_05 and 34 more trained alone" in first
    assert "to compare with, and so without a verdict: 60 of 100 tasks." in first
    assert page.count('id="figure-confusion_') == MOST_PANELS
    assert "Confusion: 88 further tasks</strong> is not shown" in page
    assert page.count("Shown: 12 of 100 tasks") == 2 and "Shown: 16 of 40 tasks" in page
    assert "middle 80 % of 4,950 pairs" in section(page, "gradients")
    assert len(page) < 1_500_000
    assert len(list((root / "report/figures").iterdir())) < 25


def test_times_of_a_task_that_is_no_longer_trained_alone_make_no_sum(hundred: tuple[Verdicts, Path]) -> None:
    verdicts, root = hundred
    timings = collect_timings(root)
    second = Timing.parse(timing_json(1.0), "seed-0.json")
    left = {f"baseline/class_{n:02}/random/seed-{seed}": second for n in range(100) for seed in (0, 1)}
    timings = Timings(timings.runs | left, timings.latency)
    assert method_costs(verdicts, timings)["joint"]["train_stl"] is None
    assert method_costs(verdicts, timings)["joint"]["train"] is not None


@pytest.mark.parametrize("width", [80, 100])
def test_a_hundred_tasks_fit_the_terminal(hundred: tuple[Verdicts, Path], width: int) -> None:
    text = terminal(hundred[0], width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert len([line for line in text.splitlines() if line.startswith("  class_")]) == 2 * 2 * EXTREMES
    assert "20 of 40 tasks are left out here (0 helped, 0 hurt and 20 are not known)" in text
    assert "without a single-task model: 60 of 100 tasks" in text
    assert len(text.splitlines()) < 80


def test_what_stands_for_many_tasks() -> None:
    names = [f"t{number:02}" for number in range(30)]
    means = [number - 15.0 for number in range(29)]
    rows = [
        row_json("joint", name, change=interval_json(mean)) for name, mean in zip(names, [*means, None], strict=True)
    ]
    content = verdicts_json([task_json(name) for name in names], rows=rows)
    verdicts = typed(content)
    assert [task.name for task in drawn(verdicts, verdicts.tasks, 4)] == ["t00", "t01", "t02", "t28"]
    assert drawn(verdicts, verdicts.tasks[:3]) == verdicts.tasks[:3]
    chosen = [row.task for row in extremes(verdicts, "joint")]
    assert chosen == [f"t{number:02}" for number in [*range(28, 18, -1), *range(9, -1, -1)]]
    rows[14]["verdict"] = verdict_json("HURT")  # by 1 % only, but shown
    assert "t14" in [row.task for row in extremes(typed(content), "joint")]


def test_metrics_of_labels_are_shown_in_their_own_unit_and_order() -> None:
    scores = {"log_loss": summary_json(0.4321), "macro_f1": summary_json(0.5), "accuracy": summary_json(0.75)}
    tasks = {"fault": scores, "wear": {"accuracy": summary_json(0.25)}}
    labels = {"entries": [{"method": None, "start": "random", "tasks": tasks}], "averages": []}
    classes, chances = label_tables(typed(verdicts_json([task_json("fault"), task_json("wear")], labels=labels)))
    assert classes.head == ["task", "model", "accuracy, %", "macro-F1, %"]
    assert classes.rows == [["fault", "STL", "75.00", "50.00"], ["wear", "STL", "25.00", "–"]]
    assert chances.head == ["task", "model", "log-loss"]
    assert chances.rows == [["fault", "STL", "0.432"], ["wear", "STL", "–"]]


def test_words() -> None:
    assert briefly(["a", "b", "c"], 2) == "a, b and 1 more" and briefly(["a", "b"], 2) == "a and b"
    assert percent_text(Statistic(mean=0.98444, low=0.983, high=0.9858)) == "98.44 [98.30, 98.58]"
    assert percent_text(Statistic(mean=0.5, low=None, high=None)) == "50.00" and percent_text(None) == "–"
    assert points_text(Statistic(mean=-0.0013, low=-0.002, high=0.0)) == "−0.13 [−0.20, 0.00]"
    assert points_text(Statistic(mean=0.001, low=None, high=None)) == "+0.10"
