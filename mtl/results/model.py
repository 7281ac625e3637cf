"""model.json: what a finished network is, so that it can be loaded with nothing but its folder."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from mtl.config.common import Extent, Number
from mtl.config.encoder import EncoderConfig
from mtl.config.inputs import PartName
from mtl.config.sharing import Sharing
from mtl.config.training import Precision
from mtl.errors import UserError
from mtl.results.content import VERSION_KEY, Part, ResultFile, absent
from mtl.results.simple import SavedSimple

MODEL, WEIGHTS = "model.json", "weights.safetensors"
MAX_BYTES = 1 << 24
"""That of a hundred tasks on a hundred columns has 0.3 MB."""
MAX_TASKS = 10_000
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SavedTokenizer(Part):
    """The pretrained network whose tokens texts are cut into."""

    model: str
    """Its folder or name."""
    sha256: Sha256
    """Hash of its tokenizer."""


class Scaler(Part):
    """Mean and standard deviation of each column over the training rows of the fold: original units, and of images
    shares of full brightness."""

    mean: list[Number]
    std: list[Annotated[Number, Field(gt=0)]]
    medians: list[Number] | None = Field(default=None, exclude_if=absent)
    """Rows: median of each number, which stands for a missing one; None where none is missing."""
    flags: list[int] | None = Field(default=None, exclude_if=absent)
    """Rows: places of the numbers that training rows lack some of."""
    quantiles: list[list[Number]] | None = Field(default=None, exclude_if=absent)
    """Rows: quantiles of each number, where ranks are seen instead of z-scores."""
    categories: list[list[str]] | None = Field(default=None, exclude_if=absent)
    """Rows: names that training rows know, of each column of categories, in the order of their codes."""
    missing: list[bool] | None = Field(default=None, exclude_if=absent)
    """Rows: whether training rows lack some, of each column of categories."""
    merges: list[str] | None = Field(default=None, exclude_if=absent)
    """Texts: pairs of tokens that are joined, the commonest first."""
    lower: bool | None = Field(default=None, exclude_if=absent)
    """Texts: capital letters are read as small ones."""
    longest: Annotated[int, Field(ge=2, le=1 << 13)] | None = Field(default=None, exclude_if=absent)
    """Texts: tokens of one, at most."""
    words: bool | None = Field(default=None, exclude_if=absent)
    """Texts: words have tags, so that the first token of each is marked."""

    tokenizer: SavedTokenizer | None = Field(default=None, exclude_if=absent)
    """Texts: whose tokens they are, in place of `merges` and `lower`."""
    pixels: Annotated[list[int], Field(min_length=3, max_length=3)] | None = Field(default=None, exclude_if=absent)
    """Images of a mixture: channels, rows and columns of pixels."""
    parts: dict[PartName, "Scaler"] | None = Field(default=None, exclude_if=absent)
    """Mixtures: what was fitted to each part."""

    @property
    def columns(self) -> int:
        """Columns of the source that it was fitted to; images of a mixture are one."""
        if self.parts is not None:
            return sum(part.columns for part in self.parts.values())
        return 1 if self.pixels is not None else self._numbers

    @property
    def _numbers(self) -> int:
        return len(self.mean) + len(self.categories or []) + (self.longest is not None)

    def problem(self) -> str | None:
        """The reason why the numbers do not belong together, in words; None where they do."""
        told = [problem for part in (self.parts or {}).values() if (problem := part.problem()) is not None]
        if told:
            return told[0]
        if self.pixels is not None and (min(self.pixels) < 1 or len(self.mean) != self.pixels[0]):
            return "`pixels` should begin with the number of channels"
        count, groups = len(self.mean), len(self.categories or [])
        if not (count == len(self.std) == len(self.medians or self.mean) == len(self.quantiles or self.mean)):
            return "should have a number of every kind for each column"
        if any(not 0 <= place < count for place in self.flags or []) or self.flags != sorted(set(self.flags or [])):
            return "`flags` should be ascending places of columns" if self.flags else None
        learnt = self.merges is not None
        if (self.lower is not None) != learnt or (self.longest is not None) != (learnt or self.tokenizer is not None):
            return "`merges`, `lower` and `longest` should stand together"
        if learnt and self.tokenizer is not None:
            return "there should be either `merges` or `tokenizer`"
        if groups != len(self.missing or []):
            return "`missing` should have an entry for each column of `categories`"
        if len({len(knots) for knots in self.quantiles or []}) > 1:
            return "`quantiles` should have as many numbers for each column"
        return None


class ModelInput(Part):
    """Samples of one source."""

    kind: str
    """Windows, images or rows."""
    columns: list[str]
    """Names of the channels, or of the numbers of a row, in order."""
    scaler: Scaler
    units: dict[str, str]
    """Column or numeric target → unit in words, where it is known."""


class Code(Part):
    """A user's own code that the network is built by."""

    target: str
    sha256: Sha256
    """Hash of the file below plugins/ that the target names."""


class MadeAgain(Part):
    """A finished run that was made once more, from more data, for the epochs that its validation part had chosen."""

    extent: Extent
    """Parts that it was trained on."""
    epochs: list[int]
    """Epochs of each phase."""


class SavedModel(ResultFile):
    """The network or simple model of a finished run: what is beside its weights."""

    stage: Literal["simple", "baseline", "finetune", "specialise"]
    name: str
    start: str
    seed: int
    tasks: Annotated[list[dict[str, JsonValue]], Field(min_length=1, max_length=MAX_TASKS)]
    """Every task that the network has a head for, in order, as `mtl.tasks.plain` writes one."""
    judged: Annotated[list[str], Field(min_length=1)]
    """Names of those that the run is measured by."""
    sources: dict[str, ModelInput]
    """Source → its samples."""
    encoder: EncoderConfig | None
    """None for a simple model."""
    simple: SavedSimple | None = Field(default=None, exclude_if=absent)
    """None for a network."""
    sharing: Sharing
    precision: Precision = Field(default="float32", exclude_if=lambda value: value == "float32")
    """Numbers in which the encoder computes."""
    code: Code | None
    again: MadeAgain | None = Field(default=None, exclude_if=absent)
    """None for a run whose epochs were chosen on a validation part of its own."""
    versions: dict[str, str]
    """Package → the version of it that trained the network."""
    data: Sha256
    """Hash of the prepared sources of the whole configuration."""
    weights: Sha256
    """Hash of the file of weights beside this one."""

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it, with the version, which readers outside of mtl want to see."""
        return {VERSION_KEY: self.version} | super().plain()

    @classmethod
    def of_folder(cls, folder: Path, remedy: str | None = None) -> "SavedModel":
        """Reads model.json of a run's folder.

        Args:
            folder: of the run.
            remedy: command that makes it anew; None: the folder may be a copy.

        Raises:
            UserError: there is none, it is damaged, of a newer version, or holds something else.
        """
        file = folder / MODEL
        if remedy is not None:
            again = f"run `{remedy} --force` to compute it again"
        else:
            again = "copy the folder of the run anew, or compute it again with `mtl repro --force`"
        try:
            with file.open("rb") as opened:
                text = opened.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            wanted = f"the folder of a finished run, such as outputs/finetune/NAME/seed-0, holds one; {again}"
            raise UserError(f"{file} is missing: {wanted}.") from None
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror or error}); {again}.") from None
        if len(text) > MAX_BYTES:
            raise UserError(f"{file} should be at most {MAX_BYTES >> 20} MiB, found more; {again}.")
        return cls.loads(text, str(file), again)
