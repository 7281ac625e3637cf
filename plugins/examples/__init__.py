"""Complete examples of code of one's own: `residual` (an encoder) and `machines` (a source)."""
