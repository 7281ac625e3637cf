"""The workspace of `mtl repro --quick`: what it links to, what it shortens, and how its results are marked."""

import io
from pathlib import Path

import pytest
import yaml
from dvc.config import Config as DvcSettings
from rich.console import Console

from mtl.cli.quick import FOLDER, few, is_workspace, lay_out, shortened
from mtl.config import Config, load_config, parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.errors import UserError
from mtl.evaluation.advise import first_look
from mtl.evaluation.judge import of_quick_look
from mtl.report.page import write_report
from mtl.report.table import print_verdicts
from mtl.report.timings import Timings
from mtl.results.quick import QuickLook
from mtl.setup import presets
from mtl.setup.new_project import lay_out as lay_out_project
from tests.helpers.results import make_config, write_results
from tests.helpers.verdicts import typed

CHANGED = {"base": {"seeds"}, "train": {"epochs"}, "pretrain": {"epochs"}, "tune": {"seeds"}, "evaluate": {"quick"},
           "specialise": {"random_draws", "every_partition"}, "tracking": {"experiment", "uri"}}  # fmt: skip


def read(text: str) -> Config:
    return parse_config(parse_yaml(text, "params.yaml"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project of the installed package."""
    lay_out_project(tmp_path)
    (tmp_path / "params.yaml").write_text(presets.render("sensors"), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_shortened_to_settings_that_can_be_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    text = presets.render(name)
    whole = read(text)
    quick = read(shortened(text, whole))
    assert quick.base.seeds == whole.base.seeds[:1]
    assert quick.train.epochs == few(whole.train.epochs) <= whole.train.epochs
    assert quick.evaluate.quick is not None
    assert (quick.evaluate.quick.seeds, quick.evaluate.quick.epochs) == (len(whole.base.seeds), whole.train.epochs)
    assert quick.tracking.experiment == "mtl (quick)"
    before, after = (config.model_dump(mode="json", by_alias=True) for config in (whole, quick))
    for section, content in before.items():
        if section in ("finetune", "cluster"):  # Epochs at which something is noted may lie behind the last.
            continue
        other = {key for key in content if content[key] != after[section][key]}
        assert other <= CHANGED.get(section, set()), section


def test_epochs_that_methods_name_lie_within_the_few() -> None:
    text = presets.render("digits-groups")
    raw = yaml.safe_load(text)
    (name, method), *_ = raw["finetune"]["methods"].items()
    method["datamap"] = {"record": "evaluation", "snapshots": [1, 9]}
    method["curriculum"] = {"start_epoch": {next(iter(raw["tasks"])): 10}}
    raw["baseline"]["tasks"] = None
    raw["cluster"] |= {"source": name, "relation": {"kind": "map", "epochs": [9, 15]}}
    text = yaml.safe_dump(raw, sort_keys=False)
    whole = read(text)
    quick = read(shortened(text, whole))
    told = quick.finetune.methods[name]
    assert quick.train.epochs == 3 < whole.train.epochs
    assert told.datamap is not None and told.datamap.snapshots == [1]
    assert told.curriculum is not None and list(told.curriculum.start_epoch.values()) == [3]
    assert quick.cluster.relation.model_dump()["epochs"] is None


def test_a_fifth_of_the_epochs_but_three_where_there_are_so_many() -> None:
    assert [few(epochs) for epochs in (1, 2, 3, 8, 15, 16, 100)] == [1, 2, 3, 3, 3, 4, 20]


def test_sections_that_are_left_out_are_made(place: Path) -> None:
    raw = yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))
    for section in ("base", "train", "pretrain", "baseline", "cluster", "specialise", "evaluate", "tracking", "tune"):
        del raw[section]
    raw["evaluate"] = None
    text = yaml.safe_dump({key: value for key, value in raw.items() if value is not None})
    quick = read(shortened(text, read(text), place))
    assert quick.base.seeds == [0] and quick.train.epochs == 3
    assert quick.tracking.uri == f"sqlite:///{place / 'mlflow.db'}"


def test_an_address_of_the_environment_is_not_written_down(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a password, and stages see it anyway."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@example.org")
    text = (place / "params.yaml").read_text(encoding="utf-8")
    assert "secret" not in shortened(text, read(text), place)


def test_the_workspace_has_links_to_what_is_read_and_nothing_of_what_was_made(place: Path) -> None:
    made = ["results/verdicts.json", "report/report.html", "outputs/finetune/joint/seed-0/run.json", "mlflow.db",
            "data/prepared/sensors/meta.json", "data/index.json", "timings/x.json", "dvc.lock", ".mtl/state/x",
            "dvc.lock.damaged-2"]  # fmt: skip
    read_there = ["plugins/own.py", "data/raw/mine.csv", "data/notes/text.md", "my stages/a.py", "code.json"]
    for name in [*made, *read_there[:-1]]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"content of {name}")
    folder = lay_out(load_config(place / "params.yaml"), place)
    assert folder == place / FOLDER and is_workspace(folder) and not is_workspace(place)
    for name in read_there:
        assert (folder / name).resolve() == (place / name).resolve()
    assert not any((folder / name).exists() for name in made)
    for folder_of_outputs in ("data", "data/prepared", "results", "report", "outputs", "timings"):
        assert not (folder / folder_of_outputs).is_symlink()
    assert (folder / "dvc.yaml").read_bytes() == (place / "dvc.yaml").read_bytes()
    assert not (folder / "dvc.yaml").is_symlink()


def test_the_workspace_follows_the_project(place: Path) -> None:
    """New files are there, links to files that are gone go, what was computed stays."""
    (place / "old.csv").write_text("1")
    (place / "later").mkdir()
    folder = lay_out(load_config(place / "params.yaml"), place)
    (folder / "results").mkdir()
    (folder / "results/verdicts.json").write_text("{}")
    (folder / "dvc.lock").write_text("stages: {}")
    (place / "old.csv").unlink()
    (place / "new.csv").write_text("2")
    text = (place / "dvc.yaml").read_text(encoding="utf-8").replace("      - outputs/cluster\n", "      - later/x\n", 1)
    (place / "dvc.yaml").write_text(text, encoding="utf-8")
    assert lay_out(load_config(place / "params.yaml"), place) == folder
    assert not (folder / "old.csv").is_symlink() and (folder / "new.csv").read_text() == "2"
    assert (folder / "results/verdicts.json").exists() and (folder / "dvc.lock").exists()
    assert not (folder / "later").is_symlink(), "a stage writes there now"
    assert (place / "later").is_dir()


@pytest.mark.parametrize("name", ["50% off", "a, b #c", "it's", 'say "so"'])
def test_the_cache_is_that_of_the_project(name: str, tmp_path: Path) -> None:
    root, elsewhere = tmp_path / name, tmp_path / "elsewhere, cache"
    lay_out_project(root)
    (root / "params.yaml").write_text(presets.render("sensors"), encoding="utf-8")
    for expected in (root / ".dvc" / "cache", elsewhere):
        if expected == elsewhere:
            (root / ".dvc" / "config.local").write_text(f'[cache]\n    dir = "{elsewhere}"\n')
        folder = lay_out(load_config(root / "params.yaml"), root)
        settings = DvcSettings(dvc_dir=str(folder / ".dvc"))
        assert Path(settings["cache"]["dir"]) == expected
        assert settings["core"]["no_scm"] is True


def test_a_place_that_cannot_be_written_is_one_message(place: Path) -> None:
    (place / ".mtl").write_text("a file")
    with pytest.raises(UserError, match=r"\.mtl/quick cannot be written"):
        lay_out(load_config(place / "params.yaml"), place)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path, dict[str, object]]:
    """Results of one seed that are marked as a quick look."""
    root = tmp_path_factory.mktemp("looked")
    config = make_config(["joint"], 1)
    _, verdicts = write_results(root, ["joint"], 1)
    content = config.model_dump(mode="json", by_alias=True)
    content["evaluate"]["quick"] = {"seeds": 5, "epochs": 40}
    config = parse_config(content)
    look = QuickLook.of(config)
    assert look is not None
    for row in verdicts["rows"]:
        row["verdict"] = of_quick_look(0.01).plain()
        row.pop("new_data", None)
    verdicts |= {"quick": look.plain(), "seeds": [0]}
    return config, root, verdicts


def test_the_block_in_the_terminal_begins_and_ends_with_the_mark(
    looked: tuple[Config, Path, dict[str, object]],
) -> None:
    config, _, verdicts = looked
    stream = io.StringIO()
    report = FOLDER / "report/report.html"
    print_verdicts(typed(verdicts), Timings(), report, Console(file=stream, width=100, highlight=False))
    lines = stream.getvalue().splitlines()
    assert lines[1] == f"QUICK LOOK, no result: 1 of 5 seeds and {config.train.epochs} of 40 epochs"
    assert "One seed decides nothing" in stream.getvalue() and "Only 1 seed" not in stream.getvalue()
    assert "change % ±" not in stream.getvalue() and "HELPED" not in stream.getvalue()
    assert f"Report  {report}" in stream.getvalue()
    assert lines[-1].startswith("Next    mtl repro (verdicts, with intervals)")


@pytest.mark.thorough
def test_the_page_says_so_in_its_title_and_above_its_heading(looked: tuple[Config, Path, dict[str, object]]) -> None:
    config, root, verdicts = looked
    page = write_report(config, typed(verdicts), root).read_text(encoding="utf-8")
    assert "<title>Quick look: joint training" in page
    assert page.index("Quick look, no result.") < page.index("<h1>")
    assert "not known: quick look" in page


def test_advice_on_a_quick_look_advises_nothing(looked: tuple[Config, Path, dict[str, object]]) -> None:
    advice = first_look(typed(looked[2]))
    assert advice.startswith("None on a quick look: one seed decides nothing, `mtl repro` does.")
    assert "Train" not in advice
