"""What `docs/conf.py` does to pages before Sphinx parses them."""
