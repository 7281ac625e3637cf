"""`mtl init`, as a user meets it: a whole project, or one message and nothing written."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from typer.testing import CliRunner

from mtl.cli.init.init import init
from mtl.cli.main import app
from mtl.cli.preflight import check, left_out
from mtl.config import Config, load_config
from mtl.config.common import tag
from mtl.config.table_source import TableSource
from mtl.config.table_split import RandomSplit
from mtl.config.tabular import TabularEncoder
from mtl.config.tasks import Task
from mtl.config.yaml_file import read_yaml
from mtl.errors import DataError, UserError
from mtl.project.pipeline import pipeline
from mtl.project.places import TEMPLATE
from mtl.setup import place
from mtl.setup.table_checks import check_tables
from tests.cli.init.conftest import ROWS, own_table

BOTH = "price,smoker"


def made(folder: str = "new", **arguments: Any) -> Config:
    """The configuration of a new project that `mtl repro` would run."""
    init(Path(folder), **({"data": Path("own.csv"), "targets": BOTH} | arguments))
    config = load_config(Path(folder) / "params.yaml")
    check(config, [], Path(folder))
    check_tables(config, Path(folder), strict=False)
    return config


def source_of(config: Config) -> TableSource:
    (source,) = config.prepare.sources.values()
    assert isinstance(source, TableSource)
    return source


def files(folder: Path) -> dict[str, bytes]:
    """Path → content of every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(**arguments: Any) -> str:
    """The message with which nothing is written."""
    before = files(Path())
    with pytest.raises(UserError) as caught:
        init(**({"folder": Path("new"), "data": Path("own.csv")} | arguments))
    assert files(Path()) == before and not Path("new").exists()
    return str(caught.value)


def test_a_project_holds_all_that_it_needs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = made(targets="price,smoker,good=grade>=4")
    new = here / "new"
    assert set(files(new)) >= {
        ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "README.md", "code.json", "data/raw/own.csv",
        "data/raw/own.json", "dvc.yaml", "params.yaml", "plugins/README.md",
    }  # fmt: skip
    assert (new / ".git").is_dir() and (new / "data/raw/own.csv").read_bytes() == Path("own.csv").read_bytes()
    assert {name: tag(type(task)) for name, task in config.tasks.items()} == {
        "price": "regression", "smoker": "binary", "good": "binary",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "good: binary of grade (whole numbers from 1 to 5, 5 different; holds for" in said
    steps = ["mtl validate", "mtl repro", "mtl ui"]
    readme = (new / "README.md").read_text(encoding="utf-8")
    for text in (said[said.index("Next:") :], readme):
        places = [text.index(step) for step in steps]
        assert places == sorted(places)
    assert "{" not in readme and "price (regression), smoker (binary), good (binary) from own.csv" in readme
    assert left_out(read_yaml(new / "params.yaml"), config, new) == {}, "every value that a stage watches is written"


def test_every_column_stands_with_its_type_or_with_why_it_is_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = source_of(made(targets="price,smoker,grade:classification"))
    assert source.inputs == {
        "a": "number", "width (cm)": "number", "c,d": "number", "patient_id": "category", "town": "category",
        "count": "number",
    }  # fmt: skip
    assert source.types == {"smoker": "boolean", "grade": "number", "price": "number"}
    assert set(source.ignore) == {"copy", "id", "same", "note"}
    assert "  No inputs: id, same; params.yaml says why" in capsys.readouterr().out
    assert {*source.inputs, *source.types, *source.ignore} == {*own_table().columns}
    lines = Path("new/params.yaml").read_text(encoding="utf-8").splitlines()
    beside = {line.split("#")[0].strip(): line.split("# ", 1)[1] for line in lines if " # " in line}
    assert beside["patient_id: category"].startswith(
        "30 names; whole numbers under the name of an id, which repeat; it"
    )
    assert beside["- copy"].startswith("a copy with other names for the values of the")
    assert beside["- id"] == "it counts the rows" and beside["- same"] == "every row holds 1"
    assert beside["- note"].startswith('`inputs: {"note": text}` learns from it alone')
    assert max(map(len, lines)) <= 120


def test_every_setting_has_a_comment(here: Path) -> None:
    """Settings of the table, of each kind of task that there can be, and of the network; others are the default's."""
    made(targets="price,smoker,grade:classification")
    text = Path("new/params.yaml").read_text(encoding="utf-8")
    kinds = [kind for kind in get_args(get_args(Task)[0]) if not kind.looks_ahead and not kind.at_positions]
    for model in (TableSource, TabularEncoder, *kinds):
        for name in model.model_fields:
            if name not in ("input_len",):
                assert f"{name}:" in text, f"{name} of {model.__name__} is missing"
    known = Path("new/params.yaml").read_text(encoding="utf-8")
    for line in known[known.index("prepare:") : known.index("# One budget")].splitlines():
        key, _, rest = line.strip().partition(":")
        if key in TableSource.model_fields and rest and key != "kind":
            at = known.index(line)
            above = known[:at].splitlines()[-1].strip()
            assert "#" in line or above.startswith("#"), line


@pytest.mark.parametrize(
    ("targets", "kinds"),
    [
        ("price", {"price": "regression"}),
        ("count", {"count": "regression"}),
        ("smoker", {"smoker": "binary"}),
        ("town", {"town": "classification"}),
        ("grade:regression", {"grade": "regression"}),
        ("grade:classification", {"grade": "classification"}),
        ("smoker:classification", {"smoker": "classification"}),
        ('width (cm),"c,d"', {"width_cm": "regression", "c_d": "regression"}),
        ("ulm=town==Ulm", {"ulm": "binary"}),
        ('west=town==Jena|"Bonn, West"', {"west": "binary"}),
        ("three=grade==3,low=grade<2", {"three": "binary", "low": "binary"}),
    ],
)
def test_kinds_of_targets(here: Path, targets: str, kinds: dict[str, str]) -> None:
    config = made(targets=targets)
    assert {name: tag(type(task)) for name, task in config.tasks.items()} == kinds
    assert "linear: {}" in Path("new/params.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"targets": None}, "--targets is missing: which columns of own.csv should be predicted? It has a, width (cm)"),
        ({"targets": "grade"}, "may mean the number itself or one of 5 classes: write grade:regression or grade:c"),
        ({"targets": "q=grade"}, "write q=grade:regression or q=grade:classification"),
        ({"targets": "Grade"}, "found 'Grade'; did you mean 'grade'?"),
        ({"targets": "pice:regression"}, "(in 'pice:regression'), found 'pice'; did you mean 'price'?"),
        ({"targets": "c,d"}, 'stand in quotes: "c,d".'),
        ({"targets": "price:classification"}, "it could be price:regression, or two classes by a rule, price=price>="),
        ({"targets": "grade:binary"}, "it needs two classes, and there are 5"),
        ({"targets": "town:regression"}, "it needs numbers, and the cells are taken for category"),
        ({"targets": "price:forecast"}, "it needs rows that are steps of time"),
        ({"targets": "price:regress"}, "should have a kind among forecast, regression, classification, binary"),
        ({"targets": "price,price:regression"}, "name one of them yourself, as in price_2=price:regression"),
        ({"targets": "grade>=3"}, "should have a name for the task, as in NAME=grade>=3"),
        ({"targets": "good=town>=3"}, "name a class, as in good=town==VALUE"),
        ({"targets": "good=grade>=9"}, "it holds for none: `grade` has values from 1 to 5"),
        ({"targets": "good=grade>=1"}, "it holds for all"),
        ({"targets": "ulm=town==Ulm2"}, "should be among the classes of `town`: Bonn, West, Jena, Ulm; found 'Ulm2'"),
        ({"targets": "same"}, "`same` is no target (every row holds 1)."),
        ({"targets": "note"}, "`note` is no target (text, sentences"),
        ({"targets": "id"}, "--option 'types={id: number}' takes it for one"),
        ({"targets": BOTH, "group": "patent_id"}, "--group should be a column of own.csv, found 'patent_id'; did you"),
        ({"targets": BOTH, "group": "same"}, "which holds the same in every row"),
        ({"targets": BOTH, "group": "id"}, "which holds another value in every row: leave --group out"),
        ({"targets": BOTH, "group": "smoker"}, "which is a target"),
        ({"targets": BOTH, "group": "patient_id", "given": ["split={kind: random}"]}, "--group should be left out"),
        ({"targets": BOTH, "given": ["foo=1"]}, "NAME one of encoding, separator"),
        ({"targets": BOTH, "given": ["rare=x"]}, "`rare` should be a valid integer"),
        ({"targets": BOTH, "given": ["split={kind: column, column: town}"]}, "town"),
        ({"targets": BOTH, "data": Path("gone.csv")}, "gone.csv is missing"),
        ({"targets": BOTH, "preset": "wines"}, "`preset` should be one of sensors"),
        ({"targets": BOTH, "preset": "digits-labels"}, "--preset digits-labels cannot be used with --data"),
        ({"targets": BOTH, "preset": "sensors"}, "cannot be used with --data and these targets: `encoder.kind`"),
        ({"targets": BOTH, "data": None}, "--targets is for a table of your own"),
        ({"group": "a", "data": None}, "--group is for a table of your own"),
        ({"given": ["rare=2"], "data": None}, "--option is for a table of your own"),
        ({"preset": "wines", "data": None}, "`preset` should be one of sensors"),
        ({"targets": ",".join(f'"{name}"' for name in ("a", "width (cm)", "c,d", "price")),
          "given": ["inputs=[a, price]"]}, "--targets should leave columns of own.csv to predict from"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_message_and_nothing_is_written(here: Path, arguments: dict[str, Any], told: str) -> None:
    assert told in refusal(**arguments)


def test_rows_of_a_group_stay_together(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = source_of(made(group="patient_id"))
    assert source.group_column == "patient_id" and "patient_id" not in (source.inputs or {})
    assert "--group" not in capsys.readouterr().out
    made("other")
    assert "patient_id seems to name what rows belong to: with --group patient_id" in capsys.readouterr().out


def test_a_class_that_some_part_lacks_is_told_with_the_setting_that_leaves_it_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = own_table()
    table.loc[7, "town"] = "Kiel"
    table.to_csv("own.csv", index=False)
    init(Path("new"), Path("own.csv"), "town,price")
    problem = "tasks.town: no training sample of class 'Kiel'"
    told = capsys.readouterr().out
    assert f"`mtl repro` would stop: {problem}" in told and '`missing: ["Kiel"]`' in told
    with pytest.raises(DataError, match=problem):
        check_tables(load_config(Path("new/params.yaml")), Path("new"))
    mended = made("other", targets="town,price", given=['missing=["Kiel"]'])
    assert check_tables(mended, Path("other")) == []


@pytest.mark.parametrize(
    ("targets", "stratum"),
    [("price", None), (BOTH, "smoker"), ("smoker,town", None), ("grade:regression,good=grade>=4", "grade")],
)
def test_random_parts_are_stratified_by_the_one_label(here: Path, targets: str, stratum: str | None) -> None:
    split = source_of(made(targets=targets)).split
    assert split == RandomSplit(kind="random", test=0.2, stratify=stratum, duplicates="together")


def test_options_of_the_source_are_written(here: Path) -> None:
    given = ["rare=3", "ignore=[town]", "weight=count", "types={patient_id: number}", "units={a: metres}"]
    source = source_of(made(given=given))
    assert (source.rare, source.weight, source.units) == (3, "count", {"a": "metres"})
    assert source.inputs is not None and isinstance(source.inputs, dict)
    assert source.inputs["patient_id"] == "number" and "count" not in source.inputs and "town" in source.ignore
    source = source_of(made("other", given=["inputs=[a, town]", "split={kind: cross, folds: 4, group: patient_id}"]))
    assert source.inputs == {"a": "number", "town": "category"} and source.group_column == "patient_id"
    source = source_of(made("third", targets="grade:regression,smoker", given=["allow=[copy]"]))
    assert "copy" in (source.inputs or {}) and source.allow == ["copy"]


def test_a_file_is_read_with_what_it_needs(here: Path) -> None:
    table = own_table().drop(columns="note")
    table.to_csv("german.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    table.to_parquet("own.parquet")
    source = source_of(made(data=Path("german.csv")))
    assert (source.separator, source.decimal) == (";", ",")
    assert source_of(made("other", data=Path("own.parquet"))).path == "data/raw/own.parquet"


def test_training_settings_of_a_preset(here: Path) -> None:
    config = made(preset="parkinsons")
    assert (config.train.epochs, config.train.lr, config.train.weight_decay) == (5, 0.0003, 0.3)
    assert isinstance(config.encoder, TabularEncoder) and config.encoder.width == 32
    assert set(config.tasks) == {"price", "smoker"} and set(config.finetune.methods) == {"joint", "uncertainty"}


def test_training_settings_by_the_number_of_rows(here: Path) -> None:
    small = made()
    pd.concat([own_table().assign(id=0, note="")] * 30).to_csv("large.csv", index=False)
    large = made("other", data=Path("large.csv"))
    assert small.train.epochs > large.train.epochs and small.train.batch_size < large.train.batch_size
    assert small.encoder.dropout > large.encoder.dropout


@pytest.mark.parametrize(("preset", "first"), [(None, "mtl validate"), ("etth1-har", "mtl data get etth1 har")])
def test_without_a_table_a_project_is_a_presets(
    here: Path, preset: str | None, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    init(Path("new"), preset=preset)
    said = capsys.readouterr().out
    assert said[said.index("Next:") :].splitlines()[2].strip().startswith(first)
    config = load_config(Path("new/params.yaml"))
    assert {path.stem for path in Path("new/data/raw").glob("*.json")} == {*config.prepare.sources}
    if preset is None:
        check(config, [], Path("new"))


def test_a_preset_brings_the_plugins_that_it_names(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init(Path("new"), preset="own-code")
    modules = {path.name: path.read_text(encoding="utf-8") for path in Path("new/plugins/examples").glob("*.py")}
    assert set(modules) == {"__init__.py", "machines.py", "residual.py"} and "def read(" in modules["machines.py"]
    init(Path("old"), preset="sensors")
    own = Path("old/plugins/examples/machines.py")
    own.parent.mkdir()
    own.write_text("mine = 1\n")
    monkeypatch.chdir("old")
    result = CliRunner().invoke(app, ["preset", "use", "own-code"])
    assert result.exit_code == 0, result.output
    assert Path("plugins/examples/residual.py").read_text(encoding="utf-8") == modules["residual.py"]
    assert Path("plugins/examples/machines.py").read_text(encoding="utf-8") == "mine = 1\n"


def test_plugins_of_a_project_that_is_not_made_are_taken_back(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, "write_params", full)
    with pytest.raises(UserError, match="No space left"):
        init(Path("new"), preset="own-code")
    assert not Path("new").exists()


def test_the_command_and_its_help(here: Path) -> None:
    result = CliRunner().invoke(app, ["init", "new", "--data", "own.csv", "--targets", BOTH])
    assert result.exit_code == 0 and Path("new/params.yaml").exists()
    shown = CliRunner().invoke(app, ["init", "--help"], env={"COLUMNS": "100"})
    for option in ("--data", "--targets", "--group", "--preset", "--option"):
        assert option in shown.output


def test_files_of_the_user_stay(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = {"README.md": "mine", ".gitignore": "*.tmp\n", "stages/__init__.py": "", "pipelines/a.py": "x = 1\n",
            "plugins/own.py": "y = 2\n", "data/raw/other.csv": "a\n"}  # fmt: skip
    for name, text in held.items():
        (here / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "new" / name).write_text(text)
    made()
    assert {name: (here / "new" / name).read_text() for name in held} == held
    said = capsys.readouterr().out
    assert "stay as they are: .gitignore, README.md. Lines that .gitignore should have: .mtl/ " in said
    assert "The folder" not in said


@pytest.mark.parametrize(
    ("name", "told"),
    [("params.yaml", "holds a params.yaml already"), ("dvc.yaml", "a pipeline of another kind"),
     ("data/raw/own.csv", "is another file than own.csv"), ("plugins", "should be a folder, found a file")],
)  # fmt: skip
def test_what_stands_in_the_way_is_told(here: Path, name: str, told: str) -> None:
    (here / "new" / name).parent.mkdir(parents=True, exist_ok=True)
    (here / "new" / name).write_text("mine")
    before = files(here)
    with pytest.raises(UserError, match=told):
        init(Path("new"), Path("own.csv"), BOTH)
    assert files(here) == before


def test_a_folder_that_is_a_file_or_is_not_writable(here: Path) -> None:
    for folder in ("own.csv", "own.csv/below"):
        with pytest.raises(UserError, match=r"own\.csv should be a folder, found a file"):
            init(Path(folder), Path("own.csv"), BOTH)


def test_an_error_while_writing_leaves_what_was_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "new/plugins").mkdir(parents=True)
    (here / "new/plugins/own.py").write_text("mine")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, "write_params", fails)
    before = files(here)
    with pytest.raises(UserError, match="new cannot be written: No space left on device"):
        init(Path("new"), Path("own.csv"), BOTH)
    assert files(here) == before
    assert {path.name for path in (here / "new").iterdir()} == {"plugins"}
    shutil.rmtree(here / "new")
    with pytest.raises(UserError, match="No space left on device"):
        init(Path("deep/new"), Path("own.csv"), BOTH)
    assert not (here / "deep").exists()


def test_what_a_kill_has_left_is_no_hindrance(here: Path) -> None:
    from mtl.setup.new_project import lay_out

    lay_out(here / "new")
    made()
    assert (here / "new/dvc.yaml").read_text(encoding="utf-8") == pipeline()


def test_a_folder_in_a_repository(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=here, check=True)
    made("below/new")
    assert not (here / "below/new/.git").exists() and (here / "below/new/.dvc/config").exists()
    assert "as by `dvc init --subdir`" in capsys.readouterr().out
    (here / ".gitignore").write_text("scratch/\n")
    with pytest.raises(UserError, match="scratch/new is ignored by git"):
        init(Path("scratch/new"), Path("own.csv"), BOTH)
    assert not (here / "scratch").exists()


def test_data_that_lie_in_the_project_stay_where_they_are(here: Path) -> None:
    (here / "data/raw/below").mkdir(parents=True)
    (here / "own.csv").rename(here / "data/raw/below/own.csv")
    config = made(".", data=Path("data/raw/below/own.csv"))
    assert source_of(config).path == "data/raw/below/own.csv"
    assert not (here / "data/raw/own.csv").exists()
    assert list(json.loads((here / "data/raw/own.json").read_text())["files"]) == ["below/own.csv"]


def test_a_broken_table_is_refused_as_by_inspect(here: Path) -> None:
    Path("own.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataError, match=r"own\.csv"):
        init(Path("new"), Path("own.csv"), "b:regression")
    assert not Path("new").exists()


def test_names_that_mean_something_in_yaml_and_braces(here: Path) -> None:
    table = own_table()[["a", "price", "town"]].rename(columns={"a": "yes: #1", "town": "{null}", "price": "1e3"})
    table.to_csv("{odd}.csv", index=False)
    config = made(data=Path("{odd}.csv"), targets='"1e3","{null}"')
    assert source_of(config).inputs == {"yes: #1": "number"}
    assert set(config.tasks) == {"table_1e3", "null"} and source_of(config).path == "data/raw/{odd}.csv"


def test_the_templates_name_every_kind_of_task() -> None:
    text = (TEMPLATE / "own/table.yaml").read_text(encoding="utf-8")
    for kind in get_args(get_args(Task)[0]):
        of_rows = not kind.looks_ahead and not kind.at_positions
        assert (f"\n  {tag(kind)}:\n" in text) == of_rows
    assert ROWS < 1000
