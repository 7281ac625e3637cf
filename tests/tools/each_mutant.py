"""A plugin of pytest that collects once, notes what each test reaches and costs, and tries mutants in forks of itself.

Started by mutants.py in a copy of the project with switches; MUTANTS_OUT names the folder of what is known so far.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

FAILED = 1
IMPORTED = ""
"""Stands for the test while modules are imported."""

_failures: list[str] = []


def _out() -> Path:
    return Path(os.environ["MUTANTS_OUT"])


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The rows of a file, none if there is no such file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def pytest_configure(config: pytest.Config) -> None:
    """Notes which switches are passed while tests are collected."""
    if "MUTANTS_ON" not in os.environ:
        os.environ["MUTANTS_REACHED"] = str(_out() / "reached.tsv")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keeps the names of failing tests."""
    if report.failed:
        _failures.append(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Takes the place of pytest's own loop."""
    if session.testsfailed or "MUTANTS_ON" in os.environ:
        return None
    known = {row["test"] for row in json_lines(_out() / "tests.jsonl")}
    new = [item for item in session.items if item.nodeid not in known]
    if new and _in_a_fork(lambda: _note(new), limit=None) != 0:
        raise RuntimeError("the run that notes what tests reach was ended")
    os.environ.pop("MUTANTS_REACHED", None)
    session.testsfailed += _try_all(session.items)
    return True


def _run(items: Sequence[pytest.Item], stop: bool) -> Generator[pytest.Item, None, None]:
    for place, item in enumerate(items):
        following = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        yield item
        if stop and _failures:
            return


def _note(items: Sequence[pytest.Item]) -> int:
    """Runs every test; writes its CPU seconds, those of processes that it waited for included."""
    os.environ["MUTANTS_TEST"] = items[0].nodeid
    with (_out() / "tests.jsonl").open("a", encoding="utf-8") as file:
        begun = _cpu()
        for place, item in enumerate(_run(items, stop=False)):
            now = _cpu()
            row = {"test": item.nodeid, "cpu": round(now - begun, 3), "passed": item.nodeid not in _failures}
            file.write(json.dumps(row) + "\n")
            file.flush()
            begun = now
            if place + 1 < len(items):
                os.environ["MUTANTS_TEST"] = items[place + 1].nodeid
    return 0


def _cpu() -> float:
    spent = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in spent)


def _in_a_fork(work: Any, limit: float | None) -> int | None:
    """Runs a function in a fork in a session of its own; returns its number, or None if it took too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            os.setsid()
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            code = work()
        finally:
            os._exit(code)
    ends = None if limit is None else time.monotonic() + limit
    while True:
        done, status = os.waitpid(child, 0 if ends is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if ends is not None and time.monotonic() > ends:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.05)


def _try_all(items: Sequence[pytest.Item]) -> int:
    """Tries the mutants that have no fate yet and prints them all; returns how many tests fail without any."""
    drawn = json.loads((_out() / "drawn.json").read_text(encoding="utf-8"))
    reached: dict[int, set[str]] = {}
    for line in (_out() / "reached.tsv").read_text(encoding="utf-8").splitlines():
        number, test = line.split("\t", 1)
        reached.setdefault(int(number), set()).add(test)
    noted = json_lines(_out() / "tests.jsonl")
    failing = {row["test"] for row in noted if not row["passed"]}
    cpu = {row["test"]: row["cpu"] for row in noted}
    # A test that noticed a mutant before a change comes first.
    first = {row["number"]: row["by"] for row in json_lines(_out() / "before.jsonl")}
    results = _out() / "mutants.jsonl"
    known = {row["number"]: row for row in json_lines(results)}
    for mutant in drawn:
        number = mutant["number"]
        if number not in known:
            tests = reached.get(number, set())
            known[number] = mutant | _fate(
                mutant, in_order(items, tests - failing, cpu, first.get(number)), IMPORTED in tests
            )
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(known[number], ensure_ascii=False) + "\n")
        _show(known[number])
    fates = [known[mutant["number"]]["fate"] for mutant in drawn]
    print(", ".join(f"{fates.count(fate)} {fate}" for fate in sorted(set(fates))), f"of {len(fates)}")
    for test in sorted(failing):
        print(f"fails without any mutant: {test}")
    return len(failing)


def in_order(
    items: Sequence[pytest.Item], tests: set[str], cpu: dict[str, float], first: str | None = None
) -> list[pytest.Item]:
    """The tests of the names, file by file, first the file of which these tests cost least, but `first` before all."""
    chosen = [item for item in items if item.nodeid in tests]
    cost: dict[Path, float] = {}
    for item in chosen:
        cost[item.path] = cost.get(item.path, 0.0) + cpu.get(item.nodeid, 0.0)
    return sorted(chosen, key=lambda item: (item.nodeid != first, cost[item.path], str(item.path)))


def _fate(mutant: dict[str, Any], items: list[pytest.Item], imported: bool) -> dict[str, Any]:
    begun, by, limit = time.monotonic(), _out() / "noticed_by", float(os.environ["MUTANTS_LIMIT"])
    by.unlink(missing_ok=True)
    code: int | None = 0
    if items:
        os.environ["MUTANTS_ON"] = str(mutant["number"])
        code = _in_a_fork(lambda: _judge(items, by), limit)
        del os.environ["MUTANTS_ON"]
        fate = "too long" if code is None else "noticed" if code else "survived"
    elif imported:
        room = Path("tests", *Path(mutant["file"]).parts[1:2])
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-qx",
            "-p",
            "no:cacheprovider",
            str(room) if room.is_dir() else "tests",
        ]
        surroundings = os.environ | {"MUTANTS_ON": str(mutant["number"])}
        code = subprocess.run(command, env=surroundings, capture_output=True, check=False).returncode
        fate = "noticed" if code else "survived"
    else:
        fate = "unreached"
    noticed = by.read_text(encoding="utf-8") if by.exists() else None
    return {"fate": fate, "tests": len(items), "by": noticed, "seconds": round(time.monotonic() - begun)}


def _judge(items: Sequence[pytest.Item], by: Path) -> int:
    for _ in _run(items, stop=True):
        pass
    if _failures:
        by.write_text(_failures[0], encoding="utf-8")
    return FAILED if _failures else 0


def _show(row: dict[str, Any]) -> None:
    print(
        f"{row['number']:3} {row['fate']:9} {row['seconds']:5} s  {row['tests']:4} tests  {row['file']}:{row['line']}  "
        f"{row['sort']}: {row['old']}  →  {row['new']}   {row['by'] or ''}", flush=True,
    )  # fmt: skip
