"""Data that a user brings to a finished model: rows of a table, the end of a series, arrays."""
