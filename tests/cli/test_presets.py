"""Presets: overlays of the defaults that keep comments, replace maps of things whole, and respect edits."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from mtl.config import BinaryTask, Config, LabelRule, MnistSource, Task, parse_config
from mtl.errors import ConfigError, UserError
from mtl.setup import presets

DEFAULTS = """\
# The default.
# A second line.

# Of all stages.
base:
  seeds: [0, 1, 2]   # one run each

# Data.
prepare:
  sources:
    plant:
      kind: sensors
      rows: 500

# What is learnt.
tasks:
  ahead: {kind: forecast, source: plant, input_len: 48, horizon: 6}
  fault: {kind: binary, source: plant, input_len: 48, label: fault}

# The network.
encoder:
  kind: timedart     # or linear
  patch_len: 8       # rows
  d_model: 32
train:
  lr: 0.001          # of the shared part
  head_lr: null      # of the heads
  stopping:
    patience: 5      # epochs
    tolerance: 0.1
finetune:
  methods:
    joint: {kind: weighted, lambda: 0.2}   # the usual
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "sensors.yaml").write_text(DEFAULTS)
    (folder / "small.yaml").write_text("# A small one.\nbase:\n  seeds: [7]\ntrain:\n  stopping:\n    patience: null\n")
    (tmp_path / "params.yaml").write_text(DEFAULTS)
    return tmp_path


def _add(root: Path, name: str, text: str) -> dict[str, object]:
    (root / f"presets/{name}.yaml").write_text(text)
    rendered: dict[str, object] = yaml.safe_load(presets.render(name, root))
    return rendered


def test_untouched_sections_keep_their_text_and_touched_ones_their_comments(root: Path) -> None:
    expected = (
        DEFAULTS.replace("# The default.", "# A small one.")
        .replace("seeds: [0, 1, 2]   #", "seeds: [7]         #")
        .replace("patience: 5      #", "patience: null   #")
    )
    assert presets.render("small", root).split() == expected.split()
    before, after = (
        text[text.index("# Data.") : text.index("train:")] for text in (expected, presets.render("small", root))
    )
    assert before == after


def test_sensors_is_restored_byte_for_byte(root: Path) -> None:
    assert "patience: null" in presets.use("small", root).diff
    assert (root / "params.yaml").read_text() != DEFAULTS
    presets.use("sensors", root)
    assert (root / "params.yaml").read_bytes() == DEFAULTS.encode()
    assert presets.use("sensors", root).diff == ""


def test_edits_are_not_overwritten_unless_forced(root: Path) -> None:
    edited = DEFAULTS.replace("0.001", "0.002")
    (root / "params.yaml").write_text(edited)
    with pytest.raises(UserError, match=r"holds edits.*--force"):
        presets.use("small", root)
    assert (root / "params.yaml").read_text() == edited
    presets.use("small", root, force=True)
    assert presets.matching(root) == "small"


def test_a_missing_params_file_is_written(root: Path) -> None:
    (root / "params.yaml").unlink()
    presets.use("small", root)
    assert presets.matching(root) == "small"


def test_an_unknown_preset_lists_those_there_are(root: Path) -> None:
    with pytest.raises(UserError, match=r"should be one of sensors, small, found 'big'"):
        presets.use("big", root)


def test_maps_of_things_are_replaced_whole(root: Path) -> None:
    text = """\
tasks:
  later: {kind: forecast, source: plant, input_len: 48, horizon: 12}
finetune:
  methods:
    learned: {kind: uncertainty}
"""
    rendered = _add(root, "other", text)
    assert list(rendered["tasks"]) == ["later"]  # type: ignore[call-overload]
    assert rendered["finetune"] == {"methods": {"learned": {"kind": "uncertainty"}}}


def test_a_union_is_merged_within_its_kind_and_replaced_with_another(root: Path) -> None:
    assert _add(root, "wide", "encoder:\n  d_model: 64\n")["encoder"] == {
        "kind": "timedart", "patch_len": 8, "d_model": 64,
    }  # fmt: skip
    text = "encoder:\n  kind: linear\n  input_len: 48\n"
    assert _add(root, "linear", text)["encoder"] == {"kind": "linear", "input_len": 48}


def test_a_preset_that_does_not_hold_writes_nothing(root: Path) -> None:
    (root / "presets/bad.yaml").write_text("train:\n  lr: -1\n")
    with pytest.raises(ConfigError, match=r"preset bad: `train\.lr` .*found -1"):
        presets.use("bad", root)
    (root / "presets/torn.yaml").write_text("train: [1\n")
    with pytest.raises(ConfigError, match=r"torn\.yaml is not valid YAML"):
        presets.use("torn", root)
    assert (root / "params.yaml").read_text() == DEFAULTS
    assert sorted(path.name for path in root.iterdir()) == ["params.yaml", "presets"]


def test_a_broken_preset_of_the_users_does_not_stand_in_the_way(root: Path) -> None:
    (root / "presets/bad.yaml").write_text("train:\n  lr: -1\n")
    presets.use("small", root)
    assert presets.matching(root) == "small"


# The project's own presets.


@pytest.mark.parametrize("name", presets.names(Path(__file__).resolve().parents[2]))
def test_every_preset_holds_and_says_what_it_is(project: Path, name: str) -> None:
    text = presets.render(name, project)
    assert presets.describe(name, project)
    assert text.startswith(f"# {presets.describe(name, project)}\n")
    assert max(map(len, text.splitlines())) <= 120


def test_the_presets_that_are_promised_exist(project: Path) -> None:
    promised = {
        "sensors",
        "sensors-kinds",
        "smoke",
        "etth1-har",
        "etth1-har-conservative",
        "etth1-har-published",
        "ettm1-har",
        "weather",
        "digits-groups",
        "digits-parity",
        "mnist-parity",
        "cifar10-10",
        "cifar10-15",
        "cifar100-100",
    }
    assert promised <= set(presets.names(project))


def test_sensors_kinds_has_a_task_of_every_kind_on_one_source(project: Path) -> None:
    tasks = parse_config(yaml.safe_load(presets.render("sensors-kinds", project))).tasks.values()
    of_samples = {kind for kind in get_args(get_args(Task)[0]) if not kind.at_positions}
    assert {type(task) for task in tasks} == of_samples and len(tasks) == 4
    assert {task.source for task in tasks} == {"sensors"}


def test_params_is_the_default_preset(project: Path) -> None:
    assert (project / "params.yaml").read_bytes() == (project / "presets/sensors.yaml").read_bytes()


def test_conservative_is_what_its_name_says(project: Path) -> None:
    config = parse_config(yaml.safe_load(presets.render("etth1-har-conservative", project)))
    method = config.finetune.methods["joint"]
    assert (method.kind, method.lam, method.schedule) == ("weighted", 0.2, "warmup")
    assert (config.train.epochs, config.train.stopping.patience) == (30, 7)


def test_published_has_the_published_network(project: Path) -> None:
    encoder = parse_config(yaml.safe_load(presets.render("etth1-har-published", project))).encoder
    assert (encoder.kind, encoder.patch_len, encoder.heads, encoder.d_model) == ("timedart", 2, 16, 32)


def test_forecasts_of_etth1_use_the_borders_of_the_benchmark(project: Path) -> None:
    for name in ("etth1-har", "etth1-har-conservative", "etth1-har-published"):
        source = parse_config(yaml.safe_load(presets.render(name, project))).prepare.sources["etth1"]
        assert source.kind == "series"
        assert source.borders.model_dump() == {"train": 8640, "val": 11520, "test": 14400}


@pytest.mark.parametrize("name", ["digits-parity", "mnist-parity"])
def test_parity_asks_both_questions_of_the_published_network(name: str, project: Path) -> None:
    config = parse_config(yaml.safe_load(presets.render(name, project)))
    even, three = config.tasks["even"], config.tasks["multiple_of_3"]
    assert even.kind == three.kind == "binary" and even.label == "even"
    assert isinstance(three.label, LabelRule) and three.label.multiple_of == 3
    assert config.encoder.kind == "mlp" and config.encoder.sizes == [64, 32]
    assert {method.sharing.kind for method in config.finetune.methods.values()} == {"hard", "cross_stitch"}


def test_mnist_parity_is_trained_as_published(project: Path) -> None:
    config = parse_config(yaml.safe_load(presets.render("mnist-parity", project)))
    source, train = config.prepare.sources["mnist"], config.train
    assert isinstance(source, MnistSource) and (source.mean, source.std) == ((0.1307,), (0.3081,))
    assert (train.batch_size, train.lr, train.epochs, train.schedule) == (128, 0.001, 20, "constant")
    assert (train.weight_decay, train.clip, train.stopping.patience, train.watch_test) == (0, None, None, True)
    assert len(config.base.seeds) >= 5


def rules(config: Config) -> dict[str, dict[str, object]]:
    """Task → its rule."""
    found = {}
    for name, task in config.tasks.items():
        assert isinstance(task, BinaryTask) and isinstance(task.label, LabelRule)
        found[name] = task.label.model_dump(exclude_none=True)
    return found


@pytest.mark.parametrize(("name", "tasks"), [("cifar10-10", 10), ("cifar10-15", 15), ("cifar100-100", 100)])
def test_cifar_has_a_balanced_task_for_each_class(name: str, tasks: int, project: Path) -> None:
    config = parse_config(yaml.safe_load(presets.render(name, project)))
    found = {task: rule["one_vs_rest"] for task, rule in rules(config).items() if "one_vs_rest" in rule}
    assert len(config.tasks) == tasks and len(found) == {15: 10}.get(tasks, tasks)
    assert all(task == cls for task, cls in found.items())
    assert all(config.tasks[task].class_weights == "balanced" for task in found)  # type: ignore[union-attr]
    assert set(config.baseline_tasks) <= set(found) if tasks == 100 else len(config.baseline_tasks) == tasks


def test_cifar10_15_has_the_published_tasks(project: Path) -> None:
    config = parse_config(yaml.safe_load(presets.render("cifar10-15", project)))
    found = rules(config)
    names = [task for task in found if "one_vs_rest" in found[task]]
    by_number = {key: [names.index(name) for name in found[key]["any_of"]] for key in ("living", "not_living", "odd")}  # type: ignore[attr-defined]
    assert by_number == {"living": [2, 3, 4, 5, 6, 7], "not_living": [0, 1, 8, 9], "odd": [1, 3, 5, 7, 9]}
    assert list(found["downside"]) == ["flipped"] and list(found["random"]) == ["coin"]
    ten = parse_config(yaml.safe_load(presets.render("cifar10-10", project)))
    assert names == list(ten.tasks) and not any("flipped" in rule for rule in rules(ten).values())
