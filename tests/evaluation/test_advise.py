"""The sentence of advice says what the verdicts say."""

from typing import Any

import pytest
import yaml

from mtl.config import SequentialMethod, Start
from mtl.evaluation.advise import advice
from mtl.evaluation.compare import compare
from mtl.paths import RunPath
from mtl.results.verdicts import Costs

from .simulated import make_config, make_runs
from .test_compare import planted


def advise(effects: dict[tuple[str, str], float]) -> str:
    config = make_config()
    return compare(config, make_runs(config, planted(effects, 0.004))).advice


def test_the_best_method_with_its_gains_losses_and_cost() -> None:
    text = advise({("joint", "fault"): 0.3, ("joint", "long"): 0.05, ("learned", "fault"): 0.1})
    assert text.startswith("Train jointly with joint (+")
    assert "helped fault (+" in text and "hurt long (−" in text
    assert "38 % of the separate models' parameters" in text
    assert text.endswith("Keep separate models for long if it matters.")


def test_a_method_that_helps_and_hurts_none() -> None:
    assert "helped fault" in (text := advise({("learned", "fault"): 0.3})) and "hurt no task measurably" in text
    assert text.startswith("Train jointly with learned")


def test_help_bought_too_dearly() -> None:
    text = advise({("joint", "fault"): 0.1, ("joint", "long"): 0.4, ("learned", "long"): 0.5})
    assert text.startswith("Use joint for fault only: ") and "is worse on average" in text


@pytest.mark.parametrize(("likeness", "start"), [
    ([0.8, 0.7, 0.75, 0.8, 0.7], "Train jointly with joint"),
    ([0.0, 0.1, -0.1, 0.05, 0.0], "Transfer instead of training jointly: joint helped fault (+"),
    (None, "Train jointly with joint"),
])  # fmt: skip
def test_a_gain_among_tasks_with_nothing_in_common_is_transfer(likeness: list[float] | None, start: str) -> None:
    """Without data maps nothing is known of relation, and the gain alone counts."""
    config = make_config()
    runs = make_runs(config, planted({("joint", "fault"): 0.3}, 0.004))
    partners = ("short", "long", "coin")
    pairs = {"|".join(sorted((task, "fault"), key=list(config.tasks).index)): likeness or [] for task in partners}
    text = compare(config, runs, (), None if likeness is None else {"joint": pairs}).advice
    assert text.startswith(start), text
    assert ("pretrain it" in text) == start.startswith("Transfer")


UNRELATED = {f"{task}|fault": [0.0, 0.1, -0.1, 0.05, 0.0] for task in ("short", "long")} | {
    "fault|coin": [0.0, 0.1, -0.1, 0.05, 0.0]
}


def methods(**more: Any) -> dict[str, Any]:
    return {"finetune": {"methods": {"joint": {"kind": "weighted", "lambda": 0.2}} | more}}


@pytest.mark.parametrize(
    ("taken", "start", "line"),
    [
        ({}, {}, "transfer_fault: {kind: sequential, order: [[short, long, coin], fault]}"),
        ({"transfer_fault": {"kind": "equal"}}, {},
         "transfer_fault_2: {kind: sequential, order: [[short, long, coin], fault]}"),
        ({}, {"width": 0.5}, "transfer_fault: {kind: sequential, order: [[short, long, coin], fault], width: 0.5}"),
    ],
)  # fmt: skip
def test_the_arm_that_measures_transfer_can_be_pasted(taken: dict[str, Any], start: dict[str, Any], line: str) -> None:
    sections = methods(joint={"kind": "weighted", "lambda": 0.2} | start, **taken)
    starts = {"baseline": {"starts": [start]} if not taken else {}}
    config = make_config(**sections, **starts)
    runs = make_runs(config, planted({("joint", "fault"): 0.3}, 0.004))
    text = compare(config, runs, (), {"joint": UNRELATED}).advice
    assert text.endswith(f"measures: `{line}`.")
    pasted = yaml.safe_load(line)
    (name,) = pasted
    config = make_config(**methods(joint={"kind": "weighted", "lambda": 0.2} | start, **taken, **pasted), **starts)
    arm = config.finetune.methods[name]
    assert config.method_tasks(name) == ["short", "long", "fault", "coin"] and arm.label == Start(**start).label
    assert isinstance(arm, SequentialMethod) and arm.order == [["short", "long", "coin"], ["fault"]]


@pytest.mark.parametrize(
    ("arm", "gain", "said"),
    [
        ({"kind": "sequential", "order": [["short", "long", "coin"], "fault"]}, 0.3,
         "have nothing in common. Trained after them (after), fault gained +3"),
        ({"kind": "sequential", "order": [["short", "long", "coin"], "fault"]}, 0.0, "Train jointly with joint"),
        ({"kind": "sequential", "order": ["fault", ["short", "long", "coin"]]}, 0.0, "`transfer_fault: {kind: "),
        ({"kind": "sequential", "first": "forecast"}, 0.3, "`transfer_fault: {kind: "),
    ],
)  # fmt: skip
def test_what_an_arm_has_measured_of_transfer_decides(arm: dict[str, Any], gain: float, said: str) -> None:
    config = make_config(**methods(after=arm))
    runs = make_runs(config, planted({("joint", "fault"): 0.3, ("after", "fault"): gain}, 0.004))
    text = compare(config, runs, (), {"joint": UNRELATED}).advice
    assert said in text, text
    assert ("pretrain it" in text) == ("transfer_fault" in text)


@pytest.mark.parametrize("hurt", [0, 1, 2])
def test_nothing_helped_means_separate(hurt: int) -> None:
    text = advise({(method, "long"): 0.3 for method in ["joint", "learned"][:hurt]})
    assert text.startswith("Train separately: no joint method helped any task")
    assert ("each hurt at least one" in text) == (hurt == 2)
    if hurt == 1:
        assert "learned hurt none measurably" in text


def test_the_size_of_a_method_is_an_argument_only_where_it_is_smaller() -> None:
    config = make_config()
    verdicts = compare(config, make_runs(config, planted({}, 0.004)))
    parameters = verdicts.costs.parameters
    single = sum(parameters.stl_by_start["random"].values())
    for sizes, said in (
        ({"joint": single, "learned": single // 2}, "learned hurt none measurably and has 50 % of"),
        ({"joint": single // 4, "learned": single // 2}, "joint hurt none measurably and has 25 % of"),
        ({"joint": single, "learned": single + 8}, "and none is smaller than the separate models."),
    ):
        counts = parameters.model_copy(update={"methods": parameters.methods | sizes})
        text = advice(verdicts.model_copy(update={"costs": Costs(parameters=counts)}), config.finetune.methods)
        assert text.startswith("Train separately") and said in text, text


def test_only_a_sequential_method() -> None:
    config = make_config(finetune={"methods": {"after": {"kind": "sequential", "first": "labels"}}})
    runs = make_runs(config, planted({}, 0.01))
    assert compare(config, runs).advice.startswith("No joint method")


LEVEL = {(method, task): 0.0005 for method in ("joint", "learned") for task in ("short", "long", "fault")}


def test_one_model_does_the_work_of_many_where_equivalence_is_shown() -> None:
    """Changes of 0.05 % with next to no noise lie within 1 %: the smaller of two methods, and its size."""
    config = make_config()
    verdicts = compare(config, make_runs(config, planted(LEVEL, 0.0002)))
    assert verdicts.advice == (
        "Train one model: joint does the work of 3. It is level with the single-task models on short, long, fault "
        "(within ±1 %), and has 38 % of the separate models' parameters."
    )
    parameters = verdicts.costs.parameters
    for sizes, start in (
        ({"joint": 4000, "learned": 400}, "Train one model: learned does the work of 3."),
        ({"joint": 4000, "learned": 4000}, "Train separately: no joint method helped any task"),
    ):
        counts = parameters.model_copy(update={"methods": sizes})
        text = advice(verdicts.model_copy(update={"costs": Costs(parameters=counts)}), config.finetune.methods)
        assert text.startswith(start), text
    strict = make_config(evaluate={"margin": 0})
    assert "work of" not in compare(strict, make_runs(strict, planted(LEVEL, 0.0002))).advice


def test_what_is_level_and_what_would_decide_the_rest_is_said() -> None:
    """One task is left open by its noise, and a method that hurts is not the one for all."""

    def value(path: RunPath, task: str) -> float:
        noise = planted({}, 0.01) if task == "fault" else planted(LEVEL, 0.0002)
        return noise(path, task)

    config = make_config()
    verdicts = compare(config, make_runs(config, value))
    rows = [row for row in verdicts.rows if row.method == "joint"]
    needed = next(row.verdict.seeds_needed for row in rows if row.task == "fault")
    assert needed is not None and needed > 5
    assert "joint hurt none measurably and has 38 % of the separate models' parameters" in verdicts.advice
    assert "it is level on short, long (within ±1 %), so that one model can do the work of 2." in verdicts.advice
    assert verdicts.advice.endswith(f"Not known of joint on fault ({needed} seeds would decide).")
