"""Networks that a predictor without input is as good as: said of the side that it holds for, and of no other."""

import pytest

from mtl.config import Config
from mtl.evaluation.blind import ASPECT, blind_lines
from mtl.evaluation.compare import compare
from mtl.evaluation.comparison import Comparison
from mtl.paths import RunPath
from mtl.report.words import notes
from mtl.results.record import Run
from mtl.results.statistics import Interval
from tests.evaluation.simulated import make_config, make_runs

JITTER = (0.01, -0.02, 0.015, -0.005, 0.0)


def value(path: RunPath, task: str) -> float:
    """Alone `short` is no better than its mean and `fault` than a coin; `long` is better everywhere, `coin` nowhere."""
    jitter = JITTER[path.seed % 5]
    match task, path.stage:
        case "short", "baseline":
            return 1.0 + jitter
        case "fault", "finetune":
            return 0.8 + jitter
        case (("fault" | "coin"), _):
            return 0.5 + jitter
        case _:
            return 0.6 + jitter


def runs_of(config: Config, guess: float | None = 1.0) -> list[Run]:
    runs = make_runs(config, value)
    if guess is None:
        return runs
    told = {task: {"mse": guess} for task in ("short", "long")}
    return [run.model_copy(update={"guess": {task: told[task] for task in run.tasks if task in told}}) for run in runs]


def test_rows_say_which_side_is_blind() -> None:
    config = make_config()
    rows = {(row.method, row.task): row.blind for row in compare(config, runs_of(config)).rows}
    for method in config.finetune.methods:
        assert rows[method, "short"] == ["STL"] and rows[method, "long"] is None
        assert rows[method, "fault"] == ["STL"] and rows[method, "coin"] == ["STL", "joint"]


def test_files_without_a_guess_say_nothing_of_numbers() -> None:
    config = make_config()
    rows = {row.task: row.blind for row in compare(config, runs_of(config, None)).rows}
    assert rows["short"] is None and rows["fault"] == ["STL"]


@pytest.mark.parametrize(("seeds", "guess", "blind"), [((0,), 1.0, True), ((1,), 1.0, False), ((0, 1), 0.99, True)])
def test_few_seeds_are_asked_for_their_mean(seeds: tuple[int, ...], guess: float, blind: bool) -> None:
    config = make_config(seeds)
    row = next(row for row in compare(config, runs_of(config, guess)).rows if row.task == "short")
    assert (row.blind == ["STL"]) == blind


def test_a_gain_that_chance_would_give_is_none() -> None:
    """With five seeds the whole interval has to lie above 0."""
    config = make_config()
    for guess, blind in ((1.01, ["STL"]), (1.05, None)):
        row = next(row for row in compare(config, runs_of(config, guess)).rows if row.task == "short")
        assert row.blind == blind


def test_calibration_says_nothing_of_skill() -> None:
    tasks = make_config().model_dump(mode="json", by_alias=True)["tasks"]
    tasks["fault"]["metric"] = "ece"
    config = make_config(tasks=tasks)
    made = Comparison(config, runs_of(config))
    assert made.gain_over_no_input(made.joint("joint"), "fault") == Interval(mean=None, low=None, high=None, n=0)


def test_the_note_and_the_evidence_name_the_networks() -> None:
    config = make_config()
    runs = runs_of(config)
    verdicts = compare(config, runs)
    (note,) = [said for said in notes(verdicts) if said.startswith("Not shown to be better than a prediction that")]
    assert note.endswith(": short (STL), fault (STL), coin (all networks).")
    lines = blind_lines(Comparison(config, runs), verdicts)
    assert [(line.aspect, line.about) for line in lines] == [
        (ASPECT, f"STL: {task}") for task in ("short", "fault", "coin")
    ]
    assert lines[0].measured == "MSE 1.000, without any input 1.000" and lines[0].says is not None
    assert not [said for said in notes(compare(config, runs_of(config, 2.0))) if "short" in said]


def test_nothing_is_recommended_where_nobody_can_do_better() -> None:
    config = make_config()
    runs = [
        run.model_copy(update={"optimum": {task: {"accuracy": 0.51} for task in run.tasks if task == "coin"}})
        for run in runs_of(config)
    ]
    lines = {line.about: line for line in blind_lines(Comparison(config, runs), compare(config, runs))}
    assert lines["STL: coin"].says is None and "the best that is possible is 0.510" in lines["STL: coin"].measured
    assert lines["STL: fault"].says is not None
