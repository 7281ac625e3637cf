"""Columns of a table: what type each has, proved on all rows, and their cells as numbers or names of categories."""
