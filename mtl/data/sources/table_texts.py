"""The column of texts of a table that is its only input, and its tokens for each fold. S rows."""

from pathlib import Path

import torch
from jaxtyping import Int32

from mtl.config.table_source import TableSource
from mtl.config.texts import TextOptions
from mtl.data.inputs.pretrained import PretrainedVocabulary
from mtl.data.inputs.rows import RowsInput
from mtl.data.inputs.tokens import text_set
from mtl.data.inputs.vocabulary import FIRST, Cut, learn_vocabulary
from mtl.data.sources.table_columns import NO_CATEGORY, Column
from mtl.data.sources.table_tags import TaggedWords, lost_words
from mtl.errors import DataError
from mtl.plugins import project
from mtl.types import RowSet, TextSet, Tokens


def take_text(columns: list[Column], config: TableSource, notes: list[str]) -> list[str] | None:
    """The texts of all rows [S], whose column is taken out of the list; None where texts are no input.

    Args:
        columns: that are kept.
        config: the source.
        notes: takes how many texts are empty.

    Raises:
        DataError: the texts never change, or no column is left that a task could learn.
    """
    name = config.text_column
    if name is None:
        return None
    column = next((column for column in columns if column.name == name), None)
    if column is None or (len(columns) == 1 and not config.tags):
        what = "texts that differ" if column is None else "columns besides the texts, for tasks to learn"
        raise DataError(f"{config.path}: should have {what}, found none. {' '.join(notes[-1:])}".rstrip())
    columns.remove(column)
    assert column.names is not None
    empty = int(column.missing.sum())
    if empty:
        notes.append(f"{name}: {empty:,} of {len(column.values):,} texts are empty; they are read as texts of no word.")
    return [column.names[place] if place != NO_CATEGORY else "" for place in column.values.tolist()]


def text_set_of(
    rows: RowSet, texts: list[str], config: TableSource, tagged: TaggedWords | None, root: Path
) -> TextSet:  # fmt: skip
    """The rows of a table with their texts, by the vocabulary that the source asks for; arguments and errors as of
    `with_given_tokens`."""
    if config.texts.tokenizer is not None:
        return with_given_tokens(rows, texts, config, tagged, root)
    return with_tokens(rows, texts, str(config.text_column), config.texts, tagged)


def with_given_tokens(
    rows: RowSet, texts: list[str], config: TableSource, tagged: TaggedWords | None, root: Path
) -> TextSet:
    """The rows of a table with their texts, cut by the vocabulary of a pretrained network.

    Args:
        rows, texts, tagged: as in `with_tokens`.
        config: the source.
        root: folder of the project.

    Raises:
        UserError: the folder of the network or its tokenizer is not there, or a word is none for it.
    """
    options, column = config.texts, str(config.text_column)
    assert options.tokenizer is not None
    own = PretrainedVocabulary.of(options.tokenizer, options.longest, root)
    with project(root):
        told = f"{column}: the {own.size - FIRST:,} tokens are those of {options.tokenizer}"
        if tagged is None:
            cut, marks = own.cut(texts), None
        else:
            texts = tagged.texts
            cut = own.cut_words(texts)
            assert cut.marks is not None
            marks = torch.from_numpy(cut.marks)
            told += lost_words(tagged, cut, own, column, options.longest)
    rows.notes.append(f"{told}{_shortened(cut, options)}.")
    same = (Tokens(torch.from_numpy(cut.codes), torch.from_numpy(cut.begins), (), marks),) * rows.folds
    reading = options.lower, options.longest, {"model": own.model, "sha256": own.sha256}
    made = text_set(rows, column, same, reading, _letters(texts))
    return made if tagged is None else tagged.beside(made)


def with_tokens(
    rows: RowSet, texts: list[str], column: str, options: TextOptions, tagged: TaggedWords | None = None
) -> TextSet:
    """The rows of a table with their texts, cut by a vocabulary of the training rows of each fold.

    Args:
        rows: the other columns.
        texts: [S].
        column: name of that of texts.
        options: of the source.
        tagged: words that have tags, whose texts are read instead; None where none have.
    """
    texts = texts if tagged is None else tagged.texts
    tokens: list[Tokens] = []
    told = ""
    for fold in range(rows.folds):
        train = RowsInput(rows).masks(fold)["train"].nonzero().squeeze(1).tolist()
        vocabulary = learn_vocabulary([texts[row] for row in train], options)
        cut = vocabulary.cut(texts)
        tokens.append(Tokens(torch.from_numpy(cut.codes), torch.from_numpy(cut.begins), vocabulary.merges))
        if not fold:
            told = f"{column}: {vocabulary.size:,} tokens are learnt on the training rows of a fold"
            if tagged is not None:
                told += lost_words(tagged, cut, vocabulary, column, options.longest)
            told += _shortened(cut, options)
    rows.notes.append(f"{told}.")
    made = text_set(rows, column, tuple(tokens), (options.lower, options.longest, None), _letters(texts))
    return made if tagged is None else tagged.beside(made)


def _letters(texts: list[str]) -> Int32[torch.Tensor, " S"]:
    return torch.tensor([len(text) for text in texts], dtype=torch.int32)


def _shortened(cut: Cut, options: TextOptions) -> str:
    """Part of a sentence on the texts that are cut; empty where none is."""
    if not cut.shortened:
        return ""
    return (
        f"; {cut.shortened:,} of {len(cut.begins) - 1:,} texts are longer than {options.longest} tokens and are cut, "
        "which `texts.longest` may change"
    )
