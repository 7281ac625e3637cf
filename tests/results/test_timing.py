"""Times: an older form of the latency, and where a run's times stand."""

from pathlib import Path

from mtl.paths import RunPath
from mtl.results.timing import Latency, timing_file


def test_latency_of_before_is_lifted() -> None:
    """Methods stood beside the other keys, so that none could be called as one of them."""
    old = {"batch": 64, "stl": {"fault": 0.5}, "joint": 0.7, "learned": 0.8}
    lifted = Latency.parse(old, "latency.json")
    assert lifted.plain() == {
        "version": 2, "batch": 64, "stl": {"fault": 0.5}, "methods": {"joint": 0.7, "learned": 0.8},
    }  # fmt: skip


def test_times_stand_below_a_folder_of_their_own() -> None:
    assert timing_file(RunPath("baseline", "fault", "random", 3)) == Path("timings/baseline/fault/random/seed-3.json")
