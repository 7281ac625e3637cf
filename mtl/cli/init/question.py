"""Questions at a terminal; where there is none, nobody is asked."""

import sys
from collections.abc import Sequence

from mtl.errors import UserError


def at_terminal() -> bool:
    """True where somebody reads what is printed, and can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, answers: Sequence[tuple[str, str]]) -> str:
    """The answer that is chosen, by its number or its name; asks again until it is one of them.

    Args:
        question: a sentence.
        answers: name and meaning of each.

    Raises:
        UserError: the input has ended.
    """
    print(question)
    for number, (answer, meaning) in enumerate(answers, 1):
        print(f"  {number}  {meaning} ({answer})")
    choices = {str(number): answer for number, (answer, _) in enumerate(answers, 1)}
    choices |= {answer: answer for answer, _ in answers}
    while True:
        given = answered(f"Number 1 to {len(answers)}: ").strip().lower()
        if given in choices:
            return choices[given]


def answered(prompt: str) -> str:
    """A line that the user writes.

    Raises:
        UserError: the input has ended.
    """
    try:
        return input(prompt)
    except EOFError:
        raise UserError(
            "`mtl init` has asked, and the input has ended without an answer: nothing was written."
        ) from None
