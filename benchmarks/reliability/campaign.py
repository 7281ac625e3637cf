"""One campaign: attacks that are tried many times, a line of JSON for each try, and a table of what was lost."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter


@dataclass(frozen=True)
class Outcome:
    """One try: the thing that was attempted, what came of it, and what was lost or wrong, in words.

    Args:
        what: the attempt; tries of the same words are counted together.
        came: the end of it, such as "refused in one message"; counted as well.
        lost: everything that is not as it should be; empty when nothing was lost.
        hits: disturbances of this try, such as kills.
    """

    what: str
    came: str
    lost: tuple[str, ...] = ()
    hits: int = 1


Attempt = Callable[[int], Outcome]
"""Try number n; the same number is the same try in every campaign."""


@dataclass(frozen=True)
class Attack:
    """A way to do harm.

    Args:
        count: disturbances of a whole campaign.
        begin: makes ready in a folder, gives the attempt, and clears up.
    """

    count: int
    begin: Callable[[Path], AbstractContextManager[Attempt]]


def carry_out(attack: Attack, count: int, log: Path, place: Path) -> None:
    """Goes on with an attack until `count` disturbances are written to its log.

    Args:
        attack: the attack.
        count: disturbances in all, those of earlier calls included.
        log: file with a line of JSON for each try; it is made, or added to.
        place: folder of its own for the attack; what it keeps there serves later calls.
    """
    done = read(log)
    if sum(outcome.hits for outcome in done.values()) >= count:
        return
    place.mkdir(parents=True, exist_ok=True)
    with attack.begin(place) as attempt:
        number, hits = -1, sum(outcome.hits for outcome in done.values())
        while hits < count:
            number += 1
            if number in done:
                continue
            began = perf_counter()
            outcome = _tried(attempt, number)
            hits += outcome.hits
            line = asdict(outcome) | {"number": number, "seconds": round(perf_counter() - began, 3)}
            _append(log, json.dumps(line, ensure_ascii=False))
            for loss in outcome.lost:
                print(f"{log.stem} {number}: LOST {loss}", flush=True)


def _append(log: Path, line: str) -> None:
    """Adds a line, on its own also where a kill cut off the last."""
    with log.open("ab+") as file:
        whole = file.tell() == 0 or (file.seek(-1, 2) >= 0 and file.read(1) == b"\n")
        file.write((b"" if whole else b"\n") + line.encode("utf-8") + b"\n")


def _tried(attempt: Attempt, number: int) -> Outcome:
    """The outcome; an exception that nobody foresaw is a loss, and counts as one disturbance."""
    try:
        return attempt(number)
    except Exception as error:
        told = "".join(traceback.format_exception(error, limit=-4))
        return Outcome("a try that broke", "an exception", (told[-3000:],))


def read(log: Path) -> dict[int, Outcome]:
    """Number → outcome of every try in a log; a line that a kill cut off is a try that was not made."""
    done: dict[int, Outcome] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        done[content["number"]] = Outcome(
            content["what"], content["came"], tuple(content["lost"]), hits=content["hits"]
        )
    return done


def table(attacks: dict[str, Attack], logs: Path) -> tuple[str, int]:
    """The campaign so far as a Markdown table, and the number of losses in it.

    Args:
        attacks: those that are shown, by name.
        logs: folder of their logs.
    """
    lines, losses = ["| attack | tried | came of it | lost |", "|---|---|---|---|"], 0
    for name in attacks:
        done = list(read(logs / f"{name}.jsonl").values())
        lost = [loss for outcome in done for loss in outcome.lost]
        losses += len(lost)
        told = "nothing" if not lost else f"**{len(lost)}**"
        lines.append(f"| {name} | {_counted([(o.what, o.hits) for o in done])} | "
                     f"{_counted([(o.came, 1) for o in done])} | {told} |")  # fmt: skip
    return "\n".join(lines), losses


def _counted(parts: Sequence[tuple[str, int]]) -> str:
    """Words with how often they came, the commonest first."""
    counts: Counter[str] = Counter()
    for words, times in parts:
        counts[words] += times
    return ", ".join(f"{count:,} {words}" for words, count in _ordered(counts)) or "nothing yet"


def _ordered(counts: Counter[str]) -> Iterator[tuple[str, int]]:
    yield from sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def differences(expected: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """A sentence for each file (path → hash) that is lost, too many or different."""
    lost = [f"{path} is missing" for path in expected if path not in held]
    lost += [f"{path} is too many" for path in held if path not in expected]
    return lost + [f"{path} differs" for path in expected if path in held and held[path] != expected[path]]
