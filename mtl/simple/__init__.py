"""Simple models fitted in closed form or in seconds, and the choice among them on validation data."""
