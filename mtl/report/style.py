"""Looks of every figure, and its way to bytes that depend on the data alone.

SVG text stays text and takes the page's colours, so that a figure can be read in dark and in light; PNG is light.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mtl.report.read import STL

INK, MUTED, GRID, PAPER = "#1c2128", "#5b6570", "#dde1e6", "#fefefe"
THEMED = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PAPER: "var(--paper)"}
"""Colours that follow the page; no data may use them."""
STL_COLOUR = "#868e99"
METHOD_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, distinct for colour-blind readers; markers repeat the distinction."""
TASK_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999")
"""Paul Tol's bright palette: tasks never share a figure's legend with methods."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
SIMPLE_LINE: dict[str, Any] = {"color": INK, "linestyle": (0, (6, 3)), "linewidth": 1.1, "label": "simple model"}
"""Line of a task's simple model in every figure that has one."""
HELPED, HURT = "#2da44e", "#cf222e"

RC: Any = {
    "axes.axisbelow": True, "axes.edgecolor": MUTED, "axes.facecolor": "none", "axes.grid": True,
    "axes.labelcolor": MUTED, "axes.labelsize": 9, "axes.spines.right": False, "axes.spines.top": False,
    "axes.titlecolor": INK, "axes.titlelocation": "left", "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.unicode_minus": True, "figure.facecolor": "none", "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "grid.color": GRID, "grid.linewidth": 0.7,
    "legend.fontsize": 9, "legend.frameon": False, "legend.labelcolor": INK, "lines.linewidth": 1.8,
    "savefig.facecolor": "none", "svg.fonttype": "none", "svg.hashsalt": "mtl-report", "text.color": INK,
    "text.parse_math": False, "xtick.color": MUTED, "xtick.labelsize": 8.5, "ytick.color": MUTED,
    "ytick.labelsize": 8.5,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A figure of the report."""

    key: str
    """File stem and anchor."""
    title: str
    caption: str
    """Sentences that tell a reader what to see in it."""
    alt: str
    svg: str
    """Inline SVG, its ids prefixed with `key`; no reference to anything outside."""
    png: bytes


@dataclass(frozen=True)
class Missing:
    """A figure that has no data, and why."""

    key: str
    title: str
    reason: str


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults plus `RC`: a user's own matplotlibrc changes nothing."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `width` × `height` inches and its axes, row by row."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.flat)


def picture(figure: Figure, key: str, title: str, caption: str, alt: str) -> Picture:
    """Renders a figure both ways."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # laid out once: each further pass costs as much as drawing
    vector = io.StringIO()
    figure.savefig(vector, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    raster = io.BytesIO()
    figure.savefig(raster, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return Picture(key, title, caption, alt, inline_svg(vector.getvalue(), key, alt), raster.getvalue())


def inline_svg(text: str, key: str, alt: str) -> str:
    """An SVG file's text → an element for an HTML page: no prologue, no metadata, themed colours, own ids."""
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    opening, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', opening)
    assert box is not None, "matplotlib always writes a view box"
    width = 4 / 3 * float(box.group().split()[2])
    opening = f'<svg {box.group()} style="--natural:{width:.0f}px" role="img" aria-label="{escape(alt)}"'
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = re.sub(r"url\(#", f"url(#{key}-", body)
    body = re.sub(r'href="#', f'href="#{key}-', body)
    for colour, variable in THEMED.items():
        body = body.replace(colour, variable)
    return f"{opening}>{body}"


def method_colour(name: str, methods: Sequence[str]) -> str:
    """The method's colour in every figure; grey for STL."""
    return STL_COLOUR if name == STL else METHOD_COLOURS[list(methods).index(name) % len(METHOD_COLOURS)]


def method_marker(name: str, methods: Sequence[str]) -> str:
    """The method's marker in every figure."""
    return "|" if name == STL else MARKERS[list(methods).index(name) % len(MARKERS)]


def method_line(name: str, methods: Sequence[str]) -> dict[str, Any]:
    """Keyword arguments of the method's lines: STL is dashed; a colour used twice is dotted the second time."""
    if name == STL:
        return {"color": STL_COLOUR, "linestyle": (0, (4, 2))}
    again = list(methods).index(name) >= len(METHOD_COLOURS)
    return {"color": method_colour(name, methods), "linestyle": ":" if again else "-"}


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all axes, each label once, under the figure, in as many rows as its labels need."""
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        columns = len(handles) if len(handles) <= 6 else min(-(-len(handles) // 2), 6)
        columns = max(1, min(columns, int(figure.get_figwidth() / (0.6 + 0.085 * max(map(len, handles))))))
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)


def log_ticks(ax: Axes) -> None:
    """A logarithmic y axis with plain numbers at 1, 2 and 5 times powers of ten."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    ax.tick_params(axis="y", which="minor", labelsize=7.5, labelcolor=MUTED)


def blank_rest(axes: Sequence[Axes], used: int) -> None:
    """Hides the axes of a grid that have nothing to show."""
    for ax in axes[used:]:
        ax.set_axis_off()
