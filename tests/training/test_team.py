"""Processes that share each batch: the same numbers as one process, up to the order of sums, and all or nothing."""

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl.config import DenoiseObjective, DiffusionObjective, LinearEncoder, SamplerConfig
from mtl.config.encoder import EncoderConfig
from mtl.config.training import Objective
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import unlabelled_pools
from mtl.errors import UserError
from mtl.models.build import build_pretrainer
from mtl.results.history import PretrainingEpoch
from mtl.training.checkpoint import Checkpoint, read_header
from mtl.training.divisible import check_divides
from mtl.training.nonfinite import NonFiniteError
from mtl.training.optimiser import adamw
from mtl.training.pretrain import pretrain
from mtl.training.state import Budget, TrainingData
from mtl.training.team import ALONE, LostProcessError, Team
from tests.helpers.problems import ENCODER, stored, waves
from tests.helpers.team import CPU, together

pytestmark = pytest.mark.processes

DENOISE, DIFFUSION = DenoiseObjective(kind="denoise"), DiffusionObjective(kind="diffusion", steps=20)
LINEAR = LinearEncoder(kind="linear", input_len=12, width=16, dropout=0.2, resize="left_pad")
GRADIENTS = 1e-6
"""Relative to the gradient's norm, in float32: what issue 7 asks for."""


class Shared:
    """One pretraining on two sources, of windows of 8 and of 12 rows; every batch but one holds some of both."""

    def __init__(
        self,
        team: Team,
        objective: Objective = DIFFUSION,
        encoder: EncoderConfig = ENCODER,
        batch_size: int = 16,
        epochs: int = 2,
        clip: float | None = 1.0,
        path: Path | None = None,
        seconds: float = 3600.0,
    ) -> None:
        torch.manual_seed(0)
        sources = {"line": waves(), "cuts": stored(12, 12, torch.tensor([0, 1] * 5 + [-1, -1]), {})}
        self.team = team
        self.train, self.val = (unlabelled_pools(sources, 8, 0, split) for split in ("train", "val"))
        self.pretrainer = build_pretrainer(encoder, objective, {8, 12}, 0)
        self.optimiser = adamw([(list(self.pretrainer.parameters()), 3e-3, 0.0)])
        self.plan = JointPlan({pool.name: len(pool) for pool in self.train}, batch_size, SamplerConfig(), 0)
        self.history: list[PretrainingEpoch] = []
        checkpoint = Checkpoint(path if team.leads else None, "", seconds)
        self.records = pretrain(
            self.pretrainer, self.optimiser, TrainingData(self.train, self.val, self.plan),
            Budget(epochs, "onecycle", clip, 0.5), checkpoint, self.history, team,
        )  # fmt: skip

    def go(self) -> "Shared":
        for _ in self.records:
            pass
        return self

    def weights(self) -> bytes:
        return b"".join(tensor.numpy().tobytes() for tensor in self.pretrainer.state_dict().values())

    def before_step(self, act: Callable[[int], None]) -> None:
        """Calls `act` with the number of each step, from 0, before the optimiser takes it."""
        taken = 0

        def hook(*_: Any) -> None:
            nonlocal taken
            act(taken)
            taken += 1

        self.optimiser.register_step_pre_hook(hook)


def gradients(team: Team, objective: Objective, encoder: EncoderConfig, batch_size: int) -> list[list[float]]:
    """Gradient of every step of an epoch, all at the first weights and without clipping."""
    run = Shared(team, objective, encoder, batch_size, epochs=1, clip=None)
    first = {name: tensor.clone() for name, tensor in run.pretrainer.state_dict().items()}
    found: list[list[float]] = []

    def note(_: int) -> None:
        found.append(torch.cat([p.grad.flatten() for p in run.pretrainer.parameters() if p.grad is not None]).tolist())

    run.before_step(note)
    run.optimiser.register_step_post_hook(lambda *_: run.pretrainer.load_state_dict(first) and None)
    run.go()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("counts", [(16,), (7, 1), (1, 1, 1), (2, 5, 9), (4, 4)])
def test_every_sample_belongs_to_one_process(size: int, counts: tuple[int, ...]) -> None:
    totals = [0] * size
    before = 0
    for count in counts:
        held: list[int] = []
        for rank in range(size):
            share = Team(rank, size).share(count, before)
            assert 0 <= share.begin < share.end <= share.whole == count
            assert share.own in (0, share.end - share.begin)
            held += range(share.begin, share.begin + share.own)
            totals[rank] += share.own
        assert held == list(range(count))
        before += count
    assert max(totals) - min(totals) <= 1, "nobody has more than one sample more than another"


@pytest.mark.thorough
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    ("objective", "encoder", "batch_size"),
    [(DIFFUSION, ENCODER, 7), (DENOISE, ENCODER, 16), (DENOISE, LINEAR, 7)],
    ids=["diffusion", "denoise", "linear"],
)
def test_gradients_are_those_of_one_process(
    size: int, objective: Objective, encoder: EncoderConfig, batch_size: int
) -> None:
    """With noise and dropout, of batches that no number of processes divides and pools of fewer samples than it."""
    whole = torch.tensor(gradients(ALONE, objective, encoder, batch_size), dtype=torch.float64)
    first, *others = together(size, lambda team: gradients(team, objective, encoder, batch_size))
    assert all(other == first for other in others)
    shared = torch.tensor(first, dtype=torch.float64)
    off = (shared - whole).norm(dim=1) / whole.norm(dim=1)
    print(f"largest relative difference over {len(off)} steps: {off.max():.1e}")
    assert len(off) > 3 and off.max() <= GRADIENTS


@pytest.mark.thorough
def test_a_pretraining_of_two_processes_is_that_of_one_and_repeats_bit_for_bit() -> None:
    """float32 rounds sums of other orders otherwise; over 3 epochs of AdamW losses differ by 1e-7."""

    def whole(team: Team) -> tuple[bytes, list[PretrainingEpoch]]:
        run = Shared(team, epochs=3).go()
        return run.weights(), run.history

    _, alone = whole(ALONE)
    first, second = together(2, whole)
    assert first == second, "both processes hold the same weights and know the same losses"
    assert together(2, whole) == [first, second]
    for one, other in zip(alone, first[1], strict=True):
        assert other.lr == one.lr
        assert other.train.loss == pytest.approx(one.train.loss, rel=1e-5)
        assert other.val.loss == pytest.approx(one.val.loss, rel=1e-5)
    assert alone[-1].train.loss < alone[0].train.loss


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("killed", "stop"),
    [pytest.param(1, 3, id="other"), pytest.param(0, 11, id="leader")],
)
def test_a_killed_process_ends_all_and_the_rerun_goes_on_bit_for_bit(tmp_path: Path, killed: int, stop: int) -> None:
    path = tmp_path / "state"

    def whole(team: Team) -> tuple[bytes, list[PretrainingEpoch]]:
        run = Shared(team, path=path if team.size == 1 else None).go()
        return run.weights(), run.history

    def cut_short(team: Team) -> None:
        run = Shared(team, path=path, seconds=0.0)
        run.before_step(lambda n: os.kill(os.getpid(), signal.SIGKILL) if (team.rank, n) == (killed, stop) else None)
        run.go()

    def resumed(team: Team) -> tuple[int, bytes, list[PretrainingEpoch]]:
        run = Shared(team, path=path)
        taken: list[int] = []
        run.before_step(taken.append)
        run.go()
        return len(taken), run.weights(), run.history

    steps = 2 * Shared(ALONE).plan.steps_per_epoch
    undisturbed = together(2, whole)
    found = together(2, cut_short)
    assert found[killed] is None
    assert isinstance(found[1 - killed], LostProcessError)
    assert "was ended from outside" in str(found[1 - killed]) and "it goes on from the last state" in str(
        found[1 - killed]
    )
    done = read_header(path)["record"]["step"]
    assert stop - 1 <= done <= stop + 1
    assert together(2, resumed) == [(steps - done, *one) for one in undisturbed]


def test_a_broken_loss_in_one_process_stops_all_and_names_the_step(tmp_path: Path) -> None:
    """Only one window of the step is broken, which one of the processes computes."""

    def broken(team: Team) -> None:
        run = Shared(team, path=tmp_path / "state")
        (line,) = (pool for pool in run.train if pool.name == "line")
        assert isinstance(line.samples, Windows)
        chosen = list(run.plan.epochs(2))[1][2]["line"]
        at = int(chosen[0])
        next(run.records)
        line.samples.flat[int(line.samples.starts[at]) + 3] = torch.nan
        list(run.records)

    errors = together(2, broken)
    assert all(isinstance(error, NonFiniteError) for error in errors)
    assert str(errors[0]) == str(errors[1])
    assert "the pretraining loss became nan at epoch 2, step " in str(errors[0])
    record = read_header(tmp_path / "state")["record"]
    assert len(record["epochs"]) == 1, "the last good state is kept"


def test_processes_of_other_settings_are_refused() -> None:
    def unlike(team: Team) -> None:
        team.agree({"data": "same", "code": "same"}, CPU)
        team.agree({"data": "same", "code": f"of {team.rank}"}, CPU)

    first, second = together(2, unlike)
    assert "process 1 of the pretraining has another code than process 0" in str(first)
    assert "process 0 of the pretraining has another code than process 1" in str(second)


def test_replicas_that_have_come_apart_are_refused() -> None:
    def apart(team: Team) -> None:
        network = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            network.weight.copy_(torch.ones(1, 2))
        team.check_replicas({"network": network}, CPU)
        with torch.no_grad():
            network.weight[0, 1] += team.rank * 2.0**-23  # the last bit
        team.check_replicas({"network": network}, CPU)

    errors = together(2, apart)
    assert all("the weights of process 1 are no longer those of process 0" in str(error) for error in errors)


class OwnDropout(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.own = inner, nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.own(self.inner(x))


class BatchStatistics(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return y - y.mean(dim=0, keepdim=True)


@pytest.mark.parametrize("wrapper", [OwnDropout, BatchStatistics])
def test_an_encoder_that_cannot_share_a_batch_is_refused(wrapper: Callable[[nn.Module], nn.Module]) -> None:
    run = Shared(ALONE)
    encoder: Any = run.pretrainer.encoder
    encoder.embedding = wrapper(encoder.embedding)
    state = torch.get_rng_state()
    with pytest.raises(UserError, match=r"`pretrain.processes` should be 1 for this encoder"):
        check_divides(run.pretrainer.train(), run.train[0], CPU)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("objective", "encoder"),
    [(DIFFUSION, ENCODER), (DENOISE, ENCODER), (DENOISE, LINEAR)],
    ids=["diffusion", "denoise", "linear"],
)
def test_ours_can_and_the_question_changes_no_random_number(objective: Objective, encoder: EncoderConfig) -> None:
    run = Shared(ALONE, objective, encoder)
    state = torch.get_rng_state()
    for pool in run.train:
        check_divides(run.pretrainer.train(), pool, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    loss = run.pretrainer.loss(run.train[0].batch(torch.arange(2)).x)
    assert math.isfinite(float(loss.detach()))
