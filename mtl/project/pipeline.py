"""dvc.yaml of a project that is no clone, made from that of the repository, and what an upgrade of mtl changes."""

import re
from dataclasses import dataclass
from pathlib import Path

from mtl.errors import UserError
from mtl.files import replace_text
from mtl.project.code import CODE, Code, digest, installed, read_code, write_code
from mtl.project.places import PIPELINE
from mtl.version import __version__

DVC_FILE = Path("dvc.yaml")
HEAD = f"""\
# The pipeline, written by mtl. A stage depends on the sections of params.yaml that it reads, on files of other stages,
# and on its digest in {CODE}, which stands for the installed code that it runs; `mtl repro` keeps it up to date.
"""
STAGE = re.compile(r"  (\w+):")
SOURCE = re.compile(r" *- mtl/\S+")
"""A dependency on code of the repository."""
PARAMS = re.compile(r"( *)params:")


def pipeline() -> str:
    """Text of the dvc.yaml of a project: the repository's, with digests in the place of its source files."""
    lines, stage = [], ""
    text = PIPELINE.read_text(encoding="utf-8")
    for line in text[text.index("stages:\n") :].splitlines():
        if SOURCE.fullmatch(line):
            continue
        lines.append(line)
        if begins := STAGE.fullmatch(line):
            stage = begins.group(1)
        if section := PARAMS.fullmatch(line):
            lines.append(f"{section.group(1)}  - {CODE}: [stages.{stage}]")
    return HEAD + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Upgrade:
    """Changes that the installed code asks for in a project."""

    code: Code
    text: str | None
    """Text of dvc.yaml that should be written; None: it stays as it is."""
    said: list[str]
    """Sentences on what runs again."""

    def write(self, root: Path) -> None:
        """Writes what has changed."""
        if self.text is not None:
            replace_text(root / DVC_FILE, self.text)
        if self.code != read_code(root):
            write_code(self.code, root)


def upgrade(root: Path = Path()) -> Upgrade | None:
    """The installed code beside the code that a project's results are of; nothing is written.

    Args:
        root: folder of a project.

    Returns:
        What changes; None in a clone, whose dvc.yaml names source files.

    Raises:
        UserError: dvc.yaml holds edits, and depends on a stage that the installed mtl does not have.
    """
    file = root / DVC_FILE
    held = read_code(root)
    current = file.read_text(encoding="utf-8") if file.exists() else None
    if held is None and (current is None or str(CODE) not in current):
        return None
    text = pipeline()
    edited = current is not None and current != text and (held is None or digest(current) != held.pipeline)
    code = installed(digest(text) if not edited or held is None else held.pipeline)
    if edited and current is not None:
        _check_edits(current, code)
    said = [] if held is None else _changes(held, code)
    if current is None or (current != text and not edited):
        said.append(f"{DVC_FILE} is written as mtl {__version__} has it")
        return Upgrade(code, text, said)
    return Upgrade(code, None, said)


def _changes(held: Code, code: Code) -> list[str]:
    """A sentence on the stages that an upgrade touches, and by which rooms; none if it touches none."""
    stages = [stage for stage, value in code.stages.items() if held.stages.get(stage) != value]
    if not stages:
        return []
    rooms = [room for room in {**held.rooms, **code.rooms} if held.rooms.get(room) != code.rooms.get(room)]
    versions = f"mtl {held.mtl} → {code.mtl}" if held.mtl != code.mtl else f"the installed code (mtl {code.mtl})"
    made = f"what the stage{'s' * (len(stages) > 1)} {', '.join(stages)} made is computed again"
    return [f"{versions} changed in {', '.join(rooms)}: {made}"]


def _check_edits(current: str, code: Code) -> None:
    for stage in re.findall(r"\bstages\.(\w+)\b(?=[^\n]*\])", current):
        if stage not in code.stages:
            raise UserError(
                f"{DVC_FILE}: `{CODE}: [stages.{stage}]` names a stage that mtl {code.mtl} does not have. Take it out, "
                f"or move the file away: `mtl repro` writes that of mtl {code.mtl}, without your edits."
            )
