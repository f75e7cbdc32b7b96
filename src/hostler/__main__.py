"""`python -m hostler` is the command `hostler`."""

from __future__ import annotations

import sys

from hostler.cli import main

if __name__ == "__main__":
    sys.exit(main())
