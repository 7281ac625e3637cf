"""Settings of data maps, `cluster` and `specialise` that are each fine and together are not."""

from collections.abc import Mapping

from mtl.config.balancing import Method, SequentialMethod
from mtl.config.grouping import (
    MOST_SELECTED,
    ClusterConfig,
    CosineAffinity,
    LookaheadAffinity,
    NetworkSelection,
    SpecialiseConfig,
)
from mtl.config.training import TrainConfig


def grouping_contradictions(
    methods: Mapping[str, Method],
    tasks: Mapping[str, list[str]],
    train: TrainConfig,
    cluster: ClusterConfig,
    specialise: SpecialiseConfig,
) -> list[tuple[str, str]]:
    """Pairs (path, message).

    Args:
        methods: by name.
        tasks: method → the tasks that it trains.
        train: the budget.
        cluster: the section.
        specialise: the section.
    """
    problems: list[tuple[str, str]] = []
    for name, method in methods.items():
        path = f"finetune.methods.{name}.datamap"
        if isinstance(method, SequentialMethod) or method.target is not None:
            noted = {path: method.datamap, f"finetune.methods.{name}.lookahead": method.lookahead}
            message = "should be null for a method of several phases (`sequential`, `target`)."
            problems += [(where, message) for where, asked in noted.items() if asked is not None]
        if method.datamap is None:
            continue
        late = [epoch for epoch in method.datamap.snapshots if epoch > train.epochs]
        if late:
            message = f"should be epochs up to train.epochs ({train.epochs}), found {late[0]}."
            problems.append((f"{path}.snapshots", message))
    source = cluster.source
    if source is None:
        if specialise.weights is not None:
            problems.append(("cluster.source", "should be a method while `specialise.weights` is set, found null."))
        return problems
    if source not in methods:
        return [*problems, ("cluster.source", f"should be one of {', '.join(methods)}, found {source!r}.")]
    if cluster.clusters != "auto" and cluster.clusters > len(tasks[source]):
        message = f"should be at most the {len(tasks[source])} tasks of {source}, found {cluster.clusters}."
        problems.append(("cluster.clusters", message))
    problems += selection_problems(cluster, len(tasks[source]))
    if isinstance(cluster.relation, CosineAffinity):
        if train.gradient_probes == 0:
            problems.append(("train.gradient_probes", "should be at least 1 for `cluster.relation` gradient_cosine."))
        return problems
    if isinstance(cluster.relation, LookaheadAffinity):
        if methods[source].lookahead is None:
            message = f"should be a method with `lookahead` for the relation lookahead, found {source!r}."
            problems.append(("cluster.source", message))
        return problems
    return problems + _maps(methods[source], source, train, cluster)


def selection_problems(cluster: ClusterConfig, tasks: int) -> list[tuple[str, str]]:
    """Problems of choosing groups of so many tasks by an affinity; none of other algorithms."""
    problems: list[tuple[str, str]] = []
    if not isinstance(cluster.algorithm, NetworkSelection):
        return problems
    if tasks > MOST_SELECTED:
        message = f"should be another than network_selection, which tries all groups, for more than {MOST_SELECTED}"
        problems.append(("cluster.algorithm.kind", f"{message} tasks; {cluster.source} has {tasks}."))
    if not isinstance(cluster.relation, CosineAffinity | LookaheadAffinity):
        message = "should be lookahead or gradient_cosine for the algorithm network_selection, found"
        problems.append(("cluster.relation.kind", f"{message} {cluster.relation.kind!r}."))
    if cluster.clusters == "auto":
        message = "should be a number, the most models, for the algorithm network_selection, found 'auto'."
        problems.append(("cluster.clusters", message))
    return problems


def _maps(method: Method, source: str, train: TrainConfig, cluster: ClusterConfig) -> list[tuple[str, str]]:
    """Problems of grouping by the data maps of the method `source`."""
    assert not isinstance(cluster.relation, CosineAffinity | LookaheadAffinity)
    problems: list[tuple[str, str]] = []
    if method.datamap is None:
        kind = cluster.relation.kind
        return [("cluster.source", f"should be a method with a `datamap` for the relation {kind}, found {source!r}.")]
    if train.epochs < 2:
        problems.append(
            ("train.epochs", "should be at least 2 for a data map: nothing varies over one epoch; found 1.")
        )
    kept = [*method.datamap.snapshots, train.epochs]
    absent = [epoch for epoch in cluster.relation.epochs or [] if epoch not in kept]
    if absent:
        message = f"should be epochs that {source} keeps ({', '.join(map(str, kept))}), found {absent[0]}."
        problems.append(("cluster.relation.epochs", message))
    return problems
