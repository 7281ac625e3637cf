"""A kind of task or of input is asked for in its own room alone.

Whoever asks elsewhere would silently give the next kind the answer of another.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

OWN_ROOMS = (
    "mtl/tasks/", "mtl/data/inputs/", "mtl/config/tasks.py", "mtl/config/inputs.py",
    "mtl/report/panels.py",
)  # fmt: skip
"""Where a kind is told from another: the kinds themselves, their sections of params.yaml, the panels of the report."""

FAMILY = {
    "mtl/balancing/weighted.py": "λ is the share of the classifications",
    "mtl/balancing/uncertainty.py": "the two forms of Kendall, Gal and Cipolla",
    "mtl/training/stopping.py": "the criteria are named by what they read",
    "mtl/training/recording.py": "a data map notes certainty or errors",
    "mtl/experiment/recipe.py": "the order of a sequential method",
    "mtl/config/contradictions.py": "λ and the criteria need both families",
    "mtl/config/method_checks.py": "the order of a sequential method needs both families",
    "mtl/config/balancing.py": "the order of a sequential method, in words",
    "mtl/config/training.py": "a tolerance without names is one of errors",
    "mtl/evaluation/rows.py": "the ratio of errors, which a tolerance is about",
    "mtl/evaluation/blind.py": "labels have lines of their own for what no input reaches",
    "mtl/evaluation/comparison.py": "what no input reaches: by classes, or by the mean",
    "mtl/evaluation/scores.py": "a table of the metrics that all labels have",
    "mtl/evaluation/symptoms.py": "which family pulls harder on the shared weights",
    "mtl/experiment/reference.py": "errors that the criterion `constrained` holds",
    "mtl/stages/reference.py": "errors that the criterion `constrained` holds",
    "mtl/cli/study/objective.py": "objectives are means over a family",
    "mtl/cli/study/search_space.py": "objectives are means over a family",
}
"""Modules that may ask for a task's family, and why."""

FAMILY_WORDS = ("family", "comparison with", "dictionary by", "case of forecast")
"""Words of the findings where a family is asked for, or an order or a criterion that is named by one."""

TASKS = {"forecast", "regression", "classification", "binary", "tagging"}
INPUTS = {"windows", "images", "rows", "tokens", "mixed"}
CLASSES = {
    "ForecastTask", "RegressionTask", "ClassificationTask", "BinaryTask", "TaggingTask", "LabelBase",
    "Forecast", "Regression", "Classification", "Binary", "Tagging", "RegressionSpec", "LabelSpec",
    "Prepared", "ImageSet", "RowSet", "TextSet", "MixedSet", "Windows", "Images", "Rows", "TextSamples",
    "WindowsInput", "ImagesInput", "RowsInput", "TokensInput", "MixedInput", "MixedSamples",
    "WINDOWS", "IMAGES", "ROWS", "TOKENS", "MIXED",
}  # fmt: skip
FAMILIES = {"regression", "classification"}


def _names(node: ast.AST) -> set[str]:
    """Names and texts in an expression; of a member the last name."""
    names: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            names.add(part.value)
        elif isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
    return names


def _asks_family(node: ast.Compare) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "family" for part in ast.walk(node))


def questions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what is asked) of every place that tells kinds of task or input apart; `family` if it asks for that."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            asked = set[str]().union(*(_names(part) for part in (node.left, *node.comparators)))
            if _asks_family(node):
                yield node.lineno, "family"
            elif found := asked & (TASKS | CLASSES):
                whose = "comparison of a kind" if found & CLASSES or "kind" in asked else "comparison"
                yield node.lineno, f"{whose} with {', '.join(sorted(found))}"
            elif found := asked & INPUTS and any("kind" in name for name in asked):
                yield node.lineno, "comparison with a kind of input"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            if found := _names(node.args[1]) & CLASSES:
                yield node.lineno, f"{ast.unparse(node.func)} of {', '.join(sorted(found))}"
        elif isinstance(node, ast.MatchClass):
            if found := _names(node.cls) & CLASSES:
                yield node.lineno, f"case of {', '.join(sorted(found))}"
        elif isinstance(node, ast.MatchValue):
            if found := _names(node.value) & (TASKS | CLASSES | INPUTS):
                yield node.lineno, f"case of {', '.join(sorted(found))}"
        elif isinstance(node, ast.Dict):
            keys = {name for key in node.keys if key is not None for name in _names(key)}
            if (found := keys & (TASKS | CLASSES)) or len(found := keys & INPUTS) > 1:
                yield node.lineno, f"dictionary by {', '.join(sorted(found))}"


def _files() -> list[str]:
    return sorted(
        path.relative_to(PROJECT).as_posix()
        for folder in ("mtl", "stages", "pipelines")
        for path in (PROJECT / folder).rglob("*.py")
    )


@pytest.mark.parametrize("file", [file for file in _files() if not file.startswith(OWN_ROOMS)])
def test_nobody_else_asks_for_a_kind(file: str) -> None:
    found = [
        f"line {line}: {asked}"
        for line, asked in questions(ast.parse((PROJECT / file).read_text(encoding="utf-8")))
        if not (file in FAMILY and asked.startswith(FAMILY_WORDS))
    ]
    assert found == []


@pytest.mark.parametrize("file", FAMILY)
def test_the_modules_that_may_ask_for_a_family_do(file: str) -> None:
    assert list(questions(ast.parse((PROJECT / file).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        'spec.kind == "forecast"', 'task.kind != "binary"', 'kind in ("classification", "binary")',
        "isinstance(task, ForecastTask)", "isinstance(source, Prepared | ImageSet)", "type(spec) is Regression",
        '{"forecast": 1, "binary": 2}', "{Windows: 1}", 'meta.kind == "images"', 'task.family == "regression"',
        "match task:\n    case ForecastTask():\n        pass", 'match kind:\n    case "images":\n        pass',
        "source.input == IMAGES",
    ],
)  # fmt: skip
def test_such_a_line_would_be_found(line: str) -> None:
    assert list(questions(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    ['{"rows": 3, "columns": 2}', 'run.stage == "baseline"', "isinstance(value, Tensor)", 'mode == "rows"'],
)
def test_such_a_line_is_fine(line: str) -> None:
    assert not list(questions(ast.parse(line)))
