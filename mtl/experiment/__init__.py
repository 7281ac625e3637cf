"""Config → objects → training → result files: the only assembler, called by stages and by studies alike."""

from mtl.experiment.runs import run_baseline, run_finetune, run_pretrain

__all__ = ["run_baseline", "run_finetune", "run_pretrain"]
