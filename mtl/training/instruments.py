"""Instruments that watch a run and change no bit of it: data maps, lookahead, gradient geometry, the test part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.data.loading.pools import Pool
from mtl.models.multitask import MultiTaskModel
from mtl.results.history import LookaheadMeans
from mtl.results.numbers import Metrics
from mtl.tasks.base import TaskSpec
from mtl.training.forward import Forward, Forwarded
from mtl.training.lookahead import Lookahead, RandomState, random_state
from mtl.training.losses import gradient_geometry
from mtl.training.measure import measure
from mtl.training.recording import Recorder
from mtl.training.tally import Tally


@dataclass
class Instruments:
    """All that watches a run; without arguments nothing does.

    Args:
        probes: steps an epoch on which the geometry of the task gradients is measured.
        recorder: the data maps, filled pass by pass.
        lookahead: what a step for one task does to the losses of the others.
        watched: pools that are measured after every epoch as well and recorded as `test`; nothing is selected by them.
    """

    probes: int = 0
    recorder: Recorder | None = None
    lookahead: Lookahead | None = None
    watched: Sequence[Pool] = ()

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Name in a saved state → instrument whose sums the state holds."""
        held = {"datamap": self.recorder, "lookahead": self.lookahead}
        return {name: module for name, module in held.items() if module is not None}

    def to(self, device: torch.device) -> "Instruments":
        """Moves what holds sums to the device of the run; the watched pools are there already."""
        for module in self.modules.values():
            module.to(device)
        return self

    def probe_steps(self, steps: int) -> list[int]:
        """Numbers, from 0, of the steps that are probed in an epoch of `steps`: spread evenly, neither end."""
        places: list[int] = torch.linspace(0, steps - 1, self.probes + 2)[1:-1].round().int().tolist()
        return places

    def random_numbers(self, step: int) -> RandomState | None:
        """The random numbers before the pass of step `step` of the run, from 0, if `look_ahead` will need them."""
        return random_state() if self.lookahead is not None and self.lookahead.due(step) else None

    def note(self, epoch: int, passed: Forwarded) -> None:
        """Enters a training pass of `epoch` (from 1) into the data maps that record such passes."""
        if self.recorder is not None and not self.recorder.clean:
            for served in passed.served:
                self.recorder.observe(epoch, served.batch, served.predictions)

    def look_ahead(
        self,
        forward: Forward,
        chosen: Mapping[str, Int[Tensor, " b"]],
        epoch: int,
        passed: Forwarded,
        shared: list[nn.Parameter],
        random: RandomState | None,
    ) -> None:
        """Measures what a step for each task would do to the others, between the forward and the backward pass.

        Args:
            forward: what made the pass.
            chosen: the samples of the step.
            epoch: of the step, from 1.
            passed: what the pass gave, with its graph, which is kept.
            shared: parameters that several tasks train.
            random: the random numbers before the pass; None: this step is no probe.
        """
        if random is not None and shared and len(passed.places) > 1:
            assert self.lookahead is not None
            self.lookahead.probe(forward, chosen, epoch, passed, shared, random)

    def gramian(
        self, step: int, passed: Forwarded, shared: list[nn.Parameter], tally: Tally
    ) -> Float[Tensor, "k k"] | None:
        """Measures norms and cosines of the tasks' gradients on the shared parameters, and enters them into the tally.

        Returns:
            Inner products of the gradients of the tasks of the pass; None if the epoch's step `step` is no probe.
        """
        if step not in tally.probes or not shared or len(passed.places) < 2:
            return None
        assert passed.losses is not None
        norms, cosines = gradient_geometry(passed.losses, shared)
        tally.add_geometry(step, passed.places, norms, cosines)
        return cosines * norms[:, None] * norms

    def end_epoch(self, epoch: int, model: MultiTaskModel, train: Sequence[Pool]) -> None:
        """Lets the data maps take their clean pass over the training pools, and end the epoch."""
        if self.recorder is not None:
            self.recorder.end_epoch(epoch, model, train)

    def affinities(self) -> LookaheadMeans | None:
        """Lookahead affinities of the epoch that ends; None where nobody looks ahead."""
        return None if self.lookahead is None else self.lookahead.end_epoch()

    def test_metrics(self, model: MultiTaskModel, specs: dict[str, TaskSpec]) -> dict[str, Metrics] | None:
        """Task → metrics on the watched test part; None where nothing is watched."""
        return measure(model, list(self.watched), specs)[0] if self.watched else None
