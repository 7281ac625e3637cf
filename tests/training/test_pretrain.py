"""The pretraining loop: it learns, resumes bit for bit, and judges with the same noise every time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import DenoiseObjective, DiffusionObjective, SamplerConfig
from mtl.config.training import Objective
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import unlabelled_pools
from mtl.models.build import build_pretrainer
from mtl.results.history import PretrainingEpoch
from mtl.training.checkpoint import Checkpoint, read_header
from mtl.training.nonfinite import NonFiniteError
from mtl.training.optimiser import LrSchedule, adamw
from mtl.training.pretrain import pretext_loss, pretrain
from mtl.training.state import Budget, TrainingData
from tests.helpers.problems import ENCODER, same, stored, waves

DENOISE, DIFFUSION = DenoiseObjective(kind="denoise"), DiffusionObjective(kind="diffusion", steps=20)


def sources() -> dict[str, Any]:
    cuts = stored(12, 12, torch.tensor([0, 1] * 5 + [-1, -1]), {})
    return {"line": waves(), "cuts": cuts}


@dataclass
class Pretraining:
    objective: Objective
    epochs: int = 3
    lr: float = 3e-3
    schedule: LrSchedule = "onecycle"
    path: Path | None = None
    seconds: float = 3600.0
    history: list[PretrainingEpoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.train, self.val = (unlabelled_pools(sources(), 8, 0, split) for split in ("train", "val"))
        self.pretrainer = build_pretrainer(ENCODER, self.objective, {8, 12}, 0)
        self.optimiser = adamw([(list(self.pretrainer.parameters()), self.lr, 0.0)])
        self.plan = JointPlan({pool.name: len(pool) for pool in self.train}, 16, SamplerConfig(kind="proportional"), 0)
        self.records = pretrain(
            self.pretrainer, self.optimiser, TrainingData(self.train, self.val, self.plan),
            Budget(self.epochs, self.schedule, 1.0, 0.5), Checkpoint(self.path, "", self.seconds), self.history,
        )  # fmt: skip

    def go(self) -> "Pretraining":
        for _ in self.records:
            pass
        return self


@pytest.mark.parametrize("objective", [DENOISE, DIFFUSION], ids=["denoise", "diffusion"])
def test_the_pretext_loss_falls(objective: Objective) -> None:
    run = Pretraining(objective, epochs=15, lr=1e-2)
    before = pretext_loss(run.pretrainer, run.val, 0)
    run.go()
    assert len(run.history) == 15 and [record.epoch for record in run.history] == list(range(1, 16))
    assert run.history[-1].val.loss < 0.7 * before
    assert run.history[-1].train.loss < run.history[0].train.loss
    assert run.history[-1].val.loss == pretext_loss(run.pretrainer, run.val, 0)


@pytest.mark.parametrize("objective", [DENOISE, DIFFUSION], ids=["denoise", "diffusion"])
def test_a_stopped_pretraining_goes_on_bit_for_bit(tmp_path: Path, objective: Objective) -> None:
    whole = Pretraining(objective).go()
    next(Pretraining(objective, path=tmp_path / "state").records)
    resumed = Pretraining(objective, path=tmp_path / "state").go()
    assert same(whole.pretrainer, resumed.pretrainer)
    assert whole.history == resumed.history
    finished = Pretraining(objective, path=tmp_path / "state").go()
    assert finished.history == whole.history and same(finished.pretrainer, whole.pretrainer)


@pytest.mark.parametrize("stop", [3, 16, 20])
def test_a_pretraining_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a state after every step, an error at any of them loses that step alone."""
    whole = Pretraining(DIFFUSION).go()
    steps = whole.plan.steps_per_epoch
    assert 3 < steps < 16
    begun = Pretraining(DIFFUSION, path=tmp_path / "state", seconds=0.0)
    step, taken = begun.optimiser.step, 0

    def failing(*arguments: Any) -> Any:
        nonlocal taken
        if taken == stop:
            raise KeyboardInterrupt
        taken += 1
        return step(*arguments)

    monkeypatch.setattr(begun.optimiser, "step", failing)
    with pytest.raises(KeyboardInterrupt):
        begun.go()
    record = read_header(tmp_path / "state")["record"]
    assert (record["step"], len(record["epochs"])) == (stop, stop // steps)
    torch.rand(7)
    resumed = Pretraining(DIFFUSION, path=tmp_path / "state").go()
    assert same(whole.pretrainer, resumed.pretrainer)
    assert whole.history == resumed.history


@pytest.mark.parametrize("objective", [DENOISE, DIFFUSION], ids=["denoise", "diffusion"])
def test_the_pretext_loss_repeats_and_depends_on_its_seed_only(objective: Objective) -> None:
    run = Pretraining(objective)
    first = pretext_loss(run.pretrainer.train(), run.val, 0)
    torch.rand(3)
    state = torch.get_rng_state()
    assert pretext_loss(run.pretrainer, run.val, 0) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert pretext_loss(run.pretrainer, run.val, 1) != first


def test_more_noise_is_harder_for_a_trained_denoiser() -> None:
    run = Pretraining(DIFFUSION, epochs=15, lr=1e-2).go()
    assert pretext_loss(run.pretrainer, run.val, 0, 0) < 0.9 * pretext_loss(run.pretrainer, run.val, 0, 19)


def test_the_loss_of_a_step_is_the_mean_over_all_its_windows() -> None:
    run = Pretraining(DENOISE, epochs=1, lr=1e-30)
    run.pretrainer.noise_level = 0.0
    run.pretrainer.encoder.dropout = 0.0
    (steps,) = run.plan.epochs(1)
    expected = []
    with torch.no_grad():
        for chosen in steps:
            losses = {pool.name: run.pretrainer.loss(pool.batch(chosen[pool.name]).x).item() for pool in run.train
                      if pool.name in chosen}  # fmt: skip
            size = sum(len(index) for index in chosen.values())
            expected.append(sum(len(chosen[name]) * loss for name, loss in losses.items()) / size)
    assert any(len(chosen) == 2 for chosen in steps)
    assert next(run.records).train.loss == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_exponential_decay_is_by_epoch() -> None:
    run = Pretraining(DENOISE, schedule="exponential").go()
    assert [record.lr for record in run.history] == pytest.approx([3e-3, 1.5e-3, 0.75e-3])


def test_a_broken_loss_names_epoch_step_and_samples(tmp_path: Path) -> None:
    run = Pretraining(DENOISE, path=tmp_path / "state")
    next(run.records)
    saved = (tmp_path / "state").read_bytes()
    (line,) = (pool for pool in run.train if pool.name == "line")
    assert isinstance(line.samples, Windows)
    line.samples.flat[30] = torch.inf
    second = list(run.plan.epochs(2))[1]
    step = next(n for n, chosen in enumerate(second) if any(23 <= i <= 30 for i in chosen["line"].tolist()))
    sample = second[step]["line"].tolist()[0]
    expected = rf"epoch 2, step {step + 1} of {len(second)} .*'line': \[{sample}, "
    with pytest.raises(NonFiniteError, match=expected):
        list(run.records)
    assert (tmp_path / "state").read_bytes() == saved
    assert len(run.history) == 1
