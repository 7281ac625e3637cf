"""Figures of the finished runs of the preset `tweets` as TweetEval's own script computes them, beside published ones.

Macro F1 of emotion and offence, F1 of irony, mean recall of sentiment. Of stance the tweets of all five subjects are
put together, and the figure is the mean of the F1 of `against` and of `favor` (evaluaton_script.py of
github.com/cardiffnlp/tweeteval); the mean of the five subjects' own figures stands beside. Published: README of that
repository, of Barbieri et al. 2020 (arXiv 2010.12421); asked is the higher one of SVM and LSTM.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.command import finish, parser, start
from benchmarks.machine import Result
from mtl.config import Config, load_config
from mtl.paths import RunPath
from mtl.results.reading import RUN
from mtl.results.record import Detail, Run

PUBLISHED = {"emotion": (64.7, 66.0), "irony": (61.7, 62.8), "offensive": (52.3, 71.7), "sentiment": (62.9, 58.3),
             "stance": (67.3, 59.4)}  # fmt: skip
"""Family of tasks → SVM, LSTM."""
STANCE = "stance_"
STANCES = ("against", "favor")
OFFICIAL = {"emotion": "macro_f1", "irony": "f1", "offensive": "macro_f1", "sentiment": "balanced_accuracy"}


def f1(details: Sequence[Detail], name: str) -> float:
    """F1 of a class over the samples of several tasks together."""
    right = claimed = true = 0
    for detail in details:
        assert detail.classes is not None and detail.confusion is not None, "it is a label"
        number = detail.classes.index(name)
        right += detail.confusion[number][number]
        claimed += sum(row[number] for row in detail.confusion)
        true += sum(detail.confusion[number])
    return 2 * right / (claimed + true) if claimed + true else 0.0


def figures(runs: Mapping[str, Run]) -> dict[str, float]:
    """Family → figure in %, of the runs of one seed.

    Args:
        runs: task → the run that predicts it.
    """
    made = {family: 100 * runs[family].test[family][metric] for family, metric in OFFICIAL.items() if family in runs}
    details = [run.detail[task] for task, run in runs.items() if task.startswith(STANCE)]
    if details:
        made["stance"] = 100 * mean(f1(details, name) for name in STANCES)
        made["stance, mean of subjects"] = 100 * mean(f1([detail], name) for detail in details for name in STANCES)
    return made


def arms(config: Config) -> dict[str, dict[int, dict[str, RunPath]]]:
    """Name of a row → seed → task → place of the run that predicts it."""
    seeds, start = config.base.seeds, config.baseline.starts[0].label
    rows = {
        "simple models": {s: {task: RunPath("simple", task, None, s) for task in config.tasks} for s in seeds},
        "single-task": {s: {task: RunPath("baseline", task, start, s) for task in config.tasks} for s in seeds},
    }
    for method in config.finetune.methods:
        rows[method] = {s: dict.fromkeys(config.method_tasks(method), RunPath("finetune", method, None, s))
                        for s in seeds}  # fmt: skip
    return rows


def main(given: Sequence[str] | None = None) -> int:
    """Reads the runs that are there and reports the means over their seeds."""
    command = parser("tweeteval", __doc__)
    command.add_argument("--project", type=Path, default=Path(), help="its folder (default: the current one)")
    options = command.parse_args(given)
    results: list[Result] = []
    for row, places in arms(load_config(options.project / "params.yaml")).items():
        by_seed: list[dict[str, float]] = []
        for tasks in places.values():
            files = {task: options.project / where.folder / RUN for task, where in tasks.items()}
            runs = {task: Run.read(file) for task, file in files.items() if file.is_file()}
            if len(runs) == len(files):
                by_seed.append(figures(runs))
        for family in by_seed[0] if by_seed else []:
            values = [seed[family] for seed in by_seed]
            limit = max(PUBLISHED[family]) if family in PUBLISHED else None
            note = f"{len(values)} seeds, {min(values):.1f} to {max(values):.1f}"
            results.append(Result(f"{row}: {family}", mean(values), "%", limit, at_least=True, note=note))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
