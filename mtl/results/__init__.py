"""Result files as types: what the rooms pass each other below outputs/ and timings/, written and read here alone.

Imports no torch, so that whoever only reads results starts at once.
"""
