"""The block that ends `make repro`: complete, aligned, within the terminal, plain when it is no terminal."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from mtl.report.table import print_verdicts
from mtl.report.timings import Timings, collect_timings
from mtl.report.words import Json
from tests.helpers.results import write_results
from tests.helpers.verdicts import interval_json, typed

REPORT = Path("report/report.html")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json]:
    root = tmp_path_factory.mktemp("project")
    return root, write_results(root)[1]


def shown(verdicts: Json, timings: Timings, width: int = 100, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, highlight=False)
    print_verdicts(typed(verdicts), timings, REPORT, console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_fits_the_terminal_and_names_everything(project: tuple[Path, Json], width: int) -> None:
    root, verdicts = project
    text = shown(verdicts, collect_timings(root), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    for part in ("λ = 0.2, warmup", "Δm +3.3", "accuracy %" if width == 100 else "acc.", "64,941 / 229,805",
                 "1.10 / 4.00", "Advice", "report/report.html", "mtl ui", "params.yaml", "mtl deploy",
                 "near yes", "auxiliary task"):  # fmt: skip
        assert part in text


def test_one_line_a_task_and_method_with_the_verdict_last(project: tuple[Path, Json]) -> None:
    verdicts = project[1]
    lines = [line.rstrip() for line in shown(verdicts, Timings()).splitlines() if line.startswith("  fault ")]
    assert len(lines) == 3
    assert all(line.endswith("HELPED") for line in lines)
    assert "74.3    81.2   +9.2 ± 1.4 / 2.1   43 %  HELPED" in lines[0]


def test_the_costs_rank_the_methods_by_their_average_change(project: tuple[Path, Json]) -> None:
    root, verdicts = project
    verdicts = {**verdicts, "methods": [dict(method) for method in verdicts["methods"]]}
    verdicts["methods"][1]["delta_m"] = interval_json(None)
    text = shown(verdicts, collect_timings(root))
    ranked = [line.split()[0] for line in text.split("method / sum of STL")[1].splitlines()[1:4]]
    means = {method["name"]: method["delta_m"]["mean"] for method in verdicts["methods"]}
    del means[verdicts["methods"][1]["name"]]
    assert ranked == [*sorted(means, key=lambda name: -means[name]), verdicts["methods"][1]["name"]]
    assert "Δm" not in shown(verdicts, Timings(), 80).split("method / sum of STL")[1].splitlines()[0], "no room for it"


def test_plain_when_it_is_no_terminal_and_coloured_when_it_is(project: tuple[Path, Json]) -> None:
    verdicts = project[1]
    assert "\x1b" not in shown(verdicts, Timings())
    coloured = shown(verdicts, Timings(), colour=True)
    assert "\x1b[1;32mHELPED" in coloured and "\x1b[1;31mHURT" in coloured


def test_times_that_were_not_measured_are_not_invented(project: tuple[Path, Json]) -> None:
    text = shown(project[1], Timings())
    assert text.count("not measured here") == 2 * 3


def test_an_ascii_terminal_gets_ascii(project: tuple[Path, Json]) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    print_verdicts(typed(project[1]), Timings(), REPORT, Console(file=stream, width=100))
    stream.flush()
    assert b"-7.2 +/- 1.3 / 1.9" in raw.getvalue()


def test_few_seeds_and_one_pretraining_are_said(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path, methods=("joint",), seeds=1, starts=True)[1]
    text = shown(verdicts, Timings())
    assert "a verdict needs 5" in text and "Conditional on one pretraining" in text
    assert "not known: too few seeds" in text
    assert "nan" not in text.lower() and "None" not in text


def test_square_brackets_in_a_name_are_no_markup(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path, methods=("joint",), seeds=1)[1]
    verdicts["advice"] = "Keep [red]near[/red] apart."
    verdicts["tasks"][0]["unit"] = "[bold]"
    assert "[red]near[/red]" in shown(verdicts, Timings())


def test_unequal_budgets_of_tuning_are_marked(tmp_path: Path) -> None:
    verdicts = write_results(tmp_path)[1]
    trials = {"stl": 20, "joint": 20, "joint_high": 0, "uncertainty": 1}
    verdicts["tuning"] = {"trials": trials, "equal": False, "shared_by": "joint"}
    for row in verdicts["rows"]:
        row["tuning"] = {"stl": 20, "joint": trials[row["method"]], "equal": trials[row["method"]] == 20}
    for width in (80, 100):
        text = shown(verdicts, Timings(), width)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        head, _, rest = text.partition("\njoint_high")
        assert "tuned by 20 trials, STL by 20\n" in head and "‡" not in head
        assert "tuned by 0 trials, STL by 20 ‡" in rest and "tuned by 1 trial, STL by 20 ‡" in rest
        marked = [line for line in rest.splitlines() if line.rstrip().endswith("‡")]
        assert len(marked) == 2 + 2 * 5
        said = " ".join(text.split())
        assert "‡ Unequal budgets of tuning: STL 20, joint 20, joint_high 0, uncertainty 1 finished trials." in said
        assert "What all arms share (train, encoder, tasks) was chosen by a trial of joint, not by the others" in said


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Verdicts with simple models: `near` and `fault` lose to theirs alone, `near` also jointly."""
    return write_results(tmp_path_factory.mktemp("beside"), simple=True)[1]


def rows_of(text: str, task: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.startswith(f"  {task} ")]


def test_the_simple_model_stands_beside_stl_with_its_name(beside: Json) -> None:
    text = shown(beside, Timings(), 120)
    near, far, fault = (rows_of(text, task)[0] for task in ("near", "far", "fault"))
    assert "0.470  ridge     0.512†  0.503†" in near and near.endswith("not known: 24 seeds †")
    assert "0.730  ridge     0.666   0.664" in far and "†" not in far
    assert " 80.0  boosting   74.3†   81.2" in fault and fault.endswith("HELPED †")
    said = " ".join(text.split())
    assert "simple: of the models that are fitted in seconds, the best on validation data: ridge (near, far)," in said
    assert "by more than the margin: near (all networks), fault (STL). A verdict on" in said


@pytest.mark.parametrize("width", [60, 80, 90, 100, 140])
def test_simple_models_fit_every_terminal(beside: Json, width: int) -> None:
    text = shown(beside, Timings(), width)
    table = text.partition("method / sum of STL")[0]
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in table or width == 60
    assert len(rows_of(table, "fault")) == 3 and all("80.0" in line for line in rows_of(table, "fault"))
    assert "ridge (near, far), boosting (fault, load_state), majority (coin)." in " ".join(text.split())
    assert ("ridge  " in table) == (width >= 100)
    assert ("not known: 24 seeds" in table) == (width > 100) and ("not known: 24" in table) == (width >= 90)
    assert ("gap  verdict" in table) == (width >= 90)


def test_long_names_of_tasks_are_cut(beside: Json) -> None:
    beside = json.loads(json.dumps(beside).replace('"near"', f'"{"n" * 60}"'))
    text = shown(beside, Timings(), 100)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    (line, *_) = [line for line in text.splitlines() if line.startswith("  nnn")]
    assert "nnn…  MSE" in line and "0.470  0.512†" in line and line.rstrip().endswith("12 %  not known: 24 †")


def test_short_names_of_tasks_take_no_room_from_the_verdicts(beside: Json) -> None:
    text = json.dumps(beside)
    for name, short in (("near", "n"), ("far", "f"), ("fault", "t"), ("load_state", "s"), ("coin", "c")):
        text = text.replace(f'"{name}"', f'"{short}"')
    for width in range(84, 112):
        table = shown(json.loads(text), Timings(), width).partition("method / sum of STL")[0]
        assert max(len(line.rstrip()) for line in table.splitlines()) <= width and "…" not in table, width


@pytest.mark.parametrize("width", [100, 94, 92])
def test_a_mark_stays_where_a_verdict_is_cut(beside: Json, width: int) -> None:
    verdicts = json.loads(json.dumps(beside))
    for row in verdicts["rows"]:
        row["change"] |= {"mean": -1e16, "low": -2e16, "high": 0.0}  # numbers that take all the room there is
    table = shown(verdicts, Timings(), width).partition("method / sum of STL")[0]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= width
    for task, marked in {"near": True, "far": False, "fault": True}.items():
        assert [line.endswith(" †") for line in rows_of(table, task)] == [marked] * 3


def test_values_without_simple_models_keep_their_columns(project: tuple[Path, Json]) -> None:
    text = shown(project[1], Timings())
    assert "simple" not in text and "†" not in text


def test_both_intervals_of_a_change_are_explained(project: tuple[Path, Json]) -> None:
    """Half the widths over seeds and for new data; a task without the second one says why."""
    verdicts = json.loads(json.dumps(project[1]))
    for row in verdicts["rows"]:
        if row["task"] == "fault":
            del row["new_data"]
            row["no_new_data"] = "the calibration error has no errors of single samples"
    text = shown(verdicts, Timings(), 120)
    said = " ".join(text.split())
    assert "change ± a / b: half its interval over training alone / for new data." in said
    assert "Verdicts rest on the wider of both; Δm covers training alone." in said
    assert "Verdicts on fault cover training alone: the calibration error has no errors of single samples." in said
    assert all(re.search(r"\+\d+\.\d ± \d\.\d / –  ", line) for line in rows_of(text, "fault"))
    assert all(re.search(r"± \d\.\d / \d\.\d  ", line) for line in rows_of(text, "near"))
    training = shown(verdicts | {"interval": "training"}, Timings(), 120)
    assert "Verdicts rest on training alone" in " ".join(training.split()) and "Verdicts on fault" not in training
