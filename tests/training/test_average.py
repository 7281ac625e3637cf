"""The average of the weights: its values, what it leaves alone, resuming bit for bit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mtl.balancing.base import Step
from mtl.balancing.uncertainty import Uncertainty
from mtl.config import RecurrentEncoder
from mtl.config.encoder import EncoderConfig
from mtl.training.average import Average
from mtl.training.measure import measure
from tests.helpers.problems import ENCODER, Run, same, wave_tasks

RECURRENT = RecurrentEncoder(kind="recurrent", width=8, dropout=0.2)


def test_an_average_of_three_steps_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    average = Average(layer, decay=0.26)
    expected = 1.0
    for step, value in enumerate((5.0, -3.0, 4.0), start=1):
        nn.init.constant_(layer.weight, value)
        average.update()
        kept = [2 / 11, 3 / 12, 0.26][step - 1]
        expected = kept * expected + (1 - kept) * value
        with average.in_place():
            assert layer.weight.item() == pytest.approx(expected, rel=1e-6)
        assert layer.weight.item() == value


def test_running_statistics_are_averaged_and_counts_are_copied() -> None:
    norm = nn.BatchNorm1d(2)
    average = Average(norm, decay=0.9)
    norm(torch.randn(50, 2) + 7)
    average.update()
    assert norm.running_mean is not None and norm.num_batches_tracked is not None
    trained = norm.running_mean.clone()
    with average.in_place():
        torch.testing.assert_close(norm.running_mean, trained * (1 - 2 / 11))
        assert norm.num_batches_tracked == 1
    assert torch.equal(norm.running_mean, trained)


def test_the_average_is_put_back_when_measuring_fails() -> None:
    layer = nn.Linear(2, 2)
    average = Average(layer, decay=0.9)
    nn.init.constant_(layer.weight, 1.0)
    with pytest.raises(KeyboardInterrupt), average.in_place():
        raise KeyboardInterrupt
    assert (layer.weight == 1).all()


@pytest.mark.parametrize("encoder", [ENCODER, RECURRENT], ids=["timedart", "recurrent"])
def test_training_goes_on_as_without_it_and_the_average_is_what_is_measured_and_kept(encoder: EncoderConfig) -> None:
    data = wave_tasks()
    plain, averaged = (
        Run(data, list(data.specs), epochs=3, encoder=encoder, decay=decay).go() for decay in (None, 0.9)
    )
    assert [e.train for e in plain.fitted.epochs] == [e.train for e in averaged.fitted.epochs]
    assert [e.val for e in plain.fitted.epochs] != [e.val for e in averaged.fitted.epochs]
    assert plain.fitted.start == averaged.fitted.start
    kept, _ = measure(averaged.model, data.pools["val"], averaged.specs)
    best = averaged.fitted.best_epoch
    assert best > 0 and kept == averaged.fitted.epochs[best - 1].val
    assert averaged.state.average is not None
    assert averaged.state.average.steps == averaged.fitted.steps == plain.fitted.steps


@pytest.mark.parametrize("stop", [3, 9])
def test_a_run_with_an_average_goes_on_bit_for_bit(tmp_path: Path, stop: int) -> None:
    data = wave_tasks()

    class Failing(Uncertainty):
        calls = 0

        def backward(self, step: Step) -> torch.Tensor:
            self.calls += 1
            if self.calls == stop + 1:
                raise KeyboardInterrupt
            return super().backward(step)

    def run(path: Path | None, kind: type[Uncertainty]) -> Run:
        balancer = kind(list(data.specs.values()), "kendall")
        return Run(data, list(data.specs), epochs=3, batch_size=32, balancer=balancer, encoder=RECURRENT, decay=0.9,
                   checkpoint=path, seconds=0.0)  # fmt: skip

    whole = run(None, Uncertainty).go()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "state", Failing).go()
    torch.rand(7)  # another process would stand elsewhere in the random numbers
    resumed = run(tmp_path / "state", Uncertainty).go()
    assert same(whole.model, resumed.model) and whole.fitted.epochs == resumed.fitted.epochs
    first, second = whole.state.average, resumed.state.average
    assert first is not None and second is not None and same(first, second)
