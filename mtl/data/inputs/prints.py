"""Samples as numbers of 64 bits: equal ones, as networks see them, have the same, and hardly any others do.

n samples.
"""

from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import UInt64

from mtl.data.inputs.base import Samples

CHUNK = 4096
"""Samples that are gathered together."""
BYTES = 8
KEY_BYTES = 64
"""Longest key."""


def prints(samples: Samples, key: bytes) -> UInt64[np.ndarray, " n"]:
    """The first 64 bits of BLAKE2b (RFC 7693) of each sample, by which none of its numbers can be told.

    Args:
        samples: on any device.
        key: with which they are hashed, at most `KEY_BYTES`: prints of another key cannot be compared with these.
    """
    places = torch.split(torch.arange(len(samples)), CHUNK)
    hashed = (
        blake2b(content, digest_size=BYTES, key=key).digest() for some in places for content in samples.contents(some)
    )
    return np.frombuffer(b"".join(hashed), dtype="<u8").astype(np.uint64)
