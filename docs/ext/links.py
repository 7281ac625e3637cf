"""Files of the repository that become pages, and links that lead out of docs/.

The same Markdown is read on a forge, where links to any file of the repository work, and on the site, which holds docs/
alone. There a file that a page includes is that page, and any other file is named without a link.
"""

import re
from os.path import relpath
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
INCLUDE = re.compile(r"^```\{include\} (?P<path>\S+)\n(?::start-after: \"(?P<after>[^\"]*)\"\n)?```$", re.M)
FENCE = re.compile(r"(^(?P<mark>```+|~~~+).*?^(?P=mark)$)", re.M | re.S)
LINK = re.compile(r"(?<!!)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)")
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "plugins/README.md": "guide/own-code.md",
}
"""File of the repository → page that stands for it."""


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Puts in the files that a page includes, and turns links that lead out of docs/."""
    page = DOCS / f"{docname}.md"
    if not page.exists():
        return

    def included(match: re.Match[str]) -> str:
        path = (page.parent / match["path"]).resolve()
        app.env.note_dependency(str(path))
        text = path.read_text(encoding="utf-8")
        if match["after"]:
            text = text.partition(match["after"])[2]
        return turned(text, path, page)

    parts = INCLUDE.split(source[0])
    if len(parts) == 1:
        source[0] = turned(source[0], page, page)
        return
    whole = turned(INCLUDE.sub("\0", source[0]), page, page)
    for match in INCLUDE.finditer(source[0]):
        whole = whole.replace("\0", included(match), 1)
    source[0] = whole


def turned(text: str, file: Path, page: Path) -> str:
    """Text of a file with links as they are right on a page.

    Args:
        text: Markdown.
        file: that holds it, from where its links lead.
        page: below docs/, on which it is shown.
    """

    def link(match: re.Match[str]) -> str:
        target, mark, anchor = match["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        place = (file.parent / target).resolve()
        named = PAGES.get(place.relative_to(ROOT).as_posix()) if place.is_relative_to(ROOT) else None
        if named is not None:
            place = DOCS / named
        elif not place.is_relative_to(DOCS):
            return match["words"]
        return f"[{match['words']}]({relpath(place, page.parent)}{mark}{anchor})"

    # The pattern has two groups: text, a fenced block, the marks of its fence, text, …
    pieces = FENCE.split(text)
    del pieces[2::3]
    return "".join(LINK.sub(link, piece) if place % 2 == 0 else piece for place, piece in enumerate(pieces))
