"""Estimate of what `mtl repro` will do, told before anything trains: runs, time, bytes."""
