"""Finished models put to use; knows no DVC, no params.yaml and no prepared data."""
