"""mtl: should related tasks be trained together, how, and what does it cost?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from mtl.api.balancer import LoopBalancer
    from mtl.api.groups import TaskGroups
    from mtl.api.result import Result
    from mtl.api.wishes import Methods, Targets
    from mtl.serving.model import Model

__all__ = ["__version__", "balancer", "cluster", "compare", "data_map", "load_model", "open", "verdicts"]


def compare(
    data: object,
    targets: "Targets",
    methods: "Methods" = ("equal",),
    seeds: int | Sequence[int] = 5,
    epochs: int | None = None,
    group: str | None = None,
    encoder: object = None,
    settings: Mapping[str, Any] | None = None,
) -> "Result":
    """Tasks of a table trained together, against each alone and against simple models, in this process.

    Types of columns, parts and how long networks learn are found out as `mtl init` does, and the runs are those that
    `mtl repro` makes of the same settings. A test part of a fifth of the rows is set aside, and seed s validates on a
    fifth of the others.

    Args:
        data: [n] rows: a frame of pandas (or something with `to_pandas`); a file of a table; an array of numpy or torch
            [n, F] with the columns x0, x1, …; a pair of inputs [n, F] (or a frame) and targets [n, K]; or a mapping of
            names to arrays [n] or [n, F]. An index of a frame that has a name, or holds time stamps, is its first
            column.
        targets: name of a column → kind of its task (`regression`, `classification`, `binary`, `forecast`), or settings
            of the task as params.yaml has them, such as `{"kind": "binary", "label": {"column": "quality", "at_least":
            7}, "metric": "auc"}`; or names of columns that can mean one kind alone; or a text as of `mtl init
            --targets`.
        methods: kinds of methods, such as `["equal", "upgrad"]`, or a mapping of names to kinds or settings.
        seeds: number of seeds, 0, 1, …, or a list of them. Fewer than five decide nothing.
        epochs: of a run; None: by the number of rows.
        group: column whose rows stay in one part, such as a patient; None: every row stands for itself.
        encoder: kind of encoder, its settings, or a function or class that builds an `nn.Module` from a batch [B, F] of
            z-scored numbers and coded categories to [B, D]; it is called for every network that is built, after the
            run's seed is set. None: `tabular` for rows, `recurrent` for a series.
        settings: section of params.yaml → settings, or a path with points → value, as in `{"train.lr": 3e-4}`; `source`
            holds options of the table, as `mtl init --option`.

    Returns:
        Verdicts, predictions, report and models.

    Raises:
        mtl.errors.UserError: data, targets or settings cannot be used, or a run diverges. Nothing is left behind.

    Example:
        >>> targets = {"quality": "regression", "good": "binary"}
        >>> result = mtl.compare(frame, targets, seeds=2, epochs=1)  # without the last two for results
        >>> list(result.verdicts.verdict_in_words)
        ['not known: too few seeds', 'not known: too few seeds']
    """
    from mtl.api.compare import compare  # here, so that `import mtl` does not load torch

    return compare(data, targets, methods, seeds, epochs, group, encoder, settings)


def open(folder: str | Path) -> "Result":
    """Results of a project, as `mtl.compare` returns them.

    Args:
        folder: of the project, evaluated by `mtl repro` or saved by `Result.save`.

    Raises:
        mtl.errors.UserError: it holds no project, or one that was not evaluated yet.

    Example:
        >>> place = result.save("wines")
        >>> mtl.open("wines").verdicts.equals(result.verdicts)
        True
    """
    from mtl.api.folders import path_of  # here, so that `import mtl` does not load torch
    from mtl.api.opened import open_project

    return open_project(path_of(folder))


def balancer(method: str, tasks: "Mapping[str, str] | Sequence[str]", seed: int = 0, **settings: Any) -> "LoopBalancer":
    """A balancing method for a training loop of one's own: `balancer.backward(losses)` in the place of
    `sum(losses).backward()`.

    Args:
        method: kind of the method, such as `pcgrad`, `upgrad` or `uncertainty`.
        tasks: names, or a mapping of names to kinds of tasks for methods that treat numbers and classes differently.
        seed: of methods that draw.
        settings: of the method, as in the section `finetune.methods` of params.yaml, such as `features="features"`.

    Returns:
        The balancer; what it learns, if anything, are its `parameters()`.

    Raises:
        mtl.errors.UserError: there is no such method, task or setting.

    Example:
        >>> import torch
        >>> shared = torch.nn.Parameter(torch.zeros(2))
        >>> balancer = mtl.balancer("pcgrad", tasks=["a", "b"])
        >>> losses = {"a": shared @ torch.tensor([1.0, 0.0]), "b": shared @ torch.tensor([-1.0, 1.0])}
        >>> weights = balancer.backward(losses)
        >>> shared.grad
        tensor([0.5000, 1.5000])
    """
    from mtl.api.balancer import balancer  # here, so that `import mtl` does not load torch

    return balancer(method, tasks, settings, seed)


def load_model(folder: str | Path) -> "Model":
    """A finished model, ready to predict.

    Args:
        folder: of a deployed model, such as models/auto, or of a run, such as outputs/finetune/NAME/seed-0, or a copy
            of either. Nothing else is read, except for a network of one's own code: its file in plugins/ of the current
            folder.

    Raises:
        mtl.errors.UserError: a file of the folder is missing, damaged or of a newer version, or the own code that built
            the network is not there or has changed.

    Example:
        >>> place = result.model("auto").save("best")
        >>> sorted(mtl.load_model("best").tasks)
        ['good', 'quality']
    """
    from mtl.api.folders import path_of  # here, so that `import mtl` does not load torch
    from mtl.serving.load import load_model

    return load_model(path_of(folder))


def verdicts(
    stl: object,
    joint: object,
    metric: str | Mapping[str, str] | None = None,
    lower_is_better: bool | Mapping[str, bool] | None = None,
    margin: float | Mapping[str, float] = 0.01,
    confidence: float = 0.95,
    blocks: object = None,
    tasks: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Verdicts on joint training of each task, by test values of runs of one's own: words and intervals of the report.

    Args:
        stl: values of the single-task runs: a mapping of tasks to [n] metrics, one a seed, or to [n, N] values of the N
            test samples, whose mean is the metric; a frame with a row for each seed and a column for each task; or an
            array [n] or [n, K]. Arrays are of numpy or torch, or lists. With samples the verdicts also cover the choice
            of test data.
        joint: values of the joint runs of the same seeds, in the same form; or a mapping of methods to such forms.
            Frames and series are paired by their index.
        metric: name of a metric that mtl knows, such as `mse` or `accuracy`, or a mapping of tasks to names.
        lower_is_better: direction of metrics of other names, or a mapping of tasks to directions.
        margin: relative change that is too little to matter, a share, or a mapping of tasks to shares.
        confidence: of the intervals.
        blocks: [N] names of blocks of test samples that are alike, such as patients or stretches of a series, or a
            mapping of tasks to them. None: each sample stands for itself.
        tasks: names of the K columns of an array.

    Returns:
        A row for each method and task, with the columns of `Result.verdicts` but those on simple models. `change` is in
        percent of the single-task value, positive is better. Verdicts allow for all rows (Holm 1979); fewer than five
        seeds decide nothing.

    Raises:
        mtl.errors.UserError: values are no numbers, cannot be paired, or are of fewer than two seeds.

    Example:
        >>> stl, joint = [0.50, 0.52, 0.51, 0.49, 0.50], [0.40, 0.41, 0.42, 0.39, 0.40]
        >>> mtl.verdicts(stl, joint, metric="mse").verdict_in_words[0]
        'HELPED'
    """
    from mtl.api.judged import Wish, verdicts  # here, so that `import mtl` does not load torch

    return verdicts(stl, joint, Wish(metric, lower_is_better, margin, confidence, blocks, tasks))


def data_map(predictions: object, targets: object, kind: str) -> "pd.DataFrame":
    """The data map of a task (Swayamdipta et al. 2020, arXiv 2009.10795), from predictions after each epoch of a
    training of one's own.

    Args:
        predictions: of the same n samples, in one order, after each of E epochs: an array [E, n, …], or a list of
            arrays or frames [n, …]. Of a classification the probabilities [n, k] of its classes, of a binary task [n]
            that of the second one, of a regression numbers [n], of a forecast [n, H].
        targets: [n] numbers of classes, or names of columns of the frames; else numbers. NaN where a sample has none.
        kind: of the task.

    Returns:
        A row for each sample: `confidence`, mean probability of the true class; `variability`, its standard deviation
        over the epochs; `correctness`, share of epochs in which it was predicted. Numbers have no such probability; in
        its place stands exp(−e / 2s²) with the squared error e and s² the median of e in the first epoch, and e ≤ s²
        counts as right.

    Raises:
        mtl.errors.UserError: they are of other forms, not finite, no probabilities, or of one epoch.

    Example:
        >>> said = [[0.9, 0.4, 0.2], [0.7, 0.6, 0.2]]  # after each of two epochs
        >>> mtl.data_map(said, [1, 1, 0], "binary").round(2)
           confidence  variability  correctness
        0         0.8          0.1          1.0
        1         0.5          0.1          0.5
        2         0.8          0.0          1.0
    """
    from mtl.api.datamap import data_map  # here, so that `import mtl` does not load torch

    return data_map(predictions, targets, kind)


def cluster(
    data: object,
    relation: str | Mapping[str, Any] = "map",
    clusters: int | str = "auto",
    algorithm: str | Mapping[str, Any] = "kmeans",
    choose_by: str = "silhouette",
    seed: int = 0,
) -> "TaskGroups":
    """Groups of tasks that belong together, found as the stage `cluster` finds them.

    Args:
        data: for `map` and `summary` a mapping of tasks to their data maps; for the other relations numbers, a row for
            each task, as a frame with the tasks as index, or an array. A list has an entry for each run, whose features
            are laid end to end.
        relation: `map` compares data maps sample by sample, `summary` by where their samples lie, also of different
            samples; `gradient_cosine` takes cosines [K, K], `lookahead` affinities [K, K] of the row's task onto the
            column's, `features` any features [K, F]. A mapping holds settings too: `{"kind": "summary", "bins": 5}`.
        clusters: their number; `auto` takes the best by `choose_by`.
        algorithm: `fuzzy`, `kmeans`, `hard`, `gaussian_mixture` or `network_selection`, or a mapping with settings.
        choose_by: `silhouette` or `partition_coefficient`.
        seed: draws the first centroids.

    Returns:
        Groups, memberships, distances, and how far the groups of single runs agree.

    Raises:
        mtl.errors.UserError: the data have another form, hold fewer than two tasks, or do not go with the relation.

    Example:
        >>> features = [[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]]
        >>> mtl.cluster(features, relation="features", clusters=2)
        <groups of tasks: task0, task1 | task2, task3>
    """
    from mtl.api.groups import cluster  # here, so that `import mtl` does not load torch

    return cluster(data, relation, clusters, algorithm, choose_by, seed)
