"""One pretraining of the encoder, from config to result files."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from mtl.config import Config, NoObjective
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import unlabelled_pools
from mtl.experiment.execution import Tell, silent, write_timings
from mtl.experiment.identity import code_digest, pretrain_identity, state_key
from mtl.experiment.objects import load_sources
from mtl.experiment.states import held, note_finished, state_files
from mtl.experiment.weights import write_weights
from mtl.files import whole_folder
from mtl.models.build import build_pretrainer
from mtl.paths import RunPath
from mtl.results.history import PretrainingEpoch, PretrainingHistory
from mtl.results.reading import HISTORY, RUN
from mtl.results.record import Pretraining
from mtl.seeding import make_deterministic, resolve_device, stable_seed
from mtl.training.checkpoint import Checkpoint
from mtl.training.optimiser import adamw
from mtl.training.pretrain import pretext_loss, pretrain
from mtl.training.state import Budget, TrainingData
from mtl.training.team import ALONE, Team


def run_pretrain(config: Config, seed: int, root: Path = Path(), tell: Tell = silent, team: Team = ALONE) -> Path:
    """Pretrains the encoder on the training windows of `pretrain.sources`; returns the run's folder.

    Every process of a `team` calls it; the one that leads holds the run, tells, and writes its files.
    """
    where = RunPath("pretrain", None, None, seed)
    with held(where, root) if team.leads else nullcontext():
        return _run_pretrain(config, where, root, tell, team)


def _run_pretrain(config: Config, where: RunPath, root: Path, tell: Tell, team: Team) -> Path:
    objective, section, seed = config.pretrain.objective, config.pretrain, where.seed
    names = section.sources or list(config.prepare.sources)
    identity = pretrain_identity(config, names, root)
    facts: dict[str, Any] = {"stage": "pretrain", "name": None, "seed": seed, "objective": objective.kind,
                             "sources": names, "processes": team.size if team.size > 1 else None,
                             "identity": identity}  # fmt: skip
    if isinstance(objective, NoObjective):
        if team.leads:
            with whole_folder(root / where.folder) as folder:
                Pretraining(**facts, val={}, parameters={}).write(folder / RUN)
                PretrainingHistory(epochs=[]).write(folder / HISTORY)
        return root / where.folder
    began, clock = datetime.now(UTC), perf_counter()
    make_deterministic(stable_seed(seed, "pretrain"), config.base.threads)
    device = resolve_device(config.base.device)
    sources = load_sources(names, root)
    train, val = (
        [pool.to(device) for pool in unlabelled_pools(sources, section.input_len, seed, split)]
        for split in ("train", "val")
    )
    lengths = {pool.batch(torch.zeros(1, dtype=torch.int64, device=device)).x.shape[-1] for pool in train}
    pretrainer = build_pretrainer(config.encoder, objective, lengths, seed).to(device)
    optimiser = adamw([(list(pretrainer.parameters()), section.lr, section.weight_decay)])
    plan = JointPlan({pool.name: len(pool) for pool in train}, section.batch_size, config.train.sampler, seed)
    key = state_key(config, where, identity, root)
    (state,) = state_files(where, key, 1, config.base.state_seconds, root)
    if team.size > 1:
        known = identity | {"code": code_digest(root), "torch": torch.__version__, "device": device.type, "run": key}
        team.agree({"settings" if name == "config" else name: value for name, value in known.items()}, device)
    if not team.leads:
        state = Checkpoint(None, state.key)
    history: list[PretrainingEpoch] = []
    budget = Budget(section.epochs, section.schedule, section.clip, section.decay)
    for record in pretrain(pretrainer, optimiser, TrainingData(train, val, plan), budget, state, history, team):
        tell(record.epoch, section.epochs)
    losses = {"loss": pretext_loss(pretrainer, val, seed, team=team)}
    if objective.kind == "diffusion":
        losses |= {f"loss_step_{t}": pretext_loss(pretrainer, val, seed, t, team) for t in (0, objective.steps - 1)}
    if not team.leads:
        return root / where.folder
    counts = {"total": sum(p.numel() for p in pretrainer.parameters()),
              "encoder": sum(p.numel() for p in pretrainer.encoder.parameters())}  # fmt: skip
    write_timings(
        where, root, began, perf_counter() - clock + state.spent, len(history), plan.steps_per_epoch * len(history)
    )
    with whole_folder(root / where.folder) as folder:
        Pretraining(**facts, val=losses, parameters=counts).write(folder / RUN)
        PretrainingHistory(epochs=history).write(folder / HISTORY)
        write_weights(folder / "weights.safetensors", pretrainer.transferable())
    note_finished(where, [state], root)
    return root / where.folder
