"""`mtl data get|add|inspect|list`: raw data files and their manifests."""

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
        bool,
        typer.Option(
            "--replace", help="Put a newer file in the place of the one of its name, or of the source's only one."
        ),
    ] = False,
) -> None:
    """Register your own file: copy it into data/raw/ and write its manifest data/raw/NAME.json."""
    with exit_on_user_error():
        import re

        from mtl.checks import bad
        from mtl.data.files.manifest import RAW, read_manifest
        from mtl.data.files.register import add as register

        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise bad("NAME", "be lower-case letters, digits and _, and start with a letter", name)
        before = read_manifest(name, Path("."))
        manifest = register(name, files or [], Path("."), replace)
        print(summary(name, list(manifest.files), Path(".")))
        gone = sorted({*(() if before is None else before.files)} - {*manifest.files})
        if gone:
            shown_files = ", ".join((RAW / file).as_posix() for file in gone[:3]) + (", …" if len(gone) > 3 else "")
            print(f"No longer a file of {name}: {shown_files}; to have several, name all of them in one command.")


def summary(name: str, files: list[str], root: Path) -> str:
    """Two lines about a registered source, however many files it has: how many, how large, where; and what comes next.

    Args:
        name: the source's name.
        files: its files, below data/raw/.
        root: folder of the project.
    """
    from os.path import commonpath

    from mtl.data.files.manifest import RAW
    from mtl.data.formats.reading import size

    manifest = RAW / f"{name}.json"
    if not files:
        return f"{name}: registered in {manifest} as a source without files.\n{_next_step(name, files, root)}"
    if len(files) == 1:
        where = RAW / files[0]
    else:
        where = RAW / commonpath([Path(file).parent for file in files])
    count = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
    held = size(sum((root / RAW / file).stat().st_size for file in files))
    return (
        f"{name}: {count}, {held}, in {where.as_posix()}; {manifest} holds the hashes.\n{_next_step(name, files, root)}"
    )


def _next_step(name: str, files: list[str], root: Path) -> str:
    """The command that makes use of a source that was registered with these files, below data/raw/."""
    from mtl.config.yaml_file import read_yaml
    from mtl.data.files.manifest import RAW
    from mtl.errors import ConfigError

    try:
        params = read_yaml(root / "params.yaml")
        named = name in params["prepare"]["sources"]
        path = params["prepare"]["sources"][name].get("path") if named else None
    except (ConfigError, KeyError, TypeError, AttributeError):  # None yet, or one that `mtl validate` will complain of.
        named, path = False, None
    if not named:
        return f"Next: describe it as `prepare.sources.{name}` in params.yaml, then run `mtl validate`."
    places = [(RAW / file).as_posix() for file in files]
    if isinstance(path, str) and files and not any(place.startswith(path) for place in places):
        return f"Next: let `prepare.sources.{name}.path` name {places[0]}, found {path!r}; then run `mtl repro`."
    return "Next: `mtl repro`."


@app.command()
def inspect(
    target: Annotated[str, typer.Argument(metavar="FILE|SOURCE", help="A table, or a source of params.yaml.")],
    separator: Annotated[
        str | None, typer.Option("--separator", help="What parts two cells, such as ';' or '\\t'; found out otherwise.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the reader, such as decimal=, or skip_rows=2.")
    ] = None,
    plain_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the types of a table's columns, why, and what to look at; then the section of params.yaml for it."""
    with exit_on_user_error():
        from mtl.cli.inspection import inspect as run

        run(target, separator, option or [], plain_json, Path("."))


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
