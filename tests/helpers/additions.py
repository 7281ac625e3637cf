"""A dummy member of each kind of thing that grows: the edits that it takes, as a newcomer would make them.

What docs/architecture.md promises of each (`Where do I add`) is held against the files that are edited here, and the dummies are
put into a copy of the project and used (tests/test_where_to_add.py).
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Addition:
    """A member.

    Args:
        row: how docs/architecture.md calls what is added.
        most: files that it may take at most.
        new: path → content of each file that it brings.
        edits: (path, a text that stands there once, what takes its place).
        proof: a test of it, which is run in the copy.
        tables: tests of the house that would fail without its row.
    """

    row: str
    most: int
    edits: list[tuple[str, str, str]]
    proof: str
    new: dict[str, str] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)

    @property
    def files(self) -> set[str]:
        """Every file that is new or edited."""
        return {*self.new, *(path for path, _, _ in self.edits)}

    def apply(self, root: Path) -> None:
        """Makes the edits below `root`."""
        for path, content in self.new.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content, encoding="utf-8")
        for path, old, new in self.edits:
            text = (root / path).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{path}: {old!r} stands there {text.count(old)} times, not once"
            (root / path).write_text(text.replace(old, new), encoding="utf-8")


SOURCE = Addition(
    "a data source", 5,
    new={"mtl/data/sources/ramp.py": '''"""Rows that count."""
from pathlib import Path

import torch

from mtl.config.sources import RampSource
from mtl.types import Prepared


def read(config: RampSource, name: str, root: Path) -> Prepared:
    values = torch.arange(config.rows, dtype=torch.float64)[:, None]
    return Prepared(name, values, ["ramp"], None, (10, 15, 20), None, 1)
'''},
    edits=[
        ("mtl/config/sources.py", "Source = Annotated[\n", '''class RampSource(SourceBase):
    holds: ClassVar[InputKind | None] = WINDOWS
    series: ClassVar[bool] = True

    kind: Literal["ramp"]
    rows: PositiveInt = 20


Source = Annotated[
    RampSource |
'''),
        ("mtl/data/build.py", "        case SeriesSource():\n", '''        case RampSource():
            from mtl.data.sources import ramp

            return check_prepared(ramp.read(source, name, root), name)
        case SeriesSource():
'''),
        ("mtl/data/build.py", "    SeriesSource,\n", "    RampSource,\n    SeriesSource,\n"),
        ("tests/data/test_source_contract.py", "TABLE = {\n", 'TABLE = {\n    "ramp": (20, 1, None, 1, []),\n'),
        ("tests/helpers/data_files.py", '        case "series":\n', '''        case "ramp":
            from mtl.config.sources import RampSource

            return RampSource(kind="ramp")
        case "series":
'''),
    ],
    tables=["tests/data/test_source_contract.py::test_the_table_has_a_row_for_every_kind_of_source"],
    proof='''
def test_source():
    from mtl.config import parse_config
    from mtl.data.build import read_source
    from tests.helpers.cases import params
    source = parse_config(params({"kind": "ramp"})).prepare.sources["own"]
    assert read_source("own", source).values[7, 0] == 7
''',
)  # fmt: skip

ENCODER = Addition(
    "an encoder", 5,
    new={"mtl/models/averages.py": '''"""A linear layer on each channel's mean and standard deviation."""
import torch
from torch import Tensor, nn

from mtl.config.encoder import AveragesEncoder
from mtl.models.base import Encoder
from mtl.models.features import Features
from mtl.models.normalisation import normalise


class Averages(Encoder):
    def __init__(self, config: AveragesEncoder) -> None:
        super().__init__()
        self.width, self.dropout = config.width, 0.0
        self.linear = nn.Linear(2, config.width)

    def count_tokens(self, input_len: int) -> int:
        return 1

    def forward(self, x: Tensor, dropout: float | None = None) -> Features:
        _, mean, std = normalise(x)
        return Features(self.linear(torch.stack([mean, std], dim=-1))[:, :, None], mean, std)
'''},
    edits=[
        ("mtl/config/encoder.py", "EncoderConfig = Annotated[\n", '''class AveragesEncoder(EncoderBase):
    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    kind: Literal["averages"]
    width: PositiveInt = 8

    def widened(self, factor: float) -> "AveragesEncoder":
        return self.model_copy(update={"width": wide(self.width, factor)})


EncoderConfig = Annotated[
    AveragesEncoder |
'''),
        ("mtl/models/build.py", "        case LinearEncoder():\n", '''        case AveragesEncoder():
            return Averages(config)
        case LinearEncoder():
'''),
        ("mtl/models/build.py", "from mtl.models.cnn import Cnn\n", '''from mtl.config.encoder import AveragesEncoder
from mtl.models.averages import Averages
from mtl.models.cnn import Cnn
'''),
        ("tests/models/cases.py", "ENCODERS: dict[str, EncoderConfig] = {\n", '''from mtl.config.encoder import AveragesEncoder

ENCODERS: dict[str, EncoderConfig] = {
    "averages": AveragesEncoder(kind="averages"),
'''),
    ],
    tables=["tests/models/test_contract.py::test_table_holds_every_encoder"],
    proof='''
def test_encoder():
    from mtl.config.encoder import AveragesEncoder
    from mtl.models.build import build_model
    from tests.models.cases import inputs, task
    encoder = AveragesEncoder(kind="averages")
    model = build_model(encoder, [task("forecast", "a"), task("binary", "b")], 0)
    model(inputs(encoder, 4), ["a", "b"])["a"].sum().backward()
    assert model.trunk.encoder.linear.weight.grad.abs().max() > 0
''',
)  # fmt: skip

SHARING = Addition(
    "a form of sharing", 4,
    edits=[
        ("mtl/config/sharing.py", "Sharing = Annotated[\n", '''class ScaledSharing(Section):
    kind: Literal["scaled"]
    factor: PositiveFloat = 1.0


Sharing = Annotated[
    ScaledSharing |
'''),
        ("mtl/models/sharing.py", "class SeparateTrunk(Trunk):\n", '''class ScaledTrunk(HardTrunk):
    def __init__(self, encoder: Encoder, factor: float) -> None:
        super().__init__(encoder)
        self.factor = factor

    def forward(self, x: Tensor, rates: Mapping[str, float]) -> dict[str, Features]:
        return {task: Features(self.factor * f.tokens, f.mean, f.std) for task, f in super().forward(x, rates).items()}


class SeparateTrunk(Trunk):
'''),
        ("mtl/models/build.py", "        case HardSharing():\n", '''        case ScaledSharing():
            return ScaledTrunk(encoder, sharing.factor)
        case HardSharing():
'''),
        ("mtl/models/build.py", "from mtl.models.timedart import TimeDart\n", '''from mtl.config.sharing import ScaledSharing
from mtl.models.sharing import ScaledTrunk
from mtl.models.timedart import TimeDart
'''),
        ("tests/models/test_sharing.py", "FORMS = {\n", '''from mtl.config.sharing import ScaledSharing

FORMS = {
    "scaled": Form(ScaledSharing(kind="scaled"), ("encoder.",)),
'''),
    ],
    tables=["tests/models/test_sharing.py::test_the_table_holds_every_form"],
    proof='''
def test_sharing():
    import torch
    from mtl.config.sharing import HardSharing, ScaledSharing
    from mtl.models.build import build_model
    from tests.models.cases import ENCODERS, inputs, task
    encoder, tasks = ENCODERS["timedart"], [task("binary", "a")]
    x = inputs(encoder, 3)
    hard = build_model(encoder, tasks, 0, HardSharing()).eval()
    same = build_model(encoder, tasks, 0, ScaledSharing(kind="scaled")).eval()
    assert torch.equal(hard(x, ["a"])["a"], same(x, ["a"])["a"])
''',
)  # fmt: skip

METRIC = Addition(
    "a metric", 2,
    edits=[
        ("mtl/config/metrics.py", 'METRICS: dict[str, Metric] = {\n', '''METRICS: dict[str, Metric] = {
    "specificity": Metric("specificity", False, share=True),
'''),
        ("mtl/config/metrics.py", "BinaryMetric = Literal[\n", 'BinaryMetric = Literal[\n    "specificity",\n'),
        ("mtl/tasks/label_measures.py", '            case "f1":\n', '''            case "specificity":
                return float(self.table[0, 0] / self.table[0].sum())
            case "f1":
'''),
    ],
    proof='''
def test_metric():
    import torch
    from mtl.config import BinaryTask
    from mtl.tasks.binary import Binary
    task = BinaryTask(kind="binary", source="s", metric="specificity")
    assert not task.lower_is_better
    spec = Binary(name="b", source="s", shape=(1, 4), columns=["c"], classes=["n", "y"], metric=task.primary_metric)
    logits, truth = torch.tensor([-1.0, 1.0, -1.0, -1.0, 1.0]), torch.tensor([0, 0, 0, 0, 1])
    for detailed in (False, True):
        assert spec.score(logits, truth, detailed)[0]["specificity"] == 0.75
''',
)  # fmt: skip

TASK = Addition(
    "a kind of task", 6,
    new={
        "mtl/tasks/deviation.py": '''"""A numeric target by its absolute error."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mtl.tasks.criterion import Criterion
from mtl.tasks.regression import Regression


class _Absolute(Criterion):
    def forward(self, prediction, target, places=None):
        return (prediction - target).abs()


@dataclass(frozen=True, kw_only=True)
class Deviation(Regression):
    kind: ClassVar[str] = "deviation"
    metric: str = "mae"

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        return _Absolute()
''',
        "tests/tasks/test_deviation.py": '''from tests.helpers.specs import a_task


def test_it_is_judged_by_its_loss() -> None:
    spec = a_task("deviation", name="d", source="s", shape=(1, 4), columns=["c"])
    assert spec.metric == "mae" and spec.lower_is_better
''',
    },
    edits=[
        ("mtl/config/tasks.py", "class LabelBase(TaskBase):\n", '''class DeviationTask(RegressionTask):
    kind: Literal["deviation"]

    @property
    def primary_metric(self) -> str:
        return "mae"


class LabelBase(TaskBase):
'''),
        ("mtl/config/tasks.py", "Task = Annotated[", "Task = Annotated[DeviationTask | "),
        ("mtl/tasks/every.py", "        case RegressionTask():\n", '''        case DeviationTask():
            return Deviation
        case RegressionTask():
'''),
        ("mtl/tasks/every.py", "KINDS: tuple[type[TaskSpec], ...] = (", '''from mtl.config.tasks import DeviationTask
from mtl.tasks.deviation import Deviation

KINDS: tuple[type[TaskSpec], ...] = (Deviation, '''),
        ("mtl/report/panels.py", 'PANELS: dict[str, tuple[Panels, ...]] = {\n',
         'PANELS: dict[str, tuple[Panels, ...]] = {\n    "deviation": (),\n'),
        ("tests/helpers/specs.py", "    match kind:\n", '''    from mtl.tasks.deviation import Deviation

    match kind:
        case "deviation":
            return Deviation(**({"target": "y"} | facts))
'''),
        ("tests/helpers/specs.py", "Kind = Literal[", 'Kind = Literal["deviation", '),
    ],
    tables=["tests/tasks/test_deviation.py"],
    proof='''
def test_task():
    import torch
    from mtl.balancing.weighted import FixedWeights
    from mtl.config import MlpEncoder
    from mtl.config.tasks import DeviationTask
    from mtl.data.loading.tasks import build_tasks
    from mtl.models.build import build_model
    from mtl.training.losses import PoolLosses
    from mtl.training.measure import measure
    from mtl.types import RowSet
    x = torch.randn(40, 2, dtype=torch.float64)
    rows = RowSet("s", x, ["a", "b"], torch.arange(40) % 4 - 1, 3, numbers={"y": x[:, 0] + 5})
    data = build_tasks({"d": DeviationTask(kind="deviation", source="s", target="y")}, {"s": rows}, 0)
    model = build_model(MlpEncoder(kind="mlp", sizes=[4]), list(data.specs.values()), 0)
    (pool,) = data.pools["train"]
    batch = pool.batch(torch.arange(len(pool)))
    names, losses = PoolLosses(pool, data.specs)(model(batch.x, ["d"]), batch, ("d",))
    losses.sum().backward()
    assert names == ("d",)
    assert losses.item() == (model(batch.x, ["d"])["d"] - batch.target("d")).abs().mean().item()
    assert measure(model, data.pools["test"], data.specs)[0]["d"]["mae"] > 0
''',
)  # fmt: skip

INPUT = Addition(
    "a kind of input", 6,
    new={
        "mtl/data/inputs/spectra.py": '''"""Rows whose numbers belong side by side."""
from typing import Any, ClassVar

from torch import Tensor

from mtl.config.inputs import SPECTRA, InputKind
from mtl.data.inputs.rows import RowsInput
from mtl.types import Spectra


class SpectraInput(RowsInput):
    kind: ClassVar[InputKind] = SPECTRA

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "SpectraInput":
        return cls(Spectra(**vars(RowsInput.from_kept(meta, tensors, common).data)))
''',
        "tests/data/test_spectra.py": '''import torch

from mtl.data.inputs.every import input_of
from mtl.types import Spectra


def test_it_has_a_kind_of_its_own() -> None:
    spectra = Spectra("s", torch.randn(6, 2, dtype=torch.float64), ["a", "b"], torch.arange(6) % 3 - 1, 2)
    assert input_of(spectra).kind.name == "spectra" and input_of(spectra).problems() == []
''',
    },
    edits=[
        ("mtl/config/inputs.py", 'ROWS = InputKind("rows", "rows", 1, tabular=True)\n',
         'ROWS = InputKind("rows", "rows", 1, tabular=True)\nSPECTRA = InputKind("spectra", "spectra", 1)\n'),
        ("mtl/config/inputs.py", "TOKENS, MIXED)", "TOKENS, MIXED, SPECTRA)"),
        ("mtl/types.py", "SourceData = Prepared | ImageSet | RowSet\n", '''@dataclass(frozen=True)
class Spectra(RowSet):
    """Rows whose numbers belong side by side."""


SourceData = Prepared | ImageSet | RowSet | Spectra
'''),
        ("mtl/data/inputs/every.py", "        case RowSet():\n", '''        case Spectra():
            return SpectraInput(data)
        case RowSet():
'''),
        ("mtl/data/inputs/every.py", "KINDS: tuple[type[Input[Any]], ...] = (", '''from mtl.data.inputs.spectra import SpectraInput
from mtl.types import Spectra

KINDS: tuple[type[Input[Any]], ...] = (SpectraInput, '''),
        ("mtl/config/encoder.py", "    inputs: ClassVar[tuple[InputKind, ...]] = (IMAGES, ROWS)\n",
         "    inputs: ClassVar[tuple[InputKind, ...]] = (IMAGES, ROWS, SPECTRA)\n"),
        ("mtl/config/encoder.py", "from mtl.config.inputs import IMAGES, ",
         "from mtl.config.inputs import SPECTRA\nfrom mtl.config.inputs import IMAGES, "),
    ],
    tables=["tests/data/test_spectra.py"],
    proof='''
def test_input(tmp_path):
    import torch
    from mtl.config import BinaryTask, MlpEncoder
    from mtl.data.loading.store import load_prepared, write_prepared
    from mtl.data.loading.tasks import build_tasks
    from mtl.models.build import build_model
    from mtl.types import Spectra
    label = torch.arange(24) % 2
    spectra = Spectra("s", torch.randn(24, 3, dtype=torch.float64), ["a", "b", "c"], torch.arange(24) // 2 % 4 - 1, 3,
                      labels={"l": label}, classes={"l": ["n", "y"]})
    write_prepared(spectra, tmp_path / "s", {})
    again = load_prepared("s", tmp_path)
    assert isinstance(again, Spectra) and torch.equal(again.values, spectra.values)
    data = build_tasks({"t": BinaryTask(kind="binary", source="s", label="l")}, {"s": again}, 0)
    model = build_model(MlpEncoder(kind="mlp", sizes=[4]), list(data.specs.values()), 0)
    (pool,) = data.pools["train"]
    assert model(pool.batch(torch.arange(5)).x, ["t"])["t"].shape == (5,)
''',
)  # fmt: skip

BALANCING = Addition(
    "a balancing method", 4,
    new={"mtl/balancing/halved.py": '''"""Every loss by half."""
from mtl.balancing.weighted import FixedWeights
from mtl.tasks.base import TaskSpec


class Halved(FixedWeights):
    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__(specs, [0.5] * len(specs))
'''},
    edits=[
        ("mtl/config/balancing.py", "LossMethod = (\n", '''class HalvedMethod(EqualMethod):
    kind: Literal["halved"]


LossMethod = (
    HalvedMethod |
'''),
        ("mtl/balancing/build.py", "        case methods.EqualMethod():\n", '''        case methods.HalvedMethod():
            return Halved(specs)
        case methods.EqualMethod():
'''),
        ("mtl/balancing/build.py", "from mtl.balancing.famo import Famo\n",
         "from mtl.balancing.famo import Famo\nfrom mtl.balancing.halved import Halved\n"),
        ("tests/balancing/cases.py", "CASES = [\n", '''CASES = [
    Case({"kind": "halved"}, [0.5, 0.5], "definition", {"alone": "its weight is not 1"}),
'''),
    ],
    tables=["tests/balancing/test_every_method.py::test_every_method_has_a_row"],
    proof='''
def test_balancing():
    from tests.balancing.linear_losses import balancer, specs
    assert balancer({"kind": "halved"}, specs(3)).weights.tolist() == [0.5, 0.5, 0.5]
''',
)  # fmt: skip

GROUPING = Addition(
    "a grouping method", 3,
    edits=[
        ("mtl/config/grouping.py", "Clusterer = ", '''class InTurn(Section):
    kind: Literal["in_turn"]


Clusterer = InTurn | '''),
        ("mtl/grouping/clustering.py", "        case HardKMeans():\n", '''        case InTurn():
            membership = np.eye(clusters)[np.arange(len(points)) % clusters]
        case HardKMeans():
'''),
        ("mtl/grouping/clustering.py", "Array = NDArray", "from mtl.config.grouping import InTurn\n\nArray = NDArray"),
        ("tests/grouping/test_clustering.py", "ALGORITHMS: dict[str, Algorithm] = {\n", '''from mtl.config.grouping import InTurn

ALGORITHMS: dict[str, Algorithm] = {
    "in_turn": InTurn(kind="in_turn"),
'''),
    ],
    proof='''
def test_grouping():
    import numpy as np
    from mtl.config.grouping import InTurn
    from mtl.grouping.clustering import cluster
    assert list(cluster(np.arange(4.0)[:, None], InTurn(kind="in_turn"), 2, 0).labels) == [0, 1, 0, 1]
''',
)  # fmt: skip

STAGE = Addition(
    "a stage", 4,
    new={
        "mtl/stages/greet.py": '''"""Stage `greet`: says hello."""
from mtl.stages.common import stage

SECTIONS = ("greet",)


def main() -> None:
    """Writes nothing."""
    with stage(SECTIONS) as config:
        print("hello", config.greet.whom)


if __name__ == "__main__":
    main()
''',
        "mtl/config/greet.py": '''"""`greet`: whom to greet."""
from mtl.config.common import Section


class GreetConfig(Section):
    whom: str = "world"
''',
    },
    edits=[
        ("mtl/config/schema.py", "    tune: TuneConfig = TuneConfig()\n",
         "    tune: TuneConfig = TuneConfig()\n    greet: GreetConfig = GreetConfig()\n"),
        ("mtl/config/schema.py", "class Config(Section):\n",
         "from mtl.config.greet import GreetConfig\n\n\nclass Config(Section):\n"),
        ("dvc.yaml", "  index:\n", '''  greet:
    cmd: python -m mtl.stages.greet
    deps:
      - mtl/stages/greet.py
      - mtl/stages/common.py
      - mtl/errors.py
      - mtl/config
    params:
      - greet
  index:
'''),
    ],
    tables=["tests/test_house.py::test_every_stage_of_the_folder_is_in_the_pipeline"],
    proof='''
def test_stage(capsys):
    from mtl.stages.greet import main
    main()
    assert capsys.readouterr().out == "hello world\\n"
''',
)  # fmt: skip

ADDITIONS = [SOURCE, ENCODER, SHARING, METRIC, TASK, INPUT, BALANCING, GROUPING, STAGE]
