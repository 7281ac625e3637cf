"""Tools about the project: lowest versions, and mutants."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float

from mtl.models.patching import sinusoid
from tests.helpers.shapes import checked
from tests.tools.each_mutant import in_order
from tests.tools.lowest import lowest
from tests.tools.mutants import draw, drawn_before
from tests.tools.mutations import mutants, with_switches

SOURCE = '''"""é before the places: they are counted in bytes."""
def f(x: "int | None", mask, other):
    if x <= 3 and f"{x < 2}":
        return x[1:] - other
    kept = torch.where(mask, x,
                       other)
    return kept & -other
'''
NUMBERS = """
def f(x, y):
    if x + 1 <= y - (
        2 - y):
        return -y + x
    return [x, y, x - y][1 if x & y else 0]
"""


def test_lowest_versions_of_what_users_install() -> None:
    project = """
        [project]
        dependencies = ["torch>=2.12,<2.15", "mlflow>=3.5", "torchjd>=0.18,<0.19"]
        [project.optional-dependencies]
        cluster = ["mlflow[auth]>=3.5", "psycopg[binary]>=3.2.3"]
        dev = ["ruff>=0.9"]
    """
    assert lowest(project) == ["mlflow==3.5", "psycopg==3.2.3", "torch==2.12", "torchjd==0.18"]


@pytest.mark.parametrize(
    ("dependencies", "said"), [('["numpy"]', "'numpy' should begin"), ('["numpy<3"]', "'numpy<3' should begin"),
                               ('["numpy>=2", "numpy[x]>=3"]', "numpy should have one lowest version, found 2 and 3")],
)  # fmt: skip
def test_a_dependency_without_a_lowest_version(dependencies: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        lowest(f"[project]\ndependencies = {dependencies}")
    assert str(caught.value).startswith(said)


def test_every_mutant_of_a_small_file(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SOURCE, encoding="utf-8")
    made = mutants(tmp_path, "small.py")
    assert [(mutant.line, mutant.sort, mutant.old, mutant.new) for mutant in made] == [
        (3, "comparison", "x <= 3", "x < 3"),
        (3, "off by one", "3", "4"),
        (4, "sign", "x[1:] - other", "x[1:] + other"),
        (4, "off by one", "1", "2"),
        (5, "dropped mask", "torch.where(mask, x, other)", "x"),
        (7, "dropped mask", "kept & -other", "kept"),
        (7, "sign", "-other", "other"),
    ]
    source = (tmp_path / "small.py").read_bytes()
    for mutant in made:
        changed = mutant.apply(source).decode().splitlines()
        assert len(changed) == len(SOURCE.splitlines())
        differing = [number for number, pair in enumerate(zip(changed, SOURCE.splitlines(), strict=True), 1)
                     if pair[0] != pair[1]]  # fmt: skip
        assert set(differing) <= set(range(mutant.line, mutant.end_line + 1)) and mutant.line in differing


def test_switches_put_one_mutant_in_place_and_leave_every_line_where_it_was(tmp_path: Path) -> None:
    """Also where one lies within another: every subset of the mutants is a file, each of which is switched on alone."""
    (tmp_path / "small.py").write_text(NUMBERS, encoding="utf-8")
    source = NUMBERS.encode()
    numbered = dict(enumerate(mutants(tmp_path, "small.py"), 1))
    switched = with_switches(source, numbered)
    assert len(switched.splitlines()) == len(source.splitlines())
    for number, changed in {0: source, **{n: mutant.apply(source) for n, mutant in numbered.items()}}.items():
        code = switched.decode().replace('__import__("mtl")._switched_on(', f"({number}).__eq__(")
        assert _values(code) == _values(changed.decode()), numbered.get(number)
    assert len({_values(mutant.apply(source).decode()) for mutant in numbered.values()} - {_values(NUMBERS)}) > 3


def _values(source: str) -> tuple[int, ...]:
    names: dict[str, Callable[[int, int], int]] = {}
    exec(source, names)
    return tuple(names["f"](x, y) for x in range(-2, 5) for y in (-1, 1, 2))


def test_mutants_of_an_earlier_draw_are_found_where_lines_have_moved(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SOURCE, encoding="utf-8")
    before = mutants(tmp_path, "small.py")
    (tmp_path / "small.py").write_text(SOURCE.replace("def f", "# é\n\ndef f"), encoding="utf-8")
    found = drawn_before(tmp_path, [asdict(mutant) for mutant in before])
    assert [mutant.line for mutant in found] == [mutant.line + 2 for mutant in before]
    assert found == mutants(tmp_path, "small.py")
    (tmp_path / "small.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(LookupError, match=r"^small\.py holds 'x <= 3' no more$"):
        drawn_before(tmp_path, [asdict(before[0])])


def test_cheap_files_judge_first_and_before_them_the_test_that_noticed_it_before() -> None:
    tests = [SimpleNamespace(nodeid=f"{name}::t{number}", path=Path(name)) for name in "ab" for number in (1, 2)]
    cpu = {"a::t1": 0.1, "a::t2": 5.0, "b::t1": 1.0, "b::t2": 1.0}
    ids = set(cpu) - {"b::t2"}
    assert [test.nodeid for test in in_order(tests, ids, cpu)] == ["b::t1", "a::t1", "a::t2"]
    assert [test.nodeid for test in in_order(tests, ids, cpu, "a::t2")] == ["a::t2", "b::t1", "a::t1"]


def test_a_draw_takes_as_many_of_each_sort_and_depends_on_its_seed(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room/small.py").write_text(SOURCE, encoding="utf-8")
    drawn = draw(tmp_path, ["room"], 4, 0)
    assert {mutant.sort for mutant in drawn} == {"comparison", "off by one", "sign", "dropped mask"}
    assert drawn == draw(tmp_path, ["room"], 4, 0)
    assert {tuple(draw(tmp_path, ["room"], 4, seed)) for seed in range(8)} != {tuple(drawn)}
    assert len(draw(tmp_path, ["room"], 60, 0)) == 7


def test_annotations_and_shapes_are_checked_in_every_call() -> None:
    def same(a: Float[np.ndarray, "N C"], b: Float[np.ndarray, "N C"], count: int) -> Float[np.ndarray, "N {count}"]:
        return a[:, :2]

    watched, two, three = checked(same), np.zeros((4, 2)), np.zeros((4, 3))
    assert watched(three, three, 2).shape == (4, 2) and watched(two, two, 2).shape == (4, 2)
    for wrong in ((two, three, 2), (two, two, 3), (two, two, "2"), (two[0], two[0], 2)):
        with pytest.raises(BeartypeCallHintViolation):
            watched(*wrong)

    @checked
    @dataclass
    class Place:
        line: int

    with pytest.raises(BeartypeCallHintViolation):
        Place("1")
    with pytest.raises(BeartypeCallHintViolation):
        sinusoid(torch.zeros(2, 3), 4)


def test_an_annotation_that_only_type_checkers_read_leaves_the_others_checked() -> None:
    @checked
    def counted(rows: int, names: "pd.Categorical[str]", other: "only.imported.by.Checkers") -> None:
        assert names is other

    counted(1, None, None)
    with pytest.raises(BeartypeCallHintViolation):
        counted("1", None, None)
