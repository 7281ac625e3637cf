"""The one training loop: joint steps over pools of samples, top to bottom.

It receives built objects and yields a record an epoch; whoever iterates shows progress. Per step: one pass of the
network for each pool, one vector of losses, one balanced backward pass, clipping, one AdamW step. The device is read
back (synchronised) only every `CHECK_EVERY` steps, for the check that losses are finite, and at an epoch's end.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mtl.balancing.base import Balancer, NonFiniteGradientError, Step
from mtl.data.loading.pools import Pool
from mtl.data.loading.sampling import JointPlan
from mtl.errors import UserError
from mtl.models.build import MultiTaskModel
from mtl.training.checkpoint import Checkpoint
from mtl.training.forward import Forward
from mtl.training.lookahead import Lookahead, random_state
from mtl.training.losses import gradient_geometry
from mtl.training.measure import measure
from mtl.training.optimiser import LrSchedule, lr_factor, set_lr
from mtl.training.recording import Recorder
from mtl.training.stopping import Selector
from mtl.training.tally import Tally
from mtl.types import TaskSpec

CHECK_EVERY = 50
Record = dict[str, Any]


class NonFiniteError(UserError):
    """A loss or a gradient became NaN or infinite; says at which step, of which task, on which samples."""


@dataclass(frozen=True)
class Budget:
    """How long and how a run trains."""

    epochs: int
    schedule: LrSchedule
    clip: float | None
    probes: int
    """Steps an epoch on which the geometry of the task gradients is measured."""
    starts: Mapping[str, int] = field(default_factory=dict)
    """Task → first epoch that trains it, from 1; a task that is absent starts at once."""


@dataclass
class Fitted:
    """What the loop leaves behind, filled while it runs."""

    epochs: list[Record] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the selected epoch."""
    stopped: str = "end"
    steps: int = 0
    samples: dict[str, int] = field(default_factory=dict)
    best_epoch: int = 0
    recorder: Recorder | None = None
    """Data maps that the loop fills; None: it notes nothing of single samples."""
    lookahead: Lookahead | None = None
    """Lookahead affinities that the loop measures; None: it measures none."""


def fit(
    model: MultiTaskModel,
    balancer: Balancer,
    optimiser: torch.optim.Optimizer,
    train: list[Pool],
    val: list[Pool],
    plan: JointPlan,
    specs: dict[str, TaskSpec],
    budget: Budget,
    selector: Selector,
    checkpoint: Checkpoint,
    fitted: Fitted,
    watched: Sequence[Pool] = (),
) -> Iterator[Record]:
    """Trains `model` in place; yields each epoch's record and fills `fitted`.

    `watched` pools are measured after every epoch as well and recorded as `test`; nothing is selected by them.

    Resumes where `checkpoint` stands, after an epoch or in the middle of one. At the end the model carries the weights
    of the epoch that `selector` chose.

    Raises:
        NonFiniteError: the last good state is kept.
        UserError: in some epoch the sampler draws nothing for this run, or the state cannot be written.
    """
    device = next(model.parameters()).device
    on_cpu = device.type == "cpu"
    names = [pool.name for pool in train]
    lengths = plan.active_steps(names, budget.epochs)
    total = sum(lengths)
    if 0 in lengths:
        raise UserError(
            f"`train.sampler` draws no sample of {' or '.join(names)} in epoch {lengths.index(0) + 1}; "
            "a larger `batch_size` or a flatter `kind` gives it some."
        )
    shared = [p for p in model.shared_parameters() if p.requires_grad]
    columns = model.shared_columns()
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    together = {id(p) for p in shared}
    heads = [p for p in model.parameters() if p.requires_grad and id(p) not in together]
    forward = Forward(model, train, specs, budget.starts, balancer.needs_passes)
    modules: dict[str, nn.Module] = {"model": model, "balancer": balancer}
    recorder = fitted.recorder
    if recorder is not None:
        modules["datamap"] = recorder
    lookahead = fitted.lookahead
    if lookahead is not None:
        modules["lookahead"] = lookahead
    done, begun = _resume(checkpoint, modules, optimiser, selector, fitted)
    step = fitted.steps
    for epoch, plan_steps in enumerate(plan.epochs(budget.epochs, first=done), start=done + 1):
        if fitted.stopped == "patience":
            break
        model.train()
        steps = [chosen for chosen in plan_steps if any(name in chosen for name in names)]
        probes = torch.linspace(0, len(steps) - 1, budget.probes + 2)[1:-1].round().int().tolist()
        tally = Tally(list(specs), len(steps), len(probes), device)
        first = 0
        if begun is not None:
            tally.restore(begun)
            first = step - sum(lengths[:done])
            begun = None
        checked = first
        rate = 0.0
        for i, chosen in enumerate(steps[first:], start=first):
            progress = step / total
            rate = set_lr(optimiser, lr_factor(budget.schedule, progress))
            for pool in train:
                if pool.name in chosen:
                    drawn = len(chosen[pool.name])
                    for name in pool.tasks:
                        fitted.samples[name] = fitted.samples.get(name, 0) + drawn
            random = random_state() if lookahead is not None and lookahead.due(step) else None
            found = forward(chosen, epoch)
            if recorder is not None and not recorder.clean:
                for served in found.served:
                    recorder.observe(epoch, served.batch, served.predictions)
            step += 1
            if found.losses is not None:
                tally.add_losses(i, found.losses, found.places)
                if random is not None and shared and len(found.places) > 1:
                    assert lookahead is not None
                    lookahead.probe(forward, chosen, epoch, found, shared, random)
                geometry = None
                if i in probes and shared and len(found.places) > 1:
                    geometry = gradient_geometry(found.losses, shared)
                    tally.add_geometry(probes.index(i), found.places, *geometry)
                optimiser.zero_grad(set_to_none=True)
                try:
                    weights = balancer.backward(
                        Step(found.losses, found.places, progress, found.passes, shared, heads, epoch, columns)
                    )
                except NonFiniteGradientError as error:
                    tally.norms[i] = torch.nan
                    tasks = model.tasks_of_broken_heads() or error.tasks
                    raise _not_finite(tally, checked, i + 1, epoch, steps, train, tasks) from None
                tally.weights += weights
                if geometry is not None:
                    norms, cosines = geometry
                    gramian = cosines * norms[:, None] * norms
                    tally.add_agreement(probes.index(i), balancer.agreement(gramian, weights, found.places))
                penalty = model.trunk.penalty()
                if penalty is not None:
                    penalty.backward()
                gradients = [p.grad for p in trained if p.grad is not None]
                tally.norms[i] = norm = nn.utils.get_total_norm(gradients)
                # On an accelerator this would wait for it; there it is found later, and without the task.
                if on_cpu and not math.isfinite(norm):
                    tasks = model.tasks_of_broken_heads()
                    raise _not_finite(tally, checked, i + 1, epoch, steps, train, tasks)
                if budget.clip is not None:
                    nn.utils.clip_grads_with_norm_(trained, budget.clip, norm)
                optimiser.step()
            last = i + 1 == len(steps)
            due = not last and checkpoint.due()
            if i + 1 - checked == CHECK_EVERY or last or due:
                if not tally.finite(checked, i + 1):
                    raise _not_finite(tally, checked, i + 1, epoch, steps, train)
                checked = i + 1
            if due:
                fitted.steps = step
                checkpoint.save(modules, optimiser, _state(epoch - 1, selector, fitted), fitted.best, tally.state())
        metrics, _ = measure(model, val, specs)
        if recorder is not None:
            recorder.end_epoch(epoch, model, train)
        _check_weights(selector.score(metrics), epoch)
        better = selector.update(epoch, metrics)
        if better:
            fitted.best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        fitted.steps = step
        fitted.stopped = "patience" if selector.exhausted(epoch) and epoch < budget.epochs else "end"
        lam = balancer.share((step - 1) / total)
        record: Record = {
            "epoch": epoch,
            "steps": len(steps),
            "lr": rate,
            "lambda": lam,
            "weights": dict(zip(specs, (tally.weights / len(steps)).tolist(), strict=True)),
            "train": {name: {"loss": value} for name, value in zip(specs, tally.loss_means(), strict=True)},
            "val": metrics,
            "score": selector.score(metrics)[0],
            "grad_norm": tally.norms.mean().item(),
            "gradients": tally.geometry_means(),
        }
        if lookahead is not None:
            record["lookahead"] = lookahead.end_epoch()
        if watched:
            record["test"] = measure(model, list(watched), specs)[0]
        fitted.epochs.append(record)
        checkpoint.save(modules, optimiser, _state(epoch, selector, fitted), fitted.best)
        yield record
    model.load_state_dict(fitted.best)


def _state(epoch: int, selector: Selector, fitted: Fitted) -> Record:
    return {
        "epoch": epoch,
        "best_epoch": selector.best_epoch,
        "best": list(selector.best),
        "epochs": fitted.epochs,
        "stopped": fitted.stopped,
        "steps": fitted.steps,
        "samples": fitted.samples,
    }


def _resume(
    checkpoint: Checkpoint,
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    selector: Selector,
    fitted: Fitted,
) -> tuple[int, dict[str, Tensor] | None]:
    """Puts everything back as it was when the state was saved.

    Returns:
        How many epochs are whole, and the sums of the one that was begun (None: none was).
    """
    saved = checkpoint.load(modules, optimiser)
    if saved is None:
        return 0, None
    record, fitted.best = saved.record, saved.best
    selector.best_epoch, selector.best = record["best_epoch"], tuple(record["best"])
    fitted.epochs, fitted.stopped = record["epochs"], record["stopped"]
    fitted.steps, fitted.samples = record["steps"], record["samples"]
    return int(record["epoch"]), saved.tally or None


def _not_finite(
    tally: Tally, first: int, end: int, epoch: int, steps: list[Any], train: list[Pool], tasks: Sequence[str] = ()
) -> NonFiniteError:
    """What broke first in the steps [first, end): a loss, or else the gradient, of `tasks` where that is known."""
    losses, norms = tally.broken(first, end)
    if len(losses) and (not len(norms) or losses[0, 0] <= norms[0]):
        row, column = losses[0].tolist()
        task, value = tally.names[column], tally.losses[row, column].item()
        return NonFiniteError(f"the loss of task {task} became {value} {_place([task], row, epoch, steps, train)}")
    named = f" of task{'s' * (len(tasks) > 1)} {', '.join(tasks[:5])}" if tasks else ""
    place = _place(tasks, int(norms[0]), epoch, steps, train)
    return NonFiniteError(f"the gradient{named} became nan or inf {place}")


def _place(tasks: Sequence[str], row: int, epoch: int, steps: list[Any], train: list[Pool]) -> str:
    """The end of a message: step, samples of the tasks' pools (of all pools without a task), what to do."""
    pools = [pool for pool in train if pool.name in steps[row] and (not tasks or set(tasks) & set(pool.tasks))]
    drawn = []
    for pool in pools:
        samples = steps[row][pool.name].tolist()
        shown = ", ".join(map(str, samples[:8])) + (", …" if len(samples) > 8 else "")
        drawn.append(f"pool {pool.name}, samples {shown}")
    return (
        f"at epoch {epoch}, step {row + 1} of {len(steps)} ({'; '.join(drawn)}). The last good state is kept. "
        "A lower `train.lr` or `train.clip` often helps."
    )


def _check_weights(score: tuple[float, ...], epoch: int) -> None:
    """Catches weights that the last steps of an epoch broke, before they are saved."""
    bad = [value for value in score if not math.isfinite(value)]
    if bad:
        raise NonFiniteError(
            f"the validation score became {bad[0]} at epoch {epoch}, though its training losses were finite. The "
            "last good state is kept. A lower `train.lr` or `train.clip` often helps."
        )
