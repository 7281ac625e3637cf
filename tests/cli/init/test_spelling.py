"""How targets are spelt: every form, quotes, and messages that lead to the right spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.errors import UserError
from mtl.setup.spelling import Wanted, parse_targets, quoted

COLUMNS = ["price", "fixed acidity", "c,d", "Landuse=1", 'a "b": c']


@pytest.mark.parametrize(
    ("text", "column", "name", "kind", "rule"),
    [
        ("price", "price", None, None, {}),
        (" fixed acidity ", "fixed acidity", None, None, {}),
        ("price:regression", "price", None, "regression", {}),
        ("cost = price : regression", "price", "cost", "regression", {}),
        ("good=quality>=7", "quality", "good", None, {"at_least": 7}),
        ("good = quality > 6.5", "quality", "good", None, {"above": 6.5}),
        ("bad=quality<=-3", "quality", "bad", None, {"at_most": -3}),
        ("bad=quality<1e3", "quality", "bad", None, {"below": 1000.0}),
        ("single=status==Never-married", "status", "single", None, {"one_vs_rest": "Never-married"}),
        ("south=town==Ulm|Bad Aibling", "town", "south", None, {"any_of": ["Ulm", "Bad Aibling"]}),
        ('rich=income==">50K"', "income", "rich", None, {"one_vs_rest": ">50K"}),
        ('"Landuse=1":binary', "Landuse=1", None, "binary", {}),
        ("q='it''s, a: test'>=2", "it's, a: test", "q", None, {"at_least": 2}),
        ("driver's age", "driver's age", None, None, {}),
    ],
)
def test_every_form(text: str, column: str, name: str | None, kind: str | None, rule: dict[str, object]) -> None:
    (wanted,) = parse_targets(text, COLUMNS)
    assert wanted == Wanted(text.strip(), column, name, kind, rule)
    border = next(iter(wanted.rule.values()), None)
    assert type(border) is type(next(iter(rule.values()), None)), "7 is written as 7, not as 7.0"


def test_a_list_by_commas() -> None:
    found = parse_targets('price:regression,good=quality>=7, "c,d" ', COLUMNS)
    assert [target.column for target in found] == ["price", "quality", "c,d"]
    assert [target.text for target in found] == ["price:regression", "good=quality>=7", '"c,d"']


@given(st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=4))
def test_any_columns_can_be_quoted(columns: list[str]) -> None:
    text = ",".join(quoted(column) for column in columns)
    assert [target.column for target in parse_targets(text, columns)] == columns


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found an empty target"),
        ("price,", "found an empty target"),
        ("'price", "begins with a quote that does not end"),
        ("good=quality>=many", "should compare with a number, found 'many'"),
        ("good=quality>=nan", "should compare with a number, found 'nan'"),
        ("Good=quality>=7", "names a task 'Good'; names should be small letters"),
        ("Landuse=1", 'stands in quotes: "Landuse=1"'),
        ("good=quality>", "'good=quality>' should be COLUMN, COLUMN:KIND"),
        ("income==>50K", "columns and values with commas, colons or signs in them stand in quotes"),
        ("good=quality>=7:binary", "should be COLUMN"),
        ("a=b=c", "should be COLUMN"),
        ("south=town==Ulm|", "should be COLUMN"),
        (f"{'n' * 61}=price", "names a task"),
    ],
)
def test_other_spellings_are_refused_with_the_forms(text: str, told: str) -> None:
    with pytest.raises(UserError, match="--targets") as caught:
        parse_targets(text, COLUMNS)
    assert told in str(caught.value)
