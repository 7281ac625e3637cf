"""The Python API: comparisons, projects and parts of the library for code of one's own."""
