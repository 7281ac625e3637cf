"""Section of a task that learns a class at every position of a sample: a tag of each word of a text."""

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal, get_args

from mtl.config.cells import Cells
from mtl.config.inputs import Held, InputKind, SourceBase
from mtl.config.judging import judged_by
from mtl.config.metrics import Family, TagMetric
from mtl.config.names import some_names
from mtl.config.task_base import TaskBase
from mtl.errors import SettingError, shown


class TaggingTask(TaskBase):
    """A tag of each word; cross-entropy over the words that have one."""

    family: ClassVar[Family] = "classification"
    metrics: ClassVar[tuple[str, ...]] = get_args(TagMetric)
    at_positions: ClassVar[bool] = True
    predicts: ClassVar[str] = "a tag of each word"

    kind: Literal["tagging"]
    label: str
    """Name of the tags, among `tags` of the source."""
    metric: Annotated[TagMetric | None, judged_by(get_args(TagMetric), "a tagging")] = None
    """Metric that verdicts, the choice of an epoch and studies read; null takes accuracy, over all words that have a
    tag. `span_f1` is that of whole spans of BIO tags, of which the first and last word and the type are right."""

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        return "it needs a tag for each word, which the `tags` of a table of texts name"

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

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        super().check_input(name, source, kind)
        if not kind.texts:
            message = f"is for the words of texts, and {source} holds {kind.noun}: found 'tagging'. A class of a whole "
            raise SettingError(f"tasks.{name}.kind", f"{message}sample is learnt by `kind: classification`.")

    def check_against(self, name: str, source: SourceBase) -> None:
        super().check_against(name, source)
        if source.tagged is not None:
            self._check_tags(name, self.source, source.tagged)

    def predicted(self, name: str, held: Held) -> int:
        return len(held.tags[self.learns(name, held)])

    def learns(self, name: str, held: Held) -> str:
        self.check_input(name, held.source, held.kind)
        self._check_tags(name, held.source, held.tags)
        return self.label

    def _check_tags(self, name: str, source: str, tags: Collection[str]) -> None:
        if self.label in tags:
            return
        where, asked = f"tasks.{name}.label", shown(self.label)
        if tags:
            raise SettingError(where, f"should be one of the tags {some_names(list(tags))} of {source}, found {asked}.")
        raise SettingError(
            where,
            f"should name tags of words, and {source} has none: name their column in `tags` of the source, as in "
            f"`tags: {{{self.label}: plain}}`; found {asked}.",
        )
