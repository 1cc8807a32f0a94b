"""``python -m aiocache_kit`` is the command ``aiocache-kit``."""

import sys

from aiocache_kit.cli import main

if __name__ == "__main__":
    sys.exit(main())
