"""Stage `pretrain` with several processes: by itself, by a torchrun by hand, killed, interrupted, misled."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtl.config import Config, parse_config
from mtl.data.loading.store import write_prepared
from mtl.errors import ConfigError, UserError
from mtl.experiment import run_pretrain
from mtl.experiment.identity import settings
from mtl.paths import PREPARED
from mtl.training.checkpoint import read_header
from mtl.training.processes import check_gpus, joined
from mtl.training.team import Team
from tests.e2e.killing import alive, family, interruptible, until
from tests.experiment.conftest import PRETRAINED, configure
from tests.helpers.problems import waves
from tests.helpers.team import CPU, together

pytestmark = pytest.mark.processes

PROJECT = Path(__file__).resolve().parents[2]
SEED = 3
STAGE = ("-m", "mtl.stages.pretrain")
FOLDER = f"outputs/pretrain/seed-{SEED}"


def configured(processes: int = 2, **changes: Any) -> Config:
    pretrain = PRETRAINED["pretrain"] | {"batch_size": 15, "processes": processes} | changes
    base = {"seeds": [SEED], "device": "cpu", "state_seconds": 0}
    return configure(pretrain=pretrain, base=base, tracking={"enabled": False})


def use(config: Config, root: Path) -> None:
    (root / "params.yaml").write_text(json.dumps(config.model_dump(mode="json", by_alias=True)))  # JSON is YAML


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_prepared(waves(), tmp_path / PREPARED / "line", {})
    return tmp_path


def started(root: Path, command: list[str], **environment: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if name != "RANK" and name != "WORLD_SIZE"}
    return subprocess.Popen(
        command, cwd=root, env=kept | {"PYTHONPATH": str(PROJECT)} | environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / FOLDER).iterdir()}


def expected(config: Config, root: Path) -> dict[str, bytes]:
    """Files of a team that nobody disturbs, in a folder of its own."""
    place = root / "undisturbed"
    place.mkdir()
    (place / "data").symlink_to(root / "data")
    together(2, lambda team: run_pretrain(config, SEED, place, team=team) and None)
    return contents(place)


@pytest.mark.thorough
def test_the_stage_starts_the_processes_that_params_yaml_asks_for(root: Path) -> None:
    config = configured()
    use(config, root)
    code, out, err = ended(started(root, [sys.executable, *STAGE]))
    assert (code, err) == (0, "")
    assert out == f"pretrain / seed {SEED}: done, 2 epochs\n"
    found = contents(root)
    assert found == expected(config, root)
    assert json.loads(found["run.json"])["processes"] == 2
    assert not list((root / ".mtl").rglob("*.safetensors")), "a stage that ended leaves no state"
    assert not list(root.rglob("*.part"))
    timings = json.loads((root / f"timings/pretrain/seed-{SEED}.json").read_text())
    assert timings["epochs"] == 2


def test_more_than_one_process_is_part_of_the_identity_and_one_is_not() -> None:
    one, two, three = (settings(configured(n), "pretrain")["pretrain"] for n in (1, 2, 3))
    assert "processes" not in one, "as the results from before there could be several"
    assert (two["processes"], three["processes"]) == (2, 3)


def test_without_an_objective_only_the_leader_writes_its_summary(root: Path) -> None:
    config = configured(objective={"kind": "none"})

    def summary(team: Team) -> bool:
        place = root / f"of-{team.rank}"
        run_pretrain(config, SEED, place, team=team)
        return (place / FOLDER / "run.json").exists()

    (root / "of-0/data").parent.mkdir()
    (root / "of-1").mkdir()
    for place in ("of-0", "of-1"):
        (root / place / "data").symlink_to(root / "data")
    assert together(2, summary) == [True, False]


@pytest.mark.thorough
def test_another_number_of_processes_than_params_yaml_names(root: Path) -> None:
    use(configured(), root)
    environment = {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "3",
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}  # fmt: skip
    code, _, err = ended(started(root, [sys.executable, *STAGE], **environment))
    assert (code, err) == (2, "error: `pretrain.processes` should be 3, the processes that torchrun has started, "
                              "found 2.\n")  # fmt: skip
    assert not (root / "outputs").exists()


def test_a_process_that_torchrun_has_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(UserError, match=r"LOCAL_RANK is not set: several processes are started by torchrun"):
        joined(2, CPU).__enter__()


def test_a_gpu_serves_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check_gpus(1)
    with pytest.raises(UserError, match=r"`pretrain.processes` should be at most the 1 GPU of this machine, or "
                                        r"`base.device` cpu, found 2"):  # fmt: skip
        check_gpus(2)


def test_what_the_configuration_refuses() -> None:
    raw = configured().model_dump(mode="json", by_alias=True)
    for wrong, said in (
        (0, "`pretrain.processes` should be greater than 0, found 0"),
        (1.5, "`pretrain.processes` should be a valid integer, found 1.5"),
        (16, "`pretrain.processes` should be at most pretrain.batch_size of 15, found 16"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            parse_config(raw | {"pretrain": raw["pretrain"] | {"processes": wrong}})
    with pytest.raises(
        ConfigError, match=r"`encoder.attention_dropout` should be 0 while pretrain.processes is above 1"
    ):
        parse_config(raw | {"encoder": raw["encoder"] | {"attention_dropout": 0.1}})


def by_hand(machines: list[Path]) -> list[tuple[int, str, str]]:
    """Runs the guide's torchrun in each folder and returns how it ended; the first folder's process leads."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = ["--nnodes", str(len(machines)), "--nproc-per-node", "1", "--master-addr", "127.0.0.1",
              "--master-port", str(port)]  # fmt: skip
    launcher = [sys.executable, "-m", "torch.distributed.run", *common]
    running = [
        started(machine, [*launcher, "--node-rank", str(number), *STAGE], GLOO_SOCKET_IFNAME="lo")
        for number, machine in enumerate(machines)
    ]
    return [ended(process) for process in running]


def under_way(root: Path, process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The members of a stage that has begun its second epoch, and so has written a state."""

    def begun() -> bool:
        assert process.poll() is None, process.communicate()
        states = list((root / ".mtl/state").rglob("*.safetensors"))
        return bool(states) and len(read_header(states[0])["record"]["epochs"]) > 0

    until(begun, 120, "the second epoch")
    return [member for member in family(process.pid) if "spawn_main" in " ".join(member.cmdline())]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends workers with their parent at once")
@pytest.mark.parametrize("hit", ["leader", "other", "stage"])
def test_a_kill_leaves_a_state_and_the_rerun_gives_the_same_bytes(root: Path, hit: str) -> None:
    config = configured(epochs=20)
    use(config, root)
    process = started(root, [sys.executable, *STAGE])
    members = under_way(root, process)
    assert len(members) == 2
    everybody = family(process.pid)
    victim = {"leader": members[0], "other": members[1], "stage": psutil.Process(process.pid)}[hit]
    victim.kill()
    code, out, err = ended(process)
    until(lambda: not any(map(alive, everybody)), 30, "the others to end")
    assert not (root / FOLDER).exists() and not list(root.rglob("*.part"))
    if hit != "stage":
        assert (code, out) == (2, "")
        assert err.startswith("error: a process of the pretraining was ended from outside") and err.count("\n") == 1
    code, out, err = ended(started(root, [sys.executable, *STAGE]))
    assert (code, out, err) == (0, f"pretrain / seed {SEED}: done, 20 epochs\n", "")
    assert contents(root) == expected(config, root)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "expected_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_all_processes(root: Path, sent: signal.Signals, expected_code: int) -> None:
    use(configured(epochs=2000), root)
    process = started(root, interruptible(*STAGE))
    under_way(root, process)
    everybody = family(process.pid)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    code, out, err = ended(process)
    assert (code, out, err) == (expected_code, "", "")
    until(lambda: not any(map(alive, everybody)), 30, "all to end")
    assert not (root / FOLDER).exists()


@pytest.mark.slow
def test_torchrun_by_hand_on_two_machines_writes_the_same_bytes(root: Path) -> None:
    """The machines are two folders: only the first one's has results, states and timings in the end."""
    config = configured()
    machines = [root / "first", root / "second"]
    for machine in machines:
        machine.mkdir()
        (machine / "data").symlink_to(root / "data")
        use(config, machine)
    outcomes = by_hand(machines)
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    assert [out for _, out, _ in outcomes] == [f"pretrain / seed {SEED}: done, 2 epochs\n", ""]
    assert [(machine / FOLDER).exists() for machine in machines] == [True, False]
    assert contents(machines[0]) == expected(config, root)
    assert not any(list(machine.glob(".mtl/state/*")) for machine in machines)


@pytest.mark.slow
def test_machines_with_other_data_are_refused(root: Path) -> None:
    config = configured()
    machines = [root / "first", root / "second"]
    for rows, machine in zip((200, 210), machines, strict=True):
        machine.mkdir()
        write_prepared(waves(rows), machine / PREPARED / "line", {})
        use(config, machine)
    outcomes = by_hand(machines)
    assert all(code != 0 for code, _, _ in outcomes)
    said = "".join(err for _, _, err in outcomes)
    assert "error: process 1 of the pretraining has another data than process 0" in said
    assert not any((machine / FOLDER).exists() for machine in machines)


BROKEN = """
import os
from torch import nn
from mtl.models.base import Encoder, Features

class Mine(Encoder):
    def __init__(self, options, dropout):
        super().__init__()
        self.width, self.dropout, self.calls = 4, dropout, 0
        self.linear = nn.Linear(8, 4)

    def count_tokens(self, input_len):
        return 1

    def forward(self, x, dropout=None):
        self.calls += 1
        if os.environ.get("RANK") == "1" and self.calls > 20:
            raise ZeroDivisionError("a mistake in plugins/")
        return Features(self.linear(x).unsqueeze(2), x.mean(-1), x.std(-1) + 1)
"""


@pytest.mark.slow
def test_an_error_in_one_process_ends_all_with_its_own_words(root: Path) -> None:
    """The error may be the user's, in all processes, or a mistake in the code that one of them meets."""
    use(configured(lr=1e30, clip=None), root)
    code, out, err = ended(started(root, [sys.executable, *STAGE]))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: the (pretraining|validation) loss .*became (nan|inf).*\n", err), err

    (root / "plugins").mkdir()
    (root / "plugins/mine.py").write_text(BROKEN)
    raw = configured(objective={"kind": "denoise"}).model_dump(mode="json", by_alias=True)
    (root / "params.yaml").write_text(json.dumps(raw | {"encoder": {"kind": "python", "target": "mine:Mine"}}))
    code, out, err = ended(started(root, [sys.executable, *STAGE]))
    assert (code, out) == (1, ""), err
    assert err.count("Traceback") == 1 and err.rstrip().endswith("ZeroDivisionError: a mistake in plugins/"), err
    assert not (root / "outputs").exists()
