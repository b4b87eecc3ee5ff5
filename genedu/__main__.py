"""`python -m genedu` is the command `genedu`."""

import sys

from genedu.cli import main

if __name__ == "__main__":
    sys.exit(main())
