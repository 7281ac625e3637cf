"""`mtl tune` as a user types it: workers are killed, it is interrupted, its winner is applied and comes again."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.killing import alive, interruptible, until
from tests.e2e.project import Json, Project, settings

pytestmark = pytest.mark.thorough

SPACE = {
    "finetune.methods.joint.lambda": {"kind": "float", "low": 0.05, "high": 0.95},
    "finetune.methods.joint.schedule": {"kind": "choice", "values": ["constant", "warmup"]},
}


def tuned(**changes: Any) -> Json:
    """`settings` without MLflow and with a section `tune`."""
    params = settings()
    params["tracking"]["enabled"] = False
    return params | {"tune": {"space": SPACE} | changes}


def states(project: Project, arm: str) -> list[str]:
    return [trial["state"] for trial in project.json("studies/study/study.json")["arms"][arm]["trials"]]


@pytest.mark.slow
def test_killed_workers_and_an_interrupt_cost_no_trial(workspace: Project) -> None:
    params = tuned()
    params["train"]["epochs"] = 60
    workspace.use(params)
    command = ["tune", "--trials", "4", "--workers", "2"]
    process = subprocess.Popen(
        interruptible("-m", "pipelines", *command), cwd=workspace.root, env=workspace.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    trials = workspace.root / ".mtl/studies/study/joint"
    killed: set[int] = set()

    def kill_owner(number: int) -> bool:
        """Kills the worker that trains a trial, once the trial has a state."""
        place = trials / f"trial-{number}/.mtl"
        owners = list(place.rglob("*.pid"))
        if process.poll() is None and not (owners and list(place.rglob("*.safetensors"))):
            return False
        killed.add(int(owners[0].read_text()))
        os.kill(int(owners[0].read_text()), signal.SIGKILL)
        return True

    until(lambda: kill_owner(0), 180, "the first trial to have begun")
    until(lambda: (trials / "trial-3").exists() or process.poll() is not None, 180, "a trial after the kills")
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, out + err
    assert "4 trials of joint are finished; the same command goes on" in err
    assert not any(alive(worker) for worker in workers)
    assert workspace.json("studies/study/study.json")["study"] == "study"

    done = workspace.mtl(*command).well()
    assert "is complete" in done.out
    found = states(workspace, "joint")
    assert found.count("complete") == 4
    assert found.count("lost") >= len(killed)
    assert set(found) == {"complete", "lost"}
    firsts = [t["first"] for t in workspace.json("studies/study/study.json")["arms"]["joint"]["trials"]
              if t["state"] == "complete"]  # fmt: skip
    assert len(set(firsts)) == 4


@pytest.mark.slow
def test_the_winner_comes_again_bit_for_bit(workspace: Project) -> None:
    workspace.use(tuned(seeds=[1], objectives=["forecast_mse"], tolerance=0.5))
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("      lambda: 0.2", "      lambda: 0.2   # ours"))
    first = workspace.mtl("tune", "--trials", "3", "--workers", "1").well()
    assert "is complete" in first.out
    study = workspace.json("studies/study/study.json")
    trials = study["arms"]["joint"]["trials"]
    best = min(trials, key=lambda trial: trial["values"][0])
    before = path.read_text()

    applied = workspace.mtl("tune", "--apply", "best").well()
    assert f"Trial {best['number']} of joint: error" in applied.out
    assert f"+      lambda: {best['params']['finetune.methods.joint.lambda']!r}" in applied.out
    changed = [line for line in path.read_text().splitlines() if line not in before.splitlines()]
    assert len(changed) <= 3
    assert next(line for line in changed if "lambda" in line).endswith("# ours")
    assert "  trials: {joint: 3}" in changed

    again = workspace.mtl("repro").well()
    assert again.trained == ["finetune@joint"]
    assert "‡ Unequal budgets of tuning: STL 0, handed 0, joint 3 finished trials." in " ".join(again.out.split())
    rows = workspace.json("results/verdicts.json")["rows"]
    assert {row["method"]: row["tuning"] for row in rows} == {
        "joint": {"stl": 0, "joint": 3, "equal": False}, "handed": {"stl": 0, "joint": 0, "equal": True},
    }  # fmt: skip
    assert study["tuning"] == {"trials": {"stl": 0, "joint": 3, "handed": 0}, "equal": False}
    where = Path("outputs/finetune/joint/seed-1")
    theirs = workspace.root / ".mtl/studies/study/joint" / f"trial-{best['number']}" / where
    for name in ("history.json", "weights.safetensors", "run.json", "examples.json"):
        assert (workspace.root / where / name).read_bytes() == (theirs / name).read_bytes(), name
    assert json.loads((theirs / "run.json").read_text())["val"]["ahead"]["mse"] == best["values"][0]


def test_what_cannot_be_tuned_is_exit_code_2_and_changes_nothing(workspace: Project) -> None:
    workspace.use(tuned(space={"train.lrr": {"kind": "float", "low": 0.1, "high": 0.2}}))
    before = workspace.contents()
    done = workspace.mtl("tune")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "`tune.space.train.lrr` is no path of this file: train has no 'lrr'" in done.err
    assert workspace.contents() == before


def test_a_scheduler_needs_a_storage_that_other_machines_reach(workspace: Project) -> None:
    workspace.use(tuned())
    before = workspace.contents()
    done = workspace.mtl("tune", "--scheduler", "tcp://127.0.0.1:8786")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(
        "error: `--scheduler` needs `--storage postgresql://…`: its workers may be on other mach"
    )
    done = workspace.mtl("tune", MTL_SCHEDULER="here", MTL_STORAGE="postgresql://x@127.0.0.1:1/x")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "`--scheduler` should be an address such as tcp://127.0.0.1:8786, found 'here'." in done.err
    assert workspace.contents() == before
