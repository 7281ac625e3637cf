"""Generated messy tables: each is shown, and the section that is shown reads it, or it is refused with one message."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from hypothesis import strategies as st

from mtl.config.table_source import TableSource
from mtl.data.columns.infer import column_facts
from mtl.data.columns.inspection import inspect_file
from mtl.data.columns.section import table_section
from mtl.data.formats.tables import read_table
from mtl.errors import DataError
from tests.helpers.cases import few_and_many, for_all, place


@dataclass(frozen=True)
class Messy:
    """A file of text."""

    data: bytes


POOLS = (
    ["1", "2", "30", "-4"], ["1.5", "2.25", "-0.75"], ["1,5", "2,75", "10"], ["1.234,5", "12,0"], ["0012", "0100"],
    ["yes", "no"], ["Y", "N", ""], ["True", "False"], ["0", "1"], ["0", "1.0"], ["red", "Red ", "blue"], ["a", "7"],
    ["5", "6", "unknown", "7"], ["?", "5", "9"], ["inf", "2.5"], ["2020-01-31", "2021-02-28"],
    ["01/02/2020", "03/04/2020"], ["31.01.2020", "01.02.2020"], ["20200131", "20210228"], ["2020-01-31", "soon"],
    ["12 kg", "13 kg"], ["", "x"], [""], ["NA", "None", "-"], ["a long sentence of words", "another one that is long"],
    ["1e400", "3"], ["(5)", "6"], ["99999999999999999999", "1"], ["12:30", "14:00"], ["'q'", 'say "x"'],
    ["x.jpg", "y.png"], ["é", "ü"], ["0x1F", "1_000"], ["-999", "3.5", "4.5"],
)  # fmt: skip
NAMES = st.sampled_from(["a", "b c", "id", "zip", "Größe", "#", "x.1", "yes", "a: b", "2020", "", "subject#", "weight"])


def quoted(cell: str, separator: str) -> str:
    special = any(sign in cell for sign in (separator, '"', "\n"))
    return '"' + cell.replace('"', '""') + '"' if special else cell


@st.composite
def messy_tables(draw: st.DrawFn) -> Messy:
    rows = draw(st.integers(1, 40))
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    columns = []
    for _ in names:
        pool = draw(st.sampled_from(POOLS))
        kind = draw(st.integers(0, 3))
        columns.append(
            [f"{pool[0]}{row}" for row in range(rows)]
            if kind == 0
            else draw(st.lists(st.sampled_from(pool), min_size=rows, max_size=rows))
        )
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    lines = [names, *(list(cells) for cells in zip(*columns, strict=True))]
    text = "".join(separator.join(quoted(cell, separator) for cell in line) + "\n" for line in lines)
    text = draw(st.sampled_from(["", "", "", "A title\n", "# comment\n", "\n"])) + text
    return Messy(text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1", "utf-16"]))))


def check(case: Messy) -> None:
    with place() as root:
        (root / "t.csv").write_bytes(case.data)
        try:
            seen = inspect_file(root / "t.csv", {})
        except DataError as error:
            assert "t.csv" in str(error)
            return
        pasted = yaml.safe_load(table_section("own", "t.csv", seen.options, seen.facts))["prepare"]["sources"]["own"]
        source = TableSource.model_validate(pasted)
        again = column_facts(read_table(source, root), source.declared)
    inputs = source.inputs if isinstance(source.inputs, dict) else {}
    assert {fact.name: fact.kind for fact in again if fact.name in inputs} == inputs
    assert all(fact.problem is None for fact in again if fact.name in inputs)
    assert {fact.name for fact in again} == {fact.name for fact in seen.facts}
    for fact in seen.facts:
        assert 0 <= fact.missing <= len(seen.table.frame) and fact.why
        assert fact.distinct + fact.missing <= len(seen.table.frame) + 1 or fact.kind == "category"


@few_and_many(15, 400)
def test_what_is_shown_can_be_pasted(cases: int) -> None:
    for_all(messy_tables(), cases, check)


def test_files_of_one_cell_and_of_none(tmp_path: Path) -> None:
    for text in ("a\n1\n", "a\n\n", "a,b\n1,2\n", "a\n", "", "\n\n"):
        (tmp_path / "t.csv").write_text(text)
        try:
            facts = inspect_file(tmp_path / "t.csv", {}).facts
        except DataError as error:
            assert "t.csv" in str(error)
            continue
        assert {fact.kind for fact in facts} == {"ignore"}
