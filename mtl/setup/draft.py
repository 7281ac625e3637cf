"""params.yaml of a table with its targets, tried on the file before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mtl.config.yaml_file import parse_yaml
from mtl.data.columns.section import source_name
from mtl.data.files.manifest import RAW
from mtl.errors import CopyError, OptionValue
from mtl.setup.budget import budget
from mtl.setup.check import NEW, tried
from mtl.setup.images import OwnImages
from mtl.setup.mixtures import fill_mixture, mixed_template
from mtl.setup.overlay import overlaid
from mtl.setup.params import fill_budget, fill_tasks, put, rendered, template
from mtl.setup.source import INDENT, fill_images, fill_series, fill_table, lengths, split_of
from mtl.setup.table import Own
from mtl.setup.targets import Target
from mtl.setup.texts import fill_texts, own_text


@dataclass(frozen=True)
class Draft:
    """A project's settings before they have a place.

    Args:
        own: the table.
        targets: the tasks.
        group: column whose rows stay together; None: every row stands for itself.
        preset: whose training settings are taken; None: those for the number of rows.
        overlay: text of sections that are laid over them; empty: none.
        told: input that gives a target away → how, so that it is none.
        notes: sentences on inputs that nearly tell a target.
        images: files that a column names, which are then the input, or one of `parts`; None: there are none.
        parts: inputs of several kinds, column → type; empty: they are of one.
    """

    own: Own
    targets: Sequence[Target]
    group: str | None = None
    preset: str | None = None
    overlay: str = ""
    told: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    images: OwnImages | None = None
    parts: dict[str, OptionValue] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Path of the file → the text for it, which takes half a second."""

    @property
    def source(self) -> str:
        """Name of the source, after the file."""
        return source_name(self.own.file.name.split(".")[0])

    @property
    def title(self) -> str:
        """Sentence on tasks, file and rows."""
        tasks = ", ".join(f"{target.name} ({target.kind})" for target in self.targets)
        return f"{tasks} from {self.own.file.name}, {self.own.rows:,} rows."

    @property
    def section(self) -> Mapping[str, Any]:
        """Section of the source, as the text that was tried has it."""
        section: Mapping[str, Any] = parse_yaml(self.text(self._tried_path), NEW)["prepare"]["sources"][self.source]
        return section

    @property
    def _tried_path(self) -> str:
        """Path of the file as long as it has no place."""
        return str(RAW / self.own.file.name)

    def text(self, path: str) -> str:
        """Text of params.yaml, of a table, or of a series where a task looks ahead in it.

        Args:
            path: of the file, relative to the project's folder.
        """
        if path not in self._texts:
            self._texts[path] = self._made(path)
        return self._texts[path]

    def _made(self, path: str) -> str:
        series = any(target.in_time for target in self.targets)
        alone = not series and self.images is None and not self.parts
        words = own_text(self.own, self.targets, self.group) if alone else None
        named = "table" if words is None else "texts"
        if self.parts and not series:
            sections = mixed_template()
        else:
            sections = template("series" if series else named if self.images is None else "images")
        section = sections["prepare"]["sources"].pop("SOURCE")
        sections["prepare"]["sources"][self.source] = section
        put(section, "path", path, INDENT)
        tasks = fill_tasks(sections, self.source, self.targets, lengths(self.own) if series else {})
        if series:
            fill_series(section, self.own, tasks, self.told)
        elif self.parts:
            inputs = {name: kind for name, kind in self.parts.items() if name not in self.told}
            split = split_of(self.own, self.targets, self.group)
            fill_mixture(section, self.own, self.targets, inputs, split, self.images)
        elif self.images is not None:
            fill_images(section, self.own, self.targets, self.group, self.images)
        elif words is not None:
            fill_texts(section, self.own, words, self.targets, split_of(self.own, self.targets, self.group))
        else:
            fill_table(section, self.own, self.targets, self.group, self.told)
        fill_budget(sections, budget(self.own.rows), self.own.rows)
        text = rendered(self.title, sections, self.preset)
        return overlaid(text, self.overlay, NEW) if self.overlay else text

    def tried(self) -> "Draft":
        """The same draft after it was tried on the file: inputs that are copies of a target are no inputs any more.

        Raises:
            UserError: the settings contradict each other or the file.
        """
        told = dict(self.told)
        while True:
            draft = replace(self, told=told, notes=[], _texts={})
            folder = None if self.images is None else self.images.folder
            try:
                notes = tried(draft.text(self._tried_path), self.own.file, self.preset, folder)
            except CopyError as error:
                if error.column in told:
                    raise
                told[error.column] = f"{error.relation}; to let it in, name it among the inputs and in `allow`"
            else:
                return replace(draft, notes=notes)


def raw_path(file: Path, files: Sequence[str]) -> str:
    """Path of a file below data/raw, as the project's manifest names it.

    Args:
        file: the user's.
        files: of the manifest.
    """
    if file.is_dir():  # of images: all files have a place in it
        return (RAW / file.resolve().name).as_posix()
    return (RAW / [name for name in files if Path(name).name == file.name][-1]).as_posix()
