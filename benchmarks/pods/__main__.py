"""`python -m benchmarks.pods`."""

import sys

from benchmarks.pods.compiling import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
