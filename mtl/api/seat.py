"""Where the caller sits: in a notebook, at a prompt with a screen, or nowhere that a page could be shown."""

import os
import sys
import webbrowser
from html import escape
from pathlib import Path

from rich.console import Console

from mtl.report.timings import whole_page

HEIGHT = 700
"""Pixels of a page inside a notebook."""


def in_notebook() -> bool:
    """True in a kernel of Jupyter or Colab, whose cells show HTML."""
    return Console().is_jupyter


def at_a_prompt() -> bool:
    """True in an interactive session of Python whose machine has a screen for a browser."""
    interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive)
    screen = sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return interactive and screen


def show_page(page: Path, show: bool | None) -> None:
    """Shows a page of HTML.

    Args:
        page: the file.
        show: True shows it in any case, False never; None: in a notebook inside it, at a prompt in a browser, else not.
    """
    if show is False:
        return
    if in_notebook():
        _show_inside(page)
    elif show or at_a_prompt():
        webbrowser.open(page.resolve().as_uri())


def _show_inside(page: Path) -> None:
    """Shows a page in the output of a cell: its whole text, for a notebook's page may not load files of the machine."""
    from IPython.display import HTML, display  # here: a notebook alone has it

    frame = f'<iframe srcdoc="{escape(whole_page(page))}" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
    display(HTML(f"<div>{frame}</div>"))  # of a bare frame IPython says that it should have been given as an address
