"""``python -m bench.hit_ratio [--traces DIR] [--quick] [--results DIR]``: the same as ``python -m bench hit_ratio``."""

import sys

from bench.__main__ import main

if __name__ == "__main__":
    main(["hit_ratio", *sys.argv[1:]])
