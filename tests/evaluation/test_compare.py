"""Verdicts on runs whose truth is planted."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mtl.config import Config
from mtl.errors import UserError
from mtl.evaluation.compare import compare
from mtl.evaluation.runs import read_runs
from mtl.paths import RunPath
from mtl.results.verdicts import Row, Verdicts
from tests.helpers.records import changed

from .simulated import Value, make_config, make_run, make_runs, write_runs

BASE = {"short": 0.5, "long": 0.8, "fault": 0.7, "coin": 0.5}
OPTIMUM = {"short": 0.25, "long": 0.6, "fault": 0.95, "coin": 0.5}


def planted(effects: dict[tuple[str, str], float], noise: float, entropy: int = 0) -> Value:
    """Relative effect of (method, task) on the task's metric; a part of the noise is common to a seed's runs."""

    def value(path: RunPath, task: str) -> float:
        common = np.random.default_rng([entropy, path.seed, list(BASE).index(task)]).normal()
        own = np.random.default_rng([entropy, path.seed, list(BASE).index(task), *str(path).encode()]).normal()
        effect = effects.get((str(path.name), task), 0.0) if path.stage == "finetune" else 0.0
        return float(BASE[task] * (1 + effect + noise * (3 * common + own)))

    return value


EFFECTS = {("joint", "fault"): 0.2, ("joint", "long"): 0.3, ("learned", "short"): -0.1}


def row(verdicts: Verdicts, method: str, task: str) -> Row:
    return next(r for r in verdicts.rows if (r.method, r.task) == (method, task))


def test_planted_effects_are_found_and_signed() -> None:
    """Accuracy up is help, MSE up is harm, MSE down is help; where nothing was planted, LEVEL or nothing is shown."""
    config = make_config()
    verdicts = compare(config, make_runs(config, planted(EFFECTS, 0.005), OPTIMUM))
    found = {(r.method, r.task): r.verdict.word for r in verdicts.rows}
    assert len(found) == 8
    expected = {("joint", "fault"): "HELPED", ("joint", "long"): "HURT", ("learned", "short"): "HELPED"}
    assert {place: found.pop(place) for place in expected} == expected
    assert set(found.values()) <= {"LEVEL", "not known"}
    assert row(verdicts, "joint", "fault").change.mean == pytest.approx(20, abs=1.5)
    assert row(verdicts, "joint", "long").change.mean == pytest.approx(-30, abs=1.5)
    assert row(verdicts, "learned", "short").change.mean == pytest.approx(10, abs=1.5)
    json.dumps(verdicts.plain(), allow_nan=False)


def test_a_label_is_judged_by_what_its_loss_is_about() -> None:
    """With `class_weights: balanced` by balanced accuracy, unless `metric` says otherwise; its optimum is not known."""
    label = {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault"}
    kept = {"class_weights": "balanced", "metric": "accuracy"}
    tasks = {"fault": label, "even": label | {"class_weights": "balanced"}, "kept": label | kept}
    config = make_config(tasks=tasks, finetune={"methods": {"joint": {"kind": "equal"}}})
    tiny = iter(range(1000))

    def value(path: RunPath, task: str) -> float:
        return (0.6 if path.stage == "baseline" else 0.75) + 1e-4 * (next(tiny) % 7)

    verdicts = compare(config, make_runs(config, value, dict.fromkeys(tasks, 0.9)))
    found = {r.task: (r.metric, r.verdict.word, r.gap_closed is None) for r in verdicts.rows}
    assert found == {
        "fault": ("accuracy", "HELPED", False),
        "even": ("balanced_accuracy", "HELPED", True),
        "kept": ("accuracy", "HELPED", False),
    }


@pytest.mark.parametrize(("metric", "verdict"), [("log_loss", "HURT"), ("brier", "HURT"), ("auc", "HELPED")])
def test_a_label_is_judged_in_the_direction_of_its_metric(metric: str, verdict: str) -> None:
    """The joint value is higher, and the optimum is known."""
    label = {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault", "metric": metric}
    config = make_config(tasks={"fault": label}, finetune={"methods": {"joint": {"kind": "equal"}}})
    tiny = iter(range(1000))
    best = 0.9 if verdict == "HELPED" else 0.1

    def value(path: RunPath, task: str) -> float:
        return (0.6 if path.stage == "baseline" else 0.75) + 1e-4 * (next(tiny) % 7)

    (row,) = compare(config, make_runs(config, value, {"fault": best})).rows
    assert (row.metric, row.verdict.word) == (metric, verdict)
    assert row.gap_closed.mean == pytest.approx(0.5 if verdict == "HELPED" else -0.3, abs=0.01)


def test_a_forecast_may_be_judged_by_its_absolute_error() -> None:
    """Whose best is reached by the median, so that the errors of the mean, which sources know, are no optimum."""
    task = {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6, "loss": "mae", "metric": "mae"}
    config = make_config(tasks={"ahead": task}, finetune={"methods": {"joint": {"kind": "equal"}}})
    tiny = iter(range(1000))

    def value(path: RunPath, task: str) -> float:
        return (0.6 if path.stage == "baseline" else 0.5) + 1e-4 * (next(tiny) % 7)

    verdicts = compare(config, make_runs(config, value, {"ahead": 0.1}))
    (found,) = verdicts.rows
    assert (found.metric, found.verdict.word, found.within_tolerance, found.gap_closed) == (
        "mae",
        "HELPED",
        "yes",
        None,
    )
    assert found.change.mean == pytest.approx(100 / 6, abs=0.2)
    assert (verdicts.task("ahead").metric, verdicts.task("ahead").optimum) == ("mae", None)


def test_numbers_of_a_row_by_hand() -> None:
    config = make_config()
    stl, joint = [0.50, 0.52, 0.48, 0.51, 0.49], [0.45, 0.49, 0.44, 0.46, 0.42]

    def value(path: RunPath, task: str) -> float:
        return (stl if path.stage == "baseline" else joint)[path.seed]

    found = row(compare(config, make_runs(config, value, {"short": 0.25})), "joint", "short")
    change = 100 * (1 - np.array(joint) / np.array(stl))
    low, high = stats.t.interval(0.95, 4, change.mean(), stats.sem(change))
    assert found.change.plain() == pytest.approx({"mean": change.mean(), "low": low, "high": high, "n": 5})
    ratio = np.array(joint) / np.array(stl)
    low, high = stats.t.interval(0.95, 4, ratio.mean(), stats.sem(ratio))
    assert found.ratio is not None and found.gap_closed is not None
    assert found.ratio.plain() == pytest.approx({"mean": ratio.mean(), "low": low, "high": high})
    assert found.stl.values == stl and found.joint.values == joint
    assert found.gap_closed.mean == pytest.approx((np.mean(stl) - np.mean(joint)) / (np.mean(stl) - 0.25))
    assert found.within_tolerance == "yes"
    label = row(compare(config, make_runs(config, value)), "joint", "fault")
    assert label.change.mean == pytest.approx(-change.mean())
    assert (label.ratio, label.within_tolerance, label.gap_closed) == (None, None, None)


def test_delta_m_is_the_mean_over_main_tasks_seed_by_seed() -> None:
    config = make_config()
    verdicts = compare(config, make_runs(config, planted(EFFECTS, 0.01)))
    stl = {task: np.array(row(verdicts, "joint", task).stl.values) for task in BASE}
    joint = {task: np.array(row(verdicts, "joint", task).joint.values) for task in BASE}
    sign = {"short": -1, "long": -1, "fault": 1}  # the auxiliary coin does not count
    per_seed = np.mean([100 * s * (joint[t] - stl[t]) / stl[t] for t, s in sign.items()], axis=0)
    low, high = stats.t.interval(0.95, 4, per_seed.mean(), stats.sem(per_seed))
    expected = {"mean": per_seed.mean(), "low": low, "high": high, "n": 5}
    assert verdicts.methods[0].delta_m.plain() == pytest.approx(expected)


def test_pairs_are_made_by_seed_whatever_the_order_of_runs() -> None:
    config = make_config()
    runs = make_runs(config, planted(EFFECTS, 0.02), OPTIMUM)
    verdicts = compare(config, runs)
    shuffled = random.Random(0).sample(runs, len(runs))
    assert compare(config, shuffled) == verdicts


def test_what_a_seeds_runs_share_cancels() -> None:
    """Seeds differ by tens of percent, the runs of one seed by exactly 0.5 %: the paired interval has no width."""
    config = make_config()
    better = {"baseline": 1.0, "finetune": 0.995}
    runs = make_runs(config, lambda path, task: (0.5 + 0.1 * path.seed) * better[path.stage])
    found = row(compare(config, runs), "joint", "short")
    assert found.change.plain() == pytest.approx({"mean": 0.5, "low": 0.5, "high": 0.5, "n": 5})
    assert (found.verdict.word, found.verdict.matters) == ("HELPED", False)
    assert found.stl.high - found.stl.low > 0.3


def test_a_quick_look_knows_nothing_and_advises_nothing() -> None:
    """Neither its one seed nor seeds that the settings have would make a verdict of a part of the epochs."""
    for seeds in (1, 5):
        config = make_config(range(seeds), evaluate={"quick": {"seeds": 5, "epochs": 99}})
        verdicts = compare(config, make_runs(config, planted(EFFECTS, 0.0001)))
        assert {r.verdict.text for r in verdicts.rows} == {"not known: quick look"}
        assert verdicts.quick is not None and (verdicts.quick.of_seeds, verdicts.quick.of_epochs) == (5, 99)
        assert verdicts.advice.startswith("None on a quick look") and "Train" not in verdicts.advice


@pytest.mark.parametrize("seeds", [1, 4])
def test_too_few_seeds_leave_it_open_however_large_the_effect(seeds: int) -> None:
    config = make_config(range(seeds))
    verdicts = compare(config, make_runs(config, planted(EFFECTS, 0.0001)))
    assert {r.verdict.text for r in verdicts.rows} == {"not known: too few seeds"}
    assert row(verdicts, "joint", "long").within_tolerance == "not known"
    assert verdicts.advice.startswith(f"Not known: {seeds} seed")
    if seeds == 1:
        assert row(verdicts, "joint", "long").adjusted.plain() == {"low": None, "high": None}
        assert verdicts.methods[0].delta_m.low is None


@pytest.mark.parametrize(("margin", "word"), [(0.01, "LEVEL"), (0.0, "not known")])
def test_identical_pairs_are_level_unless_every_change_matters(margin: float, word: str) -> None:
    config = make_config(evaluate={"margin": margin})
    verdicts = compare(config, make_runs(config, lambda path, task: BASE[task] + path.seed / 100))
    for found in verdicts.rows:
        assert found.change.plain() == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 5}
        assert found.verdict.word == word
        assert found.within_tolerance in ("yes", None)


@pytest.mark.slow
def test_false_verdicts_stay_within_alpha() -> None:
    """No effect anywhere: the share of experiments with any HELPED or HURT is at most 5 %, up to binomial error."""
    config, experiments = make_config(), 400
    rng = np.random.default_rng(7)
    paths = [run.path for run in make_runs(config, lambda path, task: 1.0)]
    false = 0
    for _ in range(experiments):
        drawn = {path: dict(zip(BASE, rng.normal(0.5, 0.005, 4).tolist(), strict=True)) for path in paths}
        verdicts = compare(config, make_runs(config, lambda path, task: drawn[path][task]))  # noqa: B023
        false += any(found.verdict.word in ("HELPED", "HURT") for found in verdicts.rows)
    assert false <= stats.binom.ppf(0.999, experiments, 0.05)
    assert false >= 1  # and the test is not simply blind


def test_a_baseline_of_zero_leaves_the_change_open() -> None:
    config = make_config()
    zero = make_runs(config, lambda path, task: 0.0 if task == "short" and path.stage == "baseline" else 0.5)
    verdicts = compare(config, zero)
    found = row(verdicts, "joint", "short")
    assert found.change.plain() == {"mean": None, "low": None, "high": None, "n": 0}
    assert (found.verdict.text, found.ratio) == ("not known: STL is 0", None)
    assert verdicts.methods[0].delta_m.mean is None


def test_the_margin_may_be_a_tasks_own() -> None:
    """The joint error is 1.5 % above: within the margin of 2 % alone, and shown by identical pairs."""
    config = make_config(evaluate={"margin": {"short": 0.02}})
    worse = {"baseline": 1.0, "finetune": 1.015}
    runs = make_runs(config, lambda path, task: (0.5 + path.seed / 100) * worse[path.stage])
    verdicts = compare(config, runs)
    assert verdicts.margin == {"short": 0.02}
    found = {task: row(verdicts, "joint", task).verdict for task in ("short", "long", "fault")}
    assert {task: (v.word, v.matters, v.margin) for task, v in found.items()} == {
        "short": ("HURT", False, 0.02), "long": ("HURT", True, 0.01), "fault": ("HELPED", True, 0.01),
    }  # fmt: skip


def test_a_missing_run_names_the_stage_to_run(tmp_path: Path) -> None:
    config = make_config()
    runs = make_runs(config, planted({}, 0.01))
    write_runs([run for run in runs if run.path != RunPath("baseline", "fault", "random", 3)], tmp_path)
    with pytest.raises(UserError, match=r"baseline/fault/random/seed-3/run.json is missing; run `mtl repro baseline@f"):
        read_runs(config, tmp_path)
    with pytest.raises(UserError, match=r"finetune/learned/seed-4/run.json is missing; run `mtl repro finetune@learn"):
        compare(config, runs[:-1])


def test_runs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    config = make_config()
    path = RunPath("finetune", "joint", None, 0)
    runs = {run.path: run for run in make_runs(config, planted({}, 0.01))}
    for change, message in [
        ({"seed": 1}, "belongs to another run"),
        ({"init": "pretrained"}, "started from pretrained, not random"),
    ]:
        write_runs(runs.values(), tmp_path)
        changed(runs[path], **change).write(tmp_path / path.folder / "run.json")
        with pytest.raises(UserError, match=message):
            read_runs(config, tmp_path)
    (tmp_path / path.folder / "run.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_runs(config, tmp_path)
    fewer = changed(runs[path], train_size=dict.fromkeys(BASE, 90))
    with pytest.raises(UserError, match="on 90 samples"):
        compare(config, (runs | {path: fewer}).values())
    diverged = make_run(config, path, lambda path, task: float("nan"), {})
    with pytest.raises(UserError, match="diverged"):
        compare(config, (runs | {path: diverged}).values())


def test_leftovers_of_a_removed_method_or_seed_do_not_appear(tmp_path: Path) -> None:
    wide, fresh = make_config(range(6)), tmp_path / "fresh"
    write_runs(make_runs(wide, planted(EFFECTS, 0.01), OPTIMUM), tmp_path)
    only = {"methods": {"joint": {"kind": "weighted", "lambda": 0.2, "schedule": "warmup"}}}
    narrow = make_config(finetune=only)
    write_runs(make_runs(narrow, planted(EFFECTS, 0.01), OPTIMUM), fresh)
    for file in tmp_path.glob("outputs/finetune/learned/*/run.json"):
        file.write_text("not even JSON")
    assert compare(narrow, read_runs(narrow, tmp_path)) == compare(narrow, read_runs(narrow, fresh))


def sequential_config() -> Config:
    start = {"init": "pretrained", "freeze": "encoder"}
    return make_config(
        finetune={"methods": {"after": {"kind": "sequential", "first": "forecast", **start}}},
        baseline={"starts": [{"init": i, "freeze": f} for f in ("none", "encoder") for i in ("random", "pretrained")]},
        pretrain={"objective": {"kind": "denoise"}, "input_len": 48, "shared": True},
    )


def test_forgetting_is_the_change_of_the_first_phases_tasks() -> None:
    config = sequential_config()
    runs = make_runs(config, lambda path, task: BASE[task] * 1.5)
    first = {"tasks": ["short", "long"], "test": {task: {"mse": BASE[task]} for task in ("short", "long")}}
    phases = [first, {"tasks": ["fault", "coin"], "test": runs[-1].test}]
    runs = [run if run.stage == "baseline" else changed(run, phases=phases) for run in runs]
    found = compare(config, runs).forgetting
    assert [r.task for r in found] == ["short", "long"]
    assert found[0].after_own_phase.mean == 0.5 and found[0].at_the_end.mean == 0.75
    assert found[0].change.plain() == pytest.approx({"mean": -50, "low": -50, "high": -50, "n": 5})


def test_starts_compare_pretrained_with_random_for_each_freeze() -> None:
    config = sequential_config()
    factor = {"random": 1.0, "pretrained": 0.9, "random-frozen": 2.0, "pretrained-frozen": 1.0}
    runs = make_runs(config, lambda path, task: BASE[task] * factor.get(str(path.start), 3.0))
    verdicts = compare(config, runs)
    found = {(r.task, r.freeze): r.change.mean for r in verdicts.starts}
    assert len(found) == 8
    assert found["short", "none"] == pytest.approx(10) and found["fault", "none"] == pytest.approx(-10)
    assert found["short", "encoder"] == pytest.approx(50)
    # A method is compared with the baseline of its own start: frozen and pretrained, factor 3 against 1.
    assert row(verdicts, "after", "short").start == "pretrained-frozen"
    assert row(verdicts, "after", "short").change.mean == pytest.approx(-200)
    assert verdicts.conditional_on_one_pretraining is True


def test_what_the_report_is_told_about_tasks_methods_and_costs() -> None:
    config = make_config()
    verdicts = compare(config, make_runs(config, planted({}, 0.01), OPTIMUM))
    short, fault = verdicts.tasks[0], verdicts.tasks[2]
    assert (short.metric, short.horizon, short.classes, short.optimum) == ("mse", 6, [], 0.25)
    assert (fault.metric, fault.horizon, fault.classes) == ("accuracy", None, ["no", "yes"])
    joint, learned = verdicts.methods
    assert (joint.lam, joint.schedule, joint.label) == (0.2, "warmup", "joint: λ = 0.2, warmup")
    assert (learned.lam, learned.label) == (None, "learned: learned weights (kendall)")
    assert verdicts.costs.parameters.plain() == {
        "stl": dict.fromkeys(BASE, 1000), "stl_total": 4000, "methods": {"joint": 1500, "learned": 1500},
        "stl_by_start": {"random": dict.fromkeys(BASE, 1000)},
    }  # fmt: skip
    assert verdicts.conditional_on_one_pretraining is False


def test_every_row_says_how_many_trials_of_tuning_its_sides_had() -> None:
    plain = make_config()
    runs = make_runs(plain, planted(EFFECTS, 0.005), OPTIMUM)
    trials = {"stl": 20, "joint": 20, "learned": 5}
    evaluate = plain.evaluate.model_copy(update={"trials": trials, "shared_by": "joint"})
    verdicts = compare(plain.model_copy(update={"evaluate": evaluate}), runs)
    assert verdicts.tuning is not None
    assert verdicts.tuning.plain() == {"trials": trials, "equal": False, "shared_by": "joint"}
    for method, number in (("joint", 20), ("learned", 5)):
        rows = [row for row in verdicts.rows if row.method == method]
        assert len(rows) == len(BASE)
        assert all(
            row.tuning is not None and row.tuning.plain() == {"stl": 20, "joint": number, "equal": number == 20}
            for row in rows
        )
    unmarked = compare(plain, runs)
    assert "tuning" not in unmarked.plain() and not any("tuning" in row.plain() for row in unmarked.rows)
