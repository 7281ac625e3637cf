"""Numbers that decide when a comparison says something."""

MIN_SEEDS = 5
"""Fewer give no verdict: the t-quantile of three seeds is already 4.30."""
MIN_GAP = 0.01
"""A gap to the optimum below this share of the STL value is too small for a share of it to mean anything."""
RELATED = 0.05
"""Mean gradient cosine from which two tasks count as related, and below whose negative as opposed."""
MOST_PAIRS = 500
"""Pairs of tasks that are listed one by one; a thousand tasks have 499,500."""
ALIKE = 0.3
"""Correlation of two data maps from which, with its whole interval, tasks count as related."""
CONFLICT = 0.5
"""Share of the measurements with a negative cosine above which, with its whole interval, a pair is in conflict."""
UNEVEN = 10.0
"""Ratio of sizes, of tasks or classes, from which sampling or class weights are worth their while."""
TIGHT = 1.05
"""Joint over single-task training loss from which the shared network counts as too small."""
BURST = 5.0
"""Largest over median gradient norm of the epochs from which training counts as unstable."""
AGREED = 0.8
"""Mean adjusted Rand index between the groupings of single seeds from which groups are recommended."""
RISE = 0.5
"""Rise of the validation score from one epoch to the next, as a share of the first one, from which training counts as
unstable."""
RARE = 0.05
"""Accuracy less accuracy over classes from which rare classes count as neglected."""
