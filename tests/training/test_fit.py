"""The training loop: it learns, pairs, selects, resumes bit for bit and stops loudly."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtl.balancing.base import Step
from mtl.balancing.uncertainty import Uncertainty
from mtl.balancing.weighted import WeightedSum, scheduled
from mtl.config import SamplerConfig, StoppingConfig, TimeDartEncoder
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.tasks import build_tasks
from mtl.errors import UserError
from mtl.results.history import Gradients
from mtl.training.checkpoint import read_header
from mtl.training.measure import measure, predict
from mtl.training.nonfinite import NonFiniteError
from tests.helpers.problems import (
    ENCODER,
    TASKS,
    Run,
    binary,
    forecast,
    same,
    series,
    wave_tasks,
    waves,
    weighted,
)

STILL = ENCODER.model_copy(update={"dropout": 0.0})
"""No dropout."""


def test_a_joint_run_learns_all_three_kinds_of_task() -> None:
    data = wave_tasks()
    run = Run(data, list(data.specs), epochs=30, lr=1e-2, encoder=STILL, batch_size=32)
    before, _ = measure(run.model, data.pools["train"], data.specs)
    after, _ = measure(run.go().model, data.pools["train"], data.specs)
    assert after["next"]["mse"] < 0.1 * before["next"]["mse"]
    assert after["phase"]["accuracy"] > 0.95 and after["up"]["accuracy"] > 0.95
    losses = [epoch.train["next"].loss for epoch in run.fitted.epochs]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("stop", [1, 3])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, stop: int) -> None:
    data = wave_tasks()

    def run(path: Path | None) -> Run:
        balancer = Uncertainty(list(data.specs.values()), "kendall")
        return Run(data, list(data.specs), epochs=3, balancer=balancer, checkpoint=path)

    whole = run(None).go()
    for number, _ in enumerate(run(tmp_path / "state").records(), start=1):
        if number == stop:
            break
    torch.rand(7)  # another process would stand elsewhere in the random numbers
    resumed = run(tmp_path / "state").go()
    assert same(whole.model, resumed.model)
    assert whole.balancer is not None and resumed.balancer is not None
    assert same(whole.balancer, resumed.balancer)
    assert whole.balancer.log_variance.abs().min() > 0  # type: ignore[union-attr]
    assert whole.fitted.epochs == resumed.fitted.epochs
    assert (whole.fitted.steps, whole.fitted.samples) == (resumed.fitted.steps, resumed.fitted.samples)
    assert whole.fitted.best_epoch == resumed.fitted.best_epoch
    assert whole.fitted.start == resumed.fitted.start is not None
    first, second = (run.optimiser.state_dict()["state"] for run in (whole, resumed))
    assert first.keys() == second.keys() and len(first) > 0
    assert all(same(first[parameter], second[parameter]) for parameter in first)


@pytest.mark.parametrize("stop", [1, 8, 9, 13])
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(tmp_path: Path, stop: int) -> None:
    """With a state after every step, an error at any of them loses that step alone."""
    data = wave_tasks(tasks={**TASKS, "late": binary(label="up", input_len=20)})

    class Failing(Uncertainty):
        calls = 0

        def backward(self, step: Step) -> torch.Tensor:
            self.calls += 1
            if self.calls == stop + 1:
                raise KeyboardInterrupt
            return super().backward(step)

    def run(path: Path | None, kind: type[Uncertainty]) -> Run:
        balancer = kind(list(data.specs.values()), "kendall")
        sampler = SamplerConfig(kind="proportional", allocation="multinomial")
        return Run(data, list(data.specs), epochs=3, batch_size=32, probes=3, balancer=balancer, sampler=sampler,
                   checkpoint=path, seconds=0.0)  # fmt: skip

    whole = run(None, Uncertainty).go()
    assert whole.plan.steps_per_epoch == 7
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        run(state, Failing).go()
    assert read_header(state)["record"]["steps"] == stop
    torch.rand(7)  # another process would stand elsewhere in the random numbers
    resumed = run(state, Uncertainty).go()
    assert same(whole.model, resumed.model)
    assert whole.fitted.epochs == resumed.fitted.epochs
    assert (whole.fitted.steps, whole.fitted.samples) == (resumed.fitted.steps, resumed.fitted.samples)
    first, second = (run.optimiser.state_dict()["state"] for run in (whole, resumed))
    assert all(same(first[parameter], second[parameter]) for parameter in first)


def test_dropout_acts_in_these_runs_and_follows_the_random_state() -> None:
    data = wave_tasks()

    def loss(seed: int, encoder: TimeDartEncoder) -> float:
        run = Run(data, ["next"], epochs=1, encoder=encoder)
        torch.manual_seed(seed)
        return float(next(run.records()).train["next"].loss)

    assert loss(1, ENCODER) == loss(1, ENCODER) != loss(2, ENCODER)
    assert loss(1, STILL) == loss(2, STILL)


@pytest.mark.parametrize("task", ["next", "up"])
def test_a_single_task_run_is_the_joint_run_without_the_others(task: str) -> None:
    # With a frozen encoder heads do not meet, so each must end exactly where it ends alone: same samples, same order.
    data = wave_tasks(tasks={**TASKS, "far": forecast(input_len=20), "late": binary(label="up", input_len=20)})
    kept = StoppingConfig(criterion="forecast", patience=None)
    joint = Run(data, list(data.specs), epochs=2, encoder=STILL, frozen=True, clip=None, stopping=kept)
    alone = Run(data, [task], epochs=2, encoder=STILL, frozen=True, clip=None)
    last, heads = [], []
    for run in (joint, alone):
        records = run.records()
        last.append([next(records) for _ in range(run.epochs)][-1])
        # Before the loop puts the best epoch back: the two runs may judge epochs by different tasks.
        heads.append(run.model.heads[task])
    assert same(*heads)
    assert last[0].train[task].loss == pytest.approx(last[1].train[task].loss, rel=1e-6)
    assert last[0].val[task] == last[1].val[task]
    assert joint.fitted.samples[task] == alone.fitted.samples[task]


def test_a_forecast_whose_partners_weigh_nothing_trains_as_if_alone() -> None:
    data = wave_tasks()
    kept = StoppingConfig(criterion="forecast", patience=None)
    joint = Run(data, list(data.specs), encoder=STILL, epochs=2, stopping=kept, clip=None,
                balancer=WeightedSum(list(data.specs.values()), 0.0, "constant")).go()  # fmt: skip
    alone = Run(data, ["next"], encoder=STILL, epochs=2, clip=None).go()
    assert same(joint.model.trunk.encoder, alone.model.trunk.encoder)
    assert same(joint.model.heads["next"], alone.model.heads["next"])
    losses = [[epoch.train["next"].loss for epoch in run.fitted.epochs] for run in (joint, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert [e.val["next"] for e in joint.fitted.epochs] == [e.val["next"] for e in alone.fitted.epochs]


def test_a_frozen_encoder_does_not_move_and_heads_do() -> None:
    data = wave_tasks()
    run = Run(data, list(data.specs), frozen=True)
    encoder, heads = ({name: tensor.clone() for name, tensor in part.state_dict().items()}
                      for part in (run.model.trunk.encoder, run.model.heads))  # fmt: skip
    run.go()
    assert same(run.model.trunk.encoder, encoder)
    assert not same(run.model.heads, heads)
    assert all(epoch.gradients == Gradients(norms={}, cosines={}) for epoch in run.fitted.epochs)


def test_the_best_epoch_is_what_is_left_in_the_model() -> None:
    coins = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(3))
    source = series(waves().values, (120, 160, 200), {"coin": coins})
    data = build_tasks({"coin": binary(label="coin")}, {"line": source}, 0)
    kept = set()
    for seed in (0, 1):
        run = Run(data, ["coin"], epochs=6, lr=1e-2, seed=seed).go()
        assert run.fitted.start is not None
        vals = [run.fitted.start.val, *(epoch.val for epoch in run.fitted.epochs)]
        scores = [(1 - val["coin"]["accuracy"], val["coin"]["loss"]) for val in vals]
        best = run.fitted.best_epoch
        assert best == scores.index(min(scores))
        assert best < 6, "the case proves nothing when the last epoch is the best"
        found, _ = measure(run.model, data.pools["val"], run.specs)
        assert found == vals[best]
        kept.add(best == 0)
    assert kept == {True, False}, "one of the seeds should keep the network as it was before the first step"


def test_patience_ends_a_run_and_a_restart_adds_nothing(tmp_path: Path) -> None:
    data = wave_tasks()

    def run() -> Run:
        # A rate below the resolution of float32: no epoch can be better than the network before the first step.
        return Run(data, ["next"], epochs=9, lr=1e-30, stopping=StoppingConfig(patience=2), checkpoint=tmp_path / "s")

    first = run().go()
    assert [epoch.epoch for epoch in first.fitted.epochs] == [1, 2, 3], "patience counts from the first epoch on"
    assert (first.fitted.stopped, first.fitted.best_epoch) == ("patience", 0)
    again = run().go()
    assert again.fitted.start == first.fitted.start and again.fitted.best_epoch == 0
    assert again.fitted.epochs == first.fitted.epochs and again.fitted.stopped == "patience"
    assert same(first.model, again.model)


def test_a_run_to_the_end_says_so() -> None:
    run = Run(wave_tasks(), ["next"], epochs=2).go()
    assert run.fitted.stopped == "end"


@pytest.mark.parametrize("only", [0, 2])
def test_a_known_number_of_epochs_is_the_beginning_of_the_whole_budget(only: int) -> None:
    """No validation part, and yet the learning rates, losses and weights of the whole run up to there."""
    data = wave_tasks()

    def run(number: int | None) -> Run:
        return Run(
            data, list(data.specs), epochs=4, only=number, balancer=Uncertainty(list(data.specs.values()), "kendall")
        )

    whole = run(None)
    weights = {name: value.clone() for name, value in whole.model.state_dict().items()}
    for number, _ in enumerate(whole.records(), start=1):
        if number == only:
            weights = {name: value.clone() for name, value in whole.model.state_dict().items()}
    left = run(only).go()
    shared = ("epoch", "steps", "lr", "weights", "train", "grad_norm")
    told = [[getattr(epoch, name) for name in shared] for epoch in left.fitted.epochs]
    assert told == [[getattr(epoch, name) for name in shared] for epoch in whole.fitted.epochs[:only]]
    assert (left.fitted.best_epoch, left.fitted.stopped) == (only, "end")
    assert same(left.model.state_dict(), weights)
    assert all(epoch.val == {} for epoch in left.fitted.epochs)


def test_what_an_epoch_records() -> None:
    data = wave_tasks()
    run = Run(data, list(data.specs), epochs=2, probes=2, balancer=weighted(data, 0.4)).go()
    steps = run.plan.steps_per_epoch
    total = 2 * steps
    for number, record in enumerate(run.fitted.epochs):
        assert (record.epoch, record.steps) == (number + 1, steps)
        assert record.lam == pytest.approx(0.4 * ((number + 1) * steps - 1) / total)
        shares = [scheduled(0.4, "linear", step / total) for step in range(number * steps, (number + 1) * steps)]
        mean = sum(shares) / steps
        assert record.weights == pytest.approx({"next": 1 - mean, "phase": mean / 2, "up": mean / 2}, abs=1e-6)
        assert record.gradients.norms.keys() == {"next", "phase", "up"}
        assert record.gradients.cosines.keys() == {"next|phase", "next|up", "phase|up"}
        assert all(-1.0001 <= cosine <= 1.0001 for cosine in record.gradients.cosines.values())
        assert record.grad_norm > 0
    assert run.fitted.steps == total
    assert run.fitted.samples == dict.fromkeys(data.specs, total * 16)
    rates = [record.lr for record in run.fitted.epochs]
    assert rates[0] > rates[1] > 0


def test_probing_gradients_changes_nothing() -> None:
    data = wave_tasks()
    runs = [Run(data, list(data.specs), epochs=1, probes=probes).go() for probes in (0, 3)]
    assert same(runs[0].model, runs[1].model)


@pytest.mark.parametrize("clip", [0.01, None])
def test_clipping_bounds_the_step_but_the_whole_norm_is_recorded(clip: float | None) -> None:
    data = wave_tasks()
    run = Run(data, ["next"], epochs=1, batch_size=128, clip=clip)
    run.state.optimiser = torch.optim.SGD([{"params": list(run.model.parameters()), "lr": 1.0, "base_lr": 1.0}])
    before = torch.cat([p.detach().flatten().clone() for p in run.model.parameters()])
    record = next(run.records())
    assert run.plan.steps_per_epoch == 1
    moved = (torch.cat([p.detach().flatten() for p in run.model.parameters()]) - before).norm().item()
    expected = record.grad_norm if clip is None else clip
    assert record.grad_norm > 0.01
    assert moved == pytest.approx(expected / 25, rel=1e-3)  # onecycle starts at a 25th


def test_steps_without_any_target_change_nothing_and_the_rest_still_learns() -> None:
    data = wave_tasks(tasks={"up": binary(label="up")})
    pool = data.pools["train"][0]
    valid = torch.zeros(len(pool), dtype=torch.bool)
    valid[5] = True
    rare = replace(pool, targets={"up": replace(pool.targets["up"], valid=valid)})
    data = replace(data, pools={**data.pools, "train": [rare]})
    run = Run(data, ["up"], epochs=2, batch_size=4, encoder=STILL)
    run.go()
    counts = {int(state["step"]) for state in run.optimiser.state.values()}
    drawn = sum(5 in step[pool.name].tolist() for steps in run.plan.epochs(2) for step in steps)
    assert counts == {drawn} and 0 < drawn < run.fitted.steps
    assert all(record.train["up"].loss is not None for record in run.fitted.epochs)


def test_a_broken_loss_names_step_task_and_samples_and_the_last_state_stays(tmp_path: Path) -> None:
    data = wave_tasks()
    state = tmp_path / "state"
    run = Run(data, list(data.specs), epochs=2, checkpoint=state, batch_size=2)
    records = run.records()
    next(records)
    saved = state.read_bytes()
    # In the second epoch row 50 is infinite. It is a row to forecast, or an input, of the windows that start at 39…50.
    (pool,) = data.pools["train"]
    assert isinstance(pool.samples, Windows)
    pool.samples.flat[50] = torch.inf
    second = [step[pool.name].tolist() for step in list(run.plan.epochs(2))[1]]
    broken = next(
        number for number, samples in enumerate(second) if any(39 <= pool.samples.starts[i] <= 50 for i in samples)
    )
    assert broken > 0
    samples = ", ".join(map(str, second[broken]))
    expected = (
        f"the loss of task next became (nan|inf) at epoch 2, step {broken + 1} of {len(second)} "
        rf"\(pool line/next, samples {samples}\)"
    )
    with pytest.raises(NonFiniteError, match=expected):
        list(records)
    assert state.read_bytes() == saved
    assert len(run.fitted.epochs) == 1


def test_weights_that_break_in_the_last_step_are_not_saved(tmp_path: Path) -> None:
    data = wave_tasks()
    run = Run(data, ["up"], epochs=1, batch_size=128, lr=1e38, checkpoint=tmp_path / "state", clip=None)
    assert run.plan.steps_per_epoch == 1
    with pytest.raises(NonFiniteError, match=r"validation score became .* at epoch 1"):
        run.go()
    assert not (tmp_path / "state").exists()


def test_a_sampler_that_never_draws_a_pool_is_an_error() -> None:
    data = wave_tasks(tasks={"next": forecast(), "up": binary(label="up", input_len=100)})
    sampler = SamplerConfig(kind="temperature", temperature=0.1)
    with pytest.raises(UserError, match=r"`train.sampler` draws no sample of line/up in epoch 1"):
        Run(data, ["up"], sampler=sampler).go()


def test_predictions_hold_every_labelled_sample_once_in_order() -> None:
    source = waves()
    labels = source.labels["up"].clone()
    labels[170:180] = -1
    source = replace(source, labels={"up": labels})
    data = build_tasks({"next": forecast(), "up": binary(label="up")}, {"line": source}, 0)
    predicted = predict(Run(data, ["next", "up"]).model, data.pools["test"])
    assert predicted["up"][1].tolist() == [int(label) for label in labels[160:200] if label >= 0]
    assert len(predicted["next"][0]) == 200 - 160 - 4 + 1
