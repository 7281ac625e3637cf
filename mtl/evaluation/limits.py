"""Numbers that decide when a comparison says something."""

MIN_SEEDS = 5
"""Fewer give no verdict: the t-quantile of three seeds is already 4.30."""
MIN_GAP = 0.01
"""A gap to the optimum below this share of the STL value is too small for a share of it to mean anything."""
