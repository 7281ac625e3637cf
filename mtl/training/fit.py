"""The one training loop: joint steps over pools of samples, top to bottom.

It receives built objects and yields a record an epoch; whoever iterates shows progress. Per step: one pass of the
encoder for each pool, one loss a task, one balanced backward pass, clipping, one AdamW step. The device is read
back (synchronised) only every `CHECK_EVERY` steps, for the check that losses are finite, and at an epoch's end.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mtl.balancing.base import Balancer
from mtl.data.sampling import JointPlan
from mtl.data.windows import Pool
from mtl.errors import UserError
from mtl.models.build import MultiTaskModel
from mtl.training.checkpoint import Checkpoint
from mtl.training.losses import gradient_geometry, task_loss
from mtl.training.measure import measure
from mtl.training.optimiser import LrSchedule, lr_factor, set_lr
from mtl.training.stopping import Selector
from mtl.types import TaskSpec

CHECK_EVERY = 50
Record = dict[str, Any]


class NonFiniteLossError(UserError):
    """A loss became NaN or infinite; says at which step, of which task, on which samples."""


@dataclass(frozen=True)
class Budget:
    """How long and how a run trains."""

    epochs: int
    schedule: LrSchedule
    clip: float | None
    probes: int
    """Steps an epoch on which the geometry of the task gradients is measured."""


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
) -> Iterator[Record]:
    """Trains `model` in place; yields each epoch's record and fills `fitted`.

    Resumes after the last epoch that `checkpoint` holds. At the end the model carries the weights of the epoch that
    `selector` chose.

    Raises:
        NonFiniteLossError: the checkpoint of the last good epoch is kept.
        UserError: in some epoch the sampler draws nothing for this run.
    """
    device = next(model.parameters()).device
    names = [pool.name for pool in train]
    lengths = plan.active_steps(names, budget.epochs)
    total = sum(lengths)
    if 0 in lengths:
        raise UserError(
            f"`train.sampler` draws no sample of {' or '.join(names)} in epoch {lengths.index(0) + 1}; "
            "a larger `batch_size` or a flatter `kind` gives it some."
        )
    shared = [p for p in model.shared_parameters() if p.requires_grad]
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    modules: dict[str, nn.Module] = {"model": model, "balancer": balancer}
    done = _resume(checkpoint, modules, optimiser, selector, fitted)
    step = sum(lengths[:done])
    for epoch, plan_steps in enumerate(plan.epochs(budget.epochs, first=done), start=done + 1):
        if fitted.stopped == "patience":
            break
        model.train()
        steps = [chosen for chosen in plan_steps if any(name in chosen for name in names)]
        losses_seen = torch.full((len(steps), len(specs)), torch.nan, device=device)
        drawn = torch.zeros(len(steps), len(specs), dtype=torch.bool)
        norms = torch.zeros(len(steps), device=device)
        probes = set(torch.linspace(0, len(steps) - 1, budget.probes + 2)[1:-1].round().int().tolist())
        geometry: list[tuple[list[str], Tensor, Tensor]] = []
        weight_sum = torch.zeros(len(specs), device=device)
        rate = 0.0
        for i, chosen in enumerate(steps):
            progress = step / total
            rate = set_lr(optimiser, lr_factor(budget.schedule, progress))
            losses: dict[str, Tensor] = {}
            for pool in train:
                if pool.name not in chosen:
                    continue
                batch = pool.batch(chosen[pool.name].to(device))
                predictions = model(batch.x, pool.tasks)
                for name in pool.tasks:
                    loss = task_loss(specs[name], predictions[name], batch.targets[name], batch.valid.get(name))
                    if loss is not None:
                        losses[name] = loss
                    fitted.samples[name] = fitted.samples.get(name, 0) + len(batch.x)
            step += 1
            if losses:
                losses = {name: losses[name] for name in specs if name in losses}
                for k, name in enumerate(specs):
                    if name in losses:
                        losses_seen[i, k] = losses[name].detach()
                        drawn[i, k] = True
                if i in probes and shared and len(losses) > 1:
                    geometry.append((list(losses), *gradient_geometry(losses, shared)))
                optimiser.zero_grad(set_to_none=True)
                weights = balancer.backward(losses, progress)
                weight_sum += torch.stack([torch.as_tensor(weights[name], device=device) for name in specs])
                limit = torch.inf if budget.clip is None else budget.clip
                norms[i] = nn.utils.clip_grad_norm_(trained, limit)
                optimiser.step()
            if (i + 1) % CHECK_EVERY == 0 or i + 1 == len(steps):
                first = i - i % CHECK_EVERY
                _check_finite(losses_seen[first : i + 1], drawn[first : i + 1], first, epoch, steps, train, list(specs))
        metrics, _ = measure(model, val, specs)
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
            "weights": dict(zip(specs, (weight_sum / len(steps)).tolist(), strict=True)),
            "train": {
                name: {"loss": value} for name, value in zip(specs, _column_means(losses_seen, drawn), strict=True)
            },
            "val": metrics,
            "score": selector.score(metrics)[0],
            "grad_norm": norms.mean().item(),
            "gradients": _geometry_means(geometry),
        }
        fitted.epochs.append(record)
        checkpoint.save(modules, optimiser, fitted.best, _state(epoch, selector, fitted))
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
) -> int:
    """Puts everything back as it was at the end of the last saved epoch; returns that epoch's number, or 0."""
    loaded = checkpoint.load(modules, optimiser)
    if loaded is None:
        return 0
    record, fitted.best = loaded
    selector.best_epoch, selector.best = record["best_epoch"], tuple(record["best"])
    fitted.epochs, fitted.stopped = record["epochs"], record["stopped"]
    fitted.steps, fitted.samples = record["steps"], record["samples"]
    return int(record["epoch"])


def _check_finite(
    losses: Tensor, drawn: Tensor, first: int, epoch: int, steps: list[Any], train: list[Pool], names: list[str]
) -> None:
    bad = (~torch.isfinite(losses).cpu() & drawn).nonzero()
    if len(bad) == 0:
        return
    row, column = bad[0].tolist()
    task = names[column]
    pool = next(pool for pool in train if task in pool.tasks)
    samples = steps[first + row][pool.name].tolist()
    shown = ", ".join(map(str, samples[:8])) + (", …" if len(samples) > 8 else "")
    raise NonFiniteLossError(
        f"the loss of task {task} became {losses[row, column].item()} at epoch {epoch}, step {first + row + 1} of "
        f"{len(steps)} (pool {pool.name}, samples {shown}). The state of the last good epoch is kept. "
        "A lower `train.lr` or `train.clip` often helps."
    )


def _check_weights(score: tuple[float, ...], epoch: int) -> None:
    """Catches weights that the last steps of an epoch broke, before they are saved."""
    bad = [value for value in score if not math.isfinite(value)]
    if bad:
        raise NonFiniteLossError(
            f"the validation score became {bad[0]} at epoch {epoch}, though its training losses were finite. The state "
            "of the last good epoch is kept. A lower `train.lr` or `train.clip` often helps."
        )


def _column_means(losses: Tensor, drawn: Tensor) -> list[float | None]:
    """Mean of each task's loss over the steps that held a sample of it; None when none did."""
    counts = drawn.sum(dim=0)
    sums = torch.where(drawn.to(losses.device), losses, 0.0).sum(dim=0).cpu()
    return [None if n == 0 else float(s / n) for s, n in zip(sums, counts, strict=True)]


def _geometry_means(geometry: list[tuple[list[str], Tensor, Tensor]]) -> Record:
    """Means over an epoch's probes of each task's gradient norm and each pair's cosine."""
    norms: dict[str, list[float]] = {}
    cosines: dict[str, list[float]] = {}
    for names, norm, cosine in geometry:
        norm_values, cosine_values = norm.tolist(), cosine.tolist()
        for i, name in enumerate(names):
            norms.setdefault(name, []).append(norm_values[i])
            for j in range(i + 1, len(names)):
                cosines.setdefault(f"{name}|{names[j]}", []).append(cosine_values[i][j])
    return {
        "norms": {name: sum(values) / len(values) for name, values in norms.items()},
        "cosines": {pair: sum(values) / len(values) for pair, values in cosines.items()},
    }
