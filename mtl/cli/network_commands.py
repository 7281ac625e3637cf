"""`mtl model get`: files of networks that were trained elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from mtl.errors import exit_on_user_error

app = typer.Typer(help="Networks that were trained elsewhere, for encoders of kind huggingface.", no_args_is_help=True)


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="On the hub, as OWNER/NAME; with --from any name.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Folder with its files, instead of the hub.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of the hub; else its newest.")] = None,
) -> None:
    """Put a network into data/models/NAME: safetensors alone, known by their hashes."""
    with exit_on_user_error():
        from mtl.data.files.networks import get as fetch
        from mtl.data.formats.reading import size

        got = fetch(name, Path("."), source, revision)
        print(f"{got.folder.as_posix()}: {len(got.files)} files, {size(got.size)}; {got.origin}.")
        print(f"Next, in params.yaml: `encoder: {{kind: huggingface, model: {name}, digest: {got.digest}}}`")
        if got.tokens:
            print(f"and of the source of texts: `texts: {{tokenizer: {name}}}`; then `mtl validate`.")
