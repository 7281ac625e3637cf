"""First steps of every stage: read params.yaml whole, then see only the sections that it declares in dvc.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager

from mtl.config import Config, load_config
from mtl.errors import exit_on_user_error
from mtl.project.code import check_code

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells set it."""


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
