"""Commands on finished models; each imports its own modules, so that `mtl --help` is there at once."""

from pathlib import Path
from typing import Annotated

import typer

ROOT = Path()


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
    from mtl.cli.deploy.deploy import Wish
    from mtl.cli.deploy.deploy import deploy as run
    from mtl.errors import UserError
    from mtl.results.deployment import Seeds

    words: dict[str, Seeds] = {"best": "best", "ensemble": "ensemble"}
    if seeds not in words and not seeds.isdecimal():
        raise UserError(f"--seeds should be best, ensemble or a seed, found {seeds!r}.")
    asked = words[seeds] if seeds in words else int(seeds)
    wanted = None if tasks is None else [task.strip() for task in tasks.split(",") if task.strip()]
    run(Wish(method, asked, wanted, name), ROOT)
