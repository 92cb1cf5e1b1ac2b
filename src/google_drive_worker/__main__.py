"""`python -m google_drive_worker`: the commands of `cli`; with none, the worker runs."""

import sys

from google_drive_worker.cli import main

if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
