"""Raw files: the list of those that should be there, their origins, and the check that they are the right ones."""
