"""How a file becomes a table: options of every source that reads one."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mtl.config.common import Count, Number
from mtl.config.inputs import SourceBase

MISSING_NUMBERS = (
    "", "NaN", "nan", "NAN", "-nan", "NaT", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "null", "NULL", "Null",
    "None", "none", "?", "-", "--", "---", ".", "..", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!",
)  # fmt: skip
"""Cells of a column of numbers or of time stamps that hold nothing. None of them could be read as a number."""
MISSING_TEXTS = (
    "", "NaN", "nan", "-nan", "NaT", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "?", "#DIV/0!", "#VALUE!",
    "#REF!", "#NAME?", "#NUM!", "#NULL!",
)  # fmt: skip
"""Cells of a column of labels that hold nothing, unless `missing` names others; `None` and `-` may be classes."""
SEPARATOR_PATTERN = r"^(?:[\t !#-~]{1,8}|whitespace)$"
COMMENT_PATTERN = r"^[!#-/:-@\[-`{-~]$"
WHITESPACE = "whitespace"
"""The `separator` of files whose columns are parted by any number of blanks and tabs."""


class TableFile(SourceBase):
    """A file of delimited text or ARFF, plain or .gz, of Parquet, Feather or Excel, and how it is written."""

    new_data: ClassVar[bool] = False
    """True for a file that a finished model reads, whose columns are known."""

    path: str
    """File, relative to the project's folder."""
    encoding: str = "utf-8"
    """Encoding of a text file; a byte-order mark of UTF-8 is skipped."""
    separator: Annotated[str, Field(pattern=SEPARATOR_PATTERN)] = ","
    """ASCII characters or a tab between two cells, no quotation mark; `whitespace`: any number of blanks and tabs."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark of numbers; null is a point, but numbers such as 1.234 among whole numbers are then asked about."""
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    """Mark between groups of three digits; a blank is also a no-break blank. null: numbers have none."""
    skip_rows: Count = 0
    """Lines at the top of the file, before the names of the columns, that are not read."""
    skip_footer: Count = 0
    """Lines at the end of the file, blank ones apart, that are not read."""
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the columns of a file whose first line is data already; null: the first line names them."""
    sheet: str | None = None
    """Sheet of a workbook (.xlsx), by its name; null: the only one that holds cells."""
    units_row: bool = False
    """True where the line below the names of the columns holds their units."""
    comment: Annotated[str, Field(pattern=COMMENT_PATTERN)] | None = None
    """Character from which on a line is not read, outside quotes; a line that begins with it is no row."""
    missing: list[str] | None = None
    """Texts that stand for a missing value, beside an empty cell. In columns of numbers and time stamps they count in
    addition to the usual ones (NA, NaN, null, ?, -, ., …). In labels they replace the usual ones: `missing: []` makes
    `NA` a class."""
    missing_markers: list[Number] = []
    """Numbers that stand for a missing value, for example -9999."""

    @field_validator("columns")
    @classmethod
    def _no_name_twice(cls, names: list[str] | None) -> list[str] | None:
        twice = [name for name in names or [] if (names or []).count(name) > 1]
        if twice:
            raise ValueError(f"should name each column once, found {twice[0]!r} more than once")
        return names

    @model_validator(mode="after")
    def _marks_differ(self) -> "TableFile":
        if self.thousands == self.decimal_mark:
            other = "," if self.thousands == "." else "."
            raise ValueError(
                f"thousands should differ from the decimal mark, found {self.thousands!r} for both: files with such "
                f"thousands have `decimal: {other!r}`"
            )
        if self.comment is not None and self.comment in {*self.separator, self.decimal_mark, self.thousands}:
            raise ValueError(f"comment should be no separator, decimal or thousands mark, found {self.comment!r}")
        if self.units_row and self.columns is not None:
            raise ValueError(
                "units_row should be false where `columns` names the columns: `skip_rows: 1` leaves it out"
            )
        return self

    @staticmethod
    def check_files(files: Sequence[str], also: Sequence[str], file_column: str | None) -> None:
        """Raises a ValueError where a file is named twice, or `file_column` tells apart what comes from one file."""
        twice = [path for path, times in Counter(files).items() if times > 1]
        if twice:
            raise ValueError(f"path and also should name each file once, found {twice[0]!r} more than once")
        if file_column is not None and not also:
            raise ValueError("file_column should be left out where `also` names no file: all rows come from one")

    @property
    def decimal_mark(self) -> str:
        """Decimal mark that numbers are read with."""
        return self.decimal or "."

    @property
    def files(self) -> list[str]:
        return [self.path]

    @property
    def roles(self) -> dict[str, list[str]]:
        """Setting → columns that it names and that the file must hold."""
        return {}

    @property
    def text_columns(self) -> list[str]:
        """Columns that stay text whatever their cells look like: labels and time stamps."""
        return []

    @property
    def by_windows(self) -> bool:
        """True where a long text may be read through a window, with texts of its columns as numbers of different
        ones."""
        return False

    @property
    def joined(self) -> dict[str, list[str]]:
        """Column that the reader makes → columns of the file whose cells it joins by a blank, in this order."""
        return {}
