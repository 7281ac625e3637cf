"""A kind of input a file: what a sample of a prepared source is, how it is checked, kept, scaled and gathered."""
