"""Settings of the manual's site: `make docs` builds it from the Markdown of this folder, without a network."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from ext import links, settings  # noqa: E402

from mtl.version import __version__  # noqa: E402

project = "mtl"
version = release = __version__
copyright = "the maintainers of mtl; MIT licence"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "ext"]

html_theme = "furo"
html_title = f"mtl {__version__}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# A summary of each hit would be fetched, which a browser refuses for files.
html_show_search_summary = False
html_theme_options = {"top_of_page_buttons": []}

# Anchors of headings are those that a forge gives, so that the same links work there.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline"]

# Notebooks are kept without outputs and run while the site is built: what stands there is what this code says.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
nb_number_source_lines = False
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # else scripts of another server

# Docstrings of the library: Google's style, with names of code between single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Types of other packages, and our own that no page describes.
nitpick_ignore_regex = [("py:.*", r"(?!mtl\.(compare|open|balancer|load_model|verdicts|data_map|cluster)$).*")]


def setup(app: Sphinx) -> None:
    """Prepares pages as they are read."""
    app.connect("source-read", links.read)
    app.connect("source-read", settings.read)
