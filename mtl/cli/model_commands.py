"""Commands on finished models; each imports its own modules, so that `mtl --help` is there at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mtl.results.deployment import Seeds

ROOT = Path()
app = typer.Typer()


@app.command()
def deploy(
    method: Annotated[
        str,
        typer.Option(metavar="auto|stl|simple|NAME", help="auto: by the verdicts; else for every task this method."),
    ] = "auto",
    seeds: Annotated[
        str, typer.Option(metavar="best|ensemble|SEED", help="Best on validation data, the mean of all, or one seed.")
    ] = "best",
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are answered; else all.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the folder below models/; else the method's.")] = None,
) -> None:
    """Put the models that the verdicts recommend into models/NAME, with their reasons and a model card."""
    from mtl.api.deployment.deploy import Wish
    from mtl.cli.deploy import deploy as run

    run(Wish(method, _seeds(seeds), None if tasks is None else _names(tasks), name), ROOT)


@app.command()
def refit(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD", help="auto: by the verdicts; stl, simple, a method or a grouping: for every task."
        ),
    ],
    on: Annotated[
        str, typer.Option(metavar="train+val|all", help="Data that are trained on; of all, no test part is left.")
    ] = "train+val",
    seeds: Annotated[
        str, typer.Option(metavar="best|ensemble|SEED", help="Best on validation data, the mean of all, or one seed.")
    ] = "best",
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are answered; else all.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the folder below models/; else METHOD-refit or METHOD-refit-all.")
    ] = None,
) -> None:
    """Train recommended settings again on more data, for the epochs that validation chose, into models/NAME."""
    from mtl.api.deployment.deploy import Wish
    from mtl.api.deployment.refit import EXTENTS, Refit
    from mtl.cli.refit import refit as run
    from mtl.config.common import Extent
    from mtl.errors import UserError

    extents: dict[str, Extent] = {extent: extent for extent in EXTENTS}
    if on not in extents:
        raise UserError(f"--on should be one of {', '.join(extents)}, found {on!r}.")
    run(Refit(Wish(method, _seeds(seeds), None if tasks is None else _names(tasks), name), extents[on]), ROOT)


@app.command()
def predict(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A table, the rows up to now of a series, or an .npz.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File of predictions, .parquet or .csv.")],
    model: Annotated[
        Path | None, typer.Option(help="Folder of a deployed model or of a run; else the only one below models/.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are predicted; else all.")] = None,
    source: Annotated[str | None, typer.Option(help="Which source the data are like, where there are several.")] = None,
    keep: Annotated[str | None, typer.Option(metavar="COLUMN,…", help="Columns of a table that are repeated.")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the reader, as in params.yaml.")
    ] = None,
    array: Annotated[str | None, typer.Option(help="Name of the array of an .npz; else `x`, or the only one.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="1 gives the figures of the evaluation to the last digit.")] = 1,
) -> None:
    """Predict new data: rows of a table, what follows a series, or windows and images in an .npz."""
    from mtl.cli.predict import predict as run
    from mtl.serving.predict import Request

    wanted = None if tasks is None else _names(tasks)
    run(
        Request(data, out, wanted, source, tuple(_names(keep or "")), _changes(options or []), array),
        model,
        threads,
        ROOT,
    )


@app.command()
def score(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A table, a series or an .npz, with targets.")],
    model: Annotated[
        Path | None, typer.Option(help="Folder of a deployed model or of a run; else the only one below models/.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Folder of another model, to compare with.")] = None,
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are scored; else all.")] = None,
    source: Annotated[str | None, typer.Option(help="Which source the data are like, where there are several.")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the reader, as in params.yaml.")
    ] = None,
    array: Annotated[str | None, typer.Option(help="Name of the array of an .npz; else `x`, or the only one.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File of the scores, .json.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="1 gives the figures of the evaluation to the last digit.")] = 1,
) -> None:
    """Score a finished model on new data with their targets, beside its test figures and another model."""
    from mtl.cli.score import score as run
    from mtl.serving.score import Labelled

    wanted = None if tasks is None else _names(tasks)
    run(Labelled(data, wanted, source, _changes(options or []), array), model, against, out, threads, ROOT)


@app.command()
def export(
    form: Annotated[
        str, typer.Option("--to", metavar="onnx|torch|mlflow", help="ONNX, a program of torch.export, or MLflow's.")
    ],
    model: Annotated[
        Path | None, typer.Option(help="Folder of a deployed model or of a run; else the only one below models/.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Place of the export; else the model's name.")] = None,
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are answered; else all.")] = None,
) -> None:
    """Write a deployed model for another runtime, checked against the model itself."""
    from mtl.cli.export import Wish
    from mtl.cli.export import export as run

    run(Wish(form, model, out, None if tasks is None else _names(tasks)), ROOT)


@app.command()
def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the model in MLflow's registry.")],
    alias: Annotated[str | None, typer.Option(help="Points to the new version from then on, such as champion.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a deployed model; else models/NAME, or the only one below models/.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are answered; else all.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also what the verdicts speak against.")] = False,
) -> None:
    """Register a deployed model in MLflow, with its verdicts as tags and its card as description."""
    from mtl.cli.register import Wish
    from mtl.cli.register import register as run

    raise typer.Exit(run(Wish(name, alias, model, None if tasks is None else _names(tasks), anyway), ROOT))


@app.command()
def serve(
    model: Annotated[
        Path | None, typer.Option(help="Folder of a deployed model or of a run; else the only one below models/.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the address; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen at; it knows no users.")] = "127.0.0.1",
    tasks: Annotated[str | None, typer.Option(metavar="TASK,…", help="Which are answered; else all.")] = None,
) -> None:
    """Serve a deployed model over HTTP, as MLflow's scoring server does, with a page to try it."""
    from mtl.cli.serve import Wish
    from mtl.cli.serve import serve as run

    run(Wish(model, port, host, None if tasks is None else _names(tasks)), ROOT)


@app.command()
def share(
    remote: Annotated[
        str | None, typer.Argument(metavar="[REMOTE]", help="DVC remote, folder or address; else the default remote.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Push raw files too.")] = False,
    prepared: Annotated[bool, typer.Option(help="Push prepared data, which hold every value.")] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Push without asking.")] = False,
) -> None:
    """Push results and models to a DVC remote, for a colleague who clones the project and trains nothing."""
    from mtl.cli.share import Wish
    from mtl.cli.share import share as run

    raise typer.Exit(run(Wish(remote, raw, prepared, yes), ROOT))


def _seeds(text: str) -> "Seeds":
    from mtl.errors import UserError

    words: dict[str, Seeds] = {"best": "best", "ensemble": "ensemble"}
    if text not in words and not text.isdecimal():
        raise UserError(f"--seeds should be best, ensemble or a seed, found {text!r}.")
    return words[text] if text in words else int(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _changes(options: list[str]) -> dict[str, Any]:
    """Options of the reader, each written as KEY=VALUE with a value of YAML."""
    import yaml

    from mtl.errors import UserError

    changes = {}
    for option in options:
        name, mark, value = option.partition("=")
        if not mark:
            raise UserError(f"--set should be KEY=VALUE, as in separator=';', found {option!r}.")
        try:
            # One character is a mark, not a piece of YAML, in which many of them mean something.
            changes[name.strip()] = value if len(value) == 1 and not value.isdigit() else yaml.safe_load(value)
        except yaml.YAMLError:
            changes[name.strip()] = value
    return changes
