"""The command ``aiocache-kit``: looks at caches, and at the servers that they lie on, from outside of the program.

exits, failures, texts      exit codes, sentences for what goes wrong, and how numbers and keys are written
sources                     from what was typed to a cache
readings                    what Redis servers tell of themselves
screen                      the terminal: the only file that knows rich
items, doctor, bench, top   what is done
commands                    what may be typed: the only file that knows click

Rule 1: nothing of it is imported by the rest of the package, and click and rich only when a command runs.
Rule 2: results go to standard output; questions, progress and what is wrong go to standard error.
Rule 3: no value is shown but by `get`, and no secret at all; keys are shown so that a terminal obeys none of them.
"""

import sys
from collections.abc import Sequence

from aiocache_kit.cli.exits import Exit
from aiocache_kit.errors import MissingDependencyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what `arguments` say, None: those of this process; give the exit code (`Exit`)."""
    try:
        from aiocache_kit.cli.commands import run  # noqa: PLC0415  - it needs an extra
    except MissingDependencyError as error:
        sys.stderr.write(f"aiocache-kit: {error}\n")
        return Exit.USAGE
    return run(arguments)
