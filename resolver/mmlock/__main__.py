"""`python -m mmlock`."""

import sys

from mmlock.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
