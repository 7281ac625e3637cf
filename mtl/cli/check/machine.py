"""Conditions that decide the bits of a result besides settings, data and code: libraries, processor, rounding.

PyTorch's notes on reproducibility promise the same bits for the same release on the same platform only. Names do not
tell enough: MKL and oneDNN choose their kernels by the processor's maker and model. So `rounding` runs some of them.
"""

import hashlib
import math
import platform
import zlib
from importlib.metadata import version

import numpy as np
import torch
from torch import nn

from mtl.config import BaseConfig
from mtl.seeding import generator, resolve_device

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "safetensors", "matplotlib", "pillow",
             "kiwisolver", "contourpy", "jinja2", "pyyaml")  # fmt: skip
"""Libraries that compute a number or write a file that is compared."""


def describe(base: BaseConfig) -> dict[str, str]:
    """Describes the machine; equal descriptions promise equal bits. No names of hosts, users or folders."""
    device = resolve_device(base.device)
    libraries = {name: version(name) for name in LIBRARIES} | {"torch": torch.__version__}
    return libraries | {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "libc": " ".join(platform.libc_ver()).strip() or platform.system(),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        "rounding": rounding(base.threads),
    }


def rounding(threads: int) -> str:
    """The first digits of a sha256 over the bits of a few training steps and of NumPy's and libm's functions."""
    bits = hashlib.sha256()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for width, heads in ((16, 2), (64, 4)):
            bits.update(_trained(width, heads))
    finally:
        torch.set_num_threads(before)
    draw = np.random.default_rng(0).standard_normal((96, 96))
    for array in (draw @ draw.T, np.exp(draw), np.log(np.abs(draw)), np.linalg.solve(draw, draw[0]), draw.mean(0)):
        bits.update(np.ascontiguousarray(array).tobytes())
    bits.update(repr([f(x / 7) for f in (math.exp, math.sin, math.log, math.tanh) for x in range(1, 50)]).encode())
    return bits.hexdigest()[:16]


def _trained(width: int, heads: int) -> bytes:
    """Bits of a Transformer layer after five steps of AdamW, at the sizes of our encoders."""
    random = generator("rounding", width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(5):
        x = torch.randn(64, 12, width, generator=random)
        loss = (model(x) - x.cumsum(1)).square().mean() + torch.logsumexp(x @ model.linear1.weight.T, -1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return b"".join(weight.detach().numpy().tobytes() for weight in model.parameters())
