"""Simple models as modules: plain arrays and the arithmetic that predicts with them; whoever fits them is elsewhere."""
