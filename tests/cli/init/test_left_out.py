"""`mtl init` on columns that the tasks of a new project do not read, and on labels of rows as tags."""

from pathlib import Path

import numpy as np
import pytest

from mtl.cli.init.init import init
from mtl.config import load_config
from mtl.config.sources import SeriesSource
from mtl.errors import UserError
from tests.helpers.mixtures import goods_table

ROWS = 400
WORDS = np.array(["the", "shop", "was", "closed", "when", "we", "came", "back", "with", "all", "our", "things"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of notes and numbers, and with a series that has a label in each row."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    notes = ["note,visits,mood"]
    steps = ["date,load,alarm,mode"]
    for row in range(ROWS):
        mood = "good" if row % 3 else "bad"
        notes.append(f"{' '.join(draw.choice(WORDS, 9))} {row},{draw.integers(0, 99)},{mood}")
        hour = f"2021-03-{1 + row // 24:02d} {row % 24:02d}:00:00"
        steps.append(f"{hour},{draw.normal():.4f},{'yes' if row % 5 == 0 else 'no'},{'slow' if row % 7 else 'fast'}")
    (tmp_path / "notes.csv").write_text("\n".join(notes) + "\n")
    (tmp_path / "steps.csv").write_text("\n".join(steps) + "\n")
    return tmp_path


def test_a_text_beside_other_columns_is_told_with_what_brings_it_in(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(Path("made"), Path("notes.csv"), "mood")
    out = capsys.readouterr().out
    assert (
        "  note holds texts and is no input: --option 'inputs={note: text}' learns from it alone, and --option "
        "'inputs={visits: number, note: text}' from both.\n"
    ) in out
    init(Path("both"), Path("notes.csv"), "mood", given=["inputs={visits: number, note: text}"])
    assert "no input" not in capsys.readouterr().out, "the remedy is followed"
    init(Path("alone"), Path("notes.csv"), "mood", given=["inputs={note: text}"])
    assert "  No inputs: visits; params.yaml says why, beside `ignore`.\n" in capsys.readouterr().out


def test_columns_beside_images_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goods_table(here, 60)
    init(Path("made"), Path("goods.csv"), "odd", given=["images={folder: photos, size: [8, 8]}"])
    assert "  No inputs: weight, shop, note, price; --option 'inputs={NAME: TYPE}' names" in capsys.readouterr().out
    init(Path("some"), Path("goods.csv"), "odd", given=["inputs={weight: number, photo: image}"])
    out = capsys.readouterr().out
    assert "  photo names image files in photos.\n" in out, "the inputs are named: no word on how that is done"
    assert "  No inputs: shop, note, price; params.yaml says why" in out


def test_a_label_of_each_row_of_a_series_is_learnt_as_a_tag(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(Path("made"), Path("steps.csv"), "alarm:tagging")
    config = load_config(here / "made/params.yaml")
    source = config.prepare.sources["steps"]
    assert isinstance(source, SeriesSource) and (source.values, source.labels) == (["load"], ["alarm"])
    assert config.tasks["alarm"].at_positions and config.tasks["alarm"].input_len == 16
    assert "  No inputs: mode; those of a series are numbers" in capsys.readouterr().out


@pytest.mark.parametrize("numbers", [False, True])
def test_rows_that_are_no_steps_are_refused_with_what_makes_them_steps(here: Path, numbers: bool) -> None:
    lines = [line.split(",") for line in Path("steps.csv").read_text().splitlines()]
    held = ["1" if line[2] == "yes" else "0" if line[2] == "no" else line[2] for line in lines]
    cells = [(line[1], line[0], own if numbers else line[2]) for line, own in zip(lines, held, strict=True)]
    Path("turned.csv").write_text("\n".join(",".join(line) for line in cells) + "\n")
    with pytest.raises(UserError, match=r"put the column of their dates first and the rows into its order"):
        init(Path("made"), Path("turned.csv"), "alarm:tagging")
    Path("first.csv").write_text("\n".join(f"{when},{load},{own}" for load, when, own in cells) + "\n")
    init(Path("made"), Path("first.csv"), "alarm:tagging")
    assert isinstance(load_config(here / "made/params.yaml").prepare.sources["first"], SeriesSource)
