"""The source of a new project whose inputs are columns of a table with one of image files, one of texts, or both."""

from collections.abc import Mapping, Sequence

from ruamel.yaml.comments import CommentedMap

from mtl.config.table_source import ONCE
from mtl.data.columns.section import is_input, why_left_out
from mtl.data.files.manifest import RAW
from mtl.errors import OptionValue, UserError
from mtl.setup.images import OwnImages
from mtl.setup.params import commented, flow, listed, put, template
from mtl.setup.source import INDENT, WRITTEN, about
from mtl.setup.table import Own
from mtl.setup.targets import Target


def taken_mixture(options: dict[str, OptionValue]) -> dict[str, OptionValue]:
    """The inputs that the options name, column → type, where one of several is an image or a text; they become types of
    columns among the options, by which the file is looked at. Empty where the options name no mixture."""
    asked = options.get("inputs")
    if not isinstance(asked, Mapping) or len(asked) < len(ONCE) or not {*map(str, asked.values())} & {*ONCE}:
        return {}
    inputs = {str(name): kind for name, kind in asked.items()}
    del options["inputs"]
    types = options.get("types")
    options["types"] = {**(types if isinstance(types, Mapping) else {}), **inputs}
    return inputs


def mixed_template() -> CommentedMap:
    """Sections of a table whose inputs are mixtures: those of a table, with an encoder of parts."""
    sections, own = template("table"), template("mixtures")
    for example in sections["tasks"].values():
        del example["linear"]  # a start at a formula, which rows alone have
    sections["encoder"] = own["encoder"]
    return sections


def fill_mixture(
    section: CommentedMap,
    own: Own,
    targets: Sequence[Target],
    inputs: Mapping[str, OptionValue],
    split: Mapping[str, object],
    images: OwnImages | None,
) -> None:
    """Puts a table with inputs of several kinds into its section.

    Args:
        section: of the source, as the template has it.
        own: the table.
        targets: the tasks of the project.
        inputs: column → type.
        split: how rows are dealt.
        images: files that a column names; None: there are none.

    Raises:
        UserError: an input is no column of the file, or a task learns it.
    """
    learnt = {target.column for target in targets}
    for name in inputs:
        if name not in own.columns or name in learnt:
            what = "a task learns it" if name in learnt else f"{own.file} has {', '.join(own.columns)}"
            raise UserError(f"--option inputs: should name columns that no task learns, found `{name}`: {what}.")
    if "split" in own.options:
        put(section, "folds", None, INDENT)
    for name, value in own.options.items():
        if name not in WRITTEN:
            put(section, name, value, INDENT)
    kinds: dict[str, str] = {fact.name: fact.kind for fact in own.facts}
    comments = {fact.name: about(fact) for fact in own.facts if fact.kind not in ONCE}
    section["inputs"] = commented({name: str(kind) for name, kind in inputs.items()}, comments)
    if images is not None:
        folder = None if images.folder is None else (RAW / images.folder.resolve().name).as_posix()
        put(section, "images", images.section(folder), INDENT)
    put(section, "types", {name: kind for name, kind in kinds.items() if name in learnt}, INDENT)
    held = {*inputs, *learnt, own.options.get("weight"), *(split.get(key) for key in ("column", "group", "stratify"))}
    left = [fact for fact in own.facts if fact.name not in held]
    reasons = {fact.name: "not named" if is_input(fact) else why_left_out(fact) for fact in left}
    section["ignore"] = listed(reasons) or flow([])
    put(section, "split", dict(split), INDENT)
