"""Raw files in a temporary workspace of DVC's, which is a copy of what git holds and lacks what git ignores."""

import os
import shutil
from pathlib import Path

from mtl.data.files.manifest import RAW, read_manifest
from mtl.data.formats.reading import reading, writing
from mtl.files import replaced
from mtl.paths import project_folder


def borrow(name: str, root: Path) -> None:
    """Puts the raw files of a source that its manifest names, and that are missing, into a temporary workspace.

    They are linked from the project's own folder, so that large files cost no space, or copied where a file system
    knows no links; that they are the right ones is checked as everywhere. In any other folder nothing happens.

    Args:
        name: of the source.
        root: folder in which a stage runs.

    Raises:
        DataError: the manifest or a file cannot be read, or the workspace cannot be written.
    """
    project = project_folder(root)
    manifest = read_manifest(name, root)
    if manifest is None or project == root.resolve():
        return
    for relative in manifest.files:
        source, target = project / RAW / relative, root / RAW / relative
        if target.exists() or not source.is_file():
            continue
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source.resolve(), target)
            except OSError:
                with reading(str(source)), replaced(target) as fresh:
                    shutil.copyfile(source, fresh)
