"""Parts of the package that a project of one's own takes: presets, manifests, its pipeline, digests of the code."""
