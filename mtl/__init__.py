"""mtl: should related tasks be trained together, how, and what does it cost?"""

from pathlib import Path
from typing import TYPE_CHECKING

from mtl.version import __version__

if TYPE_CHECKING:
    from mtl.serving.model import Model

__all__ = ["__version__", "load_model"]


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
