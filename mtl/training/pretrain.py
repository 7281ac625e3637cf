"""The pretraining loop: self-supervised steps over unlabelled windows of one or several sources."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.data.loading.pools import Pool
from mtl.models.draws import drawing_for
from mtl.models.pretraining import Pretrainer
from mtl.results.history import PretrainingEpoch, PretrainingLoss
from mtl.seeding import stable_seed
from mtl.training.checkpoint import Checkpoint
from mtl.training.divisible import check_divides
from mtl.training.measure import CHUNK
from mtl.training.nonfinite import CHECK_EVERY, NonFiniteError
from mtl.training.optimiser import lr_factor, set_lr
from mtl.training.state import Budget, TrainingData
from mtl.training.team import ALONE, Team


def pretrain(
    pretrainer: Pretrainer,
    optimiser: torch.optim.Optimizer,
    data: TrainingData,
    budget: Budget,
    checkpoint: Checkpoint,
    history: list[PretrainingEpoch],
    team: Team = ALONE,
) -> Iterator[PretrainingEpoch]:
    """Trains in place; yields and appends to `history` a record an epoch. Resumes from `checkpoint`.

    The last epoch is kept: the pretext loss of a validation part ranks pretext models, not what they are good for.
    Each step holds windows of every pool that the plan names; the loss is the mean over all windows of the step. The
    processes of a `team` share them; only the checkpoint of the one that leads is written and read.
    """
    train, plan = data.train, data.plan
    device = next(pretrainer.parameters()).device
    total = plan.steps_per_epoch * budget.epochs
    modules: dict[str, nn.Module] = {"pretrainer": pretrainer}
    saved = team.load(checkpoint, modules, optimiser)
    step = 0
    if saved is not None:
        history.extend(PretrainingEpoch.model_validate(epoch) for epoch in saved.record["epochs"])
        step = saved.record["step"]
    if team.size > 1:
        check_divides(pretrainer.train(), train[0], device)
    for epoch, steps in enumerate(plan.epochs(budget.epochs, first=len(history)), start=len(history) + 1):
        pretrainer.train()
        seen = torch.zeros(len(steps), device=device)
        first = step - len(steps) * len(history)
        if first:
            assert saved is not None
            seen.copy_(saved.tally["seen"])
        checked = first
        rate = 0.0
        for i, chosen in enumerate(steps[first:], start=first):
            schedule = budget.schedule
            factor = budget.decay ** (epoch - 1) if schedule == "exponential" else lr_factor(schedule, step / total)
            rate = set_lr(optimiser, factor)
            optimiser.zero_grad(set_to_none=True)
            seen[i] = _backward(pretrainer, train, chosen, team)
            team.add_up(pretrainer.parameters(), seen[i : i + 1])
            norm = nn.utils.clip_grad_norm_(pretrainer.parameters(), torch.inf if budget.clip is None else budget.clip)
            optimiser.step()
            step += 1
            last = i + 1 == len(steps)
            due = not last and checkpoint.due()
            if i + 1 - checked == CHECK_EVERY or last or due:
                _check_finite(seen, checked, i + 1, epoch, steps)
                checked = i + 1
            if due and torch.isfinite(norm):  # else the weights are broken, as the next losses will say
                checkpoint.save(modules, optimiser, _record(history, step), tally={"seen": seen})
        team.check_replicas(modules, device)
        held_out = pretext_loss(pretrainer, data.val, plan.seed, team=team)
        if not math.isfinite(held_out):  # the last steps broke the weights: do not save them
            raise NonFiniteError(
                f"the validation loss of the pretraining became {held_out} at epoch {epoch}. A lower `pretrain.lr` "
                "often helps."
            )
        record = PretrainingEpoch(
            epoch=epoch,
            lr=rate,
            train=PretrainingLoss(loss=seen.mean().item()),
            val=PretrainingLoss(loss=held_out),
        )
        history.append(record)
        if epoch == budget.epochs or checkpoint.due_at_end():
            checkpoint.save(modules, optimiser, _record(history, step))
        yield record


def _backward(pretrainer: Pretrainer, train: list[Pool], chosen: dict[str, Tensor], team: Team) -> Float[Tensor, ""]:
    """Adds to the gradients what this process's part of a step gives, weighted by its windows.

    Returns:
        This part of the step's loss, which is the mean over all its windows.
    """
    device = next(pretrainer.parameters()).device
    size = sum(len(index) for index in chosen.values())
    total = torch.zeros((), device=device)
    before = 0
    for pool in train:
        if pool.name in chosen:
            index = chosen[pool.name]
            share = team.share(len(index), before)
            before += len(index)
            with drawing_for(share):
                loss = pretrainer.loss(pool.batch(index[share.begin : share.end].to(device)).x)
            loss = loss * (share.own / size)
            loss.backward()
            total += loss.detach()
    return total


def _record(history: list[PretrainingEpoch], step: int) -> dict[str, Any]:
    """Content of a saved state besides its tensors."""
    return {"epochs": [epoch.plain() for epoch in history], "step": step}


def _check_finite(seen: Tensor, first: int, end: int, epoch: int, steps: Sequence[dict[str, Tensor]]) -> None:
    """Looks at the losses of the steps [first, end)."""
    bad = (~torch.isfinite(seen[first:end])).nonzero()
    if len(bad) == 0:
        return
    at = first + int(bad[0])
    shown = {name: index.tolist()[:8] for name, index in steps[at].items()}
    raise NonFiniteError(
        f"the pretraining loss became {seen[at].item()} at epoch {epoch}, step {at + 1} of {len(steps)} (samples "
        f"{shown} …). A lower `pretrain.lr` often helps."
    )


@torch.no_grad()
def pretext_loss(
    pretrainer: Pretrainer, pools: list[Pool], seed: int, step: int | None = None, team: Team = ALONE
) -> float:
    """Mean pretext loss over all windows of the pools, with the same noise at every call.

    Args:
        pretrainer: the network.
        pools: unlabelled windows.
        seed: of the noise.
        step: diffusion only: a fixed noise step instead of a random one for every patch.
        team: who shares the windows.
    """
    pretrainer.eval()
    device = next(pretrainer.parameters()).device
    noise = torch.Generator(device).manual_seed(stable_seed(seed, "pretext"))
    total = torch.zeros((), device=device)
    count = 0
    for pool in pools:
        index: Tensor
        for index in torch.split(torch.arange(len(pool)), CHUNK):
            share = team.share(len(index))
            with drawing_for(share):
                part = pool.batch(index[share.begin : share.end].to(device)).x
                total += share.own * pretrainer.loss(part, noise, step)
            count += len(index)
    return float(team.total(total)) / count
