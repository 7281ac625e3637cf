"""Readers of files, with bounds on what a file may ask for."""
