"""The rules of the house that no linter knows: what DVC is told about a stage is what the stage uses."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent
STAGES: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
OURS = ("mtl", "stages", "pipelines")

# Modules that a stage imports and does not depend on: changing them changes no result.
EXEMPT = {
    "mtl/tracking": "mirrors results in MLflow and is read by no stage",
    "mtl/__init__.py": "loads rooms when it is asked for their doors, which no stage is",
    "mtl/version.py": "says a version",
    "mtl/project": "holds files of new projects, and compares the code with code.json",
    "mtl/jobs": "starts processes, ends them with their parent, and shows progress",
}

TASKS = "data/tasks.json"
"""The section `tasks` as a file, for the stages of which there are many."""


def _body(stage: str) -> dict[str, Any]:
    entry: dict[str, Any] = STAGES[stage]
    inner: dict[str, Any] = entry.get("do", entry)
    return inner


def _module(stage: str) -> Path:
    command = str(_body(stage)["cmd"]).split()
    assert command[:2] == ["python", "-m"], f"{stage} should run `python -m stages.<name>`, found {command}"
    return PROJECT / (command[2].replace(".", "/") + ".py")


def _file(module: str) -> Path | None:
    """The file of one of our modules, or None for another package's."""
    path = PROJECT / module.replace(".", "/")
    if (path / "__init__.py").exists():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imported(path: Path) -> Iterator[str]:
    """Names of our modules that a file imports, anywhere in it; those for type checkers only are not run."""
    skipped = {
        inner
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body
        for inner in ast.walk(child)
    }
    for node in ast.walk(_tree(path)):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _uses(start: Path) -> set[Path]:
    """Our files that are run when `start` is, packages on the way included."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if any((PROJECT / exempt) in (path, *path.parents) for exempt in EXEMPT):
            continue
        for name in _imported(path):
            parts = name.split(".")
            if parts[0] in OURS:
                prefixes = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
                waiting += [file for prefix in prefixes if (file := _file(prefix)) is not None]
    return found


def _only_says_what_it_is(path: Path) -> bool:
    """A package's file that holds a docstring and a version at most."""
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr | ast.Assign) for node in _tree(path).body)


def _python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_module_it_uses(stage: str) -> None:
    """Otherwise DVC calls a stage up to date after its code has changed."""
    covered = {PROJECT / dep for dep in _body(stage)["deps"] if "$" not in dep}
    missing = sorted(
        path.relative_to(PROJECT).as_posix()
        for path in _uses(_module(stage))
        if not _only_says_what_it_is(path)
        and not any(folder in covered for folder in (path, *path.parents))
        and not any((PROJECT / exempt) in (path, *path.parents) for exempt in EXEMPT)
    )
    assert not missing, f"dvc.yaml: the deps of {stage} should cover {', '.join(missing)}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_code_that_exists(stage: str) -> None:
    for dep in _body(stage)["deps"]:
        if dep.endswith(".py") or dep.startswith(("mtl", "plugins")):
            assert (PROJECT / dep).exists(), dep


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_sections_it_receives(stage: str) -> None:
    """It sees no others, so a setting whose change would not rerun it cannot reach it."""
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in _tree(_module(stage)).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "SECTIONS"
    }
    declared = {str(param).split(".")[0] for param in _body(stage)["params"]}
    if TASKS in _body(stage)["deps"]:
        assert "tasks" not in declared, "the section is told by the file"
        declared.add("tasks")
    assert set(assigned.get("SECTIONS", ())) == declared


@pytest.mark.parametrize("stage", STAGES)
def test_what_never_changes_a_result_is_in_no_stage(stage: str) -> None:
    params = [str(param) for param in _body(stage)["params"]]
    assert "base" not in params, "base.jobs is the number of processes"
    assert "base.jobs" not in params
    assert not any(param.startswith("tracking") for param in params)


def test_every_stage_of_the_folder_is_in_the_pipeline() -> None:
    helpers = {"__init__", "common", "fan_out", "kept"}
    files = {path.stem for path in (PROJECT / "mtl/stages").glob("*.py")} - helpers
    assert files == {_module(stage).stem for stage in STAGES}


def test_the_exempt_modules_exist() -> None:
    assert all((PROJECT / path).exists() for path in EXEMPT)


def test_an_edit_of_an_exempt_room_leaves_the_identity_of_runs_as_it_is() -> None:
    """Otherwise DVC would call a stage up to date whose states and results the new code refuses."""
    from mtl.experiment.identity import HARMLESS

    assert {path.removeprefix("mtl/") for path in EXEMPT} <= set(HARMLESS)


@pytest.mark.parametrize("path", _python_files("mtl"), ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_annotations_in_the_library_are_objects(path: Path) -> None:
    """`from __future__ import annotations` would turn them into text, and shapes could not be checked at run time."""
    assert not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in _tree(path).body)


RUNS_CODE = {
    "pickle", "cPickle", "cloudpickle", "joblib", "dill", "shelve", "marshal", "torch.save", "pd.read_pickle",
    "pandas.read_pickle", "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader",
    "yaml.FullLoader", "yaml.UnsafeLoader", "os.system", "os.popen", "shutil.unpack_archive", "tarfile",
}  # fmt: skip
"""Reading with these runs code from a file, or unpacks an archive to where the archive wants."""
IN_MEMORY = {"mtl/data/formats/archives.py": "tarfile"}
"""The one file that opens tar archives: it reads their members in memory. Extracting is found there as well."""
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}


def _dangers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of what reads a file in a way that lets the file decide what happens."""
    for node in ast.walk(tree):
        names: set[str] = set()
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names} & RUNS_CODE
        elif isinstance(node, ast.ImportFrom):
            names = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)} & RUNS_CODE
            names |= {f"from {node.module} import load" for alias in node.names
                      if alias.name == "load" and node.module in ("numpy", "torch")}  # fmt: skip
        elif isinstance(node, ast.Attribute):
            names = {ast.unparse(node)} & RUNS_CODE
            names |= {node.attr} & {"extract", "extractall", "unpack_archive", "read_pickle"}
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            names = {called} & RUNS_TEXT
            if called in ("np.load", "numpy.load") or called.endswith("format.read_array"):
                names |= {called} if given.get("allow_pickle") != "False" else set()
            if called == "torch.load" and given.get("weights_only") != "True":
                names |= {called}
            if given.get("shell") == "True":
                names |= {"shell=True"}
            if called == "YAML" and given.get("typ") in ("'unsafe'", '"unsafe"'):
                names |= {"YAML(typ='unsafe')"}
        for name in names:
            yield getattr(node, "lineno", 0), name


def test_no_file_that_is_read_decides_what_runs() -> None:
    """Weights and states are safetensors and JSON, arrays come without pickles, archives in memory, YAML as data."""
    found = [
        f"{path.relative_to(PROJECT)}:{line} {name}"
        for path in _python_files("mtl", "stages", "pipelines", "benchmarks")
        for line, name in _dangers(_tree(path))
        if IN_MEMORY.get(path.relative_to(PROJECT).as_posix()) != name
    ]
    # Its members are read in memory and never extracted; `.extract` is among the dangers.
    assert [place for place in found if not re.fullmatch(r"mtl/data/formats/archives.py:\d+ tarfile", place)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "from torch import load", "torch.load(path)",
        "from tarfile import open",
        "torch.load(path, weights_only=False)", "np.load(path)", "np.load(path, allow_pickle=True)", "import tarfile",
        "np.lib.format.read_array(file)", "yaml.load(text, Loader=yaml.FullLoader)", "archive.extractall(folder)",
        "archive.extract(name)", "shutil.unpack_archive(path)", "eval(text)", "exec(text)", "torch.save(x, path)",
        "pd.read_pickle(path)", "YAML(typ='unsafe')", "subprocess.run(text, shell=True)", "import joblib",
    ],
)  # fmt: skip
def test_such_a_line_would_be_found(source: str) -> None:
    assert list(_dangers(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "model.eval()",
        "yaml.safe_load(text)",
    ],
)
def test_such_a_line_is_fine(source: str) -> None:
    assert not list(_dangers(ast.parse(source)))


@pytest.mark.parametrize("path", _python_files("mtl", "stages", "pipelines"), ids=lambda path: path.stem)
def test_no_file_is_longer_than_a_person_reads(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


LONGEST, MOST_ARGUMENTS = 80, 8
"""Lines of a function, its docstring included; its arguments without `self`."""


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True when the arguments of a function are the options of a command: it is decorated with `….command(…)`."""
    called = (node.func for node in function.decorator_list if isinstance(node, ast.Call))
    return any(isinstance(name, ast.Attribute) and name.attr in ("command", "callback") for name in called)


def _too_large(tree: ast.AST) -> Iterator[str]:
    """Functions that nobody can hold in the head at once."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > LONGEST:
            yield f"{node.name} has {lines} lines"
        given = node.args
        names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = len(names) - (names[:1] in (["self"], ["cls"])) + (given.vararg is not None) + (given.kwarg is not None)
        if count > MOST_ARGUMENTS and not _is_command(node):
            yield f"{node.name} has {count} arguments"


def test_no_function_is_larger_than_a_person_holds_in_the_head() -> None:
    large = [
        f"{path.relative_to(PROJECT)}: {what}"
        for path in _python_files("mtl", "stages", "pipelines")
        for what in _too_large(_tree(path))
    ]
    assert large == []


EIGHT = "a, b, c, d, e, f, g, h"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"def f({EIGHT}): pass", []),
        (f"def f({EIGHT}, i): pass", ["f has 9 arguments"]),
        (f"def f({EIGHT}, *rest): pass", ["f has 9 arguments"]),
        (f"class C:\n    def f(self, {EIGHT}): pass", []),
        (f"class C:\n    async def f(self, {EIGHT}, *, i): pass", ["f has 9 arguments"]),
        (f"@app.command()\ndef f({EIGHT}, i): pass", []),
        (f"@cache()\ndef f({EIGHT}, i): pass", ["f has 9 arguments"]),
        ("def f():\n" + 79 * "    pass\n", []),
        ("def f():\n" + 80 * "    pass\n", ["f has 81 lines"]),
        ("@app.command()\ndef f():\n" + 80 * "    pass\n", ["f has 81 lines"]),
    ],
)
def test_such_a_function_would_be_found(source: str, found: list[str]) -> None:
    assert list(_too_large(ast.parse(source))) == found


FOLDERS = ("mtl", "stages", "pipelines", "benchmarks", "plugins/examples", "tests")
FIRST_WORDS = re.compile(r"\s*(Of|What|Whether|Those|Which)\b")
"""Beginnings of half sentences, which a reader completes with a word that is not there."""
OWN_SPECIFICATION = re.compile(r"\(methods \d")
"""Sections of a document that the repository does not hold: a paper and its equation are cited instead."""
EMPTY_NAMES = {"found", "one"}
"""Names that say nothing of what they hold."""


def _half_sentences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of docstrings, of attributes too, that begin or cite as a docstring should not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            text = node.value.value
            if FIRST_WORDS.match(text) or OWN_SPECIFICATION.search(text):
                yield node.lineno, text.strip().partition("\n")[0]


def _empty_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of variables, arguments, attributes, functions and classes with a name for everything."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                pass
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                pass
            case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.ExceptHandler(name=name):
                pass
            case _:
                continue
        if name in EMPTY_NAMES:
            yield getattr(node, "lineno", 0), name


def test_docstrings_begin_with_a_noun_or_a_verb() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)}:{line} {text}"
        for path in _python_files(*FOLDERS)
        for line, text in _half_sentences(_tree(path))
    ]
    assert wrong == []


def test_variables_are_named_for_what_they_hold() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)}:{line} {name}"
        for path in _python_files("mtl", "stages", "pipelines", "benchmarks")
        for line, name in _empty_names(_tree(path))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("docstring", "wrong"),
    [
        ("Whether it fits.", True),
        ("Of one sample.", True),
        ("\n    What is left.", True),
        ("Those that train.", True),
        ("Which epoch is kept.", True),
        ("The weights of each task (methods 2.1).", True),
        ("True when it fits.", False),
        ("Offset in rows.", False),
        ("Methods (methods of balancing) by name.", False),
    ],
)
@pytest.mark.parametrize("place", ['"""{}"""', 'def f():\n    """{}"""', 'class C:\n    x: int\n    """{}"""'])
def test_such_a_docstring_would_be_found(place: str, docstring: str, wrong: bool) -> None:
    assert bool(list(_half_sentences(ast.parse(place.format(docstring))))) == wrong


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("found = 1", True),
        ("[one.path for one in runs]", True),
        ("for one, other in pairs: pass", True),
        ("def f(found: int) -> None: pass", True),
        ("lambda one: one", True),
        ("self.found = []", True),
        ("class C:\n    def one(self): pass", True),
        ("if (found := f()): pass", True),
        ("match x:\n    case [one, *_]: pass", True),
        ("first, found_rows = 1, 2", False),
        ("names(one=1)", False),
    ],
)
def test_such_a_name_would_be_found(source: str, wrong: bool) -> None:
    assert bool(list(_empty_names(ast.parse(source)))) == wrong
