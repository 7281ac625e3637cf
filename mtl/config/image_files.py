"""`images` of a table: the files that one of its columns names, and the size that `prepare` brings them to."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.common import Section

Side = Annotated[int, Field(ge=4, le=1024, strict=True)]
"""Rows or columns of pixels."""
Fit = Literal["crop", "pad", "stretch"]


class ImageFiles(Section):
    """Image files of JPEG, PNG, WebP or TIFF, of any size and mode."""

    folder: str | None = None
    """Folder that the names in the column start from, relative to the project's folder; null: `path` of the source,
    where that is a folder with a folder of images for each class."""
    ending: str = ""
    """Text behind every name, such as .jpg where the column holds names without it."""
    size: tuple[Side, Side] = (64, 64)
    """Rows and columns of pixels of every image as networks see it."""
    fit: Fit = "crop"
    """Way to that size: `crop` shrinks until one side fits and cuts the middle out, `pad` shrinks until both sides fit
    and fills the rest with black, `stretch` changes the proportions."""
    colour: bool = True
    """Three channels, red, green and blue; false: one of grey."""
    broken: Literal["error", "leave_out"] = "error"
    """Row whose file is missing, empty or broken, or which names none: an error, or left out and counted."""

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return 3 if self.colour else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns."""
        return (self.channels, *self.size)
