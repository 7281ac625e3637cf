"""Encoders shared by all tasks, the heads of the tasks, and what pretrains an encoder.

Public doors: `mtl.models.build` (configuration → networks), `mtl.models.base` (the contract of an encoder) and
`mtl.models.transfer` (pretrained weights → encoder).
"""
