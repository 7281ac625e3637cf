#!/usr/local/bin/python
"""Health check of a container: exit code 0 if the address, if one is given, answers with a status below 300."""

import sys
from urllib.error import URLError
from urllib.request import urlopen


def main(addresses: list[str]) -> int:
    """Asks each of them; the exit code."""
    for address in addresses:
        try:
            with urlopen(address, timeout=5):
                pass
        except (URLError, OSError) as error:
            print(f"{address}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
