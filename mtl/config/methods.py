"""What every run starts from, and what every joint method has."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.common import Name, Section


class Start(Section):
    """What a run starts from and what of it is trained."""

    init: Literal["random", "pretrained"] = "random"
    freeze: Literal["none", "encoder"] = "none"

    @property
    def label(self) -> str:
        """Folder and display name, e.g. `pretrained-frozen`."""
        return self.init + ("-frozen" if self.freeze == "encoder" else "")


class MethodBase(Start):
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Tasks trained together; null takes all."""
