"""mtl: should related tasks be trained together, how, and what does it cost?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl.version import __version__

if TYPE_CHECKING:
    from mtl.api.balancer import LoopBalancer
    from mtl.api.result import Result
    from mtl.api.wishes import Methods, Targets
    from mtl.serving.model import Model

__all__ = ["__version__", "balancer", "compare", "load_model", "open"]


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
    """
    from mtl.api.compare import compare  # here, so that `import mtl` does not load torch

    return compare(data, targets, methods, seeds, epochs, group, encoder, settings)


def open(folder: str | Path) -> "Result":
    """Results of a project, as `mtl.compare` returns them.

    Args:
        folder: of the project, evaluated by `mtl repro` or saved by `Result.save`.

    Raises:
        mtl.errors.UserError: it holds no project, or one that was not evaluated yet.
    """
    from mtl.api.opened import open_project  # here, so that `import mtl` does not load torch

    return open_project(Path(folder))


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
    """
    from mtl.serving.load import load_model  # here, so that `import mtl` does not load torch

    return load_model(Path(folder))
