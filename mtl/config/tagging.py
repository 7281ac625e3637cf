"""Section of a task that learns a class at every position of a sample: a tag of each word of a text, or of each row of
a series."""

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal, get_args

from mtl.config.cells import Cells
from mtl.config.inputs import Held, InputKind, SourceBase
from mtl.config.judging import judged_by
from mtl.config.metrics import Family, TagMetric
from mtl.config.names import some_names
from mtl.config.narrowed import NarrowedF1
from mtl.config.task_base import TaskBase, read_off
from mtl.errors import SettingError, shown


class TaggingTask(NarrowedF1, TaskBase):
    """A tag of each word of a text or of each row of a series; cross-entropy over those that have one."""

    family: ClassVar[Family] = "classification"
    metrics: ClassVar[tuple[str, ...]] = get_args(TagMetric)
    at_positions: ClassVar[bool] = True
    predicts: ClassVar[str] = "a tag of each word, or of each row of a series"

    kind: Literal["tagging"]
    label: str
    """Name of the tags: among `tags` of a table of texts, or among `labels` of a series."""
    metric: Annotated[TagMetric | None, judged_by(get_args(TagMetric), "a tagging")] = None
    """Metric that verdicts, the choice of an epoch and studies read; null takes accuracy, over all words or rows that
    have a tag. `span_f1` is that of whole spans of BIO tags, of which the first and last word and the type are right;
    `f1` and `average_precision` are those of the second of two classes."""

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        if cells.in_time:
            return cells.no_classes
        return (
            "it needs a tag for each word, which the `tags` of a table of texts name, or rows that are steps of time, "
            "with their dates in the first column"
        )

    @classmethod
    def means(cls, cells: Cells) -> bool:
        return False

    @classmethod
    def learning(cls, column: str, rule: Mapping[str, object]) -> dict[str, object]:
        return {"label": column}

    @property
    def primary_metric(self) -> str:
        return self.metric or "accuracy"

    @property
    def named(self) -> list[str]:
        return [self.label]

    @property
    def sorts(self) -> list[str]:
        return self.named

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        if not kind.positions:
            message = f"is for the words of texts and the rows of series, and {source} holds {kind.noun}: found "
            ways = "'tagging'. A class of a whole sample is learnt by `kind: classification`."
            raise SettingError(f"tasks.{name}.kind", f"{message}{ways}")
        super().check_input(name, source, kind)

    def check_against(self, name: str, source: SourceBase) -> None:
        super().check_against(name, source)
        if source.input is not None and source.input.has_length and not source.series:
            message = f"needs a class of every row, and {self.source} holds stored windows, which have one each: found "
            raise SettingError(f"tasks.{name}.kind", f"{message}'tagging'. It is learnt by `kind: classification`.")
        if source.tagged is not None:
            self._check_tags(name, self.source, source.tagged, source.input)

    def check_label_name(self, name: str, labels: Collection[str]) -> None:
        self._check_tags(name, self.source, labels, None)

    def check_label_is_no_input(self, name: str, inputs: Collection[str]) -> None:
        if self.label in inputs:
            raise read_off(name, self.source, self.label)

    def predicted(self, name: str, held: Held) -> int:
        return len(held.tags[self.learns(name, held)])

    def learns(self, name: str, held: Held) -> str:
        self.check_input(name, held.source, held.kind)
        self._check_tags(name, held.source, held.tags, held.kind)
        if self.label in held.columns:
            raise read_off(name, held.source, self.label)
        return self.label

    def _check_tags(self, name: str, source: str, tags: Collection[str], kind: InputKind | None) -> None:
        if self.label in tags:
            return
        where, asked = f"tasks.{name}.label", shown(self.label)
        if tags:
            raise SettingError(where, f"should be one of the tags {some_names(list(tags))} of {source}, found {asked}.")
        if kind is not None and kind.has_length:
            message = f"should name a class of every row, and {source} has none: a series has it in a column of its "
            raise SettingError(where, f"{message}`labels`, stored windows have one class each; found {asked}.")
        raise SettingError(
            where,
            f"should name tags of words, and {source} has none: name their column in `tags` of the source, as in "
            f"`tags: {{{self.label}: plain}}`; found {asked}.",
        )
