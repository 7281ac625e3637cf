"""Config → objects → training → result files: the only assembler, called by stages and by studies alike."""

from mtl.experiment.pretraining import run_pretrain
from mtl.experiment.runs import run_baseline, run_finetune

__all__ = ["run_baseline", "run_finetune", "run_pretrain"]
