"""Which raw files there should be, where they come from, and whether they are the right ones."""
