"""Where runs run: processes side by side, or several that share a run; the only door to processes that train."""
