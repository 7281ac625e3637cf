"""Attacks on the project, repeated, with a table of what was tried, what came of it and what was lost.

    python -m benchmarks.reliability                      # every attack, in full
    python -m benchmarks.reliability inputs-table kills-series --count 20

Each try is one line of OUT/ATTACK.jsonl: a campaign that was interrupted goes on where it was. Exit codes: 0 nothing
was lost; 1 something was; 2 a mistake of the user's.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.command import count, start
from benchmarks.machine import OUT
from benchmarks.reliability import inputs, kills
from benchmarks.reliability.campaign import Attack, carry_out, table
from benchmarks.reliability.forms import FORMS

ATTACKS: dict[str, Attack] = {
    f"inputs-{kind}": Attack(500, partial(inputs.begin, kind=kind)) for kind in FORMS
} | {f"kills-{kind}": Attack(100, partial(kills.begin, kind=kind)) for kind in kills.PRESETS}  # fmt: skip


def main(given: Sequence[str] | None = None, attacks: dict[str, Attack] = ATTACKS) -> int:
    """Carries out attacks and prints the table."""
    command = ArgumentParser(
        prog="python -m benchmarks.reliability", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    command.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join(attacks)} (default: all)")
    command.add_argument("--count", type=count, help="disturbances of each attack (default: those of the attack)")
    command.add_argument("--out", type=Path, default=OUT / "reliability", metavar="FOLDER", help="of the logs")
    command.add_argument("--table", action="store_true", help="try nothing, print the table of what was tried")
    options = command.parse_args(given)
    for name in options.attacks:
        if name not in attacks:
            command.error(f"no attack is called {name!r}; there are {', '.join(attacks)}.")
    chosen = {name: attacks[name] for name in options.attacks or attacks}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, attack in chosen.items() if not options.table else ():
        place = options.out.absolute() / name
        carry_out(attack, options.count or attack.count, options.out / f"{name}.jsonl", place)
    lines, losses = table(chosen, options.out)
    print(lines)
    return 1 if losses else 0


if __name__ == "__main__":
    start(lambda: main())
