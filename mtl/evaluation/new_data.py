"""Changes of all comparisons for new data: their variance from seeds and test samples, by results/losses.parquet."""

from collections.abc import Callable, Mapping, Sequence

from mtl.config.budgets import STL
from mtl.config.metrics import METRICS
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.components import Components, change_components, fold_components, on_folds
from mtl.evaluation.rows import Pairs
from mtl.results.samples import BlockErrors, ErrorsOf
from mtl.tasks.undefined import Undefined

Errors = Callable[[str], Mapping[ErrorsOf, BlockErrors]]
"""Task → errors of its test samples, added up over blocks."""


def components_of(made: Comparison, pairs: Sequence[Pairs], errors: Errors | None) -> list[Components | Undefined]:
    """Variance components of each comparison, in the order given, or why it has none (an empty clause without errors);
    the errors of one task are in memory at a time.

    Args:
        made: all runs.
        pairs: values of both sides of each comparison.
        errors: reads the errors of a task; None where there are none.
    """
    if errors is None:
        return [Undefined("")] * len(pairs)
    parts: dict[tuple[str, str], Components | Undefined] = {}
    for task in dict.fromkeys(pair.task for pair in pairs):
        of_task = errors(task)
        for pair in (pair for pair in pairs if pair.task == task):
            parts[pair.method, task] = _components(made, pair, of_task)
    return [parts[pair.method, pair.task] for pair in pairs]


def _components(made: Comparison, pair: Pairs, errors: Mapping[ErrorsOf, BlockErrors]) -> Components | Undefined:
    spec, start = made.config.tasks[pair.task], made.config.finetune.methods[pair.method].label
    if not pair.changes:
        return Undefined("an STL value of 0 leaves no relative change")
    sides = [
        [errors.get(ErrorsOf(stage, name, start, pair.task, seed)) for seed in made.seeds]
        for stage, name in (("baseline", STL), ("finetune", pair.method))
    ]
    stl, joint = ([run for run in side if run is not None] for side in sides)
    if len(stl) < len(made.seeds) or len(joint) < len(made.seeds):
        return Undefined(f"the {METRICS[spec.primary_metric].title} has no errors of single samples")
    if on_folds(stl):
        trained = [run.train_size[pair.task] for run in pair.stl_runs]
        return fold_components(stl, joint, spec.lower_is_better, trained)
    return change_components(stl, joint, spec.lower_is_better)
