"""Stage `evaluate`: the methods against single-task training; tables, verdicts and the report."""

from functools import partial
from pathlib import Path

from mtl import tracking
from mtl.evaluation.compare import compare
from mtl.evaluation.evidence import evidence
from mtl.evaluation.groupings import compare_groupings, read_groups
from mtl.evaluation.runs import read_histories, read_pretraining, read_runs
from mtl.evaluation.tables import learning_curves, metrics_summary, runs_table, write_csv, write_parquet
from mtl.experiment.latency import measure_latency
from mtl.experiment.objects import data_remarks
from mtl.experiment.samples import write_samples
from mtl.grouping.likeness import map_likeness
from mtl.paths import LOSSES, MEANS, VERDICTS
from mtl.report.page import write_report
from mtl.report.timings import write_timings_js
from mtl.results.samples import read_block_errors
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
        results = Path("results")
        runs = read_runs(config)
        histories = read_histories(runs)
        write_samples(config)
        compared = compare(config, runs, histories, map_likeness(config), partial(read_block_errors, LOSSES))
        grouped = compared.with_grouping(compare_groupings(config, runs))
        grouped = grouped.with_data(data_remarks(config))
        verdicts = grouped.with_evidence(evidence(config, grouped, runs, histories, read_groups(config)))
        verdicts.write(VERDICTS)
        metrics_summary(config, runs).write(MEANS)
        write_parquet(runs_table(runs), results / "runs.parquet")
        write_csv(learning_curves(histories, read_pretraining(config)), results / "learning_curves.csv")
        measure_latency(config)
        write_report(config, verdicts)
        write_timings_js(verdicts=verdicts)
        tracking.publish()


if __name__ == "__main__":
    main()
