"""Changes of one operator in a Python file, each of which a test should notice.

Four sorts: a comparison (`<` for `<=`, `==` for `!=`), a sign (`+` for `-`, `-x` for `x`), off by one (a number in an
index, a range or a comparison), a dropped mask (`a & b` for `a`, `where(mask, x, y)` for `x`).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
SIGNS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
SMALL = 16
"""Largest whole number that is taken for a place or a count."""


@dataclass(frozen=True)
class Mutant:
    """One changed place of a file."""

    file: str
    sort: str
    line: int
    end_line: int
    old: str
    new: str
    begin: int
    """Where the old text begins in the file, in bytes."""
    end: int

    def apply(self, source: bytes) -> bytes:
        """The file with the change; every other line stays where it was."""
        lines = source[self.begin : self.end].count(b"\n")
        return source[: self.begin] + f"({self.new}{chr(10) * lines})".encode() + source[self.end :]


def mutants(root: Path, file: str) -> list[Mutant]:
    """Every mutant of a file, in the order of their places.

    Args:
        root: the project's folder.
        file: path below it.
    """
    source = (root / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    made = []
    for node, sort, changed in _changes(ast.parse(source)):
        assert node.end_lineno is not None and node.end_col_offset is not None
        begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        mutant = Mutant(file, sort, node.lineno, node.end_lineno, ast.unparse(node), ast.unparse(changed), begin, end)
        try:
            compile(mutant.apply(source), file, "exec")
        except SyntaxError:  # an operand of a pattern, a part of an f-string
            continue
        made.append(mutant)
    return sorted(made, key=lambda mutant: (mutant.begin, mutant.end, mutant.new))


def with_switches(source: bytes, numbered: dict[int, Mutant]) -> bytes:
    """A file in which each mutant can be switched on by its number; every line stays where it was.

    Args:
        source: the file.
        numbered: number → mutant; one may lie within another.
    """
    put: list[tuple[int, int, int, bytes]] = []
    for number, mutant in numbered.items():
        length = mutant.end - mutant.begin
        # Where several begin or end in one place, the longer one stands outside.
        put.append(
            (mutant.begin, 1, -length, f'(({mutant.new}) if __import__("mtl")._switched_on({number}) else ('.encode())
        )
        put.append((mutant.end, 0, length, b"))"))
    made, last = b"", 0
    for place, _, _, text in sorted(put):
        made, last = made + source[last:place] + text, place
    return made + source[last:]


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """(expression, sort, what takes its place) of every mutant."""
    skipped = _without_behaviour(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        match node:
            case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
                yield node, "comparison", ast.Compare(node.left, [COMPARISONS[type(operator)]()], node.comparators)
            case ast.BinOp(op=ast.BitAnd()):
                yield node, "dropped mask", node.left
            case ast.BinOp(op=operator) if type(operator) in SIGNS and not _is_text(node):
                yield node, "sign", ast.BinOp(node.left, SIGNS[type(operator)](), node.right)
            case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
                yield node, "sign", operand
            case ast.Call(func=ast.Attribute(attr="where"), args=[_, kept, _]):
                yield node, "dropped mask", kept
            case _:
                pass
        for number in _places(node):
            if id(number) not in skipped:
                yield number, "off by one", ast.Constant(int(str(number.value)) + 1)


def _places(node: ast.AST) -> list[ast.Constant]:
    """Whole numbers that count or point, directly below an expression."""
    match node:
        case ast.Slice():
            around: list[ast.expr | None] = [node.lower, node.upper]
        case ast.Subscript(slice=ast.Constant() as index):
            around = [index]
        case ast.Compare():
            around = [*node.comparators]
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            around = [node.right]
        case ast.Call(func=ast.Name(id="range")):
            around = [*node.args]
        case _:
            around = []
    return [
        part for part in around if isinstance(part, ast.Constant) and type(part.value) is int and part.value <= SMALL
    ]


def _is_text(node: ast.BinOp) -> bool:
    """Says whether text is joined, by a literal beside the operator."""
    sides = (node.left, node.right)
    return any(isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str) for side in sides)


def _without_behaviour(tree: ast.AST) -> set[int]:
    """Ids of nodes that no test can see: annotations, what type checkers alone read, f-strings of messages."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign():
                roots.append(node.annotation)
            case ast.arg(annotation=ast.expr() as annotation):
                roots.append(annotation)
            case ast.FunctionDef(returns=ast.expr() as returns):
                roots.append(returns)
            case ast.If() if "TYPE_CHECKING" in ast.unparse(node.test):
                roots.append(node)
            case ast.JoinedStr() | ast.Assert():
                roots.append(node)
            case _:
                pass
    return {id(inner) for root in roots for inner in ast.walk(root)}
