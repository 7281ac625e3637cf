"""One source a file: its raw files → arrays in original units."""
