"""Constraints that pin every dependency of pyproject.toml to the lowest version that its range allows.

    python -m tests.tools.lowest >lowest.txt         # what `make test-lowest` gives to pip

Dependencies at run time and those of the extras for users are pinned. Tools of the extras `dev` and `docs` are not: no
user installs them. The dependencies of the dependencies are left to pip, which takes their newest.
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?(?P<operator>>=|==)(?P<version>[0-9][0-9A-Za-z.]*)")


def lowest(pyproject: str) -> list[str]:
    """Lines of a constraints file.

    Args:
        pyproject: text of a pyproject.toml.

    Raises:
        ValueError: a dependency has no lowest version.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {})
    used = [lines for name, lines in extras.items() if name not in ("dev", "docs")]
    wanted = [*project["dependencies"], *(line for lines in used for line in lines)]
    pins: dict[str, str] = {}
    for line in wanted:
        parts = REQUIREMENT.match(line)
        if parts is None:
            raise ValueError(f"{line!r} should begin with a name and its lowest version, as in 'numpy>=2.1'")
        version = pins.setdefault(parts["name"], parts["version"])
        if version != parts["version"]:
            raise ValueError(f"{parts['name']} should have one lowest version, found {version} and {parts['version']}")
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


if __name__ == "__main__":
    print("\n".join(lowest((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))))
