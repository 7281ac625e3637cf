"""mtl: should related tasks be trained together, how, and what does it cost?"""

__version__ = "0.1.0"
