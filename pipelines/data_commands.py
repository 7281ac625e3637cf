"""`mtl data get|add|list`: raw data files and their manifests."""

from pathlib import Path
from typing import Annotated

import typer

from mtl.errors import exit_on_user_error

app = typer.Typer(help="Data files in data/raw/: fetch known sets, register your own.", no_args_is_help=True)


@app.command()
def get(
    names: Annotated[list[str], typer.Argument(help="Known data sets; `mtl data list` shows them.")],
    mirror: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files and their SHA256SUMS, instead of the network.")
    ] = None,
) -> None:
    """Fill data/raw/ with known public data sets, checked against their manifests."""
    with exit_on_user_error():
        from mtl.data.files.download import get as fetch
        from mtl.data.files.manifest import read_manifest

        root = Path(".")
        for item in fetch(names, root, mirror):
            print(f"{item.path}: {item.origin}")
        for name in names:
            manifest = read_manifest(name, root)
            if manifest is not None and manifest.licence:
                print(f"{name}: {manifest.licence}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the source, as in prepare.sources.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Its file or files; none for a source that needs no file.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a newer file in the place of one of the same name.")
    ] = False,
) -> None:
    """Register your own file: copy it into data/raw/ and write its manifest data/raw/NAME.json."""
    with exit_on_user_error():
        import re

        from mtl.checks import bad
        from mtl.data.files.manifest import RAW
        from mtl.data.files.register import add as register

        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise bad("NAME", "be lower-case letters, digits and _, and start with a letter", name)
        manifest = register(name, files or [], Path("."), replace)
        print(f"{RAW / name}.json: {len(manifest.files)} file{'' if len(manifest.files) == 1 else 's'} registered")
        for relative in manifest.files:
            print(f"  {RAW / relative}")


@app.command("list")
def show() -> None:
    """Show the known data sets, their licences, and which are present."""
    with exit_on_user_error():
        from rich.console import Console
        from rich.table import Table

        from mtl.data.files.download import is_present, known_sets

        table = Table("name", "data set", "licence", "present")
        for name, manifest in known_sets(Path(".")).items():
            table.add_row(name, manifest.title, manifest.licence, "yes" if is_present(manifest, Path(".")) else "no")
        Console().print(table)
