"""`mtl init`: a project of one's own, which needs no clone: from a table, a series, or a preset."""
