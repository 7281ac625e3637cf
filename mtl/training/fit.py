"""The one training loop: joint steps over pools of samples, top to bottom.

It receives built objects and yields a record an epoch; whoever iterates shows progress. Per step: one pass of the
network for each pool, one vector of losses, one balanced backward pass, clipping, one AdamW step. The device is read
back (synchronised) only every `CHECK_EVERY` steps, for the check that losses are finite, and at an epoch's end.
"""

import math
from collections.abc import Iterator

import torch

from mtl.balancing.base import NonFiniteGradientError
from mtl.results.history import Epoch, Start
from mtl.results.numbers import TaskMetrics
from mtl.training.checkpoint import Checkpoint
from mtl.training.descent import Descent
from mtl.training.forward import Forward
from mtl.training.measure import measure
from mtl.training.nonfinite import FiniteCheck, check_score
from mtl.training.optimiser import lr_factor, set_lr
from mtl.training.state import Budget, TrainingData, TrainingState
from mtl.training.tally import Tally


def fit(state: TrainingState, data: TrainingData, budget: Budget, checkpoint: Checkpoint) -> Iterator[Epoch]:
    """Trains the network of `state` in place; yields each epoch's record and fills `state.fitted`.

    Resumes where `checkpoint` stands, after an epoch or in the middle of one. At the end the network carries the
    weights of the epoch that the selector chose; those that it starts with are a candidate as well, as epoch 0.

    Raises:
        NonFiniteError: a loss or a gradient became NaN or infinite; the last good state is kept.
        UserError: in some epoch the sampler draws nothing for this run, or the state cannot be written.
    """
    specs, model, balancer, optimiser = state.specs, state.model, state.balancer, state.optimiser
    selector, instruments, fitted = state.selector, state.instruments, state.fitted
    device = next(model.parameters()).device
    lengths = data.steps_of_epochs(budget.epochs)
    total = sum(lengths)
    forward = Forward(model, data.train, specs, data.starts, balancer.needs_passes, data.augment)
    descent = Descent(model, balancer, optimiser, budget.clip)
    done, begun = state.resume(checkpoint)
    if fitted.steps == 0:
        fitted.start = _start(state, data)
    for epoch, steps in enumerate(data.epochs(budget.trained, first=done), start=done + 1):
        if fitted.stopped == "patience":
            break
        model.train()
        tally = Tally(list(specs), len(steps), instruments.probe_steps(len(steps)), device)
        first = fitted.steps - sum(lengths[: epoch - 1])
        if first:  # the saved state was in the middle of this epoch
            tally.restore(begun)
        finite = FiniteCheck(tally, epoch, steps, data.train, checked=first)
        rate = 0.0
        for i, chosen in enumerate(steps[first:], start=first):
            progress = fitted.steps / total
            rate = set_lr(optimiser, lr_factor(budget.schedule, progress))
            random = instruments.random_numbers(fitted.steps)
            passed = forward(chosen, epoch)
            instruments.note(epoch, passed)
            fitted.add_step(chosen, data.train)
            if passed.losses is not None:
                tally.add_losses(i, passed.losses, passed.places)
                instruments.look_ahead(forward, chosen, epoch, passed, descent.shared, random)
                gramian = instruments.gramian(i, passed, descent.shared, tally)
                try:
                    weights = descent.backward(passed, progress, epoch)
                except NonFiniteGradientError as error:
                    tally.norms[i] = torch.nan
                    raise finite.error(i + 1, model.tasks_of_broken_heads() or error.tasks) from None
                tally.weights += weights
                if gramian is not None:
                    tally.add_agreement(i, balancer.agreement(gramian, weights, passed.places))
                tally.norms[i] = norm = descent.gradient_norm()
                finite.look_at_gradient(i, norm, model)
                descent.step(norm)
                state.step_taken()
            save = i + 1 < len(steps) and checkpoint.due()
            if save or finite.due(i + 1):
                finite.look(i + 1)
            if save:
                state.save(checkpoint, epoch - 1, tally)
        lam = balancer.share((fitted.steps - 1) / total)
        with state.averaged():
            metrics, _ = measure(model, data.val, specs)
            instruments.end_epoch(epoch, model, data.train)
            check_score(selector.score(metrics), epoch)
            if selector.update(epoch, metrics):
                state.keep(epoch)
            record = _record(epoch, rate, lam, tally, metrics, state)
        fitted.stopped = "patience" if selector.exhausted(epoch) and epoch < budget.trained else "end"
        fitted.epochs.append(record)
        if fitted.stopped == "patience" or epoch == budget.trained or checkpoint.due_at_end():
            state.save(checkpoint, epoch)
        yield record
    model.load_state_dict(fitted.best)


def _start(state: TrainingState, data: TrainingData) -> Start | None:
    """Metrics of the network before its first step, as epoch 0, which is kept unless a later one is better.

    None where the network gives no finite score: its first step will say what is wrong with it.
    """
    metrics, _ = measure(state.model, data.val, state.specs)
    score = state.selector.score(metrics)
    if not all(math.isfinite(value) for value in score):
        return None
    if state.selector.update(0, metrics):
        state.keep(0)
    return Start(val=metrics, score=score[0])


def _record(
    epoch: int, rate: float, lam: float | None, tally: Tally, metrics: TaskMetrics, state: TrainingState
) -> Epoch:
    """The record of an epoch that ends.

    Args:
        epoch: its number, from 1.
        rate: learning rate of its last step.
        lam: λ at its last step; None for methods that have none.
        tally: its sums.
        metrics: task → validation metrics.
        state: of the training, whose instruments say what they have found.
    """
    return Epoch(
        epoch=epoch,
        phase=None,  # a run of several phases numbers them when it writes its files
        steps=len(tally.norms),
        lr=rate,
        lam=lam,
        weights=tally.mean_weights(),
        train=tally.mean_losses(),
        val=metrics,
        score=state.selector.score(metrics)[0],
        grad_norm=tally.norms.mean().item(),
        gradients=tally.mean_geometry(),
        lookahead=state.instruments.affinities(),
        test=state.instruments.test_metrics(state.model, state.specs),
    )
