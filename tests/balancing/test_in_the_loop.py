"""Methods in the real training loop: they train, are recorded, go on bit for bit after a stop, refuse gaps."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mtl.balancing.base import Step
from mtl.config import SamplerConfig, TimeDartEncoder
from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, Sharing
from mtl.config.tasks import RegressionTask
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.errors import UserError
from mtl.experiment.runs import all_in_every_step
from mtl.models.build import MultiTaskModel, build_model
from mtl.tasks.base import TaskSpec
from mtl.training.checkpoint import read_header
from mtl.training.forward import Forward
from mtl.training.measure import measure
from mtl.training.nonfinite import NonFiniteError
from mtl.types import NO_LABEL
from tests.balancing.cases import CASES, Case
from tests.balancing.linear_losses import balancer
from tests.helpers.problems import ENCODER, TASKS, Run, binary, same, wave_tasks, waves
from tests.models.cases import ENCODERS, inputs, task_for

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


def gappy() -> TaskSet:
    """`next`, `phase` and two regressions share samples, `up` has windows of its own; every third row has no phase, and
    every fourth no `slope`."""
    source = waves()
    labels = source.labels["phase"].clone()
    labels[::3] = NO_LABEL
    numbers = {"level": 3 + source.values[:, 0], "slope": 100 * source.values[:, 1]}
    numbers["slope"][::4] = torch.nan
    line = dataclasses.replace(source, labels=source.labels | {"phase": labels}, numbers=numbers)
    at = {"kind": "regression", "source": "line", "input_len": 8}
    measured = [at | {"target": "level", "loss": "huber"}, at | {"target": "slope", "loss": "mae"}]
    level, slope = (RegressionTask.model_validate(section) for section in measured)
    tasks = {**TASKS, "up": binary(label="up", input_len=12), "level": level, "slope": slope}
    return build_tasks(tasks, {"line": line}, 0)


@pytest.mark.parametrize("pools", [1, 2], ids=["one batch", "two batches, missing labels and numbers"])
@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_run_trains_and_records_itself(case: Case, pools: int) -> None:
    data = wave_tasks() if pools == 1 else gappy()
    assert len(data.pools["train"]) == pools
    method = balancer(case.config, list(data.specs.values()))
    run = Run(data, list(data.specs), epochs=1, balancer=method, encoder=STILL, lr=1e-2, batch_size=24 * pools)
    before, _ = measure(run.model, data.pools["train"], data.specs)
    after, _ = measure(run.go().model, data.pools["train"], data.specs)
    assert after["next"]["mse"] < before["next"]["mse"]
    epoch = run.fitted.epochs[0]
    assert set(epoch.weights) == set(data.specs)
    assert torch.isfinite(torch.tensor(list(epoch.weights.values()))).all()
    assert set(epoch.gradients.norms) == set(data.specs)
    assert len(epoch.gradients.cosines) == math.comb(len(data.specs), 2)
    assert epoch.gradients.surrogate is None


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "equal"}, {"kind": "uncertainty"}, {"kind": "gradnorm"}, {"kind": "famo"}, {"kind": "geometric_mean"},
        {"kind": "mean"}, {"kind": "random"}, {"kind": "mgda"}, {"kind": "graddrop"},
    ],
    ids=lambda config: str(config["kind"]),
)  # fmt: skip
def test_a_gradient_that_is_not_finite_stops_the_run_and_names_its_task(config: dict[str, Any]) -> None:
    """At once, before the weights are broken, and that task alone; its loss is a number."""
    data = wave_tasks()
    method = balancer(config, list(data.specs.values()))
    inner, weights = method.backward, []
    run = Run(data, list(data.specs), epochs=1, balancer=method, encoder=STILL, batch_size=24)

    def spoiled(step: Step) -> torch.Tensor:
        weights.append([p.detach().clone() for p in run.model.parameters()])
        if len(weights) < 3:
            return inner(step)
        # √x at 0 in addition: the loss is what it was, its slope infinite.
        parts = [
            loss + (loss - loss.detach()).sqrt() if k == 2 else loss for k, loss in enumerate(step.losses.unbind())
        ]
        return inner(dataclasses.replace(step, losses=torch.stack(parts)))

    method.backward = spoiled  # type: ignore[method-assign]
    samples = r"\(pool line/next, samples [0-9, ]*…\)"
    with pytest.raises(
        NonFiniteError, match=rf"^the gradient of task up became nan or inf at epoch 1, step 3 of 5 {samples}"
    ):
        run.go()
    assert all(torch.equal(a, b) for a, b in zip(weights[-1], run.model.parameters(), strict=True))


def test_a_gradient_that_breaks_in_what_tasks_share_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = wave_tasks()
    run = Run(data, list(data.specs), epochs=1, encoder=STILL, batch_size=24)
    shared = run.model.shared_parameters()
    monkeypatch.setattr(run.model.trunk, "penalty", lambda: (shared[-1] - shared[-1].detach()).sum().sqrt())
    with pytest.raises(NonFiniteError, match=r"^the gradient became nan or inf at epoch 1, step 1 of 5"):
        run.go()


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
        assert 0.5 < epoch.gradients.surrogate <= 1 + 1e-6


@pytest.mark.parametrize("kind", ["upgrad", "graddrop", "gradnorm"])
def test_encoders_that_vmap_cannot_enter(kind: str) -> None:
    data = wave_tasks()
    run = Run(
        data, list(data.specs), epochs=1, encoder=NARROW, balancer=balancer({"kind": kind}, list(data.specs.values()))
    )
    assert run.go().fitted.epochs[0].grad_norm > 0


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


@pytest.mark.parametrize(
    "sharing",
    [
        HardSharing(),
        CrossStitchSharing(kind="cross_stitch"),
        CrossStitchSharing(kind="cross_stitch", init="lean"),
        BranchedSharing(kind="branched", groups=[["next", "up"], ["phase"]], shared_stages=1),
    ],
    ids=lambda sharing: f"{sharing.kind} {getattr(sharing, 'init', '')}".strip(),
)
def test_gradnorm_measures_every_task_on_the_last_layer_that_all_train(sharing: Sharing) -> None:
    data = wave_tasks()
    specs = list(data.specs.values())
    model = build_model(STILL, specs, 0, sharing)
    pools = data.pools["train"]
    found = Forward(model, pools, data.specs, {}, False)({pool.name: torch.arange(12) for pool in pools}, 1)
    assert found.losses is not None
    method = balancer({"kind": "gradnorm", "alpha": 0.0}, specs)
    step = Step(found.losses, found.places, 0.0, shared=model.shared_parameters(), columns=model.shared_columns())
    method.backward(step)
    slope = next(method.parameters()).grad
    # The slope of a weight is ± the length of its task's gradient there: 0 would leave the weight as it is.
    assert slope is not None and (slope.abs() > 1e-6).all()


BRANCHED = BranchedSharing(kind="branched", groups=[["next", "up"], ["phase"]], shared_stages=1)
FORMS = [HardSharing(), CrossStitchSharing(kind="cross_stitch", init="lean"), BRANCHED]
every_form = pytest.mark.parametrize("sharing", FORMS, ids=lambda sharing: str(sharing.kind))


def check_exact_gradients(model: MultiTaskModel, vector: torch.Tensor, specs: list[TaskSpec]) -> None:
    """MGDA's, against rows of the Jacobian that are taken one after the other."""
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
    step = Step(vector, tuple(range(len(specs))), 0.0, (), shared, heads)
    weights = balancer({"kind": "mgda"}, specs).backward(step)
    torch.testing.assert_close(flat(shared), weights @ on_shared, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(flat(heads), on_heads.sum(dim=0), rtol=1e-4, atol=1e-6)
    gramian = on_shared @ on_shared.T
    assert weights @ gramian @ weights <= gramian.diagonal().min() * (1 + 1e-5)


@pytest.mark.parametrize("apart", [False, True], ids=["one batch", "separate batches"])
@every_form
def test_exact_gradients_with_every_form_of_sharing(sharing: Sharing, apart: bool) -> None:
    tasks = {**TASKS, "up": binary(label="up", input_len=20)} if apart else TASKS
    data = wave_tasks(tasks=tasks)
    specs = list(data.specs.values())
    model = build_model(STILL, specs, 0, sharing)
    pools = data.pools["train"]
    assert len(pools) == 1 + apart
    found = Forward(model, pools, data.specs, {}, False)({pool.name: torch.arange(12) for pool in pools}, 1)
    assert found.losses is not None and found.places == (0, 1, 2)
    check_exact_gradients(model, found.losses, specs)


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
@every_form
def test_exact_gradients_with_every_encoder(sharing: Sharing, name: str) -> None:
    encoder = ENCODERS[name]
    specs = [task_for(encoder, "binary", task) for task in ("next", "phase", "up")]
    model = build_model(encoder, specs, 0, sharing)
    logits = model(inputs(encoder, 12), [task.name for task in specs]).stacks["binary"].values
    assert logits is not None
    labels = (torch.arange(36).view(12, 3) % torch.tensor([2, 3, 5]) == 0).float()
    vector = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=0)
    check_exact_gradients(model, vector, specs)
