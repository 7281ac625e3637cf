"""Methods in the real training loop: they train, are recorded, go on bit for bit after a stop, refuse gaps."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.balancing.base import Step
from mtl.config import SamplerConfig, TimeDartEncoder
from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, Sharing
from mtl.data.loading.sampling import JointPlan
from mtl.errors import UserError
from mtl.experiment.runs import all_in_every_step
from mtl.models.build import build_model
from mtl.training.checkpoint import read_header
from mtl.training.forward import Forward
from mtl.training.measure import measure
from tests.balancing.cases import CASES, Case
from tests.balancing.linear_losses import balancer
from tests.helpers.problems import ENCODER, TASKS, Run, binary, same, wave_tasks

NARROW = TimeDartEncoder(
    kind="timedart", patch_len=2, d_model=16, heads=8, layers=1, d_ff=16, dropout=0.0, recipe="published"
)
"""Heads of two numbers: attention is an autograd function written in Python."""
STILL = ENCODER.model_copy(update={"dropout": 0.0})
REMEMBERS: list[dict[str, Any]] = [
    {"kind": "dwa"}, {"kind": "famo"}, {"kind": "gradnorm"}, {"kind": "rlw"}, {"kind": "imtl_l"}, {"kind": "gradvac"},
    {"kind": "pcgrad"}, {"kind": "graddrop"}, {"kind": "excess_mtl", "warmup_steps": 4}, {"kind": "random"},
    {"kind": "upgrad", "normalise": "ema"}, {"kind": "mgda", "normalise": "initial"},
]  # fmt: skip


def named(case: Case) -> str:
    return case.kind


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_run_trains_and_records_itself(case: Case) -> None:
    data = wave_tasks()
    method = balancer(case.config, list(data.specs.values()))
    run = Run(data, list(data.specs), epochs=1, balancer=method, encoder=STILL, lr=1e-2, batch_size=24)
    before, _ = measure(run.model, data.pools["train"], data.specs)
    after, _ = measure(run.go().model, data.pools["train"], data.specs)
    assert after["next"]["mse"] < before["next"]["mse"]
    epoch = run.fitted.epochs[0]
    assert set(epoch["weights"]) == set(data.specs)
    assert torch.isfinite(torch.tensor(list(epoch["weights"].values()))).all()
    assert set(epoch["gradients"]["norms"]) == set(data.specs) and len(epoch["gradients"]["cosines"]) == 3
    assert "surrogate" not in epoch["gradients"]


@pytest.mark.parametrize("config", REMEMBERS, ids=lambda config: str(config["kind"]))
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(tmp_path: Path, config: dict[str, Any]) -> None:
    data = wave_tasks()
    stop = 12

    def run(path: Path | None) -> Run:
        method = balancer(config, list(data.specs.values()), seed=3)
        return Run(data, list(data.specs), epochs=3, balancer=method, checkpoint=path, seconds=0.0, batch_size=24)

    whole = run(None).go()
    broken = run(tmp_path / "state")
    assert broken.balancer is not None
    inner, calls = broken.balancer.backward, []

    def failing(step: Step) -> torch.Tensor:
        calls.append(step)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return inner(step)

    broken.balancer.backward = failing  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        broken.go()
    assert stop % whole.plan.steps_per_epoch > 0 and read_header(tmp_path / "state")["record"]["steps"] == stop
    torch.rand(7)  # another process would stand elsewhere in the random numbers
    resumed = run(tmp_path / "state").go()
    assert same(whole.model, resumed.model)
    assert whole.balancer is not None and resumed.balancer is not None and same(whole.balancer, resumed.balancer)
    assert whole.fitted.epochs == resumed.fitted.epochs


@pytest.mark.parametrize("kind", ["upgrad", "mgda", "gradvac"])
def test_the_surrogates_cosine_is_in_the_history(kind: str) -> None:
    data = wave_tasks()
    tasks = ["phase", "up"]
    method = balancer({"kind": kind, "features": "features"}, [data.specs[task] for task in tasks])
    run = Run(data, tasks, epochs=2, probes=2, balancer=method, encoder=ENCODER).go()
    for epoch in run.fitted.epochs:
        assert 0.5 < epoch["gradients"]["surrogate"] <= 1 + 1e-6


@pytest.mark.parametrize("kind", ["upgrad", "graddrop", "gradnorm"])
def test_encoders_that_vmap_cannot_enter(kind: str) -> None:
    data = wave_tasks()
    run = Run(
        data, list(data.specs), epochs=1, encoder=NARROW, balancer=balancer({"kind": kind}, list(data.specs.values()))
    )
    assert run.go().fitted.epochs[0]["grad_norm"] > 0


def test_tasks_on_separate_batches_cannot_use_the_surrogate() -> None:
    data = wave_tasks(tasks={**TASKS, "late": binary(label="up", input_len=20)})
    method = balancer({"kind": "mgda", "features": "features"}, list(data.specs.values()))
    with pytest.raises(UserError, match="needs tasks that read the same features of the same batch, found 2 batches"):
        Run(data, list(data.specs), epochs=1, balancer=method).go()


def test_a_sampler_that_leaves_a_task_out_is_refused() -> None:
    plan = JointPlan({"large": 1000, "small": 10}, 16, SamplerConfig(kind="proportional"), 0)
    with pytest.raises(UserError, match=r"gives step 1 of epoch 1 none of small.*`kind: uniform`"):
        all_in_every_step(plan, ["large", "small"], 3)
    all_in_every_step(plan, ["large"], 3)
    all_in_every_step(JointPlan({"large": 1000, "small": 10}, 16, SamplerConfig(), 0), ["large", "small"], 3)


@pytest.mark.parametrize("apart", [False, True], ids=["one batch", "separate batches"])
@pytest.mark.parametrize(
    "sharing",
    [
        HardSharing(),
        CrossStitchSharing(kind="cross_stitch", init="lean"),
        BranchedSharing(kind="branched", groups=[["next", "up"], ["phase"]], shared_stages=1),
    ],
    ids=lambda sharing: str(sharing.kind),
)
def test_exact_gradients_with_every_form_of_sharing(sharing: Sharing, apart: bool) -> None:
    tasks = {**TASKS, "up": binary(label="up", input_len=20)} if apart else TASKS
    data = wave_tasks(tasks=tasks)
    specs = list(data.specs.values())
    model = build_model(STILL, specs, 0, sharing)
    pools = data.pools["train"]
    assert len(pools) == 1 + apart
    found = Forward(model, pools, data.specs, {}, False)({pool.name: torch.arange(12) for pool in pools}, 1)
    vector = found.losses
    assert vector is not None
    shared = model.shared_parameters()
    together = {id(p) for p in shared}
    heads = [p for p in model.parameters() if id(p) not in together]

    def rows(parameters: list[torch.nn.Parameter]) -> torch.Tensor:
        gradients = []
        for loss in vector:
            parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            gradients.append(
                torch.cat([torch.zeros(p.numel()) if g is None else g.flatten()
                           for p, g in zip(parameters, parts, strict=True)])
            )  # fmt: skip
        return torch.stack(gradients)

    def flat(parameters: list[torch.nn.Parameter]) -> torch.Tensor:
        return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters])

    on_shared, on_heads = rows(shared), rows(heads)
    step = Step(vector, found.places, 0.0, found.passes, shared, heads)
    weights = balancer({"kind": "mgda"}, specs).backward(step)
    torch.testing.assert_close(flat(shared), weights @ on_shared, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(flat(heads), on_heads.sum(dim=0), rtol=1e-4, atol=1e-6)
    gramian = on_shared @ on_shared.T
    assert weights @ gramian @ weights <= gramian.diagonal().min() * (1 + 1e-5)
