"""Stage `evaluate`: the methods against single-task training; tables, verdicts and the report."""

from functools import partial
from pathlib import Path

from mtl import tracking
from mtl.config import Config
from mtl.evaluation.compare import compare
from mtl.evaluation.evidence import evidence
from mtl.evaluation.groupings import compare_groupings, read_groups
from mtl.evaluation.runs import read_histories, read_pretraining, read_runs
from mtl.evaluation.tables import learning_curves, metrics_summary, runs_table, write_csv, write_parquet
from mtl.experiment.importance import write_importance
from mtl.experiment.latency import measure_latency
from mtl.experiment.objects import data_remarks
from mtl.experiment.samples import write_samples
from mtl.grouping.likeness import map_likeness
from mtl.paths import LOSSES, MEANS, VERDICTS
from mtl.report.timings import write_timings_js
from mtl.results.samples import read_block_errors
from mtl.results.verdicts import Verdicts
from mtl.stages.common import stage

SECTIONS = (
    "base",
    "prepare",
    "tasks",
    "simple",
    "encoder",
    "train",
    "pretrain",
    "baseline",
    "finetune",
    "cluster",
    "specialise",
    "evaluate",
)


def main() -> None:
    """Writes results/ and report/ from the result files of the runs that params.yaml names."""
    with stage(SECTIONS) as config:
        verdicts = judge(config)
        show(config, verdicts)
        tracking.publish()


def judge(config: Config, root: Path = Path()) -> Verdicts:
    """Writes results/ from the result files of the runs; returns the verdicts.

    Args:
        config: the whole configuration.
        root: folder of the project.

    Raises:
        UserError: a run is not finished.
    """
    results = root / "results"
    runs = read_runs(config, root)
    histories = read_histories(runs, root)
    write_samples(config, root)
    write_importance(config, root)
    compared = compare(config, runs, histories, map_likeness(config, root), partial(read_block_errors, root / LOSSES))
    grouped = compared.with_grouping(compare_groupings(config, runs, root))
    grouped = grouped.with_data(data_remarks(config, root))
    verdicts = grouped.with_evidence(evidence(config, grouped, runs, histories, read_groups(config, root)))
    verdicts.write(root / VERDICTS)
    metrics_summary(config, runs).write(root / MEANS)
    write_parquet(runs_table(runs), results / "runs.parquet")
    write_csv(learning_curves(histories, read_pretraining(config, root)), results / "learning_curves.csv")
    return verdicts


def show(config: Config, verdicts: Verdicts, root: Path = Path()) -> Path:
    """Measures how long predictions take and writes report/; returns the page.

    Args:
        config: the whole configuration.
        verdicts: content of results/verdicts.json.
        root: folder of the project.
    """
    from mtl.report.page import write_report  # here: it loads matplotlib, and `mtl.compare` draws nothing

    measure_latency(config, root)
    page = write_report(config, verdicts, root)
    write_timings_js(root, verdicts)
    return page


if __name__ == "__main__":
    main()
