"""A method in a few words, for tables and legends."""

from typing import assert_never

from mtl.config.balancing import Method
from mtl.config.sharing import (
    BranchedSharing,
    CrossStitchSharing,
    HardSharing,
    SeparateSharing,
    Sharing,
    SoftSharing,
)


def describe(name: str, method: Method) -> str:
    """The name, and what distinguishes the method from one with default settings."""
    words = [method.words, *_sharing(method.sharing)]
    if method.width != 1:
        words.append(f"{method.width:g} of the width")
    if method.curriculum is not None:
        words.append("curriculum")
    if method.target is not None:
        words.append(f"then {method.target} alone (a second budget)")
    return f"{name}: {', '.join(words)}"


def _sharing(sharing: Sharing) -> list[str]:
    """Nothing for hard sharing, which is what a method does unless it says otherwise."""
    match sharing:
        case HardSharing():
            return []
        case SeparateSharing():
            return ["separate networks"]
        case SoftSharing():
            return [f"soft sharing ({sharing.penalty:g})"]
        case CrossStitchSharing():
            return [f"cross-stitch ({sharing.units})"]
        case BranchedSharing():
            return [f"{len(sharing.groups)} branches after stage {sharing.shared_stages}"]
        case _:
            assert_never(sharing)
