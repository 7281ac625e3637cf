"""First steps of every stage: read params.yaml whole, then see only the sections that it declares in dvc.yaml."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from mtl.config import Config, load_config
from mtl.errors import exit_on_user_error
from mtl.project.code import check_code

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells set it."""
INCOMPLETE = 75
"""Exit code of a stage that has made what `mtl repro` asked for while runs lack: DVC should not call it done."""
ALONE, AGAIN = "MTL_ALONE", "MTL_AGAIN"
"""Variables in which `mtl repro` tells a stage which runs alone it should make, and which anew."""
EVERYTHING = "all"
"""Value of AGAIN for every run."""


@contextmanager
def stage(sections: tuple[str, ...]) -> Iterator[Config]:
    """The declared sections of params.yaml; a wrong value anywhere in the file, or a project whose code.json is of
    other code than runs here, ends with exit code 2, Ctrl-C with 130."""
    with exit_on_user_error():
        try:
            check_code()
            yield narrowed(load_config(), sections)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None  # `mtl repro` says what that means


def narrowed(config: Config, sections: tuple[str, ...]) -> Config:
    """Config of which only `sections` can be read; any other raises AttributeError, so that a stage cannot use a
    setting whose change would not rerun it."""
    view = config.model_copy()
    for name in Config.model_fields:
        if name not in sections:
            view.__dict__.pop(name)
    return view


def asked_alone(stage: str) -> set[str]:
    """Tasks or methods whose runs alone `mtl repro` asks a stage for, as in `mtl repro finetune@joint`; none is all."""
    return {name for kind, name in _asked(ALONE) if kind == stage}


def asked_again(stage: str, known: Collection[str]) -> set[str]:
    """Names among some tasks or methods whose runs `mtl repro --force` wants made again, whatever their key."""
    if os.environ.get(AGAIN) == EVERYTHING:
        return set(known)
    return {name for kind, name in _asked(AGAIN) if kind == stage}


def _asked(variable: str) -> Iterator[tuple[str, str]]:
    """(stage, name) of the targets in a variable of the environment, which holds them with spaces between."""
    for target in os.environ.get(variable, "").split():
        kind, _, name = target.partition("@")
        yield kind, name
