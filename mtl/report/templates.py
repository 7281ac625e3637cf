"""The pages' templates, filled in: one way for all of them."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mtl.report import sides, words
from mtl.report.style import Missing


def filled(template: str, **content: Any) -> str:
    """A template of this folder, with its content: a name that it lacks is an error, and text is escaped.

    Templates see `words` (how numbers and names are written), `sides` (marks of the sides of a row), the test `missing`
    (a figure that is not shown) and the filters `svg` (an image of ours, not escaped) and `listed`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"svg": Markup, "listed": words.listed}
    environment.globals |= {"words": words, "sides": sides}
    environment.tests["missing"] = lambda figure: isinstance(figure, Missing)
    return environment.get_template(template).render(**content)
