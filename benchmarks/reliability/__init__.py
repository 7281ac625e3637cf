"""Attacks on the project, repeated until nothing more is lost: `python -m benchmarks.reliability`."""
