"""`python -m aecorpy` is the command `aecorpy`."""

import sys

from aecorpy.cli import main

if __name__ == "__main__":
    sys.exit(main())
