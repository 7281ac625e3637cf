"""The version of mtl."""

__version__ = "0.1.0"
