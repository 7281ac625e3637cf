"""Where the time of one of our steps goes, and how near its arithmetic comes to what this machine can do.

    python -m benchmarks.profile_step                # under a minute on an idle machine

Steps: TimeDART's pretraining at the published sizes (patch 2 and 8, 16 heads) and the joint step of `etth1-har`
(32 windows of each of two tasks, width 64, 4 heads, patch 16). One thread. Operations are counted by torch for every
product of matrices, attention included; bytes are inputs and outputs of every kernel, each read or written once.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import Result, cpu_seconds, report
from benchmarks.step import PUBLISHED_HEADS, our_step
from mtl.balancing.weighted import WeightedSum
from mtl.config import TimeDartEncoder
from mtl.models.build import build_model
from mtl.seeding import make_deterministic
from mtl.training.losses import task_loss
from mtl.training.optimiser import adamw
from mtl.types import TaskSpec

GROUPS: dict[str, tuple[str, ...]] = {
    "matrix products of layers": ("aten::mm", "aten::addmm", "aten::linear"),
    "attention: fused kernel": ("aten::_scaled_dot_product_flash_attention_for_cpu",
                                "aten::_scaled_dot_product_flash_attention_for_cpu_backward"),
    "attention: products and softmax": ("aten::bmm", "aten::baddbmm", "aten::baddbmm_", "aten::_softmax",
                                        "aten::_softmax_backward_data"),
    "dropout and other elementwise": ("aten::random_", "aten::ge", "aten::mul", "aten::mul_", "aten::add", "aten::add_",
                                      "aten::sub", "aten::div", "aten::addcmul", "aten::addcmul_", "aten::sum",
                                      "aten::randn", "aten::normal_", "aten::pow", "aten::neg"),
    "norms and GELU": ("aten::native_layer_norm", "aten::native_layer_norm_backward", "aten::gelu",
                       "aten::gelu_backward", "aten::var_mean", "aten::native_batch_norm",
                       "aten::native_batch_norm_backward"),
    "copies and fills": ("aten::copy_", "aten::cat", "aten::fill_", "aten::zero_", "aten::index_select",
                         "aten::slice_backward", "aten::select_backward"),
    "optimiser and clipping": ("aten::_fused_adamw_", "Optimizer.step#AdamW.step", "aten::linalg_vector_norm",
                               "aten::_foreach_norm", "aten::_foreach_mul_"),
}  # fmt: skip


def joint_step() -> Callable[[], object]:
    """The joint step of `etth1-har` on drawn windows."""
    encoder = TimeDartEncoder(kind="timedart", patch_len=16, d_model=64, heads=4, layers=2, d_ff=128)
    columns = [f"column {i}" for i in range(9)]
    forecast = TaskSpec("etth1", "forecast", "etth1", 336, columns[:7], list(range(7)), horizon=96, dropout=0.3)
    label = TaskSpec("har", "classification", "har", 128, columns, [], classes=list("abcdef"))
    model = build_model(encoder, [forecast, label], 0).train()
    balancer = WeightedSum([forecast, label], 0.2, "constant")
    optimiser = adamw([(list(model.parameters()), 2e-3, 0.01)])
    batch = 32
    inputs = {"etth1": (torch.randn(batch, 7, 336), torch.randn(batch, 7, 96)),
              "har": (torch.randn(batch, 9, 128), torch.randint(6, (batch,)))}  # fmt: skip

    def step() -> None:
        losses = {}
        for spec in (forecast, label):
            x, y = inputs[spec.name]
            loss = task_loss(spec, model(x, [spec.name])[spec.name], y)
            assert loss is not None
            losses[spec.name] = loss
        optimiser.zero_grad(set_to_none=True)
        balancer.backward(losses, 0.5)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return step


def limits() -> tuple[list[Result], float, float]:
    """What one thread reaches at best: GFLOP/s of a large product, and GB/s of a copy far larger than the cache."""
    a, b = torch.randn(1536, 1536), torch.randn(1536, 1536)
    product = 2 * 1536**3 / min(cpu_seconds(lambda: a @ b) for _ in range(8)) / 1e9
    tall, flat = torch.randn(8192, 64), torch.randn(64, 192)
    narrow = 2 * 8192 * 64 * 192 / min(cpu_seconds(lambda: tall @ flat) for _ in range(30)) / 1e9
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    copy = 2 * 4 * 2**26 / min(cpu_seconds(lambda: target.copy_(source)) for _ in range(6)) / 1e9
    return [
        Result("product of two matrices 1536 × 1536", product, "GFLOP/s"),
        Result("product 8192 × 64 by 64 × 192, as a layer's", narrow, "GFLOP/s"),
        Result("copy of 256 MB, read and written", copy, "GB/s"),
    ], product, copy  # fmt: skip


def profiled(name: str, step: Callable[[], object], rounds: int, gflops: float, gbs: float) -> list[Result]:
    """CPU seconds of a step, by groups of kernels, with operations and bytes against the machine's limits."""
    for _ in range(2):
        step()
    seconds = median(cpu_seconds(step) for _ in range(rounds))
    with FlopCounterMode(display=False) as counter:
        step()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        for _ in range(rounds):
            step()
    events = seen.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    bytes_moved = sum(_bytes(event) * event.count for event in seen.key_averages(group_by_input_shape=True)) / rounds
    operations = counter.get_total_flops()
    results = [
        Result(f"{name}: a step", 1000 * seconds, "CPU ms"),
        Result(f"{name}: products' operations", operations / 1e9, "GFLOP",
               note=f"{100 * operations / 1e9 / gflops / seconds:.0f} % of the step at the machine's best rate"),
        Result(f"{name}: bytes of all kernels", bytes_moved / 1e9, "GB",
               note=f"{100 * bytes_moved / 1e9 / gbs / seconds:.0f} % of the step, did none stay in the cache"),
    ]  # fmt: skip
    rest = 100.0
    for group, kernels in GROUPS.items():
        share = 100 * sum(event.self_cpu_time_total for event in events if event.key in kernels) / total
        rest -= share
        if share >= 0.5:
            results.append(Result(f"{name}: {group}", share, "%"))
    narrow = sum(e.cpu_time_total for e in events if e.key in ("NarrowAttention", "NarrowAttentionBackward"))
    if narrow:
        results.append(Result(f"{name}: of all these, attention of narrow heads", 100 * narrow / total, "%"))
    results.append(Result(f"{name}: everything else (Python, autograd, views)", rest, "%"))
    return results


def _bytes(event: Any) -> float:
    """Inputs of a kernel plus an output as large as the largest input: a lower bound where outputs are larger."""
    if not any(event.key in kernels for kernels in GROUPS.values()):
        return 0.0
    sizes = [torch.Size(shape).numel() for shape in event.input_shapes if shape and isinstance(shape[0], int)]
    return 4.0 * (sum(sizes) + max(sizes)) if sizes else 0.0


def main() -> None:
    """Measures and reports."""
    make_deterministic(0, 1)
    results, gflops, gbs = limits()
    results += profiled("pretrain, patch 2", our_step("pretrain", 2, PUBLISHED_HEADS), 3, gflops, gbs)
    results += profiled("pretrain, patch 8", our_step("pretrain", 8, PUBLISHED_HEADS), 10, gflops, gbs)
    results += profiled("joint step of etth1-har", joint_step(), 10, gflops, gbs)
    report("profile", results)


if __name__ == "__main__":
    main()
