"""`mtl check`: the results compared with a second run, byte for byte, or with the reference of their preset."""
