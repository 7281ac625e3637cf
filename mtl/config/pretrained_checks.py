"""Checks of a pretrained encoder against the sources of its tasks, on params.yaml alone."""

from mtl.config.common import Problem
from mtl.config.pretrained import PretrainedEncoder
from mtl.config.schema import Config
from mtl.config.table_source import TableSource


def pretrained_problems(config: Config) -> list[Problem]:
    """Problems of texts that a pretrained encoder cannot read, since they are cut into tokens of another vocabulary."""
    encoder = config.encoder
    if not isinstance(encoder, PretrainedEncoder):
        return []
    problems: list[Problem] = []
    for name in dict.fromkeys(task.source for task in config.tasks.values()):
        source = config.prepare.sources.get(name)
        if not isinstance(source, TableSource) or source.text_column is None:
            continue
        cut = source.texts.tokenizer
        if cut != encoder.model:
            told = "none, by which a vocabulary is learnt" if cut is None else repr(cut)
            message = (
                f"should be {encoder.model!r} as `encoder.model` is, which reads its own tokens alone, found {told}."
            )
            problems.append((f"prepare.sources.{name}.texts.tokenizer", message))
    return problems
