"""``python -m finback``: the command line, over the package."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
