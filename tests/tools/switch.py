"""Appended to mtl/__init__.py of a copy in which mutants are tried: every drawn place asks whether it is on."""


def _switched_on(number: int, passed: set[tuple[int, str]] = set()) -> bool:  # noqa: B006 (one for the whole process)
    import os

    if "MUTANTS_REACHED" in os.environ:
        test = os.environ.get("MUTANTS_TEST", "")
        if (number, test) not in passed:
            passed.add((number, test))
            with open(os.environ["MUTANTS_REACHED"], "a", encoding="utf-8") as file:
                file.write(f"{number}\t{test}\n")
    return os.environ.get("MUTANTS_ON") == str(number)
