"""Long names in a narrow column can still be told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.report.short_names import short_names


@pytest.mark.parametrize(
    ("names", "width", "shown"),
    [
        (["near", "far"], 6, ["near", "far"]),
        (["load_of_north", "load_of_south"], 8, ["…north", "…south"]),
        (["load_of_north", "load_of_nowhere"], 10, ["…north", "…nowhere"]),  # whole words: not …rth
        (["load_1_horizon_24", "load_12_horizon_24"], 13, ["…1…", "…12…"]),
        (["load_1_horizon_24", "load_12_horizon_24"], 14, ["…1_horizon_24", "…12_horizon_24"]),
        (["one_long_name_alone"], 6, ["one_long_name_alone"]),
        (["north_wind_speed", "south_wind_speed"], 8, ["north…", "south…"]),
        (["unlike_the_other", "another_long_name"], 6, ["unlike_the_other", "another_long_name"]),
    ],
)  # fmt: skip
def test_what_all_share_is_left_out(names: list[str], width: int, shown: list[str]) -> None:
    assert list(short_names(names, width).values()) == shown


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), min_size=1, max_size=8, unique=True),
    st.integers(1, 25),
)
def test_names_that_differ_stay_different(names: list[str], width: int) -> None:
    shown = short_names(names, width)
    assert list(shown) == names and len(set(shown.values())) == len(names)
