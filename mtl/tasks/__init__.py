"""A kind of task a file: what it is resolved to at its source, its loss, its metrics, its known optimum."""
