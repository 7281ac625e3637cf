"""Profile of one of our steps by groups of kernels, beside the best that this machine can do.

    python -m benchmarks.profile_step                # under a minute on an idle machine

Steps: TimeDART's pretraining at the published sizes (patch 2 and 8, 16 heads) and a joint step of `etth1-har`
with the Transformer that it once trained (32 windows of each of two tasks, width 64, 4 heads, patch 16). One
thread. Operations are counted by torch for every product of matrices, attention included; bytes are inputs and outputs
of every kernel, each read or written once.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.command import count, finish, parser, start
from benchmarks.loop import etth1_har
from benchmarks.machine import Result, cpu_seconds
from benchmarks.step import BATCH, PUBLISHED_HEADS, our_step
from mtl.seeding import make_deterministic

JOINT_WINDOWS = 32
"""Windows of each of the two tasks of `etth1-har` in a step."""

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


def limits() -> tuple[list[Result], float, float]:
    """Best rates of one thread: GFLOP/s of a large product, and GB/s of a copy far larger than the cache."""
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
    bytes_moved = sum(bytes_of(event) * event.count for event in seen.key_averages(group_by_input_shape=True)) / rounds
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


def bytes_of(event: Any) -> float:
    """Inputs of a kernel plus an output as large as the largest input: a lower bound where outputs are larger. A
    gather counts only the elements that it takes: a batch's windows, not the source."""
    if not any(event.key in kernels for kernels in GROUPS.values()):
        return 0.0
    sizes = [torch.Size(shape).numel() for shape in event.input_shapes if shape and isinstance(shape[0], int)]
    if event.key == "aten::index_select":
        source, taken = sizes[0], sizes[-1]
        sizes = [source // event.input_shapes[0][0] * taken]
    return 4.0 * (sum(sizes) + max(sizes)) if sizes else 0.0


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("profile_step", __doc__)
    command.add_argument("--rounds", type=count, nargs=2, default=[3, 10], metavar=("AT_PATCH_2", "OTHERWISE"),
                         help="timed steps")  # fmt: skip
    command.add_argument("--patch-lens", type=count, nargs="+", default=[2, 8], choices=[2, 8], metavar="P",
                         help="of pretraining steps: 2, 8 or both")  # fmt: skip
    command.add_argument("--windows", type=count, default=BATCH, help="in a pretraining step (published: 16)")
    command.add_argument("--joint-windows", type=count, default=JOINT_WINDOWS, help="of each task in the joint step")
    options = command.parse_args(given)
    windows: int = options.windows
    few, many = options.rounds
    rounds = {2: few, 8: many}
    make_deterministic(0, 1)
    results, gflops, gbs = limits()
    for patch_len in options.patch_lens:
        step = our_step("pretrain", patch_len, PUBLISHED_HEADS, windows=windows)
        results += profiled(f"pretrain, patch {patch_len}", step, rounds[patch_len], gflops, gbs)
    joint = etth1_har(options.joint_windows, torch.device("cpu"))
    results += profiled("joint step of etth1-har", joint, many, gflops, gbs)
    return finish(options, results)


if __name__ == "__main__":
    start(main)
