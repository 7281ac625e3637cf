"""Everything that writes an output of the pipeline, called on small inputs; run as a program, in a process of its own.

python -m tests.helpers.writers FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from mtl.config.sensors import SensorsSource
from mtl.config.sources import DigitsSource
from mtl.data.files.register import add
from mtl.data.loading.store import PREPARED
from mtl.evaluation import tables
from mtl.evaluation.compare import compare
from mtl.evaluation.runs import read_histories, read_runs
from mtl.experiment.weights import write_weights
from mtl.files import write_json
from mtl.grouping.maps import FILE, PoolArrays, write_maps
from mtl.models.build import build_model
from mtl.report.page import write_report
from mtl.results.samples import LOSSES_SCHEMA, table_stream
from mtl.stages.prepare import prepare
from tests.helpers.data_files import make_source
from tests.helpers.image_results import SHARINGS, image_config, write_image_results
from tests.helpers.problems import ENCODER, spec
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed

KINDS = ("sensors", "series", "table", "har", "uea", "arrays", "python", "digits", "mnist", "cifar10", "cifar100")
NAMES = [f"task_{number}" for number in range(20)]


def json_of_runs(folder: Path) -> None:
    """Keys in an order that the hash seed decides, numbers with many digits, and a text that is not ASCII."""
    write_json(folder / "run.json", {name: {"μ": [1 / 3, 1e-300, 0.1 + 0.2], "n": len(name)} for name in set(NAMES)})


def weights(folder: Path) -> None:
    """A model's, under names in an order that the hash seed decides."""
    state = build_model(ENCODER, [spec("forecast", "ahead"), spec("binary", "fault")], seed=3).state_dict()
    write_weights(folder / "weights.safetensors", {name: state[name] for name in set(state)})


def maps(folder: Path) -> None:
    """Data maps of a pool, some of whose samples a task does not have."""
    values = np.random.default_rng(0).uniform(size=(2, 3, 4, 9)).astype(np.float32)
    values[:, :, 1, 2:5] = np.nan
    seen = np.full((2, 9), 3, dtype=np.int32)
    pools = [PoolArrays(name, NAMES[:4], np.arange(9), seen, values) for name in ("one", "other")]
    write_maps(folder / FILE, pools, [1, 3], "training")


def prepared(folder: Path) -> None:
    """Every kind of source, as the stage writes it."""
    for kind in KINDS:
        source = make_source(kind, folder)
        path = None if isinstance(source, SensorsSource | DigitsSource) else source.path
        raw = sorted((folder / "data/raw").glob(f"{Path(path).name}*")) if path is not None else []
        add(kind, raw[-1:], folder)
        prepare({kind: source}, kind, folder)
        assert sorted(file.name for file in (folder / PREPARED / kind).iterdir()) == ["arrays.safetensors", "meta.json"]


def manifest(folder: Path) -> None:
    """Writes the manifest of a folder with several files."""
    (folder / "mine").mkdir()
    for name in sorted(NAMES):
        (folder / "mine" / name).write_text(name)
    add("mine", [folder / "mine"], folder)


def long_tables(folder: Path) -> None:
    """Verdicts, metrics, runs and curves of invented results."""
    config, _ = write_results(folder, methods=("uncertainty",), seeds=2)
    runs = read_runs(config, folder)
    compare(config, runs).write(folder / "results/verdicts.json")
    tables.metrics_summary(config, runs).write(folder / "results/metrics.json")
    tables.write_parquet(tables.runs_table(runs), folder / "results/runs.parquet")
    tables.write_csv(tables.learning_curves(read_histories(runs, folder)), folder / "results/learning_curves.csv")


def sample_tables(folder: Path) -> None:
    """Losses of invented samples."""
    values = ("finetune", "joint", "random", 0, "fault", 7, 0.25, 1.0, 0)
    with table_stream(folder / "results/losses.parquet", LOSSES_SCHEMA) as stream:
        for _ in range(2):
            stream.write_table(LOSSES_SCHEMA.empty_table())
            stream.write_batch(pa.RecordBatch.from_pylist([dict(zip(LOSSES_SCHEMA.names, values, strict=True))],
                                                          schema=LOSSES_SCHEMA))  # fmt: skip


def report(folder: Path) -> None:
    """The page and its figures, of invented results: forecasts and labels; labels on images."""
    config, verdicts = write_results(folder, methods=("uncertainty",), seeds=2)
    write_report(config, typed(verdicts), folder)
    config = image_config(methods={"cross_stitch": SHARINGS["cross_stitch"]}, seeds=2, train={"watch_test": True})
    judged = write_image_results(folder / "images", config)
    judged.write(folder / "images/results/verdicts.json")
    write_report(config, judged, folder / "images")


WRITERS: dict[str, Callable[[Path], None]] = {
    "mtl/files.py:write_json": json_of_runs,
    "mtl/experiment/weights.py:write_weights": weights,
    "mtl/grouping/maps.py:write_maps": maps,
    "mtl/data/loading/store.py:write_prepared": prepared,
    "mtl/files.py:replace_text": manifest,
    "mtl/data/files/manifest.py:write_manifest": manifest,
    "mtl/evaluation/tables.py:write_csv": long_tables,
    "mtl/evaluation/tables.py:write_parquet": long_tables,
    "mtl/results/samples.py:table_stream": sample_tables,
    "mtl/report/page.py:write_report": report,
}
"""File and function → what calls it."""


if __name__ == "__main__":
    torch.set_num_threads(1)
    for call in dict.fromkeys(WRITERS.values()):
        place = Path(sys.argv[1]) / call.__name__
        place.mkdir(parents=True)
        call(place)
