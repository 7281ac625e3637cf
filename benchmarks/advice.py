"""Error rate of `mtl advise` on `sensors`, whose relatedness is known.

    python -m benchmarks.advice            # ten plants at relatedness 0, ten at 1; ten minutes of one core

Two tasks: `mode` says whether the regime of the chain that drives the forecasts is odd (every row has its label), `few`
names the regime of `load_state`, from a twentieth of its labels. At relatedness 1 they are one question, and joint
training must be recommended; at 0 `few` asks about the other chain, and it must not. Each plant is trained with eight
seeds, single-task and joint, and advised on as `mtl repro` and `mtl advise` do it. Joint training helps `few` on both
kinds of plant: at relatedness 0 its encoder, which has seen hardly any labels, learns to read windows from `mode`.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import Result
from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.evaluation.compare import compare
from mtl.evaluation.evidence import evidence
from mtl.evaluation.runs import read_histories, read_runs
from mtl.experiment import run_baseline, run_finetune
from mtl.grouping.likeness import map_likeness
from mtl.paths import PREPARED

SEEN, FRESH = range(5), range(5, 10)
"""Seeds of the data at each relatedness: settings and rule were found on the first five, and judged on the others."""
PLANTS = [*SEEN, *FRESH]
SEEDS = 8
"""Number of training seeds."""
TOGETHER = ("train together", "related: worth a joint model")
"""Words by which a line of advice on a pair or a method speaks for joint training."""


@dataclass(frozen=True)
class Advised:
    """Advice on one plant."""

    relatedness: float
    plant: int
    advice: str
    helped: bool
    """True when joint training was shown to help `few` on test data."""
    likeness: float
    """Correlation of the two data maps, mean over seeds."""
    together: list[str]
    """Lines of evidence that speak for joint training."""

    @property
    def joint(self) -> bool:
        """True when joint training is recommended."""
        return self.advice.startswith(("Train jointly", "Use "))


def settings(relatedness: float, plant: int, seeds: int) -> Config:
    """A small hall of machines; networks that train in a second."""
    sensors = {
        "kind": "sensors", "seed": plant, "rows": 2000, "regimes": 2, "channels": 2, "side_channels": 2, "stay": 0.94,
        "noise": 0.25, "fault_labels": 60, "max_horizon": 4, "relatedness": relatedness,
        "groups": {"count": 2, "tasks": 1, "between": 1.0},
    }  # fmt: skip
    few = {"kind": "classification", "label": "load_state", "train_fraction": 0.05}
    mode = {"kind": "binary", "label": "group1_1"}
    # A twentieth of the labels should not pull the encoder as hard as all of them.
    joint = {"kind": "fixed", "weights": [0.1, 1.0], "datamap": {"record": "training"}}
    return parse_config({
        "base": {"seeds": list(range(seeds)), "device": "cpu"},
        "prepare": {"sources": {"sensors": sensors}},
        "tasks": {name: task | {"source": "sensors", "input_len": 16} for name, task in (("few", few), ("mode", mode))},
        "simple": {"models": []},
        "encoder": {"kind": "timedart", "patch_len": 4, "d_model": 16, "heads": 2, "layers": 1, "d_ff": 32,
                    "classification": {"hidden": None, "amplitude": False}},
        "train": {"epochs": 8, "batch_size": 32, "lr": 5e-3, "gradient_probes": 4, "stopping": {"patience": None},
                  "sampler": {"kind": "proportional"}},
        "finetune": {"methods": {"joint": joint}},
    })  # fmt: skip


def advise_on(relatedness: float, plant: int, seeds: int, root: Path) -> Advised:
    """Trains everything on one plant, below `root`, and reads the advice."""
    config = settings(relatedness, plant, seeds)
    source = read_source("sensors", config.prepare.sources["sensors"], Path())
    write_prepared(source, root / PREPARED / "sensors", {})
    for seed in config.base.seeds:
        for task in config.tasks:
            run_baseline(config, task, config.baseline.starts[0], seed, root)
        run_finetune(config, "joint", seed, root)
    runs = read_runs(config, root)
    histories = read_histories(runs, root)
    verdicts = compare(config, runs, histories, map_likeness(config, root))
    lines = evidence(config, verdicts, runs, histories, None)
    (helped,) = (row.verdict.word == "HELPED" for row in verdicts.rows if row.task == "few")
    likeness = verdicts.likeness["joint"]["few|mode"].mean
    assert likeness is not None, "there are seeds"
    spoken = [f"{line.aspect}: {line.about}" for line in lines if line.says in TOGETHER]
    return Advised(relatedness, plant, verdicts.advice, helped, likeness, spoken)


def measure(relatedness: float, plants: Sequence[int] = PLANTS, seeds: int = SEEDS) -> list[Advised]:
    """Collects the advice on every plant."""
    advised = []
    for plant in plants:
        with tempfile.TemporaryDirectory() as folder:
            advised.append(advise_on(relatedness, plant, seeds, Path(folder)))
        last = advised[-1]
        print(f"relatedness {relatedness:g}, plant {plant}, maps {last.likeness:+.2f}: {last.advice}", flush=True)
    return advised


def main(given: Sequence[str] | None = None) -> int:
    """Asks for advice on every plant and reports how often it is wrong."""
    command = parser("advice", __doc__)
    command.add_argument("--plants", type=count, default=len(SEEN), help="at most, of each set and relatedness")
    command.add_argument("--seeds", type=at_least(2), default=SEEDS, help="of the training")
    options = command.parse_args(given)
    seen, fresh = SEEN[: options.plants], FRESH[: options.plants]
    unrelated, same = (measure(relatedness, [*seen, *fresh], options.seeds) for relatedness in (0.0, 1.0))
    results = []
    for words, plants in (("plants the rule was found on", seen), ("fresh plants", fresh)):
        n = f"of {len(plants)}"
        of_unrelated, of_same = ([a for a in some if a.plant in plants] for some in (unrelated, same))
        results += [
            Result(f"relatedness 0, {words}: joint training recommended", sum(a.joint for a in of_unrelated), n, 0),
            Result(f"relatedness 0, {words}: a line speaks for it", sum(bool(a.together) for a in of_unrelated), n, 0),
            Result(f"relatedness 0, {words}: it helped nevertheless", sum(a.helped for a in of_unrelated), n),
            Result(f"relatedness 1, {words}: joint training not recommended", sum(not a.joint for a in of_same), n, 0),
        ]
    return finish(options, results, {"advised": [vars(a) for a in unrelated + same]})


if __name__ == "__main__":
    start(main)
