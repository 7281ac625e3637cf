"""A column of image files in the table of a new project: which one, where the files lie, and how they are read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mtl.config.image_files import ImageFiles
from mtl.data.sources.table_images import names_of
from mtl.errors import ConfigError, OptionValue, UserError, shown
from mtl.setup.table import Own

FOLDER = "folder"
TRIED = 20
"""Names that are looked for in a folder beside the table."""


@dataclass(frozen=True)
class OwnImages:
    """Images of a user's table.

    Args:
        column: that names them.
        folder: where they lie; None where the table is a folder of images itself.
        settings: of `images` that are given.
        told: clause on the folder, where nobody named it; else None.
    """

    column: str
    folder: Path | None
    settings: dict[str, object]
    told: str | None = None

    def sentence(self, beside: bool) -> str:
        """A sentence on the folder that nobody named, and on what else the project could learn from.

        Args:
            beside: the user has named other inputs beside the images.
        """
        if beside:
            return f"{self.told}."
        return (
            f"{self.told}, which are the input: --option 'ignore=[{self.column}]' learns from the other columns, and "
            "--option 'inputs={…}', which names all inputs with their types, from both."
        )

    def section(self, folder: str | None) -> dict[str, object]:
        """The section `images`.

        Args:
            folder: of the files, as params.yaml names it.
        """
        files = ImageFiles.model_validate({**self.settings, FOLDER: folder})
        return files.model_dump(mode="json") | {"size": list(files.size)}


def own_images(
    own: Own, given: OptionValue | None, learnt: Collection[str], ignored: Collection[str]
) -> OwnImages | None:
    """The images of a table; None where no column names any.

    Args:
        own: the table.
        given: value of the option `images`; None where it is not given.
        learnt: columns that tasks learn.
        ignored: columns that are left out.

    Raises:
        UserError: the option is missing, or there are no images or several columns of them.
    """
    named = [fact.name for fact in own.facts if fact.kind == "image" and fact.name not in (*learnt, *ignored)]
    if given is None and not named and not own.file.is_dir():
        return None
    settings = {} if given is None else _checked(given)
    if len(named) != 1:
        told = ", ".join(named) or "none"
        raise UserError(
            f"--option images: {own.file} should have one column of image files, found {told}: --option "
            "'types={NAME: image}' says which one is, and --option 'ignore=[NAME]' leaves one out."
        )
    folder = settings.pop(FOLDER, None)
    if own.file.is_dir():
        return OwnImages(named[0], None, settings)
    if folder is None:
        near = _beside(own, named[0])
        return OwnImages(named[0], near, settings, f"{named[0]} names image files in {near}")
    if not isinstance(folder, str) or not Path(folder).is_dir():
        raise UserError(f"--option images: `folder` should be the folder of the image files, found {shown(folder)}.")
    return OwnImages(named[0], Path(folder), settings)


def _beside(own: Own, column: str) -> Path:
    """The one folder beside a table that holds the first files which a column names.

    Raises:
        UserError: there is none, or there are several.
    """
    names = [name for name in names_of(own.table, column) if name is not None][:TRIED]
    beside = sorted(path for path in own.file.absolute().parent.iterdir() if path.is_dir())
    # As the user writes the table's place, so that messages name what can be typed.
    holding = [own.file.parent / folder.name for folder in beside if all((folder / name).is_file() for name in names)]
    if len(holding) == 1 and names:
        return holding[0]
    why = f"{' and '.join(map(str, holding))} hold them" if holding else "no folder beside the table holds them"
    raise UserError(
        f"{own.file}: `{column}` names image files, and {why}: --option 'images={{folder: DIR}}' says where they lie "
        f"and learns from them; --option 'ignore=[{column}]' learns from the other columns."
    )


def _checked(given: OptionValue) -> dict[str, object]:
    """The settings.

    Raises:
        ConfigError: one that there is not, or a value that it cannot have.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"--option images should be settings such as {{folder: photos}}, found {shown(given)}.")
    try:
        ImageFiles.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        known = ", ".join(ImageFiles.model_fields)
        told = (
            f"is none of {known}"
            if first["type"] == "extra_forbidden"
            else first["msg"].replace("Input should", "should")
        )
        raise ConfigError(f"--option images: `{place}` {told}, found {shown(first.get('input'))}.") from None
    return dict(given)


def ignored(own: Own) -> list[str]:
    """Columns that the options leave out."""
    named = own.options.get("ignore")
    return [str(name) for name in named] if isinstance(named, list) else []
