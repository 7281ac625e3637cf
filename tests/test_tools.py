"""Tools about the project: lowest versions, and mutants."""

from pathlib import Path

import pytest

from tests.tools.lowest import lowest
from tests.tools.mutants import draw
from tests.tools.mutations import mutants

SOURCE = '''"""é before the places: they are counted in bytes."""
def f(x: "int | None", mask, other):
    if x <= 3 and f"{x < 2}":
        return x[1:] - other
    kept = torch.where(mask, x,
                       other)
    return kept & -other
'''


def test_lowest_versions_of_what_users_install() -> None:
    project = """
        [project]
        dependencies = ["torch==2.13.0", "mlflow>=3.5", "torchjd>=0.18,<0.19"]
        [project.optional-dependencies]
        cluster = ["mlflow[auth]>=3.5", "psycopg[binary]>=3.2.3"]
        dev = ["ruff>=0.9"]
    """
    assert lowest(project) == ["mlflow==3.5", "psycopg==3.2.3", "torch==2.13.0", "torchjd==0.18"]


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


def test_a_draw_takes_as_many_of_each_sort_and_depends_on_its_seed(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room/small.py").write_text(SOURCE, encoding="utf-8")
    drawn = draw(tmp_path, ["room"], 4, 0)
    assert {mutant.sort for mutant in drawn} == {"comparison", "off by one", "sign", "dropped mask"}
    assert drawn == draw(tmp_path, ["room"], 4, 0)
    assert {tuple(draw(tmp_path, ["room"], 4, seed)) for seed in range(8)} != {tuple(drawn)}
    assert len(draw(tmp_path, ["room"], 60, 0)) == 7
