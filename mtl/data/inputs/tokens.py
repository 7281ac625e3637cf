"""Texts of a table as the codes of their tokens, laid end to end; a batch is as long as its longest text.

S rows, n samples, B of a batch, N places of the longest text of a batch, T codes of all texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32, UInt8
from torch import Tensor

from mtl.config.inputs import TOKENS, Held, InputKind, RowLayout
from mtl.config.tasks import Task
from mtl.data.inputs.base import Fitted, Layout, Sampler, Samples
from mtl.data.inputs.given import check_names, wrong_shape
from mtl.data.inputs.pretrained import PretrainedVocabulary
from mtl.data.inputs.row_targets import without_targets
from mtl.data.inputs.rows import RowsInput
from mtl.data.inputs.seen import Columns
from mtl.data.inputs.vocabulary import PADDING, Vocabulary
from mtl.data.inputs.words import INSIDE_WORD, joined, shown_codes, words_in
from mtl.errors import DataError, shown
from mtl.types import RowSet, Split, TextSet, Tokens

CODES, BEGINS, WORDS, TAGS, MARKS = "codes", "begins", "words", "tags", "marks"


@dataclass(frozen=True)
class FittedTokens(Fitted):
    """The vocabulary of the training texts of a fold; there is no number to be scaled."""

    vocabulary: Vocabulary
    words: bool = False
    """Words have tags, so that the first token of each is marked."""

    @classmethod
    def of(cls, vocabulary: Vocabulary, words: bool = False) -> "FittedTokens":
        """The fit of a vocabulary."""
        none = torch.empty(0, dtype=torch.float64)
        return cls(none, none, vocabulary, words)

    @property
    def shown(self) -> Float[Tensor, " K"] | None:
        """Number that networks see for each code; None: the code itself, to which marks of words are added."""
        learnt = not isinstance(self.vocabulary, PretrainedVocabulary)
        return shown_codes(self.vocabulary) if self.words and learnt else None

    @property
    def layout(self) -> RowLayout:
        """A text is one code at each of its places."""
        return RowLayout(0, (), (self.vocabulary.size,))

    def plain(self) -> dict[str, Any]:
        told = super().plain() | self.vocabulary.plain()
        return told | ({"words": True} if self.words else {})

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "FittedTokens":
        if tokenizer := content.get("tokenizer"):
            own = PretrainedVocabulary((), False, content["longest"], tokenizer["model"], tokenizer["sha256"])
            return cls.of(own, bool(content.get("words")))
        vocabulary = Vocabulary(tuple(content["merges"]), content["lower"], content["longest"])
        return cls.of(vocabulary, bool(content.get("words")))


@dataclass(frozen=True)
class TextSamples(Samples):
    """Some of the texts of a source."""

    codes: Int32[Tensor, " T"]
    """Codes of all texts of the source; pools share the one tensor."""
    begins: Int[Tensor, " S1"]
    """Place of the first code of each text, and the end of the last."""
    rows: Int[Tensor, " n"]
    """Indices of the texts that are the samples."""
    shown: Float[Tensor, " K"] | None = None
    """Number that networks see for each code; None: the code itself."""
    marks: UInt8[Tensor, " T"] | None = None
    """Marks of the tokens that begin or continue a word, where codes do not tell; None elsewhere."""

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.rows

    @property
    def lengths(self) -> Int[Tensor, " n"]:
        """Codes of each sample."""
        return self.begins[self.rows + 1] - self.begins[self.rows]

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B N"], None]:
        """Codes, as whole numbers of float32, and `PADDING` behind the end of shorter texts; where words have tags, a
        half is added to the first token of each, and a quarter to its others where a pretrained network's tokenizer has
        cut it. Nothing follows a text, so `ahead` is 0."""
        assert ahead == 0
        rows = self.rows.index_select(0, index)
        first = self.begins.index_select(0, rows)
        counts = self.begins.index_select(0, rows + 1) - first
        longest = int(counts.max()) if len(counts) else 1
        places = torch.arange(longest, device=first.device)
        # What is read behind the end of a text belongs to the next one, and is dropped.
        at, behind = (first[:, None] + places).clamp_(max=len(self.codes) - 1), places >= counts[:, None]
        read = self.codes.take(at).masked_fill_(behind, PADDING)
        if self.marks is not None:
            return read + INSIDE_WORD * self.marks.take(at).masked_fill_(behind, 0), None
        return (read.float() if self.shown is None else self.shown[read]), None

    def contents(self, index: Int[Tensor, " B"]) -> Iterator[bytes]:
        codes, begins = self.codes.cpu().numpy(), self.begins.cpu().numpy()
        return (codes[begins[row] : begins[row + 1]].tobytes() for row in self.rows[index].tolist())

    def pick(self, index: Int[Tensor, " m"]) -> "TextSamples":
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "TextSamples":
        shown, marks = (None if part is None else part.to(device) for part in (self.shown, self.marks))
        return TextSamples(self.codes.to(device), self.begins.to(device), self.rows.to(device), shown, marks)


class TokensInput(RowsInput):
    """Texts, a row of a table each."""

    kind: ClassVar[InputKind] = TOKENS
    fitted: ClassVar[type[Fitted]] = FittedTokens
    data: TextSet

    def problems(self) -> list[str]:
        return super().problems() or self.form()

    def tensors(self) -> dict[str, Tensor]:
        p = self.data
        assert p.letters is not None
        kept = p.tokens[:1] if p.tokenizer else p.tokens  # A pretrained vocabulary is that of every fold.
        folds = {f"{CODES}.{fold}": tokens.codes for fold, tokens in enumerate(kept)}
        folds |= {f"{BEGINS}.{fold}": tokens.begins for fold, tokens in enumerate(kept)}
        words = {} if p.words is None else {WORDS: p.words}
        words |= {} if kept[0].marks is None else {MARKS: kept[0].marks}
        tags = {f"{TAGS}.{name}": numbers for name, numbers in p.tags.items()}
        return super().tensors() | folds | {"letters": p.letters} | words | tags

    def meta(self) -> dict[str, Any]:
        """The vocabularies are not among them: they stand in the meta as what was fitted to each fold."""
        p = self.data
        told = super().meta() | {"text": p.text, "lower": p.lower, "longest": p.longest}
        kept = {} if p.tokenizer is None else {"tokenizer": p.tokenizer}
        return told | kept | ({"tags": p.tag_names} if p.tags else {})

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "TokensInput":
        rows = RowsInput.from_kept(meta, tensors, common).data
        tokenizer = meta.get("tokenizer")
        merges = [[] if tokenizer else split["scaler"]["merges"] for split in meta["splits"]]
        places = [0 if tokenizer else fold for fold in range(len(merges))]
        tokens = tuple(
            Tokens(tensors[f"{CODES}.{place}"], tensors[f"{BEGINS}.{place}"], tuple(of_fold), tensors.get(MARKS))
            for place, of_fold in zip(places, merges, strict=True)
        )
        reading = meta["lower"], meta["longest"], tokenizer
        texts = text_set(rows, meta["text"], tokens, reading, tensors["letters"])
        names = meta.get("tags", {})
        tags = {name: tensors[f"{TAGS}.{name}"] for name in names}
        return cls(replace(texts, words=tensors.get(WORDS), tags=tags, tag_names=names))

    def for_tasks(self, tasks: Sequence[Task]) -> "TokensInput":
        named = {name for task in tasks for name in task.named}
        sorts = {name for task in tasks for name in task.sorts}
        return type(self)(without_targets(self.data, named, sorts, alone=False))

    @property
    def columns(self) -> list[str]:
        return [self.data.text]

    def _fit(self, fold: int) -> FittedTokens:  # type: ignore[override]
        p = self.data
        if p.tokenizer is not None:
            return FittedTokens.of(PretrainedVocabulary((), False, p.longest, **p.tokenizer), bool(p.tags))
        return FittedTokens.of(Vocabulary(p.tokens[fold].merges, p.lower, p.longest), bool(p.tags))

    @property
    def held(self) -> Held:
        return replace(super().held, tags=self.data.tag_names)

    def names_of(self, learns: str | None) -> list[str]:
        return self.data.tag_names.get(learns or "") or super().names_of(learns)

    def scores_problem(self, fitted: Fitted) -> str | None:
        return None

    def remarks(self, masks: Mapping[Split, Bool[Tensor, " S"]]) -> list[str]:
        return []

    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        return (1,)

    def layout(self, fitted: Fitted) -> RowLayout | None:
        assert isinstance(fitted, FittedTokens)
        return fitted.layout

    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        assert isinstance(fitted, FittedTokens)
        # The fold is that whose vocabulary was fitted.
        tokens = next(tokens for tokens in self.data.tokens if tokens.merges == fitted.vocabulary.merges)
        shown = fitted.shown
        return lambda numbers, length: TextSamples(tokens.codes, tokens.begins, numbers, shown, tokens.marks)

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> TextSamples:  # type: ignore[override]
        """Texts [n], or a frame with a column of them."""
        assert isinstance(layout.fitted, FittedTokens)
        texts = texts_given(values, layout)
        own = layout.fitted.vocabulary
        if layout.fitted.words:
            cut = own.cut_words([joined(_words(place, text)) for place, text in enumerate(texts)])
        else:
            cut = own.cut(texts)
        rows, marks = torch.arange(len(cut.begins) - 1), None if cut.marks is None else torch.from_numpy(cut.marks)
        return TextSamples(torch.from_numpy(cut.codes), torch.from_numpy(cut.begins), rows, layout.fitted.shown, marks)

    def describe(self) -> str:
        return f"texts of at most {self.data.longest:,} tokens"

    def cells(self) -> None:  # type: ignore[override]
        return None

    def seen(self, fold: int) -> Columns:
        assert self.data.letters is not None
        yield _letters(self.data.text), self.data.letters[self.masks(fold)["train"]].double().numpy()

    @classmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        texts = texts_of(values, columns[0])
        yield _letters(columns[0]), np.array([len(text) for text in texts], dtype=np.float64)

    def form(self) -> list[str]:
        """Everything that is wrong with the form of the tokens, in whole sentences."""
        p, count = self.data, self.size
        if len(p.tokens) != p.folds or p.letters is None or list(p.letters.shape) != [count]:
            return [f"`tokens` should hold the texts of the {count} rows as each of the {p.folds} folds reads them."]
        if any(len(tokens.begins) != count + 1 for tokens in p.tokens):
            return [f"`begins` of `tokens` should hold a place for each of the {count} rows, and the end of the last."]
        if any(tokens.marks is not None and len(tokens.marks) != len(tokens.codes) for tokens in p.tokens):
            return ["`marks` of `tokens` should hold a mark for each of its codes."]
        count_words = None if p.words is None or len(p.words) != count + 1 else int(p.words[-1])
        if p.tags and (set(p.tags) != set(p.tag_names) or any(len(t) != count_words for t in p.tags.values())):
            return ["`tags` should hold a class for each of the `words`, and `tag_names` the names of the classes."]
        return []


def text_set(
    rows: RowSet,
    column: str,
    tokens: tuple[Tokens, ...],
    reading: tuple[bool, int, dict[str, str] | None],
    letters: Int32[Tensor, " S"],
) -> TextSet:
    """Rows of a table with a column of texts.

    Args:
        rows: the other columns.
        column: name of that of texts.
        tokens: as each fold reads it.
        reading: whether capital letters are read as small ones, codes of a text, at most, and the pretrained network
            whose tokens they are.
        letters: number of characters of each text.
    """
    lower, longest, tokenizer = reading
    return TextSet(
        **vars(rows), text=column, tokens=tokens, lower=lower, longest=longest, letters=letters, tokenizer=tokenizer
    )


def texts_of(values: object, column: str) -> list[str]:
    """The texts of a frame's column, or of a list or array; what is missing is an empty text.

    Raises:
        DataError: something is no text.
    """
    import pandas as pd  # here, since training loads this module and has no use for frames

    if isinstance(values, pd.DataFrame):
        frame = values.set_axis([str(name) for name in values.columns], axis=1)
        check_names(list(frame.columns), [column])
        cells = frame[column].tolist()
    elif isinstance(values, str) or not isinstance(values, list | tuple | np.ndarray | pd.Series):
        remedy = "; `[text]` makes a batch of one" if isinstance(values, str) else ""
        raise wrong_shape(f"a list of texts, or a frame with the column {column!r}", type(values).__name__, remedy)
    else:
        cells = list(values)
    texts = ["" if cell is None or cell is pd.NA or cell != cell else cell for cell in cells]
    odd = next((place for place, text in enumerate(texts) if not isinstance(text, str)), None)
    if odd is not None:
        raise DataError(
            f"samples: sample {odd} (counted from 0), column {column!r}: should be a text, found "
            f"{type(texts[odd]).__name__}: convert it, as with `str`."
        )
    return [str(text) for text in texts]


def texts_given(values: object, layout: Layout) -> list[str]:
    """The texts that a user gives a loaded model, at least one.

    Raises:
        DataError: there is none, or something is no text.
    """
    texts = texts_of(values, layout.columns[0])
    if not texts:
        raise DataError("samples should be at least one, found none.")
    return texts


def _letters(column: str) -> str:
    return f"{column} (characters)"


def _words(place: int, text: str) -> list[str]:
    try:
        return words_in(text)
    except ValueError as error:
        raise DataError(f"samples: sample {place} (counted from 0): {error}, found {shown(text)}.") from None
