"""Checks of pretrained networks against the sources of the tasks, on params.yaml alone."""

from mtl.config.common import Problem
from mtl.config.pretrained import PretrainedEncoder
from mtl.config.schema import Config
from mtl.config.table_source import TableSource


def pretrained_problems(config: Config) -> list[Problem]:
    """Problems of texts that a pretrained network cannot read, since they are cut into tokens of another vocabulary."""
    problems: list[Problem] = []
    if isinstance(config.encoder, PretrainedEncoder):
        problems += _tokens_of_others(config, "encoder", config.encoder.model)
    if config.simple.probe is not None:
        problems += _tokens_of_others(config, "simple.probe", config.simple.probe.model)
    return problems


def _tokens_of_others(config: Config, section: str, model: str) -> list[Problem]:
    """Texts that are cut by another vocabulary than that of the network which a section names."""
    problems: list[Problem] = []
    for name in dict.fromkeys(task.source for task in config.tasks.values()):
        source = config.prepare.sources.get(name)
        if not isinstance(source, TableSource) or source.text_column is None:
            continue
        cut = source.texts.tokenizer
        if cut != model:
            told = "none, by which a vocabulary is learnt" if cut is None else repr(cut)
            message = f"should be {model!r} as `{section}.model` is, which reads its own tokens alone, found {told}."
            problems.append((f"prepare.sources.{name}.texts.tokenizer", message))
    return problems
