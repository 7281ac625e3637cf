"""Groups of published task sets by every relation and clustering method, beside the published groups.

    mtl preset use cifar10-15 && mtl repro cluster && python -m benchmarks.groups

Reads what the runs of `cluster.source` have recorded; trains nothing. For `cifar10-10` (two clusters) and `cifar10-15`
(three) the adjusted Rand index is taken against the clusters of STG-MTL (arXiv 2307.03374). For `cifar100-100` (20)
the paper tells of two kinds of classes: of each, the most that lie in one cluster are counted. Each
is shown for the groups of all seeds together, and as the mean over seeds that are grouped alone.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from time import perf_counter
from typing import Any

from sklearn.metrics import adjusted_rand_score

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import Result
from mtl.config import PARAMS, load_config
from mtl.config.grouping import ClusterConfig
from mtl.errors import UserError
from mtl.grouping.find import find_groups

MACHINES = {"airplane", "automobile", "ship", "truck"}
ANIMALS = {"bird", "cat", "deer", "dog", "frog", "horse"}
PUBLISHED: dict[int, list[set[str]]] = {
    2: [MACHINES, ANIMALS],
    3: [MACHINES | {"living", "not_living"}, ANIMALS | {"odd", "downside"}, {"random"}],
}
"""Number of clusters → the published clusters (STG-MTL, arXiv 2307.03374)."""
TOGETHER = {
    "people": {"baby", "boy", "girl", "man", "woman"},
    "flowers": {"orchid", "poppy", "rose", "sunflower", "tulip"},
}
RELATIONS = ("map", "summary", "gradient_cosine")
ALGORITHMS: dict[str, dict[str, Any]] = {
    "k-means memberships": {"kind": "kmeans"},
    "fuzzy c-means, m 1.5": {"kind": "fuzzy", "m": 1.5},
    "hard k-means": {"kind": "hard"},
    "gaussian mixture": {"kind": "gaussian_mixture"},
}


def likeness(tasks: list[str], labels: list[int], clusters: int) -> float | None:
    """Adjusted Rand index against the published clusters; None where none are published for these tasks."""
    home = {name: number for number, group in enumerate(PUBLISHED.get(clusters, [])) for name in group}
    shared = [name for name in tasks if name in home]
    if len(shared) < len(tasks) - 1:
        return None
    label_of = dict(zip(tasks, labels, strict=True))
    return float(adjusted_rand_score([home[name] for name in shared], [label_of[name] for name in shared]))


def most_together(tasks: list[str], labels: list[int], names: set[str]) -> int:
    """Number of the names that lie in the cluster that holds most of them."""
    label_of = dict(zip(tasks, labels, strict=True))
    return max(Counter(label_of[name] for name in names).values())


def main(given: Sequence[str] | None = None) -> int:
    """Groups the recorded runs in every way and reports."""
    command = parser("groups", __doc__)
    command.add_argument("--clusters", type=count, help="number of clusters, in place of cluster.clusters")
    options = command.parse_args(given)
    config = load_config()
    if config.cluster.source is None:
        raise UserError(f"{PARAMS}: `cluster.source` should name a method that records data maps, found null.")
    asked = options.clusters or config.cluster.clusters
    results = []
    for relation in RELATIONS:
        for words, algorithm in ALGORITHMS.items():
            plan = {"relation": {"kind": relation}, "algorithm": algorithm, "clusters": asked}
            chosen = ClusterConfig.model_validate(config.cluster.model_dump(mode="json") | plan)
            began = perf_counter()
            grouping = find_groups(chosen, config.base.seeds)
            seconds = perf_counter() - began
            tasks, number, each = grouping.tasks, grouping.clusters, list(grouping.labels_of_runs.values())
            agreed = grouping.stability.runs
            shown = "; ".join(", ".join(group) for group in grouping.groups) if len(tasks) < 20 else ""
            note = f"between seeds {'–' if agreed is None else f'{agreed:.2f}'}, {seconds:.1f} s. {shown}"
            name = f"{relation}, {words}, {number} clusters"
            if set().union(*TOGETHER.values()) <= set(tasks):
                for what, names in TOGETHER.items():
                    alone = fmean(most_together(tasks, labels, names) for labels in each)
                    together = most_together(tasks, grouping.labels, names)
                    said = f"a seed alone {alone:.1f}, {note}"
                    results.append(Result(f"{name}: {what} in one", together, f"of {len(names)}", note=said))
                continue
            index = likeness(tasks, grouping.labels, number)
            if index is None:
                continue
            alone = fmean(value for labels in each if (value := likeness(tasks, labels, number)) is not None)
            results.append(Result(name, index, "ARI", note=f"a seed alone {alone:.2f}, {note}"))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
