"""Files that come with the package. In the repository they are links to where people look for them."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent
"""Folder of `mtl`."""
PRESETS = FOLDER / "presets"
"""NAME.yaml; `sensors.yaml` holds every setting with a comment."""
MANIFESTS = FOLDER / "manifests"
"""NAME.json of the sources that presets name."""
PIPELINE = FOLDER / "pipeline.yaml"
"""dvc.yaml of the repository, whose stages depend on source files. By that name DVC would take it for a second one."""
PLUGINS = FOLDER / "plugins"
"""Modules of plugins/ that presets name, each NAME.py.txt: as .py they would be modules of the package."""
TEMPLATE = FOLDER / "template"
"""The other files of a new project; a name that begins with a dot there has none here."""
