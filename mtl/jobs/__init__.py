"""Processes that train: side by side, or several that share a run. Nothing else in mtl starts such processes."""
