"""Targets in a file of new data: read by the section of the task that learnt them, in the classes of the model.

R rows of a table, n samples.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int
from torch import Tensor

from mtl.config import Task
from mtl.config.labels import EVEN, LabelRule
from mtl.config.table_file import TableFile
from mtl.data.columns.booleans import truth
from mtl.data.columns.categories import category_column
from mtl.data.formats.labels import is_number, key_of, known_class
from mtl.data.formats.numbers import number_column
from mtl.data.formats.table import Table
from mtl.data.loading.labels import on_a_side
from mtl.data.sources.table_tags import NO_TAG
from mtl.errors import DataError
from mtl.tasks.base import TaskSpec
from mtl.types import NO_LABEL

MOST_NAMES = 5


@dataclass
class Target:
    """The target of a task, as it is looked for in new data.

    Args:
        spec: the task.
        section: that of params.yaml.
        classes: names of its classes; empty where it predicts numbers.
        fallback: column of a rule that names none.
        unknown: names that are none of the classes, with their counts; filled as targets are read.
    """

    spec: TaskSpec
    section: Task
    classes: list[str]
    fallback: str
    unknown: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, spec: TaskSpec, section: Task, fallback: str) -> "Target":
        """The target of a task; numbers have no classes."""
        classes: list[str] = list(getattr(spec, "classes", []))
        return cls(spec, section, classes, fallback)

    @property
    def follows(self) -> bool:
        """It is what follows a sample, so that there is no column of it."""
        return self.spec.rows_ahead > 0

    @property
    def drawn(self) -> bool:
        """It is a coin that was drawn for the training data, of which new data have none."""
        rule = self.rule
        return rule is not None and (rule.coin is not None or rule.flipped is not None)

    @property
    def rule(self) -> LabelRule | None:
        """The rule that makes it of a column; None where the column is learnt itself."""
        rule = self.section.rule
        even = rule is None and self.section.named == [EVEN] and self.classes == ["odd", "even"]
        return LabelRule(even=True) if even else rule

    @property
    def column(self) -> str:
        """Name of the column that it is read from."""
        rule = self.rule
        if rule is not None and rule.of is None:
            return self.fallback
        return self.section.named[0]

    def of_table(self, table: Table, exact: bool, options: TableFile) -> Float64[np.ndarray, " R"]:
        """Numbers, or numbers of classes; NaN where a cell is empty or holds no class that the model knows."""
        if self._reads_numbers:
            values = number_column(table, self.column)
            if options.missing_markers:  # in a copy: these may be the table's own numbers
                values = np.where(np.isin(values, options.missing_markers), np.nan, values)
            return self._on_a_side(values)
        codes, names = category_column(table, self.column, exact, [])
        return self._of_names(codes, names)

    def of_array(self, array: np.ndarray, where: str, made: bool = False) -> Float64[np.ndarray, " n"]:
        """The same of an array [n] of an .npz, which holds numbers or names.

        Args:
            array: of the file.
            where: its name in messages.
            made: it holds the label that the rule of the task makes, by the names of its two classes or as true and
                false, not what the rule is made from.

        Raises:
            DataError: it has another shape, or holds no numbers where these are learnt.
        """
        if array.ndim != 1:
            raise DataError(f"{where}: should have the shape [n], found {list(array.shape)}.")
        if made and self.rule is not None:
            codes, distinct = pd.factorize(array, use_na_sentinel=True)
            return self._of_names(codes, [_text(name) for name in distinct], made=True)
        if self._reads_numbers:
            if array.dtype.kind not in "uifb":
                raise DataError(f"{where}: should hold numbers, found {array.dtype}.")
            return self._on_a_side(array.astype(np.float64))
        codes, distinct = pd.factorize(array, use_na_sentinel=True)
        return self._of_names(codes, [_text(name) for name in distinct])

    @property
    def _reads_numbers(self) -> bool:
        return not self.classes or (self.rule is not None and self.rule.border is not None)

    def _on_a_side(self, values: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        border = None if self.rule is None else self.rule.border
        if border is None:
            return values
        # In a copy, since the numbers of a frame may be locked.
        classes = on_a_side(torch.tensor(values), *border).double().numpy()
        return np.where(classes == NO_LABEL, np.nan, classes)

    def _of_names(self, codes: np.ndarray, names: Sequence[str], made: bool = False) -> Float64[np.ndarray, " m"]:
        places = [self._own(name) if made else self._class_of(name) for name in names]
        for number, (name, place) in enumerate(zip(names, places, strict=True)):
            if place is None:
                self.unknown[name] += int((codes == number).sum())
        values = np.array([*(np.nan if place is None else float(place) for place in places), np.nan])
        of_each: np.ndarray = values[codes]
        return of_each

    def _class_of(self, name: str) -> int | None:
        """Number of the class that a name means; None where it is none."""
        rule = self.rule
        if rule is not None:
            return _holds(rule, name)
        known = known_class(name, self.classes)
        if known is not None:
            return self.classes.index(known)
        said = [truth(other) for other in self.classes]
        return said.index(truth(name)) if truth(name) is not None and truth(name) in said else None

    def _own(self, name: str) -> int | None:
        """Number of the class that the rule has made, by its name or a word for yes or no."""
        known = known_class(name, self.classes)
        said = truth(name)
        return self.classes.index(known) if known is not None else None if said is None else int(said)

    def encoded(self, values: Float64[np.ndarray, " n"]) -> Tensor:
        """Targets as the model's predictions are scored by; NO_LABEL or NaN where there is none."""
        if self.classes:
            return torch.from_numpy(np.where(np.isnan(values), NO_LABEL, values).astype(np.int64))
        return self.spec.encode(torch.tensor(values))

    def of_words(self, rows: Sequence[list[str] | None]) -> np.ndarray:
        """[n] numbers of the classes of the words of each text, an array each; NO_LABEL where there is no tag, or none
        that the model knows."""
        place = {name: number for number, name in enumerate(self.classes)}
        numbers = np.empty(len(rows), dtype=object)
        for row, tags in enumerate(rows):
            numbers[row] = np.array([place.get(tag, NO_LABEL) for tag in tags or []], dtype=np.int64)
            self.unknown.update(tag for tag in tags or [] if tag not in place and tag != NO_TAG)
        return numbers

    def encoded_words(self, numbers: np.ndarray) -> Int[Tensor, "n Q"]:
        """Classes of the words of texts side by side, NO_LABEL behind the last of each, of what `of_words` gives."""
        whole = torch.full((len(numbers), max((len(own) for own in numbers), default=0)), NO_LABEL)
        for row, own in enumerate(numbers):
            whole[row, : len(own)] = torch.from_numpy(own)
        return whole

    def note(self) -> str | None:
        """A clause on names that are none of the classes; None without such."""
        if not self.unknown:
            return None
        told = ", ".join(f"{name!r}" for name, _ in self.unknown.most_common(MOST_NAMES))
        more = f" and {len(self.unknown) - MOST_NAMES} more" if len(self.unknown) > MOST_NAMES else ""
        count = self.unknown.total()
        noun = "word" if self.spec.at_positions and not self.spec.at_steps else "sample"
        whose = f"1 {noun} has a class" if count == 1 else f"{count:,} {noun}s have classes"
        left = "is left out" if count == 1 else "are left out"
        return f"{self.spec.name}: {whose} that training had not ({told}{more}), and {left}"


def _holds(rule: LabelRule, name: str) -> int | None:
    """1 where a rule holds for a class, 0 where not, None where the rule cannot tell."""
    if rule.even is not None or rule.multiple_of is not None:
        number = float(name) if is_number(name) else np.nan
        if not number.is_integer():
            return None
        size = rule.multiple_of or 2
        return int(number % size == 0 and (rule.even is not None or number != 0))
    wanted = rule.any_of or (rule.equals if rule.equals is not None else rule.one_vs_rest or "",)
    return int(key_of(name) in {key_of(other) for other in wanted})


def _text(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else value
    return str(int(text)) if isinstance(text, float | np.floating) and float(text).is_integer() else str(text)


def there(targets: Sequence[Target], held: Sequence[str], where: str, notes: list[str]) -> list[Target]:
    """The targets that a file holds, in their order.

    Args:
        targets: looked for.
        held: names of the columns, or arrays, of the file.
        where: the file.
        notes: takes those that it does not hold.

    Raises:
        DataError: it holds none.
    """
    kept = [target for target in targets if target.follows or (not target.drawn and target.column in held)]
    lacking = [target for target in targets if target not in kept]
    told = ", ".join(f"`{target.column}` ({target.spec.name})" for target in lacking if not target.drawn)
    drawn = [target.spec.name for target in lacking if target.drawn]
    coins = [f"{name}: not scored, for its labels are coins drawn for the training data" for name in drawn]
    if not kept:
        wanted = f"the column{'' if len(lacking) == 1 else 's'} {told}" if told else f"none; {'; '.join(coins)}"
        shown = ", ".join(f"`{name}`" for name in held[:30]) + (", …" if len(held) > 30 else "")
        raise DataError(
            f"{where}: should hold at least one target to score by: {wanted}; found: {shown}. `mtl predict` needs no "
            "targets."
        )
    if told:
        notes.append(f"not scored, for the file has no such column: {told}")
    notes += coins
    return kept
