"""Projects that are made: presets and overlays of params.yaml, a table with its columns and targets, the folder."""
