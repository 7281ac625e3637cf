"""Runs on a scheduler's workers: the files of a run on this machine, whoever is lost, and no worker of other code."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtl.config import BaseConfig
from mtl.errors import UserError
from mtl.experiment.recipe import Recipe, joint, single_task
from mtl.jobs import cluster, local, scheduler, store
from mtl.jobs.cluster_job import Bench, Order
from mtl.jobs.cluster_task import tell
from mtl.jobs.local import Job
from mtl.jobs.parcel import Unpacked, difference, facts, pack, unwrap
from mtl.jobs.scheduler import SCHEDULER, STORE
from mtl.jobs.store import Cache, Store
from mtl.results.timing import Timing, timing_file
from mtl.stages import fan_out
from mtl.stages.common import narrowed
from tests.experiment.conftest import configure
from tests.helpers.dask_cluster import DaskCluster, free_port
from tests.helpers.records import epoch_json, history_json
from tests.helpers.waves_project import folder, leave_torch_as_it_was

__all__ = ["folder", "leave_torch_as_it_was"]  # fixtures

pytestmark = pytest.mark.processes
BASE = BaseConfig(seeds=[0], device="cpu")


def work(recipe: Recipe) -> Path:
    """A run of one epoch that writes what it reads, seed + 1 times; that of seed 9 fails."""
    if recipe.seed == 9:
        raise UserError("the loss became nan")
    folder = recipe.where.folder
    folder.mkdir(parents=True)
    (folder / "history.json").write_text(json.dumps(history_json(epoch_json(1))))
    (folder / "weights").write_bytes(Path("data/prepared/line/arrays").read_bytes() * (recipe.seed + 1))
    timing = Timing(train_seconds=1.5, epochs=1, steps=2, started="a", finished="b", peak_memory_mb=1.0)
    timing.write(timing_file(recipe.where))
    return folder


def jobs(*seeds: int) -> list[Job]:
    config = narrowed(configure(), ("base", "tasks", "encoder", "train", "pretrain", "finetune"))
    return fan_out.jobs({f"joint / seed {seed}": joint(config, "joint", seed) for seed in seeds})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with something to read, apart from the folders of workers."""
    root = tmp_path / "project"
    (root / "data/prepared/line").mkdir(parents=True)
    (root / "data/prepared/line/arrays").write_bytes(b"0123")
    (root / "bench").mkdir()
    monkeypatch.setattr(store, "PAUSES", ())
    monkeypatch.delenv(STORE, raising=False)
    return root


def ordered(root: Path, made: list[Job]) -> Order:
    there = Store(str(root / "store"))
    return Order("command", there.top, pack(made, there, root), 0, "cpu", facts("cpu"))


def test_a_run_comes_back_as_it_was_written(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = jobs(0, 1)
    order = ordered(project, made)
    monkeypatch.chdir(project / "bench")
    bench = Bench(Path(), Cache(tmp_path / "cache"), work)
    for number, job in enumerate(made):
        answer = bench.answer(replace(order, number=number))
        assert answer["end"] == "done", answer
        Store(order.store).get(answer["text"], tmp_path / "archive", "command")
        unwrap(tmp_path / "archive", job.where, project)
        assert (project / job.where.folder / "weights").read_bytes() == b"0123" * (number + 1)
        assert Timing.read(project / timing_file(job.where)).train_seconds == 1.5
    assert not list((project / "bench").rglob("weights*")), "what came back is not kept there"


def test_recipes_arrive_as_they_are(project: Path, tmp_path: Path) -> None:
    methods = {"joint": {"kind": "weighted", "lambda": 0.3}, "own": {"kind": "equal", "train": {"lr": 0.1}}}
    config = narrowed(configure(finetune={"methods": methods}), ("base", "tasks", "encoder", "train", "finetune"))
    recipes = [joint(config, name, seed) for name in methods for seed in (0, 1)]
    recipes += [single_task(config, "up", config.finetune.methods["own"], 7)]
    made = fan_out.jobs({recipe.where.folder.as_posix(): recipe for recipe in recipes})
    store = Store(str(tmp_path / "store"))
    store.get(pack(made, store, project), tmp_path / "cargo")
    cargo = Unpacked(tmp_path / "cargo")
    for number, recipe in enumerate(recipes):
        came, files = cargo.run(number)
        assert came.config.__dict__ == recipe.config.__dict__ and list(came.config.tasks) == list(recipe.config.tasks)
        assert (came.where, came.tasks, came.method) == (recipe.where, recipe.tasks, recipe.method)
        assert list(files) == ["data/prepared/line/arrays"]
    assert cargo.run(0)[0].config is cargo.run(1)[0].config


def test_who_differs_says_in_what(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order = ordered(project, jobs(0))
    monkeypatch.chdir(project / "bench")
    bench = Bench(Path(), Cache(tmp_path / "cache"), work)
    other = replace(order, facts=order.facts | {"torch": "9.9"})
    answer = bench.answer(other)
    assert answer["end"] == "unfit" and "(should be 9.9)" in answer["text"] and "constraints.txt" in answer["text"]
    assert bench.answer(replace(order, store=str(tmp_path / "elsewhere")))["end"] == "unfit"
    assert difference(order.facts, facts("cpu")) == ""


def test_a_mistake_of_the_user_is_no_worker_s(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order = ordered(project, jobs(9))
    monkeypatch.chdir(project / "bench")
    answer = Bench(Path(), Cache(tmp_path / "cache"), work).answer(order)
    assert answer == {"end": "problem", "text": "the loss became nan"}


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:8786", "should be an address"), ("tcp://127.0.0.1:{port}", "tcp://127.0.0.1:{port} does not answer")],
)
def test_a_scheduler_that_does_not_answer_is_an_error(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCHEDULER, "")
    monkeypatch.setenv(STORE, "")
    port = free_port()
    with pytest.raises(UserError, match=said.format(port=port)):
        scheduler.use(address.format(port=port), None)
    with socket.create_server(("127.0.0.1", port)):
        scheduler.use(f"tcp://127.0.0.1:{port}", "/shared")
    assert (os.environ[SCHEDULER], os.environ[STORE]) == (f"tcp://127.0.0.1:{port}", "/shared")
    scheduler.use(None, None)
    assert SCHEDULER not in os.environ


@pytest.fixture
def dask() -> Iterator[str]:
    """A scheduler and three workers, 0 to 2, in threads of this process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
    ) as made:
        yield str(made.scheduler_address)


class Workers:
    """Workers in this process: number 0 has other code, and whoever is asked second is lost."""

    asked: list[str] = []
    lock = threading.Lock()
    cache = Path()


def hold(order: str, command: str) -> None:
    """In the place of `mtl.jobs.cluster_task.hold`."""
    from distributed import get_worker

    name = str(get_worker().name)
    with Workers.lock:
        Workers.asked.append(name)
        if name == "0":
            tell(command, {"end": "unfit", "text": "it has torch 1.0."})
        elif len(Workers.asked) == 2:
            tell(command, {"end": "killed", "text": ""})
        else:
            tell(command, Bench(Path(), Cache(Workers.cache), work).answer(Order(**json.loads(order))))


def unfit(order: str, command: str) -> None:
    raise ModuleNotFoundError("No module named 'mtl.jobs.cluster_task'")


@pytest.mark.thorough
def test_runs_are_made_once_each_by_those_who_can(
    project: Path, dask: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project / "bench")
    monkeypatch.setattr(Workers, "asked", [])
    monkeypatch.setattr(Workers, "cache", tmp_path / "cache")
    monkeypatch.setattr(cluster, "hold", hold)
    made = jobs(*range(5))
    assert cluster.run_jobs(made, BASE, dask, project) == [project / job.where.folder for job in made]
    assert [(project / job.where.folder / "weights").stat().st_size for job in made] == [4, 8, 12, 16, 20]
    said = capsys.readouterr()
    assert sorted(said.out.splitlines())[1:] == [f"joint / seed {seed}: done, 1 epoch" for seed in range(5)]
    assert said.err.count("A worker is left out. Worker 0 on ") == 1 and "it has torch 1.0." in said.err
    assert Workers.asked.count("0") == 1 and len(Workers.asked) in (6, 7)
    assert not (project / scheduler.OWN_STORE).exists(), "the project's own store goes with the command"

    with pytest.raises(UserError, match=r"joint / seed 9, on the worker .*: the loss became nan"):
        cluster.run_jobs(jobs(9), BASE, dask, project)
    monkeypatch.setattr(cluster, "hold", unfit)
    with pytest.raises(UserError, match=f"no worker of {dask} can take part. Worker .*cannot run mtl: No module"):
        cluster.run_jobs(made, BASE, dask, project)


@pytest.mark.thorough
def test_processes_of_a_worker_write_the_bytes_of_this_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    made, base = jobs(3, 4), BASE
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").symlink_to(folder / "data")
        (tmp_path / name / "plugins").mkdir()
        (tmp_path / name / "plugins/own.py").write_text("NUMBER = 3\n")  # part of a run's key
    monkeypatch.chdir(tmp_path / "here")
    assert local.run_jobs(made, base) == [job.where.folder for job in made]
    monkeypatch.chdir(tmp_path / "there")
    dask = DaskCluster(tmp_path / "log")
    try:
        dask.hire(Path("/"))
        assert cluster.run_jobs(made, base, dask.address) == [job.where.folder for job in made]
    finally:
        dask.close()
    here, there = (
        {path.name: path.read_bytes() for job in made for path in (tmp_path / name / job.where.folder).iterdir()}
        for name in ("here", "there")
    )
    assert here == there and "key.json" in here
    assert all((tmp_path / "there" / timing_file(job.where)).is_file() for job in made)
