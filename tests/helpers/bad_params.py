"""Generated params.yaml files: the preset with a value of another kind, or with text that YAML takes badly."""

import copy
import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.helpers.damage import any_bytes

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8")
DEFAULTS: dict[str, Any] = yaml.safe_load(TEXT)
Path_ = tuple[str | int, ...]

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1.0, 1e-320, 1e308, math.inf,
    -math.inf, math.nan,
    "", " ", "0.1", "1", "yes", "no", "null", "~", "none", "auto", "x" * 5000, "two\nlines", "\x1b[31mred", "ü", "{",
    "*", "a: b",
    [], [1], [[]], ["x"], [None], {}, {"a": 1}, {1: 2}, {None: None}, {True: 1}, {"kind": "none"}, {"kind": ["x"]},
    {"kind": {"kind": "x"}}, {"kind": None}, {1.5: {"kind": "forecast"}}, datetime.date(2021, 3, 1),
    datetime.datetime(2021, 3, 1, 12), list(range(1000)), [0, 0], [2**31], [True], {"x" * 5000: 1}, {"two\nlines": 1},
    {str(n): n for n in range(500)}, b"bytes", "../x", "sensors", ["sensors", "sensors"],
]  # fmt: skip
"""Values that may stand where another kind of value is expected."""

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n  k{n}: v\n" for n in range(1, 30)
)
TEXTS: list[str] = [
    BOMB + "train: *a29\n" + TEXT, BOMB + "base: *a29\n", MERGES, "train: " + "[" * 5000, "train: " + "{a: " * 5000,
    "".join(" " * n + f"k{n}:\n" for n in range(2000)), "[" * 100_000, "- " * 3000, "&a [*a]", "&a {a: *a}",
    "a: &a {b: *a}",
    "base: *gone", "a: &a 1\nb: &a 2\nc: *a\n" + TEXT, "!!python/object/apply:os.system ['touch sprung']",
    "base: !!python/name:os.system", "base: !foo x", "base: !!set {a}", "base: !!omap [a: 1]", "base: !!binary aGk=",
    "base: !!int x", "base: !!float x", "base: !!bool perhaps", "base: !!timestamp x", "base: !!null x",
    "base: !!map [1]",
    "base: !!seq {}", "base: !!str {}", "base: " + "9" * 5000, "base: 0b_", "base: 0x", "base: 0o8", "base: 2021-02-31",
    "base: 2021-13-45 99:99:99", "base: ._", "base: 1e999", "? [a, b]\n: 1", "? {a: b}\n: 1", "? |\n  long\n: 1",
    "1: 2", "null: 2",
    "~: 1", "true: 1", "2021-01-01: 1", ".nan: 1", "<<: 3", "<<: {a: 1}", "base:\n\tseeds: [0]", "base: {seeds: [0}",
    "base: 'x",
    'base: "\\x"', 'base: "\\ud800"', "base: |\n x\n  y\n z", "%YAML 1.1\n---\nbase: 010", "%YAML 9.9\n---\na: 1",
    "%TAG ! x\n---\n!a b",
    "--- 1\n--- 2", "---\n...\n---\n", TEXT + "\n---\n" + TEXT, TEXT + "...\n", "---\n" + TEXT, TEXT + TEXT,
    "# only a comment", " ",
    "\n" * 100_000, "x" * (1 << 20), "a: b: c", "@x", "`x", "%x", "&", "*", "!", "|", ">", "[", "]", "{", "}", ",",
    "?", ":", "-", "=",
    "\x00", "\x07", "\ufeff", "\u2028", "\x85", "\ufffe", "﻿" + TEXT, TEXT.replace("  ", "\t"), TEXT.replace(": ", ":"),
    TEXT.replace("\n", "\r"), TEXT.replace("threads: 1", "threads: 010"), TEXT.replace("threads: 1", "threads: 1:30"),
    TEXT.replace("threads: 1", "threads: 1_0"), TEXT.replace("enabled: true", "enabled: yes"), TEXT.replace("sensors:",
    "no:", 1),
    TEXT.replace("lr: 0.01", "lr: 1e-2"), TEXT.replace("lr: 0.01", "lr: 0.01\n  lr: 0.004"),
    TEXT.replace("threads: 1", "threads: 0o17"), TEXT.replace("threads: 1", "threads: 0x10"),
]  # fmt: skip


@dataclass(frozen=True)
class ParamsCase:
    """A file; when one value was replaced, where and by what; whether it is the same configuration as the preset."""

    data: bytes
    path: Path_ = ()
    value: Any = None
    same: bool = False


def paths(raw: Any, above: Path_ = ()) -> list[Path_]:
    """Every place in the preset: sections, lists and values."""
    inner: list[tuple[str | int, Any]] = list(raw.items()) if isinstance(raw, dict) else list(enumerate(raw))
    found = []
    for key, value in inner:
        found.append((*above, key))
        if isinstance(value, dict | list):
            found += paths(value, (*above, key))
    return found


def at(raw: Any, path: Path_) -> Any:
    for part in path:
        raw = raw[part]
    return raw


@st.composite
def wrong_values(draw: st.DrawFn) -> ParamsCase:
    """One value, list or section of the preset replaced, taken out, renamed, or joined by another key."""
    raw = copy.deepcopy(DEFAULTS)
    path = draw(st.sampled_from(paths(raw)))
    parent = at(raw, path[:-1])
    value = draw(st.sampled_from(VALUES))
    match draw(st.sampled_from(["replaced", "replaced", "replaced", "gone", "renamed", "joined"])):
        case "gone":
            del parent[path[-1]]
            return ParamsCase(_dump(raw))
        case "renamed" if isinstance(parent, dict):
            parent[
                draw(st.sampled_from([1, None, True, 1.5, "", "Ünder", "a b", "x" * 70, "../x", "a\nb", "lambda"]))
            ] = parent.pop(path[-1])
            return ParamsCase(_dump(raw))
        case "joined" if isinstance(parent, dict):
            parent[draw(st.sampled_from(["extra", "kind", "lambda", 1, "__class__", "model_config"]))] = value
            return ParamsCase(_dump(raw))
    parent[path[-1]] = value
    return ParamsCase(_dump(raw), path, value)


@st.composite
def wrong_texts(draw: st.DrawFn) -> ParamsCase:
    """Text that is no YAML, more than it seems, or of another YAML; lines moved, cut, there twice; damaged bytes."""
    match draw(st.sampled_from(["text", "text", "bytes", "lines", "same"])):
        case "text":
            return ParamsCase(draw(st.sampled_from(TEXTS)).encode("utf-8", errors="surrogatepass"))
        case "bytes":
            return ParamsCase(draw(any_bytes())(TEXT.encode()))
        case "lines":
            lines = TEXT.split("\n")
            at = draw(st.integers(0, len(lines) - 1))
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
            return ParamsCase("\n".join(lines).encode())
    ways = [TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT, "---\n" + TEXT, TEXT + "...\n", yaml.safe_dump(DEFAULTS,
            width=20),
            yaml.safe_dump(DEFAULTS, default_flow_style=True), "%YAML 1.2\n---\n" + TEXT,
            TEXT.replace("lr: 0.01", "lr: 1e-2"), TEXT.replace("lr: 0.01", "lr: !!float 0.01")]  # fmt: skip
    return ParamsCase(draw(st.sampled_from(ways)).encode(), same=True)


def _dump(raw: Any) -> bytes:
    """As YAML 1.2, with every text quoted: what is read is what was meant."""
    return _Dumper.text(raw).encode("utf-8", errors="surrogatepass")


class _Dumper(yaml.SafeDumper):
    """Writes every text in quotes and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    @classmethod
    def text(cls, raw: Any) -> str:
        return str(yaml.dump(raw, Dumper=cls, sort_keys=False, width=10**9))


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
