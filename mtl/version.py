"""The version of mtl."""

__version__ = "0.2.0"
