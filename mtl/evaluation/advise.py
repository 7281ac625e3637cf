"""One or two sentences of advice, from the content of verdicts.json."""

from collections.abc import Mapping
from typing import Literal, assert_never

from mtl.config import Method
from mtl.evaluation.limits import MIN_SEEDS
from mtl.evaluation.transfer import calls_for_transfer, transfer
from mtl.results.statistics import Interval, signed
from mtl.results.verdicts import JudgedMethod, Row, Verdicts

Way = Literal["few", "joint", "transfer", "one", "separate"]
"""Ways to train: too few seeds to tell; jointly with a method that helped; a method that helped tasks which have
nothing in common with the others; one model that does the work of all; each task alone."""
MOST_NAMED = 6
"""Tasks that a sentence lists before it counts the others."""


def advice(verdicts: Verdicts, methods: Mapping[str, Method]) -> str:
    """Sentences that the numbers support: which method, what it helped and hurt, at what cost; or to train separately.
    Where it helped only tasks that by their data maps have nothing in common with the others, to transfer instead, and
    the arm that measures it.

    Methods are ranked by Δm. `sequential` methods measure forgetting and transfer and are not recommended by
    themselves; those that train on for a target have a second budget and are spoken of apart.

    Args:
        verdicts: what was measured.
        methods: section `finetune.methods`.
    """
    judged = [m for m in verdicts.methods if m.kind != "sequential" and m.delta_m.mean is not None]
    apart = [text for m in judged if m.target is not None and (text := _for_target(verdicts, m))]
    if not judged:
        return "No joint method with a main task was compared with single-task models, so there is nothing to advise."
    if ranking(verdicts):
        return " ".join([_of_joint(verdicts, methods), *apart])
    nothing = "Train separately: joint training before a task's own helped no target beyond what chance would give."
    return " ".join(apart) or nothing


def first_look(verdicts: Verdicts) -> str:
    """Sentences in the place of advice on a quick look: nothing is known, what was seen, and what decides."""
    best = max(
        (method for method in verdicts.methods if method.delta_m.mean is not None),
        key=lambda method: _mean(method.delta_m),
        default=None,
    )
    seen = "" if best is None else f" Seen, which may be luck: {best.name} {signed(_mean(best.delta_m))} % over tasks."
    return f"None on a quick look: one seed decides nothing, `mtl repro` does.{seen}"


def recommended(verdicts: Verdicts, methods: Mapping[str, Method]) -> tuple[Way, JudgedMethod | None]:
    """The way that the verdicts speak for, and the joint method of it.

    Args:
        verdicts: what was measured.
        methods: section `finetune.methods`.

    Returns:
        The way, and the method where it has one: of `transfer` the one that helped, of `few` and `separate` None.
    """
    ranked = ranking(verdicts)
    if len(verdicts.seeds) < MIN_SEEDS or not ranked:
        return "few" if ranked else "separate", None
    helpful = [m for m in ranked if _helped(verdicts, m)]
    for method in helpful:
        if not all(calls_for_transfer(verdicts, methods, method, row.task) for row in _helped(verdicts, method)):
            return "joint", method
    if helpful:
        return "transfer", helpful[0]
    smallest = _one_for_all(verdicts, ranked)
    return ("one", smallest) if smallest is not None else ("separate", None)


def ranking(verdicts: Verdicts) -> list[JudgedMethod]:
    """Methods that train all of their tasks at once, the one with the best Δm first."""
    judged = [m for m in verdicts.methods if m.kind != "sequential" and m.delta_m.mean is not None and m.target is None]
    return sorted(judged, key=lambda m: (-_mean(m.delta_m), m.name))


def _of_joint(verdicts: Verdicts, methods: Mapping[str, Method]) -> str:
    ranked = ranking(verdicts)
    way, best = recommended(verdicts, methods)
    match way:
        case "few":
            return _too_few(verdicts, ranked[0])
        case "joint":
            assert best is not None
            return _joint(verdicts, best)
        case "transfer":
            assert best is not None
            return _transfer(verdicts, methods, best)
        case "one":
            assert best is not None
            return _work_of_all(verdicts, best)
        case "separate":
            return _separate(verdicts, ranked)
        case _:
            assert_never(way)


def _too_few(verdicts: Verdicts, best: JudgedMethod) -> str:
    seeds = len(verdicts.seeds)
    sequential = any(m.kind == "sequential" for m in verdicts.methods)
    aside = " of those that train all tasks at once" if sequential else ""
    count = f"{seeds} seed is" if seeds == 1 else f"{seeds} seeds are"
    return (
        f"Not known: {count} too few for a verdict ({MIN_SEEDS} are needed). "
        f"So far {best.name} has the best mean change over tasks{aside}, {signed(_mean(best.delta_m))} %."
    )


def _helped(verdicts: Verdicts, method: JudgedMethod) -> list[Row]:
    return [row for row in verdicts.rows if row.method == method.name and row.verdict.helped]


def _hurt(verdicts: Verdicts, method: JudgedMethod) -> list[Row]:
    return [row for row in verdicts.rows if row.method == method.name and row.verdict.hurt]


def _level(verdicts: Verdicts, method: JudgedMethod) -> list[Row]:
    """Main tasks on which the method is level with their single-task models."""
    return [row for row in _main(verdicts, method) if row.verdict.level]


def _transfer(verdicts: Verdicts, methods: Mapping[str, Method], best: JudgedMethod) -> str:
    """A gain that relation does not explain: the shared encoder has seen more."""
    rows = _helped(verdicts, best)
    known = {row.task: transfer(verdicts, methods, best, row.task) for row in rows}
    text = (
        f"Transfer instead of training jointly: {best.name} helped {_listed(rows)}, but by the data maps "
        f"{_names(rows)} and the tasks beside have nothing in common."
    )
    measured = [arm.row for arm in known.values() if arm.row is not None and arm.row.verdict.helped]
    for row in measured[:MOST_NAMED]:
        text += f" Trained after them ({row.method}), {row.task} gained {signed(_mean(row.change))} %."
    if len(measured) == len(rows):
        return text
    text += (
        " An encoder that has seen more may give the same without them: pretrain it (`pretrain.objective`, "
        "`init: pretrained`)"
    )
    lines = [arm.line for arm in known.values() if arm.line is not None]
    if lines:
        text += f", or train on it after them, which one more arm of `finetune.methods` measures: `{lines[0]}`"
    return f"{text}."


def _joint(verdicts: Verdicts, best: JudgedMethod) -> str:
    helped, hurt, level = _helped(verdicts, best), _hurt(verdicts, best), _level(verdicts, best)
    delta = best.delta_m
    assert delta.low is not None and delta.high is not None, "enough seeds for a verdict have an interval"
    ends = f"{signed(delta.low)} to {signed(delta.high)}"
    mean = f"{signed(_mean(delta))} % over the main tasks, interval {ends}"
    effects = f"helped {_listed(helped)}" + (f", left {_names(level)} level" if level else "")
    effects += f" and hurt {_listed(hurt)}" if hurt else " and hurt no task measurably"
    cost = _cost(verdicts, best)
    if delta.low > 0:
        rest = f" Keep separate models for {_names(hurt)} if it matters." if hurt else ""
        return f"Train jointly with {best.name} ({mean}): it {effects}, with {cost}.{rest}{_left_open(verdicts, best)}"
    average = "is worse on average" if delta.high < 0 else "shows no gain on average"
    text = f"Use {best.name} for {_names(helped)} only: it {effects} but {average} ({mean}), with {cost}."
    return text + _left_open(verdicts, best)


def _for_target(verdicts: Verdicts, method: JudgedMethod) -> str:
    """A method that trains on for one task; nothing where it is not shown to help or hurt."""
    effects = {"helped": _helped(verdicts, method), "hurt": _hurt(verdicts, method), "left": _level(verdicts, method)}
    said = [f"{word} {_listed(rows)}{' level' * (word == 'left')}" for word, rows in effects.items() if rows]
    return f"Joint training before {method.target}'s own ({method.name}, two budgets) {said[0]}." if said else ""


def _separate(verdicts: Verdicts, ranked: list[JudgedMethod]) -> str:
    harmless = [m for m in ranked if not _hurt(verdicts, m)]
    text = "Train separately: no joint method helped any task beyond what chance would give"
    if not harmless:
        return f"{text}, and each hurt at least one.{_left_open(verdicts, ranked[0])}"
    best = min(harmless, key=lambda method: _share(verdicts, method) or 0)  # the first of them that are as small
    share = _share(verdicts, best)
    if share is not None and share >= 1:
        return f"{text}, and none is smaller than the separate models."
    level = _level(verdicts, best)
    text += f". {best.name} hurt none measurably and has {_cost(verdicts, best)}, if size matters more"
    if level:
        work = f", so that one model can do the work of {len(level)}" if len(level) > 1 else ""
        text += f"; it is level on {_names(level)} (within {_margins(level)}){work}"
    return f"{text}.{_left_open(verdicts, best)}"


def _one_for_all(verdicts: Verdicts, ranked: list[JudgedMethod]) -> JudgedMethod | None:
    """The smallest method that does the work of all single-task models of its main tasks; None without one."""
    main = {m.name: _main(verdicts, m) for m in ranked}
    level = [m for m in ranked if len(main[m.name]) > 1 and all(row.verdict.level for row in main[m.name])]
    smaller = [m for m in level if (share := _share(verdicts, m)) is not None and share < 1 and not _hurt(verdicts, m)]
    return min(smaller, key=lambda method: _share(verdicts, method) or 0) if smaller else None


def _main(verdicts: Verdicts, method: JudgedMethod) -> list[Row]:
    return [row for row in verdicts.rows if row.method == method.name and row.role == "main"]


def _work_of_all(verdicts: Verdicts, best: JudgedMethod) -> str:
    rows = _main(verdicts, best)
    return (
        f"Train one model: {best.name} does the work of {len(rows)}. It is level with the single-task models on "
        f"{_names(rows)} (within {_margins(rows)}), and has {_cost(verdicts, best)}."
    )


def _margins(rows: list[Row]) -> str:
    """`±1 %`, or the range where tasks have their own."""
    shares = sorted({100 * row.verdict.margin for row in rows})
    return " to ".join(f"±{share:g} %" for share in dict.fromkeys((shares[0], shares[-1])))


def _left_open(verdicts: Verdicts, method: JudgedMethod) -> str:
    """A sentence on what would decide the main tasks on which nothing is known; empty where all is."""
    rows = _main(verdicts, method)
    seeds = [row for row in rows if row.verdict.open == "seeds" and row.verdict.seeds_needed is not None]
    data = [row for row in rows if row.verdict.open == "test data"]
    ways = [f"{row.task} ({row.verdict.seeds_needed:,} seeds would decide)" for row in seeds[:MOST_NAMED]]
    left = f" and {len(seeds) - MOST_NAMED} more" if len(seeds) > MOST_NAMED else ""
    said = f" Not known of {method.name} on {', '.join(ways)}{left}." if ways else ""
    return said + (f" More test data, not more seeds, would decide {_names(data)}." if data else "")


def _listed(rows: list[Row]) -> str:
    """Names of the tasks that changed most, and how many more."""
    first = sorted(rows, key=lambda row: -abs(_mean(row.change)))[:MOST_NAMED] if len(rows) > MOST_NAMED else rows
    named = ", ".join(f"{row.task} ({signed(_mean(row.change))} %)" for row in first)
    return named + _and_more(rows)


def _and_more(rows: list[Row]) -> str:
    return f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""


def _mean(change: Interval) -> float:
    assert change.mean is not None, "methods and rows without a change are not spoken of"
    return change.mean


def _names(rows: list[Row]) -> str:
    return ", ".join(row.task for row in rows[:MOST_NAMED]) + _and_more(rows)


def _cost(verdicts: Verdicts, method: JudgedMethod) -> str:
    """Size against the separate networks of the same tasks, where all of them were trained."""
    share = _share(verdicts, method)
    if share is None:
        own = verdicts.costs.parameters.methods[method.name]
        return f"{own:,} parameters for {len(method.tasks)} tasks"
    return f"{100 * share:.0f} % of the separate models' parameters"


def _share(verdicts: Verdicts, method: JudgedMethod) -> float | None:
    """Parameters by those of the separate networks of its tasks; None where some of these were not trained."""
    parameters = verdicts.costs.parameters
    single = parameters.stl_by_start[method.start]
    if any(task not in single for task in method.tasks):
        return None
    return parameters.methods[method.name] / sum(single[task] for task in method.tasks)
