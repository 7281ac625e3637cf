"""`mtl init`: a project of one's own, all of it or nothing."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl.cli.init import question
from mtl.cli.inspection import parse_options
from mtl.config import parse_config
from mtl.config.names import some_names
from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.config.yaml_file import parse_yaml
from mtl.data.columns.section import is_input
from mtl.data.files.manifest import shipped_manifest
from mtl.data.files.register import add
from mtl.errors import UserError
from mtl.project.places import TEMPLATE
from mtl.setup import place, presets
from mtl.setup.draft import Draft, raw_path
from mtl.setup.images import ignored, own_images
from mtl.setup.left_out import left_out
from mtl.setup.mixtures import taken_mixture
from mtl.setup.source import check_grouping
from mtl.setup.spelling import parse_targets, quoted
from mtl.setup.table import Own, read_own
from mtl.setup.targets import Ask, Target, choose

SETTINGS = tuple(
    name
    for name in {**TableSource.model_fields, **SeriesSource.model_fields}
    if name not in ("kind", "path", "also", "file_column")
)
"""Settings of the source that `--option` may name."""


@dataclass(frozen=True)
class New:
    """A project that is made.

    Args:
        folder: where.
        what: what it is about, a sentence.
        said: sentences on what was found out and chosen.
        commands: the three that come next, each with a word on it.
        bring_data: puts raw data and manifests into the folder, and returns the text of params.yaml.
    """

    folder: Path
    what: str
    said: list[str]
    commands: list[tuple[str, str]]
    bring_data: Callable[[], str]


def init(
    folder: Path,
    data: Path | None = None,
    targets: str | None = None,
    group: str | None = None,
    preset: str | None = None,
    given: Sequence[str] = (),
) -> None:
    """Makes a project and says what comes next.

    Args:
        folder: of the project; made if it is missing.
        data: the user's table; None: the data of the preset.
        targets: as `--targets` spells them; None: they are asked for.
        group: column whose rows stay together.
        preset: whose settings are taken; None: those for the number of rows, or without data the default preset.
        given: settings of the source, each `name=value` with a value as params.yaml has it.

    Raises:
        UserError: something is missing, is wrong or is in the way; nothing was written.
    """
    place.check_folder(folder)
    if data is None:
        for option, value in (("--targets", targets), ("--group", group), ("--option", given or None)):
            if value is not None:
                raise UserError(f"{option} is for a table of your own: name it by --data FILE, or leave {option} out.")
        new = _of_preset(folder, preset or presets.DEFAULT)
    else:
        new = _of_table(folder, data, targets, group, preset, given)
    commands = place.command_lines(new.commands)
    readme = place.readme(folder.resolve().name, new.what, new.commands)
    kept = place.write_project(folder, readme, new.bring_data)
    print(f"{folder}: {new.what}")
    for sentence in [*new.said, place.begin_git(folder)]:
        print(f"  {sentence}")
    if kept:
        print(f"  Files that were there stay as they are: {', '.join(kept)}.{_gitignore_note(kept)}")
    where = [] if folder.resolve() == Path().resolve() else [f"cd {folder}"]
    print("Next:")
    for line in [*where, *commands]:
        print(f"  {line}")


def _of_preset(folder: Path, preset: str) -> New:
    """A project with the data and the settings of a preset."""
    text = presets.render(preset, folder)
    sources = parse_config(parse_yaml(text, preset)).prepare.sources
    fetched = [name for name in sources if (manifest := shipped_manifest(name)) is not None and manifest.known]
    what = f"the preset {preset}. {presets.describe(preset, folder)}"

    def bring() -> str:
        presets.bring_files(text, folder)
        return text

    first = (
        (f"mtl data get {' '.join(fetched)}", "fetches the raw data") if fetched else ("mtl validate", place.VALIDATE)
    )
    last = ("mtl ui", "every run, in MLflow") if not fetched else ("mtl show", "prints the verdicts again")
    return New(folder, what, [], [first, ("mtl repro", place.REPRO), last], bring)


def _of_table(
    folder: Path, data: Path, targets: str | None, group: str | None, preset: str | None, given: Sequence[str]
) -> New:
    """A project with the user's table."""
    if preset is not None:
        presets.text_of(preset, folder)
    place.check_copy(data, folder) if data.is_file() else None
    options = parse_options(list(given), SETTINGS)
    wished, mixed = options.pop("images", None), taken_mixture(options)
    own = read_own(data, options)
    ask: Ask | None = question.ask if question.at_terminal() else None
    chosen = choose(parse_targets(targets if targets is not None else _asked(own, ask), own.columns), own, ask)
    if group is not None:
        check_grouping(group, own, chosen)
    images = own_images(own, wished, [target.column for target in chosen], ignored(own))
    draft = Draft(own, chosen, group, preset, images=images, parts=mixed).tried()

    def bring() -> str:
        brought = [data] if images is None or images.folder is None else [data, images.folder]
        manifest = add(draft.source, brought, folder)
        text = draft.text(raw_path(data, list(manifest.files)))
        presets.bring_files(text, folder)
        return text

    said = [*own.notes, *_chosen(chosen), *(f"{column} is no input: {why}." for column, why in draft.told.items())]
    said += [images.sentence(bool(mixed))] if images is not None and images.told is not None else []
    said += _doubts(own, [*(target.column for target in chosen), *draft.told])
    if own.sentences:
        more = [quoted(name) for name in own.candidates if all(target.column != name for target in chosen)]
        said += [f"Tags that are not learnt: {some_names(more)}."] if more else []
    elif not own.file.is_dir():
        said += left_out(own, draft.section, [*(target.column for target in chosen), *draft.told])
    said += [
        *_groups(own, chosen, group),
        *(f"{note}." if note[-1].isalnum() else note for note in draft.notes),
        *_alone(chosen),
    ]
    return New(folder, draft.title, said, list(place.NEXT), bring)


def _asked(own: Own, ask: Ask | None) -> str:
    """The targets that the user names at a terminal.

    Raises:
        UserError: there is no terminal; the message lists the columns.
    """
    columns = some_names([quoted(column) for column in own.candidates])
    if ask is None:
        raise UserError(
            f"--targets is missing: which columns of {own.file} should be predicted? It has {columns}; name them by "
            "commas, as in --targets 'COLUMN,NAME=COLUMN>=NUMBER'."
        )
    print(f"{own.file} has {own.rows:,} rows and the columns {columns}.")
    return question.answered("Which should be predicted? Names, parted by commas: ")


def _chosen(targets: Sequence[Target]) -> list[str]:
    return [f"{target.name}: {target.kind} of {target.column} ({target.why})." for target in targets]


def _doubts(own: Own, elsewhere: Collection[str]) -> list[str]:
    """A sentence on each column that is read as something else than it seems to be, and one on how that is changed."""
    told = [f"{fact.name}: {doubt}." for fact in own.facts if fact.name not in elsewhere for doubt in fact.doubts]
    if told:
        told.append("Such settings stand in params.yaml, or are given here, as in --option 'types={NAME: TYPE}'.")
    return told


def _groups(own: Own, targets: Sequence[Target], group: str | None) -> list[str]:
    """A sentence on each column that seems to name whom rows belong to, where none of them keeps rows together."""
    if group is not None or "split" in own.options:
        return []
    learnt = {target.column for target in targets}
    named = [fact.name for fact in own.facts if fact.group and is_input(fact) and fact.name not in learnt]
    return [
        f"{name} seems to name what rows belong to: with --group {quoted(name)} the rows of each stay in one part, and "
        "results hold for new ones."
        for name in named
    ]


def _alone(targets: Sequence[Target]) -> list[str]:
    if len(targets) > 1:
        return []
    return ["There is one task, so nothing is trained together with it: a second target makes a comparison."]


def _gitignore_note(kept: Sequence[str]) -> str:
    if ".gitignore" not in kept:
        return ""
    lines = [line for line in (TEMPLATE / "gitignore").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return f" Lines that .gitignore should have: {' '.join(lines)}"
