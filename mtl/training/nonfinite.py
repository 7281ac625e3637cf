"""The check that what is computed while a run trains is finite, and the error that says what broke first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mtl.data.loading.pools import Pool
from mtl.errors import UserError
from mtl.models.multitask import MultiTaskModel
from mtl.training.tally import Tally

CHECK_EVERY = 50
"""Steps from one look at the losses to the next: each look waits for the device."""
SHOWN = 8
"""Samples of a pool that a message names."""


class NonFiniteError(UserError):
    """A loss or a gradient became NaN or infinite; says at which step, of which task, on which samples."""


@dataclass
class FiniteCheck:
    """Looks at the losses and gradient norms of an epoch, `CHECK_EVERY` steps at a time.

    Args:
        tally: the losses and norms of the epoch.
        epoch: its number, from 1.
        steps: its steps, pool → numbers of the samples.
        train: the pools that they are drawn from.
        checked: how many of its first steps are known to be finite.
    """

    tally: Tally
    epoch: int
    steps: Sequence[Mapping[str, Tensor]]
    train: Sequence[Pool]
    checked: int

    def due(self, end: int) -> bool:
        """True when the steps before step `end` should be looked at now."""
        return end - self.checked == CHECK_EVERY or end == len(self.steps)

    def look(self, end: int) -> None:
        """Looks at the steps before step `end` that were not looked at yet.

        Raises:
            NonFiniteError: a loss or a gradient norm of them is NaN or infinite.
        """
        if not self.tally.finite(self.checked, end):
            raise self.error(end)
        self.checked = end

    def look_at_gradient(self, step: int, norm: Tensor, model: MultiTaskModel) -> None:
        """Looks at the gradient of a step, of this norm, before it moves anything.

        On an accelerator this would wait for the device; there `look` finds it later, and without the tasks.

        Raises:
            NonFiniteError: it is NaN or infinite; names the tasks whose heads have such a gradient.
        """
        if norm.device.type == "cpu" and not math.isfinite(norm):
            raise self.error(step + 1, model.tasks_of_broken_heads())

    def error(self, end: int, tasks: Sequence[str] = ()) -> NonFiniteError:
        """The error for what broke first before step `end`: a loss, or else the gradient.

        Args:
            end: number of the step, from 0, after the last one that was taken.
            tasks: those whose gradients are broken, where that is known.
        """
        losses, norms = self.tally.broken(self.checked, end)
        if len(losses) and (not len(norms) or losses[0, 0] <= norms[0]):
            step, column = losses[0].tolist()
            task, value = self.tally.names[column], self.tally.losses[step, column].item()
            return NonFiniteError(f"the loss of task {task} became {value} {self._place([task], step)}")
        named = f" of task{'s' * (len(tasks) > 1)} {', '.join(tasks[:5])}" if tasks else ""
        return NonFiniteError(f"the gradient{named} became nan or inf {self._place(tasks, int(norms[0]))}")

    def _place(self, tasks: Sequence[str], step: int) -> str:
        """The end of a message: the step, the samples of the tasks' pools (of all pools without a task), a remedy."""
        chosen = self.steps[step]
        drawn = []
        for pool in self.train:
            if pool.name in chosen and (not tasks or set(tasks) & set(pool.tasks)):
                samples = chosen[pool.name].tolist()
                shown = ", ".join(map(str, samples[:SHOWN])) + (", …" if len(samples) > SHOWN else "")
                drawn.append(f"pool {pool.name}, samples {shown}")
        return (
            f"at epoch {self.epoch}, step {step + 1} of {len(self.steps)} ({'; '.join(drawn)}). The last good state is "
            "kept. A lower `train.lr` or `train.clip` often helps."
        )


def check_score(score: tuple[float, ...], epoch: int) -> None:
    """Catches weights that the last steps of an epoch broke, before they are saved.

    Raises:
        NonFiniteError: a part of the validation score is NaN or infinite.
    """
    bad = [value for value in score if not math.isfinite(value)]
    if bad:
        raise NonFiniteError(
            f"the validation score became {bad[0]} at epoch {epoch}, though its training losses were finite. The "
            "last good state is kept. A lower `train.lr` or `train.clip` often helps."
        )
